/*
 * chaos.c: a job lives through a plan of faults of any kind (sim/fault_plan.h), drawn from the
 * seed.
 *
 * At every moment the invariants hold. Once all is healed the cluster is whole again: every worker
 * is known, the job has come to its end, and another runs to its own with every row counted once.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "invariants.h"
#include "members.h"
#include "operator.h"
#include "sim/fault_plan.h"

#define MS_NS        INT64_C(1000000)
#define SECOND       (1000 * MS_NS)
#define SINK         2u /* number of the processor in jobs/chain.c */
#define SOURCES      2u
#define AFTER_ROWS   1500
#define FAULTS_COUNT 4u
#define SPAN_MAX_MS  3000
#define LASTS_MAX_NS (8 * SECOND)
#define PARTED_NS    (9 * SECOND) /* one of two executors is given up before */
#define SILENCE_MS   5000         /* more than the failure timeout */
#define QUIET_MS     60000        /* after which a cluster is whole again */
#define END_MS       180000
#define SLOTS_ENOUGH 20u /* of each worker: for two jobs, and one worker less */
#define SUBMITS_MAX  40u

struct chaos {
    struct run *run;
    uint32_t job;   /* that lives through it */
    uint32_t rival; /* another beside it; 0: none */
    bool may_fail;  /* the job: it did not run yet, or there is no room to repair it */
    struct fault_plan plan;
    struct members members;
    struct invariants inv;
    struct operator op;
    bool is_on;
};

static void before_step(struct cluster *c, void *user)
{
    struct chaos *chaos = user;

    if (chaos->is_on) {
        fault_plan_step(&chaos->plan, c);
    }
    members_step(&chaos->members, c);
    invariants_step(&chaos->inv, c);
}

static void on_told(void *user, const struct fault *fault, const char *text)
{
    struct chaos *chaos = user;

    (void)fault;
    if (chaos->run->is_verbose) {
        fprintf(stderr, "FAULT: %s\n", text);
    }
}

static void draw_plan(struct chaos *chaos, struct cluster *c)
{
    struct rng *rng = &chaos->run->rng;
    const struct fault_plan_options options = {
        .kinds = fault_kinds_named(GP_STR("all")) & ~(1u << FAULT_executors_parted),
        .count = 1 + (uint32_t)rng_below(rng, FAULTS_COUNT),
        .span_ns = (1 + (int64_t)rng_below(rng, SPAN_MAX_MS)) * MS_NS,
        .lasts_max_ns = LASTS_MAX_NS >> rng_below(rng, 4),
        .on_told = on_told,
        .user = chaos,
    };

    fault_plan_draw(&chaos->plan, &options, c, rng);
    chaos->is_on = true;
}

/* Not drawn with the rest: the plans of the seeds stay as they are. Long enough that the appmaster
 * decides. */
static void draw_parted(struct chaos *chaos)
{
    struct fault_plan *plan = &chaos->plan;
    struct rng rng;

    rng_init(&rng, chaos->run->seed ^ UINT64_C(0x706172746564));
    if (rng_below(&rng, 4) == 0) {
        plan->faults[plan->count++] = (struct fault){
            .kind = FAULT_executors_parted,
            .at_ns = (int64_t)rng_below(&rng, SECOND / 5),
            .lasts_ns = PARTED_NS + (int64_t)rng_below(&rng, PARTED_NS),
            .choice = rng_u64(&rng),
        };
    }
}

/* Nor is this. */
static void draw_members(struct chaos *chaos, struct cluster *c)
{
    struct rng rng;

    rng_init(&rng, chaos->run->seed ^ UINT64_C(0x6d656d62657273));
    if (c->master_count > 1 && rng_below(&rng, 2) == 0) {
        members_begin(
            &chaos->members, c, (uint32_t)rng_below(&rng, c->master_count),
            (int64_t)rng_below(&rng, (uint64_t)(MS_NS * SPAN_MAX_MS) >> rng_below(&rng, 4)));
    }
}

/* One whose files are damaged does not start: it is for people to replace its disk. */
static bool are_members_whole(struct cluster *c)
{
    const struct chaos *chaos = c->step_user;

    return members_is_over(&chaos->members) ||
           (chaos->plan.has_rotten_master && !cluster_is_up(&c->masters[chaos->members.who]));
}

static bool is_over(struct cluster *c)
{
    return fault_plan_is_over(&((struct chaos *)c->step_user)->plan);
}

static void note_struck(struct chaos *chaos)
{
    char name[64];

    for (uint32_t i = 0; i < FAULT_KIND_COUNT; i++) {
        if (chaos->plan.struck[i] > 0) {
            (void)snprintf(name, sizeof name, "plan.%s", fault_name((enum fault_kind)i));
            coverage_note(chaos->run->coverage, name);
        }
    }
}

/* Asks again while there is nobody to answer. */
static int submit(struct cluster *c, const struct cluster_job *job)
{
    int rc = GP_EUNREACH;

    for (uint32_t i = 0; i < SUBMITS_MAX && rc < 0 && rc != GP_EEXIST; i++) {
        rc = cluster_submit(c, job);
        if (rc < 0) {
            cluster_run_us(c, 500000);
        }
    }
    return rc;
}

/* The end of a job, however often asking for it fails. */
static int wait_end(struct cluster *c)
{
    int64_t end_ns = sim_now_ns(c->sim) + END_MS * MS_NS;
    int rc = GP_ETIMEOUT;

    while (sim_now_ns(c->sim) < end_ns && !cluster_is_spent(c) &&
           (rc = cluster_wait_end(c, END_MS)) < 0 && rc != GP_ENOENT) {
        cluster_run_us(c, 500000);
    }
    return rc;
}

/* may_fail: then it says why, or waits for room until it is killed. */
static void check_job(struct chaos *chaos, struct cluster *c, uint32_t app, bool may_fail)
{
    int state;

    c->app = app;
    c->version = 0;
    state = wait_end(c);
    if (state == GP_ETIMEOUT && may_fail && c->summary.state == APP_RECOVERING) {
        state = cluster_kill(c) < 0 ? GP_ETIMEOUT : (int)c->summary.state;
    }
    if (state == APP_FINISHED ||
        (may_fail && (state == APP_KILLED || (state == APP_FAILED && c->error[0] != '\0')))) {
        invariants_promise(&chaos->inv, app, (uint32_t)state);
    } else {
        (void)run_fail(chaos->run, "application %u is %d: %s %s", app, state, c->error,
                       c->err.text);
    }
}

/* All is healed: the cluster is as it was. */
static void check_next(struct chaos *chaos, struct cluster *c)
{
    static const char *const config[] = {"rows=1500", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .name = "next", .config = config};
    int state;

    if (cluster_until(c, are_members_whole, QUIET_MS) < 0) {
        (void)run_fail(chaos->run, "a master does not become a member again: %d",
                       chaos->members.code);
        return;
    }
    cluster_run_us(c, SILENCE_MS * 1000); /* who was silent while a fault lasted is found out */
    if (cluster_until(c, cluster_is_whole, QUIET_MS) < 0) {
        (void)run_fail(chaos->run, "the cluster is not whole again");
        return;
    }
    if (submit(c, &job) < 0) {
        (void)run_fail(chaos->run, "submitting failed: %s", c->err.text);
        return;
    }
    invariants_promise(&chaos->inv, c->app, APP_SUBMITTED);
    state = wait_end(c);
    invariants_check_promises(&chaos->inv, c);
    if (state != APP_FINISHED) {
        (void)run_fail(chaos->run, "the next job is %d: %s", state, c->error);
    } else if (cluster_describe(c) < 0 ||
               cluster_counter(c, SINK, "rows") != SOURCES * AFTER_ROWS) {
        (void)run_fail(chaos->run, "the next job lost rows, or counted some twice");
    }
}

/* A second job while the first may run, of the same name or of another; there may be no room for
 * it. */
static void begin_rival(struct chaos *chaos, struct cluster *c)
{
    static const char *const config[] = {"rows=400", "pause=2000", NULL};
    bool is_namesake = rng_below(&chaos->run->rng, 3) == 0;
    const struct cluster_job job = {
        .plugin = GP_CHAIN_JOB, .name = is_namesake ? NULL : "rival", .config = config};
    int rc = submit(c, &job);

    if (rc == 0 && c->app != chaos->job) {
        chaos->rival = c->app;
        invariants_promise(&chaos->inv, chaos->rival, APP_SUBMITTED);
    } else if (rc < 0 && !(rc == GP_EEXIST && is_namesake)) {
        (void)run_fail(chaos->run, "submitting another failed: %s", c->err.text);
    }
}

static int begin_job(struct chaos *chaos, struct cluster *c)
{
    char rows[32];
    const char *const config[] = {rows, "pause=4000", NULL};
    const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = config};

    (void)snprintf(rows, sizeof rows, "rows=%u", 500 + (unsigned)rng_below(&chaos->run->rng, 8000));
    if (submit(c, &job) < 0) {
        return run_fail(chaos->run, "submitting failed: %s", c->err.text);
    }
    chaos->job = c->app;
    invariants_promise(&chaos->inv, chaos->job, APP_SUBMITTED);
    return 0;
}

static void live(struct chaos *chaos, struct cluster *c)
{
    if (begin_job(chaos, c) < 0) {
        return;
    }
    chaos->may_fail = c->slots < SLOTS_ENOUGH || rng_below(&chaos->run->rng, 4) == 0;
    if (!chaos->may_fail && cluster_wait_running(c) != 0) {
        (void)run_fail(chaos->run, "the job does not run: %s %s", c->error, c->err.text);
        return;
    }
    draw_plan(chaos, c);
    draw_parted(chaos);
    draw_members(chaos, c);
    if (rng_below(&chaos->run->rng, 2) == 0) {
        begin_rival(chaos, c);
    }
    c->app = chaos->job;
    operator_live(&chaos->op, c);
    (void)cluster_until(c, is_over, 60000);
    fault_plan_end(&chaos->plan, c);
    chaos->is_on = false;
    note_struck(chaos);
    if (chaos->members.was_removed) {
        coverage_note(chaos->run->coverage, "plan.master_removed");
    }
    if (operator_end(&chaos->op, c, c->slots == SLOTS_ENOUGH) < 0) {
        return;
    }
    check_job(chaos, c, chaos->job, chaos->may_fail);
    if (chaos->rival != 0) {
        check_job(chaos, c, chaos->rival, true);
    }
    if (chaos->run->wrong[0] == '\0') {
        check_next(chaos, c);
    }
}

/* The same with masters that keep little of their log, and move tasks by themselves. */
static void draw_masters(const struct run *run, struct cluster *c)
{
    struct rng rng;

    rng_init(&rng, run->seed ^ UINT64_C(0x6d617374657273));
    c->snapshot_entries = rng_below(&rng, 2) == 0 ? 4u << rng_below(&rng, 5) : 0;
    c->is_balanced = rng_below(&rng, 3) == 0;
}

void chaos_run(struct run *run)
{
    struct chaos chaos = {.run = run};
    struct cluster c = {.before_step = before_step, .step_user = &chaos};

    operator_begin(&chaos.op, run);
    draw_masters(run, &c);
    c.master_count = rng_below(&run->rng, 2) == 0 ? 1 : 3;
    c.slots = rng_below(&run->rng, 4) == 0 ? 3 + (uint32_t)rng_below(&run->rng, 3) : SLOTS_ENOUGH;

    if (run_begin(run, &c) == 0) {
        if (c.master_count == 3) {
            coverage_note(run->coverage, "shape.three_masters");
        }
        live(&chaos, &c);
    }
    if (run->is_verbose && run->wrong[0] != '\0') {
        invariants_explain(&c);
    }
    if (chaos.inv.wrong[0] != '\0') {
        run->wrong[0] = '\0'; /* the cause comes before what follows from it */
        (void)run_fail(run, "broken: %s", chaos.inv.wrong);
    }
    (void)run_end(run, &c); /* has noted what was wrong */
}
