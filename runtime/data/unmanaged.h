/*
 * unmanaged.h: messages from task to task outside the stream.
 *
 * They travel in the batches of the same links, so they are in order with each other, but have
 * accounts of their own (per sending lane and receiving task, made on first use) and are refused
 * rather than queued when theirs is exhausted.
 *
 * Thread: the lane's.
 */
#ifndef DATA_UNMANAGED_H
#define DATA_UNMANAGED_H

#include <stdint.h>

#include <gearpump/message.h>

struct lane;
struct neighbour;
struct task;
struct topology;

/* GP_OK, GP_AGAIN or GP_FAIL, as gp_task_service.send. */
int32_t unmanaged_send(struct task *t, gp_str processor, uint32_t index, const struct gp_msg *msg);

/* Credit for such an account came from a neighbour; 0 or GP_EPROTO. */
int unmanaged_refill(struct lane *lane, const struct neighbour *from, uint32_t processor,
                     uint32_t dst, uint32_t bytes);

/* The accounts of the tasks there, as those of edges (neighbour_life.c). */
void unmanaged_open(struct lane *lane, const struct neighbour *p);
void unmanaged_close(struct lane *lane, const struct neighbour *p);
int unmanaged_draw(struct lane *lane, const struct neighbour *p, uint32_t processor, uint32_t dst,
                   uint32_t bytes);

/* The lane's new topology: accounts of tasks that are elsewhere now. */
void unmanaged_rebuild(struct lane *lane, const struct topology *before);

void unmanaged_deinit(struct lane *lane);

#endif
