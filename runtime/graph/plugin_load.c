/*
 * plugin_load.c: see plugin_load.h.
 *
 * Tables of a plugin built against an older header are shorter than ours: their `size` says so, and
 * a table that lacks what every table must have is refused here, once, so that nobody has to look
 * again. Longer ones are fine: their tail is unknown to us.
 */
#include "graph/plugin_load.h"

#include <string.h>

#include "base/sha256.h"
#include "base/str.h"
#include "graph/mistakes.h"
#include "graph/parameters.h"
#include "wire/elf.h"

/* What a table had in the first draft; later fields are optional and looked at through `size`. */
#define PROCESSOR_SIZE_MIN   (offsetof(struct gp_processor, abort) + sizeof(void *))
#define PARTITIONER_SIZE_MIN (offsetof(struct gp_partitioner, close) + sizeof(void *))
#define ENTRY_SIZE_MIN       (offsetof(struct gp_entry, get_factory) + sizeof(void *))

static int check_services(const struct gp_note *note, const struct gp_host *host,
                          struct gp_error *err)
{
    gp_str rest = gp_str_of(note->services);

    while (rest.len > 0) {
        char id[sizeof note->services];
        gp_str word;
        (void)str_cut(rest, ' ', &word, &rest);
        (void)str_format(id, sizeof id, "%.*s", STR_ARG(word));
        if (word.len > 0 && !host->service(host, id)) {
            return gp_error_set(err, GP_EABI,
                                "it needs the service '%s', which this version (%s) does not have",
                                id, host->version);
        }
    }
    return 0;
}

/* A file of an artefact store is called by its hash. A disk may have turned bits of it since it was
 * stored, and code that was turned is not to be run. */
static int check_content(const char *path, gp_bytes content, struct gp_error *err)
{
    uint8_t digest[SHA256_SIZE];
    char hex[SHA256_HEX_SIZE];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;

    if (strlen(name) != SHA256_HEX_SIZE - 1 ||
        strspn(name, "0123456789abcdef") != SHA256_HEX_SIZE - 1) {
        return 0;
    }
    sha256(content, digest);
    hex_encode(digest, sizeof digest, hex);
    return strcmp(hex, name) == 0
               ? 0
               : gp_error_set(err, GP_ECHECKSUM, "it is damaged: its content is %s", hex);
}

static int read_note(const struct port *port, const char *path, const struct gp_host *host,
                     struct gp_note *ret, struct gp_error *err)
{
    struct elf_info info;
    struct buf file;
    int rc;

    buf_init(&file, PLUGIN_FILE_MAX_BYTES);
    rc = port->fs->read_file(port->world, path, PLUGIN_FILE_MAX_BYTES, &file, err);
    if (rc >= 0) {
        rc = check_content(path, buf_bytes(&file), err);
    }
    if (rc >= 0) {
        rc = elf_read(buf_bytes(&file), &info, err);
    }
    if (rc >= 0) {
        *ret = info.note;
        elf_info_deinit(&info);
        rc = check_services(ret, host, err);
    }
    buf_deinit(&file);
    return rc;
}

static int check_entry(const struct gp_entry *entry, const struct gp_note *note,
                       struct gp_error *err)
{
    if (entry->size < ENTRY_SIZE_MIN || entry->magic != GP_ENTRY_MAGIC || !entry->name ||
        !entry->version || !entry->get_factory) {
        return gp_error_set(err, GP_EABI, "its gp_entry is not what GP_APP or GP_PLUGIN makes");
    }
    if (entry->abi_major != note->abi_major || entry->abi_minor != note->abi_minor ||
        strcmp(entry->name, note->name) != 0 || strcmp(entry->version, note->version) != 0) {
        return gp_error_set(
            err, GP_EABI,
            "its note (%s %s, ABI %u.%u) and its gp_entry (%s %s, ABI %u.%u) disagree", note->name,
            note->version, note->abi_major, note->abi_minor, entry->name, entry->version,
            entry->abi_major, entry->abi_minor);
    }
    return 0;
}

static int check_processor(const struct gp_processor *table, struct gp_error *err)
{
    if (table->size < PROCESSOR_SIZE_MIN) {
        return gp_error_set(err, GP_EABI, "processor '%s': its table is too short", table->type);
    }
    if (!table->open || !table->poll == !table->process) {
        return gp_error_set(err, GP_EABI,
                            "processor '%s': its table needs open, and either poll or process",
                            table->type);
    }
    return parameters_check_table(table, err);
}

static int check_partitioner(const struct gp_partitioner *table, struct gp_error *err)
{
    if (table->size < PARTITIONER_SIZE_MIN || !table->route) {
        return gp_error_set(
            err, GP_EABI, "partitioner '%s': its table is too short, or has no route", table->type);
    }
    return 0;
}

/* Two of a kind with one name: only the first could ever be found. */
static int check_unique(const struct gp_catalog *catalog, uint32_t index, struct gp_error *err)
{
    const struct gp_processor *table = catalog->tables[index];

    for (uint32_t i = 0; i < index; i++) {
        const struct gp_processor *other = catalog->tables[i];
        if (other && other->type && other->kind == table->kind &&
            strcmp(other->type, table->type) == 0) {
            return gp_error_set(err, GP_EABI, "'%s' is in its catalog twice", table->type);
        }
    }
    return 0;
}

static int check_table(const struct gp_catalog *catalog, uint32_t index, struct gp_error *err)
{
    const struct gp_processor *table = catalog->tables[index]; /* all tables begin alike */
    int rc = 0;

    if (!table || !table->type || !*table->type) {
        return gp_error_set(err, GP_EABI, "table %u of its catalog has no type", index);
    }
    if (table->kind == GP_KIND_PROCESSOR) {
        rc = check_processor(table, err);
    } else if (table->kind == GP_KIND_PARTITIONER) {
        rc = check_partitioner(catalog->tables[index], err);
    }
    return rc < 0 ? rc : check_unique(catalog, index, err);
}

/* One mistake is told as it is, several in lines. */
static int check_catalog(const struct gp_catalog *catalog, struct gp_error *err)
{
    struct mistakes m = {0};
    struct gp_error one;
    int rc = 0;

    for (uint32_t i = 0; catalog && i < catalog->count; i++) {
        gp_error_clear(&one);
        if (check_table(catalog, i, &one) < 0) {
            mistakes_add(&m, "%s", one.text);
            if (m.count == 1) {
                rc = gp_error_set(err, GP_EABI, "%s", one.text);
            }
        }
    }
    if (m.count > 1) {
        (void)mistakes_report(&m, "its tables cannot be", err);
        err->code = rc;
    }
    mistakes_deinit(&m);
    return rc;
}

int plugin_load(const struct port *port, const char *path, const struct gp_host *host,
                struct plugin *ret, struct gp_error *err)
{
    struct plugin plugin = {0};
    struct gp_note note;
    int rc = read_note(port, path, host, &note, err);

    if (rc >= 0) {
        port_enter(port, note.name, "load"); /* constructors */
        rc = port_plugin_open(port, path, &plugin.file, &plugin.entry, err);
    }
    if (rc >= 0) {
        rc = check_entry(plugin.entry, &note, err);
    }
    if (rc >= 0 && plugin.entry->init) {
        port_enter(port, note.name, "init");
        rc = plugin.entry->init(host) == GP_OK
                 ? 0
                 : gp_error_set(err, GP_EUSER, "its init function failed");
    }
    if (rc >= 0) {
        plugin.initialised = true;
        port_enter(port, note.name, "get_factory");
        plugin.catalog = plugin.entry->get_factory(GP_FACTORY_CATALOG);
        plugin.app = plugin.entry->get_factory(GP_FACTORY_APP);
    }
    port_enter(port, NULL, NULL);
    if (rc >= 0) {
        rc = check_catalog(plugin.catalog, err);
    }
    if (rc < 0 && strncmp(err->text, path, strlen(path)) != 0) { /* who opens it names it, too */
        gp_error_prefix(err, "%s", path);
    }
    if (rc < 0) {
        plugin_unload(port, &plugin);
        return rc;
    }
    *ret = plugin;
    return 0;
}

void plugin_unload(const struct port *port, struct plugin *plugin)
{
    if (plugin->initialised && plugin->entry->deinit) {
        port_enter(port, plugin->entry->name, "deinit");
        plugin->entry->deinit();
        port_enter(port, NULL, NULL);
    }
    port_plugin_close(port, plugin->file);
    *plugin = (struct plugin){0};
}

static const void *find(const struct plugin *plugin, uint32_t kind, const char *type)
{
    for (uint32_t i = 0; plugin->catalog && i < plugin->catalog->count; i++) {
        const struct gp_processor *table = plugin->catalog->tables[i];
        if (table->kind == kind && strcmp(table->type, type) == 0) {
            return table;
        }
    }
    return NULL;
}

const struct gp_processor *plugin_processor(const struct plugin *plugin, const char *type)
{
    return find(plugin, GP_KIND_PROCESSOR, type);
}

const struct gp_partitioner *plugin_partitioner(const struct plugin *plugin, const char *type)
{
    return find(plugin, GP_KIND_PARTITIONER, type);
}
