/*
 * limits.h: the bounds of this room that are not configurable.
 */
#ifndef DATA_LIMITS_H
#define DATA_LIMITS_H

#define LANES_MAX        4096u  /* of one application, in all executors */
#define VIEWS_MAX        64u    /* rows in one call of process(); more does not pay */
#define UNMANAGED_MAX    16384u /* bytes of a message outside the stream */
#define FAIL_TEXT_MAX    512u
#define COUNTERS_MAX     32u  /* user counters of one processor */
#define RING_SLOTS       256u /* what does not fit waits in the neighbour's queue */
#define RING_WINDOWS     2u   /* as large a window has an account into a lane of this process */
#define TCP_WINDOWS      4u   /* over TCP fewer accounts share what as many have together */
#define BATCHES_HELD_MAX 4u   /* partial batches a busy neighbour is sent before it returns one */
#define THIN_MAX         8u   /* batches mostly done that a busy lane leaves as they are */
#define WAKE_BATCHES     4u   /* full batches that a lane which sends on wakes another for */
#define WAKE_HOLD_NS     (50 * 1000)  /* ... or for fewer after this time */
#define SLICES_OF_SINK   4u           /* that others have, in one of a sink */
#define SLICE_NS         (100 * 1000) /* of slices that are longer fewer rows are made */
#define TASKS_PER_TURN   256u         /* runnable tasks that get their slice in one turn */

/* Memory shared with each lane of another process on the host, however many there are. */
#define SHARED_LEAST_BYTES (512u << 10)

#endif
