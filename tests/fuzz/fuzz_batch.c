/*
 * What a neighbour in another process may send to a lane: batches and credit, through the walk over
 * elements, the inboxes and the views that tasks are given. Whatever comes, tasks see only rows
 * that lie within the bytes received, and the lane's books stay balanced.
 *
 * Input: frames, each a byte (odd: credit), a length of two bytes and that many bytes, padded to 8.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "data/lane.h"
#include "data/neighbour_stream.h"
#include "data/output.h"
#include "data/timers.h"

#define SINKS   3u
#define SESSION (UINT64_C(1) << 32)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

struct world {
    struct loop loop;
    struct plan_processor processors[2];
    struct plan_edge edges[2];
    struct plan plan;
    struct placement_range ranges[4];
    struct placement_host hosts[2];
    struct data_options options;
    struct topology *topology;
    struct lane_processor code[2];
    struct lane_env env;
    struct crash_note note;
    struct lane *lane;
    struct neighbour *from;
};

static void world_begin(struct world *w)
{
    const struct stream_place place = {.executor = 1};
    struct placement placement = {w->ranges, 3};

    memset(w, 0, sizeof(*w));
    w->loop.ops = &ops;
    w->processors[0] = (struct plan_processor){
        .name = (char *)(uintptr_t) "source", .parallelism = 2, .is_source = 1, .outputs = 1};
    w->processors[1] = (struct plan_processor){
        .name = (char *)(uintptr_t) "sink", .parallelism = SINKS + 1, .inputs = 2};
    w->edges[0] = (struct plan_edge){.from = 0, .to = 1, .partitioner = PLAN_HASH};
    w->edges[1] =
        (struct plan_edge){.from = 0, .to = 1, .to_port = 1, .partitioner = PLAN_BROADCAST};
    w->plan = (struct plan){.app_name = (char *)(uintptr_t) "fuzz",
                            .processors = w->processors,
                            .processor_count = 2,
                            .edges = w->edges,
                            .edge_count = 2};
    w->ranges[0] = (struct placement_range){0, 0, 1, 1, 0, SESSION};
    w->ranges[1] = (struct placement_range){0, 1, 1, 2, 0, SESSION};
    w->ranges[2] = (struct placement_range){1, 0, SINKS, 2, 0, SESSION};
    w->ranges[3] = (struct placement_range){1, SINKS, 1, 1, 0, SESSION};
    placement.count = 4;
    w->hosts[0] = (struct placement_host){1, 1, 0};
    w->hosts[1] = (struct placement_host){2, 1, 0};
    w->options = data_options_default();
    w->options.window_max_bytes = 1024;
    w->options.message_max_bytes = 65536;
    w->options.large_budget_bytes = 65536;
    ASSERT(topology_new(&w->plan, &placement, w->hosts, 2, &w->options, NULL, &w->topology, NULL) ==
           0);
    w->code[0].table = &source_table;
    w->code[1].table = &sink_table;
    w->env = (struct lane_env){
        .topology = w->topology,
        .options = &w->options,
        .processors = w->code,
    };
    ASSERT(lane_new(&w->env, 1, &w->lane, NULL) == 0);
    ASSERT(lane_add_stream(w->lane, 0, &place) == 0);
    w->from = w->lane->neighbours[0];
    w->lane->note = &w->note;
    w->lane->loop = &w->loop;
    ASSERT(lane_timers_new(w->lane, &w->lane->timers) == 0);
    ASSERT(neighbour_take_opening(
               w->from, &(struct batch_credit){.edge = 1024, .kind = BATCH_CREDIT_OPEN}) == 0);
    ASSERT(neighbour_take_opening(w->from, &(struct batch_credit){.kind = BATCH_CREDIT_READY}) ==
           1);
    lane_command(w->lane, LANE_OPEN);
    (void)lane_turn(w->lane);
    lane_command(w->lane, LANE_START);
    (void)lane_turn(w->lane);
}

static void world_end(struct world *w)
{
    lane_command(w->lane, LANE_STOP);
    while (lane_turn(w->lane) != RUNNER_DONE) {
    }
    lane_fini(w->lane);
    lane_free(w->lane);
    topology_free(w->topology);
}

static void take_batch(struct world *w, const uint8_t *bytes, size_t len)
{
    struct parcel *parcel = parcel_new(w->lane);

    parcel->neighbour = w->from;
    if (inbox_accept_take(w->lane, parcel, bytes, len) < 0) {
        neighbour_fail(w->from, GP_EPROTO, "a batch is malformed");
    }
}

static void take_credit(struct world *w, const uint8_t *bytes, size_t len)
{
    struct batch_cursor cursor = {bytes, len};
    struct batch_credit credit;

    while (batch_credit_next(&cursor, &credit) > 0) {
        if (credit.kind < BATCH_CREDIT_DONE) {
            neighbour_take_credit(w->from, &credit);
        } else if (credit.kind == BATCH_CREDIT_DONE) {
            (void)neighbour_take_done(w->from, &credit);
        } else if (w->from->ready) {
            neighbour_lose(w->from); /* another connection */
        } else if (neighbour_take_opening(w->from, &credit) < 0) {
            neighbour_fail(w->from, GP_EPROTO, "an opening is malformed");
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *frames[16];
    uint32_t count = 0;
    struct world w;

    world_begin(&w);
    while (size >= 3 && count < 16 && !w.from->failed) {
        size_t len = (size_t)data[1] | (size_t)data[2] << 8;
        bool is_credit = data[0] & 1;
        uint8_t *frame;

        data += 3;
        size -= 3;
        len = (len < size ? len : size) & ~(size_t)7;
        frame = aligned_alloc(64, ALIGN_UP(len + 1, (size_t)64)); /* as a read buffer */
        ASSERT(frame != NULL);
        frames[count++] = frame;
        memcpy(frame, data, len);
        data += len;
        size -= len;
        if (is_credit) {
            take_credit(&w, frame, len);
        } else {
            take_batch(&w, frame, len);
        }
        for (int i = 0; i < 4; i++) {
            (void)lane_turn(w.lane);
        }
        for (uint32_t i = 0; i < w.lane->out_edges[0]->targets; i++) {
            ASSERT(w.lane->out_edges[0]->credit[i] <=
                   (int32_t)w.lane->neighbours[w.lane->out_edges[0]->lane_of[i]]->window_out);
        }
    }
    world_end(&w);
    for (uint32_t i = 0; i < count; i++) {
        free(frames[i]);
    }
    return 0;
}
