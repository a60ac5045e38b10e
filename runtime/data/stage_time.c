/*
 * stage_time.c: watermarks, idleness and ends of a stage. See stage.h for the rules.
 *
 * A change is noted when it happens and acted on at the end of the turn, once for all changes of
 * the turn; with many tasks at most once a millisecond unless the lane is idle, for both directions
 * look at each task.
 */
#include "data/lane.h"
#include "data/large.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "data/timers.h"

#define MANY_TASKS       16u
#define MANY_INTERVAL_NS (1000 * 1000)

void stage_in_changed(struct stage *s)
{
    if (!list_is_linked(&s->in_changed)) {
        list_push_back(&s->lane->in_changed, &s->in_changed);
    }
}

void stage_task_changed(struct stage *s)
{
    if (!list_is_linked(&s->out_changed)) {
        list_push_back(&s->lane->out_changed, &s->out_changed);
    }
}

void stage_on_watermark(struct inlink *link, int64_t time_ns)
{
    if (time_ns > link->watermark_ns) {
        link->watermark_ns = time_ns;
        stage_in_changed(link->stage);
    }
}

void stage_on_idle(struct inlink *link, bool idle)
{
    if (link->idle != idle) {
        link->idle = idle;
        stage_in_changed(link->stage);
    }
}

/* After the mark of that move what is said is by it. */
static void end_waiting(struct inlink *link)
{
    if (link->neighbour->moved >= link->awaits) {
        link->awaits = 0;
    }
    stage_in_changed(link->stage);
}

/* It is said again on each connection. */
void stage_on_end(struct inlink *link)
{
    link->stage->inlink_ended += !link->ended && !link->vacant;
    link->ended = true;
    end_waiting(link);
}

void stage_on_afresh(struct inlink *link, int64_t time_ns)
{
    link->stage->inlink_ended -= link->ended && !link->vacant;
    link->ended = false;
    link->idle = false;
    link->watermark_ns = time_ns;
    end_waiting(link);
}

bool stage_is_due(const struct stage *s, int64_t advanced_ns)
{
    return s->task_count <= MANY_TASKS || list_is_empty(&s->lane->runnable) ||
           s->lane->now_ns - advanced_ns >= MANY_INTERVAL_NS;
}

bool stage_is_stale(const struct inlink *link, const struct batch_element *e)
{
    const struct topology *topology = link->stage->lane->topology;

    return e->session <
           topology->processors[topology->plan->edges[link->edge].from].since[e->source];
}

/* Whether time must not pass now: what tasks that are on no lane, or on their way to another, will
 * send is as old as it was. */
static bool time_waits(const struct stage *s)
{
    bool waits = s->in_parked || s->lane->aligning;

    for (uint32_t i = 0; !waits && i < s->inlink_count; i++) {
        waits = s->inlinks[i]->awaits > 0 && !s->inlinks[i]->vacant;
    }
    return waits;
}

/* The smallest watermark of the links that count; false when all are idle or ended. */
static bool smallest_in(const struct stage *s, bool waits, int64_t *ret_ns)
{
    int64_t smallest = waits ? s->in_ns : GP_TIME_MAX;
    bool active = waits;

    for (uint32_t i = 0; i < s->inlink_count; i++) {
        const struct inlink *link = s->inlinks[i];

        if (!link->ended && !link->idle && !link->vacant) {
            active = true;
            if (link->watermark_ns < smallest) {
                smallest = link->watermark_ns;
            }
        }
    }
    *ret_ns = smallest;
    return active;
}

static void hand_watermark(struct stage *s)
{
    for (uint32_t i = 0; i < s->task_count; i++) {
        struct task *t = s->tasks[i];

        if (!task_takes(t) || t->watermark_ns >= s->in_ns) {
            continue; /* it came from where time was ahead */
        }
        if (!t->in_head && t->state != TASK_FAILED && t->state != TASK_GONE &&
            !s->table.on_watermark && !timers_has_event(t) && t->pending == TASK_PENDING_NONE) {
            t->watermark_ns = s->in_ns; /* nobody to ask, nothing before it */
            task_pass_watermark(t, s->in_ns);
            continue;
        }
        inbox_add_watermark(t, s->in_ns);
        task_ready(t);
    }
}

static void hand_end(struct stage *s)
{
    for (uint32_t i = 0; i < s->task_count; i++) {
        struct task *t = s->tasks[i];

        if (task_takes(t)) {
            inbox_add_end(t);
            task_ready(t);
        }
    }
}

void stage_advance_in(struct stage *s)
{
    bool waits = time_waits(s);
    int64_t smallest;

    s->in_advanced_ns = s->lane->now_ns;
    if (s->inlink_ended == s->inlink_max && !waits) {
        if (!s->in_ended) {
            s->in_ended = true;
            s->in_idle = false;
            if (s->in_ns < GP_TIME_MAX) {
                s->in_ns = GP_TIME_MAX;
                hand_watermark(s);
            }
            hand_end(s);
        }
        return;
    }
    s->in_idle = !smallest_in(s, waits, &smallest);
    if (!s->in_idle && smallest > s->in_ns) {
        s->in_ns = smallest;
        hand_watermark(s);
    }
    stage_task_changed(s); /* idleness may have to be passed on */
}

/* The smallest promise of the tasks that count; false when none does. */
static bool smallest_out(const struct stage *s, int64_t *ret_ns)
{
    int64_t smallest = GP_TIME_MAX;
    bool active = false;

    for (uint32_t i = 0; i < s->task_count; i++) {
        const struct task *t = s->tasks[i];

        if (t->state >= TASK_ENDED || t->idle) {
            continue;
        }
        active = active || !s->in_idle || t->in_head;
        if (t->out_ns < smallest) {
            smallest = t->out_ns;
        }
    }
    *ret_ns = smallest;
    return active;
}

static void put_time(const struct out_edge *e, struct neighbour *p, enum batch_kind kind,
                     uint32_t flags, int64_t time_ns)
{
    const struct batch_element element = {.kind = (uint32_t)kind,
                                          .flags = flags,
                                          .bytes = kind == BATCH_WATERMARK ? 8 : 0,
                                          .edge = e->edge,
                                          .dst = BATCH_DST_ALL};
    uint8_t body[8];

    put_u64_le(body, (uint64_t)time_ns);
    /* Without memory for one batch there is no way to go on in order. */
    ASSERT(neighbour_put_element(p, &element, body) == 0);
}

/* Tells every lane that hosts a task behind this stage; one that is not ready is told when it
 * is. */
static void send_time(struct stage *s, enum batch_kind kind, int64_t time_ns)
{
    for (uint32_t i = 0; i < s->out_count; i++) {
        const struct out_edge *e = &s->out_edges[i];

        for (uint32_t l = 0; l < e->lane_count; l++) {
            struct neighbour *p = s->lane->neighbours[e->lanes[l]];

            if (p->ready) {
                put_time(e, p, kind, 0, time_ns);
            }
        }
    }
}

static void say_edge(const struct stage *s, const struct out_edge *e, struct neighbour *p)
{
    if (s->out_ended) {
        put_time(e, p, BATCH_END, 0, 0);
        return;
    }
    put_time(e, p, BATCH_WATERMARK, BATCH_AFRESH, s->out_ns);
    if (s->out_idle) {
        put_time(e, p, BATCH_IDLE, 0, 0);
    }
}

void stage_say_time(struct stage *s, struct neighbour *p)
{
    for (uint32_t i = 0; i < s->out_count && s->task_count > 0; i++) {
        const struct out_edge *e = &s->out_edges[i];
        const uint32_t *tasks;

        if (topology_tasks_on(e->to, p->index, &tasks) > 0) {
            say_edge(s, e, p);
        }
    }
}

void stage_say_afresh(struct stage *s)
{
    s->say_afresh = false;
    for (uint32_t i = 0; i < s->out_count && s->task_count > 0; i++) {
        const struct out_edge *e = &s->out_edges[i];

        for (uint32_t l = 0; l < e->lane_count; l++) {
            struct neighbour *p = s->lane->neighbours[e->lanes[l]];

            if (p->ready) {
                say_edge(s, e, p);
            }
        }
    }
}

static void say_idle(struct stage *s, bool idle)
{
    if (s->out_idle != idle) {
        s->out_idle = idle;
        send_time(s, idle ? BATCH_IDLE : BATCH_ACTIVE, 0);
    }
}

static void say_watermark(struct stage *s, int64_t time_ns)
{
    if (time_ns > s->out_ns) {
        s->out_ns = time_ns;
        counter_set(&s->watermark, (uint64_t)time_ns);
        send_time(s, BATCH_WATERMARK, time_ns);
    }
}

/*
 * A large message that is on its way must not be overtaken by the time that follows it. Nor may
 * time wait for those that follow it in turn, or it would stand still while they do not end: it is
 * noted, and said as soon as those before it are gone.
 */
static bool waits_for_large(struct stage *s, bool active, int64_t promised_ns)
{
    uint64_t oldest = large_oldest(s);

    if (s->time_behind > 0 && (oldest == 0 || oldest > s->time_behind)) {
        s->time_behind = 0;
        /* A task that began anew or has come meanwhile may promise less. */
        say_watermark(s,
                      active && promised_ns < s->time_behind_ns ? promised_ns : s->time_behind_ns);
    }
    if (oldest > 0 && s->time_behind == 0 && active && promised_ns > s->out_ns) {
        s->time_behind = s->lane->large_last;
        s->time_behind_ns = promised_ns;
    }
    return oldest > 0;
}

void stage_advance_out(struct stage *s)
{
    int64_t smallest;
    bool active;

    s->out_advanced_ns = s->lane->now_ns;
    if (s->out_ended || s->task_count == 0) {
        return;
    }
    active = smallest_out(s, &smallest);
    if (active) {
        say_idle(s, false); /* which is never too early */
    }
    if (waits_for_large(s, active, smallest)) {
        return; /* large.c comes back to it */
    }
    if (s->ended == s->task_count) {
        s->out_ended = true;
        send_time(s, BATCH_END, 0);
        return;
    }
    say_idle(s, !active);
    if (active) {
        say_watermark(s, smallest);
    }
}
