/*
 * Looking into libraft's log, whose fields raft.h shows: a ring of entries [front, back), the first
 * of index offset + 1. libraft answers these questions only to itself.
 */
#include "raft/consensus_internal.h"

static uint64_t count_of(const struct raft_log *log)
{
    if (log->entries == NULL) {
        return 0;
    }
    return log->front <= log->back ? log->back - log->front : log->size - log->front + log->back;
}

uint64_t log_last(const struct raft_log *log)
{
    return log->offset + count_of(log);
}

static const struct raft_entry *at(const struct raft_log *log, uint64_t index)
{
    return &log->entries[(log->front + (index - log->offset - 1)) % log->size];
}

uint64_t log_term(const struct raft_log *log, uint64_t index)
{
    if (index == 0) {
        return 0;
    }
    if (index == log->snapshot.last_index) {
        return log->snapshot.last_term;
    }
    if (index <= log->offset || index > log_last(log)) {
        return 0;
    }
    return at(log, index)->term;
}

uint32_t log_count_within(const struct raft_log *log, uint64_t index, uint64_t bytes)
{
    uint64_t sum = 0;
    uint32_t n = 0;

    while (index - n > log->offset) {
        sum += at(log, index - n)->buf.len;
        if (sum > bytes && n > 0) {
            break;
        }
        n++;
    }
    return n > 0 ? n : 1;
}
