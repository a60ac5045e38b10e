/*
 * record_states.c: where sources that can be restored last said they were.
 *
 * They stand in the placement record so that an appmaster and the executor of a source may die
 * together and the source still goes on where it was. What the master keeps of them is bounded by
 * RECORD_STATES_BYTES_MAX: with more, those of later processors and tasks live in memory only.
 */
#include <stdlib.h>
#include <string.h>

#include "control/appmaster/record.h"

static uint32_t state_at(const struct record *r, uint32_t processor, uint32_t task)
{
    uint32_t low = 0;
    uint32_t high = r->states_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct msg_task_state *s = &r->states[middle];
        if (s->processor < processor || (s->processor == processor && s->task < task)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct msg_task_state *record_state_of(const struct record *r, uint32_t processor,
                                             uint32_t task)
{
    uint32_t at = state_at(r, processor, task);

    return at < r->states_count && r->states[at].processor == processor &&
                   r->states[at].task == task
               ? &r->states[at]
               : NULL;
}

int record_keep_state(struct record *r, struct msg_task_state *from)
{
    uint32_t at = state_at(r, from->processor, from->task);

    if (!record_state_of(r, from->processor, from->task)) {
        struct msg_task_state *grown;
        if (r->states_count == MSG_STATES_MAX) {
            return GP_EFULL;
        }
        grown = realloc(r->states, (r->states_count + 1) * sizeof *grown);
        if (!grown) {
            return GP_ENOMEM;
        }
        r->states = grown;
        memmove(&grown[at + 1], &grown[at], (r->states_count - at) * sizeof *grown);
        grown[at] = (struct msg_task_state){.processor = from->processor, .task = from->task};
        r->states_count++;
    }
    free(r->states[at].state);
    r->states[at].state = from->state;
    from->state = NULL;
    return 0;
}

uint32_t record_states_fitting(const struct record *r)
{
    size_t bytes = 0;
    uint32_t count = 0;

    while (count < r->states_count) {
        bytes += strlen(r->states[count].state);
        if (bytes > RECORD_STATES_BYTES_MAX) {
            break;
        }
        count++;
    }
    return count;
}

bool record_states_in_order(const struct record *r, const struct plan *plan)
{
    for (uint32_t i = 0; i < r->states_count; i++) {
        const struct msg_task_state *s = &r->states[i];
        const struct msg_task_state *before = i > 0 ? &r->states[i - 1] : NULL;
        if (s->processor >= plan->processor_count ||
            s->task >= plan->processors[s->processor].parallelism ||
            (before && (before->processor > s->processor ||
                        (before->processor == s->processor && before->task >= s->task)))) {
            return false;
        }
    }
    return true;
}
