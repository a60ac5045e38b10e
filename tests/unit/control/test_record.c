/* What an application should be, and how that changes when parts of it die. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/str.h"
#include "control/appmaster/record.h"
#include "gp_test.h"
#include "wire/frame.h"

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* Two processors, the second with a task more whose calls may block. */
static struct plan_processor processors[] = {
    {.name = (char *)(uintptr_t) "split", .parallelism = 8},
    {.name = (char *)(uintptr_t) "count", .parallelism = 4},
    {.name = (char *)(uintptr_t) "write", .parallelism = 2, .flags = GP_PROCESSOR_BLOCKING},
};
static const struct plan plan = {.processors = processors, .processor_count = 3};

static uint32_t add(struct record *r, uint32_t slots, uint32_t replaces)
{
    const struct msg_grant grant = {.worker = 1,
                                    .name = text("w1"),
                                    .address = text("10.0.0.1:1"),
                                    .host = text("h"),
                                    .slots = slots};
    uint32_t id;

    GP_REQUIRE_EQ(record_add(r, &grant, replaces, &id), 0);
    return id;
}

static void join(struct record *r, uint32_t id, uint32_t lanes, uint32_t blocking)
{
    const struct msg_executor_register info = {
        .incarnation = 100 + id, .lanes_count = lanes + blocking, .blocking = blocking};

    record_join(r, id, &info);
}

/* Two executors with two lanes and one for blocking tasks, everything placed in epoch 1. */
static void begin(struct record *r)
{
    record_init(r);
    for (uint32_t i = 0; i < 2; i++) {
        join(r, add(r, 7, 0), 2, 1);
    }
    GP_REQUIRE_EQ(record_place(r, &plan, 1), 0);
}

/* Each task exactly once, on lanes that are there. */
static void check_cover(const struct record *r)
{
    for (uint32_t p = 0; p < plan.processor_count; p++) {
        for (uint32_t t = 0; t < processors[p].parallelism; t++) {
            const struct record_range *range = record_range_of(r, p, t);
            const struct record_executor *e = range ? record_find(r, range->executor) : NULL;
            GP_REQUIRE(e != NULL);
            GP_CHECK(range->lane < e->lanes + e->blocking);
            GP_CHECK_EQ(range->lane >= e->lanes,
                        e->blocking > 0 && processors[p].flags == GP_PROCESSOR_BLOCKING);
        }
    }
}

GP_TEST(record, places_every_task_in_a_session_of_the_epoch)
{
    struct record r;

    begin(&r);
    check_cover(&r);
    GP_CHECK_EQ(record_tasks_on(&r, 1), 7);
    GP_CHECK_EQ(record_range_of(&r, 0, 0)->session, UINT64_C(1) << 32 | 1);
    GP_CHECK_EQ(r.generation, 1);
    record_deinit(&r);
}

GP_TEST(record, gives_the_tasks_of_the_dead_to_the_one_that_stands_in)
{
    struct record r;
    uint32_t id;

    begin(&r);
    record_bury(&r, 1);
    record_sweep(&r);
    GP_CHECK_EQ(record_slots_missing(&r, 1), 7);
    id = add(&r, 7, 1);
    GP_CHECK_EQ(id, 3);
    GP_CHECK_EQ(record_slots_missing(&r, 1), 0);
    join(&r, id, 2, 1);
    GP_REQUIRE_EQ(record_need_past(&r, plan.processor_count), 0);
    GP_REQUIRE_EQ(record_give(&r, &plan, id, 1), 0);
    record_sweep(&r);
    GP_CHECK(!record_find(&r, 1));
    GP_CHECK_EQ(record_tasks_on(&r, 3), 7);
    GP_CHECK_EQ(r.past[0].restarts + r.past[1].restarts + r.past[2].restarts, 7);
    check_cover(&r);
    for (uint32_t t = 0; t < 8; t++) { /* what lived stays in its session */
        const struct record_range *range = record_range_of(&r, 0, t);
        GP_CHECK_EQ(range->session, UINT64_C(1) << 32 | (range->executor == 3 ? 2 : 1));
    }
    record_deinit(&r);
}

/* A host with other cores: its lanes are used evenly all the same. */
GP_TEST(record, gives_tasks_to_whatever_lanes_there_are)
{
    for (uint32_t lanes = 1; lanes <= 5; lanes++) {
        for (uint32_t blocking = 0; blocking <= 2; blocking++) {
            struct record r;
            uint32_t used = 0;
            uint32_t id;

            begin(&r);
            record_bury(&r, 2);
            id = add(&r, 7, 2);
            join(&r, id, lanes, blocking);
            GP_REQUIRE_EQ(record_give(&r, &plan, id, 2), 0);
            check_cover(&r);
            for (uint32_t i = 0; i < r.ranges_count; i++) {
                used |= r.ranges[i].executor == id ? 1u << r.ranges[i].lane : 0;
            }
            GP_CHECK_EQ(used & ((1u << (lanes < 4 ? lanes : 4)) - 1),
                        (1u << (lanes < 4 ? lanes : 4)) - 1);
            record_deinit(&r);
        }
    }
}

GP_TEST(record, shares_the_tasks_of_the_dead_among_several)
{
    struct record r;
    uint32_t a;
    uint32_t b;

    begin(&r);
    record_bury(&r, 1);
    a = add(&r, 5, 1);
    GP_CHECK_EQ(record_slots_missing(&r, 1), 2);
    b = add(&r, 2, 1);
    GP_CHECK_EQ(record_slots_missing(&r, 1), 0);
    join(&r, a, 2, 1);
    GP_REQUIRE_EQ(record_give(&r, &plan, a, 1), 0);
    record_sweep(&r);
    GP_CHECK(record_find(&r, 1) != NULL);
    GP_CHECK_EQ(record_tasks_on(&r, a), 5);
    GP_CHECK_EQ(record_slots_missing(&r, 1), 0);
    record_bury(&r, b); /* it did not even come */
    record_sweep(&r);
    GP_CHECK(!record_find(&r, b));
    GP_CHECK_EQ(record_slots_missing(&r, 1), 2);
    b = add(&r, 2, 1);
    join(&r, b, 1, 0);
    GP_REQUIRE_EQ(record_give(&r, &plan, b, 1), 0);
    record_sweep(&r);
    GP_CHECK_EQ(record_living(&r), 3);
    GP_CHECK_EQ(r.executors_count, 3);
    check_cover(&r);
    record_deinit(&r);
}

/* Who dies before there are tasks must be replaced too; who dies in its place, not twice. */
GP_TEST(record, waits_for_everybody_before_the_first_placement)
{
    struct record r;
    uint32_t a;
    uint32_t b;

    record_init(&r);
    a = add(&r, 7, 0);
    (void)add(&r, 7, 0);
    record_bury(&r, a);
    record_sweep(&r);
    GP_CHECK(record_is_wanted(&r, record_find(&r, a)));
    b = add(&r, 7, a);
    record_bury(&r, b);
    record_sweep(&r);
    GP_CHECK(!record_find(&r, b));
    GP_CHECK_EQ(record_slots_missing(&r, a), 7);
    b = add(&r, 7, a);
    join(&r, 2, 2, 1);
    join(&r, b, 2, 1);
    GP_REQUIRE_EQ(record_place(&r, &plan, 1), 0);
    record_sweep(&r);
    GP_CHECK_EQ(r.executors_count, 2);
    check_cover(&r);
    record_deinit(&r);
}

GP_TEST(record, keeps_the_latest_state_of_each_source_in_order)
{
    static const struct {
        uint32_t task;
        const char *state;
    } said[] = {{3, "03"}, {1, "01"}, {2, "02"}, {1, "11"}};
    struct record r;

    record_init(&r);
    for (uint32_t i = 0; i < ARRAY_LEN(said); i++) {
        struct msg_task_state s = {.task = said[i].task,
                                   .state = str_dup(gp_str_of(said[i].state))};
        GP_REQUIRE_EQ(record_keep_state(&r, &s), 0);
        GP_CHECK(s.state == NULL);
    }
    GP_REQUIRE_EQ(r.states_count, 3);
    GP_CHECK_STR_EQ(record_state_of(&r, 0, 1)->state, "11");
    GP_CHECK_STR_EQ(record_state_of(&r, 0, 3)->state, "03");
    GP_CHECK(record_state_of(&r, 0, 0) == NULL);
    GP_CHECK(record_state_of(&r, 1, 1) == NULL);
    GP_CHECK_EQ(record_states_fitting(&r), 3);
    GP_CHECK(record_states_in_order(&r, &plan));
    r.states[2].task = r.states[1].task;
    GP_CHECK(!record_states_in_order(&r, &plan));
    r.states[2].task = UINT32_MAX;
    GP_CHECK(!record_states_in_order(&r, &plan));
    record_deinit(&r);
}

/* What is too much for the master stays with the appmaster alone. */
GP_TEST(record, gives_the_master_as_many_states_as_fit)
{
    struct record r;
    uint32_t fitting = RECORD_STATES_BYTES_MAX / (2 * MSG_STATE_MAX);

    record_init(&r);
    for (uint32_t i = 0; i < fitting + 5; i++) {
        struct msg_task_state s = {.task = i, .state = calloc(1, 2 * MSG_STATE_MAX + 1)};
        GP_REQUIRE(s.state != NULL);
        memset(s.state, 'a', 2 * MSG_STATE_MAX);
        GP_REQUIRE_EQ(record_keep_state(&r, &s), 0);
    }
    GP_CHECK_EQ(record_states_fitting(&r), fitting);
    record_deinit(&r);
}

GP_TEST(record, restarts_one_task_and_leaves_its_neighbours)
{
    struct record r;
    uint64_t before;

    begin(&r);
    before = r.generation;
    GP_CHECK_EQ(record_restart(&r, 0, 8, 1), GP_ENOENT);
    GP_REQUIRE_EQ(record_restart(&r, 0, 1, 3), 0);
    GP_CHECK(r.generation > before);
    GP_CHECK_EQ(record_range_of(&r, 0, 1)->session, UINT64_C(3) << 32 | 2);
    GP_CHECK_EQ(record_range_of(&r, 0, 1)->count, 1);
    GP_CHECK_EQ(record_range_of(&r, 0, 0)->session, UINT64_C(1) << 32 | 1);
    GP_CHECK_EQ(record_range_of(&r, 0, 2)->session, UINT64_C(1) << 32 | 1);
    check_cover(&r);
    record_deinit(&r);
}

GP_TEST(record, keeps_what_has_ended_in_few_words)
{
    struct record r;

    record_init(&r);
    GP_CHECK_EQ(record_end(&r, 1, 4, 2), 1);
    GP_CHECK_EQ(record_end(&r, 0, 0, 1), 1);
    GP_CHECK_EQ(record_end(&r, 1, 0, 2), 1);
    GP_CHECK_EQ(record_end(&r, 1, 5, 1), 0);
    GP_CHECK_EQ(r.ended_count, 3);
    GP_CHECK_EQ(record_end(&r, 1, 1, 3), 1);
    GP_CHECK_EQ(r.ended_count, 2);
    GP_CHECK_EQ(r.ended[1].first, 0);
    GP_CHECK_EQ(r.ended[1].count, 6);
    record_deinit(&r);
}

GP_TEST(record, remembers_the_latest_events)
{
    struct record r;
    char number[16];

    record_init(&r);
    for (uint32_t i = 0; i < MSG_EVENTS_MAX + 3; i++) {
        (void)str_format(number, sizeof number, "%u", i);
        GP_REQUIRE_EQ(record_event(&r, i, number), 0);
    }
    GP_CHECK_EQ(r.events_count, MSG_EVENTS_MAX);
    GP_CHECK_STR_EQ(r.events[0].text, "3");
    record_event_more(&r, "more", -1);
    GP_CHECK_STR_EQ(r.events[MSG_EVENTS_MAX - 1].text, "18; more");
    record_event_more(&r, NULL, 25);
    GP_CHECK_EQ(r.events[0].took_ms, 25);
    GP_CHECK_EQ(r.events[MSG_EVENTS_MAX - 1].took_ms, 25);
    record_deinit(&r);
}

GP_TEST(record, comes_back_from_the_master_as_it_was)
{
    struct msg_counter counter = {text("rows"), 5};
    struct msg_processor_stats stats = {
        .processor = 1, .in = 7, .counters = &counter, .counters_count = 1};
    const struct msg_executor_report report = {.processors = &stats, .processors_count = 1};
    struct record r;
    struct record back;
    struct value *tree = NULL;
    struct value *again = NULL;
    struct gp_error err = {0};

    begin(&r);
    record_bury(&r, 2);
    (void)add(&r, 7, 2);
    GP_REQUIRE_EQ(record_restart(&r, 1, 2, 1), 0);
    GP_REQUIRE_EQ(record_event(&r, 12345, "executor 2 was lost"), 0);
    GP_REQUIRE_EQ(record_end(&r, 0, 1, 2), 1);
    GP_REQUIRE_EQ(record_add_past(&r, &report, plan.processor_count), 0);
    GP_REQUIRE_EQ(record_add_past(&r, &report, plan.processor_count), 0);
    {
        struct msg_task_state s = {.task = 1, .state = str_dup(GP_STR("c0ffee"))};
        GP_REQUIRE_EQ(record_keep_state(&r, &s), 0);
    }
    r.lost = UINT64_MAX;
    GP_REQUIRE_EQ(record_encode(&r, true, &tree), 0);
    GP_REQUIRE_EQ(record_decode(tree, &plan, &back, &err), 0);
    GP_REQUIRE_EQ(record_encode(&back, true, &again), 0);
    GP_CHECK(value_equal(tree, again));
    GP_CHECK_EQ(back.past[1].in, 14);
    GP_REQUIRE_EQ(back.states_count, 1);
    GP_CHECK_STR_EQ(back.states[0].state, "c0ffee");
    GP_CHECK_EQ(back.past[1].counters[0].value, 10);
    check_cover(&back);
    value_free(tree);
    value_free(again);
    record_deinit(&r);
    record_deinit(&back);
}

/* From the master, so not ours to trust. */
GP_TEST(record, refuses_one_that_does_not_fit_the_plan)
{
    struct record r;
    struct record back;
    struct value *tree = NULL;
    struct gp_error err = {0};

    begin(&r);
    r.ranges_count--;
    GP_REQUIRE_EQ(record_encode(&r, true, &tree), 0);
    GP_CHECK_EQ(record_decode(tree, &plan, &back, &err), GP_EPROTO);
    value_free(tree);
    r.ranges_count++;
    r.ranges[0].executor = 9;
    GP_REQUIRE_EQ(record_encode(&r, true, &tree), 0);
    GP_CHECK_EQ(record_decode(tree, &plan, &back, &err), GP_EPROTO);
    value_free(tree);
    r.ranges[0].executor = 1;
    r.next_executor = 2;
    GP_REQUIRE_EQ(record_encode(&r, true, &tree), 0);
    GP_CHECK_EQ(record_decode(tree, &plan, &back, &err), GP_EPROTO);
    value_free(tree);
    record_deinit(&r);
}

/* ---- tasks that move ---- */

static const struct record_range *range_of(const struct record *r, uint32_t processor,
                                           uint32_t task)
{
    const struct record_range *range = record_range_of(r, processor, task);

    GP_REQUIRE(range != NULL);
    return range;
}

GP_TEST(record, changes_single_tasks_and_joins_them_again)
{
    struct record_range changes[3];
    struct record r;
    uint32_t ranges;
    uint64_t generation;

    begin(&r);
    ranges = r.ranges_count;
    generation = r.generation;
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t processor = i == 2;
        uint32_t task = i == 1 ? 6 : 1;
        changes[i] = *range_of(&r, processor, task);
        changes[i].first = task;
        changes[i].count = 1;
        changes[i].leaving = true;
    }
    GP_REQUIRE_EQ(record_change(&r, changes, 3), 0);
    GP_CHECK_EQ(r.generation, generation + 1);
    check_cover(&r);
    for (uint32_t t = 0; t < 8; t++) {
        GP_CHECK_EQ(range_of(&r, 0, t)->leaving, t == 1 || t == 6);
    }
    for (uint32_t i = 0; i < 3; i++) {
        changes[i].leaving = false;
    }
    GP_REQUIRE_EQ(record_change(&r, changes, 3), 0);
    GP_CHECK_EQ(r.ranges_count, ranges);
    check_cover(&r);
    record_deinit(&r);
}

/* Rows of sessions before count for a task that moved, and not for one that began anew. */
GP_TEST(record, forgets_where_a_task_came_from_when_it_begins_anew)
{
    struct record_range change;
    struct record r;

    begin(&r);
    change = *range_of(&r, 0, 3);
    change.first = 3;
    change.count = 1;
    change.since = change.session;
    change.session++;
    change.leaving = true;
    GP_REQUIRE_EQ(record_change(&r, &change, 1), 0);
    GP_CHECK_EQ(range_of(&r, 0, 3)->since, change.since);
    GP_REQUIRE_EQ(record_restart(&r, 0, 3, 2), 0);
    GP_CHECK_EQ(range_of(&r, 0, 3)->since, 0);
    GP_CHECK(!range_of(&r, 0, 3)->leaving);
    GP_CHECK_EQ(range_of(&r, 0, 3)->session >> 32, 2);
    record_deinit(&r);
}

GP_TEST(record, keeps_moves_in_order_and_over_epochs)
{
    struct record_move move = {.session = 7, .from = 1, .executor = 2, .lane = 1};
    static const uint32_t tasks[] = {5, 0, 7, 5, 2};
    struct gp_error err = {0};
    struct value *tree = NULL;
    struct record later;
    struct record r;

    begin(&r);
    for (uint32_t i = 0; i < ARRAY_LEN(tasks); i++) {
        move.task = tasks[i];
        move.placed = i;
        GP_REQUIRE_EQ(record_add_move(&r, &move), 0);
    }
    GP_CHECK_EQ(r.moves_count, 4);
    r.leave = calloc(1, sizeof *r.leave);
    *r.leave = (struct record_leave){.worker = 3, .force = true};
    r.leave_count = 1;
    r.goal = (struct record_goal){.is_open = true, .done = 2};
    GP_REQUIRE_EQ(record_encode(&r, true, &tree), 0);
    GP_REQUIRE_EQ(record_decode(tree, &plan, &later, &err), 0);
    GP_CHECK_EQ(later.moves_count, 4);
    GP_CHECK_EQ(record_move_of(&later, 0, 5)->placed, 3);
    GP_CHECK(!record_move_of(&later, 0, 4));
    GP_CHECK(!record_move_of(&later, 1, 0));
    GP_CHECK(record_leaves(&later, 3)->force);
    GP_CHECK(!record_leaves(&later, 1));
    GP_CHECK(later.goal.is_open);
    GP_CHECK_EQ(later.goal.done, 2);
    record_drop_move(&later, record_move_of(&later, 0, 0));
    GP_CHECK_EQ(later.moves[0].task, 2);
    GP_CHECK_EQ(later.moves_count, 3);
    value_free(tree);
    record_deinit(&later);
    /* Of a task that there is not. */
    move.processor = 2;
    move.task = 2;
    GP_REQUIRE_EQ(record_add_move(&r, &move), 0);
    GP_REQUIRE_EQ(record_encode(&r, true, &tree), 0);
    GP_CHECK_EQ(record_decode(tree, &plan, &later, &err), GP_EPROTO);
    value_free(tree);
    record_deinit(&r);
}

/* What 1,000 executors with two lanes each and 16 processors are told, and what the master keeps:
 * both in one control message. */
GP_TEST(record, of_a_large_job_fits_into_a_message)
{
    enum { EXECUTORS = 1000, LANES = 2, PROCESSORS = 16, TASKS = 6000 };
    static struct msg_placed ranges[EXECUTORS * LANES * PROCESSORS];
    static struct msg_sibling siblings[EXECUTORS];
    static struct record_range kept[EXECUTORS * LANES * PROCESSORS];
    static struct record_executor executors[EXECUTORS];
    struct msg_lane lanes[LANES];
    struct record r = {.executors = executors, .ranges = kept};
    struct value *tree = NULL;
    struct buf text = {0};
    struct msg_executor_update msg = {.placement = ranges, .executors = siblings};

    for (uint32_t l = 0; l < LANES; l++) {
        lanes[l].tcp = (char *)(uintptr_t) "192.168.100.100:40000";
        lanes[l].unix_path =
            (char *)(uintptr_t) "unix:/run/user/1000/gearpump/app-1/executor-1000-1";
    }
    for (uint32_t p = 0; p < PROCESSORS; p++) {
        for (uint32_t i = 0; i < EXECUTORS * LANES; i++) {
            struct msg_placed *to = &ranges[msg.placement_count++];
            *to = (struct msg_placed){.processor = p,
                                      .first = i * TASKS / (EXECUTORS * LANES),
                                      .count = TASKS / (EXECUTORS * LANES),
                                      .executor = 1 + i / LANES,
                                      .lane = i % LANES,
                                      .session = UINT64_C(1) << 32 | 1};
            kept[r.ranges_count++] = (struct record_range){.processor = p,
                                                           .first = to->first,
                                                           .count = to->count,
                                                           .executor = to->executor,
                                                           .lane = to->lane,
                                                           .session = to->session,
                                                           .changed = 1};
        }
    }
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        siblings[msg.executors_count++] = (struct msg_sibling){
            i + 1, (char *)(uintptr_t) "host-1000", UINT64_MAX - i, lanes, LANES};
        executors[r.executors_count++] =
            (struct record_executor){.id = i + 1,
                                     .incarnation = UINT64_MAX - i,
                                     .name = (char *)(uintptr_t) "worker-1000",
                                     .address = (char *)(uintptr_t) "192.168.100.100:40000",
                                     .host = (char *)(uintptr_t) "host-1000"};
    }
    GP_CHECK(msg.placement_count <= MSG_RANGES_MAX);
    GP_REQUIRE_EQ(fields_print_json(&msg_executor_update_fields, &msg, &text), 0);
    GP_CHECK(buf_bytes(&text).len < FRAME_CONTROL_MAX);
    buf_deinit(&text);
    GP_REQUIRE_EQ(record_encode(&r, false, &tree), 0);
    GP_REQUIRE_EQ(value_print_json(tree, &text, VALUE_COMPACT), 0);
    GP_CHECK(buf_bytes(&text).len < FRAME_CONTROL_MAX);
    value_free(tree);
    buf_deinit(&text);
}
