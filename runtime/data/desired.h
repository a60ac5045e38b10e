/*
 * desired.h: what an appmaster wants of an executor, from the message as the engine reads it.
 */
#ifndef DATA_DESIRED_H
#define DATA_DESIRED_H

#include "data/engine.h"
#include "wire/messages_executor.h"

/* Host names of siblings borrow from the message; the rest is its own. */
struct desired {
    uint64_t generation;
    uint64_t moves;
    struct placement placement;
    struct placement_host *hosts;
    struct engine_sibling *siblings;
    struct engine_lane_addr *lanes; /* of all siblings */
    uint32_t sibling_count;         /* of hosts, too */
    struct lane_state *states;
    uint32_t state_count;
    uint8_t *bytes; /* of states */
    struct lane_tasks *ended;
    uint32_t ended_count;
};

/* Fills ret, also on failure. GP_EINVAL: it does not fit the plan; GP_EPROTO: a state is not
 * hexadecimal; GP_ENOMEM. */
int desired_init_assign(struct desired *ret, const struct msg_executor_assign *msg,
                        const struct plan *plan, struct gp_error *err);
int desired_init_update(struct desired *ret, const struct msg_executor_update *msg,
                        const struct plan *plan, struct gp_error *err);
void desired_deinit(struct desired *d); /* zeroed is fine */

/* Everything that stands here; borrows from it. */
void desired_describe(const struct desired *d, struct engine_job *job);

#endif
