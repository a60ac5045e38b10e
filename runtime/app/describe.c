/* describe.c: a description in the order of its plan, and as JSON; see describe.h. */
#include "app/describe.h"

#include "app/show.h"
#include "app/tree.h"
#include "base/assert.h"

static const char *const kind_names[] = {"pointer", "ring", "shm", "unix", "tcp", "fused"};

_Static_assert(EDGE_LOCAL == 0 && EDGE_FUSED == ARRAY_LEN(kind_names) - 1,
               "the names follow enum edge_kind");

const char *describe_edge_kind(uint32_t kind)
{
    return kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "unknown";
}

int description_init(struct description *d, const struct msg_app_description *msg,
                     struct gp_error *err)
{
    *d = (struct description){.msg = msg};
    if (msg->plan && value_kind(msg->plan) == VALUE_OBJECT) {
        int rc = plan_decode(msg->plan, &d->plan, err);

        if (rc < 0) {
            return rc;
        }
    }
    for (uint32_t i = 0; i < msg->live.edges_count; i++) {
        const struct msg_edge_stats *stats = &msg->live.edges[i];

        if (stats->edge < PLAN_EDGES_MAX) {
            struct edge_totals *totals = &d->edges[stats->edge];

            totals->messages += stats->messages;
            totals->bytes += stats->bytes;
            totals->rate += stats->rate;
            totals->kinds |= 1u << (stats->kind & 31u);
        }
    }
    for (uint32_t i = 0; i < msg->live.processors_count; i++) {
        const struct msg_processor_stats *stats = &msg->live.processors[i];

        if (stats->processor < PLAN_PROCESSORS_MAX) {
            d->processors[stats->processor] = stats;
        }
    }
    return 0;
}

void description_deinit(struct description *d)
{
    plan_free(d->plan);
    d->plan = NULL;
}

double description_rate(const struct description *d, uint32_t processor, bool into)
{
    double rate = 0;

    for (uint32_t i = 0; i < d->plan->edge_count; i++) {
        if ((into ? d->plan->edges[i].to : d->plan->edges[i].from) == processor) {
            rate += d->edges[i].rate;
        }
    }
    return rate;
}

/* ---- JSON ---- */

static struct value *counters_tree(const struct msg_processor_stats *stats)
{
    struct tree t;

    tree_begin(&t);
    for (uint32_t i = 0; i < stats->counters_count; i++) {
        tree_i64(&t, stats->counters[i].name, stats->counters[i].value);
    }
    return tree_end(&t);
}

/* The members of a processor that count; nothing was reported yet: zeros. */
static void add_stats(struct tree *t, const struct msg_processor_stats *stats)
{
    static const struct msg_processor_stats none = {0};

    stats = stats ? stats : &none;
    tree_u64(t, "in", stats->in);
    tree_u64(t, "out", stats->out);
    tree_u64(t, "rejected", stats->rejected);
    tree_u64(t, "late", stats->late);
    tree_take(t, "counters", counters_tree(stats));
}

static struct value *processor_tree(const struct description *d, uint32_t index)
{
    const struct plan_processor *p = &d->plan->processors[index];
    const struct msg_processor_stats *stats = d->processors[index];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "name", p->name);
    tree_u64(&t, "parallelism", p->parallelism);
    tree_text(&t, "plugin", d->plan->plugins[p->plugin].name);
    tree_text(&t, "type", p->type);
    tree_text(&t, "place", plan_place(p));
    tree_u64(&t, "running", stats ? stats->tasks_running : 0);
    tree_u64(&t, "ended", stats ? stats->tasks_ended : 0);
    add_stats(&t, stats);
    tree_real(&t, "rate_in", description_rate(d, index, true));
    tree_real(&t, "rate_out", description_rate(d, index, false));
    return tree_end(&t);
}

static struct value *processors_list(const struct description *d)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; d->plan && i < d->plan->processor_count; i++) {
        tree_push_take(&list, processor_tree(d, i));
    }
    return list;
}

static struct value *kinds_list(uint32_t kinds)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < ARRAY_LEN(kind_names); i++) {
        if ((kinds & 1u << i) != 0) {
            tree_push_take(&list, value_new_str(gp_str_of(kind_names[i])));
        }
    }
    return list;
}

static struct value *edge_tree(const struct description *d, uint32_t index)
{
    const struct plan_edge *e = &d->plan->edges[index];
    const struct edge_totals *totals = &d->edges[index];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "from", d->plan->processors[e->from].name);
    tree_u64(&t, "from_port", e->from_port);
    tree_text(&t, "to", d->plan->processors[e->to].name);
    tree_u64(&t, "to_port", e->to_port);
    tree_text(&t, "partitioner", plan_edge_partitioner_name(e));
    tree_take(&t, "kinds", kinds_list(totals->kinds));
    tree_u64(&t, "messages", totals->messages);
    tree_u64(&t, "bytes", totals->bytes);
    tree_real(&t, "rate", totals->rate);
    return tree_end(&t);
}

static struct value *edges_list(const struct description *d)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; d->plan && i < d->plan->edge_count; i++) {
        tree_push_take(&list, edge_tree(d, i));
    }
    return list;
}

static uint32_t tasks_on(const struct msg_app_live *live, uint32_t executor)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < live->placement_count; i++) {
        tasks += live->placement[i].executor == executor ? live->placement[i].count : 0;
    }
    return tasks;
}

static struct value *executor_tree(const struct description *d,
                                   const struct msg_executor_info *executor)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "id", executor->id);
    tree_u64(&t, "worker", executor->worker);
    tree_text(&t, "host", executor->host);
    tree_i64(&t, "pid", executor->pid);
    tree_u64(&t, "lanes", executor->lanes);
    if (executor->pinned > 0) {
        tree_u64(&t, "first_core", executor->pinned - 1);
    }
    tree_u64(&t, "tasks", tasks_on(&d->msg->live, executor->id));
    tree_text(&t, "state", executor->state);
    return tree_end(&t);
}

static struct value *executors_list(const struct description *d)
{
    struct value *list = value_new_list();

    if (d->msg->appmaster.worker != 0) {
        tree_push_take(&list, executor_tree(d, &d->msg->appmaster)); /* executor 0 */
    }
    for (uint32_t i = 0; i < d->msg->live.executors_count; i++) {
        tree_push_take(&list, executor_tree(d, &d->msg->live.executors[i]));
    }
    return list;
}

static struct value *range_tree(const struct description *d, const struct msg_range *range)
{
    struct tree t;
    bool is_known = d->plan && range->processor < d->plan->processor_count;

    tree_begin(&t);
    tree_text(&t, "processor", is_known ? d->plan->processors[range->processor].name : "");
    tree_u64(&t, "first", range->first);
    tree_u64(&t, "count", range->count);
    tree_u64(&t, "executor", range->executor);
    tree_u64(&t, "lane", range->lane);
    return tree_end(&t);
}

static struct value *tasks_list(const struct description *d)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < d->msg->live.placement_count; i++) {
        tree_push_take(&list, range_tree(d, &d->msg->live.placement[i]));
    }
    return list;
}

static struct value *event_tree(const struct msg_app_event *event)
{
    struct tree t;

    tree_begin(&t);
    tree_i64(&t, "time_ms", event->time_ms);
    tree_text(&t, "text", event->text);
    tree_i64(&t, "took_ms", event->took_ms);
    return tree_end(&t);
}

static struct value *events_list(const struct description *d)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < d->msg->live.events_count; i++) {
        tree_push_take(&list, event_tree(&d->msg->live.events[i]));
    }
    return list;
}

struct value *describe_losses(const struct msg_app_live *live)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "messages", live->lost);
    tree_u64(&t, "in_doubt", live->in_doubt);
    tree_bool(&t, "at_least", live->is_lost_at_least);
    return tree_end(&t);
}

static struct value *restarts_tree(const struct msg_app_live *live)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "used", live->restarts);
    tree_u64(&t, "max", live->restarts_max);
    tree_i64(&t, "window_ms", live->restart_window_ms);
    return tree_end(&t);
}

static struct value *moves_tree(const struct msg_app_moves *moves)
{
    struct tree t;

    tree_begin(&t);
    tree_u64(&t, "open", moves->open);
    tree_u64(&t, "done", moves->done);
    tree_u64(&t, "refused", moves->refused);
    return tree_end(&t);
}

struct value *describe_tree(const struct description *d)
{
    struct tree t;

    tree_begin(&t);
    tree_take(&t, "application", show_app(&d->msg->app));
    tree_take(&t, "processors", processors_list(d));
    tree_take(&t, "edges", edges_list(d));
    tree_take(&t, "executors", executors_list(d));
    tree_take(&t, "tasks", tasks_list(d));
    tree_take(&t, "events", events_list(d));
    tree_take(&t, "lost", describe_losses(&d->msg->live));
    tree_take(&t, "restarts", restarts_tree(&d->msg->live));
    tree_take(&t, "moves", moves_tree(&d->msg->live.moves));
    tree_text(&t, "last_error", d->msg->live.last_error);
    tree_text(&t, "guarantee", d->msg->live.guarantee);
    return tree_end(&t);
}

struct value *describe_totals(const struct description *d)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; d->plan && i < d->plan->processor_count; i++) {
        struct tree t;

        tree_begin(&t);
        tree_text(&t, "name", d->plan->processors[i].name);
        tree_u64(&t, "tasks", d->plan->processors[i].parallelism);
        add_stats(&t, d->processors[i]);
        tree_push_take(&list, tree_end(&t));
    }
    return list;
}
