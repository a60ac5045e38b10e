/*
 * lane_log.c: what a lane says at its end: one event for each thing that happened at all, with how
 * often. Nothing on the way of a message logs; so this is how a trace shows which of its branches
 * were taken (tests/sim asks for each of them).
 */
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"

#define COUNTER(event, field)                                                                      \
    {                                                                                              \
        event, offsetof(struct lane_stats, field)                                                  \
    }

static const struct {
    const char *event;
    size_t offset;
} counters[] = {
    COUNTER("account.exhausted", blocked),
    COUNTER("account.overdrawn", overdrawn),
    COUNTER("source.held_back", sources_blocked),
    COUNTER("batch.filled", batches_full),
    COUNTER("batch.lingered", lingered),
    COUNTER("batch.held_back", held),
    COUNTER("row.copied_out", copied_out),
    COUNTER("message.fragmented", large),
    COUNTER("message.interleaved", interleaved),
    COUNTER("message.sent_unmanaged", sent),
    COUNTER("message.refused", refused),
    COUNTER("row.stale_dropped", stale_rows),
    COUNTER("row.unrouted", lost),
    COUNTER("row.not_fused", spilled),
    COUNTER("row.lost", rows_lost),
    COUNTER("row.in_doubt", rows_in_doubt),
    COUNTER("task.session_begun", tasks_restarted),
    COUNTER("lane.slept", sleeps),
};

/* By enum edge_kind. */
static const char *const edges_used[EDGE_KINDS] = {"edge.pointer_used", "edge.ring_used",
                                                   "edge.shm_used",     "edge.unix_used",
                                                   "edge.tcp_used",     "edge.fused_used"};

static void tell(const struct lane *lane, const char *event, uint64_t count)
{
    if (count > 0) {
        LOG_DEBUG(lane->env->log, event, KV_U64("lane", lane->index), KV_U64("count", count));
    }
}

static uint64_t sum_edges(const struct lane *lane, uint32_t kind)
{
    uint64_t rows = 0;

    for (uint32_t i = 0; i < lane->topology->plan->edge_count; i++) {
        rows += lane->out_edges[i] ? counter_get(&lane->out_edges[i]->rows[kind]) : 0;
    }
    return rows;
}

void lane_log_counters(const struct lane *lane)
{
    const struct lane_stats *stats = &lane->stats;
    uint64_t late = 0;

    if (!log_enabled(lane->env->log, LOG_LEVEL_DEBUG)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
        tell(lane, counters[i].event,
             counter_get((const struct counter *)((const char *)stats + counters[i].offset)));
    }
    tell(lane, "batch.left_partial",
         counter_get(&stats->batches_out) - counter_get(&stats->batches_full));
    for (uint32_t kind = 0; kind < EDGE_KINDS; kind++) {
        tell(lane, edges_used[kind], sum_edges(lane, kind));
    }
    for (uint32_t i = 0; i < lane->topology->plan->processor_count; i++) {
        late += lane->stages[i] ? counter_get(&lane->stages[i]->late) : 0;
    }
    tell(lane, "row.late", late);
}
