/*
 * Where are the two CPUs now? The time a cache line takes from one to the other, one way: half the
 * median of 200,000 spinning round trips, which includes about 12 ns for reading the clock.
 *
 * On a virtual machine the answer changes within minutes as the host moves the CPUs about (40 ns:
 * one physical core; 60-80 ns: one chip; 250-300 ns: two), and rates between threads change up to
 * tenfold with it. Figures taken under different answers must not be compared.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "limit_histogram.h"

#define ROUND_TRIPS 200000U

struct court {
    _Alignas(CACHE_LINE) _Atomic uint32_t there;
    _Alignas(CACHE_LINE) _Atomic uint32_t back;
};

static void wait_for(_Atomic uint32_t *flag, uint32_t value)
{
    while (atomic_load_explicit(flag, memory_order_acquire) != value) {
        /* No pause: it would be measured too. */
    }
}

static void *answer(void *argument)
{
    struct court *court = argument;

    pin_to_cpu(1);
    for (uint32_t i = 1; i <= ROUND_TRIPS; i++) {
        wait_for(&court->there, i);
        atomic_store_explicit(&court->back, i, memory_order_release);
    }
    return NULL;
}

int main(void)
{
    struct court *court = pages_new(sizeof(*court));
    struct histogram *h = pages_new(sizeof(*h));
    pthread_t other;

    pin_to_cpu(0);
    CHECK(pthread_create(&other, NULL, answer, court) == 0);
    for (uint32_t i = 1; i <= ROUND_TRIPS; i++) {
        uint64_t start_ns = now_ns();
        atomic_store_explicit(&court->there, i, memory_order_release);
        wait_for(&court->back, i);
        histogram_add(h, now_ns() - start_ns);
    }
    CHECK(pthread_join(other, NULL) == 0);

    result_open("probe");
    result_number("one_way_ns", histogram_quantile(h, 0.5) / 2);
    result_number("one_way_p99_ns", histogram_quantile(h, 0.99) / 2);
    result_close();
    return 0;
}
