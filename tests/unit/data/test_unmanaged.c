/*
 * Messages from task to task outside the stream: each arrives once, and a receiver that does not
 * keep up is not sent more than its window.
 */
#include <stdlib.h>

#include "gp_test.h"
#include "rig.h"

#define MESSAGES 2000u

static _Atomic uint64_t received;
static _Atomic uint64_t received_sum;
static _Atomic uint64_t refused;

/* Sends numbers to the tasks of "receiver" in turn, trying again each millisecond when refused. */
struct sender {
    const struct gp_task *task;
    uint64_t sent;
};

static int32_t sender_open(const struct gp_task *task, void **ret_self)
{
    struct sender *s = calloc(1, sizeof(*s));

    if (!s) {
        return GP_FAIL;
    }
    s->task = task;
    *ret_self = s;
    return GP_OK;
}

static int32_t send_one(struct sender *s)
{
    uint8_t value[200] = {0};
    struct gp_msg msg = {.size = sizeof(msg), .value = value, .value_len = sizeof(value)};
    uint64_t number = s->sent + 1;

    memcpy(value, &number, sizeof(number));
    return gp_send(s->task, GP_STR("receiver"), (uint32_t)(s->sent % 3), &msg);
}

static int32_t sender_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct sender *s = self;

    (void)out;
    while (budget-- > 0 && s->sent < MESSAGES) {
        int32_t rc = send_one(s);

        if (rc == GP_AGAIN) {
            atomic_fetch_add(&refused, 1);
            return gp_timer_set(s->task, GP_TIMER_PROCESSING, 1, gp_now_ns(s->task) + 1000000) ==
                           GP_OK
                       ? GP_IDLE
                       : GP_FAIL;
        }
        if (rc != GP_OK) {
            return rc;
        }
        s->sent++;
    }
    return s->sent == MESSAGES ? GP_IDLE : GP_MORE; /* an end would end the receivers */
}

static int32_t receiver_on_message(void *self, const struct gp_row *row, struct gp_out *out)
{
    uint64_t number;

    (void)self;
    (void)out;
    memcpy(&number, row->value, sizeof(number));
    atomic_fetch_add(&received, 1);
    atomic_fetch_add(&received_sum, number);
    return GP_OK;
}

static void send_all(uint32_t lanes, uint32_t executors, uint32_t window, uint64_t seed)
{
    static const struct gp_processor sender = {.size = sizeof(sender),
                                               .kind = GP_KIND_PROCESSOR,
                                               .type = "sender",
                                               .open = sender_open,
                                               .poll = sender_poll,
                                               .close = gp_close_free};
    struct gp_processor receiver = rig_sink;
    struct rig rig;

    receiver.on_message = receiver_on_message;
    atomic_store(&received, 0);
    atomic_store(&received_sum, 0);
    atomic_store(&refused, 0);
    rig_begin(&rig);
    rig.lanes = lanes;
    rig.executors = executors;
    rig.options.unmanaged_window_bytes = window;
    rig_add(&rig, &(struct rig_processor){.name = "sender", .table = &sender, .parallelism = 4});
    rig_add(&rig,
            &(struct rig_processor){.name = "receiver", .table = &receiver, .parallelism = 3});
    rig_connect(&rig, 0, 1, PLAN_SHUFFLE);
    rig.patience_ns = INT64_C(5000000000);
    GP_CHECK(!rig_run_simulated(&rig, seed));
    GP_CHECK_EQ(received, 4 * MESSAGES);
    GP_CHECK_EQ(received_sum, 4 * (uint64_t)MESSAGES * (MESSAGES + 1) / 2);
}

GP_TEST(unmanaged, each_message_arrives_once)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        send_all(1 + (uint32_t)seed % 3, 1 + (uint32_t)seed % 2, 64u << 10, seed);
    }
}

GP_TEST(unmanaged, more_than_the_window_is_refused_and_may_be_sent_later)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        send_all(1 + (uint32_t)seed % 3, 1 + (uint32_t)seed % 2, 1024, seed);
        GP_CHECK(refused > 0);
    }
}
