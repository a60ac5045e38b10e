/*
 * trace.h: what happened, as a running hash, as counters and, if wanted, as text.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdint.h>

#include "base/log.h"
#include "base/map.h"

struct sim;
struct sim_loop;

/* X(name): what code under test sees happen; a and b are said behind each. */
#define SIM_KINDS(X)                                                                               \
    X(proc_started)   /* pid */                                                                    \
    X(proc_ended)     /* code, signal */                                                           \
    X(proc_exit_told) /* pid */                                                                    \
    X(proc_output)    /* pid, bytes */                                                             \
    X(proc_signalled) /* pid, signal */                                                            \
    X(runner_inited)                                                                               \
    X(runner_turned) /* its answer */                                                              \
    X(runner_slept)                                                                                \
    X(runner_ended)                                                                                \
    X(bell_rung)                                                                                   \
    X(timer_fired)                                                                                 \
    X(accepted)  /* connection */                                                                  \
    X(connected) /* connection, status */                                                          \
    X(read)      /* connection, bytes or status */                                                 \
    X(wrote)     /* connection, bytes taken */                                                     \
    X(written)   /* connection, status */                                                          \
    X(closed)    /* connection */                                                                  \
    X(disk)      /* bytes */                                                                       \
    X(leaked)    /* how many so far */                                                             \
    X(logged)                                                                                      \
    X(faulted) /* which */

enum sim_kind {
#define SIM_KIND_ENUM(name) SIM_KIND_##name,
    SIM_KINDS(SIM_KIND_ENUM)
#undef SIM_KIND_ENUM
};

/* X(name): counted by the world itself, as "sim.name" in sim_event_count(). */
#define SIM_COUNTERS(X)                                                                            \
    X(accept_backlogged)  /* a second connection came before the first was accepted */             \
    X(callback_reordered) /* a later callback of a loop was run before an earlier one */           \
    X(callback_waited)    /* a callback was due while its loop was busy */                         \
    X(clock_jumped)                                                                                \
    X(connect_refused)                                                                             \
    X(connect_timed_out)                                                                           \
    X(connect_unresolved)                                                                          \
    X(disk_broken)                                                                                 \
    X(disk_failed)                                                                                 \
    X(disk_filled)                                                                                 \
    X(disk_folder_lost)   /* that was made and not made durable, in a crash */                     \
    X(disk_name_returned) /* of a file that was removed, after a crash */                          \
    X(disk_refused)       /* a write met a full or broken disk */                                  \
    X(disk_rotted)                                                                                 \
    X(disk_slowed)                                                                                 \
    X(disk_torn)           /* a file lost unsynced bytes in a crash */                             \
    X(disk_written_partly) /* by a write that failed */                                            \
    X(host_crashed)                                                                                \
    X(host_frozen)                                                                                 \
    X(host_frozen_clock) /* and its clock stood still */                                           \
    X(host_slowed)                                                                                 \
    X(link_cut)                                                                                    \
    X(link_cut_oneway)                                                                             \
    X(link_flapped)                                                                                \
    X(partition_stalled) /* bytes reached a cut */                                                 \
    X(proc_exited)                                                                                 \
    X(proc_killed)                                                                                 \
    X(proc_paused)                                                                                 \
    X(proc_respawned)                                                                              \
    X(read_asked_twice) /* alloc without an on_read behind it */                                   \
    X(read_end)         /* the regular end was read */                                             \
    X(read_partial)     /* fewer bytes were read than were there and fitted */                     \
    X(read_paused)      /* alloc answered NULL */                                                  \
    X(runner_slept)                                                                                \
    X(runner_stayed_up)        /* may_sleep said no */                                             \
    X(runner_woken)            /* by loop_wake() out of its sleep */                               \
    X(runner_woken_awake)      /* loop_wake() met a runner that was up */                          \
    X(segment_delayed)         /* by a fault */                                                    \
    X(stream_closed_mid_write) /* by its owner, with bytes queued */                               \
    X(stream_ended_queued)     /* stream_end() with bytes queued */                                \
    X(stream_linger_expired)   /* and they were not taken in time */                               \
    X(stream_reset)            /* a peer closed with bytes unread, or was gone */                  \
    X(timer_restarted)                                                                             \
    X(write_partial) /* the window took a part of a write */                                       \
    X(write_queued)  /* the window took nothing of a write */

enum sim_counter {
#define SIM_COUNTER_ENUM(name) SIM_COUNT_##name,
    SIM_COUNTERS(SIM_COUNTER_ENUM)
#undef SIM_COUNTER_ENUM
        SIM_COUNTER_COUNT
};

struct sim_trace {
    /* private */
    uint64_t hash;
    uint64_t counters[SIM_COUNTER_COUNT];
    struct map_str logged; /* event name -> malloc'd uint64_t */
};

void sim_trace_init(struct sim_trace *trace, uint64_t seed);
void sim_trace_deinit(struct sim_trace *trace);

/* Notes that something happened in this loop (NULL: in the world). */
void sim_trace_note(struct sim *sim, const struct sim_loop *loop, enum sim_kind kind, int64_t a,
                    int64_t b);

/* The sink of every process's log; ctx is the struct sim_proc. */
void sim_trace_log_sink(void *ctx, enum log_level level, gp_str line);

#endif
