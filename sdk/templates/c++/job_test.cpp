// Drives the processors of job.cpp by themselves, on the testkit: no cluster is needed.
#undef NDEBUG
#include <cassert>
#include <cstring>

#include <gearpump/testkit.h>

static void push(gp_kit *kit, const char *sensor, int64_t value)
{
    gp_msg msg{};

    msg.size = sizeof msg;
    msg.flags = GP_MSG_KEYED;
    msg.key = sensor;
    msg.key_len = static_cast<uint32_t>(std::strlen(sensor));
    msg.value = &value;
    msg.value_len = sizeof value;
    assert(gp_kit_push_msg(kit, 0, &msg) == GP_OK);
}

static void test_average_of_each_sensor()
{
    gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);

    assert(gp_kit_open(kit) == GP_OK);
    push(kit, "kitchen", 20);
    push(kit, "cellar", 12);
    push(kit, "kitchen", 23);
    gp_kit_end(kit);
    assert(gp_kit_run(kit) == GP_OK && gp_kit_ended(kit));
    const uint32_t kitchen = gp_kit_row_is(kit, 0, 0, nullptr, "kitchen 21.50 (2 readings)") ? 0 : 1;
    assert(gp_kit_row_is(kit, 0, kitchen, nullptr, "kitchen 21.50 (2 readings)"));
    assert(gp_kit_row_is(kit, 0, 1 - kitchen, nullptr, "cellar 12.00 (1 readings)"));
    gp_kit_free(kit);
}

static void test_average_survives()
{
    gp_kit_state *state = gp_kit_state_new();
    gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);

    assert(gp_kit_open(kit) == GP_OK);
    push(kit, "kitchen", 20);
    assert(gp_kit_run(kit) == GP_OK && gp_kit_snapshot(kit, state) == GP_OK);
    gp_kit_free(kit);

    kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);
    assert(gp_kit_open(kit) == GP_OK && gp_kit_restore(kit, state, 0, GP_KEY_GROUPS - 1, 1) == GP_OK);
    push(kit, "kitchen", 23);
    gp_kit_end(kit);
    assert(gp_kit_run(kit) == GP_OK);
    assert(gp_kit_row_is(kit, 0, 0, nullptr, "kitchen 21.50 (2 readings)"));
    gp_kit_free(kit);
    gp_kit_state_free(state);
}

static void test_junk_is_rejected()
{
    gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "average"), 0, 1);

    assert(gp_kit_open(kit) == GP_OK);
    assert(gp_kit_push(kit, 0, "kitchen", "warm", 0) == GP_OK);
    assert(gp_kit_run(kit) == GP_OK && gp_kit_rejects(kit) == 1);
    gp_kit_free(kit);
}

static void test_readings_end()
{
    gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "readings"), 0, 1);

    gp_kit_set(kit, "count", "10");
    assert(gp_kit_open(kit) == GP_OK);
    assert(gp_kit_poll(kit, 6) == GP_MORE && gp_kit_poll(kit, 6) == GP_END);
    assert(gp_kit_count(kit, 0) == 10);
    gp_kit_free(kit);
}

int main()
{
    test_average_of_each_sensor();
    test_average_survives();
    test_junk_is_rejected();
    test_readings_end();
    return 0;
}
