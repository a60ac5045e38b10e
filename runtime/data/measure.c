/*
 * measure.c: see measure.h.
 *
 * Failures: without memory for histograms the stage cannot be made; for a copy, nothing is said
 * this second; for a probe it is lost.
 */
#include "data/measure.h"

#include <stdlib.h>

#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"

#define INNER_SAMPLE_EVERY 64u /* of calls, while metrics are not enabled */
#define PROBE_INTERVAL_NS  (INT64_C(1000000000) / PROBES_PER_S)
#define PROBES_HELD_MAX    16u /* in one inbox: no credit bounds them */

/* ---- time ---- */

void measure_lane_init(struct lane *lane)
{
    const struct data_options *o = lane->options;

    lane->meter.sample_every = o->metrics ? o->sample_rate : INNER_SAMPLE_EVERY;
    lane->meter.sample_left = lane->meter.sample_every;
    lane->meter.sample_drawn = lane->index + 1;
}

int measure_stage_init(struct stage *s)
{
    if (!s->lane->options->metrics) {
        return 0;
    }
    s->meter.processing = (struct hist *)malloc(sizeof(struct hist));
    s->meter.latency = (struct hist *)malloc(sizeof(struct hist));
    if (!s->meter.processing || !s->meter.latency) {
        return GP_ENOMEM;
    }
    hist_init(s->meter.processing);
    hist_init(s->meter.latency);
    return 0;
}

void measure_stage_deinit(struct stage *s)
{
    free(s->meter.processing);
    free(s->meter.latency);
}

static int64_t clock_ns(const struct task *t)
{
    return t->stage->lane->meter.clock_ns;
}

static void end_block(struct task *t)
{
    if (t->meter.blocked_ns != 0) {
        t->meter.blocked_sum_ns += clock_ns(t) - t->meter.blocked_ns;
        t->meter.blocked_ns = 0;
    }
}

void measure_begin(struct task *t)
{
    t->meter.since_ns = clock_ns(t);
}

void measure_end(struct task *t)
{
    end_block(t);
    if (t->meter.since_ns != 0) {
        t->meter.alive_sum_ns += clock_ns(t) - t->meter.since_ns;
        t->meter.since_ns = 0;
    }
}

void measure_block(struct task *t)
{
    t->meter.blocked_ns = clock_ns(t);
}

void measure_slice(struct task *t)
{
    end_block(t);
}

int64_t measure_slice_done(struct task *t)
{
    struct lane_meter *m = &t->stage->lane->meter;
    int64_t now_ns = loop_peek_ns(t->stage->lane->loop);
    int64_t took_ns = now_ns - m->clock_ns;
    int64_t inner_ns = m->inner_ns < took_ns ? m->inner_ns : took_ns;

    t->meter.busy_sum_ns += took_ns - inner_ns;
    m->inner_ns -= inner_ns; /* an estimate: what is too much now is too little later */
    m->clock_ns = now_ns;
    if (t->meter.blocked_ns != 0) {
        t->meter.blocked_ns = now_ns;
    }
    return took_ns;
}

/* ---- calls ---- */

int64_t measure_call(struct lane *lane)
{
    struct lane_meter *m = &lane->meter;

    /* From 1 to 2 n - 1: n on average. The constants are those of Numerical Recipes. */
    m->sample_drawn = m->sample_drawn * 1664525u + 1013904223u;
    m->sample_left = 1 + (uint32_t)(((uint64_t)m->sample_drawn * (2 * m->sample_every - 1)) >> 32);
    return loop_peek_ns(lane->loop);
}

void measure_call_done(struct task *t, int64_t began_ns, uint32_t rows)
{
    struct lane *lane = t->stage->lane;
    int64_t took_ns = loop_peek_ns(lane->loop) - began_ns;

    if (t->stage->meter.processing) {
        hist_record_n(t->stage->meter.processing, (uint64_t)took_ns / (rows > 0 ? rows : 1), rows);
    }
    if (t->direct) { /* within the slice of another task */
        int64_t all_ns = took_ns * lane->meter.sample_every;

        t->meter.busy_sum_ns += all_ns;
        lane->meter.inner_ns += all_ns;
    }
}

/* ---- probes ---- */

/* Where the next one goes: behind the latest rows where these go to one target at a time, else to
 * each in turn. NULL: none is there just now. */
static struct neighbour *choose(const struct task *t, const struct output *o, uint32_t *ret_dst)
{
    const struct out_edge *e = o->edge;
    const struct lane *lane = t->stage->lane;
    uint32_t dst = t->stage->meter.probe_next % e->targets;
    struct neighbour *p;

    if (e->kind == PLAN_FORWARD) {
        dst = t->api.index;
    } else if ((e->kind == PLAN_SHUFFLE || e->kind == PLAN_LOCAL) && o->neighbour->lane) {
        dst = o->dst;
    }
    if (e->to->is_leaving[dst] || e->lane_of[dst] == TOPOLOGY_PARKED) {
        return NULL;
    }
    p = lane->neighbours[e->lane_of[dst]];
    *ret_dst = dst;
    return p && p->ready ? p : NULL;
}

static void put_probe(struct task *t, struct output *o, int64_t time_ns)
{
    struct batch_element element = {
        .kind = BATCH_PROBE, .bytes = 8, .edge = o->edge->edge, .source = t->api.index};
    struct neighbour *p = choose(t, o, &element.dst);
    uint8_t body[8];

    put_u64_le(body, (uint64_t)time_ns);
    if (p) {
        (void)neighbour_put_element(p, &element, body); /* without memory it is lost */
    }
}

/* Behind all that t has emitted. */
static void send_probe(struct task *t, int64_t time_ns)
{
    struct task *to = fuse_way(t);

    t->stage->meter.probed_ns = t->stage->lane->now_ns;
    t->stage->meter.probe_next++;
    if (to) {
        measure_probe_done(to, time_ns); /* as its rows did */
        return;
    }
    for (uint32_t i = 0; i < t->stage->out_count; i++) {
        put_probe(t, &t->outputs[i], time_ns);
    }
}

static bool is_time(const struct stage *s, int64_t interval_ns)
{
    return s->lane->now_ns - s->meter.probed_ns >= interval_ns;
}

void measure_probe(struct task *t)
{
    if (t->stage->meter.latency && t->stage->out_count > 0 &&
        is_time(t->stage, PROBE_INTERVAL_NS)) {
        send_probe(t, loop_wall_ns(t->stage->lane->loop));
    }
}

void measure_probe_done(struct task *t, int64_t time_ns)
{
    struct stage *s = t->stage;
    int64_t took_ns = loop_wall_ns(s->lane->loop) - time_ns;

    if (!s->meter.latency) {
        return;
    }
    took_ns = took_ns > 0 ? took_ns : 0;
    hist_record(s->meter.latency, (uint64_t)took_ns);
    if (took_ns > t->meter.latency_max_ns) {
        t->meter.latency_max_ns = took_ns;
    }
    /* One that comes from several lanes goes on from here no oftener than it began. */
    if (s->out_count > 0 && is_time(s, PROBE_INTERVAL_NS / 2)) {
        send_probe(t, time_ns);
    }
}

void measure_probe_came(struct task *t, int64_t time_ns)
{
    if (!t->stage->meter.latency || t->state != TASK_RUNNING ||
        t->meter.probes == PROBES_HELD_MAX) {
        return;
    }
    if (!t->in_head) {
        measure_probe_done(t, time_ns);
        return;
    }
    t->meter.probes++;
    inbox_add_probe(t, time_ns);
}

/* ---- what is said ---- */

static uint64_t queue_of(const struct task *t)
{
    uint64_t rows = 0;

    for (const struct entry *e = t->in_head; e; e = e->next) {
        rows += e->kind <= ENTRY_LARGE ? e->rows : 0;
    }
    return rows;
}

static int64_t alive_ns(const struct task *t)
{
    const struct task_meter *m = &t->meter;

    return m->alive_sum_ns + (m->since_ns != 0 ? clock_ns(t) - m->since_ns : 0);
}

static int64_t blocked_ns(const struct task *t)
{
    const struct task_meter *m = &t->meter;

    return m->blocked_sum_ns + (m->blocked_ns != 0 ? clock_ns(t) - m->blocked_ns : 0);
}

static int64_t idle_ns(const struct task *t)
{
    int64_t idle = alive_ns(t) - t->meter.busy_sum_ns - blocked_ns(t);

    return idle > 0 ? idle : 0;
}

void measure_keep(const struct task *t)
{
    struct stage_meter *m = &t->stage->meter;

    m->busy_ns += t->meter.busy_sum_ns;
    m->blocked_ns += blocked_ns(t);
    m->idle_ns += idle_ns(t);
}

static void copy_task(struct task *t, struct stage_measures *to)
{
    const struct msg_task_metrics m = {.task = t->api.index,
                                       .in = t->meter.in,
                                       .out = t->meter.out,
                                       .busy_ns = (uint64_t)t->meter.busy_sum_ns,
                                       .blocked_ns = (uint64_t)blocked_ns(t),
                                       .queue = queue_of(t),
                                       .watermark =
                                           t->stage->table.poll ? t->out_ns : t->watermark_ns,
                                       .latency_p99_ns = (uint64_t)t->meter.latency_max_ns};

    to->busy_ns += m.busy_ns;
    to->blocked_ns += m.blocked_ns;
    to->idle_ns += (uint64_t)idle_ns(t);
    to->queue += m.queue;
    t->meter.latency_max_ns = 0;
    msg_slowest_add(to->slowest, &to->slowest_count, &m);
}

static struct hist *copy_hist(const struct hist *from)
{
    struct hist *to = from && hist_count(from) > 0 ? (struct hist *)malloc(sizeof(*to)) : NULL;

    if (to) {
        *to = *from;
    }
    return to;
}

static void copy_stage(struct stage *s, struct stage_measures *to)
{
    *to = (struct stage_measures){.processor = s->processor,
                                  .busy_ns = (uint64_t)s->meter.busy_ns,
                                  .idle_ns = (uint64_t)s->meter.idle_ns,
                                  .blocked_ns = (uint64_t)s->meter.blocked_ns,
                                  .processing = copy_hist(s->meter.processing),
                                  .latency = copy_hist(s->meter.latency)};
    for (uint32_t i = 0; i < s->task_count; i++) {
        copy_task(s->tasks[i], to);
    }
}

struct lane_measures *measure_copy(struct lane *lane)
{
    const uint32_t count = lane->topology->plan->processor_count;
    struct lane_measures *m =
        (struct lane_measures *)calloc(1, sizeof(*m) + count * sizeof(m->stages[0]));

    for (uint32_t p = 0; m && p < count; p++) {
        if (lane->stages[p]) {
            copy_stage(lane->stages[p], &m->stages[m->count++]);
        }
    }
    return m;
}

void measures_free(struct lane_measures *m)
{
    for (uint32_t i = 0; m && i < m->count; i++) {
        free(m->stages[i].processing);
        free(m->stages[i].latency);
    }
    free(m);
}
