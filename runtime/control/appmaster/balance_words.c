/* balance_words.c: what moved, what stays and why, in words; see balance.h. */
#include <string.h>

#include "base/str.h"
#include "control/appmaster/balance.h"

static const char *const whys[] = {
    [REBALANCE_STATE] = "its processor keeps state and has no snapshot",
    [REBALANCE_SOURCE] = "it is a source without a snapshot, which would begin anew",
    [REBALANCE_ROOM] = "no other worker has room for it",
    [REBALANCE_PLACE] = "no other worker where it may be has room for it",
};

const char *balance_why(enum rebalance_why why)
{
    return whys[why];
}

static void append(char *text, size_t cap, const char *what)
{
    size_t len = strlen(text);

    if (str_format(text + len, cap - len, "%s%s", len > 0 ? "; " : "", what) < 0) {
        text[len] = '\0';
    }
}

static void name_stays(const struct appmaster *am, uint32_t processor, uint32_t tasks,
                       const char *why, char *text, size_t cap)
{
    char what[256];

    (void)str_format(what, sizeof what, "%u task%s of '%s' stay%s: %s", tasks,
                     tasks == 1 ? "" : "s", am->plan->processors[processor].name,
                     tasks == 1 ? "s" : "", why);
    append(text, cap, what);
}

uint32_t balance_stays(const struct appmaster *am, uint32_t processor)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < am->stay_count; i++) {
        tasks += am->stay[i].processor == processor;
    }
    return tasks;
}

/* The reason of the last of them stands for all. */
const char *balance_why_stays(const struct appmaster *am, uint32_t processor)
{
    const char *why = "";

    for (uint32_t i = 0; i < am->stay_count; i++) {
        why = am->stay[i].processor == processor ? am->stay[i].why : why;
    }
    return why;
}

void balance_name_refused(const struct appmaster *am, const struct rebalance *plan, char *text,
                          size_t cap)
{
    for (uint32_t i = 0; i < plan->refused_count; i++) {
        const struct rebalance_refused *r = &plan->refused[i];
        name_stays(am, r->processor, r->tasks, balance_why(r->why), text, cap);
    }
    for (uint32_t p = 0; p < am->plan->processor_count; p++) {
        if (balance_stays(am, p) > 0) {
            name_stays(am, p, balance_stays(am, p), balance_why_stays(am, p), text, cap);
        }
    }
}

static void name_workers(const struct appmaster *am, const char *before, const uint32_t *workers,
                         char *text, size_t cap)
{
    for (uint32_t i = 0; i < GOAL_WORKERS_MAX && workers[i] != 0; i++) {
        const char *name = NULL;
        size_t len = strlen(text);
        for (uint32_t k = 0; k < am->executor_count; k++) {
            name = am->executors[k]->worker == workers[i] ? am->executors[k]->worker_name : name;
        }
        if (i + 1 == GOAL_WORKERS_MAX) {
            (void)str_format(text + len, cap - len, " and others");
        } else if (name) {
            (void)str_format(text + len, cap - len, "%s%s", i == 0 ? before : ", ", name);
        } else {
            (void)str_format(text + len, cap - len, "%sworker/%u", i == 0 ? before : ", ",
                             workers[i]);
        }
    }
}

void balance_say_what_moved(struct appmaster *am, const struct rebalance *plan)
{
    struct record *r = &am->record;
    int64_t now_ms = loop_wall_ns(am->port->loop) / 1000000;
    int64_t took_ms = now_ms - (int64_t)r->goal.begun_ms;
    char text[WORDS_MAX] = "";
    char refused[WORDS_MAX] = "";

    balance_name_refused(am, plan, refused, sizeof refused);
    if (r->goal.done > 0) {
        (void)str_format(text, sizeof text, "%u task%s moved", r->goal.done,
                         r->goal.done == 1 ? "" : "s");
        name_workers(am, " from worker ", am->goal_from, text, sizeof text);
        name_workers(am, " to worker ", am->goal_to, text, sizeof text);
        if (r->goal.reason && r->goal.reason[0]) {
            (void)str_format(text + strlen(text), sizeof text - strlen(text), " (%s)",
                             r->goal.reason);
        }
    }
    if (refused[0] && strcmp(refused, am->refused_said) != 0) {
        LOG_INFO(am_log(am), "app.task_stays", KV_STR("why", refused));
        append(text, sizeof text, refused); /* once */
    }
    (void)str_format(am->refused_said, sizeof am->refused_said, "%s", refused);
    if (text[0]) {
        LOG_INFO(am_log(am), "app.rebalanced", KV_U64("app", am->options.launch->app),
                 KV_STR("what", text));
        (void)record_event(r, now_ms, text);
        record_event_more(r, NULL, took_ms > 0 ? took_ms : 0);
    }
}
