/* The whole page, held against our checker and, where it is installed, against Prometheus's own. */
#include <unistd.h>

#include "gp_test.h"
#include "observe/prometheus.h"
#include "valid_exposition.h"

#define APPS       20u
#define PROCESSORS 64u
#define PAGE_MAX   ((size_t)16 << 20)

static struct msg_app_metrics make_app(uint32_t processors)
{
    static char *names[PROCESSORS];
    static struct msg_edge_ends ends[1] = {{0, 1}};
    static struct msg_edge_stats edges[1] = {{.edge = 0, .kind = EDGE_TCP, .messages = 5}};
    static struct msg_executor_vitals executors[1];
    static struct msg_stalled stalled[1] = {{0, 4000}};
    char *hist_text = NULL;
    struct msg_app_metrics app = {
        .app = 1, .name = (char *)(uintptr_t) "word\"count", .time_ms = 5000};
    struct hist *h = calloc(1, sizeof *h);

    hist_record_n(h, 1500000, 10);
    GP_REQUIRE_EQ(hist_to_text(h, &hist_text), 0);
    free(h);
    executors[0] = (struct msg_executor_vitals){
        1, 2, (char *)(uintptr_t) "host", {.pid = 1, .up_ms = 1, .cpu_ns = 1500000000}};
    app.processors = calloc(processors, sizeof *app.processors);
    app.processors_count = processors;
    for (uint32_t i = 0; i < processors; i++) {
        struct msg_processor_stats *p = &app.processors[i];

        names[i] = (char *)(uintptr_t) "split";
        p->processor = i;
        p->in = 12345678901;
        p->busy_ns = 2500000000;
        p->watermark = 4500000000;
        p->latency = hist_text;
        p->slowest = calloc(MSG_SLOWEST_MAX, sizeof *p->slowest);
        p->slowest_count = MSG_SLOWEST_MAX;
        for (uint32_t t = 0; t < MSG_SLOWEST_MAX; t++) {
            p->slowest[t].task = t;
        }
    }
    app.names = names;
    app.names_count = processors;
    app.ends = ends;
    app.ends_count = 1;
    app.edges = edges;
    app.edges_count = 1;
    app.executors = executors;
    app.executors_count = 1;
    app.stalled = stalled;
    app.stalled_count = 1;
    app.latency = hist_text;
    app.clock_ms = 4500;
    return app;
}

/* Its texts and lists belong to nobody else. */
static void free_app(struct msg_app_metrics *app)
{
    for (uint32_t i = 0; i < app->processors_count; i++) {
        free(app->processors[i].slowest);
    }
    free(app->processors);
    free(app->latency); /* all processors have the same */
}

static void make_page(struct buf *out, const struct msg_app_metrics *app, uint32_t apps)
{
    const struct msg_app_metrics *list[APPS];
    const struct msg_vitals vitals = {.pid = 3, .rss_bytes = 4096};
    const struct prometheus_master master = {.leads = true, .term = 7, .elections = 1};
    const struct prometheus_worker worker = {.worker = 2, .host = "h", .slots = 100};
    struct exposition e = {.out = out};

    for (uint32_t i = 0; i < apps; i++) {
        list[i] = app;
    }
    prometheus_put_apps(&e, &(struct prometheus_apps){list, apps, 1000});
    prometheus_put_master(&e, &master);
    prometheus_put_workers(&e, &worker, 1);
    prometheus_put_vitals(&e, "master", &vitals);
    GP_REQUIRE_EQ(e.rc, 0);
}

GP_TEST(prometheus, makes_a_page_that_holds)
{
    struct msg_app_metrics app = make_app(1);
    struct buf out = {0};

    make_page(&out, &app, 1);
    GP_CHECK_STR_EQ(invalid_exposition(buf_c(&out)), NULL);
    GP_CHECK(strstr(buf_c(&out), "gearpump_processor_messages_in_total{app=\"word\\\"count\","
                                 "processor=\"split\"} 12345678901\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "gearpump_processor_busy_seconds_total{app=\"word\\\"count\","
                                 "processor=\"split\"} 2.5\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "watermark_lag_seconds{app=\"word\\\"count\","
                                 "processor=\"split\"} 0.5\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "gearpump_executor_cpu_seconds_total{app=\"word\\\"count\","
                                 "executor=\"1\",worker=\"2\",host=\"host\"} 1.5\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "gearpump_processor_stalled{app=\"word\\\"count\","
                                 "processor=\"split\"} 1\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "gearpump_processor_on_critical_path{app=\"word\\\"count\","
                                 "processor=\"split\"} 0\n") != NULL);
    GP_CHECK(strstr(buf_c(&out), "gearpump_raft_term 7\n") != NULL);
    free_app(&app);
    buf_deinit(&out);
}

/* 1,280 processors, of which each has thousands of tasks: the page does not grow with these. */
GP_TEST(prometheus, names_only_so_many_tasks)
{
    struct msg_app_metrics app = make_app(PROCESSORS);
    struct buf out;
    const char *at;
    int tasks = 0;

    buf_init(&out, PAGE_MAX);
    make_page(&out, &app, APPS);
    GP_CHECK_STR_EQ(invalid_exposition(buf_c(&out)), NULL);
    at = buf_c(&out);
    while ((at = strstr(at, "\ngearpump_task_queue_messages{")) != NULL) {
        tasks++;
        at++;
    }
    GP_CHECK_EQ(tasks, 1000);
    free_app(&app);
    buf_deinit(&out);
}

GP_TEST(prometheus, pleases_promtool)
{
    struct msg_app_metrics app = make_app(2);
    struct buf out = {0};
    FILE *tool;

    if (access("/usr/bin/promtool", X_OK) != 0) {
        GP_SKIP("no promtool here");
    }
    app.names[1] = (char *)(uintptr_t) "count";
    make_page(&out, &app, 1);
    tool = popen("/usr/bin/promtool check metrics >&2", "w");
    GP_REQUIRE(tool != NULL);
    (void)fwrite(buf_c(&out), 1, buf_len(&out), tool);
    GP_CHECK_EQ(pclose(tool), 0);
    free_app(&app);
    buf_deinit(&out);
}
