/*
 * runner.c: a thread with a loop of its own that runs a step function.
 *
 * Threads: made and freed in the starter's, runner_main() and all below it in its own; the two meet
 * only in edge_loop_post() and the join. A busy runner asks the kernel for events only every
 * EDGE_TURNS_PER_POLL turns; an idle one sleeps in its loop until an event or loop_wake(), which is
 * remembered when it comes before the sleep.
 *
 * Happy path: init, turns, fini, drain the loop, post `exited`; the starter joins the thread and
 * calls on_exit. Failures: no memory, descriptors or threads at the start; init may refuse, then
 * there are neither turns nor fini, and on_exit follows at once. Pinning, naming and keeping apart
 * from those it wakes (spread.h) are wishes.
 */
#include "edge/runner.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "edge/crash.h"
#include "edge/limits.h"
#include "edge/spread.h"

struct runner {
    struct edge_task exited; /* first */
    struct edge_loop *starter;
    struct runner_spec spec;
    struct edge_loop loop;
    pthread_t thread;
    bool joined;
};

/* How often to look, when it came to nothing that many times in a row. Now and then it is tried
 * again. */
static uint32_t looks_worth(uint32_t vain)
{
    return vain < EDGE_LOOKS_VAIN_MAX || vain % EDGE_LOOKS_RETRY == 0 ? EDGE_LOOKS_AFTER_READ : 0;
}

/*
 * A runner that polls and finds nothing never sleeps. The kernel takes the writer to a stream to be
 * about to, and now and then puts the reader behind it, on its CPU, though another is idle: there
 * it waits for a tick, 3-4 ms. So the writer gives way every EDGE_YIELD_NS, which costs a system
 * call where nobody waits. If somebody else is there who keeps the CPU, he gets his share by ticks,
 * as ever. Returns when to do it next.
 */
static int64_t give_way(int64_t now_ns)
{
    int64_t then_ns;

    (void)sched_yield(); /* never fails */
    then_ns = (int64_t)uv_hrtime();
    return then_ns + (then_ns - now_ns > EDGE_YIELD_LONG_NS ? EDGE_YIELD_REST_NS : EDGE_YIELD_NS);
}

/*
 * Inside the loop's thread, until turn answers RUNNER_DONE.
 *
 * Being woken costs the peer that writes to a stream 7 us and this thread 30 until it runs. Where
 * bytes came from, more mostly follow: it looks for them for a few microseconds before it sleeps,
 * unless that came to nothing the last few times: who waits for credit waits for longer than that.
 * Rings need no such thing, their writers wake for several batches.
 */
static void run_turns(struct runner *r)
{
    struct edge_loop *l = &r->loop;
    const struct runner_spec *spec = &r->spec;
    uint32_t turns = 0;
    uint32_t looks_left = 0;
    uint32_t vain = 0; /* times that bytes came and then none while it looked */
    uint64_t reads_seen = 0;
    int64_t yield_at_ns = 0;
    struct spread spread;

    spread_begin(&spread, spec->cpu < 0);
    for (;;) {
        enum runner_state state;

        (void)loop_fresh_now_ns(&l->base);
        state = spec->turn(spec->user);
        if (state == RUNNER_DONE) {
            spread_return(&spread);
            return;
        }
        if (state == RUNNER_POLL && l->now_ns >= yield_at_ns) {
            yield_at_ns = give_way(l->now_ns);
        }
        if (state == RUNNER_MORE || state == RUNNER_POLL) {
            if (++turns % EDGE_TURNS_PER_POLL == 0) {
                edge_loop_step(l, false);
                spread_look(&spread, l->now_ns);
            } else {
                edge_loop_run_ready(l);
            }
            continue;
        }
        turns = 0;
        if (l->reads != reads_seen) {
            reads_seen = l->reads;
            looks_left = looks_worth(vain++);
        }
        if (looks_left > 0) {
            looks_left--;
            edge_loop_step(l, false);
            vain = l->reads != reads_seen ? 0 : vain;
            continue;
        }
        spread_return(&spread);
        edge_loop_step(l, !edge_loop_is_ready(l) && spec->may_sleep(spec->user) != 0);
    }
}

/* Among those that this process may use, going round: nothing else would be taken. */
static void pin(uint32_t number)
{
    cpu_set_t may;
    cpu_set_t one;
    size_t cpu = 0;

    if (sched_getaffinity(0, sizeof(may), &may) != 0 || CPU_COUNT(&may) == 0) {
        return;
    }
    number %= (uint32_t)CPU_COUNT(&may);
    while (!CPU_ISSET(cpu, &may) || number-- > 0) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    (void)pthread_setaffinity_np(pthread_self(), sizeof(one), &one);
}

static void apply_wishes(const struct runner_spec *spec)
{
    char name[16];

    (void)snprintf(name, sizeof(name), "%s", spec->name); /* cut to what the kernel takes */
    (void)pthread_setname_np(pthread_self(), name);
    if (spec->cpu >= 0) {
        pin((uint32_t)spec->cpu);
    }
}

static void *runner_main(void *arg)
{
    struct runner *r = arg;
    struct edge_crash_stack crash_stack;

    apply_wishes(&r->spec);
    edge_crash_thread_begin(&crash_stack, r->spec.crash_note);
    if (r->spec.init(r->spec.user, &r->loop.base) >= 0) {
        run_turns(r);
        r->spec.fini(r->spec.user);
    }
    edge_loop_drain(&r->loop);
    edge_crash_thread_end(&crash_stack);
    edge_loop_post(r->starter, &r->exited);
    return NULL;
}

static void on_exited(struct edge_task *task)
{
    struct runner *r = (struct runner *)task;
    int rc = pthread_join(r->thread, NULL);

    ASSERT(rc == 0);
    r->joined = true;
    r->starter->objects--;
    r->spec.on_exit(r->spec.user); /* may free r */
}

/* Signals are the main thread's, so that a lane is never interrupted by one. */
static int start_thread(struct runner *r)
{
    sigset_t all;
    sigset_t before;
    int rc;

    (void)sigfillset(&all);
    (void)sigdelset(&all, SIGSEGV); /* blocked faults kill without a word */
    (void)sigdelset(&all, SIGBUS);
    (void)sigdelset(&all, SIGFPE);
    (void)sigdelset(&all, SIGILL);
    (void)sigdelset(&all, SIGABRT);
    (void)sigdelset(&all, SIGSYS);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&r->thread, NULL, runner_main, r);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int edge_runner_start(struct edge_loop *starter, const struct runner_spec *spec,
                      struct runner **ret, struct gp_error *err)
{
    struct runner *r = calloc(1, sizeof(*r));
    int rc;

    if (r == NULL) {
        return gp_error_set(err, GP_ENOMEM, "cannot start runner %s: out of memory", spec->name);
    }
    list_node_init(&r->exited.node);
    r->exited.fn = on_exited;
    r->starter = starter;
    r->spec = *spec;
    rc = edge_loop_init(&r->loop);
    if (rc < 0) {
        free(r);
        return gp_error_set(err, rc, "cannot start runner %s: no event loop: %s", spec->name,
                            error_sentence(rc));
    }
    rc = start_thread(r);
    if (rc != 0) {
        edge_loop_drain(&r->loop);
        edge_loop_deinit(&r->loop);
        free(r);
        return gp_error_set(err, error_from_errno(rc), "cannot start runner %s: %s", spec->name,
                            strerror(rc));
    }
    starter->objects++;
    *ret = r;
    return 0;
}

void edge_runner_free(struct runner *runner)
{
    ASSERT(runner->joined);
    edge_loop_deinit(&runner->loop); /* only now: until here others may have woken it */
    free(runner);
}
