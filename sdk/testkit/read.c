/*
 * What a test reads of the task, besides rows.
 */
#include "kit.h"

int gp_kit_ended(const struct gp_kit *kit)
{
    return kit->ended;
}

const char *gp_kit_failure(const struct gp_kit *kit)
{
    return kit->failure;
}

uint32_t gp_kit_rejects(const struct gp_kit *kit)
{
    return kit->rejects.count;
}

const struct gp_row *gp_kit_reject(const struct gp_kit *kit, uint32_t i)
{
    return kit_rows_at(&kit->rejects, i);
}

const char *gp_kit_reject_reason(const struct gp_kit *kit, uint32_t i)
{
    return i < kit->rejects.count ? kit->reject_reasons[i].text : NULL;
}

uint32_t gp_kit_logs(const struct gp_kit *kit)
{
    return kit->logs_count;
}

const char *gp_kit_log(const struct gp_kit *kit, uint32_t i, int32_t *ret_level)
{
    if (i >= kit->logs_count) {
        return NULL;
    }
    if (ret_level) {
        *ret_level = kit->logs[i].level;
    }
    return kit->logs[i].text;
}

int64_t gp_kit_counter(const struct gp_kit *kit, const char *name)
{
    for (uint32_t i = 0; i < kit->counters_count; i++) {
        if (strcmp(kit->counters[i].name, name) == 0) {
            return kit->counters[i].value;
        }
    }
    return 0;
}

uint32_t gp_kit_sends(const struct gp_kit *kit)
{
    return kit->sends.count;
}

const struct gp_row *gp_kit_sent(const struct gp_kit *kit, uint32_t i, const char **ret_processor,
                                 uint32_t *ret_index)
{
    if (i < kit->sends.count && ret_processor) {
        *ret_processor = kit->sends_to[i].processor;
    }
    if (i < kit->sends.count && ret_index) {
        *ret_index = kit->sends_to[i].index;
    }
    return kit_rows_at(&kit->sends, i);
}

int64_t gp_kit_now_ns(const struct gp_kit *kit)
{
    return kit->now_ns;
}

int64_t gp_kit_wall_ns(const struct gp_kit *kit)
{
    return kit->wall_ns;
}

uint32_t gp_kit_timers(const struct gp_kit *kit, uint32_t clock, int64_t *ret_next_ns)
{
    const struct kit_timer *first = kit_timer_first(kit, clock);
    uint32_t count = 0;

    for (uint32_t i = 0; i < kit->timers_count; i++) {
        count += kit->timers[i].clock == clock;
    }
    if (ret_next_ns) {
        *ret_next_ns = first ? first->at_ns : GP_TIME_MAX;
    }
    return count;
}

int32_t gp_kit_watched(const struct gp_kit *kit, uint32_t *ret_events)
{
    if (ret_events) {
        *ret_events = kit->watched_events;
    }
    return kit->watched_fd;
}

uint32_t gp_kit_wakes(const struct gp_kit *kit)
{
    return atomic_load(&kit->waker.wakes);
}
