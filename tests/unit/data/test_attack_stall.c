/*
 * One task of many stops consuming, for a while or for ever. Whoever is not behind it goes on, what
 * it holds is about as much as its rows, and stopping gives all of it back.
 */
#include "data/lane.h"
#include "gp_test.h"
#include "rig.h"

#define SINKS 64u
#define ROWS  40000u

/* What the sinks of a job share. */
struct crowd {
    uint32_t stalled;   /* index of the one that stops; others never do */
    uint64_t resume_ns; /* how long it stops; 0: for ever */
    _Atomic uint64_t seen[SINKS];
    _Atomic int64_t watermark_ns[SINKS];
    _Atomic uint64_t wrong;
    /* when the job was over */
    uint64_t batches_away;
    uint64_t copied_out;
};

struct member {
    const struct gp_task *task;
    struct crowd *crowd;
    uint64_t seen;
    bool asked;
    bool resumed;
};

static int32_t member_open(const struct gp_task *task, void **ret_self)
{
    struct member *m = calloc(1, sizeof(*m));

    m->task = task;
    m->crowd = ((const struct rig_processor *)task->config->host)->user;
    *ret_self = m;
    return GP_OK;
}

/* Takes a few rows, then waits for a timer that may never be set. */
static int32_t member_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct member *m = self;
    struct crowd *crowd = m->crowd;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (m->task->index == crowd->stalled && m->seen >= 5 && !m->resumed) {
            if (crowd->resume_ns > 0 && !m->asked) {
                m->asked = true;
                (void)gp_timer_set(m->task, GP_TIMER_PROCESSING, 1,
                                   gp_now_ns(m->task) + (int64_t)crowd->resume_ns);
            }
            return GP_AGAIN;
        }
        m->seen++;
        atomic_fetch_add(&crowd->seen[m->task->index], 1);
        crowd->wrong += row->value_len < 16;
    }
    return GP_OK;
}

static int32_t member_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    (void)clock;
    (void)id;
    (void)at_ns;
    (void)out;
    ((struct member *)self)->resumed = true;
    return GP_OK;
}

static int32_t member_on_watermark(void *self, int64_t time_ns, struct gp_out *out)
{
    struct member *m = self;

    (void)out;
    atomic_store(&m->crowd->watermark_ns[m->task->index], time_ns);
    return GP_OK;
}

static const struct gp_processor member = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "member",
    .open = member_open,
    .process = member_process,
    .on_timer = member_on_timer,
    .on_watermark = member_on_watermark,
    .close = gp_close_free,
};

static void look(struct rig *rig)
{
    struct crowd *crowd = rig->user;

    rig_wake_all(rig);
    for (uint32_t e = 0; e < rig->executors; e++) {
        for (uint32_t l = 0; l < rig->lanes; l++) {
            const struct lane *lane = rig_lane(rig, e, l);

            crowd->batches_away += lane->pool.count - lane->pool.free_count;
            crowd->copied_out += counter_get(&lane->stats.copied_out);
        }
    }
}

/* Few sources, many sinks; `extra` rows and sinks that have nothing to do with the one that
 * stops. */
static void make_job(struct rig *rig, struct crowd *crowd, uint32_t partitioner, uint32_t executors,
                     uint32_t lanes)
{
    rig_begin(rig);
    rig->executors = executors;
    rig->lanes = lanes;
    rig->user = crowd;
    rig_add(rig, &(struct rig_processor){.name = "source",
                                         .table = &rig_source,
                                         .parallelism = 2,
                                         .rows = ROWS,
                                         .value_bytes = 16,
                                         .keys = 1000,
                                         .rows_per_poll = 64,
                                         .with_watermarks = true});
    rig_add(rig, &(struct rig_processor){
                     .name = "crowd", .table = &member, .parallelism = SINKS, .user = crowd});
    rig_connect(rig, 0, 1, partitioner);
    rig_add(rig, &(struct rig_processor){.name = "other",
                                         .table = &rig_source,
                                         .parallelism = 2,
                                         .rows = ROWS,
                                         .value_bytes = 16,
                                         .keys = 1000});
    rig_add(rig, &(struct rig_processor){.name = "sink", .table = &rig_sink, .parallelism = SINKS});
    rig_connect(rig, 2, 3, PLAN_HASH);
}

static uint64_t seen_by_others(const struct crowd *crowd)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SINKS; i++) {
        sum += i == crowd->stalled ? 0 : crowd->seen[i];
    }
    return sum;
}

/* A row of 16 bytes of value and 4 of key takes 48; so many fit an account of 1 MiB. */
#define ROWS_PER_WINDOW ((1u << 20) / 48u + 1)

GP_TEST(attack_stall, shuffle_goes_around_a_task_that_stopped)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct crowd crowd = {.stalled = (uint32_t)seed * 7};
        struct rig rig;

        make_job(&rig, &crowd, PLAN_SHUFFLE, 1 + (uint32_t)seed % 2, 2);
        rig.before_stop = look;
        rig.patience_ns = INT64_C(3000000000);
        GP_CHECK(!rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[0].ended, 2);
        GP_CHECK_EQ(rig.processors[3].seen, 2 * ROWS);
        GP_CHECK_EQ(rig.processors[3].ended, SINKS);
        GP_CHECK_EQ(crowd.seen[crowd.stalled], 5);
        /* All rows but those that the stopped one holds: a window from each lane that has
         * sources. */
        GP_CHECK(seen_by_others(&crowd) >= 2 * ROWS - 2 * ROWS_PER_WINDOW);
        GP_CHECK_EQ(crowd.wrong, 0);
    }
}

/* Its keys come to a halt, and with them the sources of this edge, but nothing else does. */
GP_TEST(attack_stall, hash_stops_only_its_own_sources)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct crowd crowd = {.stalled = (uint32_t)seed * 7};
        struct rig rig;

        make_job(&rig, &crowd, PLAN_HASH, 1 + (uint32_t)seed % 2, 2);
        rig.before_stop = look;
        rig.options.window_max_bytes = 4096;
        rig.patience_ns = INT64_C(3000000000);
        GP_CHECK(!rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[0].ended, 0);
        GP_CHECK_EQ(rig.processors[3].seen, 2 * ROWS);
        GP_CHECK_EQ(rig.processors[3].ended, SINKS);
        GP_CHECK_EQ(crowd.seen[crowd.stalled], 5);
    }
}

/*
 * Its rows come few at a time among many for others, each in another batch. Held in their batches
 * they would hold more of them than the sources' pools may make, and stop all sources for good.
 */
GP_TEST(attack_stall, a_stopped_task_holds_its_rows_and_not_their_batches)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct crowd crowd = {.stalled = (uint32_t)seed * 7};
        struct rig rig;

        make_job(&rig, &crowd, PLAN_ROUND_ROBIN, 1 + (uint32_t)seed % 2, 1 + (uint32_t)seed % 3);
        rig.options.pool_max_bytes = 1u << 20;
        rig.before_stop = look;
        rig.patience_ns = INT64_C(60000000000);
        GP_CHECK(!rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[0].ended, 2);
        GP_CHECK_EQ(rig.processors[3].ended, SINKS);
        GP_CHECK_EQ(rig.processors[3].seen, 2 * ROWS);
        GP_CHECK_EQ(seen_by_others(&crowd), 2 * (ROWS / SINKS) * (SINKS - 1));
        GP_CHECK_EQ(crowd.batches_away, 0);
        GP_CHECK_EQ(crowd.copied_out, 2 * (ROWS / SINKS) - 5);
        GP_CHECK_EQ(crowd.watermark_ns[(crowd.stalled + 1) % SINKS], GP_TIME_MAX);
    }
}

GP_TEST(attack_stall, a_task_that_resumes_gets_all_of_its_rows)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct crowd crowd = {.stalled = (uint32_t)seed * 7, .resume_ns = 500000000};
        struct rig rig;

        make_job(&rig, &crowd, PLAN_ROUND_ROBIN, 1 + (uint32_t)seed % 2, 2);
        rig.before_stop = look;
        GP_CHECK(rig_run_simulated(&rig, seed));
        GP_CHECK_EQ(rig.processors[0].ended, 2);
        GP_CHECK_EQ(seen_by_others(&crowd) + crowd.seen[crowd.stalled], 2 * ROWS);
        GP_CHECK_EQ(crowd.batches_away, 0);
        GP_CHECK(crowd.copied_out > 0);
    }
}

GP_TEST(attack_stall, threads_go_around_a_task_that_stopped)
{
    for (uint32_t mode = EDGE_MODE_AUTO; mode <= EDGE_MODE_TCP; mode++) {
        struct crowd crowd = {.stalled = 11, .resume_ns = 300000000};
        struct rig rig;

        make_job(&rig, &crowd, mode == EDGE_MODE_AUTO ? PLAN_HASH : PLAN_ROUND_ROBIN, 1, 2);
        rig.options.edge_mode = mode;
        GP_CHECK(rig_run_real(&rig));
        GP_CHECK_EQ(rig.processors[3].seen, 2 * ROWS);
        GP_CHECK_EQ(seen_by_others(&crowd) + crowd.seen[crowd.stalled], 2 * ROWS);
    }
}
