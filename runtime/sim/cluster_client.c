/* cluster_client.c: the client of a cluster: it asks, and the cluster runs until there is an
 * answer. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "sim/cluster.h"

#define SECOND         INT64_C(1000000000)
#define MS_NS          INT64_C(1000000)
#define ANSWER_LIMIT_S 120

/* ---- answers ---- */

static void note_answer(struct cluster *c, int code, const struct gp_error *err)
{
    c->answers++;
    c->code = code;
    c->err = code < 0 ? *err : (struct gp_error){0};
}

static void note_summary(struct cluster *c, const struct msg_app_summary *summary)
{
    c->summary = *summary;
    (void)str_format(c->name, sizeof c->name, "%s", summary->name);
    (void)str_format(c->error, sizeof c->error, "%s", summary->error);
    c->summary.name = c->name;
    c->summary.error = c->error;
}

/* Keeps a copy of an answer that is borrowed. */
static void note_copy(const struct fields *table, const void *from, void *to)
{
    struct value *tree = NULL;

    fields_deinit(table, to);
    ASSERT(fields_encode(table, from, &tree) == 0);
    ASSERT(fields_decode(table, tree, to, NULL) == 0);
    value_free(tree);
}

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct cluster *c = user;

    note_answer(c, code, err);
    if (code >= 0) {
        c->app = ((const struct msg_app_submitted *)msg)->id;
        c->version = 0;
    }
}

static void on_change(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct cluster *c = user;
    const struct msg_app_change *change = msg;

    note_answer(c, code, err);
    if (code >= 0) {
        note_summary(c, &change->app);
        c->version = change->version;
    }
}

static void on_summary(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct cluster *c = user;

    note_answer(c, code, err);
    if (code >= 0) {
        note_summary(c, msg);
    }
}

static void on_described(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct cluster *c = user;
    const struct msg_app_description *d = msg;

    note_answer(c, code, err);
    if (code >= 0) {
        note_summary(c, &d->app);
        note_copy(&msg_app_description_fields, d, &c->described);
    }
}

static void on_workers(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct cluster *c = user;

    note_answer(c, code, err);
    if (code >= 0) {
        note_copy(&msg_worker_page_fields, msg, &c->workers_page);
    }
}

/* ---- asking ---- */

static bool is_answered(struct cluster *c)
{
    return c->answers >= c->awaited;
}

int cluster_answer(struct cluster *c)
{
    int rc = cluster_until(c, is_answered, ANSWER_LIMIT_S * 1000);

    if (rc < 0 && cluster_is_spent(c)) {
        (void)gp_error_set(&c->err, rc, "the run was cut short after %llu events",
                           (unsigned long long)sim_events(c->sim));
    }
    return rc < 0 ? rc : c->code;
}

static bool is_awake(struct cluster *c)
{
    return c->is_client_awake;
}

/* Before asking: a loop that has slept for long has an old clock, and time limits count from it. */
static void wake(struct cluster *c)
{
    c->is_client_awake = false;
    timer_start(c->client_clock, 0);
    (void)cluster_until(c, is_awake,
                        10000); /* or the run is over: the answer will not come either */
}

/* rc is how asking went: only without memory it fails. */
static void begin(struct cluster *c, int rc)
{
    ASSERT(rc >= 0);
    c->awaited = c->answers + 1;
}

static int ask(struct cluster *c, uint16_t type, const void *msg, client_fn fn)
{
    wake(c);
    begin(c, client_ask(c->client, type, msg, fn, c));
    return cluster_answer(c);
}

/* ---- submit ---- */

/* "key=value" into text, cut in two. Returns the value. */
static char *cut(char *text, size_t size, const char *pair)
{
    char *sign;

    ASSERT(str_format(text, size, "%s", pair) >= 0);
    sign = strchr(text, '=');
    ASSERT(sign);
    *sign = '\0';
    return sign + 1;
}

static void fill_spec(struct cluster_submission *s, const struct cluster_job *job,
                      struct msg_app_submit *ret)
{
    uint32_t n = 0;

    *ret = (struct msg_app_submit){.config = s->config,
                                   .parallelism = s->parallelism,
                                   .executors = job->executors,
                                   .priority = job->priority,
                                   .no_wait = job->no_wait};
    ret->name = (char *)(uintptr_t)job->name;
    for (uint32_t i = 0; job->config && job->config[i]; i++, n++) {
        ASSERT(i < CLUSTER_PAIRS);
        s->config[i].value = cut(s->texts[n], sizeof s->texts[n], job->config[i]);
        s->config[i].key = s->texts[n];
        ret->config_count = i + 1;
    }
    for (uint32_t i = 0; job->parallelism && job->parallelism[i]; i++, n++) {
        ASSERT(i < CLUSTER_PAIRS);
        s->parallelism[i].count =
            (uint32_t)strtoul(cut(s->texts[n], sizeof s->texts[n], job->parallelism[i]), NULL, 10);
        s->parallelism[i].processor = s->texts[n];
        ret->parallelism_count = i + 1;
    }
}

static void put_job(struct cluster *c, const struct cluster_job *job)
{
    struct buf bytes = {0};
    void *padding;

    ASSERT(c->hooks->read_file(job->plugin, &bytes, NULL) == 0);
    ASSERT(buf_reserve(&bytes, job->padding_bytes, &padding) == 0);
    memset(padding, 0, job->padding_bytes);
    buf_commit(&bytes, job->padding_bytes);
    ASSERT(sim_disk_put(c->client_host, "/app.so", buf_bytes(&bytes)) == 0);
    buf_deinit(&bytes);
}

void cluster_submit_begin(struct cluster *c, const struct cluster_job *job)
{
    struct client_submit submit = {.path = "/app.so", .fn = on_submitted, .user = c};
    struct gp_error err = {0};

    put_job(c, job);
    if (job->spec) {
        submit.spec = *job->spec;
    } else {
        fill_spec(&c->submission, job, &submit.spec);
    }
    wake(c);
    begin(c, client_submit(c->client, &submit, &err));
}

int cluster_submit(struct cluster *c, const struct cluster_job *job)
{
    cluster_submit_begin(c, job);
    return cluster_answer(c);
}

/* ---- the application ---- */

static void app_text(const struct cluster *c, char text[16])
{
    (void)str_format(text, 16, "%u", c->app);
}

int cluster_wait_change(struct cluster *c, int64_t timeout_ms)
{
    char app[16];
    const struct msg_app_wait wait = {
        .app = app, .seen_version = c->version, .timeout_ms = (uint32_t)timeout_ms};

    app_text(c, app);
    wake(c);
    begin(c, client_ask_for(c->client, MSG_APP_WAIT, &wait, timeout_ms * MS_NS + 5 * SECOND,
                            on_change, c));
    return cluster_answer(c);
}

/* Waits for changes until the state is at least this one. */
static int wait_state(struct cluster *c, uint32_t least, int64_t limit_ms)
{
    int64_t end_ns = sim_now_ns(c->sim) + limit_ms * MS_NS;

    while (sim_now_ns(c->sim) < end_ns && !cluster_is_spent(c)) {
        int rc = cluster_wait_change(c, 1000);

        if (rc == GP_ENOTLEADER || rc == GP_EUNREACH) {
            cluster_run_us(c, 100000); /* they may come to agree, or come back */
            continue;
        }
        if (rc < 0) {
            return rc;
        }
        if (c->summary.state >= least) {
            return (int)c->summary.state;
        }
    }
    return GP_ETIMEOUT;
}

int cluster_wait_end(struct cluster *c, int64_t limit_ms)
{
    return wait_state(c, APP_FINISHED, limit_ms);
}

int cluster_wait_running(struct cluster *c)
{
    int rc = wait_state(c, APP_RUNNING, 60000);

    return rc == APP_RUNNING ? 0 : rc;
}

int cluster_kill(struct cluster *c)
{
    char app[16];
    const struct msg_app_ref ref = {.app = app};

    app_text(c, app);
    return ask(c, MSG_APP_KILL, &ref, on_summary);
}

int cluster_describe(struct cluster *c)
{
    char app[16];
    const struct msg_app_ref ref = {.app = app};

    app_text(c, app);
    return ask(c, MSG_APP_DESCRIBE, &ref, on_described);
}

int cluster_list_workers(struct cluster *c)
{
    const struct msg_worker_list list = {0};

    return ask(c, MSG_WORKER_LIST, &list, on_workers);
}

static void on_drained(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct cluster *c = user;
    const struct msg_worker_drained *drained = msg;

    note_answer(c, code, err);
    c->worker_state = code < 0 ? WORKER_SERVING : drained->state;
}

int cluster_drain(struct cluster *c, const struct msg_worker_drain *msg)
{
    return ask(c, MSG_WORKER_DRAIN, msg, on_drained);
}

static void on_rebalanced(void *user, int code, const void *msg, const struct gp_error *err)
{
    (void)msg;
    note_answer(user, code, err);
}

int cluster_rebalance(struct cluster *c, bool force)
{
    char app[16];
    const struct msg_app_rebalance msg = {.app = app, .spread = true, .force = force};

    app_text(c, app);
    return ask(c, MSG_APP_REBALANCE, &msg, on_rebalanced);
}

const struct msg_processor_stats *cluster_stats(const struct cluster *c, uint32_t processor)
{
    for (uint32_t i = 0; i < c->described.live.processors_count; i++) {
        if (c->described.live.processors[i].processor == processor) {
            return &c->described.live.processors[i];
        }
    }
    return NULL;
}

int64_t cluster_counter(const struct cluster *c, uint32_t processor, const char *name)
{
    const struct msg_processor_stats *p = cluster_stats(c, processor);

    for (uint32_t i = 0; p && i < p->counters_count; i++) {
        if (strcmp(p->counters[i].name, name) == 0) {
            return p->counters[i].value;
        }
    }
    return -1;
}
