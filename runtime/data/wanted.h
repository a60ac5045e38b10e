/*
 * wanted.h: what an executor was told last: where all tasks are, and who its siblings are. An
 * update says only what has changed since, so this is what it builds on.
 *
 * Invariant: placement and siblings are those of `generation`, in order and joined as the appmaster
 * has them. An update that is based on this generation or an earlier one fits: what it says is how
 * things are in the end, and what it does not say was the same all the time.
 */
#ifndef DATA_WANTED_H
#define DATA_WANTED_H

#include <stdbool.h>

#include "base/error.h"
#include "wire/messages_executor.h"

struct wanted {
    uint64_t generation; /* 0: nothing was told yet */
    struct msg_placed *placement;
    uint32_t placement_count;
    struct msg_sibling *executors;
    uint32_t executors_count;
};

/* Takes over what the assignment says. */
void wanted_take_assign(struct wanted *w, struct msg_executor_assign *msg);

/* Whether the update can be built on what is known. */
static inline bool wanted_fits(const struct wanted *w, const struct msg_executor_update *msg)
{
    return msg->base <= w->generation;
}

/*
 * What will be wanted with the update, which fits. Siblings borrow from w and msg: either
 * wanted_commit() or wanted_forget() follows. GP_EPROTO (ranges that overlap or are not in order),
 * GP_ETOOBIG, GP_ENOMEM.
 */
int wanted_build(const struct wanted *w, const struct msg_executor_update *msg, struct wanted *ret,
                 struct gp_error *err);
/* So it is from now on; siblings move out of msg. */
void wanted_commit(struct wanted *w, struct wanted *next, struct msg_executor_update *msg);
void wanted_forget(struct wanted *next);

void wanted_deinit(struct wanted *w); /* zeroed is fine */

#endif
