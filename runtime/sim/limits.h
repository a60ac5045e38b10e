/*
 * Bounds of the simulated world, and the ranges its choices are drawn from.
 */
#ifndef SIM_LIMITS_H
#define SIM_LIMITS_H

#define SIM_US 1000 /* nanoseconds */
#define SIM_MS (1000 * SIM_US)
#define SIM_S  (INT64_C(1000) * SIM_MS)

#define SIM_HOSTS_MAX      4096
#define SIM_PROCS_MAX      65536
#define SIM_CPU_COUNT      2  /* of every host */
#define SIM_NAME_MAX       64 /* of hosts and processes, with the zero */
#define SIM_COUNTERS_MAX   4096
#define SIM_EVENT_MAX      50000000u
#define SIM_TIME_MAX_NS    (3600 * SIM_S)
#define SIM_FILE_MAX_BYTES (1u << 30)
#define SIM_PATH_MAX       4096
#define SIM_OUTPUT_MAX     (1u << 20) /* of a child, not yet handed to its parent */

/* One callback or turn of a loop takes 1 us and more; how much more is drawn for each loop. */
#define SIM_COST_MIN_NS      (1 * SIM_US)
#define SIM_COST_SPAN_MIN_NS (2 * SIM_US)
#define SIM_COST_SPAN_MAX_NS (50 * SIM_US)
#define SIM_WAKE_MAX_NS      (60 * SIM_US) /* from the event to the callback of a loop at rest */
#define SIM_CLOCK_READ_NS    25
#define SIM_READY_WINDOW     4 /* which of the first n ready callbacks comes next is drawn */
#define SIM_TURNS_PER_POLL   8 /* a busy runner looks at its loop at least this often */

#define SIM_THREAD_START_MAX_NS (200 * SIM_US)
#define SIM_THREAD_EXIT_MAX_NS  (100 * SIM_US)
#define SIM_PROC_START_MIN_NS   (500 * SIM_US)
#define SIM_PROC_START_MAX_NS   (5 * SIM_MS)
#define SIM_PROC_EXIT_MIN_NS    (50 * SIM_US)
#define SIM_PROC_EXIT_MAX_NS    (2 * SIM_MS)
#define SIM_SIGNAL_MAX_NS       (100 * SIM_US)

/* Of a connection, each drawn once when it is made. */
#define SIM_LATENCY_LOCAL_MIN_NS (5 * SIM_US)
#define SIM_LATENCY_LOCAL_MAX_NS (50 * SIM_US)
#define SIM_LATENCY_MIN_NS       (20 * SIM_US)
#define SIM_LATENCY_MAX_NS       (2 * SIM_MS)
#define SIM_RATE_MIN             4 /* bytes per microsecond */
#define SIM_RATE_MAX             4096
#define SIM_WINDOW_MIN           (4u << 10) /* bytes the network holds: sent and not yet read */
#define SIM_WINDOW_MAX           (1u << 20)

#define SIM_PIECE_MAX            (64u << 10) /* bytes of one read */
#define SIM_PIPE_SEGMENTS        16          /* arrivals on their way; more ride with the last */
#define SIM_BACKLOG_MAX          128         /* connections not yet accepted */
#define SIM_CONNECT_RETRY_NS     (1 * SIM_S)
#define SIM_CONNECT_TIMEOUT_NS   (127 * SIM_S)
#define SIM_STREAM_LINGER_NS     (1 * SIM_S)   /* as net.h promises of stream_end() */
#define SIM_RETRANSMIT_MIN_NS    (50 * SIM_MS) /* how often a cut is tried */
#define SIM_RETRANSMIT_MAX_NS    (400 * SIM_MS)
#define SIM_SEGMENT_DELAY_MAX_NS (200 * SIM_MS)
#define SIM_WRITE_BUFS_MAX       8
#define SIM_EPHEMERAL_PORT       32768
#define SIM_UNIX_PATH_MAX        108 /* with the zero */

#define SIM_DISK_MAX_NS  (100 * SIM_US) /* of one call */
#define SIM_FSYNC_MIN_NS (100 * SIM_US)
#define SIM_FSYNC_MAX_NS (4 * SIM_MS)

#define SIM_SECTOR_BYTES 512u /* what a crash leaves or takes at once */
#define SIM_SLOWNESS_MAX 100000u

#define SIM_CLOCK_OFFSET_MAX_S 1000000 /* how far hosts' monotonic clocks are apart */
#define SIM_WALL_SKEW_MAX_NS   (10 * SIM_MS)
#define SIM_WALL_START_NS      (INT64_C(1767225600) * SIM_S) /* 2026-01-01T00:00:00Z */

#endif
