/*
 * executor_stuck.c: an executor looks, each time it reports, whether its lanes are inside of calls
 * that do not return, logs them and tells the appmaster: once when a call has lasted for longer
 * than the timeout, once when it has returned after all. Nothing is killed.
 *
 * Tasks whose calls may block have lanes of their own (placement.h): their calls may last
 * BLOCKING_TIMES as long.
 *
 * A lane that is in a call does not say what it measured. So the time of a call that goes on is
 * added to what its processor was busy; what the lane says afterwards has it, too.
 *
 * Thread: the control thread.
 */
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "data/executor_internal.h"

#define BLOCKING_TIMES 10
#define LONG_NS        INT64_C(1000000000) /* of a call: its time is said before it is over */

int ex_stuck_init(struct executor *ex)
{
    if (ex->options.stuck_timeout_ns <= 0) {
        return 0;
    }
    ex->stuck = calloc(ex->lane_count, sizeof *ex->stuck);
    return ex->stuck ? 0 : GP_ENOMEM;
}

void ex_stuck_deinit(struct executor *ex)
{
    free(ex->stuck);
}

static int64_t timeout_ns(const struct executor *ex, uint32_t lane)
{
    bool is_blocking = lane >= ex->lane_count - ex->options.blocking;

    return ex->options.stuck_timeout_ns * (is_blocking ? BLOCKING_TIMES : 1);
}

static void log_call(const struct executor *ex, const struct stuck_call *c)
{
    uint64_t for_s = (uint64_t)(stuck_for_ns(c) / 1000000000);

    if (c->state == STUCK_STUCK) {
        LOG_WARN(ex_log(ex), "task.stuck", KV_STR("processor", c->processor),
                 KV_U64("task", c->task), KV_STR("function", c->function), KV_U64("for_s", for_s));
    } else {
        LOG_INFO(ex_log(ex), "task.returned", KV_STR("processor", c->processor),
                 KV_U64("task", c->task), KV_STR("function", c->function), KV_U64("for_s", for_s));
    }
}

bool ex_stuck_look(struct executor *ex)
{
    const int64_t now_ns = loop_now_ns(ex->port->loop);
    bool is_news = false;

    for (uint32_t i = 0; ex->stuck && i < ex->lane_count; i++) {
        const struct lane *lane = engine_lane(ex->engine, i);

        if (lane && stuck_look(&ex->stuck[i], lane->note, timeout_ns(ex, i), now_ns)) {
            log_call(ex, &ex->stuck[i]);
            is_news = true;
        }
    }
    return is_news;
}

static bool goes_on(const struct stuck_call *c)
{
    return c->state == STUCK_OPEN || c->state == STUCK_STUCK;
}

bool ex_stuck_is_long(const struct executor *ex)
{
    bool is_long = false;

    for (uint32_t i = 0; ex->stuck && i < ex->lane_count; i++) {
        is_long |= goes_on(&ex->stuck[i]) && stuck_for_ns(&ex->stuck[i]) >= LONG_NS;
    }
    return is_long;
}

/* Which processor of the plan; false: it is none of it. */
static bool find_processor(const struct plan *plan, const char *name, uint32_t *ret)
{
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (strcmp(plan->processors[i].name, name) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static void add_busy(const struct stuck_call *c, uint32_t processor,
                     struct msg_executor_report *report)
{
    for (uint32_t i = 0; i < report->processors_count; i++) {
        if (report->processors[i].processor == processor) {
            report->processors[i].busy_ns += (uint64_t)stuck_for_ns(c);
        }
    }
}

static void add_call(const struct stuck_call *c, uint32_t processor,
                     struct msg_executor_report *report)
{
    char *function = str_dup(gp_str_of(c->function));

    if (function) {
        report->stuck[report->stuck_count++] =
            (struct msg_stuck_call){.processor = processor,
                                    .task = c->task,
                                    .function = function,
                                    .for_ms = (uint64_t)(stuck_for_ns(c) / 1000000),
                                    .is_over = c->state == STUCK_RETURNED};
    }
}

void ex_stuck_report(const struct executor *ex, struct msg_executor_report *report)
{
    const struct plan *plan = job_plan(ex->job);
    uint32_t processor;

    report->stuck = ex->stuck ? calloc(ex->lane_count, sizeof *report->stuck) : NULL;
    for (uint32_t i = 0; ex->stuck && i < ex->lane_count; i++) {
        const struct stuck_call *c = &ex->stuck[i];

        if (c->state == STUCK_NONE || !find_processor(plan, c->processor, &processor)) {
            continue;
        }
        if (goes_on(c) && stuck_for_ns(c) >= LONG_NS) {
            add_busy(c, processor, report);
        }
        if (report->stuck && c->state >= STUCK_STUCK && report->stuck_count < MSG_LANES_MAX) {
            add_call(c, processor, report);
        }
    }
}
