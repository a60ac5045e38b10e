/* record_move.c: tasks of the placement record that move, and workers that are left; see
 * record.h. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "control/appmaster/record.h"
#include "control/limits.h"

/* The first move that is not before this task. */
static uint32_t move_at(const struct record *r, uint32_t processor, uint32_t task)
{
    uint32_t low = 0;
    uint32_t high = r->moves_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct record_move *m = &r->moves[middle];
        if (m->processor < processor || (m->processor == processor && m->task < task)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct record_move *record_move_of(const struct record *r, uint32_t processor, uint32_t task)
{
    uint32_t at = move_at(r, processor, task);

    return at < r->moves_count && r->moves[at].processor == processor && r->moves[at].task == task
               ? &r->moves[at]
               : NULL;
}

int record_add_move(struct record *r, const struct record_move *move)
{
    uint32_t at = move_at(r, move->processor, move->task);
    struct record_move *grown;

    if (!record_move_of(r, move->processor, move->task)) {
        if (r->moves_count == MOVES_MAX) {
            return GP_EFULL;
        }
        grown = realloc(r->moves, (r->moves_count + 1) * sizeof *grown);
        if (!grown) {
            return GP_ENOMEM;
        }
        r->moves = grown;
        memmove(&grown[at + 1], &grown[at], (r->moves_count - at) * sizeof *grown);
        r->moves_count++;
    }
    r->moves[at] = *move;
    r->version++;
    return 0;
}

void record_drop_move(struct record *r, struct record_move *move)
{
    uint32_t at = (uint32_t)(move - r->moves);

    ASSERT(at < r->moves_count);
    memmove(move, move + 1, (r->moves_count - at - 1) * sizeof *move);
    r->moves_count--;
    r->version++;
}

const struct record_leave *record_leaves(const struct record *r, uint32_t worker)
{
    for (uint32_t i = 0; i < r->leave_count; i++) {
        if (r->leave[i].worker == worker) {
            return &r->leave[i];
        }
    }
    return NULL;
}
