/*
 * cursor.h: the end of an open run, lent to whoever writes rows there: a plugin by the inlined
 * functions of gearpump/cursor.h, and emit, reserve and commit for it.
 *
 *   neighbour.cursor, limit, rows ──lend──▶ output.cursor ──(rows are written)──▶ take back
 *
 * While an output's cursor is lent, it alone says where the run ends and how many rows came; nobody
 * else may touch the neighbour. It is taken back when the callback returns and before the task
 * emits in any other way, so lanes never see one that is lent, and each task lends one at a time.
 * What is lent is what begin() granted: credit is drawn for it as for any run, when it is settled.
 *
 * Thread: the lane's. Failures: a cursor that is where it cannot be fails the task, and nothing
 * written since it was lent is sent.
 */
#ifndef DATA_CURSOR_H
#define DATA_CURSOR_H

#include <stdbool.h>

#include <gearpump/cursor.h>

#include "base/assert.h"
#include "data/task.h"

extern const struct gp_cursor_service service_cursor;

void cursor_init(struct gp_cursor *c, struct task *t, uint32_t port);

/* gp_cursor.reserve and commit; in reserve.c, with those of gp_out. */
void *cursor_reserve(struct gp_cursor *c, int64_t time_ns, uint32_t value_len);
int32_t cursor_commit(struct gp_cursor *c, const void *value, uint32_t value_len);

static inline bool cursor_has_room(const struct gp_cursor *c, uint64_t size)
{
    return size <= (size_t)(c->limit - c->at);
}

/* Lends the rest of the output's open run, if there is one; nothing may be lent. */
void cursor_lend(struct task *t, struct output *o);

/* Use cursor_take_back(). */
void cursor_return(struct task *t);

/* Nothing is lent after it; a mistake sets t->refused. */
static inline void cursor_take_back(struct task *t)
{
    if (t->lent) {
        cursor_return(t);
    }
}

#endif
