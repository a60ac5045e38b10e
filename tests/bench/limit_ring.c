/*
 * The limit of SOL in one process, source and sink on different threads: a plain ring of 104-byte
 * slots (a 32-bit sequence number and 100 bytes), from CPU 0 to CPU 1, published every 256 slots.
 * With --between processes the same in memory that two processes share.
 *
 * The ring has 32,768 slots: 3.4 MB, more than an L2. A small ring is several times slower, for the
 * producer then rewrites lines that the consumer's core still holds.
 *
 * Checked: the sequence number of every message, the sum of their last eight bytes at the end.
 */
#include "limit_ring.h"

#include <pthread.h>

#define USAGE                                                                                      \
    "[--seconds S] [--slots N] [--batch N] [--claim slot|batch] [--between threads|processes]"
#define BATCHES_A_CLOCK 16 /* the clock is read this seldom: 25 ns among 4,096 messages */

struct slot {
    uint32_t sequence;
    char body[MESSAGE_BYTES];
};
_Static_assert(sizeof(struct slot) == 104, "the slot of the row's description");

struct run {
    struct messages messages;
    struct ring *ring;
    struct doorbell producer_bell;
    struct doorbell consumer_bell;
    uint32_t batch;
    bool claims_batch;
    uint64_t start_ns;
    uint64_t deadline_ns;
    uint64_t producer_cpu_ns;
    _Alignas(CACHE_LINE) uint64_t end_ns; /* the consumer's results */
    uint64_t consumer_cpu_ns;
    uint64_t received;
};

static void wait_for_room(struct run *run)
{
    for (int i = 0; i < RING_SPINS; i++) {
        if (ring_has_room(run->ring, run->batch)) {
            return;
        }
        cpu_relax();
    }
    doorbell_announce(&run->producer_bell);
    if (ring_has_room(run->ring, run->batch)) {
        doorbell_cancel(&run->producer_bell);
        return;
    }
    doorbell_sleep(&run->producer_bell);
}

static void slot_fill(struct slot *slot, const struct messages *messages, uint64_t sequence)
{
    slot->sequence = (uint32_t)sequence;
    memcpy(slot->body, message_at(messages, sequence), MESSAGE_BYTES);
}

/* Slot by slot through the ring, as any caller of a ring that takes one message would. */
static void fill_by_slot(struct run *run)
{
    struct ring *ring = run->ring;
    uint64_t sequence = ring->next;

    for (uint32_t i = 0; i < run->batch; i++) {
        slot_fill((struct slot *)(void *)ring_slot(ring, ring->next++), &run->messages, sequence++);
    }
}

/* A batch of slots claimed at once: cursor and shape stay in registers, which only a loop that
 * owns both the messages and the ring can do. The bound that no ring gets past. */
static void fill_by_batch(struct run *run)
{
    struct slot *slots = (struct slot *)(void *)run->ring->data;
    uint64_t mask = run->ring->slots - 1;
    uint64_t sequence = run->ring->next;

    for (uint32_t i = 0; i < run->batch; i++, sequence++) {
        slot_fill(&slots[sequence & mask], &run->messages, sequence);
    }
    run->ring->next = sequence;
}

static void produce(struct run *run)
{
    uint64_t cpu_ns = thread_cpu_ns();

    for (uint32_t batches = 1;; batches++) {
        while (!ring_has_room(run->ring, run->batch)) {
            wait_for_room(run);
        }
        if (run->claims_batch) {
            fill_by_batch(run);
        } else {
            fill_by_slot(run);
        }
        ring_publish(run->ring);
        doorbell_ring(&run->consumer_bell);
        if (batches % BATCHES_A_CLOCK == 0 && now_ns() >= run->deadline_ns) {
            break;
        }
    }
    ring_close(run->ring);
    doorbell_ring(&run->consumer_bell);
    run->producer_cpu_ns = thread_cpu_ns() - cpu_ns;
}

static void wait_for_slots(struct run *run)
{
    struct ring *ring = run->ring;

    for (int i = 0; i < RING_SPINS; i++) {
        if (ring_ready(ring) > 0) {
            return;
        }
        cpu_relax();
    }
    doorbell_announce(&run->consumer_bell);
    if (ring_ready(ring) > 0 || ring_drained(ring)) {
        doorbell_cancel(&run->consumer_bell);
        return;
    }
    doorbell_sleep(&run->consumer_bell);
}

/* Reads up to one batch and gives it back; returns the sum of the tails. */
static uint64_t read_batch(struct run *run, uint64_t count)
{
    struct ring *ring = run->ring;
    uint64_t sequence = ring->taken;
    uint64_t sum = 0;

    for (uint64_t i = 0; i < count; i++, sequence++) {
        const struct slot *slot = (const struct slot *)(void *)ring_slot(ring, ring->taken++);
        CHECK(slot->sequence == (uint32_t)sequence);
        sum += message_tail(slot->body);
    }
    ring_release(ring);
    doorbell_ring(&run->producer_bell);
    return sum;
}

static void *consume(void *argument)
{
    struct run *run = argument;
    struct ring *ring = run->ring;
    uint64_t cpu_ns;
    uint64_t sum = 0;

    pin_to_cpu(1);
    cpu_ns = thread_cpu_ns();
    while (!ring_drained(ring)) {
        uint64_t ready = ring_ready(ring);
        if (ready == 0) {
            wait_for_slots(run);
            continue;
        }
        sum += read_batch(run, ready < run->batch ? ready : run->batch);
    }
    run->end_ns = now_ns();
    run->consumer_cpu_ns = thread_cpu_ns() - cpu_ns;
    run->received = ring->taken;
    CHECK(sum == messages_tail_sum(&run->messages, ring->taken));
    return NULL;
}

int main(int argc, char **argv)
{
    struct run *run = pages_new(sizeof(*run));
    bool threads = option_is(argc, argv, "--between", "threads", "processes");
    pthread_t consumer;
    pid_t child = -1;

    options_check(argc, argv, USAGE);
    messages_fill(&run->messages);
    run->batch = (uint32_t)option_number(argc, argv, "--batch", 256);
    run->claims_batch = !option_is(argc, argv, "--claim", "slot", "batch");
    run->ring =
        ring_new((uint32_t)option_number(argc, argv, "--slots", 32768), sizeof(struct slot));
    CHECK(run->batch <= run->ring->slots);

    pin_to_cpu(0);
    if (threads) {
        CHECK(pthread_create(&consumer, NULL, consume, run) == 0);
    } else if ((child = fork()) == 0) {
        (void)consume(run);
        return 0;
    }
    run->start_ns = now_ns();
    run->deadline_ns = run->start_ns + (uint64_t)(option_number(argc, argv, "--seconds", 1) * 1e9);
    produce(run);
    if (threads) {
        CHECK(pthread_join(consumer, NULL) == 0);
    } else {
        child_check(child);
    }
    CHECK(run->received == run->ring->next);

    result_open(!threads ? "ring_shared" : run->claims_batch ? "ring_batch" : "ring");
    result_rate(run->received, run->end_ns - run->start_ns,
                run->producer_cpu_ns + run->consumer_cpu_ns);
    result_close();
    return 0;
}
