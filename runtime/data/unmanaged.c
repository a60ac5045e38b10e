/*
 * unmanaged.c: see unmanaged.h. Accounts stand in one array per processor written to.
 */
#include "data/unmanaged.h"

#include <stdlib.h>

#include "base/hash_key.h"
#include "base/str.h"
#include "data/cursor.h"
#include "data/lane.h"
#include "data/stage.h"
#include "data/task.h"

static struct neighbour *neighbour_of(const struct lane *lane, const struct topology_processor *to,
                                      uint32_t dst)
{
    return to->lane_of[dst] == TOPOLOGY_PARKED ? NULL : lane->neighbours[to->lane_of[dst]];
}

/* What an account holds at first. */
static int32_t full(const struct lane *lane, const struct topology_processor *to, uint32_t dst)
{
    const struct neighbour *p = neighbour_of(lane, to, dst);

    return p && p->ready && !to->is_leaving[dst] ? (int32_t)lane->options->unmanaged_window_bytes
                                                 : 0;
}

/* What is left of the accounts of a processor's tasks, made on first use. */
static int32_t *accounts_of(struct lane *lane, uint32_t processor)
{
    const struct topology_processor *to = &lane->topology->processors[processor];
    uint32_t tasks = to->tasks;

    if (!lane->unmanaged) {
        lane->unmanaged =
            (int32_t **)calloc(lane->topology->plan->processor_count, sizeof(*lane->unmanaged));
    }
    if (lane->unmanaged && !lane->unmanaged[processor]) {
        int32_t *credit = (int32_t *)malloc(tasks * sizeof(*credit));

        for (uint32_t i = 0; credit && i < tasks; i++) {
            credit[i] = full(lane, to, i);
        }
        lane->unmanaged[processor] = credit;
    }
    return lane->unmanaged ? lane->unmanaged[processor] : NULL;
}

static int find_processor(const struct plan *plan, gp_str name)
{
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (str_eq(gp_str_of(plan->processors[i].name), name)) {
            return (int)i;
        }
    }
    return GP_ENOENT;
}

static int32_t write_row(struct task *t, struct neighbour *p, uint32_t processor, uint32_t index,
                         const struct gp_msg *m, uint32_t size)
{
    struct batch_element head = {.kind = BATCH_ROWS,
                                 .edge = BATCH_UNMANAGED | processor,
                                 .source = t->api.index,
                                 .dst = index,
                                 .session = t->session};
    uint64_t hash = 0;
    uint8_t *at;

    if (m->flags & GP_MSG_KEYED) {
        hash = m->flags & GP_MSG_HASHED ? m->key_hash
                                        : hash_key(m->key, m->key_len, t->stage->hash_seed);
    }
    /* A run of its own: the next row of any kind begins another. */
    if (neighbour_begin_run(p, ++t->stage->lane->next_token, &head, NULL, size) < 0) {
        return GP_FAIL;
    }
    at = p->cursor;
    p->cursor += size;
    p->rows++;
    row_put_header(at, size, m->key_len, m->value_len, m->flags & GP_MSG_KEYED, index, hash,
                   m->time_ns);
    row_copy(at + ROW_HEADER_SIZE, m->key, m->key_len);
    row_copy(at + ROW_HEADER_SIZE + m->key_len, m->value, m->value_len);
    neighbour_end_run(p);
    return GP_OK;
}

int32_t unmanaged_send(struct task *t, gp_str name, uint32_t index, const struct gp_msg *m)
{
    struct lane *lane = t->stage->lane;
    int processor = find_processor(lane->topology->plan, name);
    const struct topology_processor *to;
    struct neighbour *p;
    int32_t *credit;
    uint32_t size;

    cursor_take_back(t);
    if (processor < 0 || m->size < sizeof(*m) || m->value_len > UNMANAGED_MAX ||
        m->key_len > UNMANAGED_MAX) {
        return GP_FAIL;
    }
    to = &lane->topology->processors[processor];
    if (index >= to->tasks) {
        return GP_FAIL;
    }
    p = neighbour_of(lane, to, index);
    credit = accounts_of(lane, (uint32_t)processor);
    if (!credit) {
        return GP_FAIL;
    }
    size = row_size(m->key_len, m->value_len);
    if (size + BATCH_ELEMENT_SIZE > lane->options->batch_bytes - BATCH_FRAME_HEADER_SIZE) {
        return GP_FAIL;
    }
    if (!p || credit[index] <= 0) {
        counter_add(&lane->stats.refused, 1);
        return GP_AGAIN;
    }
    credit[index] -= (int32_t)size;
    return write_row(t, p, (uint32_t)processor, index, m, size);
}

int unmanaged_refill(struct lane *lane, const struct neighbour *from, uint32_t processor,
                     uint32_t dst, uint32_t bytes)
{
    const struct topology_processor *to;
    int32_t *credit;

    if (processor >= lane->topology->plan->processor_count || !lane->unmanaged ||
        !lane->unmanaged[processor]) {
        return GP_EPROTO;
    }
    to = &lane->topology->processors[processor];
    if (dst >= to->tasks) {
        return GP_EPROTO;
    }
    if (to->lane_of[dst] != from->index || to->is_leaving[dst]) {
        return 0; /* it has moved, or does: that account is no more */
    }
    credit = &lane->unmanaged[processor][dst];
    if ((int64_t)*credit + bytes > lane->options->unmanaged_window_bytes) {
        if (lane->moves == 0) {
            return GP_EPROTO;
        }
        *credit = (int32_t)lane->options->unmanaged_window_bytes; /* see neighbour.c */
        return 0;
    }
    *credit += (int32_t)bytes;
    return 0;
}

/* Calls fn for the account of each task there. */
typedef void (*account_fn)(const struct lane *lane, int32_t *credit);

static void for_each_account(struct lane *lane, const struct neighbour *p, account_fn fn)
{
    for (uint32_t i = 0; lane->unmanaged && i < lane->topology->plan->processor_count; i++) {
        const uint32_t *tasks;
        uint32_t count = topology_tasks_on(&lane->topology->processors[i], p->index, &tasks);

        for (uint32_t k = 0; lane->unmanaged[i] && k < count; k++) {
            fn(lane, &lane->unmanaged[i][tasks[k]]);
        }
    }
}

static void open_one(const struct lane *lane, int32_t *credit)
{
    *credit += (int32_t)lane->options->unmanaged_window_bytes;
}

static void close_one(const struct lane *lane, int32_t *credit)
{
    (void)lane;
    *credit = 0;
}

void unmanaged_open(struct lane *lane, const struct neighbour *p)
{
    for_each_account(lane, p, open_one);
}

void unmanaged_close(struct lane *lane, const struct neighbour *p)
{
    for_each_account(lane, p, close_one);
}

int unmanaged_draw(struct lane *lane, const struct neighbour *p, uint32_t processor, uint32_t dst,
                   uint32_t bytes)
{
    int32_t *credit;

    if (processor >= lane->topology->plan->processor_count ||
        dst >= lane->topology->processors[processor].tasks) {
        return GP_EPROTO;
    }
    if (lane->topology->processors[processor].lane_of[dst] != p->index) {
        return 0;
    }
    credit = accounts_of(lane, processor);
    if (!credit || credit[dst] < (int32_t)bytes - INT32_MAX / 2) {
        return GP_EPROTO;
    }
    credit[dst] -= (int32_t)bytes;
    return 0;
}

void unmanaged_rebuild(struct lane *lane, const struct topology *before)
{
    for (uint32_t i = 0; lane->unmanaged && i < lane->topology->plan->processor_count; i++) {
        const struct topology_processor *to = &lane->topology->processors[i];

        for (uint32_t k = 0; lane->unmanaged[i] && k < to->tasks; k++) {
            if (to->lane_of[k] != before->processors[i].lane_of[k] ||
                to->is_leaving[k] != before->processors[i].is_leaving[k]) {
                lane->unmanaged[i][k] = full(lane, to, k);
            }
        }
    }
}

void unmanaged_deinit(struct lane *lane)
{
    for (uint32_t i = 0; lane->unmanaged && i < lane->topology->plan->processor_count; i++) {
        free(lane->unmanaged[i]);
    }
    free(lane->unmanaged);
    lane->unmanaged = NULL;
}
