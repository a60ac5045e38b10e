/*
 * unreached.c: executors that live and cannot reach each other.
 *
 * A network that is cut between two hosts, and between nobody else, leaves both executors well in
 * the eyes of the appmaster, and their tasks wait for each other for ever: links are made again
 * without end, and whether it makes sense is decided here. Reports name whom an executor cannot
 * reach. When two name each other for as long as the failure timeout, as few executors as it takes
 * are given up (cuts.h), at the price of one restart for all, and their workers are shunned for a
 * while: whatever replaces them would be cut off as well, so it goes to the other side, or waits
 * for room there. Nor does anything begin on a worker that the appmaster itself does not reach now:
 * executors are launched through it, and only its master may still see it.
 *
 * It is counted in looks, not in time: who was frozen himself gives the others a fresh period.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/appmaster/cuts.h"
#include "control/appmaster/internal.h"

#define LOOK_NS        250000000
#define LOOKS_PATIENCE 4

/* Executors that could reach each other, in a matrix. */
struct view {
    struct am_executor **who;
    bool *says;   /* [count * count]: row cannot reach column, it says */
    bool *is_cut; /* both say so */
    uint32_t *tasks;
    bool *given_up;
    uint32_t count;
};

static void view_deinit(struct view *v)
{
    free(v->who);
    free(v->says);
    free(v->is_cut);
    free(v->tasks);
    free(v->given_up);
}

static bool is_candidate(const struct am_executor *e)
{
    return e->peer && (e->state == EXECUTOR_RUNNING || e->state == EXECUTOR_DONE);
}

/* Its column; count: it is none of them. */
static uint32_t column(const struct view *v, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = v->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (v->who[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < v->count && v->who[low]->id == id ? low : v->count;
}

static void read_reports(struct view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const struct msg_executor_report *report = &v->who[i]->report;
        for (uint32_t k = 0; k < report->unreachable_count; k++) {
            uint32_t other = column(v, report->unreachable[k].executor);
            if (other < v->count && other != i) {
                v->says[(size_t)i * v->count + other] = true;
            }
        }
    }
}

/* Which of them have a cut, and how long already. */
static void count_looks(struct view *v)
{
    for (uint32_t i = 0; i < v->count; i++) {
        bool any = false;
        for (uint32_t k = 0; k < v->count; k++) {
            size_t at = (size_t)i * v->count + k;
            v->is_cut[at] = v->says[at] && v->says[(size_t)k * v->count + i];
            any = any || v->is_cut[at];
        }
        v->who[i]->cut_looks = any ? v->who[i]->cut_looks + 1 : 0;
    }
}

static int view_make(const struct appmaster *am, struct view *ret)
{
    size_t max = am->executor_count + 1;
    struct view v = {.who = calloc(max, sizeof(struct am_executor *)),
                     .says = calloc(max * max, sizeof(bool)),
                     .is_cut = calloc(max * max, sizeof(bool)),
                     .tasks = calloc(max, sizeof(uint32_t)),
                     .given_up = calloc(max, sizeof(bool))};

    if (!v.who || !v.says || !v.is_cut || !v.tasks || !v.given_up) {
        view_deinit(&v);
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        am->executors[i]->cut_looks =
            is_candidate(am->executors[i]) ? am->executors[i]->cut_looks : 0;
        if (is_candidate(am->executors[i])) {
            v.who[v.count++] = am->executors[i];
        }
    }
    read_reports(&v);
    count_looks(&v);
    *ret = v;
    return 0;
}

/* ---- who is given up ---- */

/* The first it is cut from, and how many others. */
static void give_up(const struct view *v, uint32_t i, bool is_free, const bool *is_cut,
                    int64_t after_ns)
{
    struct am_executor *e = v->who[i];
    char who[WORDS_MAX];
    char text[2 * WORDS_MAX];
    uint32_t first = v->count;
    uint32_t more = 0;

    for (uint32_t k = 0; k < v->count; k++) {
        if (is_cut[(size_t)i * v->count + k]) {
            more += first < v->count;
            first = first < v->count ? first : k;
        }
    }
    words_executor(e, who, sizeof who);
    (void)str_format(text, sizeof text,
                     "%s was given up: it and executor %u on worker %s could not reach each other "
                     "for %lld s",
                     who, v->who[first]->id, v->who[first]->worker_name,
                     (long long)(after_ns / 1000000000));
    if (more > 0) {
        (void)str_format(text + strlen(text), sizeof text - strlen(text), ", nor %u more", more);
    }
    LOG_WARN(am_log(e->am), "appmaster.executor_given_up", KV_U64("executor", e->id),
             KV_U64("cut_from", v->who[first]->id));
    executors_give_up(e, is_free, text);
}

/* Somebody whom all others reach runs there, too: it is not the host. */
static bool is_shared(const struct view *v, uint32_t worker)
{
    for (uint32_t i = 0; i < v->count; i++) {
        if (!v->given_up[i] && v->who[i]->worker == worker) {
            return true;
        }
    }
    return false;
}

/* Links of one and the same cut are not lost all at once: as long as it grows, the smaller side of
 * it is not known, and more would be given up than need be. But one that comes and goes stops
 * nobody. */
static bool is_due(const struct view *v, uint32_t looks)
{
    uint32_t most = 0;
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < v->count; i++) {
        uint32_t n = v->who[i]->cut_looks;
        most = n > most ? n : most;
        least = n > 0 && n < least ? n : least;
    }
    return most >= looks && (least >= looks || most >= looks * LOOKS_PATIENCE);
}

static void decide(struct appmaster *am, struct view *v, uint32_t looks)
{
    size_t size = (size_t)v->count * v->count * sizeof(bool);
    bool *is_cut = v->says; /* not needed any more: what cuts_choose() consumes */
    bool is_free = false;

    for (uint32_t i = 0; i < v->count; i++) {
        v->tasks[i] = record_tasks_on(&am->record, v->who[i]->id);
        for (uint32_t k = 0; k < v->count; k++) {
            bool is_old = v->who[i]->cut_looks >= looks / 2 && v->who[k]->cut_looks >= looks / 2;
            v->is_cut[(size_t)i * v->count + k] &= is_old; /* this one may be over in a moment */
        }
    }
    memcpy(is_cut, v->is_cut, size);
    (void)cuts_choose(is_cut, v->tasks, v->count, v->given_up);
    for (uint32_t i = 0; i < v->count && am->state < AM_STOPPING; i++) {
        if (v->given_up[i]) {
            if (!is_shared(v, v->who[i]->worker)) {
                shunned_add(&am->shunned, v->who[i]->worker, am_now_ns(am));
            }
            give_up(v, i, is_free, v->is_cut, looks * (int64_t)LOOK_NS);
            is_free = true;
        }
    }
}

void unreached_reported(struct appmaster *am, const struct msg_executor_report *report)
{
    if (report->unreachable_count > 0 && !am->is_looking) {
        am->is_looking = true;
        timer_start(am->look_timer, LOOK_NS);
    }
}

void unreached_look(void *user)
{
    struct appmaster *am = user;
    uint32_t looks = (uint32_t)(am_failure_ns(am) / LOOK_NS) + 1;
    struct view v;

    am->is_looking = false;
    if (am->state != AM_RUNNING && am->state != AM_RECOVERING) {
        return;
    }
    if (view_make(am, &v) >= 0) {
        if (is_due(&v, looks)) {
            decide(am, &v, looks);
        }
        view_deinit(&v);
    }
    for (uint32_t i = 0; i < am->executor_count; i++) {
        unreached_reported(am, &am->executors[i]->report);
    }
}

static bool is_shunned(const struct appmaster *am, uint32_t worker)
{
    return record_living(&am->record) > 0 && shunned_has(&am->shunned, worker, am_now_ns(am));
}

bool unreached_avoids(const struct appmaster *am, uint32_t worker)
{
    for (uint32_t i = 0; i < am->worker_count; i++) {
        if (am->workers[i]->id == worker && !peer_is_up(am->workers[i]->peer)) {
            return true;
        }
    }
    return is_shunned(am, worker);
}

uint32_t unreached_avoid(const struct appmaster *am, struct msg_worker_ref *ret)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < am->worker_count && count < SHUNNED_MAX; i++) {
        if (!peer_is_up(am->workers[i]->peer)) {
            ret[count++].worker = am->workers[i]->id;
        }
    }
    for (uint32_t i = 0; i < am->shunned.count && count < SHUNNED_MAX; i++) {
        if (is_shunned(am, am->shunned.items[i].worker)) {
            ret[count++].worker = am->shunned.items[i].worker;
        }
    }
    return count;
}
