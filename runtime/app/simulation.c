/*
 * simulation.c: see simulation.h.
 *
 *     the cluster begins → submit → running → faults, for a while → all is healed → the goal → ended
 *
 * The goal is that every worker is known and the job has finished, or does again what it did. All
 * waits are bounded in virtual time.
 */
#include "app/simulation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "app/describe.h"
#include "app/plugin_dirs.h"
#include "app/show.h"
#include "app/simulated.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"
#include "edge/crash.h"
#include "edge/fs.h"
#include "sim/fault_plan.h"

#define MS_NS          INT64_C(1000000)
#define EVENTS_MAX     UINT64_C(20000000000)
#define POLL_MS        250   /* between two looks at the job */
#define QUIET_MS       60000 /* after which a healed cluster has reached its goal */
#define FLOW_MS        3000  /* in which a job that runs does something */
#define SUBMITS_MAX    20u
#define SUBMIT_WAIT_US 500000
#define PLUGINS_MAX    256u
#define RECORDS_MAX    20000u /* of log lines; the rest is counted */
#define LASTS_SHARE    4      /* a fault lasts at most this part of the duration */

struct simulation {
    const struct simulation_options *options;
    FILE *records;
    _Atomic uint64_t *counter;
    struct cluster cluster;
    struct fault_plan plan;
    bool has_faults; /* the plan is on */
    uint32_t state;  /* of the job, as last told */
    uint32_t logged;
    char head[128]; /* of the log line that comes next */
    char paths[PLUGINS_MAX][512];
    const char *plugins[PLUGINS_MAX + 1];
    uint32_t plugin_count;
    const char *folder; /* being listed */
    char reason[1024];
};

static const char *const verdict_names[] = {
#define SIMULATION_NAME(name) #name,
    SIMULATION_VERDICTS(SIMULATION_NAME)
#undef SIMULATION_NAME
};

bool simulation_is_good(enum simulation_verdict verdict)
{
    return verdict == SIMULATION_finished || verdict == SIMULATION_running;
}

/* ---- records ---- */

static void write_take(struct simulation *s, struct value *tree)
{
    struct buf line = {0};

    ASSERT(tree && value_print_json(tree, &line, VALUE_COMPACT) == 0);
    (void)fprintf(s->records, "%.*s\n", STR_ARG(buf_str(&line)));
    (void)fflush(s->records); /* a crash must not take it along */
    value_free(tree);
    buf_deinit(&line);
}

static void tell_text(struct simulation *s, const char *kind, gp_str text)
{
    struct tree t;

    tree_begin(&t);
    tree_i64(&t, "time_ns", s->cluster.sim ? sim_now_ns(s->cluster.sim) : 0);
    tree_text(&t, "kind", kind);
    tree_take(&t, "text", value_new_str(text));
    write_take(s, tree_end(&t));
}

static void tell(struct simulation *s, const char *kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void tell(struct simulation *s, const char *kind, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    (void)str_vformat(text, sizeof text, format, args);
    va_end(args);
    tell_text(s, kind, gp_str_of(text));
}

/* ---- what nodes say ---- */

/* What matters to somebody who watches a job: warnings, and what those who lead decide once it
 * runs. */
static bool is_news(const struct simulation *s, gp_str who, gp_str line)
{
    bool leads = str_ends_with(who, GP_STR(":master")) || str_ends_with(who, GP_STR(":appmaster"));

    return str_starts_with(line, GP_STR("WARN")) || str_starts_with(line, GP_STR("ERROR")) ||
           (leads && s->state >= APP_RUNNING && str_starts_with(line, GP_STR("INFO")) &&
            !str_starts_with(line, GP_STR("INFO actor.")));
}

/* The world says a line in two pieces: when and who, then what. */
static void on_line(void *ctx, gp_str piece)
{
    struct simulation *s = ctx;
    gp_str line = str_trim(piece);
    gp_str when;
    gp_str who;

    if (piece.len == 0 || piece.ptr[piece.len - 1] != '\n') {
        (void)str_format(s->head, sizeof s->head, "%.*s", STR_ARG(piece));
        return;
    }
    (void)str_cut(str_trim(gp_str_of(s->head)), ' ', &when, &who);
    who = str_trim(who);
    if ((s->options->is_verbose || (s->cluster.app != 0 && is_news(s, who, line))) &&
        s->logged++ < RECORDS_MAX) {
        tell(s, "log", "%.*s %.*s", STR_ARG(who), STR_ARG(line));
    }
}

static void on_fault(void *user, const struct fault *fault, const char *text)
{
    (void)fault;
    tell(user, "fault", "%s", text);
}

static void before_step(struct cluster *c, void *user)
{
    struct simulation *s = user;

    if (s->has_faults) {
        fault_plan_step(&s->plan, c);
    }
    atomic_fetch_add_explicit(s->counter, 1, memory_order_relaxed);
}

/* ---- the cluster ---- */

static int on_plugin(void *user, const char *name, int is_dir)
{
    struct simulation *s = user;
    size_t len = strlen(name);

    if (!is_dir && len > 3 && strcmp(name + len - 3, ".so") == 0 && s->plugin_count < PLUGINS_MAX &&
        str_format(s->paths[s->plugin_count], sizeof s->paths[0], "%s/%s", s->folder, name) >= 0) {
        s->plugins[s->plugin_count] = s->paths[s->plugin_count];
        s->plugin_count++;
    }
    return 0;
}

/* The masters have what this installation ships. */
static void find_plugins(struct simulation *s)
{
    struct plugin_dirs dirs;

    plugin_dirs_find(&dirs);
    for (uint32_t i = 0; i < dirs.count; i++) {
        s->folder = dirs.list[i];
        (void)edge_fs_ops.list(NULL, s->folder, on_plugin, s, NULL); /* none: a job may need none */
    }
}

static int begin(struct simulation *s)
{
    const struct simulation_options *o = s->options;

    find_plugins(s);
    s->cluster = (struct cluster){
        .hooks = &simulated_hooks,
        .master_count = o->masters,
        .worker_count = o->workers,
        .slots = o->slots,
        .lanes = o->lanes,
        .plugins = s->plugins,
        .on_line = on_line,
        .line_ctx = s,
        .log_level = o->is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
        .time_max_ns = INT64_MAX / 2,
        .event_max = EVENTS_MAX,
        .on_note = edge_crash_thread_note,
        .before_step = before_step,
        .step_user = s,
    };
    if (cluster_begin(&s->cluster, o->seed) < 0) {
        (void)str_format(s->reason, sizeof s->reason, "the cluster did not come up");
        return -1;
    }
    tell(s, "cluster", "%u master%s, %u worker%s, seed %" PRIu64, o->masters,
         o->masters == 1 ? "" : "s", o->workers, o->workers == 1 ? "" : "s", o->seed);
    return 0;
}

/* ---- the job ---- */

static int submit(struct simulation *s)
{
    struct cluster *c = &s->cluster;
    const struct cluster_job job = {.plugin = s->options->path, .spec = &s->options->job->spec};
    int rc = GP_EUNREACH;

    for (uint32_t i = 0; i < SUBMITS_MAX && rc == GP_EUNREACH; i++) {
        rc = cluster_submit(c, &job);
        if (rc == GP_EUNREACH) {
            cluster_run_us(c, SUBMIT_WAIT_US);
        }
    }
    if (rc < 0) {
        (void)str_format(s->reason, sizeof s->reason, "%s", c->err.text);
        return rc;
    }
    tell(s, "job", "submitted as application %u", c->app);
    return 0;
}

static bool has_ended(const struct simulation *s)
{
    return app_state_is_end(s->state);
}

/* Asks how the job is; says so when that is new. 0 or negative: nobody knows. */
static int look(struct simulation *s)
{
    struct cluster *c = &s->cluster;
    int rc = cluster_wait_change(c, POLL_MS);

    if (rc >= 0 && c->summary.state != s->state) {
        s->state = c->summary.state;
        tell(s, "job", "%s%s%s", show_state(s->state), c->error[0] ? ": " : "", c->error);
    }
    return rc < 0 ? rc : 0;
}

/* Looks until the moment, or until the job has ended. */
static void look_until(struct simulation *s, int64_t end_ns)
{
    while (sim_now_ns(s->cluster.sim) < end_ns && !has_ended(s)) {
        if (look(s) < 0) {
            cluster_run_us(&s->cluster, POLL_MS * 1000); /* masters may come back */
        }
    }
}

static void draw_faults(struct simulation *s)
{
    const struct simulation_options *o = s->options;
    int64_t lasts_ns = o->duration_ns / LASTS_SHARE;
    const struct fault_plan_options plan = {
        .kinds = o->faults,
        .count = o->fault_count,
        .span_ns = o->duration_ns * 2 / 3,
        .lasts_max_ns = lasts_ns > MS_NS ? lasts_ns : MS_NS,
        .on_told = on_fault,
        .user = s,
    };

    fault_plan_draw(&s->plan, &plan, &s->cluster, &s->cluster.rng);
    s->has_faults = o->faults != 0;
}

/* ---- the goal ---- */

static uint64_t moved(const struct cluster *c)
{
    uint64_t rows = 0;

    for (uint32_t i = 0; i < c->described.live.processors_count; i++) {
        rows += c->described.live.processors[i].in + c->described.live.processors[i].out;
    }
    return rows;
}

static bool is_running(struct simulation *s)
{
    return look(s) == 0 && s->state == APP_RUNNING;
}

/* Whether the job does anything, or waits as it may have waited before. */
static enum simulation_verdict judge_running(struct simulation *s, uint64_t moved_before)
{
    struct cluster *c = &s->cluster;
    uint64_t moved_now;

    if (cluster_describe(c) < 0) {
        (void)str_format(s->reason, sizeof s->reason, "describing it fails: %s", c->err.text);
        return SIMULATION_stalled;
    }
    moved_now = moved(c);
    cluster_run_us(c, FLOW_MS * 1000);
    if (cluster_describe(c) < 0 || (moved(c) == moved_now && moved_before > 0)) {
        (void)str_format(s->reason, sizeof s->reason,
                         "it runs, but no row has moved for %d s of simulated time",
                         FLOW_MS / 1000);
        return SIMULATION_stalled;
    }
    return SIMULATION_running;
}

/* All is healed: within a minute all is well, or something is wrong. */
static enum simulation_verdict judge(struct simulation *s, uint64_t moved_before)
{
    struct cluster *c = &s->cluster;
    int64_t end_ns = sim_now_ns(c->sim) + QUIET_MS * MS_NS;

    while (!has_ended(s) && !is_running(s) && sim_now_ns(c->sim) < end_ns) {
        cluster_run_us(c, POLL_MS * 1000);
    }
    if (!has_ended(s) && s->state != APP_RUNNING) {
        (void)str_format(s->reason, sizeof s->reason, "it is %s, %s", show_state(s->state),
                         c->err.text);
        return SIMULATION_stalled;
    }
    if (cluster_until(c, cluster_is_whole, QUIET_MS) < 0) {
        (void)str_format(s->reason, sizeof s->reason, "not every worker is known again");
        return SIMULATION_broken;
    }
    tell(s, "cluster", "every worker is known");
    if (s->state == APP_RUNNING) {
        return judge_running(s, moved_before);
    }
    (void)str_format(s->reason, sizeof s->reason, "%s", c->error);
    return s->state == APP_FINISHED ? SIMULATION_finished : SIMULATION_failed;
}

static enum simulation_verdict live(struct simulation *s)
{
    struct cluster *c = &s->cluster;
    uint64_t moved_before;
    int64_t begin_ns;

    if (begin(s) < 0) {
        return SIMULATION_broken;
    }
    if (submit(s) < 0) {
        return SIMULATION_refused;
    }
    begin_ns = sim_now_ns(c->sim);
    while (s->state < APP_RUNNING && sim_now_ns(c->sim) < begin_ns + QUIET_MS * MS_NS) {
        (void)look(s); /* nothing is wrong yet: it answers, or the time is over */
    }
    draw_faults(s);
    begin_ns = sim_now_ns(c->sim);
    look_until(s, begin_ns + s->options->duration_ns);
    moved_before = cluster_describe(c) < 0 ? 1 : moved(c);
    if (s->has_faults) {
        s->has_faults = false;
        fault_plan_end(&s->plan, c);
        tell(s, "cluster", "all is healed");
    }
    return judge(s, moved_before);
}

/* ---- the result ---- */

static struct value *faults_tree(const struct simulation *s)
{
    struct tree t;

    tree_begin(&t);
    for (uint32_t i = 0; i < FAULT_KIND_COUNT; i++) {
        if (s->plan.struck[i] > 0) {
            tree_u64(&t, fault_name((enum fault_kind)i), s->plan.struck[i]);
        }
    }
    return tree_end(&t);
}

/* What is known of the job at its end; null: nobody answers. */
static struct value *job_tree(struct simulation *s)
{
    struct cluster *c = &s->cluster;
    struct description *d;
    struct value *tree;

    if (!c->client || c->app == 0 || cluster_describe(c) < 0) {
        return value_new_null();
    }
    d = calloc(1, sizeof *d); /* large */
    ASSERT(d);
    tree = description_init(d, &c->described, NULL) < 0 ? value_new_null() : describe_tree(d);
    description_deinit(d);
    free(d);
    return tree;
}

/* What was repaired, by whom, and how long it took. */
static struct value *events_list(const struct msg_app_live *live)
{
    struct value *list = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < live->events_count; i++) {
        tree_begin(&t);
        tree_text(&t, "text", live->events[i].text);
        tree_i64(&t, "took_ms", live->events[i].took_ms);
        tree_push_take(&list, tree_end(&t));
    }
    return list;
}

static struct value *result_tree(struct simulation *s, enum simulation_verdict verdict)
{
    const struct msg_app_live *live = &s->cluster.described.live;
    const struct sim *sim = s->cluster.sim;
    char trace[32];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "verdict", verdict_names[verdict]);
    tree_text(&t, "reason", s->reason);
    tree_u64(&t, "seed", s->options->seed);
    tree_take(&t, "faults", faults_tree(s));
    tree_u64(&t, "log_lines_omitted", s->logged > RECORDS_MAX ? s->logged - RECORDS_MAX : 0);
    tree_take(&t, "job", job_tree(s));
    tree_take(&t, "events", events_list(live));
    tree_u64(&t, "lost", live->lost);
    tree_bool(&t, "lost_at_least", live->is_lost_at_least);
    tree_u64(&t, "restarts", live->restarts);
    tree_i64(&t, "simulated_ns", sim_now_ns(sim));
    tree_u64(&t, "steps", sim_events(sim));
    (void)str_format(trace, sizeof trace, "%016" PRIx64, sim_trace_hash(sim));
    tree_text(&t, "trace", trace);
    return tree_end(&t);
}

enum simulation_verdict simulation_run(const struct simulation_options *options, FILE *records,
                                       _Atomic uint64_t *counter)
{
    struct simulation *s = calloc(1, sizeof *s); /* large */
    enum simulation_verdict verdict;
    struct tree t;

    ASSERT(s);
    s->options = options;
    s->records = records;
    s->counter = counter;
    verdict = live(s);
    tree_begin(&t);
    tree_take(&t, "result", result_tree(s, verdict));
    write_take(s, tree_end(&t));
    cluster_abort(&s->cluster);
    free(s);
    return verdict;
}
