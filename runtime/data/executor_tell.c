/*
 * executor_tell.c: what an executor tells its appmaster of its own accord: reports, failures, the end.
 *
 * A report is told several times a second when something moved; one that is lost is replaced by the
 * next. A failure is remembered until an update brings its task the next session, and told again to
 * whomever this executor registers with.
 */
#include <stdlib.h>

#include "base/log.h"
#include "data/executor_internal.h"
#include "data/report.h"

#define REPORT_INTERVAL_NS 250000000

static void tell(struct executor *ex, uint16_t type, const void *msg)
{
    if (ex->appmaster) {
        (void)peer_tell(ex->appmaster, type, msg); /* what is lost is told after registering */
    }
}

/* ---- reports ---- */

static bool same_progress(const struct msg_executor_report *a, const struct msg_executor_report *b)
{
    if (a->processors_count != b->processors_count || a->lost != b->lost ||
        a->in_doubt != b->in_doubt || a->failed != b->failed || a->restarted != b->restarted ||
        a->unreachable_count != b->unreachable_count) {
        return false;
    }
    for (uint32_t i = 0; i < a->processors_count; i++) {
        const struct msg_processor_stats *x = &a->processors[i];
        const struct msg_processor_stats *y = &b->processors[i];
        if (x->in != y->in || x->out != y->out || x->tasks_running != y->tasks_running ||
            x->watermark != y->watermark || x->rejected != y->rejected) {
            return false;
        }
    }
    return true;
}

static void report(struct executor *ex, bool always)
{
    struct msg_executor_report now;

    if (!ex->job || report_make(ex->engine, job_plan(ex->job), &now) < 0) {
        return; /* without memory this one is left out */
    }
    if (always || !same_progress(&now, &ex->last)) {
        tell(ex, MSG_EXECUTOR_REPORT, &now);
    }
    fields_deinit(&msg_executor_report_fields, &ex->last);
    ex->last = now;
}

void ex_report(struct executor *ex)
{
    report(ex, true);
}

static void on_report_timer(void *user)
{
    struct executor *ex = user;

    report(ex, false);
    timer_start(ex->report_timer, REPORT_INTERVAL_NS);
}

/* ---- failures and the end ---- */

static void tell_failure(struct executor *ex, const struct lane_failure *failure)
{
    const struct msg_executor_failed msg = {.processor = failure->processor,
                                            .task = failure->task,
                                            .session = failure->session,
                                            .function = (char *)(uintptr_t)failure->function,
                                            .text = (char *)(uintptr_t)failure->text};

    tell(ex, MSG_EXECUTOR_FAILED, &msg);
}

/* A later session of the same task takes the place of the one before. */
static void remember(struct executor *ex, const struct lane_failure *failure)
{
    struct lane_failure **at = &ex->failures;

    while (*at && ((*at)->processor != failure->processor || (*at)->task != failure->task)) {
        at = &(*at)->next;
    }
    if (!*at) {
        *at = calloc(1, sizeof **at);
        if (!*at) {
            return; /* it is told now, at least */
        }
    }
    {
        struct lane_failure *next = (*at)->next;
        **at = *failure;
        (*at)->next = next;
    }
}

void ex_tell_failure(struct executor *ex, const struct lane_failure *failure)
{
    remember(ex, failure);
    report(ex, true);
    tell_failure(ex, failure);
}

void ex_tell_updated(struct executor *ex)
{
    struct lane_failure **at = &ex->failures;

    while (*at) {
        struct lane_failure *f = *at;

        if (engine_session(ex->engine, f->processor, f->task) > f->session) {
            *at = f->next;
            free(f);
        } else {
            at = &f->next;
        }
    }
}

void ex_tell_ended(struct executor *ex)
{
    report(ex, true);
    tell(ex, MSG_EXECUTOR_DONE, NULL);
}

void ex_tell_all(struct executor *ex)
{
    if (ex->state < EX_OPEN || ex->state >= EX_STOPPING) {
        return;
    }
    report(ex, true);
    for (const struct lane_failure *f = ex->failures; f; f = f->next) {
        tell_failure(ex, f);
    }
    if (ex->state == EX_ENDED) {
        tell(ex, MSG_EXECUTOR_DONE, NULL);
    }
}

/* ---- life ---- */

int ex_tell_init(struct executor *ex)
{
    return timer_new(ex->port->loop, on_report_timer, ex, &ex->report_timer);
}

void ex_tell_start(struct executor *ex)
{
    timer_start(ex->report_timer, REPORT_INTERVAL_NS);
}

void ex_tell_stop(struct executor *ex)
{
    timer_stop(ex->report_timer);
}

void ex_tell_deinit(struct executor *ex)
{
    timer_free(ex->report_timer);
    fields_deinit(&msg_executor_report_fields, &ex->last);
    while (ex->failures) {
        struct lane_failure *next = ex->failures->next;

        free(ex->failures);
        ex->failures = next;
    }
}
