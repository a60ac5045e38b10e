/*
 * exec.h: what a task of exec/process knows, and how rows become what its child reads and back.
 */
#ifndef EXEC_H
#define EXEC_H

#include <gearpump/gearpump.h>
#include <gearpump/lines.h>

#include "child.h"

#define SAID_BYTES 1024u /* of the last that it wrote to stderr; a reason has 512 */

struct worker {
    const struct gp_task *task;
    const char *command;
    bool by_length;
    bool keyed; /* the key and a tab before the value */
    uint64_t line_max;
    uint64_t buffer_max;
    int epoll;
    struct child child;
    bool wants_room;   /* epoll tells when stdin may be written */
    bool ending;       /* on_end was called */
    bool broken;       /* it closed a pipe, so it will be seen to have ended soon, */
    int64_t broken_ns; /* ... or is given up GRACE_NS after this */
    int64_t time_ns;   /* of what comes out */
    char *to_child;
    size_t to_size;
    size_t to_head;
    size_t to_tail;
    struct gp_lines from_child; /* also the bytes of records by length */
    struct gp_lines complaints;
    char said[SAID_BYTES];
    size_t said_len;
};

/* Bytes that the child has not taken yet. */
static inline size_t waiting(const struct worker *w)
{
    return w->to_tail - w->to_head;
}

/* A row behind those that wait. GP_OK, GP_REJECT: the format has no words for it, GP_FAIL: no
 * memory. */
int32_t records_put(struct worker *w, const struct gp_row *row);

/* Emits the whole records that were read, until the outputs are full. GP_OK or GP_FAIL. */
int32_t records_emit(struct worker *w, struct gp_out *out);

/* What is left when stdout is closed: a last line without newline is one, half a record is a
 * fault. */
int32_t records_emit_rest(struct worker *w, struct gp_out *out);

#endif
