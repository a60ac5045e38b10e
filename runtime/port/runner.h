/*
 * runner.h: a thread with a loop of its own that runs a step function. A lane is one.
 *
 * The world calls, in the runner's thread: init once; then for ever: turn, then the loop's events
 * (without waiting while turn answers RUNNER_MORE or POLL, and then only every few turns; else
 * waiting, if may_sleep agrees, until an event or a wake); at last fini. In the simulator there is
 * no thread and the same functions are called one at a time, in an order drawn from the seed; when
 * a simulated process is killed, fini and on_exit come at once, so that memory is given back.
 */
#ifndef PORT_RUNNER_H
#define PORT_RUNNER_H

#include <stdatomic.h>

#include "port/loop.h"

struct runner;

enum runner_state {
    RUNNER_MORE, /* there is work: call turn again soon */
    RUNNER_IDLE, /* nothing to do before an event or a wake */
    RUNNER_DONE, /* stop: fini is called, then on_exit */
    RUNNER_POLL  /* as MORE, but this turn found nothing: others may have the CPU first */
};

/*
 * What user code this thread is inside of: read by the crash handler and by the watcher of stuck
 * code, so that a crash can name plugin, processor, task and function. Pointers must live as long
 * as the plugin. function NULL: none.
 */
struct crash_note {
    _Atomic(const char *) plugin;
    _Atomic(const char *) processor;
    _Atomic(const char *) function;
    _Atomic uint32_t task;
    _Atomic uint32_t calls; /* begun; goes round */
};

/* What a plain variable costs: the thread itself writes, handlers and the watcher read. */
#define CRASH_NOTE_GET(note, field) atomic_load_explicit(&(note)->field, memory_order_relaxed)
#define CRASH_NOTE_SET(note, field, value)                                                         \
    atomic_store_explicit(&(note)->field, value, memory_order_relaxed)

struct runner_spec {
    const char *name; /* of the thread, at most 15 bytes */
    /* Negative: neither turn nor fini comes, only on_exit. Others may loop_wake() the loop until
     * port_runner_free(). */
    int (*init)(void *user, struct loop *loop);
    enum runner_state (*turn)(void *user);
    /* Last look before sleeping: 1 to sleep, 0 when work came in. Must order its look after telling
     * others that it sleeps. */
    int (*may_sleep)(void *user);
    /* Everything made on the loop is freed by now or in here. What the loop still owes (callbacks
     * of writes, streams that are ending) comes after it and before on_exit. */
    void (*fini)(void *user);
    /* In the starter's loop, after fini and the end of the thread. */
    void (*on_exit)(void *user);
    void *user;
    struct crash_note *crash_note; /* may be NULL */
    int32_t cpu; /* pin to this one of those the process may use, going round; -1: no */
};

#endif
