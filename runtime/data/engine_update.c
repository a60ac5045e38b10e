/*
 * engine_update.c: changes of what the lanes run, one after the other.
 *
 * A change is prepared here, whole: a topology that keeps the numbers of lanes that go on, where
 * the new ones are, and states of tasks to be restarted. Then each lane takes it in a turn of its
 * own and says so; until all have, the next one waits. The topology before is freed then, for only
 * lanes that have not taken the change look at it.
 *
 * Invariants: changes are in order of their generations; only the first is seen by lanes, and of
 * the last one who is in it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "data/engine_internal.h"

#define CHANGES_MAX 16u

static const struct engine_sibling *find_sibling(const struct engine_job *job, uint32_t executor)
{
    for (uint32_t i = 0; i < job->sibling_count; i++) {
        if (job->siblings[i].executor == executor) {
            return &job->siblings[i];
        }
    }
    return NULL;
}

static int find_place(const struct engine *e, const struct engine_job *job,
                      const struct topology_lane *to, struct stream_place *ret,
                      struct gp_error *err)
{
    const struct engine_sibling *s = find_sibling(job, to->executor);
    bool same_host;

    *ret = (struct stream_place){.executor = to->executor, .lane = to->lane};
    if (to->executor == e->identity.executor) {
        ret->incarnation = e->identity.incarnation;
        engine_lane_addr(e, to->lane, &ret->tcp, &ret->unix_socket);
        same_host = true;
    } else if (s && to->lane < s->lane_count) {
        ret->incarnation = s->incarnation;
        ret->tcp = s->lanes[to->lane].tcp;
        ret->unix_socket = s->lanes[to->lane].unix_socket;
        same_host = s->host && e->host[0] && strcmp(s->host, e->host) == 0;
    } else {
        return gp_error_set(err, GP_EINVAL, "nobody said where lane %u of executor %u is", to->lane,
                            to->executor);
    }
    if (job->options->edge_mode == EDGE_MODE_TCP || !same_host) {
        ret->unix_socket.text[0] = '\0';
    } else if (job->options->edge_mode != EDGE_MODE_AUTO && ret->unix_socket.text[0]) {
        ret->tcp.text[0] = '\0';
    }
    return 0;
}

int engine_find_places(const struct engine *e, const struct engine_job *job,
                       const struct topology *topology, struct stream_place **ret,
                       struct gp_error *err)
{
    struct stream_place *places =
        (struct stream_place *)calloc(topology->lane_count, sizeof(*places));
    int rc = 0;

    if (!places) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the lanes");
    }
    for (uint32_t i = 0; rc == 0 && i < topology->lane_count; i++) {
        const struct topology_lane *to = &topology->lanes[i];

        /* An index of this process beyond its lanes is found out when lanes are made. */
        if (to->tasks > 0 && (to->executor != e->identity.executor || to->lane < e->lane_count)) {
            rc = find_place(e, job, to, &places[i], err);
        }
    }
    if (rc < 0) {
        free(places);
        return rc;
    }
    *ret = places;
    return 0;
}

/* Only lanes that this executor has can take tasks. */
static int check_own(const struct engine *e, const struct topology *t, struct gp_error *err)
{
    for (uint32_t i = 0; i < t->lane_count; i++) {
        const struct topology_lane *l = &t->lanes[i];

        if (l->executor == e->identity.executor && l->tasks > 0 && l->lane >= e->lane_count) {
            return gp_error_set(err, GP_EINVAL, "executor %u has no lane %u", l->executor, l->lane);
        }
    }
    return 0;
}

/* Copies of the states: the message they came in goes. */
static int copy_states(struct engine_change *c, const struct engine_job *job)
{
    size_t total = 1;
    uint8_t *at;

    for (uint32_t i = 0; i < job->state_count; i++) {
        total += job->states[i].bytes.len;
    }
    c->states = (struct lane_state *)calloc(job->state_count + 1u, sizeof(*c->states));
    c->bytes = (uint8_t *)malloc(total);
    if (!c->states || !c->bytes) {
        return GP_ENOMEM;
    }
    at = c->bytes;
    for (uint32_t i = 0; i < job->state_count; i++) {
        c->states[i] = job->states[i];
        memcpy(at, job->states[i].bytes.ptr, job->states[i].bytes.len);
        c->states[i].bytes.ptr = at;
        at += job->states[i].bytes.len;
    }
    return 0;
}

static void free_change(struct engine_change *c)
{
    topology_free(c->topology);
    free(c->places);
    free(c->states);
    free(c->bytes);
    free(c);
}

static int make_change(const struct engine *e, const struct engine_job *job,
                       const struct topology *before, struct engine_change *c, struct gp_error *err)
{
    int rc = topology_new(e->topology->plan, job->placement, job->hosts, job->host_count,
                          e->env.options, before, &c->topology, err);

    rc = rc < 0 ? rc : check_own(e, c->topology, err);
    rc = rc < 0 ? rc : engine_find_places(e, job, c->topology, &c->places, err);
    if (rc == 0 && copy_states(c, job) < 0) {
        rc = gp_error_set(err, GP_ENOMEM, "no memory for an update");
    }
    c->update = (struct lane_update){.generation = job->generation,
                                     .moves = job->moves,
                                     .topology = c->topology,
                                     .places = c->places,
                                     .states = c->states,
                                     .state_count = job->state_count};
    return rc;
}

static void give(struct engine *e)
{
    const struct engine_change *newest = e->changes;

    while (newest->next) {
        newest = newest->next;
    }
    for (uint32_t i = 0; i < e->lane_count; i++) {
        lane_give_update(e->lanes[i], &e->changes->update, newest->topology);
    }
}

static void tell_newest(struct engine *e, const struct engine_change *newest)
{
    for (uint32_t i = 0; i < e->lane_count; i++) {
        lane_tell_newest(e->lanes[i], newest->topology);
    }
}

int engine_update(struct engine *e, const struct engine_job *job, struct gp_error *err)
{
    struct engine_change **at = &e->changes;
    const struct topology *before = e->topology;
    uint64_t newest = e->generation;
    uint32_t waiting = 0;
    struct engine_change *c;
    int rc;

    ASSERT(e->lanes && !e->stopping);
    for (; *at; at = &(*at)->next) {
        before = (*at)->topology;
        newest = (*at)->update.generation;
        waiting++;
    }
    if (job->generation <= newest) {
        return 0;
    }
    if (waiting == CHANGES_MAX) {
        return gp_error_set(err, GP_EFULL, "%u updates wait to be taken", waiting);
    }
    c = (struct engine_change *)calloc(1, sizeof(*c));
    if (!c) {
        return gp_error_set(err, GP_ENOMEM, "no memory for an update");
    }
    rc = make_change(e, job, before, c, err);
    if (rc < 0) {
        free_change(c);
        return rc;
    }
    *at = c;
    if (c == e->changes) {
        give(e);
    } else {
        tell_newest(e, c);
    }
    return 0;
}

void engine_step_changes(struct engine *e)
{
    struct engine_change *c = e->changes;

    for (uint32_t i = 0; c && i < e->lane_count; i++) {
        if (atomic_load_explicit(&e->lanes[i]->generation, memory_order_acquire) <
            c->update.generation) {
            return;
        }
    }
    if (!c) {
        return;
    }
    e->changes = c->next;
    e->generation = c->update.generation;
    topology_free(e->topology);
    e->topology = c->topology;
    e->env.topology = c->topology;
    c->topology = NULL;
    free_change(c);
    if (e->changes) {
        give(e);
    }
    e->spec.events->on_updated(e->spec.user, e->generation);
}

void engine_free_changes(struct engine *e)
{
    while (e->changes) {
        struct engine_change *c = e->changes;

        e->changes = c->next;
        free_change(c);
    }
}

uint64_t engine_generation(const struct engine *e)
{
    return e->generation;
}

uint64_t engine_session(const struct engine *e, uint32_t processor, uint32_t task)
{
    return e->topology->processors[processor].session[task];
}

bool engine_is_leaving(const struct engine *e, uint32_t processor, uint32_t task)
{
    return e->topology->processors[processor].is_leaving[task];
}
