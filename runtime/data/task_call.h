/*
 * task_call.h: the calls into user code, each with the crash note set around it. For task.c.
 */
#ifndef DATA_TASK_CALL_H
#define DATA_TASK_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

struct buf;
struct gp_row;
struct task;

/* Rows that a task is called with. */
struct task_rows {
    struct gp_row *views;
    uint32_t count;
    uint32_t port;
    const void *kept; /* a piece of memory in which keys and values of theirs lie */
    size_t kept_bytes;
    uint32_t bytes; /* of rows, in all; 0: not summed up */
};

enum step {
    STEP_MORE,  /* there may be more to do at once */
    STEP_LATER, /* more to do, after the others had their turn */
    STEP_WAIT,  /* nothing before something comes */
};

int32_t call_open(struct task *t);
int32_t call_restore(struct task *t, gp_bytes state);
int32_t call_snapshot(struct task *t, struct buf *out);
void call_close(struct task *t, bool ended);

/* Calls process() with rows of another task that are in no inbox, as often as it takes or until it
 * has to wait. The task could be called: fuse.c sees to that. The number of those that are done. */
uint32_t task_take(struct task *t, const struct task_rows *rows);

/* The next thing to do for a task whose outputs have credit. Rows done are taken off *budget. */
enum step task_step(struct task *t, int64_t *budget);

#endif
