/*
 * lone_lane.c: see lone_lane.h.
 */
#include "lone_lane.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "data/lane.h"
#include "data/move.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/timers.h"

/* ---- a world in which nothing happens ---- */

static int64_t now_ns(struct loop *loop)
{
    (void)loop;
    return 1000;
}

static void nothing(struct loop *loop)
{
    (void)loop;
}

static void on_timer(void *user)
{
    (void)user;
}

static int make_timer(struct loop *loop, loop_fn fn, void *user, struct timer **ret_timer)
{
    (void)fn;
    (void)user;
    *ret_timer = calloc(1, sizeof(**ret_timer));
    ASSERT(*ret_timer != NULL);
    (*ret_timer)->loop = loop;
    return 0;
}

static void start_timer(struct timer *timer, int64_t delay_ns)
{
    (void)timer;
    (void)delay_ns;
}

static void stop_timer(struct timer *timer)
{
    (void)timer;
}

static void free_timer(struct timer *timer)
{
    free(timer);
}

static const struct loop_ops ops = {.now_ns = now_ns,
                                    .fresh_now_ns = now_ns,
                                    .peek_ns = now_ns,
                                    .wall_ns = now_ns,
                                    .wake = nothing,
                                    .timer_new = make_timer,
                                    .timer_start = start_timer,
                                    .timer_stop = stop_timer,
                                    .timer_free = free_timer};

/* ---- a job: two sources elsewhere and here, three sinks here ---- */

static volatile uint64_t sum; /* so that reading every byte cannot be left out */

static int32_t task_open(const struct gp_task *task, void **ret_self)
{
    *ret_self = (void *)(uintptr_t)task;
    return GP_OK;
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)self;
    (void)port;
    GP_EACH (row, in, consumed, out) {
        for (uint32_t i = 0; i < row->key_len; i++) {
            sum += ((const uint8_t *)row->key)[i];
        }
        for (uint32_t i = 0; i < row->value_len; i++) {
            sum += ((const uint8_t *)row->value)[i];
        }
        if (row->value_len == 1) { /* leave some of them for later */
            ++*consumed;
            return GP_YIELD;
        }
        if (row->value_len == 2) {
            return GP_REJECT;
        }
    }
    return GP_OK;
}

static int32_t sink_message(void *self, const struct gp_row *row, struct gp_out *out)
{
    (void)self;
    (void)out;
    for (uint32_t i = 0; i < row->value_len; i++) {
        sum += ((const uint8_t *)row->value)[i];
    }
    return GP_OK;
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    (void)self;
    (void)out;
    (void)budget;
    return GP_IDLE;
}

static const struct gp_processor source_table = {.size = sizeof(source_table),
                                                 .kind = GP_KIND_PROCESSOR,
                                                 .open = task_open,
                                                 .poll = source_poll};
static const struct gp_processor sink_table = {.size = sizeof(sink_table),
                                               .kind = GP_KIND_PROCESSOR,
                                               .open = task_open,
                                               .process = sink_process,
                                               .on_message = sink_message};

static struct placement_range range(uint32_t processor, uint32_t first, uint32_t count,
                                    uint32_t executor)
{
    return (struct placement_range){.processor = processor,
                                    .first = first,
                                    .count = count,
                                    .executor = executor,
                                    .session = LONE_SESSION};
}

void lone_lane_begin_telling(struct lone_lane *w, uint32_t window_bytes)
{
    const struct stream_place place = {.executor = 1};
    struct placement placement = {w->ranges, 3};

    memset(w, 0, sizeof(*w));
    w->loop.ops = &ops;
    w->processors[0] = (struct plan_processor){
        .name = (char *)(uintptr_t) "source", .parallelism = 2, .is_source = 1, .outputs = 1};
    w->processors[1] = (struct plan_processor){
        .name = (char *)(uintptr_t) "sink", .parallelism = LONE_SINKS + 1, .inputs = 2};
    w->edges[0] = (struct plan_edge){.from = 0, .to = 1, .partitioner = PLAN_HASH};
    w->edges[1] =
        (struct plan_edge){.from = 0, .to = 1, .to_port = 1, .partitioner = PLAN_BROADCAST};
    w->plan = (struct plan){.app_name = (char *)(uintptr_t) "fuzz",
                            .processors = w->processors,
                            .processor_count = 2,
                            .edges = w->edges,
                            .edge_count = 2};
    w->ranges[0] = range(0, 0, 1, 1);
    w->ranges[1] = range(0, 1, 1, 2);
    w->ranges[2] = range(1, 0, LONE_SINKS, 2);
    w->ranges[3] = range(1, LONE_SINKS, 1, 1);
    placement.count = 4;
    w->hosts[0] = (struct placement_host){1, 1, 0};
    w->hosts[1] = (struct placement_host){2, 1, 0};
    w->options = data_options_default();
    w->options.window_max_bytes = LONE_WINDOW;
    w->options.message_max_bytes = LONE_MESSAGE_MAX;
    w->options.large_budget_bytes = 65536;
    ASSERT(topology_new(&w->plan, &placement, w->hosts, 2, &w->options, NULL, &w->topologies[0],
                        NULL) == 0);
    w->topologies[0]->lanes[1].tcp_window_bytes = window_bytes;
    w->code[0].table = &source_table;
    w->code[1].table = &sink_table;
    w->env = (struct lane_env){
        .topology = w->topologies[0],
        .options = &w->options,
        .processors = w->code,
    };
    ASSERT(lane_new(&w->env, 1, &w->lane, NULL) == 0);
    ASSERT(lane_add_stream(w->lane, 0, &place) == 0);
    w->from = w->lane->neighbours[0];
    w->lane->note = &w->note;
    w->lane->loop = &w->loop;
    ASSERT(lane_timers_new(w->lane, &w->lane->timers) == 0);
    ASSERT(timer_new(&w->loop, on_timer, NULL, &w->lane->linger_timer) == 0);
    ASSERT(neighbour_take_opening(w->from, &(struct batch_credit){.edge = LONE_WINDOW,
                                                                  .kind = BATCH_CREDIT_OPEN}) == 0);
    ASSERT(neighbour_take_opening(w->from, &(struct batch_credit){.kind = BATCH_CREDIT_READY}) ==
           1);
    lane_command(w->lane, LANE_OPEN);
    (void)lane_turn(w->lane);
    lane_command(w->lane, LANE_START);
    (void)lane_turn(w->lane);
}

void lone_lane_begin(struct lone_lane *w)
{
    lone_lane_begin_telling(w, LONE_WINDOW);
}

void lone_lane_end(struct lone_lane *w)
{
    lane_command(w->lane, LANE_STOP);
    while (lane_turn(w->lane) != RUNNER_DONE) {
    }
    lane_fini(w->lane);
    lane_free(w->lane);
    for (uint32_t i = 0; i <= w->places; i++) {
        topology_free(w->topologies[i]);
    }
}

void lone_lane_take_batch(struct lone_lane *w, const uint8_t *bytes, size_t len)
{
    struct parcel *parcel;
    int rc;

    if (!w->from->ready) {
        neighbour_fail(w->from, GP_EPROTO, "a batch within an opening");
        return;
    }
    parcel = parcel_new(w->lane);

    parcel->neighbour = w->from;
    rc = inbox_accept_take(w->lane, parcel, bytes, len);
    if (rc < 0) {
        neighbour_fail_batch(w->from, rc);
    }
}

struct lone_loan {
    struct stream_loan base;
    struct lone_lane *w;
};

static void end_loan(struct stream_loan *base)
{
    struct lone_loan *loan = (struct lone_loan *)base;

    loan->w->loans--;
    free(loan);
}

void lone_lane_take_lent(struct lone_lane *w, uint8_t *bytes, size_t len)
{
    struct lone_loan *loan = (struct lone_loan *)malloc(sizeof(*loan));
    struct parcel *parcel = parcel_new(w->lane);
    struct rbuf *buf;
    int rc;

    ASSERT(loan);
    *loan = (struct lone_loan){.base = {.end = end_loan}, .w = w};
    w->loans++;
    buf = rbuf_new_lent_take(bytes, len, &loan->base);
    ASSERT(buf);
    parcel->neighbour = w->from;
    rc = inbox_accept_lent_take(w->lane, parcel, buf, bytes, len);
    rbuf_unref(buf);
    if (rc < 0) {
        neighbour_fail_batch(w->from, rc);
    }
}

void lone_lane_take_mark(struct lone_lane *w, uint64_t generation)
{
    uint8_t *mark = w->marks[w->mark_count++ % LONE_PLACES_MAX];

    batch_element_put(mark, &(struct batch_element){.kind = BATCH_MOVE, .bytes = 8});
    put_u64_le(mark + BATCH_ELEMENT_SIZE, generation);
    lone_lane_take_batch(w, mark, sizeof(w->marks[0]));
}

void lone_lane_place(struct lone_lane *w, gp_bytes state)
{
    struct placement_range *moves = &w->ranges[3];
    const struct placement placement = {w->ranges, 4};
    const struct stream_place places[2] = {{.executor = 1}, {.executor = 2}};
    const struct lane_state what = {
        .processor = moves->processor, .task = moves->first, .moved = true, .bytes = state};
    struct lane_update update = {.places = places, .states = &what, .state_count = 1};

    if (w->places == LONE_PLACES_MAX) {
        return;
    }
    w->places++;
    moves->leaving = !moves->leaving;
    if (!moves->leaving) {
        moves->executor = 3 - moves->executor;
        moves->session++;
    }
    moves->since = LONE_SESSION;
    ASSERT(topology_new(&w->plan, &placement, w->hosts, 2, &w->options,
                        w->topologies[w->places - 1], &w->topologies[w->places], NULL) == 0);
    update.generation = w->places;
    update.moves = w->places;
    update.topology = w->topologies[w->places];
    lane_take_update(w->lane, &update);
}

/* As neighbour_stream.c does, save that an opening while the link is up is another connection. */
static int take_entry(struct lone_lane *w, const struct batch_credit *c)
{
    if (c->kind == BATCH_CREDIT_DONE) {
        return neighbour_take_done(w->from, c);
    }
    if (c->kind == BATCH_CREDIT_MOVE) {
        return move_on_heard(w->from, (uint64_t)c->bytes << 32 | c->dst);
    }
    if (c->kind < BATCH_CREDIT_OPEN) {
        neighbour_take_credit(w->from, c);
        return 0;
    }
    if (w->from->ready) {
        neighbour_lose(w->from);
    }
    return neighbour_take_opening(w->from, c);
}

void lone_lane_take_credit(struct lone_lane *w, const uint8_t *bytes, size_t len)
{
    struct batch_cursor cursor = {bytes, len};
    struct batch_credit credit;
    int rc;

    while (!w->from->failed && (rc = batch_credit_next(&cursor, &credit)) != 0) {
        if (rc < 0 || take_entry(w, &credit) < 0) {
            neighbour_fail(w->from, GP_EPROTO, "credit is malformed");
        }
    }
}

static void check_accounts(const struct lone_lane *w)
{
    for (uint32_t i = 0; i < LONE_EDGES; i++) {
        const struct out_edge *e = w->lane->out_edges[i];
        uint32_t exhausted = 0;

        for (uint32_t k = 0; k < e->targets; k++) {
            const struct neighbour *p = w->lane->neighbours[e->lane_of[k]];
            int32_t held = out_edge_held(e, k);

            ASSERT(e->credit[k] <= (p->ready ? (int32_t)p->window_out - held : -held));
            exhausted += e->credit[k] <= 0;
        }
        ASSERT(e->exhausted == exhausted);
    }
}

void lone_lane_go(struct lone_lane *w)
{
    for (int i = 0; i < 4; i++) {
        (void)lane_turn(w->lane);
        check_accounts(w);
    }
}
