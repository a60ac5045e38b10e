/*
 * spread.h: two threads that share a CPU while another is idle, told apart.
 *
 * Who writes to a stream wakes the reader, and the kernel, which takes the writer to be about to
 * sleep, may put it on the writer's CPU. A writer that is busy does not sleep: the reader takes the
 * CPU from it for each message, and when it has used up what it was owed it waits for a tick, 3-4
 * ms, however idle the next CPU is. Where both are busy the kernel looks for no other CPU
 * (SIS_UTIL), so they stay together until it balances.
 *
 * A busy thread sees that: it loses its CPU, without having wanted to sleep, every few
 * microseconds. Then it leaves that CPU and may not come back for a while, or until it sleeps.
 *
 *     busy ──switched away from often──▶ away ──EDGE_SPREAD_AWAY_NS, or it sleeps──▶ busy
 *
 * Invariants: it is bound to nothing but while away, and then to all but one of the CPUs it may
 * use; where it leaves again and again it rests twice as long each time, so that more busy threads
 * than CPUs pay next to nothing. All of it is a wish: where the kernel refuses, nothing happens.
 * Thread: the one that is spread.
 */
#ifndef EDGE_SPREAD_H
#define EDGE_SPREAD_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/* Private. */
struct spread {
    bool wanted;
    bool away;
    int64_t looked_ns;
    int64_t left_ns; /* when it left last */
    int64_t rest_ns; /* from then on, before it leaves again */
    uint64_t lost;   /* times it had lost its CPU at looked_ns */
    cpu_set_t before;
    cpu_set_t allowed; /* while away */
};

/* wanted: false for a thread that is bound to a CPU; nothing happens then. */
void spread_begin(struct spread *s, bool wanted);

/* Called by a busy thread every few microseconds; does something every EDGE_SPREAD_LOOK_NS. */
void spread_look(struct spread *s, int64_t now_ns);

/* Back to all CPUs. Called before it sleeps, and at its end. */
void spread_return(struct spread *s);

/* ---- for tests ---- */

/* What a look decides: whether to leave, of a thread that has lost its CPU `lost` times ever. */
bool spread_decide(struct spread *s, int64_t now_ns, uint64_t lost);

/* Leaves the CPU it runs on, if there is another. */
void spread_leave(struct spread *s);

#endif
