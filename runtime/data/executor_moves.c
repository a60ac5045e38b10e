/*
 * executor_moves.c: what an executor tells its appmaster of tasks that move.
 *
 * A task that has left is nowhere but in what is told here, so that is kept until its next session
 * is placed: an appmaster that comes later hears it, too. Why one stays is kept for as long as it
 * is asked to leave. Both are told one after the other, each when the one before was heard, since
 * states are large; oldest first. That one has come is told once, after all else.
 *
 * Invariants: what is told, or about to be, stands in one of two lists; of a task, only the latest.
 *
 * Failures: an appmaster that does not answer in time is asked again; one that refuses to hear is
 * not, that is logged: executor.move_unheard.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/sha256.h"
#include "data/executor_internal.h"

#define ASK_TIMEOUT_NS 5000000000
#define RETRY_NS       100000000

/* The rest of such a message is small. */
_Static_assert(2 * MSG_MOVED_STATE_MAX + 4096 + MSG_ERROR_MAX <= FRAME_CONTROL_MAX,
               "what a task takes along fits a message");

static void tell_next(struct executor *ex);

static void append(struct lane_moved **list, struct lane_moved *first)
{
    while (*list) {
        list = &(*list)->next;
    }
    *list = first;
}

typedef bool (*moved_fn)(const struct executor *ex, const struct lane_moved *m, const void *arg);

/* Those for which fn says so are forgotten. */
static void forget_some(struct executor *ex, struct lane_moved **list, moved_fn fn, const void *arg)
{
    while (*list) {
        struct lane_moved *m = *list;

        if (!fn(ex, m, arg)) {
            list = &m->next;
            continue;
        }
        *list = m->next;
        ex->moved_asked = ex->moved_asked == m ? NULL : ex->moved_asked;
        lane_moved_free(m);
    }
}

static void forget(struct executor *ex, moved_fn fn, const void *arg)
{
    forget_some(ex, &ex->moved_due, fn, arg);
    forget_some(ex, &ex->moved_told, fn, arg);
}

/* ---- telling ---- */

/* The one that was asked about was heard. */
static void heard(struct executor *ex)
{
    struct lane_moved *m = ex->moved_asked;

    if (!m) {
        return; /* forgotten meanwhile */
    }
    ASSERT(ex->moved_due == m);
    ex->moved_due = m->next;
    m->next = NULL;
    ex->moved_asked = NULL;
    if (m->what == MSG_MOVED_RESUMED) {
        lane_moved_free(m);
    } else {
        append(&ex->moved_told, m);
    }
}

static void on_answer(void *user, struct peer *peer, const struct answer *answer)
{
    struct executor *ex = user;

    (void)peer;
    ex->moved_waits = false;
    switch (answer->code) {
    case 0:
        heard(ex);
        tell_next(ex);
        break;
    case GP_ECLOSED:
    case GP_ECANCELED:
        ex->moved_asked = NULL; /* again after registering */
        break;
    case GP_ETIMEOUT:
    case GP_EAGAIN:
        ex->moved_asked = NULL;
        timer_start(ex->moved_timer, RETRY_NS);
        break;
    default:
        LOG_WARN(ex_log(ex), "executor.move_unheard", KV_STR("error", answer->err->text));
        heard(ex);
        tell_next(ex);
        break;
    }
}

static int ask(struct executor *ex, const struct lane_moved *m)
{
    gp_bytes state = buf_bytes(&m->state);
    struct msg_executor_moved msg = {.processor = m->processor,
                                     .task = m->task,
                                     .session = m->session,
                                     .moves = m->moves,
                                     .what = m->what,
                                     .ended = m->ended,
                                     .text = (char *)(uintptr_t)m->text,
                                     .state = malloc(2 * state.len + 1)};
    int rc = GP_ENOMEM;

    if (msg.state) {
        hex_encode(state.ptr, state.len, msg.state);
        rc = peer_ask(ex->appmaster, MSG_EXECUTOR_MOVED, &msg, ASK_TIMEOUT_NS, 0, on_answer, ex);
    }
    free(msg.state);
    return rc;
}

static void tell_next(struct executor *ex)
{
    if (ex->moved_waits || !ex->moved_due || !ex->registered || ex->state >= EX_STOPPING) {
        return;
    }
    if (ask(ex, ex->moved_due) < 0) {
        timer_start(ex->moved_timer, RETRY_NS);
        return;
    }
    ex->moved_waits = true;
    ex->moved_asked = ex->moved_due;
}

static void on_timer(void *user)
{
    tell_next(user);
}

/* ---- what is known ---- */

static bool is_of_task(const struct executor *ex, const struct lane_moved *m, const void *arg)
{
    const struct lane_moved *other = arg;

    (void)ex;
    return m->processor == other->processor && m->task == other->task;
}

void ex_moves_take(struct executor *ex, struct lane_moved *m)
{
    forget(ex, is_of_task, m);
    append(&ex->moved_due, m);
    tell_next(ex);
}

static bool is_settled(const struct executor *ex, const struct lane_moved *m, const void *arg)
{
    (void)arg;
    return engine_session(ex->engine, m->processor, m->task) > m->session ||
           (m->what == MSG_MOVED_REFUSED && !engine_is_leaving(ex->engine, m->processor, m->task));
}

void ex_moves_updated(struct executor *ex)
{
    forget(ex, is_settled, NULL);
}

static bool has_come(const struct executor *ex, const struct lane_moved *m, const void *arg)
{
    (void)ex;
    (void)arg;
    return m->what == MSG_MOVED_RESUMED;
}

void ex_moves_tell_all(struct executor *ex)
{
    forget(ex, has_come, NULL); /* the generation that was registered says so */
    append(&ex->moved_told, ex->moved_due);
    ex->moved_due = ex->moved_told;
    ex->moved_told = NULL;
    ex->moved_asked = NULL; /* an answer that is due does not count */
    tell_next(ex);
}

/* ---- life ---- */

int ex_moves_init(struct executor *ex)
{
    return timer_new(ex->port->loop, on_timer, ex, &ex->moved_timer);
}

void ex_moves_stop(struct executor *ex)
{
    timer_stop(ex->moved_timer);
}

static bool any(const struct executor *ex, const struct lane_moved *m, const void *arg)
{
    (void)ex;
    (void)m;
    (void)arg;
    return true;
}

void ex_moves_deinit(struct executor *ex)
{
    forget(ex, any, NULL);
    timer_free(ex->moved_timer);
}
