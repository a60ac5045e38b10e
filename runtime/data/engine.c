/*
 * engine.c: see engine.h. One step function looks at what the lanes and their hosts say and tells
 * the owner what became true; the doorbell runs it.
 *
 * Invariants: lanes[i] runs on hosts[i]; a lane is freed after the threads of all lanes have ended,
 * for its batches may be anywhere; each event is told once.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "data/engine_internal.h"

/* Whether every host is at least in this phase. FAILED counts as gone. */
static bool hosts_are(const struct engine *e, enum host_phase phase)
{
    for (uint32_t i = 0; i < e->lane_count; i++) {
        if (!e->hosts[i]) {
            continue;
        }
        if (phase == HOST_DONE ? !e->hosts[i]->exited
                               : lane_host_phase(e->hosts[i]) < (uint32_t)phase) {
            return false;
        }
    }
    return true;
}

static bool lanes_are(const struct engine *e, enum lane_phase phase)
{
    for (uint32_t i = 0; i < e->lane_count; i++) {
        if (lane_phase(e->lanes[i]) < (uint32_t)phase) {
            return false;
        }
    }
    return true;
}

static const struct lane_host *failed_host(const struct engine *e)
{
    for (uint32_t i = 0; i < e->lane_count; i++) {
        if (e->hosts[i] && lane_host_phase(e->hosts[i]) == HOST_FAILED) {
            return e->hosts[i];
        }
    }
    return NULL;
}

static void tell_ready(struct engine *e)
{
    const struct lane_host *failed = failed_host(e);

    if (e->told_ready || !hosts_are(e, HOST_READY)) {
        return;
    }
    e->told_ready = true;
    e->spec.events->on_ready(e->spec.user, failed ? &failed->err : NULL);
}

static void free_failures(struct lane_failure *f)
{
    while (f) {
        struct lane_failure *next = f->next;

        free(f);
        f = next;
    }
}

/* When tasks do not open, one of them is told. */
static void tell_opened(struct engine *e)
{
    bool failed = false;

    if (e->told_opened || !e->lanes || !lanes_are(e, LANE_OPENED)) {
        return;
    }
    e->told_opened = true;
    for (uint32_t i = 0; i < e->lane_count; i++) {
        struct lane_failure *f =
            lane_phase(e->lanes[i]) == LANE_OPEN_FAILED ? lane_take_failures(e->lanes[i]) : NULL;

        if (f && !failed) {
            failed = true;
            e->spec.events->on_opened(e->spec.user, f);
        }
        free_failures(f);
    }
    if (!failed) {
        e->spec.events->on_opened(e->spec.user, NULL);
    }
}

static void tell_failed(struct engine *e)
{
    for (uint32_t i = 0; e->told_opened && i < e->lane_count; i++) {
        struct lane_failure *first = lane_take_failures(e->lanes[i]);

        for (struct lane_failure *f = first; f && !e->stopping; f = f->next) {
            e->spec.events->on_failed(e->spec.user, f);
        }
        free_failures(first);
    }
}

static void tell_moved(struct engine *e)
{
    for (uint32_t i = 0; e->told_opened && i < e->lane_count; i++) {
        struct lane_moved *m = lane_take_moved(e->lanes[i]);

        while (m) {
            struct lane_moved *next = m->next;

            m->next = NULL;
            if (!e->stopping && e->spec.events->on_moved) {
                e->spec.events->on_moved(e->spec.user, m);
            } else {
                lane_moved_free(m);
            }
            m = next;
        }
    }
}

static void tell_news(struct engine *e)
{
    for (uint32_t i = 0; e->told_opened && i < e->lane_count; i++) {
        struct lane_news *news = lane_take_news(e->lanes[i]);

        if (news && !e->stopping && e->spec.events->on_news) {
            e->spec.events->on_news(e->spec.user, i, news);
        }
        lane_news_free(news);
    }
}

void engine_ask_news(struct engine *e, enum lane_ask ask)
{
    for (uint32_t i = 0; e->told_opened && i < e->lane_count; i++) {
        lane_ask_news(e->lanes[i], ask);
    }
}

bool engine_has_ended(const struct engine *e)
{
    return lanes_are(e, LANE_ENDED);
}

static void tell_ended(struct engine *e)
{
    if (!e->starting || e->told_ended == engine_has_ended(e)) {
        return;
    }
    if (e->told_ended) {
        e->told_ended = false;
        if (e->spec.events->on_resumed) {
            e->spec.events->on_resumed(e->spec.user);
        }
        return;
    }
    e->told_ended = true;
    e->spec.events->on_ended(e->spec.user);
}

/* Each callback may stop the engine, none may free it but the last. */
static void on_bell(void *user)
{
    struct engine *e = (struct engine *)user;

    if (!e->stopping) {
        tell_ready(e);
    }
    if (!e->stopping) {
        tell_opened(e);
    }
    if (!e->stopping) {
        engine_step_changes(e);
    }
    if (!e->stopping) {
        tell_failed(e);
    }
    if (!e->stopping) {
        tell_moved(e);
    }
    if (!e->stopping) {
        tell_news(e);
    }
    if (!e->stopping) {
        tell_ended(e);
    }
    if (e->stopping && !e->told_stopped && hosts_are(e, HOST_DONE)) {
        e->told_stopped = true;
        e->spec.events->on_stopped(e->spec.user);
    }
}

/* A socket file of its own for each lane of each executor of each application: the folder is the
 * worker's. */
static int unix_addr(const struct engine *e, uint32_t lane, struct net_addr *ret)
{
    int n = snprintf(ret->text, sizeof(ret->text), "unix:%s/%u-%u-%u.sock", e->spec.unix_dir,
                     e->identity.app, e->identity.executor, lane);

    return n > 0 && (size_t)n < sizeof(ret->text) ? 0 : GP_ETOOBIG;
}

static int start_host(struct engine *e, uint32_t lane, struct gp_error *err)
{
    struct net_addr path;
    struct lane_host_spec spec = {.port = e->spec.port,
                                  .index = lane,
                                  .tcp = e->spec.tcp,
                                  .identity = &e->identity,
                                  .log = e->spec.log,
                                  .bell = e->bell,
                                  .cpu = -1};

    if (e->spec.first_core >= 0 && lane < e->spec.pinned) {
        spec.cpu = e->spec.first_core + (int32_t)lane;
    }
    if (e->spec.unix_dir) {
        if (unix_addr(e, lane, &path) < 0) {
            return gp_error_set(err, GP_ETOOBIG, "the path of a Unix socket in %s is too long",
                                e->spec.unix_dir);
        }
        spec.unix_socket = &path;
    }
    return lane_host_new(&spec, &e->hosts[lane], err);
}

int engine_new(const struct engine_spec *spec, struct engine **ret, struct gp_error *err)
{
    struct engine *e = (struct engine *)calloc(1, sizeof(*e));
    int rc;

    ASSERT(spec->lanes > 0 && spec->lanes <= LANES_MAX);
    if (!e) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the lanes");
    }
    e->spec = *spec;
    e->lane_count = spec->lanes;
    e->identity = *spec->identity;
    (void)str_format(e->host, sizeof(e->host), "%s",
                     spec->host ? spec->host : ""); /* cut at worst */
    e->hosts = (struct lane_host **)calloc(spec->lanes, sizeof(*e->hosts));
    rc = e->hosts ? doorbell_new(spec->port->loop, on_bell, e, &e->bell) : GP_ENOMEM;
    if (rc < 0) {
        engine_free(e);
        return gp_error_set(err, rc, "no memory for the lanes");
    }
    for (uint32_t i = 0; rc == 0 && i < spec->lanes; i++) {
        rc = start_host(e, i, err);
    }
    *ret = e; /* also with fewer threads than asked for: they have to be stopped */
    return rc;
}

static void on_lane_notify(void *user)
{
    doorbell_ring(((struct engine *)user)->bell);
}

static int connect_streams(struct engine *e, const struct engine_job *job, struct lane *lane,
                           const struct stream_place *places, struct gp_error *err)
{
    for (uint32_t i = 0; i < e->topology->lane_count; i++) {
        const struct topology_lane *to = &e->topology->lanes[i];

        if (i == lane->index ||
            (to->executor == e->identity.executor && job->options->edge_mode == EDGE_MODE_AUTO)) {
            continue;
        }
        if (lane_add_stream(lane, i, &places[i]) < 0) {
            return gp_error_set(err, GP_ENOMEM, "no memory for a neighbour");
        }
    }
    return 0;
}

static int connect_rings(struct engine *e, const struct engine_job *job, uint32_t lane,
                         struct gp_error *err)
{
    for (uint32_t k = 0; k < lane && job->options->edge_mode == EDGE_MODE_AUTO; k++) {
        if (lane_connect(e->lanes[k], e->lanes[lane]) < 0) {
            return gp_error_set(err, GP_ENOMEM, "no memory for a neighbour");
        }
    }
    return 0;
}

static int make_lanes(struct engine *e, const struct engine_job *job,
                      const struct stream_place *places, struct gp_error *err)
{
    e->lanes = (struct lane **)calloc(e->lane_count, sizeof(*e->lanes));
    if (!e->lanes) {
        return gp_error_set(err, GP_ENOMEM, "no memory for the lanes");
    }
    for (uint32_t i = 0; i < e->lane_count; i++) {
        int index = topology_find_lane(e->topology, e->identity.executor, i);
        int rc;

        if (index < 0) {
            return gp_error_set(err, GP_EINVAL, "lane %u is not in the placement", i);
        }
        rc = lane_new(&e->env, (uint32_t)index, &e->lanes[i], err);
        if (rc == 0) {
            rc = connect_rings(e, job, i, err);
        }
        if (rc == 0) {
            rc = connect_streams(e, job, e->lanes[i], places, err);
        }
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

static void drop_lanes(struct engine *e)
{
    for (uint32_t i = 0; e->lanes && i < e->lane_count; i++) {
        lane_free(e->lanes[i]);
    }
    free(e->lanes);
    e->lanes = NULL;
    topology_free(e->topology);
    e->topology = NULL;
}

int engine_assign(struct engine *e, const struct engine_job *job, struct gp_error *err)
{
    struct stream_place *places = NULL;
    int rc;

    ASSERT(e->told_ready && !e->lanes);
    rc = topology_new(job->plan, job->placement, job->hosts, job->host_count, job->options, NULL,
                      &e->topology, err);
    if (rc < 0) {
        return rc;
    }
    e->env = (struct lane_env){.topology = e->topology,
                               .moves = job->moves,
                               .options = job->options,
                               .processors = job->processors,
                               .partitioners = job->partitioners,
                               .partitioner_config = job->config,
                               .app_id = e->identity.app,
                               .states = job->states,
                               .state_count = job->state_count,
                               .ended = job->ended,
                               .ended_count = job->ended_count,
                               .log = e->spec.log,
                               .notify = on_lane_notify,
                               .notify_user = e};
    e->generation = job->generation;
    rc = engine_find_places(e, job, e->topology, &places, err);
    rc = rc < 0 ? rc : make_lanes(e, job, places, err);
    free(places);
    if (rc < 0) {
        drop_lanes(e);
        return rc;
    }
    for (uint32_t i = 0; i < e->lane_count; i++) {
        lane_command(e->lanes[i], LANE_OPEN);
        lane_host_give(e->hosts[i], e->lanes[i]);
    }
    return 0;
}

void engine_start(struct engine *e)
{
    ASSERT(e->told_opened && !e->starting);
    e->starting = true;
    for (uint32_t i = 0; i < e->lane_count; i++) {
        lane_command(e->lanes[i], LANE_START);
    }
}

void engine_stop(struct engine *e)
{
    ASSERT(!e->stopping);
    e->stopping = true;
    for (uint32_t i = 0; i < e->lane_count; i++) {
        if (e->hosts[i]) {
            lane_host_stop(e->hosts[i]);
        }
    }
    doorbell_ring(e->bell);
}

void engine_free(struct engine *e)
{
    if (!e) {
        return;
    }
    for (uint32_t i = 0; e->hosts && i < e->lane_count; i++) {
        lane_host_free(e->hosts[i]);
    }
    drop_lanes(e);
    engine_free_changes(e);
    doorbell_free(e->bell);
    free(e->hosts);
    free(e);
}

void engine_lane_addr(const struct engine *e, uint32_t lane, struct net_addr *ret_tcp,
                      struct net_addr *ret_unix)
{
    *ret_tcp = e->hosts[lane]->addrs[0];
    *ret_unix = e->hosts[lane]->addrs[1];
}

const struct lane *engine_lane(const struct engine *e, uint32_t lane)
{
    return e->lanes ? e->lanes[lane] : NULL;
}

struct lane_measures *engine_measures(const struct engine *e, uint32_t lane)
{
    ASSERT(e->told_stopped);
    return e->lanes && e->lanes[lane] ? measure_copy(e->lanes[lane]) : NULL;
}

uint32_t engine_lane_count(const struct engine *e)
{
    return e->lane_count;
}
