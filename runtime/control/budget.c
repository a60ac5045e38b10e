/* budget.c: see budget.h. */
#include "control/budget.h"

#include <string.h>

/* Forgets what was longer ago than the window, and what the future has in store. */
static void settle(struct budget *b, int64_t now_ms)
{
    uint32_t first = 0;

    for (uint32_t i = b->count; i > 0 && b->drawn[i - 1].time_ms > now_ms; i--) {
        b->drawn[i - 1].time_ms = now_ms;
    }
    while (first < b->count && now_ms - b->drawn[first].time_ms >= b->window_ms) {
        first++;
    }
    b->count -= first;
    memmove(b->drawn, b->drawn + first, b->count * sizeof b->drawn[0]);
}

void budget_init(struct budget *b, uint32_t max, int64_t window_ms, const struct msg_restart *drawn,
                 uint32_t count, int64_t now_ms)
{
    *b = (struct budget){.max = max ? max : BUDGET_RESTARTS_DEFAULT,
                         .window_ms = window_ms > 0 ? window_ms : BUDGET_WINDOW_DEFAULT_MS};
    b->max = b->max < MSG_RESTARTS_MAX ? b->max : MSG_RESTARTS_MAX;
    if (count > MSG_RESTARTS_MAX) {
        drawn += count - MSG_RESTARTS_MAX;
        count = MSG_RESTARTS_MAX;
    }
    for (uint32_t i = 0; i < count; i++) {
        b->drawn[b->count++] = drawn[i];
    }
    settle(b, now_ms);
}

uint32_t budget_used(const struct budget *b, int64_t now_ms)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < b->count; i++) {
        used += now_ms - b->drawn[i].time_ms < b->window_ms;
    }
    return used;
}

bool budget_draw(struct budget *b, int64_t now_ms)
{
    settle(b, now_ms);
    if (b->count >= b->max) {
        return false;
    }
    b->drawn[b->count++].time_ms = now_ms;
    return true;
}

int64_t budget_pause_ms(uint32_t used)
{
    int64_t pause_ms = used == 0 ? 0 : BUDGET_PAUSE_MIN_MS;

    for (uint32_t i = 1; i < used && pause_ms < BUDGET_PAUSE_MAX_MS; i++) {
        pause_ms *= 2;
    }
    return pause_ms < BUDGET_PAUSE_MAX_MS ? pause_ms : BUDGET_PAUSE_MAX_MS;
}
