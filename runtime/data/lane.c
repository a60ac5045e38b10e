/*
 * lane.c: the turn of a lane, its sleep, and the commands it obeys. Making and freeing a lane
 * stands in lane_new.c; the overview in lane.h.
 */
#include "data/lane.h"

#include <stdlib.h>

#include "base/str.h"
#include "data/large.h"
#include "data/move.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/service.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/timers.h"

#define COMPACT_INTERVAL_NS (5 * 1000 * 1000)

static void set_phase(struct lane *lane, enum lane_phase phase)
{
    atomic_store_explicit(&lane->phase, (uint32_t)phase, memory_order_release);
    if (lane->env->notify) {
        lane->env->notify(lane->env->notify_user);
    }
}

enum lane_phase lane_phase(const struct lane *lane)
{
    return (enum lane_phase)atomic_load_explicit(&((struct lane *)(uintptr_t)lane)->phase,
                                                 memory_order_acquire);
}

void lane_wake(struct lane *lane, enum lane_sleep least)
{
    if (UNLIKELY(atomic_load(&lane->sleeping) >= (uint32_t)least) &&
        atomic_exchange(&lane->sleeping, SLEEP_AWAKE) != SLEEP_AWAKE) {
        loop_wake(lane->loop);
    }
}

bool lane_is_asleep(const struct lane *lane)
{
    return atomic_load(&((struct lane *)(uintptr_t)lane)->sleeping) != SLEEP_AWAKE;
}

void lane_command(struct lane *lane, enum lane_command command)
{
    atomic_store(&lane->command, (uint32_t)command);
    lane_wake(lane, SLEEP_DATA);
}

void lane_give_update(struct lane *lane, const struct lane_update *update,
                      const struct topology *newest)
{
    ASSERT(!atomic_load(&lane->update));
    atomic_store(&lane->newest, newest);
    atomic_store(&lane->update, update);
    lane_wake(lane, SLEEP_DATA);
}

void lane_tell_newest(struct lane *lane, const struct topology *newest)
{
    atomic_store(&lane->newest, newest);
    lane_wake(lane, SLEEP_DATA);
}

/* Nothing is left to do here but to wait for others; of tasks that have left, nothing is on its
 * way. */
static bool has_ended(const struct lane *lane)
{
    return lane->tasks_closed == lane->tasks_total &&
           (lane->tasks_total > 0 || move_is_heard(lane));
}

void lane_task_closed(struct lane *lane)
{
    lane->tasks_closed++;
    if (lane_phase(lane) == LANE_RUNNING && has_ended(lane)) {
        set_phase(lane, LANE_ENDED);
    }
}

void lane_look_at_end(struct lane *lane)
{
    enum lane_phase phase = lane_phase(lane);

    if (phase == LANE_RUNNING && has_ended(lane)) {
        set_phase(lane, LANE_ENDED);
    } else if (phase == LANE_ENDED && !has_ended(lane)) {
        set_phase(lane, LANE_RUNNING);
    }
}

void lane_fail(struct lane *lane, const struct task *t, const char *function, const char *text)
{
    struct lane_failure *f = (struct lane_failure *)malloc(sizeof(*f));

    /* Without the note nobody would restart it: better to end here, loudly. */
    ASSERT(f);
    f->processor = t->stage->processor;
    f->task = t->api.index;
    f->session = t->session;
    f->function = function;
    (void)str_format(f->text, sizeof(f->text), "%s", text); /* cut at worst */
    f->next = atomic_load(&lane->failures);
    while (!atomic_compare_exchange_weak(&lane->failures, &f->next, f)) {
    }
    if (lane->env->notify) {
        lane->env->notify(lane->env->notify_user);
    }
}

struct lane_failure *lane_take_failures(struct lane *lane)
{
    struct lane_failure *f = atomic_exchange(&lane->failures, NULL);
    struct lane_failure *first = NULL;

    while (f) {
        struct lane_failure *next = f->next;

        f->next = first;
        first = f;
        f = next;
    }
    return first;
}

typedef int (*task_fn)(struct task *t);

static int for_each_task(struct lane *lane, task_fn fn)
{
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && i < s->task_count; i++) {
            int rc = fn(s->tasks[i]);

            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static int start_one(struct task *t)
{
    task_start(t);
    return 0;
}

static int close_one(struct task *t)
{
    task_close(t);
    return 0;
}

static void update(struct lane *lane, const struct lane_update *what)
{
    if (!lane_take_update(lane, what)) {
        return;
    }
    atomic_store(&lane->update, NULL);
    atomic_store_explicit(&lane->generation, what->generation, memory_order_release);
    if (lane->env->notify) {
        lane->env->notify(lane->env->notify_user);
    }
}

/* RUNNER_DONE after the command to stop. */
static enum runner_state obey(struct lane *lane)
{
    uint32_t command = atomic_load_explicit(&lane->command, memory_order_acquire);
    const struct lane_update *what = lane_due_update(lane);

    if (UNLIKELY(what != NULL)) {
        update(lane, what);
    }
    if (UNLIKELY(atomic_load_explicit(&lane->ask, memory_order_relaxed) != LANE_ASK_NOTHING)) {
        lane_look(lane);
    }
    if (LIKELY(command == lane->command_done)) {
        return RUNNER_MORE;
    }
    lane->command_done = command;
    if (command == LANE_STOP) {
        (void)for_each_task(lane, close_one); /* never fails */
        set_phase(lane, LANE_CLOSED);
        return RUNNER_DONE;
    }
    if (lane_phase(lane) == LANE_NEW) {
        int rc = for_each_task(lane, task_open);

        set_phase(lane, rc < 0 ? LANE_OPEN_FAILED : LANE_OPENED);
    }
    if (command == LANE_START && lane_phase(lane) == LANE_OPENED) {
        /* A lane without tasks is part of an executor too, and has ended before it began. */
        bool is_over = lane->tasks_closed == lane->tasks_total;

        set_phase(lane, is_over ? LANE_ENDED : LANE_RUNNING);
        (void)for_each_task(lane, start_one); /* never fails */
    }
    return RUNNER_MORE;
}

static void take_rings(struct lane *lane)
{
    for (uint32_t i = 0; i < lane->ring_count; i++) {
        neighbour_take(lane->rings[i]);
    }
}

/* Batches came home, from others or from this lane's own tasks, or large messages are gone. */
static void end_pool_waits(struct lane *lane)
{
    if (LIKELY(!lane->pool_waits) || batch_pool_is_short(&lane->pool) || large_is_full(lane)) {
        return;
    }
    lane->pool_waits = false;
    for (uint32_t p = 0; p < lane->topology->plan->processor_count; p++) {
        if (lane->stages[p]) {
            stage_unblock(lane->stages[p]);
        }
    }
}

/* Each task that is runnable now gets one slice; those that become so meanwhile wait their turn. */
static void run_tasks(struct lane *lane)
{
    struct list now;
    uint32_t left = TASKS_PER_TURN;

    list_init(&now);
    list_append_all(&now, &lane->runnable);
    while (left-- > 0 && !list_is_empty(&now)) {
        struct task *t = LIST_ENTRY(list_pop_front(&now), struct task, node);

        measure_slice(t);
        task_run(t);
        task_fit_slice(t, measure_slice_done(t));
    }
    /* What did not get its turn goes before what got it. */
    list_append_all(&now, &lane->runnable);
    list_append_all(&lane->runnable, &now);
}

static void advance(struct list *changed, bool out)
{
    struct list now;

    list_init(&now);
    list_append_all(&now, changed);
    while (!list_is_empty(&now)) {
        struct list_node *node = list_pop_front(&now);
        struct stage *s = out ? LIST_ENTRY(node, struct stage, out_changed)
                              : LIST_ENTRY(node, struct stage, in_changed);

        if (!stage_is_due(s, out ? s->out_advanced_ns : s->in_advanced_ns)) {
            list_push_back(changed, node);
        } else if (out) {
            stage_advance_out(s);
        } else {
            stage_advance_in(s);
        }
    }
}

/* What tasks of this lane sent to each other, and time. */
static void settle(struct lane *lane)
{
    advance(&lane->out_changed, true);
    if (lane->self->open) {
        neighbour_flush(lane->self);
        neighbour_pump(lane->self);
    }
    advance(&lane->in_changed, false);
}

static bool has_work(const struct lane *lane)
{
    return !list_is_empty(&lane->runnable) || !list_is_empty(&lane->in_changed) ||
           !list_is_empty(&lane->out_changed) || lane->large_granted;
}

/*
 * Hands over partial batches: all of them when idle, else those that have lingered. A neighbour
 * that has enough to read is spared, but never for longer than that: its tasks may hold what it has
 * because they wait for credit of rows that stand in this very batch.
 */
static void flush_partial(struct lane *lane, bool idle)
{
    int64_t linger_ns = lane->options->linger_ns;

    if (!idle && lane->now_ns - lane->linger_checked_ns < linger_ns / 4) {
        return;
    }
    lane->linger_checked_ns = lane->now_ns;
    lane->holds_partial = false;
    for (uint32_t i = 0; i < lane->other_count; i++) {
        struct neighbour *p = lane->others[i];

        if (!p->open) {
            continue;
        }
        if (idle && !neighbour_is_saturated(p)) {
            neighbour_flush(p);
        } else if (lane->now_ns - p->opened_ns >= linger_ns) {
            counter_add(&lane->stats.lingered, 1);
            neighbour_flush(p);
        } else {
            counter_add(&lane->stats.held, idle);
            lane->holds_partial = true;
        }
    }
}

/* Before sleeping with something held back: time must bring the lane back to it. */
static void arm_linger(struct lane *lane)
{
    if (lane->holds_partial || lane->large_waits) {
        timer_start(lane->linger_timer, lane->options->linger_ns);
    } else if (lane->thin_parcels > 0) {
        timer_start(lane->linger_timer, COMPACT_INTERVAL_NS);
    }
}

static void on_linger(void *user)
{
    (void)user; /* the turn that follows looks at everything */
}

/* Batches that tasks hold which do not run go home, now and then. */
static void compact(struct lane *lane, bool idle)
{
    if (lane->thin_parcels > (idle ? 0 : THIN_MAX) &&
        lane->now_ns - lane->compacted_ns >= COMPACT_INTERVAL_NS) {
        lane->compacted_ns = lane->now_ns;
        inbox_compact(lane);
    }
}

static void pump(struct lane *lane)
{
    struct list now;

    list_init(&now);
    list_append_all(&now, &lane->dirty);
    while (!list_is_empty(&now)) {
        neighbour_pump(LIST_ENTRY(list_first(&now), struct neighbour, dirty));
    }
}

enum runner_state lane_turn(struct lane *lane)
{
    int64_t now_ns = loop_now_ns(lane->loop);
    bool more_large;

    if (atomic_load_explicit(&lane->sleeping, memory_order_relaxed) != SLEEP_AWAKE) {
        atomic_store_explicit(&lane->sleeping, SLEEP_AWAKE, memory_order_relaxed);
    }
    lane->turn_ns = now_ns - lane->now_ns;
    lane->now_ns = now_ns;
    lane->meter.clock_ns = now_ns;
    lane->worked = false;
    counter_add(&lane->stats.turns, 1);
    if (obey(lane) == RUNNER_DONE) {
        return RUNNER_DONE;
    }
    take_rings(lane);
    end_pool_waits(lane);
    service_take_wakes(lane);
    run_tasks(lane);
    more_large = !list_is_empty(&lane->large_out) && large_pump(lane);
    settle(lane);
    compact(lane, !has_work(lane));
    end_pool_waits(lane);
    lane->resting = !has_work(lane) && !more_large;
    /* A source may be asked again and again and have nothing: no reason to hold a batch back. */
    flush_partial(lane, lane->resting || !lane->worked);
    pump(lane);
    if (lane->resting) {
        arm_linger(lane);
        return RUNNER_IDLE;
    }
    return lane->worked || more_large ? RUNNER_MORE : RUNNER_POLL;
}

/* What stopped a batch from going is no longer so. */
static bool can_send(const struct lane *lane)
{
    LIST_FOREACH (node, &lane->dirty) {
        const struct neighbour *p = LIST_ENTRY(node, struct neighbour, dirty);

        if (p->kind == NEIGHBOUR_RING && ring_has_room(p->to)) {
            return true;
        }
    }
    for (uint32_t i = 0; lane->holds_partial && i < lane->ring_count; i++) {
        if (lane->rings[i]->open && !neighbour_is_saturated(lane->rings[i])) {
            return true;
        }
    }
    return false;
}

static bool has_news(struct lane *lane)
{
    if (atomic_load(&lane->woken) || atomic_load(&lane->command) != lane->command_done ||
        lane_due_update(lane) || atomic_load(&lane->ask) != LANE_ASK_NOTHING) {
        return true;
    }
    for (uint32_t i = 0; i < lane->ring_count; i++) {
        if (ring_has_news(lane->rings[i]->from)) {
            return true;
        }
    }
    return can_send(lane);
}

int lane_may_sleep(struct lane *lane)
{
    enum lane_sleep depth = SLEEP_DATA;

    if (!list_is_empty(&lane->dirty)) {
        depth = SLEEP_ROOM;
    } else if (lane->pool_waits || !list_is_empty(&lane->large_out)) {
        depth = SLEEP_ANY;
    } else if (lane->holds_partial) {
        depth = SLEEP_FEW;
    } else if (lane->blocked_count > 0) {
        depth = SLEEP_CREDIT;
    }
    atomic_store(&lane->sleeping, (uint32_t)depth);
    if (has_news(lane)) {
        atomic_store_explicit(&lane->sleeping, SLEEP_AWAKE, memory_order_relaxed);
        return 0;
    }
    counter_add(&lane->stats.sleeps, 1);
    return 1;
}

int lane_init(struct lane *lane, struct loop *loop, struct stream_hub *hub)
{
    int rc;

    lane->loop = loop;
    lane->now_ns = loop_now_ns(loop);
    lane->meter.clock_ns = lane->now_ns;
    rc = lane_timers_new(lane, &lane->timers);
    if (rc == 0) {
        rc = timer_new(loop, on_linger, lane, &lane->linger_timer);
    }
    if (rc == 0) {
        lane->hub = hub;
        hub_attach(hub, lane);
    }
    return rc;
}

void lane_fini(struct lane *lane)
{
    if (lane_phase(lane) != LANE_CLOSED) {
        (void)for_each_task(lane, close_one); /* never fails */
    }
    for (uint32_t i = 0; i < lane->other_count; i++) {
        if (lane->others[i]->kind == NEIGHBOUR_STREAM) {
            neighbour_stream_end(lane->others[i]);
        }
    }
    for (uint32_t i = 0; i < lane->topology->lane_count; i++) {
        if (lane->neighbours[i]) {
            move_drop_held(lane->neighbours[i]);
        }
    }
    lane_log_counters(lane);
    lane_timers_free(lane->timers);
    lane->timers = NULL;
    timer_free(lane->linger_timer);
    lane->linger_timer = NULL;
}
