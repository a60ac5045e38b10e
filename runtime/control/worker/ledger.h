/*
 * ledger.h: whose the slots of this worker are. The truth: masters only keep a copy.
 *
 * A grant is room for one application, with the key (token) that proves its actors. Offers add to
 * it, revokes take away; without slots it is gone. Pure.
 */
#ifndef CONTROL_WORKER_LEDGER_H
#define CONTROL_WORKER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define LEDGER_TOKEN_SIZE 65u /* 64 hex digits and the zero */

struct ledger_grant {
    uint32_t app;
    uint32_t epoch; /* the highest heard of */
    uint32_t slots;
    char token[LEDGER_TOKEN_SIZE];
    uint64_t appmaster; /* the owner's note: connection of its appmaster, 0: none */
    uint32_t due;       /* the owner's note: slots that go back when processes have ended */
};

struct ledger {
    /* read-only */
    uint32_t slots; /* in all */
    uint32_t used;  /* the sum over grants, never more */
    struct ledger_grant *grants;
    uint32_t count;
    /* private */
    uint32_t capacity;
};

/* Allocates nothing yet. */
void ledger_init(struct ledger *l, uint32_t slots);
void ledger_deinit(struct ledger *l); /* zeroed is fine */

/*
 * Books slots (> 0) for an application. GP_EFULL with the numbers; GP_ESTALE: of an epoch that is
 * over; GP_EINVAL: no slots, or the token is too long; GP_ENOMEM. Nothing changes then.
 */
int ledger_offer(struct ledger *l, uint32_t app, uint32_t epoch, const char *token, uint32_t slots,
                 struct gp_error *err);

/* Takes back up to `slots`, or all (0). True when the grant is gone by it. An older epoch takes
 * nothing. */
bool ledger_revoke(struct ledger *l, uint32_t app, uint32_t epoch, uint32_t slots);

/* NULL: not granted. Valid until the next offer or revoke. */
struct ledger_grant *ledger_find(const struct ledger *l, uint32_t app);

#endif
