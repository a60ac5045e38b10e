/*
 * logs.c: what children wrote, for those who ask (log.read).
 *
 * Answered at once when there is text behind the offset, or no wait was asked for; else when some
 * comes or the wait is over. The text has as many bytes as the log, so that offset + length is the
 * next offset: what is not UTF-8, and zeros, are shown as '?'.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/worker/internal.h"

#define NS_PER_MS 1000000

/* Makes it showable in place. Returns the length without a character that the end has cut. */
static size_t clean(char *text, size_t len)
{
    size_t at = 0;

    while (at < len) {
        size_t n = str_utf8_len((gp_str){text + at, len - at});
        if (n == 0 && len - at < 4 && ((unsigned char)text[at] & 0xc0u) == 0xc0u && at > 0) {
            return at; /* the rest of it may come with the next read */
        }
        if (n == 0 || text[at] == '\0') {
            text[at] = '?';
            n = 1;
        }
        at += n;
    }
    return len;
}

static void answer(struct worker *w, const struct log_waiter *waiter, struct child *child)
{
    struct msg_log_text text = {.offset = waiter->offset};
    struct gp_error err = {0};
    struct buf bytes = {0};
    uint64_t skipped = 0;
    uint64_t at = waiter->offset;
    size_t len = 0;
    int rc = joblog_read(&child->log, &at, waiter->max, &bytes, &skipped);

    if (rc >= 0) {
        text.offset = at - buf_len(&bytes);
        text.end = child->log.end;
        text.truncated = skipped > 0;
        text.text = buf_steal(&bytes, &len);
        rc = text.text ? 0 : GP_ENOMEM;
    }
    if (rc >= 0) {
        text.text[clean(text.text, len)] = '\0';
        (void)endpoint_reply(w->ep, waiter->token, &text); /* who has gone needs none */
    } else {
        (void)gp_error_set(&err, rc, "reading a log: %s", error_sentence(rc));
        (void)endpoint_reply_error(w->ep, waiter->token, &err);
    }
    free(text.text);
    buf_deinit(&bytes);
    if (!child->proc) {
        joblog_rest(&child->log);
    }
}

static void set_timer(struct worker *w)
{
    int64_t now_ns = loop_now_ns(w->port->loop);
    int64_t first = INT64_MAX;

    for (uint32_t i = 0; i < w->log_waiter_count; i++) {
        int64_t deadline_ns = w->log_waiters[i].deadline_ns;
        first = deadline_ns < first ? deadline_ns : first;
    }
    if (first == INT64_MAX) {
        timer_stop(w->log_timer);
    } else {
        timer_start(w->log_timer, first > now_ns ? first - now_ns : 0);
    }
}

static int not_here(const struct worker *w, uint32_t app, uint32_t executor, struct gp_error *err)
{
    char who[32] = "the appmaster";

    if (executor != 0) {
        (void)str_format(who, sizeof who, "executor %u", executor);
    }
    (void)gp_error_set(err, GP_ENOENT, "worker %s has no log of %s of application %u", w->name, who,
                       app);
    gp_error_hint(err, "gpctl describe %u", app);
    return GP_ENOENT;
}

int logs_read(struct worker *w, const struct msg_log_read *read, struct reply_token token,
              struct gp_error *err)
{
    struct child *child = child_find(w, read->app, read->executor);
    struct log_waiter waiter = {.token = token,
                                .app = read->app,
                                .executor = read->executor,
                                .offset = read->offset,
                                .max = MSG_LOG_TEXT_MAX};

    if (!child || !child->has_log) {
        return not_here(w, read->app, read->executor, err);
    }
    if (read->max > 0 && read->max < waiter.max) {
        waiter.max = read->max;
    }
    if (read->wait_ms == 0 || read->offset < child->log.end) {
        answer(w, &waiter, child);
        return 0;
    }
    if (w->log_waiter_count == LOG_WAITERS_MAX) {
        return gp_error_set(err, GP_EFULL, "%u readers of logs are waiting already",
                            LOG_WAITERS_MAX);
    }
    waiter.deadline_ns = loop_now_ns(w->port->loop) + (int64_t)read->wait_ms * NS_PER_MS;
    w->log_waiters[w->log_waiter_count++] = waiter;
    set_timer(w);
    return 0;
}

static bool waits_for(const struct log_waiter *waiter, const struct child *child)
{
    return waiter->app == child->app && waiter->executor == child->executor;
}

void logs_notify(struct worker *w, struct child *child)
{
    bool changed = false;

    for (uint32_t i = w->log_waiter_count; i > 0; i--) {
        struct log_waiter waiter = w->log_waiters[i - 1];
        if (waits_for(&waiter, child) && waiter.offset < child->log.end) {
            w->log_waiters[i - 1] = w->log_waiters[--w->log_waiter_count];
            answer(w, &waiter, child);
            changed = true;
        }
    }
    if (changed) {
        set_timer(w);
    }
}

void logs_forget(struct worker *w, const struct child *child)
{
    struct gp_error err;

    for (uint32_t i = w->log_waiter_count; i > 0; i--) {
        struct log_waiter waiter = w->log_waiters[i - 1];
        if (waits_for(&waiter, child)) {
            w->log_waiters[i - 1] = w->log_waiters[--w->log_waiter_count];
            (void)not_here(w, child->app, child->executor, &err);
            (void)endpoint_reply_error(w->ep, waiter.token, &err);
        }
    }
}

void logs_peer_down(struct worker *w, uint64_t peer)
{
    for (uint32_t i = w->log_waiter_count; i > 0; i--) {
        if (w->log_waiters[i - 1].token.peer == peer) {
            w->log_waiters[i - 1] = w->log_waiters[--w->log_waiter_count];
        }
    }
}

void on_log_timer(void *user)
{
    struct worker *w = user;
    int64_t now_ns = loop_now_ns(w->port->loop);

    for (uint32_t i = w->log_waiter_count; i > 0; i--) {
        struct log_waiter waiter = w->log_waiters[i - 1];
        struct child *child;
        if (waiter.deadline_ns > now_ns) {
            continue;
        }
        w->log_waiters[i - 1] = w->log_waiters[--w->log_waiter_count];
        child = child_find(w, waiter.app, waiter.executor);
        if (child && child->has_log) {
            answer(w, &waiter, child);
        }
    }
    set_timer(w);
}
