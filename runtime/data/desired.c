/* desired.c: see desired.h. */
#include "data/desired.h"

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/str.h"

static int take_placement(struct desired *d, const struct msg_placed *placed, uint32_t count)
{
    d->placement.ranges = calloc(count + 1u, sizeof *d->placement.ranges);
    if (!d->placement.ranges) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct msg_placed *r = &placed[i];
        d->placement.ranges[i] = (struct placement_range){.processor = r->processor,
                                                          .first = r->first,
                                                          .count = r->count,
                                                          .executor = r->executor,
                                                          .lane = r->lane,
                                                          .session = r->session,
                                                          .since = r->since,
                                                          .leaving = r->leaving};
    }
    d->placement.count = count;
    return 0;
}

static int take_siblings(struct desired *d, const struct msg_sibling *from, uint32_t count)
{
    struct engine_lane_addr *lane;
    size_t lanes = 1;

    for (uint32_t i = 0; i < count; i++) {
        lanes += from[i].lanes_count;
    }
    d->hosts = calloc(count + 1u, sizeof *d->hosts);
    d->siblings = calloc(count + 1u, sizeof *d->siblings);
    d->lanes = calloc(lanes, sizeof *d->lanes);
    if (!d->hosts || !d->siblings || !d->lanes) {
        return GP_ENOMEM;
    }
    lane = d->lanes;
    for (uint32_t i = 0; i < count; i++) {
        d->hosts[i] = (struct placement_host){.executor = from[i].id, .lanes = from[i].lanes_count};
        d->siblings[i] = (struct engine_sibling){.executor = from[i].id,
                                                 .host = from[i].host,
                                                 .incarnation = from[i].incarnation,
                                                 .lanes = lane,
                                                 .lane_count = from[i].lanes_count};
        for (uint32_t l = 0; l < from[i].lanes_count; l++, lane++) {
            /* An address too long to be one is cut, and then nobody answers there. */
            (void)str_format(lane->tcp.text, sizeof lane->tcp.text, "%s", from[i].lanes[l].tcp);
            (void)str_format(lane->unix_socket.text, sizeof lane->unix_socket.text, "%s",
                             from[i].lanes[l].unix_path);
        }
    }
    d->sibling_count = count;
    return 0;
}

static int take_states(struct desired *d, const struct msg_task_state *from, uint32_t count)
{
    size_t total = 1;
    uint8_t *at;

    for (uint32_t i = 0; i < count; i++) {
        total += strlen(from[i].state) / 2;
    }
    d->states = calloc(count + 1u, sizeof *d->states);
    d->bytes = malloc(total);
    if (!d->states || !d->bytes) {
        return GP_ENOMEM;
    }
    at = d->bytes;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = strlen(from[i].state) / 2;
        if (hex_decode(gp_str_of(from[i].state), at, len) < 0) {
            return GP_EPROTO;
        }
        d->states[i] = (struct lane_state){.processor = from[i].processor,
                                           .task = from[i].task,
                                           .moved = from[i].moved,
                                           .bytes = gp_bytes_of(at, len)};
        at += len;
    }
    d->state_count = count;
    return 0;
}

static int take_ended(struct desired *d, const struct msg_task_range *from, uint32_t count)
{
    d->ended = calloc(count + 1u, sizeof *d->ended);
    if (!d->ended) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        d->ended[i] = (struct lane_tasks){from[i].processor, from[i].first, from[i].count};
    }
    d->ended_count = count;
    return 0;
}

static int finish(const struct desired *d, int rc, const struct plan *plan, struct gp_error *err)
{
    if (rc < 0) {
        return gp_error_set(err, rc, "taking what the appmaster wants: %s", error_sentence(rc));
    }
    if (d->moves > d->generation) {
        return gp_error_set(err, GP_EINVAL, "moves of generation %llu in generation %llu",
                            (unsigned long long)d->moves, (unsigned long long)d->generation);
    }
    return placement_check(&d->placement, plan, err);
}

int desired_init_assign(struct desired *ret, const struct msg_executor_assign *msg,
                        const struct plan *plan, struct gp_error *err)
{
    int rc;

    *ret = (struct desired){.generation = msg->generation, .moves = msg->moves};
    rc = take_placement(ret, msg->placement, msg->placement_count);
    rc = rc < 0 ? rc : take_siblings(ret, msg->executors, msg->executors_count);
    rc = rc < 0 ? rc : take_states(ret, msg->states, msg->states_count);
    rc = rc < 0 ? rc : take_ended(ret, msg->ended, msg->ended_count);
    return finish(ret, rc, plan, err);
}

int desired_init_update(struct desired *ret, const struct msg_executor_update *msg,
                        const struct plan *plan, struct gp_error *err)
{
    int rc;

    *ret = (struct desired){.generation = msg->generation, .moves = msg->moves};
    rc = take_placement(ret, msg->placement, msg->placement_count);
    rc = rc < 0 ? rc : take_siblings(ret, msg->executors, msg->executors_count);
    rc = rc < 0 ? rc : take_states(ret, msg->states, msg->states_count);
    return finish(ret, rc, plan, err);
}

void desired_deinit(struct desired *d)
{
    placement_deinit(&d->placement);
    free(d->hosts);
    free(d->siblings);
    free(d->lanes);
    free(d->states);
    free(d->bytes);
    free(d->ended);
    *d = (struct desired){0};
}

void desired_describe(const struct desired *d, struct engine_job *job)
{
    job->generation = d->generation;
    job->moves = d->moves;
    job->placement = &d->placement;
    job->hosts = d->hosts;
    job->host_count = d->sibling_count;
    job->siblings = d->siblings;
    job->sibling_count = d->sibling_count;
    job->states = d->states;
    job->state_count = d->state_count;
    job->ended = d->ended;
    job->ended_count = d->ended_count;
}
