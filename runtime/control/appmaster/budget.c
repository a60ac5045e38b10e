/* budget.c: see budget.h. */
#include "control/appmaster/budget.h"

static void push(struct budget *b, int64_t now_ns)
{
    b->drawn_ns[b->next] = now_ns;
    b->next = (b->next + 1) % BUDGET_RESTARTS_MAX;
    b->count += b->count < BUDGET_RESTARTS_MAX;
}

void budget_init(struct budget *b, uint32_t restarts, int64_t window_ns, uint32_t used,
                 int64_t until_ns)
{
    *b = (struct budget){.restarts = restarts ? restarts : BUDGET_RESTARTS_DEFAULT,
                         .window_ns = window_ns > 0 ? window_ns : BUDGET_WINDOW_DEFAULT_NS};
    b->restarts = b->restarts < BUDGET_RESTARTS_MAX ? b->restarts : BUDGET_RESTARTS_MAX;
    used = used < b->restarts ? used : b->restarts;
    for (uint32_t i = used; i > 0; i--) {
        push(b, until_ns - (int64_t)(i - 1) * (b->window_ns / used));
    }
}

uint32_t budget_used(const struct budget *b, int64_t now_ns)
{
    uint32_t used = 0;

    while (used < b->count) {
        uint32_t at = (b->next + BUDGET_RESTARTS_MAX - used - 1) % BUDGET_RESTARTS_MAX;
        if (now_ns - b->drawn_ns[at] >= b->window_ns) {
            break; /* as all before it */
        }
        used++;
    }
    return used;
}

bool budget_draw(struct budget *b, int64_t now_ns)
{
    if (budget_used(b, now_ns) >= b->restarts) {
        return false;
    }
    push(b, now_ns);
    return true;
}

int64_t budget_wait_ns(const struct budget *b, int64_t now_ns)
{
    int64_t wait_ns = BUDGET_WAIT_MIN_NS;

    for (uint32_t i = budget_used(b, now_ns); i > 1 && wait_ns < BUDGET_WAIT_MAX_NS; i--) {
        wait_ns *= 2;
    }
    return wait_ns < BUDGET_WAIT_MAX_NS ? wait_ns : BUDGET_WAIT_MAX_NS;
}
