/* history.c: see history.h. */
#include "control/master/history.h"

#include <math.h>
#include <stdlib.h>

#include "base/str.h"
#include "control/master/past.h"

#define PROCESSOR_BYTES 4096u /* of the latest message, about */
#define GAP_MAX_S       3600.0
#define NS_PER_S        1e9
#define LIMIT_NS        INT64_C(60000000000)

int history_new(size_t memory_max, const struct log *log, struct history **ret)
{
    struct history *h = calloc(1, sizeof *h);

    if (!h) {
        return GP_ENOMEM;
    }
    h->bytes_max = memory_max;
    h->log = log;
    h->limit = (struct log_limit){.interval_ns = LIMIT_NS};
    list_init(&h->apps);
    *ret = h;
    return 0;
}

static void past_free(struct history *h, struct past *p)
{
    for (uint32_t i = 0; i < p->processor_count; i++) {
        track_deinit(&p->processors[i].track);
    }
    for (uint32_t i = 0; i < p->executor_count; i++) {
        track_deinit(&p->executors[i].track);
    }
    track_deinit(&p->track);
    free(p->processors);
    free(p->executors);
    fields_deinit(&msg_app_metrics_fields, &p->latest);
    h->bytes -= p->bytes;
    list_remove(&p->node);
    free(p);
}

void history_clear(struct history *h)
{
    while (list_first(&h->apps)) {
        past_free(h, LIST_ENTRY(list_first(&h->apps), struct past, node));
    }
}

void history_free(struct history *h)
{
    if (h) {
        history_clear(h);
        free(h);
    }
}

size_t history_bytes(const struct history *h)
{
    return h->bytes;
}

struct past *history_find(const struct history *h, uint32_t app)
{
    LIST_FOREACH (at, &h->apps) {
        struct past *p = LIST_ENTRY(at, struct past, node);
        if (p->app == app) {
            return p;
        }
    }
    return NULL;
}

/* ---- room ---- */

static struct past *oldest_ended(const struct history *h)
{
    LIST_FOREACH (at, &h->apps) {
        if (LIST_ENTRY(at, struct past, node)->has_ended) {
            return LIST_ENTRY(at, struct past, node);
        }
    }
    return NULL;
}

/* Those that have ended make room. */
static bool take_room(struct history *h, struct past *for_whom, size_t bytes, int64_t now_ns)
{
    struct past *oldest;
    uint64_t held_back;

    while (h->bytes + bytes > h->bytes_max && (oldest = oldest_ended(h)) != NULL) {
        past_free(h, oldest);
    }
    if (h->bytes + bytes > h->bytes_max) {
        if (h->bytes_max > 0 && log_limit_pass(&h->limit, now_ns, &held_back)) {
            LOG_WARN(h->log, "history.full", KV_U64("app", for_whom->app),
                     KV_U64("bytes", h->bytes), KV_U64("bytes_max", h->bytes_max),
                     KV_STR("hint", "metrics.history_memory"));
        }
        return false;
    }
    h->bytes += bytes;
    for_whom->bytes += bytes;
    return true;
}

void history_ended(struct history *h, uint32_t app)
{
    struct past *p = history_find(h, app);

    if (p && !p->has_ended) {
        p->has_ended = true;
        list_remove(&p->node);
        list_push_back(&h->apps, &p->node);
    }
    while (h->bytes > h->bytes_max && (p = oldest_ended(h)) != NULL) {
        past_free(h, p);
    }
}

/* A track that has no room stays empty, and is tried again with the next message. */
static void need_track(struct history *h, struct past *p, struct track *t,
                       const struct track_metric *metrics, uint32_t count, int64_t now_ns)
{
    if (t->seconds || !take_room(h, p, track_bytes(count), now_ns)) {
        return;
    }
    if (track_init(t, metrics, count) < 0) {
        h->bytes -= track_bytes(count);
        p->bytes -= track_bytes(count);
    }
}

static void give_back_track(struct history *h, struct past *p, struct track *t)
{
    if (t->seconds) {
        h->bytes -= track_bytes(t->count);
        p->bytes -= track_bytes(t->count);
        track_deinit(t);
    }
}

/* ---- one message ---- */

static const struct msg_processor_stats *processor_of(const struct msg_app_metrics *msg,
                                                      uint32_t processor)
{
    for (uint32_t i = 0; msg && i < msg->processors_count; i++) {
        if (msg->processors[i].processor == processor) {
            return &msg->processors[i];
        }
    }
    return NULL;
}

static const struct msg_task_metrics *task_of(const struct msg_processor_stats *p, uint32_t task)
{
    for (uint32_t i = 0; p && i < p->slowest_count; i++) {
        if (p->slowest[i].task == task) {
            return &p->slowest[i];
        }
    }
    return NULL;
}

static void add_processors(struct history *h, struct past *p, const struct msg_app_metrics *msg,
                           const struct msg_app_metrics *before, double seconds, int64_t now_ns)
{
    for (uint32_t i = 0; i < msg->processors_count && i < p->processor_count; i++) {
        const struct msg_processor_stats *now = &msg->processors[i];
        const struct msg_processor_stats *then = processor_of(before, now->processor);
        struct processor_past *to = &p->processors[i];

        recent_processor(now, then, seconds, msg->time_ms, &h->scratch, to->now);
        for (uint32_t t = 0; t < now->slowest_count; t++) {
            recent_task(&now->slowest[t], task_of(then, now->slowest[t].task), seconds,
                        to->slowest[t]);
        }
        need_track(h, p, &to->track, recent_processor_metrics, RECENT_PROCESSOR_KEPT, now_ns);
        if (to->track.seconds) {
            track_add(&to->track, p->second, to->now);
        }
    }
}

static struct executor_past *executor_past(struct past *p, uint32_t id)
{
    struct executor_past *grown;

    for (uint32_t i = 0; i < p->executor_count; i++) {
        if (p->executors[i].id == id) {
            return &p->executors[i];
        }
    }
    grown = realloc(p->executors, (p->executor_count + 1) * sizeof *grown);
    if (!grown) {
        return NULL;
    }
    p->executors = grown;
    grown[p->executor_count] = (struct executor_past){.id = id};
    return &grown[p->executor_count++];
}

static const struct msg_vitals *vitals_of(const struct msg_app_metrics *msg, uint32_t id)
{
    for (uint32_t i = 0; msg && i < msg->executors_count; i++) {
        if (msg->executors[i].id == id) {
            return &msg->executors[i].vitals;
        }
    }
    return NULL;
}

/* Those that are gone are forgotten: ids are never used twice, and there may be many in a day.
 * Where none is told (the message is cut, or the application has ended) all stay. */
static void add_executors(struct history *h, struct past *p, const struct msg_app_metrics *msg,
                          const struct msg_app_metrics *before, double seconds, int64_t now_ns)
{
    if (msg->executors_count == 0) {
        return;
    }
    for (uint32_t i = 0; i < p->executor_count; i++) {
        p->executors[i].is_told = false;
    }
    for (uint32_t i = 0; i < msg->executors_count; i++) {
        struct executor_past *to = executor_past(p, msg->executors[i].id);

        if (!to) {
            return;
        }
        to->is_told = true;
        recent_executor(&msg->executors[i].vitals, vitals_of(before, to->id), seconds, to->now);
        need_track(h, p, &to->track, recent_executor_metrics, RECENT_EXECUTOR_KEPT, now_ns);
        if (to->track.seconds) {
            track_add(&to->track, p->second, to->now);
        }
    }
    for (uint32_t i = p->executor_count; i > 0; i--) {
        if (!p->executors[i - 1].is_told) {
            give_back_track(h, p, &p->executors[i - 1].track);
            p->executors[i - 1] = p->executors[--p->executor_count];
        }
    }
}

static void add_app(struct history *h, struct past *p, const struct msg_app_metrics *msg,
                    const struct msg_app_metrics *before, double seconds, int64_t now_ns)
{
    recent_app(msg, before, seconds, &h->scratch, p->now);
    need_track(h, p, &p->track, recent_app_metrics, RECENT_APP_KEPT, now_ns);
    if (p->track.seconds) {
        track_add(&p->track, p->second, p->now);
    }
}

static struct past *past_new(struct history *h, const struct msg_app_metrics *msg)
{
    struct past *p = calloc(1, sizeof *p);

    if (!p) {
        return NULL;
    }
    p->processors = calloc(msg->processors_count + 1, sizeof *p->processors);
    if (!p->processors) {
        free(p);
        return NULL;
    }
    p->app = msg->app;
    p->processor_count = msg->processors_count;
    p->bytes = sizeof *p + (size_t)p->processor_count * (sizeof *p->processors + PROCESSOR_BYTES);
    h->bytes += p->bytes; /* bounded by the number of live applications */
    list_node_init(&p->node);
    list_push_back(&h->apps, &p->node);
    return p;
}

/* By the clock of who counted, if that makes sense. */
static double seconds_between(const struct past *p, const struct msg_app_metrics *msg,
                              int64_t now_ns)
{
    const double told = ((double)msg->time_ms - (double)p->latest.time_ms) / 1e3;

    return told > 0 && told < GAP_MAX_S ? told : (double)(now_ns - p->told_ns) / NS_PER_S;
}

/* Told out of turn, as an application ends: what was counted a little while ago makes no rate, and
 * those of before stand. */
static bool is_hasty(const struct past *p, const struct msg_app_metrics *msg, double seconds)
{
    return p->told_ns != 0 && seconds * 1e3 < (double)msg->interval_ms / 2;
}

void history_add_take(struct history *h, struct msg_app_metrics *msg, int64_t wall_ms,
                      int64_t now_ns)
{
    struct past *p = history_find(h, msg->app);
    const struct msg_app_metrics *before;
    double seconds = 0;

    if (p && p->has_ended) {
        return; /* it may have to make room, for itself too */
    }
    if (p && p->processor_count != msg->processors_count) {
        past_free(h, p); /* it is not what it was */
        p = NULL;
    }
    p = p ? p : past_new(h, msg);
    if (!p || msg->processors_count == 0) {
        return;
    }
    if (p->told_ns != 0) {
        seconds = seconds_between(p, msg, now_ns);
    }
    before = seconds > 0 ? &p->latest : NULL;
    h->scratch.was_cut = before && before->is_cut;
    p->second = wall_ms / 1000;
    if (p->second > 0 && !is_hasty(p, msg, seconds)) {
        add_app(h, p, msg, before, seconds, now_ns);
        add_processors(h, p, msg, before, seconds, now_ns);
        add_executors(h, p, msg, before, seconds, now_ns);
    }
    fields_deinit(&msg_app_metrics_fields, &p->latest);
    p->latest = *msg;
    p->told_ns = now_ns;
    *msg = (struct msg_app_metrics){0};
}

const struct msg_app_metrics *history_latest(const struct history *h, uint32_t app)
{
    const struct past *p = history_find(h, app);

    return p && p->told_ns != 0 ? &p->latest : NULL;
}
