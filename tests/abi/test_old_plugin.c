/*
 * A plugin compiled against the oldest supported ABI does its work today.
 */
#include <dlfcn.h>

#include <gearpump/plugin.h>
#include <gearpump/testkit.h>

#include "gp_test.h"

static const struct gp_processor *load(void)
{
    void *object = dlopen(GP_OLD_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    const struct gp_entry *entry = object ? dlsym(object, GP_ENTRY_SYMBOL) : NULL;

    GP_REQUIRE(entry != NULL);
    GP_REQUIRE_EQ(entry->magic, GP_ENTRY_MAGIC);
    GP_REQUIRE_EQ(entry->abi_major, GP_ABI_MAJOR);
    GP_REQUIRE(entry->abi_minor <= GP_ABI_MINOR);
    GP_CHECK_STR_EQ(entry->name, "old");
    GP_CHECK(entry->get_factory(GP_FACTORY_APP) == NULL);
    return gp_kit_find(entry, "old");
}

GP_TEST(old_plugin, processes_rows)
{
    struct gp_kit *kit = gp_kit_new(load(), 0, 1);

    GP_REQUIRE(kit != NULL);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    gp_kit_set_credit(kit, 1);
    GP_CHECK_EQ(gp_kit_push(kit, 0, "key", "gear", 5), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "", 6), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, "key", "old gear"));
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_run(kit), GP_YIELD);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "old "));
    gp_kit_free(kit);
}

GP_TEST(old_plugin, uses_services)
{
    struct gp_kit *kit = gp_kit_new(load(), 0, 1);

    GP_REQUIRE(kit != NULL);
    GP_REQUIRE_EQ(gp_kit_set(kit, "limit", "1"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    gp_kit_advance(kit, 10);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_counter(kit, "timers"), 7);
    GP_CHECK_STR_EQ(gp_kit_log(kit, 0, NULL), "the timer came");
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "1", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "2", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "the limit is reached");
    gp_kit_free(kit);
}

GP_TEST(old_plugin, keeps_its_state)
{
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *kit = gp_kit_new(load(), 0, 1);

    GP_REQUIRE(kit != NULL);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "1", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_snapshot(kit, state), GP_OK);
    gp_kit_free(kit);
    kit = gp_kit_new(load(), 0, 1);
    GP_REQUIRE_EQ(gp_kit_set(kit, "limit", "1"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, 0, 1), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "2", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL); /* it knows that one came before */
    gp_kit_free(kit);
    gp_kit_state_free(state);
}
