#include "edge/plugin.h"
#include "rig.h"

/* GP_TEST_PLUGINS is the folder of the shared objects made from plugins/. */
static const char *plugin_path(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof(path), GP_TEST_PLUGINS "/%s.so", name);
    return path;
}

GP_TEST(plugin, entry_is_found)
{
    struct rig rig;
    struct plugin_file *file = NULL;
    const struct gp_entry *entry = NULL;
    struct gp_error err = {0};

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(port_plugin_open(rig.port, plugin_path("good"), &file, &entry, &err), 0);
    GP_CHECK_STR_EQ(entry->name, "good");
    GP_CHECK_STR_EQ(entry->version, "1.2.3");
    GP_CHECK(entry->get_factory(GP_FACTORY_CATALOG) != NULL);
    port_plugin_close(rig.port, file);
    port_plugin_close(rig.port, NULL);
    rig_end(&rig);
}

static void check_refused(const char *path, int code, const char *why)
{
    struct plugin_file *file = NULL;
    const struct gp_entry *entry = NULL;
    struct gp_error err = {0};

    GP_CHECK_EQ(edge_plugin_open(path, &file, &entry, &err), code);
    GP_CHECK(file == NULL && entry == NULL);
    if (strstr(err.text, why) == NULL || strstr(err.text, path) == NULL) {
        GP_TEST_FAIL("%s: '%s' does not say '%s'", path, err.text, why);
    }
}

GP_TEST(plugin, what_is_none_is_refused_with_the_reason)
{
    check_refused(plugin_path("none"), GP_ENOENT, "No such file");
    check_refused("good.so", GP_EINVAL, "absolute");
    check_refused(GP_TEST_SOURCE, GP_EABI, "invalid ELF header");
    check_refused("/dev/null", GP_EABI, "too short");
    check_refused(plugin_path("unresolved"), GP_EABI, "undefined symbol: nobody_defines_this");
    check_refused(plugin_path("foreign"), GP_EABI, "no gp_entry: not a Gearpump plugin");
    check_refused(plugin_path("wrong_magic"), GP_EABI, "no valid gp_entry");
    check_refused(plugin_path("wrong_major"), GP_EABI, "built for plugin ABI 99.");
    check_refused(plugin_path("wrong_minor"), GP_EABI, ".99, this is");
    check_refused(plugin_path("wrong_size"), GP_EABI, "not complete");
}

/* Each copy has globals of its own, also when descriptors, and so names, come again. */
GP_TEST(plugin, copies_share_nothing)
{
    struct rig rig;
    struct buf bytes = {0};
    struct gp_error err = {0};
    struct plugin_file *files[3];
    const struct gp_entry *entries[3];

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(
        rig.port->fs->read_file(rig.port->world, plugin_path("good"), 1 << 20, &bytes, &err), 0);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            GP_REQUIRE_EQ(
                edge_plugin_open_copy(buf_bytes(&bytes), "app", &files[i], &entries[i], &err), 0);
            GP_CHECK_STR_EQ(entries[i]->name, "good");
        }
        GP_CHECK(entries[0] != entries[1] && entries[1] != entries[2] && entries[0] != entries[2]);
        for (int i = 0; i < 3; i++) {
            edge_plugin_close(files[i]);
        }
    }
    buf_truncate(&bytes, 100);
    GP_CHECK_EQ(edge_plugin_open_copy(buf_bytes(&bytes), "app", &files[0], &entries[0], &err),
                GP_EABI);
    GP_CHECK(strncmp(err.text, "app: ", 5) == 0);
    buf_deinit(&bytes);
    rig_end(&rig);
}
