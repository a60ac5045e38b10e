/*
 * stuck.c: calls into user code that do not return, as executors report them (data/stuck.h).
 *
 * Each is an event when it is first heard of, and another when it has returned; while it lasts it
 * is the last error of the application. What a call waits for only people know, so nothing else is
 * done about it unless they said so (task.stuck_action): then the executor is killed, and its tasks
 * begin elsewhere, as after a crash. A report says all calls of its executor, so one is told from
 * the other by the report before. An appmaster of a later epoch has none, and says again what it
 * hears.
 */
#include "base/str.h"
#include "control/appmaster/internal.h"

static bool is_known(const struct am_executor *e, const struct msg_stuck_call *call)
{
    for (uint32_t i = 0; i < e->report.stuck_count; i++) {
        const struct msg_stuck_call *c = &e->report.stuck[i];

        if (c->processor == call->processor && c->task == call->task &&
            c->is_over == call->is_over && strcmp(c->function, call->function) == 0) {
            return true;
        }
    }
    return false;
}

/* False when there is no such task. */
static bool words(const struct am_executor *e, const struct msg_stuck_call *call, char *text,
                  size_t cap)
{
    const struct plan *plan = e->am->plan;
    unsigned long long for_s = call->for_ms / 1000;

    if (!plan || call->processor >= plan->processor_count ||
        call->task >= plan->processors[call->processor].parallelism) {
        return false;
    }
    if (call->is_over) {
        (void)str_format(text, cap,
                         "processor '%s', task %u on executor %u, returned from its "
                         "%s() after %llu s",
                         plan->processors[call->processor].name, call->task, e->id, call->function,
                         for_s);
    } else {
        (void)str_format(text, cap,
                         "processor '%s', task %u on executor %u, has been in its %s() "
                         "for %llu s",
                         plan->processors[call->processor].name, call->task, e->id, call->function,
                         for_s);
    }
    return true;
}

void stuck_reported(struct am_executor *e, const struct msg_executor_report *report)
{
    struct appmaster *am = e->am;
    char text[WORDS_MAX];

    if (am->state >= AM_STOPPING) {
        return;
    }
    for (uint32_t i = 0; i < report->stuck_count; i++) {
        const struct msg_stuck_call *call = &report->stuck[i];

        if (!is_known(e, call) && words(e, call, text, sizeof text)) {
            (void)record_event(&am->record, am_wall_ms(am), text); /* without memory: none */
            record_event_more(&am->record, NULL, am->state == AM_RUNNING ? 0 : -1);
            recovery_changed(am);
        }
    }
}

void stuck_act(struct am_executor *e)
{
    char text[WORDS_MAX];

    if (!e->am->options.replaces_stuck || e->am->state >= AM_STOPPING) {
        return;
    }
    for (uint32_t i = 0; i < e->report.stuck_count; i++) {
        if (!e->report.stuck[i].is_over && words(e, &e->report.stuck[i], text, sizeof text)) {
            executors_lost(e, "stuck", text);
            return;
        }
    }
}

bool stuck_now(const struct appmaster *am, char *text, size_t cap)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        const struct am_executor *e = am->executors[i];

        for (uint32_t k = 0; e->state != EXECUTOR_GONE && k < e->report.stuck_count; k++) {
            const struct msg_stuck_call *call = &e->report.stuck[k];

            if (!call->is_over && words(e, call, text, cap)) {
                return true;
            }
        }
    }
    return false;
}
