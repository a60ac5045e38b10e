/* What an appmaster makes of the reports of its executors: who is stalled, where messages take
 * longest. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/hist.h"
#include "base/str.h"
#include "control/appmaster/internal.h"
#include "control/appmaster/metrics.h"
#include "gp_test.h"

#define S_NS       INT64_C(1000000000)
#define EXECUTORS  2u
#define PROCESSORS 4u

enum { SOURCE, QUICK, SLOW, SINK };

/* A loop whose time stands until a test moves it; its timers never fire. */
struct still_loop {
    struct loop loop;
    struct timer timer;
    int64_t now_ns;
};

static int64_t now_ns(struct loop *loop)
{
    return ((struct still_loop *)loop)->now_ns;
}

static int timer_make(struct loop *loop, loop_fn fn, void *user, struct timer **ret)
{
    struct still_loop *still = (struct still_loop *)loop;

    (void)fn;
    (void)user;
    still->timer.loop = loop;
    *ret = &still->timer;
    return 0;
}

static void timer_set(struct timer *timer, int64_t delay_ns)
{
    (void)timer;
    (void)delay_ns;
}

static void timer_drop(struct timer *timer)
{
    (void)timer;
}

static const struct loop_ops still_ops = {.now_ns = now_ns,
                                          .wall_ns = now_ns,
                                          .timer_new = timer_make,
                                          .timer_start = timer_set,
                                          .timer_free = timer_drop};

/* source, then quick and slow beside each other, then sink; each executor has a part of all. */
struct scene {
    struct still_loop loop;
    struct port port;
    struct launch_appmaster launch;
    struct plan_processor processors[PROCESSORS];
    struct plan_edge edges[4];
    struct plan plan;
    struct am_executor executors[EXECUTORS];
    struct am_executor *list[EXECUTORS];
    struct msg_processor_stats stats[EXECUTORS][PROCESSORS];
    struct appmaster am;
};

static char *name(const char *text)
{
    return (char *)(uintptr_t)text;
}

static struct scene *scene_new(void)
{
    static const char *const names[PROCESSORS] = {"source", "quick", "slow", "sink"};
    static const uint32_t ends[][2] = {
        {SOURCE, QUICK}, {SOURCE, SLOW}, {QUICK, SINK}, {SLOW, SINK}};
    struct scene *s = calloc(1, sizeof *s);

    GP_REQUIRE(s != NULL);
    s->loop.loop.ops = &still_ops;
    s->loop.now_ns = S_NS;
    s->port.loop = &s->loop.loop;
    s->launch.app = 7;
    s->plan = (struct plan){.processors = s->processors,
                            .processor_count = PROCESSORS,
                            .edges = s->edges,
                            .edge_count = ARRAY_LEN(ends)};
    for (uint32_t p = 0; p < PROCESSORS; p++) {
        s->processors[p] = (struct plan_processor){.name = name(names[p]), .parallelism = 2};
    }
    for (uint32_t i = 0; i < ARRAY_LEN(ends); i++) {
        s->edges[i] = (struct plan_edge){.from = ends[i][0], .to = ends[i][1]};
    }
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        for (uint32_t p = 0; p < PROCESSORS; p++) {
            s->stats[i][p] = (struct msg_processor_stats){
                .processor = p, .tasks_running = 1, .in = 10, .watermark = 5 * S_NS};
        }
        s->executors[i] = (struct am_executor){
            .id = i + 1,
            .state = EXECUTOR_RUNNING,
            .report = {.processors = s->stats[i], .processors_count = PROCESSORS}};
        s->list[i] = &s->executors[i];
    }
    s->am.port = &s->port;
    s->am.plan = &s->plan;
    s->am.options.launch = &s->launch;
    s->am.options.stall_timeout_ns = 30 * S_NS;
    s->am.welcome.name = name("job");
    s->am.executors = s->list;
    s->am.executor_count = EXECUTORS;
    s->am.state = AM_RUNNING;
    metrics_begin(&s->am);
    GP_REQUIRE(s->am.metrics != NULL);
    return s;
}

static void scene_free(struct scene *s)
{
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        for (uint32_t p = 0; p < PROCESSORS; p++) {
            free(s->stats[i][p].latency);
        }
    }
    metrics_free(&s->am);
    free(s);
}

static struct msg_app_metrics make(struct scene *s, int64_t later_ns)
{
    struct msg_app_metrics msg = {0};

    s->loop.now_ns += later_ns;
    GP_REQUIRE_EQ(metrics_make(&s->am, &msg), 0);
    GP_REQUIRE_EQ(msg.processors_count, PROCESSORS);
    return msg;
}

static void forget(struct msg_app_metrics *msg)
{
    fields_deinit(&msg_app_metrics_fields, msg);
}

static void set_latency(struct scene *s, uint32_t executor, uint32_t processor, uint64_t ns)
{
    struct hist *h = malloc(sizeof *h);

    GP_REQUIRE(h != NULL);
    hist_init(h);
    hist_record_n(h, ns, 100);
    GP_REQUIRE_EQ(hist_to_text(h, &s->stats[executor][processor].latency), 0);
    free(h);
}

/* The clock of slow stands though it has rows and its source is further; that of sink does, for
 * want of anything to do. */
GP_TEST(app_metrics, names_who_is_stalled)
{
    struct scene *s = scene_new();
    struct msg_app_metrics msg = make(s, 0);

    GP_CHECK_EQ(msg.stalled_count, 0);
    GP_CHECK_EQ(msg.clock_ms, 5000);
    forget(&msg);
    s->stats[1][SLOW].queue = 100;
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        s->stats[i][SOURCE].watermark = 40 * S_NS;
        s->stats[i][QUICK].watermark = 40 * S_NS;
    }
    msg = make(s, S_NS); /* from now on it has work */
    forget(&msg);
    msg = make(s, 28 * S_NS);
    GP_CHECK_EQ(msg.stalled_count, 0);
    forget(&msg);
    msg = make(s, 3 * S_NS);
    GP_REQUIRE_EQ(msg.stalled_count, 1);
    GP_CHECK_EQ(msg.stalled[0].processor, SLOW);
    GP_CHECK_EQ(msg.stalled[0].since_ms, 1000); /* when it was last seen to have none */
    GP_CHECK_EQ(msg.clock_ms, 5000);
    forget(&msg);
    s->stats[0][SLOW].watermark = 6 * S_NS; /* the other task holds it back still */
    msg = make(s, S_NS);
    GP_CHECK_EQ(msg.stalled_count, 1);
    forget(&msg);
    s->stats[1][SLOW].watermark = 6 * S_NS;
    msg = make(s, S_NS);
    GP_CHECK_EQ(msg.stalled_count, 0);
    forget(&msg);
    scene_free(s);
}

GP_TEST(app_metrics, finds_the_critical_path_by_what_probes_took)
{
    struct scene *s = scene_new();
    struct msg_app_metrics msg;
    struct hist *sums = malloc(sizeof *sums);

    GP_REQUIRE(sums != NULL);
    set_latency(s, 0, QUICK, 1000);
    set_latency(s, 0, SLOW, 500);
    set_latency(s, 1, SLOW, 900000); /* one of its executors is */
    set_latency(s, 0, SINK, 2000);
    set_latency(s, 1, SINK, 950000);
    msg = make(s, 0);
    GP_REQUIRE_EQ(msg.critical_path_count, 3);
    GP_CHECK_EQ(msg.critical_path[0].processor, SOURCE);
    GP_CHECK_EQ(msg.critical_path[1].processor, SLOW);
    GP_CHECK_EQ(msg.critical_path[2].processor, SINK);
    hist_init(sums);
    GP_CHECK(hist_merge_text(sums, msg.latency) >= 0);
    GP_CHECK_EQ(hist_count(sums), 200); /* to the sinks, of both executors */
    forget(&msg);
    free(sums);
    scene_free(s);
}

/* Metrics are not enabled: where rows wait, times what one takes. */
GP_TEST(app_metrics, guesses_the_critical_path_without_probes)
{
    struct scene *s = scene_new();
    struct msg_app_metrics msg;

    for (uint32_t i = 0; i < EXECUTORS; i++) {
        s->stats[i][QUICK].busy_ns = 20000; /* twice as long for each */
        s->stats[i][SLOW].busy_ns = 10000;
    }
    msg = make(s, 0);
    GP_REQUIRE_EQ(msg.critical_path_count, 3);
    GP_CHECK_EQ(msg.critical_path[1].processor, QUICK);
    forget(&msg);
    s->stats[0][SLOW].queue = 50;
    msg = make(s, S_NS);
    GP_CHECK_EQ(msg.critical_path[1].processor, SLOW);
    forget(&msg);
    scene_free(s);
}

/* A connection that takes messages without histograms of processors, for a while. */
struct narrow {
    bool is_wide;
    uint32_t tries;
    uint32_t told;
    uint32_t whole; /* with these histograms */
    uint32_t of_app;
};

static int send_narrow(void *user, const struct msg_app_metrics *msg)
{
    struct narrow *n = user;
    const bool is_whole = msg->processors[SINK].latency != NULL;

    n->tries++;
    if (is_whole && !n->is_wide) {
        return GP_ETOOBIG;
    }
    GP_CHECK_EQ(msg->is_cut, !is_whole);
    n->told++;
    n->whole += is_whole;
    n->of_app += msg->latency != NULL && msg->latency[0] != '\0';
    return 0;
}

GP_TEST(app_metrics, tells_all_again_once_it_fits)
{
    struct scene *s = scene_new();
    struct narrow narrow = {0};

    set_latency(s, 0, SINK, 2000);
    for (int i = 0; i < 30; i++) {
        GP_CHECK_EQ(metrics_send(&s->am, send_narrow, &narrow), 0);
    }
    GP_CHECK_EQ(narrow.told, 30);
    GP_CHECK_EQ(narrow.of_app, 30); /* the latency of the whole is told in any case */
    GP_CHECK(narrow.tries <= 34);   /* it does not try each time */
    narrow.is_wide = true;
    for (int i = 0; i < 30; i++) {
        GP_CHECK_EQ(metrics_send(&s->am, send_narrow, &narrow), 0);
    }
    GP_CHECK_EQ(narrow.told, 60);
    GP_CHECK(narrow.whole >= 20);
    scene_free(s);
}
