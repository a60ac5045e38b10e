/* history_read.c: answers metrics.read; see history.h. */
#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "control/master/past.h"

struct reading {
    struct msg_metrics_history *reply;
    size_t bytes;
    bool is_full;
    int rc;
};

/* Takes text. */
static void push(struct reading *r, const char *processor, uint32_t executor, const char *metric,
                 struct buf *text)
{
    struct msg_series *to = &r->reply->series[r->reply->series_count];

    r->bytes += buf_len(text) + 96;
    if (r->is_full || r->bytes > HISTORY_REPLY_MAX || r->reply->series_count == MSG_SERIES_MAX) {
        r->is_full = true;
        buf_deinit(text);
        return;
    }
    *to = (struct msg_series){.processor = str_dup(gp_str_of(processor)),
                              .executor = executor,
                              .metric = str_dup(gp_str_of(metric)),
                              .values = buf_steal(text, NULL)};
    r->reply->series_count++;
    if (!to->processor || !to->metric || !to->values) {
        r->rc = GP_ENOMEM;
    }
    buf_deinit(text);
}

static const char *name_of(const struct past *p, uint32_t processor)
{
    return processor < p->latest.names_count ? p->latest.names[processor] : "";
}

/* ---- how it is now ---- */

/* "rate_in=12,busy=0.5": those that are known, and of what has ended none is. */
static void push_now(struct reading *r, const char *processor, uint32_t executor, const char *what,
                     const struct track_metric *metrics, uint32_t count, const float *values)
{
    struct buf text = {0};

    r->rc = r->rc < 0 ? r->rc : buf_append_c(&text, "");
    for (uint32_t i = 0; i < count && r->rc >= 0; i++) {
        if (!isnan(values[i])) {
            r->rc = buf_append_fmt(&text, "%s%s=%.6g", buf_len(&text) > 0 ? "," : "",
                                   metrics[i].name, (double)values[i]);
        }
    }
    if (r->rc >= 0) {
        push(r, processor, executor, what, &text);
    }
    buf_deinit(&text);
}

static void push_tasks(struct reading *r, const struct past *p, uint32_t processor)
{
    const struct msg_processor_stats *stats = &p->latest.processors[processor];

    for (uint32_t t = 0; t < stats->slowest_count; t++) {
        char what[MSG_KIND_MAX + 1];

        (void)str_format(what, sizeof what, METRICS_NOW ".%u", stats->slowest[t].task);
        push_now(r, name_of(p, processor), 0, what, recent_task_metrics, RECENT_TASK_COUNT,
                 p->processors[processor].slowest[t]);
    }
}

static void push_all_now(struct reading *r, const struct past *p)
{
    push_now(r, "", 0, METRICS_NOW, recent_app_metrics, RECENT_APP_COUNT, p->now);
    for (uint32_t i = 0; i < p->processor_count; i++) {
        push_now(r, name_of(p, i), 0, METRICS_NOW, recent_processor_metrics, RECENT_PROCESSOR_COUNT,
                 p->processors[i].now);
    }
    for (uint32_t i = 0; i < p->executor_count; i++) {
        push_now(r, "", p->executors[i].id, METRICS_NOW_EXECUTOR, recent_executor_metrics,
                 RECENT_EXECUTOR_COUNT, p->executors[i].now);
    }
    for (uint32_t i = 0; i < p->processor_count; i++) {
        push_tasks(r, p, i);
    }
}

/* Histograms stay here: what they say of lately is among the figures. Of what has ended nothing is,
 * but how late its messages were in all. */
static void read_now(struct reading *r, const struct past *p)
{
    struct msg_app_metrics *latest = &r->reply->latest;

    *latest = p->latest;
    latest->latency = p->has_ended ? p->latest.latency : NULL;
    latest->processors = calloc(p->processor_count + 1, sizeof *latest->processors);
    if (!latest->processors) {
        *latest = (struct msg_app_metrics){0};
        r->rc = GP_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < p->processor_count; i++) {
        latest->processors[i] = p->latest.processors[i];
        latest->processors[i].latency = NULL;
        latest->processors[i].processing = NULL;
    }
    if (!p->has_ended) {
        push_all_now(r, p);
    }
}

/* ---- the past ---- */

static void push_track(struct reading *r, const char *processor, uint32_t executor,
                       const struct track *t, bool by_minutes, int64_t end)
{
    for (uint32_t i = 0; t->seconds && i < t->count && r->rc >= 0 && !r->is_full; i++) {
        struct buf text = {0};

        r->rc = track_print(t, i, by_minutes, end, &text);
        push(r, processor, executor, t->metrics[i].name, &text);
    }
}

static void read_past(struct reading *r, const struct past *p, const char *processor,
                      bool by_minutes)
{
    if (processor[0] == '\0') {
        push_track(r, "", 0, &p->track, by_minutes, p->second);
    }
    for (uint32_t i = 0; i < p->processor_count; i++) {
        if (processor[0] == '\0' || strcmp(processor, name_of(p, i)) == 0) {
            push_track(r, name_of(p, i), 0, &p->processors[i].track, by_minutes, p->second);
        }
    }
    for (uint32_t i = 0; i < p->executor_count && processor[0] == '\0'; i++) {
        push_track(r, "", p->executors[i].id, &p->executors[i].track, by_minutes, p->second);
    }
}

int history_read(const struct history *h, uint32_t app, const struct msg_metrics_read *read,
                 struct msg_metrics_history *ret)
{
    const struct past *p = history_find(h, app);
    struct reading r = {.reply = ret};

    if (!p || p->told_ns == 0) {
        return GP_ENOENT;
    }
    *ret = (struct msg_metrics_history){.step_ms = read->window == METRICS_DAY ? 60000 : 1000,
                                        .end_ms = p->second * 1000};
    if (read->window == METRICS_DAY) {
        ret->end_ms = p->second / 60 * 60000;
    }
    ret->series = calloc(MSG_SERIES_MAX + 1, sizeof *ret->series);
    if (!ret->series) {
        return GP_ENOMEM;
    }
    if (read->window == METRICS_LATEST) {
        read_now(&r, p);
    } else {
        read_past(&r, p, read->processor, read->window == METRICS_DAY);
    }
    if (r.rc < 0) {
        history_read_deinit(ret);
    }
    return r.rc;
}

void history_read_deinit(struct msg_metrics_history *reply)
{
    free(reply->latest.processors); /* the rest of it is the history's */
    reply->latest = (struct msg_app_metrics){0};
    fields_deinit(&msg_metrics_history_fields, reply);
}

/* What is of tasks stands last. */
void history_read_cut(struct msg_metrics_history *reply)
{
    while (reply->series_count > 0 &&
           strchr(reply->series[reply->series_count - 1].metric, '.') != NULL) {
        fields_deinit(&msg_series_fields, &reply->series[--reply->series_count]);
    }
    for (uint32_t i = 0; i < reply->latest.processors_count; i++) {
        reply->latest.processors[i].slowest = NULL; /* the history's */
        reply->latest.processors[i].slowest_count = 0;
    }
    reply->latest.is_cut = true;
}
