/*
 * Single moves, one at a time: what a task takes along, and why one stays where it is. What many of
 * them do together: test_attack_graphs.c; in the middle of faults: test_attack_faults.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "gp_test.h"
#include "rig.h"
#include "wire/messages_executor.h"

#define ROWS 20000u

/* Counts what comes, and remembers so many bytes besides. */
struct keeper {
    const struct gp_task *task;
    uint64_t rows;
};

static struct seen {
    uint32_t state_bytes;
    bool fails;
    uint64_t restored; /* rows that restore() was given */
    uint64_t rows;     /* of tasks that ended */
    enum msg_moved what[4];
    char text[4][64];
    uint32_t answers;
    size_t state_len;
    struct buf state;
} seen;

static int32_t keeper_open(const struct gp_task *task, void **ret_self)
{
    struct keeper *self = calloc(1, sizeof(*self));

    self->task = task;
    *ret_self = self;
    return GP_OK;
}

static int32_t keeper_process(void *user, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct keeper *self = user;

    (void)port;
    while (gp_next(in, consumed, out)) {
        self->rows++;
        ++*consumed;
    }
    return GP_OK;
}

static int32_t keeper_snapshot(void *user, struct gp_snapshot *snapshot)
{
    struct keeper *self = user;
    uint8_t *ballast = calloc(1, seen.state_bytes + 1u);
    int32_t rc = snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("rows"),
                               gp_bytes_of(&self->rows, sizeof(self->rows)));

    rc = rc != GP_OK ? rc
                     : snapshot->put(snapshot, 7, GP_STR("ballast"),
                                     gp_bytes_of(ballast, seen.state_bytes));
    free(ballast);
    return seen.fails ? GP_FAIL : rc;
}

static int32_t keeper_restore(void *user, struct gp_restore *restore)
{
    struct keeper *self = user;
    struct gp_entry_view e;

    while (restore->next(restore, &e) > 0) {
        if (e.name.len == 4) {
            memcpy(&self->rows, e.bytes.ptr, sizeof(self->rows));
            seen.restored = self->rows;
        }
    }
    return GP_OK;
}

static void keeper_close(void *user, uint32_t ended)
{
    struct keeper *self = user;

    seen.rows += ended ? self->rows : 0;
    free(self);
}

static const struct gp_processor keeper = {.size = sizeof(keeper),
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "keeper",
                                           .flags = GP_PROCESSOR_STATEFUL,
                                           .open = keeper_open,
                                           .process = keeper_process,
                                           .snapshot = keeper_snapshot,
                                           .restore = keeper_restore,
                                           .close = keeper_close};
static const struct gp_processor hoarder = {.size = sizeof(hoarder),
                                            .kind = GP_KIND_PROCESSOR,
                                            .type = "hoarder",
                                            .flags = GP_PROCESSOR_STATEFUL,
                                            .open = keeper_open,
                                            .process = keeper_process,
                                            .close = keeper_close};

static void note(struct rig *rig, const struct lane_moved *m)
{
    (void)rig;
    GP_REQUIRE(seen.answers < 4);
    seen.what[seen.answers] = m->what;
    (void)str_format(seen.text[seen.answers], sizeof(seen.text[0]), "%s", m->text);
    seen.answers++;
    if (m->what == MSG_MOVED_LEFT) {
        GP_CHECK_EQ(m->moves, 2);
        GP_CHECK(!m->ended);
        seen.state_len = buf_len(&m->state);
        GP_CHECK_EQ(buf_append_bytes(&seen.state, buf_bytes(&m->state)), 0);
    }
}

static void update(struct rig *rig, uint64_t generation, const struct lane_state *state)
{
    uint32_t due = rig->updated + rig->executors;
    struct engine_job job;

    rig->moves = generation;
    job = rig_job(rig, generation);
    job.states = state;
    job.state_count = state ? 1 : 0;
    for (uint32_t i = 0; i < rig->executors; i++) {
        struct gp_error err = {0};

        GP_CHECK_EQ(engine_update(rig->engines[i], &job, &err), 0);
    }
    for (int i = 0; i < 1000 && rig->updated < due; i++) {
        (void)sim_run_for(rig->sim, INT64_C(100000), NULL);
    }
    GP_CHECK_EQ(rig->updated, due);
}

static void await_answers(struct rig *rig, uint32_t answers)
{
    for (int i = 0; i < 10000 && seen.answers < answers; i++) {
        (void)sim_run_for(rig->sim, INT64_C(100000), NULL);
    }
    GP_CHECK_EQ(seen.answers, answers);
}

static struct placement_range *keepers_range(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->placement.count; i++) {
        if (rig->placement.ranges[i].processor == 1) {
            return &rig->placement.ranges[i];
        }
    }
    return NULL;
}

/* The only task of the second processor goes to the other executor. */
static void move_it(struct rig *rig, void *world)
{
    struct placement_range *r = keepers_range(rig);
    struct lane_state state = {.processor = 1, .moved = true};

    (void)sim_run_for(world, INT64_C(200000), NULL);
    r->leaving = true;
    update(rig, 2, NULL);
    await_answers(rig, 1);
    r->leaving = false;
    if (seen.what[0] != MSG_MOVED_LEFT) {
        update(rig, 3, NULL);
        return;
    }
    r->since = r->session;
    r->session++;
    r->executor = 3 - r->executor;
    state.bytes = buf_bytes(&seen.state);
    update(rig, 3, &state);
    await_answers(rig, 2);
    GP_CHECK_EQ(seen.what[1], MSG_MOVED_RESUMED);
}

static void run(struct rig *rig, const struct gp_processor *table)
{
    buf_init(&seen.state, 1u << 20);
    rig_begin(rig);
    rig->executors = 2;
    rig->options.window_max_bytes = 8192;
    rig_add(rig, &(struct rig_processor){.name = "source",
                                         .table = &rig_source,
                                         .parallelism = 2,
                                         .rows = ROWS,
                                         .value_bytes = 100});
    rig_add(rig, &(struct rig_processor){.name = "kept", .table = table, .parallelism = 1});
    rig_connect(rig, 0, 1, PLAN_SHUFFLE);
    rig->disturb = move_it;
    rig->on_moved = note;
    GP_CHECK(rig_run_simulated(rig, 1));
    GP_CHECK_EQ(seen.rows, 2 * ROWS);
    GP_CHECK_EQ(counter_get(&rig->seen.rows_lost), 0);
    buf_deinit(&seen.state);
}

GP_TEST(moves, a_task_takes_its_state_along)
{
    struct rig rig;

    memset(&seen, 0, sizeof(seen));
    seen.state_bytes = 100;
    run(&rig, &keeper);
    GP_CHECK_EQ(seen.what[0], MSG_MOVED_LEFT);
    GP_CHECK(seen.restored > 0 && seen.restored < 2 * ROWS);
}

/* As much as there is room for; a byte more is refused, and the task goes on where it is. */
GP_TEST(moves, a_state_that_is_too_large_stays)
{
    const uint32_t most = MSG_MOVED_STATE_MAX;
    struct rig rig;
    uint32_t rest;

    memset(&seen, 0, sizeof(seen));
    run(&rig, &keeper);
    rest = (uint32_t)seen.state_len;
    memset(&seen, 0, sizeof(seen));
    seen.state_bytes = most - rest;
    run(&rig, &keeper);
    GP_CHECK_EQ(seen.what[0], MSG_MOVED_LEFT);
    GP_CHECK_EQ(seen.state_len, most);
    memset(&seen, 0, sizeof(seen));
    seen.state_bytes = most - rest + 1;
    run(&rig, &keeper);
    GP_CHECK_EQ(seen.what[0], MSG_MOVED_REFUSED);
    GP_CHECK_STR_EQ(seen.text[0], "its state is larger than a message carries");
    GP_CHECK_EQ(seen.restored, 0);
}

GP_TEST(moves, a_state_that_is_not_given_stays)
{
    struct rig rig;

    memset(&seen, 0, sizeof(seen));
    seen.fails = true;
    run(&rig, &keeper);
    GP_CHECK_EQ(seen.what[0], MSG_MOVED_REFUSED);
    GP_CHECK_STR_EQ(seen.text[0], "its snapshot failed");
}

GP_TEST(moves, a_task_that_keeps_state_and_has_no_snapshot_stays)
{
    struct rig rig;

    memset(&seen, 0, sizeof(seen));
    run(&rig, &hoarder);
    GP_CHECK_EQ(seen.what[0], MSG_MOVED_REFUSED);
    GP_CHECK_STR_EQ(seen.text[0], "its processor keeps state and has no snapshot");
}
