/*
 * large.h: messages that do not fit a batch.
 */
#ifndef DATA_LARGE_H
#define DATA_LARGE_H

#include <stdint.h>

#include <gearpump/message.h>

#include "data/inbox.h"
#include "data/task_call.h"

struct stage_port;
struct task;

int32_t large_emit(struct task *t, const struct stage_port *port, const struct gp_msg *m,
                   uint64_t hash);
int large_on_fragment(struct inlink *link, const struct batch_element *e);
int large_on_request(struct inlink *link, const struct batch_element *e);
enum step step_large(struct task *t, int64_t *budget);

#endif
