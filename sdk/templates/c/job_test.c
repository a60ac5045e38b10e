/* Drives the processors of job.c by themselves, on the testkit: no cluster is needed. */
#undef NDEBUG
#include <assert.h>

#include <gearpump/testkit.h>

static void push(struct gp_kit *kit, const char *sensor, int64_t value)
{
    struct gp_msg msg = {.size = sizeof msg,
                         .flags = GP_MSG_KEYED,
                         .key = sensor,
                         .key_len = (uint32_t)strlen(sensor),
                         .value = &value,
                         .value_len = sizeof value};

    assert(gp_kit_push_msg(kit, 0, &msg) == GP_OK);
}

static void test_average_of_each_sensor(void)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);

    assert(gp_kit_open(kit) == GP_OK);
    push(kit, "kitchen", 20);
    push(kit, "cellar", 12);
    push(kit, "kitchen", 23);
    gp_kit_end(kit);
    assert(gp_kit_run(kit) == GP_OK && gp_kit_ended(kit));
    assert(gp_kit_row_is(kit, 0, 0, NULL, "kitchen 21.50 (2 readings)"));
    assert(gp_kit_row_is(kit, 0, 1, NULL, "cellar 12.00 (1 readings)"));
    gp_kit_free(kit);
}

static void test_average_survives(void)
{
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);

    assert(gp_kit_open(kit) == GP_OK);
    push(kit, "kitchen", 20);
    assert(gp_kit_run(kit) == GP_OK && gp_kit_snapshot(kit, state) == GP_OK);
    gp_kit_free(kit);

    kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);
    assert(gp_kit_open(kit) == GP_OK &&
           gp_kit_restore(kit, state, 0, GP_KEY_GROUPS - 1, 1) == GP_OK);
    push(kit, "kitchen", 23);
    gp_kit_end(kit);
    assert(gp_kit_run(kit) == GP_OK);
    assert(gp_kit_row_is(kit, 0, 0, NULL, "kitchen 21.50 (2 readings)"));
    gp_kit_free(kit);
    gp_kit_state_free(state);
}

static void test_junk_is_rejected(void)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);

    assert(gp_kit_open(kit) == GP_OK);
    assert(gp_kit_push(kit, 0, "kitchen", "warm", 0) == GP_OK);
    assert(gp_kit_run(kit) == GP_OK && gp_kit_rejects(kit) == 1);
    gp_kit_free(kit);
}

static void test_readings_end(void)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "readings"), 0, 1);

    gp_kit_set(kit, "count", "10");
    assert(gp_kit_open(kit) == GP_OK);
    assert(gp_kit_poll(kit, 6) == GP_MORE && gp_kit_poll(kit, 6) == GP_END);
    assert(gp_kit_count(kit, 0) == 10);
    gp_kit_free(kit);
}

int main(void)
{
    test_average_of_each_sensor();
    test_average_survives();
    test_junk_is_rejected();
    test_readings_end();
    return 0;
}
