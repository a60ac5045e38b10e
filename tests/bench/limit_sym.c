/*
 * The limit of SOL in one process with every stage on every thread: two pinned threads, each a
 * source and a sink. A source sends one message to its own thread, the next to the other, so half
 * of all messages stay on their core. Four rings (two local, two crossing), published every 4,096
 * rows and four times as large, for the reason given in limit_ring.c.
 *
 * A thread with nothing to do (no room in a ring it fills, nothing in a ring it reads) spins a
 * little, then sleeps on its doorbell; its neighbour rings after each publish and each release.
 *
 * Checked: on each of the four rings, every sequence number and the sum of the messages' tails.
 */
#include <pthread.h>

#include "limit_ring.h"

#define USAGE   "[--seconds S] [--batch N]"
#define THREADS 2

struct thread {
    struct run *run;
    unsigned index;
    pthread_t handle;
    bool source_done;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t cpu_ns;
    uint64_t tail_sum[THREADS]; /* by source */
    struct doorbell bell;
};

struct run {
    struct messages messages;
    uint32_t batch;
    uint64_t duration_ns;
    struct ring *rings[THREADS][THREADS]; /* [source][sink] */
    _Alignas(CACHE_LINE) _Atomic uint32_t started;
    _Alignas(CACHE_LINE) struct thread threads[THREADS];
};

static bool source_has_room(const struct thread *t)
{
    for (unsigned sink = 0; sink < THREADS; sink++) {
        if (!ring_has_room(t->run->rings[t->index][sink], t->run->batch)) {
            return false;
        }
    }
    return true;
}

static bool sink_is_done(const struct thread *t)
{
    for (unsigned source = 0; source < THREADS; source++) {
        if (!ring_drained(t->run->rings[source][t->index])) {
            return false;
        }
    }
    return true;
}

static bool sink_has_rows(const struct thread *t)
{
    for (unsigned source = 0; source < THREADS; source++) {
        if (ring_ready(t->run->rings[source][t->index]) > 0) {
            return true;
        }
    }
    return false;
}

/* One message to each sink in turn, a batch for each. */
static void source_fill(struct thread *t)
{
    struct run *run = t->run;
    struct ring **rings = run->rings[t->index];
    uint64_t sequence = rings[0]->next;

    for (uint32_t i = 0; i < run->batch; i++, sequence++) {
        for (unsigned sink = 0; sink < THREADS; sink++) {
            struct ring *ring = rings[sink];
            row_write(ring_slot(ring, ring->next++), &run->messages, sequence, 0);
        }
    }
    for (unsigned sink = 0; sink < THREADS; sink++) {
        ring_publish(rings[sink]);
    }
    doorbell_ring(&run->threads[!t->index].bell);
}

static void source_close(struct thread *t)
{
    for (unsigned sink = 0; sink < THREADS; sink++) {
        ring_close(t->run->rings[t->index][sink]);
    }
    doorbell_ring(&t->run->threads[!t->index].bell);
    t->source_done = true;
}

static bool source_turn(struct thread *t)
{
    if (t->source_done || !source_has_room(t)) {
        return false;
    }
    source_fill(t);
    if (now_ns() - t->start_ns >= t->run->duration_ns) {
        source_close(t);
    }
    return true;
}

static void sink_read(struct thread *t, unsigned source, uint64_t count)
{
    struct ring *ring = t->run->rings[source][t->index];
    uint64_t sequence = ring->taken;
    uint64_t sum = 0;
    struct row_header header;

    for (uint64_t i = 0; i < count; i++, sequence++) {
        sum += row_read(ring_slot(ring, ring->taken++), sequence, &header);
    }
    ring_release(ring);
    t->tail_sum[source] += sum;
    if (source != t->index) {
        doorbell_ring(&t->run->threads[source].bell);
    }
}

static bool sink_turn(struct thread *t)
{
    bool moved = false;

    for (unsigned source = 0; source < THREADS; source++) {
        uint64_t ready = ring_ready(t->run->rings[source][t->index]);
        if (ready > 0) {
            sink_read(t, source, ready);
            moved = true;
        }
    }
    return moved;
}

static void sleep_if_idle(struct thread *t)
{
    doorbell_announce(&t->bell);
    if ((!t->source_done && source_has_room(t)) || sink_has_rows(t) || sink_is_done(t)) {
        doorbell_cancel(&t->bell);
        return;
    }
    doorbell_sleep(&t->bell);
}

static void wait_for_the_other(struct run *run)
{
    atomic_fetch_add(&run->started, 1);
    while (atomic_load(&run->started) < THREADS) {
        sched_yield();
    }
}

static void *thread_main(void *argument)
{
    struct thread *t = argument;
    uint64_t cpu_ns;
    int idle_turns = 0;

    pin_to_cpu((int)t->index);
    wait_for_the_other(t->run);
    cpu_ns = thread_cpu_ns();
    t->start_ns = now_ns();
    while (!t->source_done || !sink_is_done(t)) {
        bool sent = source_turn(t);
        bool received = sink_turn(t);
        if (sent || received) {
            idle_turns = 0;
        } else if (++idle_turns < RING_SPINS) {
            cpu_relax();
        } else {
            sleep_if_idle(t);
            idle_turns = 0;
        }
    }
    t->end_ns = now_ns();
    t->cpu_ns = thread_cpu_ns() - cpu_ns;
    return NULL;
}

static uint64_t check_and_count(const struct run *run)
{
    uint64_t received = 0;

    for (unsigned source = 0; source < THREADS; source++) {
        for (unsigned sink = 0; sink < THREADS; sink++) {
            const struct ring *ring = run->rings[source][sink];
            CHECK(ring->taken == ring->next);
            CHECK(run->threads[sink].tail_sum[source] ==
                  messages_tail_sum(&run->messages, ring->taken));
            received += ring->taken;
        }
    }
    return received;
}

static void run_start(struct run *run)
{
    for (unsigned source = 0; source < THREADS; source++) {
        for (unsigned sink = 0; sink < THREADS; sink++) {
            run->rings[source][sink] = ring_new(4 * run->batch, ROW_BYTES);
        }
    }
    for (unsigned i = 0; i < THREADS; i++) {
        struct thread *t = &run->threads[i];
        t->run = run;
        t->index = i;
        CHECK(pthread_create(&t->handle, NULL, thread_main, t) == 0);
    }
}

int main(int argc, char **argv)
{
    struct run *run = pages_new(sizeof(*run));
    struct thread *t = run->threads;
    uint64_t start_ns;
    uint64_t end_ns;

    options_check(argc, argv, USAGE);
    messages_fill(&run->messages);
    run->batch = (uint32_t)option_number(argc, argv, "--batch", 4096);
    run->duration_ns = (uint64_t)(option_number(argc, argv, "--seconds", 1) * 1e9);
    run_start(run);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK(pthread_join(t[i].handle, NULL) == 0);
    }
    start_ns = t[0].start_ns < t[1].start_ns ? t[0].start_ns : t[1].start_ns;
    end_ns = t[0].end_ns > t[1].end_ns ? t[0].end_ns : t[1].end_ns;

    result_open("sym");
    result_rate(check_and_count(run), end_ns - start_ns, t[0].cpu_ns + t[1].cpu_ns);
    result_close();
    return 0;
}
