/*
 * timers.c: see timers.h. Binary heaps of (time, id); a map from id to heap position makes moving
 * and cancelling cheap. Equal times come in the order of their ids, so that a replay is exact.
 *
 * Position 0 of a heap is the earliest. The map stores position + 1, for NULL means absent.
 */
#include "data/timers.h"

#include <stdlib.h>

#include <gearpump/host.h>

#include "base/map.h"
#include "data/lane.h"
#include "data/stage.h"
#include "data/task.h"

struct heap_item {
    int64_t at_ns;
    uint64_t id;
};

struct heap {
    struct heap_item *items;
    uint32_t count;
    uint32_t capacity;
    struct map_u64 places; /* id -> position + 1 */
};

struct timers {
    struct task *task;
    struct heap clocks[2];
    struct list_node silent; /* in lane_timers.silent: a source that watches its own silence */
    int64_t silent_at_ns;
};

struct lane_timers {
    struct lane *lane;
    struct timer *timer;
    int64_t armed_ns;   /* when the loop's timer fires; INT64_MAX: stopped */
    struct heap tasks;  /* id: task_id(), at: its earliest processing-time timer */
    struct list silent; /* in the order they fall due, for all wait equally long */
};

/* A number for a task of the lane that does not depend on addresses, so that a replay is exact. */
static uint64_t task_id(const struct task *t)
{
    return (uint64_t)t->stage->processor << 32 | t->api.index;
}

static struct task *task_of_id(const struct lane *lane, uint64_t id)
{
    const struct stage *s = lane->stages[id >> 32];

    return s->tasks[s->topology->local_of[(uint32_t)id]];
}

static bool earlier(const struct heap_item *a, const struct heap_item *b)
{
    return a->at_ns < b->at_ns || (a->at_ns == b->at_ns && a->id < b->id);
}

static void heap_put(struct heap *h, uint32_t at, struct heap_item item)
{
    h->items[at] = item;
    /* Replacing the value of a key that is in the map never fails. */
    (void)map_u64_set(&h->places, item.id, (void *)(uintptr_t)(at + 1), NULL);
}

static void sift_up(struct heap *h, uint32_t at, struct heap_item item)
{
    while (at > 0 && earlier(&item, &h->items[(at - 1) / 2])) {
        heap_put(h, at, h->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(h, at, item);
}

static void sift_down(struct heap *h, uint32_t at, struct heap_item item)
{
    for (;;) {
        uint32_t child = at * 2 + 1;

        if (child >= h->count) {
            break;
        }
        if (child + 1 < h->count && earlier(&h->items[child + 1], &h->items[child])) {
            child++;
        }
        if (!earlier(&h->items[child], &item)) {
            break;
        }
        heap_put(h, at, h->items[child]);
        at = child;
    }
    heap_put(h, at, item);
}

static void heap_remove_at(struct heap *h, uint32_t at)
{
    struct heap_item last = h->items[--h->count];

    (void)map_u64_remove(&h->places, h->items[at].id);
    if (at == h->count) {
        return;
    }
    if (at > 0 && earlier(&last, &h->items[(at - 1) / 2])) {
        sift_up(h, at, last);
    } else {
        sift_down(h, at, last);
    }
}

static void heap_remove(struct heap *h, uint64_t id)
{
    uintptr_t place = (uintptr_t)map_u64_get(&h->places, id);

    if (place > 0) {
        heap_remove_at(h, (uint32_t)(place - 1));
    }
}

static int heap_grow(struct heap *h)
{
    uint32_t capacity = h->capacity ? h->capacity * 2 : 8;
    struct heap_item *items = (struct heap_item *)realloc(h->items, capacity * sizeof(*items));

    if (!items) {
        return GP_ENOMEM;
    }
    h->items = items;
    h->capacity = capacity;
    return 0;
}

/* Adds or moves. */
static int heap_set(struct heap *h, uint64_t id, int64_t at_ns)
{
    int rc;

    heap_remove(h, id);
    if (h->count == h->capacity) {
        rc = heap_grow(h);
        if (rc < 0) {
            return rc;
        }
    }
    rc = map_u64_add(&h->places, id, (void *)1);
    if (rc < 0) {
        return rc;
    }
    h->count++;
    sift_up(h, h->count - 1, (struct heap_item){at_ns, id});
    return 0;
}

static void heap_init(struct heap *h, size_t max)
{
    *h = (struct heap){0};
    map_u64_init(&h->places, max, 0);
}

static void heap_deinit(struct heap *h)
{
    map_u64_deinit(&h->places);
    free(h->items);
}

/* The loop's timer follows the earliest of all. */
static void arm(struct lane_timers *lt)
{
    int64_t at_ns = lt->tasks.count > 0 ? lt->tasks.items[0].at_ns : INT64_MAX;

    if (!list_is_empty(&lt->silent)) {
        const struct timers *timers = LIST_ENTRY(list_first(&lt->silent), struct timers, silent);

        if (timers->silent_at_ns < at_ns) {
            at_ns = timers->silent_at_ns;
        }
    }
    if (at_ns == lt->armed_ns || !lt->timer) {
        return;
    }
    lt->armed_ns = at_ns;
    if (at_ns == INT64_MAX) {
        timer_stop(lt->timer);
    } else {
        int64_t now_ns = loop_now_ns(lt->lane->loop);

        timer_start(lt->timer, at_ns > now_ns ? at_ns - now_ns : 0);
    }
}

/* Sources that have been silent too long hold no watermark back any more. */
static void fall_idle(struct lane_timers *lt, int64_t now_ns)
{
    while (!list_is_empty(&lt->silent)) {
        struct timers *timers = LIST_ENTRY(list_first(&lt->silent), struct timers, silent);

        if (timers->silent_at_ns > now_ns) {
            return;
        }
        list_remove(&timers->silent);
        timers->task->silent = false;
        if (timers->task->place == TASK_NOWHERE) {
            timers->task->idle = true; /* else it has something to say and only waits its turn */
            stage_task_changed(timers->task->stage);
        }
    }
}

static void on_timer(void *user)
{
    struct lane_timers *lt = (struct lane_timers *)user;
    int64_t now_ns = loop_now_ns(lt->lane->loop);

    lt->armed_ns = INT64_MAX;
    lt->lane->now_ns = now_ns;
    fall_idle(lt, now_ns);
    while (lt->tasks.count > 0 && lt->tasks.items[0].at_ns <= now_ns) {
        struct task *t = task_of_id(lt->lane, lt->tasks.items[0].id);

        heap_remove_at(&lt->tasks, 0); /* comes back with its next timer when this one is taken */
        task_token(t);
    }
    arm(lt);
}

/* All may come to this lane. */
static size_t count_tasks(const struct topology *topology)
{
    size_t count = 1;

    for (uint32_t p = 0; p < topology->plan->processor_count; p++) {
        count += topology->processors[p].tasks;
    }
    return count;
}

int lane_timers_new(struct lane *lane, struct lane_timers **ret)
{
    struct lane_timers *lt = (struct lane_timers *)calloc(1, sizeof(*lt));
    int rc;

    if (!lt) {
        return GP_ENOMEM;
    }
    lt->lane = lane;
    lt->armed_ns = INT64_MAX;
    heap_init(&lt->tasks, count_tasks(lane->topology));
    list_init(&lt->silent);
    rc = timer_new(lane->loop, on_timer, lt, &lt->timer);
    if (rc < 0) {
        lane_timers_free(lt);
        return rc;
    }
    *ret = lt;
    return 0;
}

void lane_timers_free(struct lane_timers *lt)
{
    if (lt) {
        timer_free(lt->timer);
        heap_deinit(&lt->tasks);
        free(lt);
    }
}

static struct timers *timers_of(struct task *t)
{
    if (!t->timers) {
        struct timers *timers = (struct timers *)calloc(1, sizeof(*timers));

        if (timers) {
            heap_init(&timers->clocks[GP_TIMER_PROCESSING], GP_TIMERS_MAX);
            heap_init(&timers->clocks[GP_TIMER_EVENT], GP_TIMERS_MAX);
            list_node_init(&timers->silent);
            timers->task = t;
            t->timers = timers;
        }
    }
    return t->timers;
}

/* The lane knows of this task's earliest processing-time timer. */
static int follow(struct task *t)
{
    struct lane_timers *lt = t->stage->lane->timers;
    const struct heap *h = &t->timers->clocks[GP_TIMER_PROCESSING];
    int rc = 0;

    if (h->count > 0) {
        rc = heap_set(&lt->tasks, task_id(t), h->items[0].at_ns);
    } else {
        heap_remove(&lt->tasks, task_id(t));
    }
    arm(lt);
    return rc;
}

int timers_set(struct task *t, uint32_t clock, uint64_t id, int64_t at_ns)
{
    struct timers *timers = timers_of(t);
    int rc;

    if (!timers) {
        return GP_ENOMEM;
    }
    rc = heap_set(&timers->clocks[clock], id, at_ns);
    if (rc == 0 && clock == GP_TIMER_PROCESSING) {
        rc = follow(t);
    }
    return rc;
}

void timers_cancel(struct task *t, uint32_t clock, uint64_t id)
{
    if (t->timers) {
        heap_remove(&t->timers->clocks[clock], id);
        if (clock == GP_TIMER_PROCESSING) {
            (void)follow(t); /* removing needs no memory */
        }
    }
}

bool timers_is_due(const struct task *t, uint32_t clock, int64_t now_ns)
{
    const struct heap *h;

    if (!t->timers) {
        return false;
    }
    h = &t->timers->clocks[clock];
    return h->count > 0 && h->items[0].at_ns <= now_ns;
}

bool timers_take_due(struct task *t, uint32_t clock, int64_t now_ns, struct timer_due *ret)
{
    struct heap *h;

    if (!timers_is_due(t, clock, now_ns)) {
        return false;
    }
    h = &t->timers->clocks[clock];
    *ret = (struct timer_due){clock, h->items[0].id, h->items[0].at_ns};
    heap_remove_at(h, 0);
    if (clock == GP_TIMER_PROCESSING) {
        (void)follow(t); /* the place it had is free again */
    }
    return true;
}

bool timers_has_event(const struct task *t)
{
    return t->timers && t->timers->clocks[GP_TIMER_EVENT].count > 0;
}

int timers_watch_silence(struct task *t, int64_t at_ns)
{
    struct lane_timers *lt = t->stage->lane->timers;
    struct timers *timers = at_ns == 0 ? t->timers : timers_of(t);

    if (!timers) {
        return at_ns == 0 ? 0 : GP_ENOMEM;
    }
    list_remove(&timers->silent);
    if (at_ns > 0) {
        timers->silent_at_ns = at_ns;
        list_push_back(&lt->silent, &timers->silent);
    }
    arm(lt);
    return 0;
}

uint32_t timers_count(const struct task *t)
{
    return t->timers ? t->timers->clocks[0].count + t->timers->clocks[1].count : 0;
}

void timers_for_each(const struct task *t, timers_fn fn, void *user)
{
    for (uint32_t clock = 0; t->timers && clock < 2; clock++) {
        const struct heap *h = &t->timers->clocks[clock];

        for (uint32_t i = 0; i < h->count; i++) {
            fn(user, &(struct timer_due){clock, h->items[i].id, h->items[i].at_ns});
        }
    }
}

void timers_free(struct task *t)
{
    struct timers *timers = t->timers;

    if (!timers) {
        return;
    }
    list_remove(&timers->silent);
    if (t->stage->lane->timers) {
        heap_remove(&t->stage->lane->timers->tasks, task_id(t));
    }
    heap_deinit(&timers->clocks[GP_TIMER_PROCESSING]);
    heap_deinit(&timers->clocks[GP_TIMER_EVENT]);
    free(timers);
    t->timers = NULL;
}
