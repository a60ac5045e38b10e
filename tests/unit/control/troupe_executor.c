/*
 * troupe_executor.c: the puppets of executors. They do as they are told and note it, look for their
 * appmaster, and check that nobody is started too early and no task runs twice.
 */
#include "base/str.h"
#include "gp_test.h"
#include "troupe_puppets.h"

static uint32_t value_of(const char *state)
{
    uint64_t value;
    gp_str number;
    gp_str rest;

    (void)str_cut(gp_str_of(state), 'f', &number, &rest);
    GP_REQUIRE(str_to_u64(number, &value) >= 0);
    return (uint32_t)value;
}

/* What a session begins with. */
static void begin_task(struct fake_executor *e, const struct msg_placed *p, uint32_t task,
                       const struct msg_task_state *states, uint32_t count)
{
    struct troupe *t = e->troupe;
    bool has_moved = e->brought[p->processor][task] == p->session;

    if (has_moved) {
        e->values[p->processor][task] = e->brought_values[p->processor][task];
    }
    for (uint32_t i = 0; i < count && !has_moved; i++) {
        if (states[i].processor == p->processor && states[i].task == task && states[i].moved) {
            e->values[p->processor][task] = value_of(states[i].state);
            has_moved = true;
        }
    }
    if (has_moved) { /* what it sent since it began anew counts still, wherever it was */
        GP_CHECK(p->since != 0 && p->since <= t->anew[p->processor][task]);
        t->moved++;
        return;
    }
    t->anew[p->processor][task] = p->session;
    e->values[p->processor][task] = ++t->next_value;
    t->fresh++;
}

static void on_moved_told(void *user, struct peer *peer, const struct answer *answer)
{
    (void)user;
    (void)peer;
    (void)answer;
}

static void tell_moved(struct fake_executor *e, uint32_t processor, uint32_t task, uint64_t session,
                       bool refused)
{
    struct buf value;
    struct msg_executor_moved msg = {
        .processor = processor,
        .task = task,
        .session = session,
        .what = refused ? MSG_MOVED_REFUSED : MSG_MOVED_LEFT,
        .text = text(refused ? "its state is larger than a message carries" : ""),
        .state = text("")};

    buf_init(&value, 2 * MSG_MOVED_STATE_MAX);
    GP_REQUIRE(buf_append_fmt(&value, "%u", e->values[processor][task]) >= 0);
    while (buf_len(&value) < e->troupe->state_chars) {
        GP_REQUIRE(buf_append_c(&value, "ffffffffffffffffffffffffffffffff") >= 0);
    }
    if (!refused) {
        msg.state = text(buf_c(&value));
    }
    (void)peer_ask(e->peer, MSG_EXECUTOR_MOVED, &msg, 5 * SECOND, 0, on_moved_told, e);
    buf_deinit(&value);
}

/* One of its own is to leave. */
static void leave(struct fake_executor *e, const struct msg_placed *p, uint32_t task)
{
    struct troupe *t = e->troupe;

    if (e->left[p->processor][task] == p->session || e->stays[p->processor][task] == p->session ||
        t->deaf_to_leave) {
        return;
    }
    if (t->refuse_to_go > 0) {
        t->refuse_to_go--;
        e->stays[p->processor][task] = p->session;
        tell_moved(e, p->processor, task, p->session, true);
        return;
    }
    e->left[p->processor][task] = p->session;
    tell_moved(e, p->processor, task, p->session, false);
}

static void note_tasks(struct fake_executor *e, const struct msg_placed *placement, uint32_t count,
                       const struct msg_task_state *states, uint32_t states_count)
{
    struct troupe *t = e->troupe;

    for (uint32_t i = 0; i < count; i++) {
        const struct msg_placed *p = &placement[i];
        for (uint32_t k = p->first; k < p->first + p->count; k++) {
            GP_REQUIRE(p->processor < 2 && k < TROUPE_TASKS);
            if (e->left[p->processor][k] < p->session) {
                e->left[p->processor][k] = 0;
            }
            if (!p->leaving) {
                e->stays[p->processor][k] = 0;
            }
            if (p->executor != e->id) {
                e->sessions[p->processor][k] = 0;
                continue;
            }
            if (e->sessions[p->processor][k] < p->session) {
                begin_task(e, p, k, states, states_count);
            }
            if (p->leaving) {
                leave(e, p, k);
            }
            for (uint32_t other = 0; other < TROUPE_EXECUTORS; other++) {
                GP_CHECK(other == e->id || t->owners[p->processor][k][other] < p->session);
            }
            GP_CHECK(e->sessions[p->processor][k] <= p->session);
            e->sessions[p->processor][k] = p->session;
            t->owners[p->processor][k][e->id] = p->session;
        }
    }
}

static bool has_tasks(const struct fake_executor *e)
{
    for (uint32_t i = 0; i < 2 * TROUPE_TASKS; i++) {
        if (e->sessions[i / TROUPE_TASKS][i % TROUPE_TASKS] != 0) {
            return true;
        }
    }
    return false;
}

/* Nobody may be started of whom somebody who runs tasks does not know. */
static void check_start(const struct fake_executor *e)
{
    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *other = &e->troupe->executors_of[i];
        if (other->alive && other->started && other->peer && peer_is_up(other->peer) &&
            has_tasks(other)) {
            GP_CHECK(other->epoch < e->epoch || other->generation >= e->assigned);
        }
    }
}

static int on_assign(struct fake_executor *e, struct incoming *in, struct gp_error *err)
{
    const struct msg_executor_assign *msg = in->msg;

    e->assigns++;
    GP_CHECK_EQ(e->assigns, 1);
    if (e->troupe->failing_opens > 0) {
        e->troupe->failing_opens--;
        return gp_error_set(err, GP_EUSER, "processor 'count', task 1: cannot open");
    }
    note_tasks(e, msg->placement, msg->placement_count, msg->states, msg->states_count);
    e->generation = msg->generation;
    e->assigned = msg->generation;
    e->epoch = msg->epoch;
    e->states = msg->states_count;
    e->ended = msg->ended_count;
    e->is_taken = true;
    return endpoint_reply(e->ep, in->token, NULL);
}

/* One whose tasks have all gone has come to its end, as far as it knows. */
static int say_if_empty(struct fake_executor *e)
{
    const struct msg_executor_done done = {.generation = e->generation};

    return e->started && !has_tasks(e) ? peer_tell(e->peer, MSG_EXECUTOR_DONE, &done) : 0;
}

static int on_update(struct fake_executor *e, struct incoming *in)
{
    const struct msg_executor_update *msg = in->msg;
    const struct msg_executor_updated updated = {.generation = msg->generation};
    int rc;

    GP_CHECK(msg->epoch >= e->epoch);
    GP_CHECK(msg->generation >= e->generation);
    e->updates++;
    if (e->troupe->deaf_to_update) {
        return 0;
    }
    note_tasks(e, msg->placement, msg->placement_count, msg->states, msg->states_count);
    e->generation = msg->generation;
    e->epoch = msg->epoch;
    e->states = msg->states_count;
    rc = endpoint_reply(e->ep, in->token, &updated);
    return rc < 0 ? rc : say_if_empty(e);
}

static int on_bring(struct fake_executor *e, struct incoming *in)
{
    const struct msg_executor_bring *msg = in->msg;

    GP_REQUIRE(msg->processor < 2 && msg->task < TROUPE_TASKS);
    e->brought[msg->processor][msg->task] = msg->session;
    e->brought_values[msg->processor][msg->task] = value_of(msg->state);
    return endpoint_reply(e->ep, in->token, NULL);
}

static int executor_message(void *user, struct peer *peer, struct incoming *in,
                            struct gp_error *err)
{
    struct fake_executor *e = user;

    (void)peer;
    switch (in->type) {
    case MSG_EXECUTOR_ASSIGN:
        return on_assign(e, in, err);
    case MSG_EXECUTOR_UPDATE:
        return on_update(e, in);
    case MSG_EXECUTOR_BRING:
        return on_bring(e, in);
    case MSG_EXECUTOR_START:
        GP_CHECK(e->is_taken && !e->started);
        check_start(e);
        e->started = true;
        return say_if_empty(e);
    case MSG_EXECUTOR_STOP:
        (void)endpoint_reply(e->ep, in->token, NULL);
        timer_start(e->timer, SECOND / 100);
        e->refused = true;
        return 0;
    default:
        return GP_EUNSUPPORTED;
    }
}

static void on_registered(void *user, struct peer *peer, const struct answer *answer)
{
    struct fake_executor *e = user;

    (void)peer;
    if (answer->code < 0 && answer->code != GP_ECLOSED && answer->code != GP_ECANCELED) {
        e->refused = true;
        timer_start(e->timer, 0);
    }
    for (uint32_t i = 0; i < 2 * TROUPE_TASKS && answer->code >= 0; i++) {
        uint64_t left = e->left[i / TROUPE_TASKS][i % TROUPE_TASKS];
        uint64_t stays = e->stays[i / TROUPE_TASKS][i % TROUPE_TASKS];
        if (left != 0 || stays != 0) {
            tell_moved(e, i / TROUPE_TASKS, i % TROUPE_TASKS, left ? left : stays, left == 0);
        }
    }
}

static void executor_up(void *user, struct peer *peer)
{
    struct fake_executor *e = user;
    struct msg_lane lanes[2] = {{text("10.0.0.9:1"), text("")}, {text("10.0.0.9:2"), text("")}};
    const struct msg_executor_register msg = {.app = APP,
                                              .epoch = e->epoch ? e->epoch : 1,
                                              .executor = e->id,
                                              .host = text("h"),
                                              .pid = 1000 + e->id,
                                              .incarnation = endpoint_incarnation(e->ep),
                                              .lanes = lanes,
                                              .lanes_count = 2,
                                              .generation = e->generation,
                                              .started = e->started};

    GP_REQUIRE_EQ(peer_ask(peer, MSG_EXECUTOR_REGISTER, &msg, 5 * SECOND, 0, on_registered, e), 0);
}

static void executor_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct fake_executor *e = user;

    (void)why;
    if (peer == e->peer) {
        timer_start(e->timer, SECOND / 20);
    }
}

static const struct endpoint_events executor_events = {.on_up = executor_up,
                                                       .on_down = executor_down,
                                                       .on_message = executor_message,
                                                       .key_find = puppet_key_find};

static void dial_appmaster(struct fake_executor *e)
{
    struct net_addr addr;
    char key[16];
    const struct dial_spec spec = {.addrs = &addr, .addrs_count = 1, .key = key};

    (void)str_format(key, sizeof key, "app/%u", APP);
    (void)str_format(addr.text, sizeof addr.text, "%s", e->address);
    GP_REQUIRE_EQ(endpoint_dial(e->ep, &spec, &e->peer), 0);
}

/* It was refused and ends, or looks where its appmaster is now. */
static void on_timer(void *user)
{
    struct fake_executor *e = user;

    if (e->refused) {
        sim_exit(e->port, 3);
        return;
    }
    if (strcmp(e->address, e->troupe->appmaster_address) != 0) {
        peer_drop(e->peer);
        (void)str_format(e->address, sizeof e->address, "%s", e->troupe->appmaster_address);
        dial_appmaster(e);
    }
    if (!peer_is_up(e->peer)) {
        timer_start(e->timer, SECOND / 20); /* that one may die before it is reached */
    }
}

void puppet_executor_begin(struct fake_executor *e, const struct port *port, const char *appmaster)
{
    char name[32];

    e->port = port;
    e->proc = sim_proc_of(port);
    e->alive = true;
    (void)str_format(name, sizeof name, "app/%u/executor/%u", APP, e->id);
    e->ep = puppet_endpoint(port, ROLE_EXECUTOR, name, &executor_events, e);
    GP_REQUIRE_EQ(timer_new(port->loop, on_timer, e, &e->timer), 0);
    (void)str_format(e->address, sizeof e->address, "%s", appmaster);
    dial_appmaster(e);
}

void puppet_executor_end(struct fake_executor *e)
{
    timer_free(e->timer);
    endpoint_free(e->ep);
    e->ep = NULL;
    e->peer = NULL;
    e->alive = false;
}

void troupe_fail_task(struct fake_executor *e, uint32_t processor, uint32_t task, const char *why)
{
    const struct msg_executor_failed msg = {.processor = processor,
                                            .task = task,
                                            .session = e->sessions[processor][task],
                                            .function = text("process"),
                                            .text = text(why)};

    GP_REQUIRE(e->sessions[processor][task] != 0);
    GP_REQUIRE_EQ(peer_tell(e->peer, MSG_EXECUTOR_FAILED, &msg), 0);
}

void troupe_report(struct fake_executor *e, uint64_t messages)
{
    struct msg_edge_stats edge = {.kind = 0, .messages = messages, .bytes = 100 * messages};
    const struct msg_executor_report msg = {.edges = &edge, .edges_count = 1};

    GP_REQUIRE_EQ(peer_tell(e->peer, MSG_EXECUTOR_REPORT, &msg), 0);
}

void troupe_tell_state(struct fake_executor *e, uint32_t processor, uint32_t task,
                       const char *state)
{
    struct msg_task_state one = {.processor = processor, .task = task, .state = text(state)};
    const struct msg_executor_states msg = {.states = &one, .states_count = 1};

    GP_REQUIRE_EQ(peer_tell(e->peer, MSG_EXECUTOR_STATES, &msg), 0);
}

void troupe_tell_end(struct fake_executor *e, uint32_t processor, uint32_t task)
{
    struct msg_task_range one = {processor, task, 1};
    const struct msg_executor_states msg = {.ended = &one, .ended_count = 1};

    GP_REQUIRE_EQ(peer_tell(e->peer, MSG_EXECUTOR_STATES, &msg), 0);
}

void troupe_miss(struct fake_executor *e, const struct fake_executor *const *others)
{
    struct msg_executor_ref refs[TROUPE_EXECUTORS];
    struct msg_executor_report msg = {.unreachable = refs};

    while (others && others[msg.unreachable_count]) {
        refs[msg.unreachable_count].executor = others[msg.unreachable_count]->id;
        msg.unreachable_count++;
    }
    GP_REQUIRE_EQ(peer_tell(e->peer, MSG_EXECUTOR_REPORT, &msg), 0);
}
