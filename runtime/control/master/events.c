/*
 * events.c: what happened in the cluster lately, and who waits for more.
 *
 * A ring of the latest EVENTS_KEPT, in the leader alone and in no log: a new leader begins a new
 * one, with number 1 and the term that says so. Clients ask for what came after a number, and wait
 * at the end (a long poll). Without memory an event is lost, and only that.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"

#define NS_PER_MS   INT64_C(1000000)
#define WAIT_MS_MAX 60000u

static uint64_t oldest(const struct cluster_events *e)
{
    return e->last < EVENTS_KEPT ? 1 : e->last - EVENTS_KEPT + 1;
}

static void answer(struct master *m, const struct event_waiter *waiter)
{
    const struct cluster_events *e = &m->events;
    struct msg_cluster_event list[MSG_PAGE_MAX];
    struct msg_cluster_events page = {
        .first = oldest(e), .events = list, .next = waiter->after, .term = m->term};
    uint64_t seq = waiter->after + 1 > page.first ? waiter->after + 1 : page.first;

    for (; seq <= e->last && page.events_count < waiter->limit; seq++) {
        list[page.events_count] = e->ring[seq % EVENTS_KEPT];
        page.next = seq;
        page.events_count += list[page.events_count].text != NULL; /* else it was lost */
    }
    (void)endpoint_reply(m->ep, waiter->token, &page); /* a client that has gone needs no answer */
}

static void set_timer(struct master *m)
{
    struct cluster_events *e = &m->events;
    int64_t now_ns = loop_now_ns(m->port->loop);
    int64_t first = INT64_MAX;

    for (uint32_t i = 0; i < e->waiter_count; i++) {
        first = e->waiters[i].deadline_ns < first ? e->waiters[i].deadline_ns : first;
    }
    if (first == INT64_MAX) {
        timer_stop(e->timer);
    } else {
        timer_start(e->timer, first > now_ns ? first - now_ns : 0);
    }
}

void on_events_timer(void *user)
{
    struct master *m = user;
    struct cluster_events *e = &m->events;
    int64_t now_ns = loop_now_ns(m->port->loop);

    for (uint32_t i = e->waiter_count; i > 0; i--) {
        if (e->waiters[i - 1].deadline_ns <= now_ns) {
            answer(m, &e->waiters[i - 1]);
            e->waiters[i - 1] = e->waiters[--e->waiter_count];
        }
    }
    set_timer(m);
}

void events_add(struct master *m, uint32_t level, const char *kind, uint32_t app, uint32_t worker,
                const char *fmt, ...)
{
    struct cluster_events *e = &m->events;
    struct msg_cluster_event *event;
    char text[EVENT_TEXT_MAX];
    va_list args;

    if (!m->leads) {
        return;
    }
    va_start(args, fmt);
    (void)str_vformat(text, sizeof text, fmt, args);
    va_end(args);
    event = &e->ring[++e->last % EVENTS_KEPT];
    free(event->text);
    *event = (struct msg_cluster_event){.seq = e->last,
                                        .time_ms = master_wall_ms(m),
                                        .kind = (char *)(uintptr_t)kind,
                                        .app = app,
                                        .worker = worker,
                                        .level = level,
                                        .text = str_dup(gp_str_of(text))};
    while (e->waiter_count > 0) {
        answer(m, &e->waiters[--e->waiter_count]);
    }
    set_timer(m);
}

void events_app(struct master *m, const struct app *app, uint32_t before)
{
    const char *name = app->spec.name;

    if (app->state == before) {
        return;
    }
    switch (app->state) {
    case APP_RUNNING:
        events_add(m, EVENT_INFO, before == APP_RECOVERING ? "app.recovered" : "app.started",
                   app->id, 0, before == APP_RECOVERING ? "%s runs again" : "%s runs", name);
        break;
    case APP_RECOVERING:
        events_add(m, EVENT_WARN, "app.recovering", app->id, 0, "%s lost a part and restarts it",
                   name);
        break;
    case APP_FINISHED:
        events_add(m, EVENT_INFO, "app.finished", app->id, 0, "%s has finished", name);
        break;
    case APP_FAILED:
        events_add(m, EVENT_ERROR, "app.failed", app->id, 0, "%s has failed: %s", name, app->error);
        break;
    case APP_KILLED:
        events_add(m, EVENT_INFO, "app.killed", app->id, 0, "%s was killed", name);
        break;
    default:
        break;
    }
}

int events_read(struct master *m, const struct msg_cluster_events_read *msg,
                struct reply_token token, struct gp_error *err)
{
    struct cluster_events *e = &m->events;
    uint32_t wait_ms = msg->timeout_ms < WAIT_MS_MAX ? msg->timeout_ms : WAIT_MS_MAX;
    struct event_waiter waiter = {
        .token = token,
        .after = msg->after <= e->last ? msg->after : 0, /* a number of another leader */
        .limit = msg->limit > 0 && msg->limit < MSG_PAGE_MAX ? msg->limit : MSG_PAGE_MAX,
        .deadline_ns = loop_now_ns(m->port->loop) + (int64_t)wait_ms * NS_PER_MS};

    if (waiter.after < e->last || wait_ms == 0) {
        answer(m, &waiter);
        return 0;
    }
    if (e->waiter_count == EVENT_WAITERS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u clients wait for events already", EVENT_WAITERS_MAX);
    }
    e->waiters[e->waiter_count++] = waiter;
    set_timer(m);
    return 0;
}

void events_begin(struct master *m)
{
    events_forget(m);
    events_add(m, EVENT_INFO, "leader.changed", 0, 0, "master %s leads", m->address);
}

void events_dismiss(struct master *m, const struct gp_error *why)
{
    struct cluster_events *e = &m->events;

    while (e->waiter_count > 0) {
        (void)endpoint_reply_error(m->ep, e->waiters[--e->waiter_count].token, why);
    }
    set_timer(m);
}

void events_forget(struct master *m)
{
    struct cluster_events *e = &m->events;

    for (uint32_t i = 0; i < EVENTS_KEPT; i++) {
        free(e->ring[i].text);
        e->ring[i] = (struct msg_cluster_event){0};
    }
    e->last = 0;
}
