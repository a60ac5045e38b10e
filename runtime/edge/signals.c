/*
 * signals.c: see signals.h. libuv turns signals into events of the main loop: the first of each
 * kind. From then on the kernel does what it does by default, so that a loop which turns no more
 * (in a write to a terminal that stands still, say) can be ended all the same.
 */
#include "edge/signals.h"

#include <signal.h>
#include <stdlib.h>

#include "base/assert.h"
#include "edge/crash.h"
#include "edge/loop.h"

static const int stop_signals[] = {SIGTERM, SIGINT};

#define STOP_SIGNALS ARRAY_LEN(stop_signals)

struct edge_signals {
    struct edge_loop *loop;
    void (*on_stop)(void *user, int signal, int count);
    void *user;
    int count;
    uint32_t handles_open; /* freed when the last is closed */
    uv_signal_t uv[STOP_SIGNALS];
};

void edge_process_begin(void)
{
    /* For the life of the process, in static storage of the C library: no stack to give back. */
    static struct edge_crash_stack main_stack;

    (void)signal(SIGPIPE, SIG_IGN);
    edge_crash_begin();
    edge_crash_thread_begin(&main_stack, NULL);
}

static void on_signal(uv_signal_t *uv, int number)
{
    struct edge_signals *s = uv->data;

    edge_loop_enter(s->loop);
    s->on_stop(s->user, number, ++s->count); /* may free s */
}

static void on_closed(uv_handle_t *handle)
{
    struct edge_signals *s = handle->data;

    if (--s->handles_open == 0) {
        free(s);
    }
}

static void close_all(struct edge_signals *s)
{
    uint32_t count = s->handles_open;

    for (uint32_t i = 0; i < count; i++) {
        uv_close((uv_handle_t *)&s->uv[i], on_closed);
    }
}

int edge_signals_new(struct edge_world *world, void (*on_stop)(void *user, int signal, int count),
                     void *user, struct edge_signals **ret, struct gp_error *err)
{
    struct edge_loop *l = edge_loop_of(edge_port(world)->loop);
    struct edge_signals *s = calloc(1, sizeof(*s));
    int rc = 0;

    if (s == NULL) {
        return gp_error_set(err, GP_ENOMEM, "cannot watch signals: out of memory");
    }
    *s = (struct edge_signals){.loop = l, .on_stop = on_stop, .user = user};
    for (size_t i = 0; rc == 0 && i < STOP_SIGNALS; i++) {
        rc = uv_signal_init(&l->uv, &s->uv[i]);
        if (rc == 0) {
            s->uv[i].data = s;
            s->handles_open++;
            rc = uv_signal_start_oneshot(&s->uv[i], on_signal, stop_signals[i]);
        }
    }
    if (rc < 0) {
        if (s->handles_open == 0) {
            free(s);
        } else {
            close_all(s);
        }
        return gp_error_set(err, edge_error_of(rc), "cannot watch signals: %s", uv_strerror(rc));
    }
    l->objects++;
    *ret = s;
    return 0;
}

void edge_signals_free(struct edge_signals *signals)
{
    if (signals == NULL) {
        return;
    }
    signals->loop->objects--;
    close_all(signals);
}
