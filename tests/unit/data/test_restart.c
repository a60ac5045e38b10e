/*
 * Single changes of a running job, one at a time: what a task's next session begins with, what is
 * not run again, which changes are refused. What many of them do together: test_attack_faults.c.
 */
#include <string.h>

#include "base/reader.h"
#include "gp_test.h"
#include "rig.h"

#define ROWS 200000u

/* A source that remembers how far it is. */
struct counting {
    const struct gp_task *task;
    uint64_t next;
};

/* Written by lanes, hence atomic. */
static struct seen {
    _Atomic uint64_t opened;
    _Atomic uint64_t restored_at; /* what restore() was given */
    uint64_t told;                /* what the lane said of it */
    _Atomic uint64_t emitted;
    uint64_t asked;
    struct lane_tasks ended[4];
    uint32_t ended_count;
} seen;

static int32_t counting_open(const struct gp_task *task, void **ret_self)
{
    struct counting *self = calloc(1, sizeof(*self));

    self->task = task;
    seen.opened++;
    *ret_self = self;
    return GP_OK;
}

static int32_t counting_poll(void *user, struct gp_out *out, uint32_t budget)
{
    struct counting *self = user;
    uint8_t value[16] = {0};

    for (uint32_t i = 0; i < budget && self->next < ROWS && !gp_out_full(out); i++) {
        memcpy(value, &self->task->index, 4);
        memcpy(value + 8, &self->next, 8);
        (void)gp_emit(out, (int64_t)self->next, value, sizeof(value));
        self->next++;
        seen.emitted++;
    }
    return self->next == ROWS ? GP_END : GP_MORE;
}

static int32_t counting_snapshot(void *user, struct gp_snapshot *snapshot)
{
    struct counting *self = user;

    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("next"),
                         gp_bytes_of(&self->next, sizeof(self->next)));
}

static int32_t counting_restore(void *user, struct gp_restore *restore)
{
    struct counting *self = user;
    struct gp_entry_view e;

    while (restore->next(restore, &e) > 0) {
        memcpy(&self->next, e.bytes.ptr, sizeof(self->next));
        seen.restored_at = self->next;
    }
    return GP_OK;
}

static const struct gp_processor counting = {.size = sizeof(counting),
                                             .kind = GP_KIND_PROCESSOR,
                                             .type = "counting",
                                             .open = counting_open,
                                             .poll = counting_poll,
                                             .snapshot = counting_snapshot,
                                             .restore = counting_restore,
                                             .close = gp_close_free};

static void begin(struct rig *rig, uint32_t executors)
{
    memset(&seen, 0, sizeof(seen));
    rig_begin(rig);
    rig->executors = executors;
    rig_add(rig, &(struct rig_processor){.name = "source", .table = &counting, .parallelism = 2});
    rig_add(rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = 2});
    rig_connect(rig, 0, 1, PLAN_SHUFFLE);
}

static void update_all(struct rig *rig, const struct engine_job *job)
{
    for (uint32_t i = 0; i < rig->executors; i++) {
        struct gp_error err = {0};

        GP_CHECK_EQ(engine_update(rig->engines[i], job, &err), 0);
    }
}

/* Each range of a processor to its next session. */
static void next_sessions(struct rig *rig, uint32_t processor)
{
    for (uint32_t i = 0; i < rig->placement.count; i++) {
        rig->placement.ranges[i].session += rig->placement.ranges[i].processor == processor;
    }
}

/* The first time the lanes say how far the sources are, these begin anew from there. */
static void restart_from(struct rig *rig, const struct lane_news *news)
{
    struct engine_job job = rig_job(rig, 2);
    struct reader r = reader_of(buf_bytes(&news->states));
    struct lane_state states[4];
    uint32_t count = 0;

    if (seen.asked++ > 0) {
        return;
    }
    while (reader_left(&r) > 0) {
        states[count] = (struct lane_state){.processor = reader_u32(&r)};
        states[count].task = reader_u32(&r);
        states[count].bytes = reader_bytes(&r, reader_u32(&r));
        /* group, length of name and of bytes, "next", the number */
        memcpy(&seen.told, (const uint8_t *)states[count].bytes.ptr + 16, 8);
        count++;
    }
    GP_CHECK_EQ(reader_status(&r), 0);
    GP_CHECK_EQ(count, 2);
    next_sessions(rig, 0);
    job.states = states;
    job.state_count = count;
    update_all(rig, &job);
}

static void ask(struct rig *rig, void *world)
{
    (void)sim_run_for(world, INT64_C(100000), NULL);
    engine_ask_news(rig->engines[0], LANE_ASK_CHANGES);
}

GP_TEST(restart, a_source_goes_on_where_it_said_it_was)
{
    struct rig rig;

    begin(&rig, 1);
    rig.disturb = ask;
    rig.on_news = restart_from;
    GP_CHECK(rig_run_simulated(&rig, 1));
    GP_CHECK_EQ(seen.opened, 4);
    GP_CHECK(seen.told > 0 && seen.told < ROWS);
    GP_CHECK_EQ(seen.restored_at, seen.told);
    /* What it emitted between the snapshot and the restart came twice; nothing was left out. */
    GP_CHECK(seen.emitted >= 2 * ROWS && seen.emitted < 4 * ROWS);
    GP_CHECK_EQ(rig.updated, 1);
    GP_CHECK_EQ(rig.processors[1].seen + counter_get(&rig.seen.rows_lost), seen.emitted);
}

static void note_ended(struct rig *rig, const struct lane_news *news)
{
    (void)rig;
    seen.ended_count = news->ended_count;
    memcpy(seen.ended, news->ended, news->ended_count * sizeof(*news->ended));
}

static void ask_at_the_end(struct rig *rig)
{
    engine_ask_news(rig->engines[0], LANE_ASK_CHANGES);
    (void)sim_run_for(rig->sim, INT64_C(10000000), NULL);
}

static void linger_at_the_end(struct rig *rig)
{
    (void)sim_run_for(rig->sim, INT64_C(10000000), NULL);
}

/* Whoever dies a moment later must not run it again. */
GP_TEST(restart, the_end_of_a_source_is_told_at_once)
{
    struct rig rig;

    begin(&rig, 1);
    rig.on_news = note_ended;
    rig.before_stop = linger_at_the_end;
    GP_CHECK(rig_run_simulated(&rig, 3));
    GP_REQUIRE(seen.ended_count >= 1);
    GP_CHECK_EQ(seen.ended[0].processor, 0);
    GP_CHECK(seen.ended[0].count >= 1);
}

GP_TEST(restart, what_ended_in_an_earlier_life_is_not_run_again)
{
    static const struct lane_tasks not_run[] = {{0, 1, 1}};
    struct rig rig;

    begin(&rig, 1);
    rig.not_run = not_run;
    rig.not_run_count = 1;
    rig.on_news = note_ended;
    rig.before_stop = ask_at_the_end;
    GP_CHECK(rig_run_simulated(&rig, 2));
    GP_CHECK_EQ(seen.opened, 1);
    GP_CHECK_EQ(seen.emitted, ROWS);
    GP_CHECK_EQ(rig.processors[1].seen, ROWS);
    GP_CHECK_EQ(rig.processors[1].ended, 2);
    /* Those, too, are told as ended: sources and sinks, a range each. */
    GP_CHECK_EQ(seen.ended_count, 2);
    GP_CHECK_EQ(seen.ended[0].count, 2);
    GP_CHECK_EQ(seen.ended[1].count, 2);
}

GP_TEST(restart, a_job_of_which_all_has_ended_ends_at_once)
{
    static const struct lane_tasks not_run[] = {{0, 0, 2}, {1, 0, 2}};
    struct rig rig;

    begin(&rig, 2);
    rig.not_run = not_run;
    rig.not_run_count = 2;
    GP_CHECK(rig_run_simulated(&rig, 3));
    GP_CHECK_EQ(seen.opened, 0);
    GP_CHECK_EQ(rig.ended, 2);
}

/* Tasks cannot come to a lane that is not there. */
static void try_wrong_updates(struct rig *rig, void *world)
{
    struct engine_job job = rig_job(rig, 2);
    struct gp_error err = {0};

    (void)world;
    rig->placement.ranges[0].lane += 7;
    GP_CHECK_EQ(engine_update(rig->engines[rig->placement.ranges[0].executor - 1], &job, &err),
                GP_EINVAL);
    rig->placement.ranges[0].lane -= 7;
    next_sessions(rig, 0);
    job.generation = 1; /* not newer: nothing is done */
    GP_CHECK_EQ(engine_update(rig->engines[0], &job, &err), 0);
    (void)sim_run_for(world, INT64_C(1000000), NULL);
    GP_CHECK_EQ(rig->updated, 0);
    GP_CHECK_EQ(engine_generation(rig->engines[0]), 1);
}

GP_TEST(restart, an_update_that_cannot_be_or_is_old_changes_nothing)
{
    struct rig rig;

    begin(&rig, 2);
    rig.disturb = try_wrong_updates;
    GP_CHECK(rig_run_simulated(&rig, 4));
    GP_CHECK_EQ(seen.opened, 2);
    GP_CHECK_EQ(rig.processors[1].seen, 2 * ROWS);
}

/* A burst of them: each is taken, in order, none is lost. */
static void update_often(struct rig *rig, void *world)
{
    for (uint64_t generation = 2; generation <= 10; generation++) {
        struct engine_job job = rig_job(rig, generation);

        next_sessions(rig, 1);
        update_all(rig, &job);
        (void)sim_run_for(world, generation % 3 == 0 ? 20000 : 1, NULL);
    }
}

GP_TEST(restart, updates_during_updates_are_taken_in_order)
{
    struct rig rig;

    begin(&rig, 2);
    rig.disturb = update_often;
    GP_CHECK(rig_run_simulated(&rig, 5));
    GP_CHECK_EQ(rig.updated, 2 * 9);
    GP_CHECK_EQ(counter_get(&rig.seen.tasks_restarted), 2 * 9);
    /* Rows that came wait in the inboxes for the next session. */
    GP_CHECK_EQ(rig.processors[1].seen, 2 * ROWS);
    GP_CHECK_EQ(counter_get(&rig.seen.rows_lost), 0);
}

static void update_in_a_burst(struct rig *rig, void *world)
{
    (void)world;
    for (uint64_t generation = 2; generation <= 8; generation++) {
        struct engine_job job = rig_job(rig, generation);

        next_sessions(rig, 1);
        update_all(rig, &job);
        for (uint32_t i = 0; i < rig->executors; i++) {
            engine_ask_news(rig->engines[i], LANE_ASK_ALL);
        }
    }
}

GP_TEST(restart, threads_take_updates_while_rows_flow)
{
    struct rig rig;

    begin(&rig, 2);
    rig.lanes = 2;
    rig.processors[1].parallelism = 8;
    rig.disturb = update_in_a_burst;
    GP_CHECK(rig_run_real(&rig));
    GP_CHECK(rig.updated > 0);
    GP_CHECK(counter_get(&rig.seen.tasks_restarted) > 0);
    GP_CHECK_EQ(rig.processors[1].seen, 2 * ROWS);
    GP_CHECK_EQ(counter_get(&rig.seen.rows_lost), 0);
}
