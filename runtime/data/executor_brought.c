/*
 * executor_brought.c: what tasks take along that the assignment or update has no room for: told
 * before it, task by task, and kept until it comes.
 *
 * Invariant: of a task, at most one. It is used by the placement that has the task here in the
 * session it was brought for, and forgotten by one that has it in that or a later one. More than
 * LIST_MAX is refused: the appmaster has no more under way.
 */
#include <stdlib.h>

#include "data/executor_internal.h"

#define LIST_MAX 256u

void ex_brought_deinit(struct executor *ex)
{
    for (uint32_t i = 0; i < ex->brought_count; i++) {
        fields_deinit(&msg_executor_bring_fields, &ex->brought[i]);
    }
    free(ex->brought);
}

static struct msg_executor_bring *find(const struct executor *ex, uint32_t processor, uint32_t task)
{
    for (uint32_t i = 0; i < ex->brought_count; i++) {
        if (ex->brought[i].processor == processor && ex->brought[i].task == task) {
            return &ex->brought[i];
        }
    }
    return NULL;
}

int ex_brought_take(struct executor *ex, struct msg_executor_bring *msg, struct gp_error *err)
{
    struct msg_executor_bring *known = find(ex, msg->processor, msg->task);
    struct msg_executor_bring *grown;

    if (!known && ex->brought_count == LIST_MAX) {
        return gp_error_set(err, GP_EFULL, "%u states wait for their tasks already", LIST_MAX);
    }
    if (!known) {
        grown = realloc(ex->brought, (ex->brought_count + 1) * sizeof *grown);
        if (!grown) {
            return gp_error_set(err, GP_ENOMEM, "keeping the state of a task");
        }
        ex->brought = grown;
        known = &grown[ex->brought_count++];
    } else {
        fields_deinit(&msg_executor_bring_fields, known);
    }
    *known = *msg;
    *msg = (struct msg_executor_bring){0};
    return 0;
}

static const struct msg_placed *find_range(const struct msg_placed *placement, uint32_t count,
                                           const struct msg_executor_bring *b)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct msg_placed *p = &placement[i];
        if (p->processor == b->processor && b->task >= p->first && b->task - p->first < p->count) {
            return p;
        }
    }
    return NULL;
}

int ex_brought_use(struct executor *ex, const struct msg_placed *placement,
                   uint32_t placement_count, struct msg_task_state **states, uint32_t *states_count)
{
    struct msg_task_state *grown;
    uint32_t kept = 0;

    if (ex->brought_count == 0) {
        return 0;
    }
    grown = realloc(*states, (*states_count + ex->brought_count) * sizeof *grown);
    if (!grown) {
        return GP_ENOMEM;
    }
    *states = grown;
    for (uint32_t i = 0; i < ex->brought_count; i++) {
        struct msg_executor_bring *b = &ex->brought[i];
        const struct msg_placed *p = find_range(placement, placement_count, b);
        if (!p || p->session < b->session) {
            ex->brought[kept++] = *b;
        } else if (p->session == b->session && p->executor == ex->options.executor) {
            grown[(*states_count)++] = (struct msg_task_state){
                .processor = b->processor, .task = b->task, .state = b->state, .moved = true};
        } else {
            fields_deinit(&msg_executor_bring_fields, b);
        }
    }
    ex->brought_count = kept;
    return 0;
}
