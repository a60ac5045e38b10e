/* ledger.c: see ledger.h. Grants stand in no order; there are never more of them than slots. */
#include "control/worker/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"

void ledger_init(struct ledger *l, uint32_t slots)
{
    *l = (struct ledger){.slots = slots};
}

void ledger_deinit(struct ledger *l)
{
    if (l->grants) {
        secret_wipe(l->grants, l->capacity * sizeof *l->grants);
    }
    free(l->grants);
    *l = (struct ledger){0};
}

struct ledger_grant *ledger_find(const struct ledger *l, uint32_t app)
{
    for (uint32_t i = 0; i < l->count; i++) {
        if (l->grants[i].app == app) {
            return &l->grants[i];
        }
    }
    return NULL;
}

static struct ledger_grant *add(struct ledger *l, uint32_t app)
{
    if (l->count == l->capacity) {
        uint32_t capacity = l->capacity ? 2 * l->capacity : 16;
        struct ledger_grant *grown = realloc(l->grants, capacity * sizeof *grown);
        if (!grown) {
            return NULL;
        }
        l->grants = grown;
        l->capacity = capacity;
    }
    l->grants[l->count] = (struct ledger_grant){.app = app};
    return &l->grants[l->count++];
}

int ledger_offer(struct ledger *l, uint32_t app, uint32_t epoch, const char *token, uint32_t slots,
                 struct gp_error *err)
{
    struct ledger_grant *grant = ledger_find(l, app);

    if (slots == 0 || strlen(token) >= sizeof grant->token) {
        return gp_error_set(err, GP_EINVAL, "not a grant: %s",
                            slots == 0 ? "no slots in it" : "its token is too long");
    }
    if (grant && epoch < grant->epoch) {
        return gp_error_set(err, GP_ESTALE, "epoch %u of application %u is over: now it is %u",
                            epoch, app, grant->epoch);
    }
    if (slots > l->slots - l->used) {
        return gp_error_set(err, GP_EFULL, "%u slots wanted, %u of %u are free", slots,
                            l->slots - l->used, l->slots);
    }
    grant = grant ? grant : add(l, app);
    if (!grant) {
        return gp_error_set(err, GP_ENOMEM, "booking a grant");
    }
    grant->epoch = epoch;
    grant->slots += slots;
    (void)str_format(grant->token, sizeof grant->token, "%s", token); /* its length is checked */
    l->used += slots;
    return 0;
}

bool ledger_revoke(struct ledger *l, uint32_t app, uint32_t epoch, uint32_t slots)
{
    struct ledger_grant *grant = ledger_find(l, app);

    if (!grant || epoch < grant->epoch) {
        return false;
    }
    if (slots == 0 || slots > grant->slots) {
        slots = grant->slots;
    }
    grant->slots -= slots;
    l->used -= slots;
    if (grant->slots > 0) {
        return false;
    }
    *grant = l->grants[--l->count];
    secret_wipe(&l->grants[l->count], sizeof *grant);
    return true;
}
