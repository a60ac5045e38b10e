/*
 * Large messages on a link that small ones of other tasks use, too: these overtake them. Neither
 * what the same task sends behind a large message to the same task does, nor its time.
 */
#include <stdlib.h>
#include <string.h>

#include "data/limits.h"
#include "gp_test.h"
#include "rig.h"

#define LARGE_COUNT 8u
#define LARGE_BYTES (1u << 20)
#define BETWEEN     200u /* small ones from one large to the next */
#define SMALL_MAX   200000u

/* Who has sent and seen how much, of all tasks. The world is simulated: there is one thread. */
struct race {
    uint32_t large_count;
    uint32_t between;
    uint64_t small_sent;
    uint64_t small_seen;
    uint64_t serial_sent; /* of what the large source sends: large, small, large, ... */
    uint64_t serial_seen;
    uint64_t sent_before[2 * 64]; /* small ones, when that serial was sent */
    uint64_t overtaken;           /* large ones, by small ones that were sent later */
    uint64_t overtakers;
    uint64_t disordered;
    uint64_t times;      /* that came */
    uint64_t times_last; /* ... behind everything else */
    uint64_t early;      /* before what they follow */
    bool all_came;
    uint8_t value[LARGE_BYTES];
};

static int32_t race_open(const struct gp_task *task, void **ret_self)
{
    const struct rig_processor *about = task->config->host;

    *ret_self = about->user;
    return GP_OK;
}

static int32_t small_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct race *r = self;
    uint8_t value[16] = {0};

    (void)budget;
    r->small_sent++;
    if (gp_emit(out, 0, value, sizeof(value)) != GP_OK) {
        return GP_FAIL;
    }
    return r->all_came || r->small_sent == SMALL_MAX ? GP_END : GP_MORE;
}

static int32_t small_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct race *r = self;

    (void)port;
    (void)out;
    r->small_seen += in->count;
    *consumed = in->count;
    return GP_OK;
}

/* Time is the serial number, too. */
static int32_t send_serial(struct race *r, struct gp_out *out, uint32_t bytes)
{
    int64_t time_ns = (int64_t)r->serial_sent;

    memcpy(r->value, &r->serial_sent, sizeof(r->serial_sent));
    r->sent_before[r->serial_sent] = r->small_sent;
    r->serial_sent++;
    return gp_emit(out, time_ns, r->value, bytes);
}

static int32_t large_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct race *r = self;

    (void)budget;
    if (r->small_sent < (r->serial_sent / 2 + 1) * r->between) {
        return GP_MORE;
    }
    if (send_serial(r, out, LARGE_BYTES) != GP_OK || send_serial(r, out, 16) != GP_OK ||
        gp_emit_watermark(out, (int64_t)r->serial_sent) != GP_OK) {
        return GP_FAIL;
    }
    return r->serial_sent == UINT64_C(2) * r->large_count ? GP_END : GP_MORE;
}

static int32_t large_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct race *r = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        uint64_t serial;

        memcpy(&serial, row->value, sizeof(serial));
        r->disordered += serial != r->serial_seen;
        r->serial_seen = serial + 1;
        if (row->value_len == LARGE_BYTES && r->small_seen > r->sent_before[serial]) {
            r->overtaken++;
            r->overtakers += r->small_seen - r->sent_before[serial];
        }
    }
    r->all_came = r->serial_seen == UINT64_C(2) * r->large_count;
    return GP_OK;
}

static int32_t large_on_watermark(void *self, int64_t time_ns, struct gp_out *out)
{
    struct race *r = self;

    (void)out;
    if (time_ns < GP_TIME_MAX) {
        r->early += (uint64_t)time_ns > r->serial_seen;
        r->times++;
        r->times_last += r->all_came;
    }
    return GP_OK;
}

static const struct gp_processor small_source = {.size = sizeof(small_source),
                                                 .kind = GP_KIND_PROCESSOR,
                                                 .type = "small-source",
                                                 .open = race_open,
                                                 .poll = small_poll};
static const struct gp_processor small_sink = {.size = sizeof(small_sink),
                                               .kind = GP_KIND_PROCESSOR,
                                               .type = "small-sink",
                                               .open = race_open,
                                               .process = small_process};
static const struct gp_processor large_source = {.size = sizeof(large_source),
                                                 .kind = GP_KIND_PROCESSOR,
                                                 .type = "large-source",
                                                 .open = race_open,
                                                 .poll = large_poll};
static const struct gp_processor large_sink = {.size = sizeof(large_sink),
                                               .kind = GP_KIND_PROCESSOR,
                                               .type = "large-sink",
                                               .open = race_open,
                                               .process = large_process,
                                               .on_watermark = large_on_watermark};

static uint32_t add(struct rig *rig, const char *name, const struct gp_processor *table,
                    struct race *r)
{
    return rig_add(
        rig, &(struct rig_processor){.name = name, .table = table, .parallelism = 1, .user = r});
}

/* Both sources on one lane and both sinks on another, over an edge of that kind. */
static struct race *run_race(uint32_t mode, uint32_t large_count, uint32_t between, uint64_t seed)
{
    struct race *r = calloc(1, sizeof(*r));
    struct rig rig;

    GP_REQUIRE(r != NULL);
    r->large_count = large_count;
    r->between = between;
    rig_begin(&rig);
    rig.executors = 2;
    rig.same_host = mode != EDGE_MODE_TCP;
    rig.options.edge_mode = mode;
    rig.options.window_max_bytes = 4u << 20;
    add(&rig, "large-source", &large_source, r);
    add(&rig, "large-sink", &large_sink, r);
    add(&rig, "small-source", &small_source, r);
    add(&rig, "small-sink", &small_sink, r);
    rig_connect(&rig, 0, 1, PLAN_SHUFFLE);
    rig_connect(&rig, 2, 3, PLAN_SHUFFLE);
    GP_CHECK(rig_run_simulated(&rig, seed));
    GP_CHECK_EQ(r->serial_seen, UINT64_C(2) * large_count);
    GP_CHECK_EQ(r->small_seen, r->small_sent);
    GP_CHECK_EQ(r->disordered, 0);
    GP_CHECK_EQ(r->early, 0);
    return r;
}

GP_TEST(large, is_overtaken_by_small_ones_to_other_tasks)
{
    for (uint32_t mode = EDGE_MODE_AUTO; mode <= EDGE_MODE_TCP; mode++) {
        struct race *r = run_race(mode, LARGE_COUNT, BETWEEN, mode + 1);

        GP_CHECK_EQ(r->overtaken, LARGE_COUNT);
        GP_CHECK(r->overtakers >= LARGE_COUNT * 8);
        free(r);
    }
}

/* One is always on its way, so time must pass between them. */
GP_TEST(large, without_end_lets_time_pass)
{
    struct race *r = run_race(EDGE_MODE_TCP, 64, 0, 1);

    GP_CHECK(r->times - r->times_last >= 8);
    free(r);
}
