/*
 * What was sent last: a source has ended, or all tasks have left an executor, and then its process
 * dies or its connections break while rows are still on their way. Whatever does not come is said
 * to be lost.
 */
#include <inttypes.h>
#include <stdio.h>

#include "app/node.h"
#include "control/appmaster/internal.h"
#include "gp_test.h"
#include "realm.h"
#include "sim/world.h"

#ifndef SEEDS
#define SEEDS 120
#endif
#define FEEDS      2u
#define TALLY      3u /* number of the processor in jobs/movable.c */
#define DRAINED    2u /* workers */
#define SLOTS      40u
#define STRIKE_US  4000u
#define END_MS     120000
#define DELAYED    0.05 /* of the segments: what an appmaster says passes what lanes say */
#define CONFIG_MAX 8u

typedef bool (*is_due_fn)(const struct am_executor *e);
typedef void (*strike_fn)(struct cluster *c, struct sim_proc *proc);

struct strike {
    is_due_fn is_due; /* whom it meets, ... */
    strike_fn strike; /* ... a drawn moment later */
    bool has_struck;
    int64_t pid; /* 0: nobody yet */
    int64_t at_ns;
};

/* ---- whom it meets ---- */

/* An appmaster knows that a source has ended, here or elsewhere. */
static bool has_ended(const struct am_executor *e)
{
    return e->state >= EXECUTOR_RUNNING && e->am->record.ended_count > 0;
}

static bool is_empty(const struct am_executor *e)
{
    return (e->state == EXECUTOR_RUNNING || e->state == EXECUTOR_DONE) && e->am->record.moved > 0 &&
           record_tasks_on(&e->am->record, e->id) == 0;
}

static bool is_retired(const struct am_executor *e)
{
    return e->is_retired;
}

/* ---- how ---- */

static void kill_it(struct cluster *c, struct sim_proc *proc)
{
    (void)c;
    sim_kill(proc);
}

static void cut_it_off(struct cluster *c, struct sim_proc *proc)
{
    for (uint32_t i = 0; i < cluster_process_count(c, "executor"); i++) {
        struct sim_proc *other = cluster_process(c, "executor", i);

        if (other != proc) {
            (void)sim_reset(proc, other);
        }
    }
}

static struct sim_proc *find_pid(const struct cluster *c, int64_t pid)
{
    struct sim_proc *proc;

    for (uint32_t i = 0; (proc = cluster_process(c, "executor", i)) != NULL; i++) {
        if (proc->pid == pid) {
            return proc;
        }
    }
    return NULL;
}

static void look(struct strike *s, struct cluster *c, const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count && s->pid == 0; i++) {
        if (s->is_due(am->executors[i])) {
            s->pid = am->executors[i]->pid;
            s->at_ns = sim_now_ns(c->sim) +
                       1000 * (int64_t)rng_below(&c->rng, STRIKE_US >> rng_below(&c->rng, 12));
        }
    }
}

static void before_step(struct cluster *c, void *user)
{
    struct strike *s = user;
    const struct node *node = cluster_node(c, "appmaster", 0);
    const struct appmaster *am = node ? node_appmaster(node) : NULL;
    struct sim_proc *proc;

    if (s->has_struck) {
        return;
    }
    if (am && s->pid == 0) {
        look(s, c, am);
    }
    if (s->pid != 0 && sim_now_ns(c->sim) >= s->at_ns) {
        s->has_struck = true;
        proc = find_pid(c, s->pid);
        if (proc) {
            s->strike(c, proc);
        }
    }
}

/* ---- the job ---- */

static void drain(struct cluster *c, uint32_t worker)
{
    char name[16];
    const struct msg_worker_drain msg = {.worker = name};

    (void)snprintf(name, sizeof name, "w%u", worker);
    (void)cluster_drain(c, &msg); /* there may be nothing to leave, or nowhere to go */
}

/* Returns how many rows there are. */
static uint64_t run_job(struct cluster *c, uint64_t seed, bool drains)
{
    const char *config[CONFIG_MAX] = {NULL};
    const struct cluster_job job = {
        .plugin = GP_MOVABLE_JOB, .executors = 2 + (uint32_t)(seed % 2), .config = config};
    struct rng rng;
    uint32_t count = 0;
    uint32_t rows;
    char text[32];

    rng_init(&rng, seed);
    rows = 200 + (uint32_t)rng_below(&rng, 3000);
    (void)snprintf(text, sizeof text, "rows=%u", rows);
    config[count++] = text;
    config[count++] = rng_below(&rng, 2) == 0 ? "pause=0" : "pause=3000";
    if (seed % 3 == 0) {
        config[count++] = "data.edge=tcp";
    }
    if (seed % 5 == 0) {
        config[count++] = "data.window_bytes=32768";
    }
    if (seed % 7 == 0) {
        config[count++] = "data.batch_bytes=1024";
    }
    GP_REQUIRE_EQ(realm_begin(c, seed, false), 0);
    GP_REQUIRE_EQ(cluster_submit(c, &job), 0);
    if (cluster_wait_running(c) == 0 && drains) {
        for (uint32_t worker = 1; worker <= DRAINED; worker++) {
            drain(c, worker);
        }
    }
    GP_REQUIRE_EQ(cluster_wait_end(c, END_MS), APP_FINISHED);
    GP_REQUIRE_EQ(cluster_describe(c), 0);
    return FEEDS * (uint64_t)rows;
}

/* What came and what is said to be lost is all there was; or more than that is said. */
static void check_rows(const struct cluster *c, uint64_t seed, uint64_t rows)
{
    const struct msg_app_live *live = &c->described.live;
    int64_t kept = cluster_counter(c, TALLY, "kept");
    int64_t said = kept + (int64_t)(live->lost + live->in_doubt);

    if (!live->is_lost_at_least && (said < (int64_t)rows || kept > (int64_t)rows)) {
        GP_TEST_FAIL("seed %" PRIu64 ": %" PRId64 " of %" PRIu64 " rows came, %" PRIu64
                     " are said to be lost, %" PRIu64 " in doubt",
                     seed, kept, rows, live->lost, live->in_doubt);
    }
}

static void strike_all(is_due_fn is_due, strike_fn strike, bool drains)
{
    uint32_t struck = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct strike s = {.is_due = is_due, .strike = strike};
        struct cluster c = {.before_step = before_step,
                            .step_user = &s,
                            .slots = SLOTS,
                            .faults = {.segment_delayed = DELAYED}};

        check_rows(&c, seed, run_job(&c, seed, drains));
        struck += s.has_struck;
        GP_CHECK_EQ(cluster_rest(&c), 0);
        GP_CHECK_EQ(cluster_end(&c), 0);
    }
    GP_CHECK(struck > 0);
}

/* That source does not begin anew, and what it sent last may be gone with its process. */
GP_TEST(ends, of_sources_say_what_a_death_takes_along)
{
    strike_all(has_ended, kill_it, false);
}

GP_TEST(ends, of_emptied_executors_say_what_a_death_takes_along)
{
    strike_all(is_empty, kill_it, true);
}

GP_TEST(ends, of_emptied_executors_count_what_a_connection_takes_along)
{
    strike_all(is_empty, cut_it_off, true);
}

/* Nobody is asked any more what it had: so nothing of it may be on its way. */
GP_TEST(ends, of_retired_executors_leave_nothing_behind)
{
    strike_all(is_retired, kill_it, true);
}

GP_TEST(ends, of_retired_executors_have_nothing_on_their_way)
{
    strike_all(is_retired, cut_it_off, true);
}
