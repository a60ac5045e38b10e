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

/* GP_OK, GP_AGAIN or GP_FAIL, as gp_task_service.send. */
int32_t unmanaged_send(struct task *t, gp_str processor, uint32_t index, const struct gp_msg *msg);

/* Credit for such an account came from a neighbour; 0 or GP_EPROTO. */
int unmanaged_refill(struct lane *lane, const struct neighbour *from, uint32_t processor,
                     uint32_t dst, uint32_t bytes);

void unmanaged_deinit(struct lane *lane);

#endif
