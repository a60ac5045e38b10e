/*
 * lane_host.c: see lane_host.h.
 */
#include "data/lane_host.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "data/lane.h"

static void set_phase(struct lane_host *host, enum host_phase phase)
{
    atomic_store_explicit(&host->phase, (uint32_t)phase, memory_order_release);
    doorbell_ring(host->spec.bell);
}

enum host_phase lane_host_phase(const struct lane_host *host)
{
    return (enum host_phase)atomic_load_explicit(&((struct lane_host *)(uintptr_t)host)->phase,
                                                 memory_order_acquire);
}

static void on_stream(void *user, struct stream *stream)
{
    struct lane_host *host = (struct lane_host *)user;

    hub_accept_take(&host->hub, stream);
}

static int listen_at(struct lane_host *host, uint32_t which)
{
    int rc;

    if (host->listen[which].text[0] == '\0') {
        return 0;
    }
    rc = net_listen(host->loop, &host->listen[which], on_stream, host, &host->listeners[which],
                    &host->err);
    if (rc == 0) {
        net_listener_addr(host->listeners[which], &host->addrs[which]);
    }
    return rc;
}

static void close_listeners(struct lane_host *host)
{
    for (uint32_t i = 0; i < ARRAY_LEN(host->listeners); i++) {
        net_listener_free(host->listeners[i]);
        host->listeners[i] = NULL;
    }
}

static int host_init(void *user, struct loop *loop)
{
    struct lane_host *host = (struct lane_host *)user;
    int rc;

    host->loop = loop;
    hub_start(&host->hub, loop);
    rc = listen_at(host, 0);
    if (rc == 0) {
        rc = listen_at(host, 1);
    }
    if (rc < 0) {
        close_listeners(host);
        atomic_store_explicit(&host->phase, HOST_FAILED, memory_order_release);
        return rc;
    }
    set_phase(host, HOST_READY);
    return 0;
}

static enum runner_state host_turn(void *user)
{
    struct lane_host *host = (struct lane_host *)user;

    if (LIKELY(host->own != NULL)) {
        return lane_turn(host->own);
    }
    if (atomic_load(&host->stop)) {
        return RUNNER_DONE;
    }
    host->own = atomic_load_explicit(&host->lane, memory_order_acquire);
    if (!host->own) {
        return RUNNER_IDLE;
    }
    if (lane_init(host->own, host->loop, &host->hub) < 0) {
        host->own = NULL;
        (void)gp_error_set(&host->err, GP_ENOMEM, "no memory for the timers of a lane");
        atomic_store_explicit(&host->phase, HOST_FAILED, memory_order_release);
        return RUNNER_DONE;
    }
    return RUNNER_MORE;
}

static int host_may_sleep(void *user)
{
    struct lane_host *host = (struct lane_host *)user;

    if (host->own) {
        return lane_may_sleep(host->own);
    }
    return !atomic_load(&host->stop) && !atomic_load(&host->lane);
}

static void host_fini(void *user)
{
    struct lane_host *host = (struct lane_host *)user;

    close_listeners(host);
    if (host->own) {
        lane_fini(host->own);
    }
    hub_close(&host->hub);
}

static void host_on_exit(void *user)
{
    struct lane_host *host = (struct lane_host *)user;

    if (lane_host_phase(host) != HOST_FAILED) {
        set_phase(host, HOST_DONE);
    } else {
        doorbell_ring(host->spec.bell);
    }
    host->exited = true;
}

int lane_host_new(const struct lane_host_spec *spec, struct lane_host **ret, struct gp_error *err)
{
    struct lane_host *host = (struct lane_host *)calloc(1, sizeof(*host));
    struct runner_spec runner;
    int rc;

    if (!host) {
        return gp_error_set(err, GP_ENOMEM, "no memory for a lane");
    }
    host->spec = *spec;
    hub_init(&host->hub, spec->port, spec->identity, spec->index, spec->log);
    if (spec->tcp) {
        host->listen[0] = *spec->tcp;
    }
    if (spec->unix_socket) {
        host->listen[1] = *spec->unix_socket;
    }
    (void)snprintf(host->name, sizeof(host->name), "lane-%u", spec->index); /* cut at worst */
    runner = (struct runner_spec){.name = host->name,
                                  .init = host_init,
                                  .turn = host_turn,
                                  .may_sleep = host_may_sleep,
                                  .fini = host_fini,
                                  .on_exit = host_on_exit,
                                  .user = host,
                                  .crash_note = &host->note,
                                  .cpu = spec->cpu};
    rc = port_runner_start(spec->port, &runner, &host->runner, err);
    if (rc < 0) {
        free(host);
        return rc;
    }
    *ret = host;
    return 0;
}

void lane_host_free(struct lane_host *host)
{
    if (host) {
        ASSERT(host->exited);
        port_runner_free(host->spec.port, host->runner);
        hub_deinit(&host->hub);
        free(host);
    }
}

void lane_host_give(struct lane_host *host, struct lane *lane)
{
    ASSERT(lane_host_phase(host) == HOST_READY);
    lane->note = &host->note;
    atomic_store(&host->lane, lane);
    loop_wake(host->loop);
}

void lane_host_stop(struct lane_host *host)
{
    struct lane *lane = atomic_load(&host->lane);

    atomic_store(&host->stop, 1);
    if (lane) {
        lane_command(lane, LANE_STOP);
    }
    /* Also when it has a lane: it may not have taken it over yet. */
    if (lane_host_phase(host) == HOST_READY) {
        loop_wake(host->loop);
    }
}
