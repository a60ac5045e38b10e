/* metrics.c: see metrics.h. [loop thread] */
#include "control/appmaster/metrics.h"

#include <stdlib.h>

#include "actor/vitals.h"
#include "base/hist.h"
#include "base/str.h"
#include "control/appmaster/internal.h"
#include "port/beat.h"

#define NS_PER_MS 1000000
#define CUT_TELLS 10u /* messages with something left out, until all of it is tried again */

/* What is left out, one after the other, until the message fits: histograms of processors first. */
enum cut { CUT_NOTHING, CUT_HISTOGRAMS, CUT_SLOWEST, CUT_EXECUTORS, CUT_COUNTERS, CUT_ALL };

/* A processor as it was when its clock last moved. */
struct watch {
    int64_t watermark;
    uint64_t in;
    int64_t since_ns;
    int64_t since_ms;
};

struct past {
    char *latency; /* texts, owned; NULL: none */
    char *processing;
};

struct am_metrics {
    struct timer *timer;
    struct hist hist;     /* scratch */
    struct hist to_sink;  /* scratch, of all sinks */
    struct watch *watch;  /* [processor] */
    struct past *past;    /* [processor]: of executors that are gone */
    double *cost_ns;      /* [processor]: from the source to here, scratch */
    uint64_t past_cpu_ns; /* of executors that are gone */
    enum cut cut;
    uint32_t cut_tells;   /* since then */
    struct vitals vitals; /* of this process */
    struct msg_vitals own;
};

/* ---- histograms ---- */

static const char *text_of(const struct msg_processor_stats *p, bool latency)
{
    const char *text = latency ? p->latency : p->processing;

    return text ? text : "";
}

/* What does not hold was made by a process that runs user code: it is left out. */
static void add_text(struct hist *to, const char *text)
{
    (void)hist_merge_text(to, text ? text : "");
}

static void merge(const struct appmaster *am, uint32_t processor, bool latency, struct hist *ret)
{
    const struct past *past = &am->metrics->past[processor];

    hist_init(ret);
    add_text(ret, latency ? past->latency : past->processing);
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct msg_executor_report *report = &am->executors[i]->report;

        for (uint32_t k = 0; k < report->processors_count; k++) {
            if (report->processors[k].processor == processor) {
                add_text(ret, text_of(&report->processors[k], latency));
            }
        }
    }
}

static void keep_text(struct am_metrics *m, char **past, const char *text)
{
    char *sum = NULL;

    if (text[0] == '\0') {
        return;
    }
    hist_init(&m->hist);
    add_text(&m->hist, *past);
    add_text(&m->hist, text);
    if (hist_to_text(&m->hist, &sum) >= 0) { /* without memory it is forgotten */
        free(*past);
        *past = sum;
    }
}

void metrics_keep(struct appmaster *am, const struct msg_executor_report *report)
{
    if (am->metrics) {
        am->metrics->past_cpu_ns += report->vitals.cpu_ns;
    }
    for (uint32_t i = 0; i < report->processors_count && am->metrics; i++) {
        const struct msg_processor_stats *p = &report->processors[i];

        if (p->processor < am->plan->processor_count) {
            keep_text(am->metrics, &am->metrics->past[p->processor].latency, text_of(p, true));
            keep_text(am->metrics, &am->metrics->past[p->processor].processing, text_of(p, false));
        }
    }
}

static bool is_sink(const struct plan *plan, uint32_t processor)
{
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (plan->edges[i].from == processor) {
            return false;
        }
    }
    return true;
}

static int add_histograms(struct appmaster *am, struct msg_app_metrics *msg)
{
    struct am_metrics *m = am->metrics;
    int rc = 0;

    hist_init(&m->to_sink);
    for (uint32_t p = 0; p < msg->processors_count && rc >= 0; p++) {
        merge(am, p, false, &m->hist);
        rc = hist_to_text(&m->hist, &msg->processors[p].processing);
        if (rc >= 0) {
            merge(am, p, true, &m->hist);
            m->cost_ns[p] = hist_mean(&m->hist);
            rc = hist_to_text(&m->hist, &msg->processors[p].latency);
        }
        if (is_sink(am->plan, p)) {
            hist_merge(&m->to_sink, &m->hist);
        }
    }
    return rc < 0 ? rc : hist_to_text(&m->to_sink, &msg->latency);
}

static uint64_t cpu_ns(const struct appmaster *am)
{
    uint64_t sum = am->metrics->past_cpu_ns;

    for (uint32_t i = 0; i < am->executor_count; i++) {
        sum += am->executors[i]->report.vitals.cpu_ns;
    }
    return sum;
}

/* ---- the slowest tasks ---- */

static int add_slowest(struct appmaster *am, struct msg_app_metrics *msg)
{
    for (uint32_t p = 0; p < msg->processors_count; p++) {
        msg->processors[p].slowest = calloc(MSG_SLOWEST_MAX, sizeof(struct msg_task_metrics));
        if (!msg->processors[p].slowest) {
            return GP_ENOMEM;
        }
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct msg_executor_report *report = &am->executors[i]->report;

        for (uint32_t k = 0; k < report->processors_count; k++) {
            const struct msg_processor_stats *from = &report->processors[k];
            for (uint32_t t = 0; t < from->slowest_count && from->processor < msg->processors_count;
                 t++) {
                struct msg_processor_stats *to = &msg->processors[from->processor];
                struct msg_task_metrics task = from->slowest[t];

                task.executor = am->executors[i]->id;
                msg_slowest_add(to->slowest, &to->slowest_count, &task);
            }
        }
    }
    return 0;
}

/* ---- clock, stalled, critical path ---- */

static int64_t clock_ms(const struct msg_app_metrics *msg)
{
    int64_t clock_ns = INT64_MAX;

    for (uint32_t p = 0; p < msg->processors_count; p++) {
        clock_ns =
            msg->processors[p].watermark < clock_ns ? msg->processors[p].watermark : clock_ns;
    }
    return clock_ns == INT64_MAX || clock_ns == INT64_MIN ? 0 : clock_ns / NS_PER_MS;
}

/* Has it been given anything to go on with? Its queue, and a later clock before it if it has
 * one. */
static bool has_work(const struct appmaster *am, const struct msg_app_metrics *msg, uint32_t p)
{
    const struct msg_processor_stats *own = &msg->processors[p];
    bool is_behind = own->watermark == INT64_MIN;

    for (uint32_t i = 0; i < am->plan->edge_count; i++) {
        is_behind =
            is_behind || (am->plan->edges[i].to == p &&
                          msg->processors[am->plan->edges[i].from].watermark > own->watermark);
    }
    return own->queue > 0 && own->tasks_running > 0 && is_behind;
}

static int add_stalled(struct appmaster *am, struct msg_app_metrics *msg)
{
    const int64_t stall_ns =
        am->options.stall_timeout_ns ? am->options.stall_timeout_ns : METRICS_STALL_NS;

    msg->stalled = calloc(msg->processors_count + 1, sizeof *msg->stalled);
    if (!msg->stalled) {
        return GP_ENOMEM;
    }
    for (uint32_t p = 0; p < msg->processors_count; p++) {
        struct watch *w = &am->metrics->watch[p];
        const struct msg_processor_stats *now = &msg->processors[p];
        const bool moved =
            now->watermark == INT64_MIN ? now->in != w->in : now->watermark != w->watermark;

        if (w->since_ms == 0 || moved || !has_work(am, msg, p)) {
            *w = (struct watch){now->watermark, now->in, am_now_ns(am), msg->time_ms};
        } else if (am_now_ns(am) - w->since_ns >= stall_ns) {
            msg->stalled[msg->stalled_count++] = (struct msg_stalled){p, w->since_ms};
        }
    }
    return 0;
}

/* Where nothing was sampled: what waits there and what it takes, behind the costliest before it. */
static double guess_ns(const struct appmaster *am, const struct msg_app_metrics *msg, uint32_t p)
{
    const struct msg_processor_stats *own = &msg->processors[p];
    double before = 0;

    for (uint32_t i = 0; i < am->plan->edge_count; i++) {
        const double cost = am->metrics->cost_ns[am->plan->edges[i].from];
        before = am->plan->edges[i].to == p && cost > before ? cost : before;
    }
    return before +
           (double)(own->queue + 1) * (own->in ? (double)own->busy_ns / (double)own->in : 1);
}

static void guess_costs(const struct appmaster *am, const struct msg_app_metrics *msg)
{
    bool is_known[MSG_PROCESSORS_MAX];
    bool changed = true;

    for (uint32_t p = 0; p < msg->processors_count; p++) {
        is_known[p] = am->metrics->cost_ns[p] > 0;
    }
    for (uint32_t round = 0; round < msg->processors_count && changed; round++) {
        changed = false;
        for (uint32_t p = 0; p < msg->processors_count; p++) {
            const double cost = is_known[p] ? am->metrics->cost_ns[p] : guess_ns(am, msg, p);
            changed = changed || cost > am->metrics->cost_ns[p];
            am->metrics->cost_ns[p] = cost;
        }
    }
}

/* From the sink that is reached last, always back to whoever is reached last before. */
static int add_critical_path(struct appmaster *am, struct msg_app_metrics *msg)
{
    const double *cost_ns = am->metrics->cost_ns;
    uint32_t path[MSG_PROCESSORS_MAX];
    uint32_t len = 0;
    int64_t at = -1;

    guess_costs(am, msg);
    for (uint32_t p = 0; p < msg->processors_count; p++) {
        at = is_sink(am->plan, p) && (at < 0 || cost_ns[p] > cost_ns[at]) ? p : at;
    }
    while (at >= 0 && len < MSG_PROCESSORS_MAX) {
        int64_t before = -1;

        path[len++] = (uint32_t)at;
        for (uint32_t i = 0; i < am->plan->edge_count; i++) {
            const struct plan_edge *e = &am->plan->edges[i];
            before = e->to == at && (before < 0 || cost_ns[e->from] > cost_ns[before]) ? e->from
                                                                                       : before;
        }
        at = before;
    }
    msg->critical_path = calloc(len + 1, sizeof *msg->critical_path);
    if (!msg->critical_path) {
        return GP_ENOMEM;
    }
    while (len > 0) {
        msg->critical_path[msg->critical_path_count++].processor = path[--len];
    }
    return 0;
}

/* ---- the rest ---- */

/* This process itself, whose place the master knows; then the executors. */
static int add_executors(struct appmaster *am, struct msg_app_metrics *msg)
{
    msg->executors = calloc(am->executor_count + 1, sizeof *msg->executors);
    if (!msg->executors) {
        return GP_ENOMEM;
    }
    msg->executors[msg->executors_count++].vitals = am->metrics->own;
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        struct msg_executor_vitals *to = &msg->executors[msg->executors_count];

        if (e->state == EXECUTOR_GONE || e->state == EXECUTOR_LAUNCHING) {
            continue;
        }
        *to = (struct msg_executor_vitals){e->id, e->worker, str_dup(gp_str_of(e->host)),
                                           e->report.vitals};
        to->vitals.pid = to->vitals.pid ? to->vitals.pid : e->pid;
        msg->executors_count++;
        if (!to->host) {
            return GP_ENOMEM;
        }
    }
    return 0;
}

static int add_names(const struct plan *plan, struct msg_app_metrics *msg)
{
    msg->names = calloc(plan->processor_count + 1, sizeof *msg->names);
    msg->ends = calloc(plan->edge_count + 1, sizeof *msg->ends);
    if (!msg->names || !msg->ends) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        msg->names[i] = str_dup(gp_str_of(plan->processors[i].name));
        if (!msg->names[i]) {
            return GP_ENOMEM;
        }
        msg->names_count++;
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        msg->ends[msg->ends_count++] =
            (struct msg_edge_ends){plan->edges[i].from, plan->edges[i].to};
    }
    return 0;
}

/* Its processes end, too: none is told. */
static bool has_ended(const struct appmaster *am)
{
    return am->state == AM_REPORTING;
}

/* Their sum, the latency of the application, stays, and so does what they said of the critical
 * path. */
static void cut_histograms(struct msg_processor_stats *p)
{
    free(p->latency);
    free(p->processing);
    p->latency = NULL;
    p->processing = NULL;
}

static void cut_counters(struct msg_processor_stats *p)
{
    for (uint32_t i = 0; i < p->counters_count; i++) {
        free(p->counters[i].name);
    }
    p->counters_count = 0;
}

static int fill(struct appmaster *am, enum cut cut, struct msg_app_metrics *msg)
{
    int rc = stats_sums(am, msg);

    for (uint32_t p = 0; p < msg->processors_count; p++) {
        am->metrics->cost_ns[p] = 0;
    }
    rc = rc < 0 ? rc : add_names(am->plan, msg);
    rc = rc < 0 ? rc : add_histograms(am, msg);
    rc = rc < 0 || cut >= CUT_SLOWEST ? rc : add_slowest(am, msg);
    rc = rc < 0 || cut >= CUT_EXECUTORS || has_ended(am) ? rc : add_executors(am, msg);
    rc = rc < 0 ? rc : add_stalled(am, msg);
    rc = rc < 0 ? rc : add_critical_path(am, msg);
    msg->clock_ms = clock_ms(msg);
    msg->cpu_ns = cpu_ns(am);
    for (uint32_t p = 0; p < msg->processors_count; p++) {
        if (cut >= CUT_HISTOGRAMS) {
            cut_histograms(&msg->processors[p]);
        }
        if (cut >= CUT_COUNTERS) {
            cut_counters(&msg->processors[p]);
        }
    }
    return rc;
}

static int64_t interval_ns(const struct appmaster *am)
{
    return am->options.metrics_interval_ns ? am->options.metrics_interval_ns : METRICS_INTERVAL_NS;
}

int metrics_make(struct appmaster *am, struct msg_app_metrics *ret)
{
    struct msg_app_metrics msg = {.app = am->options.launch->app,
                                  .name = str_dup(gp_str_of(am->welcome.name)),
                                  .time_ms = am_wall_ms(am),
                                  .interval_ms = interval_ns(am) / NS_PER_MS,
                                  .is_cut = am->metrics->cut > CUT_NOTHING};
    int rc = msg.name ? fill(am, am->metrics->cut, &msg) : GP_ENOMEM;

    if (rc < 0) {
        fields_deinit(&msg_app_metrics_fields, &msg);
        return rc;
    }
    *ret = msg;
    return 0;
}

/* ---- telling ---- */

/* Executors of an earlier epoch have counts that are not known yet. */
static bool is_known(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];
        if (e->state != EXECUTOR_GONE && (e->is_restored || e->is_adopted)) {
            return false;
        }
    }
    return true;
}

int metrics_send(struct appmaster *am, metrics_send_fn send, void *user)
{
    struct am_metrics *m = am->metrics;
    int rc = GP_ETOOBIG;

    if (m->cut > CUT_NOTHING && ++m->cut_tells >= CUT_TELLS) {
        m->cut = CUT_NOTHING; /* it may have been large for a while only */
    }
    while (rc == GP_ETOOBIG && m->cut < CUT_ALL) {
        struct msg_app_metrics msg;

        rc = metrics_make(am, &msg);
        if (rc >= 0) {
            rc = send(user, &msg);
            fields_deinit(&msg_app_metrics_fields, &msg);
        }
        if (rc == GP_ETOOBIG) {
            m->cut++;
            m->cut_tells = 0;
        }
    }
    return rc;
}

static int to_master(void *user, const struct msg_app_metrics *msg)
{
    const struct appmaster *am = user;

    return peer_tell(am->master, MSG_APP_METRICS, msg);
}

static void tell(struct appmaster *am)
{
    (void)metrics_send(am, to_master, am); /* a master that is away misses it */
}

void metrics_end(struct appmaster *am)
{
    if (am->metrics && peer_is_up(am->master) && is_known(am)) {
        tell(am);
    }
}

static void start_timer(struct appmaster *am)
{
    vitals_await(&am->metrics->vitals,
                 timer_start_beat(am->metrics->timer, interval_ns(am), FIGURES_PHASE_NS));
}

static void on_timer(void *user)
{
    struct appmaster *am = user;

    vitals_came(&am->metrics->vitals);
    vitals_tell(&am->metrics->vitals, am->ep, &am->metrics->own);
    start_timer(am);
    if ((am->state == AM_RUNNING || am->state == AM_RECOVERING) && peer_is_up(am->master) &&
        is_known(am)) {
        tell(am);
    }
}

void metrics_begin(struct appmaster *am)
{
    const uint32_t count = am->plan->processor_count + 1;
    struct am_metrics *m = am->metrics ? NULL : calloc(1, sizeof *m);

    if (!m) {
        return;
    }
    am->metrics = m;
    m->watch = calloc(count, sizeof *m->watch);
    m->past = calloc(count, sizeof *m->past);
    m->cost_ns = calloc(count, sizeof *m->cost_ns);
    if (!m->watch || !m->past || !m->cost_ns ||
        timer_new(am->port->loop, on_timer, am, &m->timer) < 0) {
        metrics_free(am);
        return;
    }
    vitals_init(&m->vitals, am->port);
    timer_start(m->timer, interval_ns(am)); /* a beat may be later than those who wait expect */
}

void metrics_free(struct appmaster *am)
{
    struct am_metrics *m = am->metrics;

    am->metrics = NULL;
    if (!m) {
        return;
    }
    for (uint32_t i = 0; am->plan && m->past && i < am->plan->processor_count; i++) {
        free(m->past[i].latency);
        free(m->past[i].processing);
    }
    timer_free(m->timer);
    free(m->watch);
    free(m->past);
    free(m->cost_ns);
    free(m);
}
