/*
 * plugin.h: what makes a shared object a plugin: one exported const symbol and one ELF note.
 *
 * The note says the same as the symbol and is read without executing the file; the two must agree
 * at load.
 *
 *     GP_APP("wordcount", "1.0.0", build, &split, &count)     an application
 *     GP_PLUGIN("file", "1.0.0", &file_source, &file_sink)    processors for others
 */
#ifndef GEARPUMP_PLUGIN_H
#define GEARPUMP_PLUGIN_H

#include <gearpump/graph.h>
#include <gearpump/host.h>
#include <gearpump/processor.h>

#define GP_ENTRY_MAGIC  0x31505047u /* "GPP1" */
#define GP_ENTRY_SYMBOL "gp_entry"

#define GP_FACTORY_APP     "gp.draft.app/1"     /* const struct gp_app * */
#define GP_FACTORY_CATALOG "gp.draft.catalog/1" /* const struct gp_catalog * */

struct gp_entry {
    uint32_t size;
    uint32_t magic; /* GP_ENTRY_MAGIC */
    uint32_t abi_major;
    uint32_t abi_minor;
    const char *name;
    const char *version;
    /* Once after loading, before anything else; may be NULL. GP_OK or GP_FAIL. */
    int32_t (*init)(const struct gp_host *host);
    /* Once before unloading; may be NULL. */
    void (*deinit)(void);
    /* A const table by id, valid as long as the plugin is loaded, or NULL. [any thread] */
    const void *(*get_factory)(const char *id);
};

struct gp_app {
    uint32_t size;
    uint32_t reserved;
    /* Describes the job. GP_OK, or GP_FAIL after gp_mistake(). */
    int32_t (*build)(const struct gp_build *b);
};

/* What the plugin brings: gp_processor and gp_partitioner tables, told apart by their `kind`. */
struct gp_catalog {
    uint32_t size;
    uint32_t count;
    const void *const *tables;
};

/*
 * The note: section .note.gearpump, owner "Gearpump", type 1, this struct in the byte order of the
 * file:
 *
 *   offset  0  u32        abi_major
 *   offset  4  u32        abi_minor
 *   offset  8  u32        flags (GP_NOTE_APP: has a build function)
 *   offset 12  u32        reserved, 0
 *   offset 16  char[64]   name, NUL-padded
 *   offset 80  char[32]   version, NUL-padded
 *   offset 112 char[144]  ids of services it cannot do without, separated by spaces, NUL-padded
 */
#define GP_NOTE_OWNER   "Gearpump"
#define GP_NOTE_TYPE    1u
#define GP_NOTE_SECTION ".note.gearpump"
#define GP_NOTE_APP     1u

struct gp_note {
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t flags;
    uint32_t reserved;
    char name[64];
    char version[32];
    char services[144];
};

GP_STATIC_ASSERT(sizeof(struct gp_note) == 256, "gp_note is 256 bytes");

struct gp_note_section {
    uint32_t owner_size;
    uint32_t desc_size;
    uint32_t type;
    char owner[12];
    struct gp_note desc;
};

GP_EXTERN_C_BEGIN
extern GP_EXPORT const struct gp_entry gp_entry;
GP_EXTERN_C_END

#ifndef GP_REQUIRED_SERVICES
#define GP_REQUIRED_SERVICES GP_SERVICE_TASK
#endif

/* Called once after loading and once before unloading: defined before including this header. */
#ifndef GP_PLUGIN_INIT
#define GP_PLUGIN_INIT NULL
#endif
#ifndef GP_PLUGIN_DEINIT
#define GP_PLUGIN_DEINIT NULL
#endif

#define GP_DEFINE_NOTE_(plugin_name, plugin_version, note_flags)                                   \
    __attribute__((section(GP_NOTE_SECTION), used,                                                 \
                   aligned(4))) static const struct gp_note_section gp_note_section_ = {           \
        9,                                                                                         \
        (uint32_t)sizeof(struct gp_note),                                                          \
        GP_NOTE_TYPE,                                                                              \
        GP_NOTE_OWNER,                                                                             \
        {GP_ABI_MAJOR, GP_ABI_MINOR, note_flags, 0, plugin_name, plugin_version,                   \
         GP_REQUIRED_SERVICES}};

#define GP_DEFINE_ENTRY_(plugin_name, plugin_version, app_pointer, ...)                            \
    static const void *const gp_tables_[] = {__VA_ARGS__};                                         \
    static const struct gp_catalog gp_catalog_ = {                                                 \
        (uint32_t)sizeof(struct gp_catalog), (uint32_t)(sizeof gp_tables_ / sizeof gp_tables_[0]), \
        gp_tables_};                                                                               \
    static const void *gp_get_factory_(const char *id)                                             \
    {                                                                                              \
        if (strcmp(id, GP_FACTORY_CATALOG) == 0) {                                                 \
            return &gp_catalog_;                                                                   \
        }                                                                                          \
        return strcmp(id, GP_FACTORY_APP) == 0 ? (const void *)(app_pointer) : NULL;               \
    }                                                                                              \
    GP_EXTERN_C_BEGIN                                                                              \
    extern GP_EXPORT const struct gp_entry gp_entry;                                               \
    const struct gp_entry gp_entry = {(uint32_t)sizeof(struct gp_entry),                           \
                                      GP_ENTRY_MAGIC,                                              \
                                      GP_ABI_MAJOR,                                                \
                                      GP_ABI_MINOR,                                                \
                                      plugin_name,                                                 \
                                      plugin_version,                                              \
                                      GP_PLUGIN_INIT,                                              \
                                      GP_PLUGIN_DEINIT,                                            \
                                      gp_get_factory_};                                            \
    GP_EXTERN_C_END

#define GP_PLUGIN(plugin_name, plugin_version, ...)                                                \
    GP_DEFINE_NOTE_(plugin_name, plugin_version, 0u)                                               \
    GP_DEFINE_ENTRY_(plugin_name, plugin_version, NULL, __VA_ARGS__)

#define GP_APP(plugin_name, plugin_version, build_function, ...)                                   \
    GP_DEFINE_NOTE_(plugin_name, plugin_version, GP_NOTE_APP)                                      \
    static const struct gp_app gp_app_ = {(uint32_t)sizeof(struct gp_app), 0, build_function};     \
    GP_DEFINE_ENTRY_(plugin_name, plugin_version, &gp_app_, __VA_ARGS__)

#endif
