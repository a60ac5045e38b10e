/* invariants_tasks.c: those of invariants.c that are looked up in executors. */
#include "app/node.h"
#include "data/engine_internal.h"
#include "data/executor_internal.h"
#include "data/lane.h"
#include "data/stage.h"
#include "data/task.h"
#include "invariants.h"

#define TASKS_MAX 64u /* that are looked at */

/* A task at work somewhere. */
struct at_work {
    uint32_t app;
    uint32_t executor;
    uint32_t processor;
    uint32_t task;
    uint64_t session;
};

struct all_at_work {
    struct at_work tasks[TASKS_MAX];
    uint32_t count;
};

static void add_stage(struct all_at_work *all, const struct executor *ex, const struct stage *s)
{
    for (uint32_t i = 0; s && i < s->task_count && all->count < TASKS_MAX; i++) {
        if (s->tasks[i]->state == TASK_OPEN || s->tasks[i]->state == TASK_RUNNING) {
            all->tasks[all->count++] =
                (struct at_work){ex->options.app, ex->options.executor, s->processor,
                                 s->task_indices[i], s->tasks[i]->session};
        }
    }
}

/* Whom it obeyed once is obeyed no more when another was: an appmaster that wakes up too late. */
static void check_obeyed(struct invariants *inv, const struct executor *ex)
{
    uint32_t at = 0;

    while (at < inv->obeyed_count && (inv->obeyed[at].app != ex->options.app ||
                                      inv->obeyed[at].executor != ex->options.executor)) {
        at++;
    }
    if (at == INVARIANTS_EXECUTORS) {
        return;
    }
    if (at == inv->obeyed_count) {
        inv->obeyed_count++;
        inv->obeyed[at].app = ex->options.app;
        inv->obeyed[at].executor = ex->options.executor;
        inv->obeyed[at].epoch = 0;
    }
    if (ex->options.epoch < inv->obeyed[at].epoch) {
        invariants_broken(inv, "executor %u of application %u obeyed epoch %u and now obeys %u",
                          ex->options.executor, ex->options.app, inv->obeyed[at].epoch,
                          ex->options.epoch);
    }
    inv->obeyed[at].epoch = ex->options.epoch;
}

static void add_executor(struct all_at_work *all, const struct executor *ex)
{
    for (uint32_t i = 0; ex->engine && i < ex->engine->lane_count; i++) {
        const struct lane *lane = ex->engine->lanes ? ex->engine->lanes[i] : NULL;

        for (uint32_t p = 0; lane && p < lane->topology->plan->processor_count; p++) {
            add_stage(all, ex, lane->stages[p]);
        }
    }
}

/* Nobody does the work of another: a task's session runs once. */
void invariants_check_tasks(struct invariants *inv, const struct cluster *c)
{
    struct all_at_work all = {.count = 0};
    const struct node *node;

    for (uint32_t i = 0; (node = cluster_node(c, "executor", i)) != NULL; i++) {
        if (node_executor(node)) {
            check_obeyed(inv, node_executor(node));
            add_executor(&all, node_executor(node));
        }
    }
    for (uint32_t i = 0; i < all.count; i++) {
        for (uint32_t k = i + 1; k < all.count; k++) {
            const struct at_work *a = &all.tasks[i];
            const struct at_work *b = &all.tasks[k];

            if (a->app == b->app && a->processor == b->processor && a->task == b->task &&
                a->session == b->session) {
                invariants_broken(
                    inv,
                    "task %u of processor %u of application %u runs twice in one session, "
                    "on executors %u and %u",
                    a->task, a->processor, a->app, a->executor, b->executor);
            }
        }
    }
}

uint64_t invariants_generation(const struct cluster *c, uint32_t app, uint32_t id)
{
    const struct node *node;

    for (uint32_t i = 0; (node = cluster_node(c, "executor", i)) != NULL; i++) {
        const struct executor *ex = node_executor(node);

        if (ex && ex->engine && ex->options.app == app && ex->options.executor == id) {
            return engine_generation(ex->engine);
        }
    }
    return UINT64_MAX;
}
