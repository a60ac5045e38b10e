/*
 * faults.c: one small fault in the life of a job, drawn from the seed. Some are none of the job's
 * business, and its sums are right; after others it says what died and goes on. In the end nothing
 * of it stays, and the cluster runs the next job.
 */
#include <string.h>

#include "base/assert.h"
#include "seeds.h"

#define ROWS            1500u
#define SOURCES         2u      /* tasks of numbers in jobs/chain.c */
#define SINK            2u      /* number of the processor */
#define PADDING_BYTES   700000u /* several chunks of an upload */
#define STRIKE_MAX_US   100000
#define RUN_MAX_US      60000
#define RECOVER_POLLS   100u
#define RECOVER_POLL_US 100000
#define FREEZE_US       4500000
#define PARTED_US       15000000
#define FLOW_US         1200000 /* longer than a sender waits between two dials */
#define CONNECTS_MAX    10u

static const char *const some[] = {"rows=1500", NULL};
static const char *const endless[] = {"rows=0", "pause=3000", NULL};

static const struct cluster_job job = {.plugin = GP_CHAIN_JOB, .config = some};
static const struct cluster_job long_job = {.plugin = GP_CHAIN_JOB, .config = endless};

/* A time from microseconds to the maximum, short ones as likely as long ones. */
static int64_t draw_us(struct rng *rng, int64_t max_us)
{
    return 1 + (int64_t)rng_below(rng, (uint64_t)max_us >> rng_below(rng, 10));
}

/* The job has ended as it should, with every row counted once. */
static void check_finished(struct run *run, struct cluster *c)
{
    int state = cluster_wait_end(c, 120000);

    if (state != APP_FINISHED) {
        (void)run_fail(run, "the job is %d: %s", state, c->summary.error ? c->error : c->err.text);
    } else if (cluster_describe(c) < 0 || cluster_counter(c, SINK, "rows") != SOURCES * ROWS ||
               cluster_counter(c, SINK, "sum") != (int64_t)ROWS * (ROWS - 1)) {
        (void)run_fail(run, "rows are missing or came twice");
    }
}

/* ---- what a job survives ---- */

static void cut_client(struct cluster *c)
{
    (void)sim_reset(c->client_proc, c->masters[0].proc);
}

static void upload_cut(struct run *run, struct cluster *c)
{
    struct cluster_job padded = job;

    padded.padding_bytes = PADDING_BYTES;
    if (cluster_list_workers(c) < 0) { /* who cannot connect at all is told so at once */
        (void)run_fail(run, "asking failed: %s", c->err.text);
        return;
    }
    cluster_submit_begin(c, &padded);
    cluster_after(c, draw_us(&run->rng, STRIKE_MAX_US), cut_client);
    if (cluster_answer(c) < 0) {
        (void)run_fail(run, "submitting failed: %s", c->err.text);
        return;
    }
    check_finished(run, c);
}

static void wait_cut(struct run *run, struct cluster *c)
{
    if (cluster_submit(c, &job) < 0) {
        (void)run_fail(run, "submitting failed: %s", c->err.text);
        return;
    }
    cluster_after(c, draw_us(&run->rng, STRIKE_MAX_US), cut_client);
    check_finished(run, c);
}

/* The faults are those of the world. A client whose connect is refused says so; one tries again. */
static void bad_network(struct run *run, struct cluster *c)
{
    int rc = GP_EUNREACH;

    for (uint32_t i = 0; i < CONNECTS_MAX && rc == GP_EUNREACH; i++) {
        rc = cluster_submit(c, &job);
    }
    if (rc < 0) {
        (void)run_fail(run, "submitting failed: %s", c->err.text);
        return;
    }
    check_finished(run, c);
}

static void master_gone(struct run *run, struct cluster *c)
{
    if (cluster_restart_master(c, draw_us(&run->rng, 10 * 1000000)) < 0) {
        (void)run_fail(run, "the workers did not find the new master");
        return;
    }
    (void)run_job(run, c, &job);
}

/* A job in full flow. */
static int run_long(struct run *run, struct cluster *c)
{
    if (cluster_submit(c, &long_job) < 0 || cluster_wait_running(c) != 0) {
        return run_fail(run, "the job does not run: %s %s", c->err.text, c->error);
    }
    cluster_run_us(c, draw_us(&run->rng, RUN_MAX_US));
    return 0;
}

/* The link came up again: rows must go on. */
static void check_flows(struct run *run, struct cluster *c)
{
    int64_t before;

    if (cluster_describe(c) < 0) {
        (void)run_fail(run, "describing failed: %s", c->err.text);
        return;
    }
    before = cluster_counter(c, SINK, "rows");
    cluster_run_us(c, FLOW_US);
    if (cluster_describe(c) < 0 || cluster_counter(c, SINK, "rows") <= before) {
        (void)run_fail(run, "a link was lost, and rows do not go on");
    }
    (void)cluster_kill(c); /* run_end() looks at what is left */
}

static void link_cut(struct run *run, struct cluster *c)
{
    uint32_t i = (uint32_t)rng_below(&run->rng, CLUSTER_WORKERS);

    if (run_long(run, c) < 0) {
        return;
    }
    if (sim_reset(cluster_process(c, "executor", i),
                  cluster_process(c, "executor", (i + 1) % CLUSTER_WORKERS)) == 0) {
        (void)run_fail(run, "no connection is between two executors");
        return;
    }
    cluster_run_us(c, FLOW_US);
    check_flows(run, c);
}

/* ---- what dies, and is replaced ---- */

static bool is_running(const struct cluster *c)
{
    const struct msg_app_live *live = &c->described.live;

    return c->summary.state == APP_RUNNING && live->events_count > 0 &&
           live->events[live->events_count - 1].took_ms >= 0;
}

/* It says that something happened, what that took, and goes on. */
static void check_recovered(struct run *run, struct cluster *c, const char *what)
{
    bool said = false;

    for (uint32_t i = 0; i < RECOVER_POLLS; i++) {
        cluster_run_us(c, RECOVER_POLL_US);
        if (cluster_describe(c) == 0 && is_running(c)) {
            break;
        }
    }
    for (uint32_t i = 0; i < c->described.live.events_count; i++) {
        said = said || strstr(c->described.live.events[i].text, what);
    }
    if (!is_running(c)) {
        (void)run_fail(run, "the job does not go on after '%s': %s", what, c->error);
    } else if (!said) {
        (void)run_fail(run, "nobody says '%s'", what);
    } else {
        check_flows(run, c);
    }
}

static struct sim_proc *draw_executor(struct run *run, struct cluster *c)
{
    return cluster_process(c, "executor", (uint32_t)rng_below(&run->rng, CLUSTER_WORKERS));
}

static void executor_killed(struct run *run, struct cluster *c)
{
    if (run_long(run, c) == 0) {
        sim_kill(draw_executor(run, c));
        check_recovered(run, c, "crashed: SIGKILL");
    }
}

/* The second while the first is being replaced, or at once. */
static void executors_killed(struct run *run, struct cluster *c)
{
    struct sim_proc *second;

    if (run_long(run, c) < 0) {
        return;
    }
    sim_kill(draw_executor(run, c));
    cluster_run_us(c, draw_us(&run->rng, RUN_MAX_US));
    second = draw_executor(run, c);
    if (second) {
        sim_kill(second);
    }
    check_recovered(run, c, "crashed: SIGKILL");
}

static void worker_killed(struct run *run, struct cluster *c)
{
    if (run_long(run, c) == 0) {
        sim_kill(c->workers[rng_below(&run->rng, CLUSTER_WORKERS)].proc);
        check_recovered(run, c, "was lost");
    }
}

static void appmaster_killed(struct run *run, struct cluster *c)
{
    if (run_long(run, c) == 0) {
        sim_kill(cluster_process(c, "appmaster", 0));
        check_recovered(run, c, "took over");
    }
}

/* And with it one of those that it would have to find again. */
static void appmaster_and_executor_killed(struct run *run, struct cluster *c)
{
    if (run_long(run, c) == 0) {
        sim_kill(cluster_process(c, "appmaster", 0));
        cluster_run_us(c, draw_us(&run->rng, RUN_MAX_US));
        if (cluster_process(c, "executor", 0)) {
            sim_kill(cluster_process(c, "executor", 0));
        }
        check_recovered(run, c, "took over");
    }
}

/* A task fails again and again; every row that comes to nobody is counted, as no process has
 * died. */
static void task_failed(struct run *run, struct cluster *c)
{
    struct params params = {.count = 0};
    struct cluster_job failing = {.plugin = GP_CHAIN_JOB};
    int64_t rows;
    int64_t lost;
    int state;

    params_add(&params, "rows=%u", ROWS);
    params_add(&params, "work.fail_after=%u", 100 + (unsigned)rng_below(&run->rng, 500));
    params_add(&params, "recovery.restarts=200");
    params_add_data(&params, &run->rng);
    failing.config = params.list;
    if (cluster_submit(c, &failing) < 0) {
        (void)run_fail(run, "submitting failed: %s", c->err.text);
        return;
    }
    state = cluster_wait_end(c, 120000);
    if (state != APP_FINISHED || cluster_describe(c) < 0) {
        (void)run_fail(run, "the job is %d: %s", state, c->error);
        return;
    }
    rows = cluster_counter(c, SINK, "rows");
    lost = (int64_t)c->described.live.lost;
    if (rows > SOURCES * ROWS || rows + lost != SOURCES * ROWS) {
        (void)run_fail(run, "%lld rows came and %lld were lost, of %u", (long long)rows,
                       (long long)lost, SOURCES * ROWS);
    }
}

/* It stands still until others have its tasks, and wakes up. */
static void executor_frozen(struct run *run, struct cluster *c)
{
    struct sim_proc *zombie;

    if (run_long(run, c) == 0) {
        zombie = draw_executor(run, c);
        sim_pause(zombie);
        cluster_run_us(c, FREEZE_US);
        sim_resume(zombie);
        check_recovered(run, c, "was lost: nothing was heard");
    }
}

/* Two executors that send each other rows, on hosts of their own, and not on that of the appmaster,
 * who sees all the others. One without tasks has nothing to say to anybody, and is missed by
 * nobody. */
static bool find_hosts(const struct cluster *c, struct sim_host *ret[2])
{
    const struct sim_host *am = sim_proc_host(cluster_process(c, "appmaster", 0));
    uint32_t count = cluster_process_count(c, "executor");

    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = i + 1; k < count; k++) {
            const struct sim_proc *a = cluster_process(c, "executor", i);
            const struct sim_proc *b = cluster_process(c, "executor", k);

            ret[0] = sim_proc_host(a);
            ret[1] = sim_proc_host(b);
            if (ret[0] != am && ret[1] != am && ret[0] != ret[1] && sim_connections(a, b) > 0) {
                return true;
            }
        }
    }
    return false;
}

/* Two of them cannot reach each other, and everybody else can: one is given up. */
static void executors_parted(struct run *run, struct cluster *c)
{
    struct sim_host *hosts[2];

    if (run_long(run, c) < 0) {
        return;
    }
    if (!find_hosts(c, hosts)) {
        check_flows(run, c);
        return;
    }
    sim_cut(hosts[0], hosts[1]);
    cluster_run_us(c, PARTED_US);
    sim_heal(hosts[0], hosts[1]);
    check_recovered(run, c, "could not reach each other");
}

/* ---- the scenario ---- */

static const struct fault {
    const char *event; /* of the coverage */
    void (*run)(struct run *run, struct cluster *c);
    struct sim_faults world;
    uint32_t workers; /* 0: as usual */
} faults[] = {
    {.event = "fault.upload_cut", .run = upload_cut},
    {.event = "fault.wait_cut", .run = wait_cut},
    {.event = "fault.bad_network",
     .run = bad_network,
     .world = {.connect_refused = 0.1, .segment_delayed = 0.05}},
    {.event = "fault.master_gone", .run = master_gone},
    {.event = "fault.link_cut", .run = link_cut},
    {.event = "fault.executor_killed", .run = executor_killed},
    {.event = "fault.executors_killed", .run = executors_killed},
    {.event = "fault.worker_killed", .run = worker_killed},
    {.event = "fault.appmaster_killed", .run = appmaster_killed},
    {.event = "fault.appmaster_and_executor_killed", .run = appmaster_and_executor_killed},
    {.event = "fault.executor_frozen", .run = executor_frozen},
    {.event = "fault.executors_parted", .run = executors_parted, .workers = 6},
};

void faults_run(struct run *run)
{
    const struct fault *f = &faults[rng_below(&run->rng, ARRAY_LEN(faults))];
    struct cluster c = {.faults = f->world, .worker_count = f->workers};

    if (run_begin(run, &c) == 0) {
        coverage_note(run->coverage, f->event);
        f->run(run, &c);
        if (run->wrong[0] == '\0' && cluster_rest(&c) == 0) {
            (void)run_job(run, &c, &job);
        }
    }
    (void)run_end(run, &c); /* has noted what was wrong */
}

/* Often enough for a few rows to be under way still when their sender begins anew. */
void restarts_run(struct run *run)
{
    struct cluster c = {.faults = {.segment_delayed = 0.1}};

    if (run_begin(run, &c) == 0) {
        coverage_note(run->coverage, "fault.task_failed");
        task_failed(run, &c);
    }
    (void)run_end(run, &c); /* has noted what was wrong */
}
