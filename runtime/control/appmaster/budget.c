/* budget.c: see budget.h. */
#include "control/appmaster/budget.h"

#include "base/assert.h"

static int64_t cost_ns(const struct budget *b)
{
    return b->window_ns / b->restarts;
}

static int64_t debt_ns(const struct budget *b, int64_t now_ns)
{
    int64_t paid_ns = now_ns - b->at_ns;

    return paid_ns < b->debt_ns ? b->debt_ns - paid_ns : 0;
}

void budget_init(struct budget *b, uint32_t restarts, int64_t window_ns, uint32_t used,
                 int64_t now_ns)
{
    *b = (struct budget){.restarts = restarts ? restarts : BUDGET_RESTARTS_DEFAULT,
                         .window_ns = window_ns > 0 ? window_ns : BUDGET_WINDOW_DEFAULT_NS,
                         .at_ns = now_ns};
    ASSERT(b->window_ns >= b->restarts);
    b->debt_ns = cost_ns(b) * (used < b->restarts ? used : b->restarts);
}

bool budget_draw(struct budget *b, int64_t now_ns)
{
    int64_t after_ns = debt_ns(b, now_ns) + cost_ns(b);

    if (after_ns > b->window_ns) {
        return false;
    }
    b->debt_ns = after_ns;
    b->at_ns = now_ns;
    return true;
}

uint32_t budget_used(const struct budget *b, int64_t now_ns)
{
    return (uint32_t)((debt_ns(b, now_ns) + cost_ns(b) - 1) / cost_ns(b));
}

int64_t budget_wait_ns(const struct budget *b, int64_t now_ns)
{
    int64_t wait_ns = BUDGET_WAIT_MIN_NS;

    for (uint32_t i = budget_used(b, now_ns); i > 1 && wait_ns < BUDGET_WAIT_MAX_NS; i--) {
        wait_ns *= 2;
    }
    return wait_ns < BUDGET_WAIT_MAX_NS ? wait_ns : BUDGET_WAIT_MAX_NS;
}
