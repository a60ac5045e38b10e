/*
 * state.h: what snapshot() of a task writes, as bytes, and back for restore().
 *
 *   an entry:  u32 key group, u32 length of the name, u32 length of the bytes, name, bytes
 *
 * Entries in the order they were put, without padding, little-endian. Thread: the lane's.
 */
#ifndef DATA_STATE_H
#define DATA_STATE_H

#include <gearpump/types.h>

#include "base/buf.h"

struct task;

#define STATE_TOO_LARGE INT32_MIN

/* Appends what snapshot() writes. What it answers; STATE_TOO_LARGE: more than out takes. */
int32_t state_snapshot(struct task *t, struct buf *out);

/* Has restore() read it. What restore() answers; GP_FAIL when the bytes are damaged. */
int32_t state_restore(struct task *t, gp_bytes state);

#endif
