/*
 * task_call.h: the calls into user code, each with the crash note set around it. For task.c.
 */
#ifndef DATA_TASK_CALL_H
#define DATA_TASK_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

struct buf;
struct task;

enum step {
    STEP_MORE,  /* there may be more to do at once */
    STEP_LATER, /* more to do, after the others had their turn */
    STEP_WAIT,  /* nothing before something comes */
};

int32_t call_open(struct task *t);
int32_t call_restore(struct task *t, gp_bytes state);
int32_t call_snapshot(struct task *t, struct buf *out);
void call_close(struct task *t, bool ended);

/* The next thing to do for a task whose outputs have credit. Rows done are taken off *budget. */
enum step task_step(struct task *t, int64_t *budget);

#endif
