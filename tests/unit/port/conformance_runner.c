/*
 * port/runner.h in every world. The functions of a runner are called on a thread of their own in
 * the real world, so what they share with the test is atomic, and only the test's thread checks.
 */
#include <stdatomic.h>

#include "gp_test.h"
#include "port/conformance.h"

#define MS INT64_C(1000000)

enum { STAGE_NEW, STAGE_INITED, STAGE_TURNED, STAGE_ENDED, STAGE_EXITED, STAGE_WRONG };

struct worker {
    struct runner *runner;
    _Atomic(struct loop *) loop; /* set by init */
    struct timer *timer;
    int init_answer;
    atomic_int stage;
    atomic_int turns;
    atomic_int asked;    /* may_sleep calls */
    atomic_int refusals; /* how often may_sleep still says no */
    atomic_int more;     /* turns that answer RUNNER_MORE or POLL */
    atomic_bool stop;
    atomic_bool exited;
    struct doorbell *bell; /* rung by every turn; NULL: none */
    int rings;             /* heard, on the main loop */
};

static void move(struct worker *w, int from, int to)
{
    int stage = from;

    if (!atomic_compare_exchange_strong(&w->stage, &stage, to)) {
        atomic_store(&w->stage, STAGE_WRONG);
    }
}

static int on_init(void *user, struct loop *loop)
{
    struct worker *w = user;

    atomic_store(&w->loop, loop);
    move(w, STAGE_NEW, w->init_answer < 0 ? STAGE_ENDED : STAGE_INITED);
    return w->init_answer;
}

static enum runner_state on_turn(void *user)
{
    struct worker *w = user;

    if (atomic_fetch_add(&w->turns, 1) == 0) {
        move(w, STAGE_INITED, STAGE_TURNED);
    }
    if (w->bell != NULL) {
        doorbell_ring(w->bell);
    }
    if (atomic_load(&w->stop)) {
        return RUNNER_DONE;
    }
    if (atomic_load(&w->more) > 0) {
        return atomic_fetch_sub(&w->more, 1) % 2 == 0 ? RUNNER_MORE : RUNNER_POLL;
    }
    return RUNNER_IDLE;
}

static int may_sleep(void *user)
{
    struct worker *w = user;

    atomic_fetch_add(&w->asked, 1);
    if (atomic_load(&w->refusals) > 0) {
        atomic_fetch_sub(&w->refusals, 1);
        return 0;
    }
    return !atomic_load(&w->stop);
}

static void on_fini(void *user)
{
    struct worker *w = user;

    timer_free(w->timer);
    move(w, STAGE_TURNED, STAGE_ENDED);
}

static void on_exit_told(void *user)
{
    struct worker *w = user;

    move(w, STAGE_ENDED, STAGE_EXITED);
    atomic_store(&w->exited, true);
}

static void worker_start(struct worker *w, struct conf *c, int (*init)(void *, struct loop *))
{
    const struct runner_spec spec = {
        .name = "worker",
        .init = init,
        .turn = on_turn,
        .may_sleep = may_sleep,
        .fini = on_fini,
        .on_exit = on_exit_told,
        .user = w,
        .cpu = -1,
    };
    struct gp_error err = {0};

    GP_REQUIRE_EQ(port_runner_start(c->port, &spec, &w->runner, &err), 0);
    GP_CHECK(!atomic_load(&w->exited));
}

static void worker_end(struct worker *w, struct conf *c)
{
    CONF_WAIT(c, atomic_load(&w->exited));
    GP_CHECK_EQ(atomic_load(&w->stage), STAGE_EXITED);
    port_runner_free(c->port, w->runner);
}

static void worker_stop(struct worker *w, struct conf *c)
{
    atomic_store(&w->stop, true);
    loop_wake(atomic_load(&w->loop));
    worker_end(w, c);
}

/* Waits until it looks asleep: it was asked, and then nothing more came. */
static void worker_settle(struct worker *w, struct conf *c)
{
    int asked;

    while (atomic_load(&w->asked) == 0) {
        conf_pass(c, MS);
    }
    do {
        asked = atomic_load(&w->asked);
        conf_pass(c, 10 * MS);
    } while (atomic_load(&w->asked) != asked);
}

void conformance_runner_calls_come_in_order(struct conf *c)
{
    struct worker w = {.more = 20};

    worker_start(&w, c, on_init);
    worker_settle(&w, c);
    GP_CHECK(atomic_load(&w.turns) > 20);
    worker_stop(&w, c);
}

void conformance_runner_that_cannot_begin_only_exits(struct conf *c)
{
    struct worker w = {.init_answer = GP_ENOMEM};

    worker_start(&w, c, on_init);
    worker_end(&w, c);
    GP_CHECK_EQ(atomic_load(&w.turns), 0);
}

void conformance_runner_sleeps_until_woken(struct conf *c)
{
    struct worker w = {0};
    int turns;

    worker_start(&w, c, on_init);
    worker_settle(&w, c);
    turns = atomic_load(&w.turns);
    conf_pass(c, 50 * MS);
    GP_CHECK_EQ(atomic_load(&w.turns), turns);
    loop_wake(atomic_load(&w.loop));
    while (atomic_load(&w.turns) == turns) {
        conf_pass(c, MS);
    }
    worker_stop(&w, c);
}

/* The wake-up must not be lost between the last turn and the sleep, wherever it falls. */
void conformance_runner_woken_while_up_turns_again(struct conf *c)
{
    struct worker w = {0};

    worker_start(&w, c, on_init);
    worker_settle(&w, c);
    for (int i = 0; i < 100; i++) {
        int turns = atomic_load(&w.turns);

        loop_wake(atomic_load(&w.loop));
        while (atomic_load(&w.turns) == turns) {
            conf_pass(c, MS / 100);
        }
    }
    worker_stop(&w, c);
}

static void on_ring(void *user)
{
    ((struct worker *)user)->rings++;
}

/* Many rings may become one, but none after the last is lost. */
void conformance_doorbell_is_heard_on_its_loop(struct conf *c)
{
    struct worker w = {0};
    int heard;

    GP_REQUIRE_EQ(doorbell_new(c->loop, on_ring, &w, &w.bell), 0);
    worker_start(&w, c, on_init);
    CONF_WAIT(c, w.rings > 0);
    worker_settle(&w, c);
    conf_pass(c, 50 * MS);
    heard = w.rings;
    GP_CHECK(heard <= atomic_load(&w.turns));
    loop_wake(atomic_load(&w.loop));
    CONF_WAIT(c, w.rings > heard);
    worker_stop(&w, c);
    doorbell_free(w.bell);
}

void conformance_runner_asks_before_sleeping(struct conf *c)
{
    struct worker w = {.refusals = 3};

    worker_start(&w, c, on_init);
    worker_settle(&w, c);
    GP_CHECK_EQ(atomic_load(&w.refusals), 0);
    GP_CHECK(atomic_load(&w.turns) >= 4);
    worker_stop(&w, c);
}

static void on_enough(void *user)
{
    struct worker *w = user;

    atomic_store(&w->stop, true);
}

static int init_with_timer(void *user, struct loop *loop)
{
    struct worker *w = user;

    if (timer_new(loop, on_enough, w, &w->timer) < 0) {
        return GP_ENOMEM;
    }
    timer_start(w->timer, 5 * MS);
    return on_init(user, loop);
}

/* A runner that never rests still gets its events; one that rests is called by them. */
void conformance_runner_hears_its_loop_while_busy(struct conf *c)
{
    struct worker busy = {.more = INT32_MAX};
    struct worker idle = {0};

    worker_start(&busy, c, init_with_timer);
    worker_start(&idle, c, init_with_timer);
    worker_end(&busy, c);
    worker_end(&idle, c);
    GP_CHECK(atomic_load(&busy.turns) > 8);
    GP_CHECK(atomic_load(&idle.turns) > 0);
}

/* ---- a lane that connects and sends ---- */

struct caller {
    struct worker worker; /* first: on_turn and others see only this */
    struct net_addr addr;
    struct stream *stream;
    atomic_int written;
    atomic_int status;
};

#define GREETING "hello from the lane"

static void on_caller_written(void *user, int status)
{
    struct caller *caller = user;

    atomic_store(&caller->status, status);
    atomic_store(&caller->written, 1);
}

static void on_caller_connected(void *user, int status)
{
    struct caller *caller = user;
    const struct net_buf bytes = {.ptr = GREETING, .len = sizeof(GREETING) - 1};

    atomic_store(&caller->status, status);
    if (status == 0) {
        (void)stream_write(caller->stream, &bytes, 1, on_caller_written,
                           caller); /* checked by both ends */
    }
}

static int init_caller(void *user, struct loop *loop)
{
    struct caller *caller = user;

    if (net_connect(loop, &caller->addr, on_caller_connected, caller, &caller->stream) < 0) {
        return GP_ENOMEM;
    }
    return on_init(user, loop);
}

static void fini_caller(void *user)
{
    struct caller *caller = user;

    stream_end(caller->stream);
    on_fini(&caller->worker);
}

struct answerer {
    struct stream *stream;
    char bytes[64];
    size_t len;
    int64_t end;
};

static void *answerer_alloc(void *user, size_t *ret_len)
{
    struct answerer *answerer = user;

    *ret_len = sizeof(answerer->bytes) - answerer->len;
    return answerer->bytes + answerer->len;
}

static void answerer_on_read(void *user, int64_t n)
{
    struct answerer *answerer = user;

    answerer->len += n > 0 ? (size_t)n : 0;
    answerer->end = n < 0 ? n : 0;
}

static const struct stream_reader answerer_reader = {.alloc = answerer_alloc,
                                                     .on_read = answerer_on_read};

static void on_caller_accepted(void *user, struct stream *stream)
{
    struct answerer *answerer = user;

    answerer->stream = stream;
    GP_CHECK_EQ(stream_read_start(stream, &answerer_reader, answerer), 0);
}

void conformance_runner_has_streams_of_its_own(struct conf *c)
{
    struct caller caller = {.worker = {0}};
    struct answerer answerer = {0};
    const struct net_addr any = {"127.0.0.1:0"};
    struct runner_spec spec = {
        .name = "caller",
        .init = init_caller,
        .turn = on_turn,
        .may_sleep = may_sleep,
        .fini = fini_caller,
        .on_exit = on_exit_told,
        .user = &caller,
        .cpu = -1,
    };
    struct listener *listener;

    GP_REQUIRE_EQ(net_listen(c->loop, &any, on_caller_accepted, &answerer, &listener, NULL), 0);
    net_listener_addr(listener, &caller.addr);
    GP_REQUIRE_EQ(port_runner_start(c->port, &spec, &caller.worker.runner, NULL), 0);
    CONF_WAIT(c, answerer.len == sizeof(GREETING) - 1);
    GP_CHECK_MEM_EQ(answerer.bytes, GREETING, answerer.len);
    worker_stop(&caller.worker, c);
    CONF_WAIT(c, answerer.end < 0);
    GP_CHECK_EQ(answerer.end, GP_ECLOSED);
    GP_CHECK_EQ(atomic_load(&caller.status), 0);
    GP_CHECK_EQ(atomic_load(&caller.written), 1);
    stream_free(answerer.stream);
    net_listener_free(listener);
}
