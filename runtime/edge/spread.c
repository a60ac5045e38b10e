/*
 * spread.c: see spread.h.
 *
 * Happy path: looks that count; decide; leave; return. Failures: affinity that cannot be read (more
 * CPUs than a cpu_set_t has) or set: it stays where it is. If somebody else binds the thread while
 * it is away, that stands.
 */
#include "edge/spread.h"

#include <sys/resource.h>

#include "edge/limits.h"

void spread_begin(struct spread *s, bool wanted)
{
    *s = (struct spread){.wanted = wanted, .rest_ns = EDGE_SPREAD_REST_MIN_NS};
}

bool spread_decide(struct spread *s, int64_t now_ns, uint64_t lost)
{
    const int64_t since_ns = now_ns - s->looked_ns;
    const uint64_t times = lost - s->lost;

    s->looked_ns = now_ns;
    s->lost = lost;
    /* A longer time is one in which it slept, or stood still: that says nothing. */
    if (since_ns > EDGE_SPREAD_LOOK_MAX_NS || times < EDGE_SPREAD_LOST_MIN ||
        now_ns - s->left_ns < s->rest_ns) {
        return false;
    }
    if (now_ns - s->left_ns > s->rest_ns * EDGE_SPREAD_CALM) {
        s->rest_ns = EDGE_SPREAD_REST_MIN_NS;
    } else if (s->rest_ns < EDGE_SPREAD_REST_MAX_NS) {
        s->rest_ns *= 2;
    }
    s->left_ns = now_ns;
    return true;
}

void spread_leave(struct spread *s)
{
    const int here = sched_getcpu();

    spread_return(s);
    if (here < 0 || here >= CPU_SETSIZE ||
        sched_getaffinity(0, sizeof(s->before), &s->before) != 0 || CPU_COUNT(&s->before) < 2) {
        return;
    }
    s->allowed = s->before;
    CPU_CLR((size_t)here, &s->allowed);
    s->away = sched_setaffinity(0, sizeof(s->allowed), &s->allowed) == 0;
}

static uint64_t times_lost(void)
{
    struct rusage used;

    return getrusage(RUSAGE_THREAD, &used) == 0 ? (uint64_t)used.ru_nivcsw : 0;
}

void spread_look(struct spread *s, int64_t now_ns)
{
    if (!s->wanted || now_ns - s->looked_ns < EDGE_SPREAD_LOOK_NS) {
        return;
    }
    if (spread_decide(s, now_ns, times_lost())) {
        spread_leave(s);
    } else if (s->away && now_ns - s->left_ns >= EDGE_SPREAD_AWAY_NS) {
        spread_return(s);
    }
}

void spread_return(struct spread *s)
{
    cpu_set_t now;

    if (!s->away) {
        return;
    }
    s->away = false;
    if (sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &s->allowed)) {
        (void)sched_setaffinity(0, sizeof(s->before), &s->before); /* a wish */
    }
}
