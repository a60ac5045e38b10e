/*
 * stage.c: making a stage: tables from the plan, tasks, edges in and out. Its time stands in
 * stage_time.c.
 */
#include "data/stage.h"

#include <stdlib.h>

#include "data/lane.h"
#include "data/large.h"
#include "data/output.h"
#include "data/task.h"

/* Of lines that user code logs, and of rejected rows. */
#define LOG_INTERVAL_NS 1000000000
#define LOG_BURST       200

/* The plugin's table as this host knows it: a shorter one ends in NULLs, a longer one is cut. */
static void copy_table(struct gp_processor *to, const struct gp_processor *from)
{
    size_t size = from->size < sizeof(*to) ? from->size : sizeof(*to);

    memset(to, 0, sizeof(*to));
    memcpy(to, from, size);
}

static int check_table(const struct stage *s, const struct plan_processor *plan,
                       struct gp_error *err)
{
    if (!s->table.open) {
        return gp_error_set(err, GP_EINVAL, "%s has no open function", plan->name);
    }
    if (plan->inputs > 0 && !s->table.process) {
        return gp_error_set(err, GP_EINVAL, "%s has input but no process function", plan->name);
    }
    if (plan->inputs == 0 && !s->table.poll) {
        return gp_error_set(err, GP_EINVAL, "%s has no input and no poll function", plan->name);
    }
    return 0;
}

static uint32_t count_out_edges(const struct plan *plan, uint32_t processor)
{
    uint32_t count = 0;

    for (uint32_t e = 0; e < plan->edge_count; e++) {
        count += plan->edges[e].from == processor;
    }
    return count;
}

/* Edges out, grouped by port. */
static int make_out_edges(struct stage *s, struct gp_error *err)
{
    const struct plan *plan = s->lane->topology->plan;
    uint32_t total = count_out_edges(plan, s->processor);

    s->port_count = plan->processors[s->processor].outputs;
    s->ports = (struct stage_port *)calloc(s->port_count + 1u, sizeof(*s->ports));
    s->out_edges = (struct out_edge *)calloc(total + 1u, sizeof(*s->out_edges));
    if (!s->ports || !s->out_edges) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the edges of %s", s->name);
    }
    for (uint32_t port = 0; port < s->port_count; port++) {
        s->ports[port].first = s->out_count;
        for (uint32_t e = 0; e < plan->edge_count; e++) {
            if (plan->edges[e].from == s->processor && plan->edges[e].from_port == port) {
                struct out_edge *edge = &s->out_edges[s->out_count++];
                int rc = out_edge_init(edge, s, e, err);

                edge->counts = edge == &s->out_edges[s->ports[port].first];
                if (rc < 0) {
                    return rc;
                }
                s->lane->out_edges[e] = edge;
            }
        }
        s->ports[port].count = s->out_count - s->ports[port].first;
    }
    return 0;
}

void stage_await_inlinks(struct stage *s)
{
    const struct topology *topology = s->lane->topology;

    s->inlink_max = 0;
    s->in_parked = false;
    for (uint32_t e = 0; e < topology->plan->edge_count; e++) {
        if (topology->plan->edges[e].to == s->processor) {
            const struct topology_processor *from =
                &topology->processors[topology->plan->edges[e].from];

            s->inlink_max += from->lanes;
            s->in_parked = s->in_parked || from->parked > 0 || from->leaving > 0;
        }
    }
}

static struct task *new_task(struct stage *s, uint32_t local)
{
    struct task *t = (struct task *)calloc(1, sizeof(*t));

    if (t && task_init(t, s, local) < 0) {
        free(t);
        return NULL;
    }
    return t;
}

static void free_task(struct task *t)
{
    if (t) {
        task_deinit(t);
        free(t);
    }
}

static int make_tasks(struct stage *s, struct gp_error *err)
{
    uint32_t count = topology_tasks_on(s->topology, s->lane->index, &s->task_indices);

    s->tasks = (struct task **)calloc(count + 1u, sizeof(*s->tasks));
    for (uint32_t i = 0; s->tasks && i < count; i++) {
        s->task_count++;
        s->tasks[i] = new_task(s, i);
        if (!s->tasks[i]) {
            return gp_error_set(err, GP_ENOMEM, "no memory for the tasks of %s", s->name);
        }
    }
    return s->tasks ? 0 : gp_error_set(err, GP_ENOMEM, "no memory for the tasks of %s", s->name);
}

static int stage_build(struct stage *s, struct gp_error *err)
{
    const struct plan_processor *plan = &s->lane->topology->plan->processors[s->processor];
    const struct lane_processor *what = &s->lane->env->processors[s->processor];
    int rc;

    s->name = plan->name;
    s->plugin = what->plugin;
    s->hash_seed = s->lane->topology->plan->hash_seed;
    s->topology = &s->lane->topology->processors[s->processor];
    s->reject_limit.interval_ns = LOG_INTERVAL_NS;
    s->reject_limit.burst = LOG_BURST;
    s->log_limit.interval_ns = LOG_INTERVAL_NS;
    s->log_limit.burst = LOG_BURST;
    if (!what->table) {
        return gp_error_set(err, GP_EINVAL, "no code was loaded for %s", plan->name);
    }
    copy_table(&s->table, what->table);
    rc = check_table(s, plan, err);
    if (rc == 0) {
        rc = make_out_edges(s, err);
    }
    stage_await_inlinks(s);
    if (rc == 0) {
        rc = make_tasks(s, err);
    }
    if (rc == 0 && measure_stage_init(s) < 0) {
        rc = gp_error_set(err, GP_ENOMEM, "no memory to measure %s", s->name);
    }
    counter_set(&s->watermark, (uint64_t)(s->task_count > 0 ? GP_TIME_MIN : GP_TIME_MAX));
    return rc;
}

int stage_new(struct lane *lane, uint32_t processor, struct stage **ret, struct gp_error *err)
{
    struct stage *s = (struct stage *)calloc(1, sizeof(*s));
    int rc;

    if (!s) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a stage");
    }
    s->lane = lane;
    s->processor = processor;
    s->in_ns = GP_TIME_MIN;
    s->out_ns = GP_TIME_MIN;
    list_init(&s->blocked);
    list_init(&s->large_waiting);
    list_node_init(&s->in_changed);
    list_node_init(&s->out_changed);
    rc = stage_build(s, err);
    if (rc < 0) {
        stage_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void inlink_free(struct inlink *link)
{
    if (link) {
        large_free_link(link);
        free(link->owed);
        free(link);
    }
}

void stage_free(struct stage *s)
{
    if (!s) {
        return;
    }
    for (uint32_t i = 0; i < s->task_count; i++) {
        free_task(s->tasks[i]);
    }
    for (uint32_t i = 0; i < s->out_count; i++) {
        out_edge_deinit(&s->out_edges[i]);
    }
    for (uint32_t i = 0; i < s->inlink_count; i++) {
        inlink_free(s->inlinks[i]);
    }
    for (uint32_t i = 0; s->unmanaged && i < s->unmanaged_count; i++) {
        inlink_free(s->unmanaged[i]);
    }
    large_free_stage(s);
    measure_stage_deinit(s);
    free(s->unmanaged);
    free(s->inlinks);
    free(s->tasks);
    free(s->out_edges);
    free(s->ports);
    free(s);
}

static struct inlink *new_inlink(struct stage *s, struct neighbour *neighbour, uint32_t edge,
                                 uint32_t window_bytes)
{
    struct inlink *link = (struct inlink *)calloc(1, sizeof(*link));

    if (link) {
        link->edge = edge;
        link->stage = s;
        link->neighbour = neighbour;
        link->owed_max = window_bytes / 2;
        link->watermark_ns = GP_TIME_MIN;
        link->taken_max =
            window_bytes +
            (int64_t)(window_bytes > BATCH_BODY_SIZE ? window_bytes : BATCH_BODY_SIZE);
    }
    return link;
}

/* What the output of one row may come to beyond the accounts (inbox.h). */
static void allow_overdraft(struct inlink *link, uint32_t partitioner)
{
    int64_t most = link->stage->lane->options->message_max_bytes;

    if (partitioner == PLAN_HASH || partitioner == PLAN_ROUND_ROBIN || partitioner == PLAN_CUSTOM) {
        link->taken_max_once = most;
    } else {
        link->taken_max += most;
    }
}

static int add_inlink(struct stage *s, struct inlink *link)
{
    struct inlink **inlinks =
        (struct inlink **)realloc(s->inlinks, (s->inlink_count + 1u) * sizeof(*inlinks));

    if (!inlinks) {
        return GP_ENOMEM;
    }
    s->inlinks = inlinks;
    s->inlinks[s->inlink_count++] = link;
    return 0;
}

int stage_add_inlinks(struct neighbour *neighbour)
{
    struct lane *lane = neighbour->lane;
    const struct topology *topology = lane->topology;

    for (uint32_t e = 0; e < topology->plan->edge_count; e++) {
        const struct plan_edge *edge = &topology->plan->edges[e];
        const struct topology_processor *from = &topology->processors[edge->from];
        struct stage *s = lane->stages[edge->to];
        struct inlink *link;

        if (neighbour->inlinks[e] ||
            from->offset[neighbour->index] == from->offset[neighbour->index + 1]) {
            continue;
        }
        link = new_inlink(s, neighbour, e, neighbour->window_in);
        if (!link || add_inlink(s, link) < 0) {
            free(link);
            return GP_ENOMEM;
        }
        link->port = edge->to_port;
        allow_overdraft(link, edge->partitioner);
        neighbour->inlinks[e] = link;
    }
    return 0;
}

/* Room for a link by the number of each lane. */
static void grow_unmanaged(struct stage *s)
{
    uint32_t count = s->lane->topology->lane_count;
    struct inlink **links = (struct inlink **)realloc(s->unmanaged, count * sizeof(*links));

    ASSERT(links);
    memset(links + s->unmanaged_count, 0, (count - s->unmanaged_count) * sizeof(*links));
    s->unmanaged = links;
    s->unmanaged_count = count;
}

struct inlink *stage_unmanaged_link(struct stage *s, struct neighbour *neighbour)
{
    if (neighbour->index >= s->unmanaged_count) {
        grow_unmanaged(s);
    }
    if (!s->unmanaged[neighbour->index]) {
        s->unmanaged[neighbour->index] = new_inlink(s, neighbour, BATCH_UNMANAGED | s->processor,
                                                    s->lane->options->unmanaged_window_bytes);
        ASSERT(s->unmanaged[neighbour->index]);
    }
    return s->unmanaged[neighbour->index];
}

struct inlink *stage_gone_link(struct stage *s, const struct inlink *link)
{
    uint32_t at = link->edge & BATCH_UNMANAGED ? s->lane->topology->plan->edge_count + s->processor
                                               : link->edge;
    struct inlink **place = &s->lane->gone.inlinks[at];

    if (!*place) {
        *place = new_inlink(s, &s->lane->gone, link->edge, UINT32_MAX);
        ASSERT(*place);
        (*place)->port = link->port;
        (*place)->owed = (uint32_t *)calloc(s->task_count + 1u, sizeof(*link->owed));
        ASSERT((*place)->owed);
    }
    return *place;
}

void stage_remove_inlinks(struct stage *s, const struct neighbour *neighbour)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < s->inlink_count; i++) {
        if (s->inlinks[i]->neighbour == neighbour) {
            inlink_free(s->inlinks[i]);
        } else {
            s->inlinks[kept++] = s->inlinks[i];
        }
    }
    s->inlink_count = kept;
    if (neighbour->index < s->unmanaged_count) {
        inlink_free(s->unmanaged[neighbour->index]);
        s->unmanaged[neighbour->index] = NULL;
    }
}

/* ---- tasks come and go ---- */

/* Where each task that stays stood, by where it stands now; UINT32_MAX: it has come. */
static uint32_t *map_locals(const struct stage *s, const struct topology_processor *before,
                            uint32_t count)
{
    uint32_t *was = (uint32_t *)malloc((count + 1u) * sizeof(*was));

    for (uint32_t i = 0; was && i < count; i++) {
        uint32_t index = s->task_indices[i];

        was[i] = before->lane_of[index] == s->lane->index ? before->local_of[index] : UINT32_MAX;
    }
    return was;
}

static void reorder_link(struct inlink *link, const uint32_t *was, uint32_t count)
{
    uint32_t *owed;

    if (!link) {
        return;
    }
    large_reorder(link, was, count);
    if (!link->owed) {
        return;
    }
    owed = (uint32_t *)calloc(count + 1u, sizeof(*owed));
    ASSERT(owed);
    for (uint32_t i = 0; i < link->stage->task_count; i++) {
        link->taken -= link->owed[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        owed[i] = was[i] == UINT32_MAX ? 0 : link->owed[was[i]];
        link->taken += owed[i];
    }
    free(link->owed);
    link->owed = owed;
}

static void reorder_links(struct stage *s, const uint32_t *was, uint32_t count)
{
    const struct plan *plan = s->lane->topology->plan;

    for (uint32_t i = 0; i < s->inlink_count; i++) {
        reorder_link(s->inlinks[i], was, count);
    }
    for (uint32_t i = 0; s->unmanaged && i < s->unmanaged_count; i++) {
        reorder_link(s->unmanaged[i], was, count);
    }
    for (uint32_t e = 0; e < plan->edge_count; e++) {
        if (plan->edges[e].to == s->processor) {
            reorder_link(s->lane->gone.inlinks[e], was, count);
        }
    }
    reorder_link(s->lane->gone.inlinks[plan->edge_count + s->processor], was, count);
    large_reordered(s);
}

/* Those that went are closed here, those that came are made. */
static int take_tasks(struct stage *s, const struct topology *before)
{
    uint32_t count = topology_tasks_on(s->topology, s->lane->index, &s->task_indices);
    uint32_t *was = map_locals(s, &before->processors[s->processor], count);
    struct task **tasks = (struct task **)calloc(count + 1u, sizeof(*tasks));

    if (!was || !tasks || lane_grow_scratch(s->lane, count) < 0) {
        free(was);
        free(tasks);
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (was[i] != UINT32_MAX) {
            tasks[i] = s->tasks[was[i]];
            s->tasks[was[i]] = NULL;
        }
    }
    for (uint32_t i = 0; i < s->task_count; i++) {
        if (s->tasks[i]) {
            task_remove(s->tasks[i]);
            free_task(s->tasks[i]);
        }
    }
    reorder_links(s, was, count);
    free(s->tasks);
    free(was);
    s->tasks = tasks;
    s->task_count = count;
    for (uint32_t i = 0; i < count; i++) {
        if (!tasks[i]) {
            tasks[i] = new_task(s, i);
            ASSERT(tasks[i]); /* half done, there is no way back */
            s->lane->tasks_total++;
        }
        tasks[i]->local = i;
    }
    if (count == 0) {
        counter_set(&s->watermark, (uint64_t)GP_TIME_MAX);
    }
    return 0;
}

static bool has_moved(const struct stage *s, const struct topology *before)
{
    const struct topology_processor *was = &before->processors[s->processor];
    const uint32_t *old;
    const uint32_t *now;
    uint32_t count = topology_tasks_on(was, s->lane->index, &old);

    return topology_tasks_on(s->topology, s->lane->index, &now) != count ||
           (count > 0 && memcmp(old, now, count * sizeof(*now)) != 0);
}

/* Links from lanes where all tasks that sent have left do not count; those from lanes to which some
 * came count from what these lanes say then. */
static void count_inlinks(struct stage *s, const struct topology *before)
{
    const struct topology *now = s->lane->topology;

    s->inlink_ended = 0;
    for (uint32_t i = 0; i < s->inlink_count; i++) {
        struct inlink *link = s->inlinks[i];
        uint32_t from = now->plan->edges[link->edge].from;
        uint32_t lane = link->neighbour->index;

        link->vacant = now->processors[from].offset[lane] == now->processors[from].offset[lane + 1];
        if (topology_has_come(now, before, from, lane)) {
            link->awaits = s->lane->moves;
        }
        s->inlink_ended += link->ended && !link->vacant;
    }
}

int stage_rebuild(struct stage *s, const struct topology *before)
{
    int rc = 0;

    s->topology = &s->lane->topology->processors[s->processor];
    if (has_moved(s, before)) {
        rc = take_tasks(s, before);
    }
    (void)topology_tasks_on(s->topology, s->lane->index, &s->task_indices);
    for (uint32_t i = 0; i < s->out_count && rc == 0; i++) {
        rc = out_edge_rebuild(&s->out_edges[i], before);
        s->say_afresh = s->say_afresh || s->out_edges[i].listens_new;
    }
    for (uint32_t i = 0; i < s->task_count; i++) {
        for (uint32_t k = 0; k < s->out_count; k++) {
            struct output *o = &s->tasks[i]->outputs[k];
            uint32_t next = o->next;

            output_init(o, &s->out_edges[k], s->tasks[i]);
            o->next = next % s->out_edges[k].choice_count;
        }
    }
    count_inlinks(s, before);
    if (s->inlink_max > 0 || s->in_parked) {
        stage_in_changed(s);
    }
    return rc;
}

void stage_unblock(struct stage *s)
{
    struct list waiting;

    list_init(&waiting);
    list_append_all(&waiting, &s->blocked);
    while (!list_is_empty(&waiting)) {
        struct task *t = LIST_ENTRY(list_pop_front(&waiting), struct task, node);

        s->lane->blocked_count--;
        t->place = TASK_NOWHERE;
        task_ready(t);
    }
}
