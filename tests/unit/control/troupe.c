/*
 * troupe.c: see troupe.h. Each puppet lives in a simulated process of its own; all share the troupe's
 * notes, which the test reads between steps.
 */
#include "troupe.h"

#include "base/str.h"
#include "control/appmaster/record.h"
#include "edge/json.h"
#include "gp_test.h"
#include "graph/plan.h"

#define APP    7u
#define TOKEN  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define MASTER "10.0.0.1:3000"

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* ---- the plan ---- */

static struct plan_plugin plugins[] = {
    {(char *)(uintptr_t) "job", (char *)(uintptr_t) "1",
     (char *)(uintptr_t) "00000000000000000000000000000000000000000000000000000000000000aa"}};
static struct plan_processor processors[] = {
    {.name = (char *)(uintptr_t) "numbers",
     .type = (char *)(uintptr_t) "numbers",
     .parallelism = TROUPE_TASKS,
     .is_source = 1,
     .outputs = 1},
    {.name = (char *)(uintptr_t) "count",
     .type = (char *)(uintptr_t) "count",
     .parallelism = TROUPE_TASKS,
     .flags = GP_PROCESSOR_STATEFUL,
     .inputs = 1},
};
static struct plan_edge edges[] = {{.from = 0, .to = 1, .partitioner = PLAN_HASH}};
static const struct plan plan = {.version = PLAN_VERSION,
                                 .app_name = (char *)(uintptr_t) "job",
                                 .plugins = plugins,
                                 .plugin_count = 1,
                                 .processors = processors,
                                 .processor_count = 2,
                                 .edges = edges,
                                 .edge_count = 1};

/* ---- common ---- */

static int key_find(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                    struct gp_error *err)
{
    (void)user;
    (void)key;
    (void)role;
    (void)name;
    (void)err;
    ret->len = strlen(TOKEN);
    memcpy(ret->bytes, TOKEN, ret->len);
    return 0;
}

static struct endpoint *endpoint_of(const struct port *port, enum role role, const char *name,
                                    const struct endpoint_events *events, void *user)
{
    const struct endpoint_config config = {
        .port = port, .role = role, .name = name, .events = events, .user = user};
    struct endpoint *ep;

    GP_REQUIRE_EQ(endpoint_new(&config, &ep), 0);
    return ep;
}

/* ---- the master ---- */

static int grant_slots(struct troupe *t, const struct msg_slots_request *msg,
                       struct reply_token token, struct gp_error *err)
{
    struct msg_grant grants[TROUPE_WORKERS];
    struct msg_slots_granted granted = {.grants = grants};
    uint32_t slots = t->slots ? t->slots : 100;
    uint32_t workers = t->serving ? t->serving : TROUPE_WORKERS;
    uint32_t wanted = msg->executors ? msg->executors : workers;
    uint32_t left = msg->slots;
    char addresses[TROUPE_WORKERS][NET_ADDR_MAX];
    bool taken[TROUPE_WORKERS] = {false};

    t->requests++;
    t->avoided = msg->avoid_count;
    for (uint32_t i = 0; i < msg->avoid_count; i++) {
        GP_REQUIRE(msg->avoid[i].worker >= 1 && msg->avoid[i].worker <= TROUPE_WORKERS);
        taken[msg->avoid[i].worker - 1] = true;
    }
    for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
        taken[i] = taken[i] || (msg->worker != 0 && msg->worker != i + 1) ||
                   (t->serving != 0 && i >= t->serving);
    }
    for (uint32_t n = 0; n < TROUPE_WORKERS && left > 0; n++) {
        struct fake_worker *w = NULL;
        uint32_t share = n < wanted ? (left + (wanted - n) - 1) / (wanted - n) : left;
        for (uint32_t i = 0; i < TROUPE_WORKERS; i++) { /* the emptiest that lives */
            struct fake_worker *other = &t->workers[i];
            if (!taken[i] && other->ep && other->used < slots && (!w || other->used < w->used)) {
                w = other;
            }
        }
        if (!w) {
            break;
        }
        share = share < slots - w->used ? share : slots - w->used;
        taken[w->id - 1] = true;
        (void)str_format(addresses[n], sizeof addresses[n], "10.0.0.%u:4000", 2 + w->id);
        grants[granted.grants_count++] = (struct msg_grant){.worker = w->id,
                                                            .name = text("w"),
                                                            .address = addresses[n],
                                                            .host = text("h"),
                                                            .cpus = 2,
                                                            .slots = share};
        left -= share;
    }
    if (left > 0) {
        t->refusals++;
        return gp_error_set(err, GP_EFULL, "%u slots wanted, too few are free", msg->slots);
    }
    for (uint32_t i = 0; i < granted.grants_count; i++) {
        t->workers[grants[i].worker - 1].used += grants[i].slots;
    }
    return endpoint_reply(t->master, token, &granted);
}

static void note_state(struct troupe *t, struct msg_app_state *msg)
{
    t->state = msg->state;
    t->recoverings += msg->state == APP_RECOVERING;
    (void)str_format(t->error, sizeof t->error, "%s", msg->error);
    if (app_state_is_end(msg->state)) {
        fields_deinit(&msg_app_live_fields, &t->live);
        t->live = msg->live;
        msg->live = (struct msg_app_live){0};
    }
}

uint32_t troupe_slots_on(const struct troupe *t, uint32_t worker)
{
    uint32_t slots = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *e = &t->executors_of[i];
        slots += e->alive && e->worker == worker ? e->slots : 0;
    }
    return slots;
}

/* Slots on a worker that the next appmaster would say it holds, by the record that is kept. */
static uint32_t kept_on(const struct troupe *t, uint32_t worker)
{
    struct record record = {0};
    struct gp_error err;
    uint32_t slots = 0;

    if (!t->placement) {
        return 0;
    }
    GP_REQUIRE_EQ(record_decode(t->placement, &plan, &record, &err), 0);
    for (uint32_t i = 0; i < record.executors_count; i++) {
        const struct record_executor *e = &record.executors[i];
        if (e->worker == worker && !e->is_dead) {
            slots += e->slots > e->launched ? e->slots : e->launched;
        }
    }
    record_deinit(&record);
    return slots;
}

static void note_hold(struct troupe *t, const struct msg_slots_hold *hold)
{
    for (uint32_t w = 1; w <= TROUPE_WORKERS; w++) {
        struct fake_worker *worker = &t->workers[w - 1];
        uint32_t used = 0;
        for (uint32_t i = 0; i < hold->grants_count; i++) {
            used += hold->grants[i].worker == w ? hold->grants[i].slots : 0;
        }
        GP_CHECK(used <= worker->used);
        GP_CHECK(used >= kept_on(t, w)); /* else the next one would claim what is another's */
        t->released += worker->used - used;
        worker->used = used;
    }
}

static int master_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct troupe *t = user;
    struct msg_appmaster_register *reg = in->msg;
    struct msg_placement_put *put = in->msg;

    switch (in->type) {
    case MSG_APPMASTER_REGISTER: {
        const struct msg_appmaster_welcome welcome = {.name = text("job"),
                                                      .sha256 = plugins[0].sha256,
                                                      .executors = t->executors,
                                                      .plan = t->plan,
                                                      .placement = t->placement,
                                                      .restarts_max = t->restarts,
                                                      .restarts = t->drawn,
                                                      .restarts_count = t->drawn_count};
        if (reg->epoch != t->epoch) {
            return gp_error_set(err, GP_ESTALE, "epoch %u is over", reg->epoch);
        }
        t->appmaster_peer = peer;
        (void)str_format(t->appmaster_address, sizeof t->appmaster_address, "%s", reg->address);
        return endpoint_reply(t->master, in->token, &welcome);
    }
    case MSG_PLACEMENT_PUT:
        if (put->epoch != t->epoch) {
            return gp_error_set(err, GP_ESTALE, "epoch %u is over", put->epoch);
        }
        value_free(t->placement);
        t->placement = put->placement;
        put->placement = NULL;
        GP_CHECK(put->restarts_count >= t->drawn_count);
        for (uint32_t i = 0; i < put->restarts_count; i++) {
            t->drawn[i] = put->restarts[i];
        }
        t->drawn_count = put->restarts_count;
        t->puts++;
        return endpoint_reply(t->master, in->token, NULL);
    case MSG_SLOTS_REQUEST:
        return grant_slots(t, in->msg, in->token, err);
    case MSG_SLOTS_HOLD:
        note_hold(t, in->msg);
        return 0;
    case MSG_APP_STATE:
        note_state(t, in->msg);
        return endpoint_reply(t->master, in->token, NULL);
    default:
        return GP_EUNSUPPORTED;
    }
}

static void master_up(void *user, struct peer *peer)
{
    (void)user;
    (void)peer;
}

static void master_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct troupe *t = user;

    (void)why;
    t->appmaster_peer = t->appmaster_peer == peer ? NULL : t->appmaster_peer;
}

static const struct endpoint_events master_events = {
    .on_up = master_up, .on_down = master_down, .on_message = master_message, .key_find = key_find};

static void on_described(void *user, struct peer *peer, const struct answer *answer)
{
    struct troupe *t = user;

    (void)peer;
    GP_REQUIRE_EQ(answer->code, 0);
    fields_deinit(&msg_app_live_fields, &t->live);
    t->live = *(struct msg_app_live *)answer->msg;
    *(struct msg_app_live *)answer->msg = (struct msg_app_live){0};
    t->described = true;
}

void troupe_describe(struct troupe *t)
{
    t->described = false;
    GP_REQUIRE(t->appmaster_peer != NULL);
    GP_REQUIRE_EQ(peer_ask(t->appmaster_peer, MSG_APP_QUERY, NULL, 5 * SECOND, 0, on_described, t),
                  0);
    TROUPE_UNTIL(t, t->described);
}

static void on_rebalanced(void *user, struct peer *peer, const struct answer *answer)
{
    struct troupe *t = user;

    (void)peer;
    fields_deinit(&msg_app_rebalanced_fields, &t->said);
    t->said = (struct msg_app_rebalanced){0};
    t->said_code = answer->code;
    if (answer->code >= 0) {
        t->said = *(struct msg_app_rebalanced *)answer->msg;
        *(struct msg_app_rebalanced *)answer->msg = (struct msg_app_rebalanced){0};
    }
}

void troupe_rebalance(struct troupe *t, uint32_t leave_worker, bool spread, bool force)
{
    struct msg_leave leave_list = {leave_worker, force};
    struct msg_worker_room room[TROUPE_WORKERS];
    struct msg_app_rebalance msg = {.app = text("7"),
                                    .leave = &leave_list,
                                    .leave_count = leave_worker != 0,
                                    .spread = spread,
                                    .force = force,
                                    .reason = text("the test says so"),
                                    .room = room};

    for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
        uint32_t slots = t->slots ? t->slots : 100;
        if (t->workers[i].ep && i + 1 != leave_worker && (t->serving == 0 || i < t->serving)) {
            room[msg.room_count++] =
                (struct msg_worker_room){.worker = i + 1, .free = slots - t->workers[i].used};
        }
    }
    t->said_code = 1;
    GP_REQUIRE(t->appmaster_peer != NULL);
    GP_REQUIRE_EQ(
        peer_ask(t->appmaster_peer, MSG_APP_REBALANCE, &msg, 5 * SECOND, 0, on_rebalanced, t), 0);
    TROUPE_UNTIL(t, t->said_code != 1);
}

uint32_t troupe_tasks_on(const struct troupe *t, uint32_t worker)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *e = &t->executors_of[i];
        for (uint32_t k = 0; k < 2 * TROUPE_TASKS && e->alive && e->worker == worker; k++) {
            tasks += e->sessions[k / TROUPE_TASKS][k % TROUPE_TASKS] != 0;
        }
    }
    return tasks;
}

/* ---- workers ---- */

static void on_child_exit(void *user, const struct proc_exit *how)
{
    struct fake_executor *e = user;
    struct fake_worker *w = &e->troupe->workers[e->worker - 1];
    struct msg_process_exited msg = {.app = APP,
                                     .executor = e->id,
                                     .epoch = 1,
                                     .code = how->code,
                                     .signal = (uint32_t)how->signal,
                                     .crash = text(how->signal ? "SIGKILL" : "")};

    e->alive = false;
    if (w->appmaster) {
        (void)peer_tell(w->appmaster, MSG_PROCESS_EXITED, &msg);
    }
}

struct child {
    struct proc *proc;
};
static struct child children[TROUPE_EXECUTORS]; /* of the one troupe that plays */

static int launch_executor(struct fake_worker *w, const struct msg_executor_launch *msg,
                           struct reply_token token, struct gp_error *err)
{
    struct fake_executor *e = &w->troupe->executors_of[msg->executor];
    const struct msg_launched launched = {.pid = 1000 + msg->executor};
    char number[16];
    const char *args[] = {"executor", number, msg->appmaster, NULL};
    const struct proc_spec spec = {.args = args, .on_exit = on_child_exit, .user = e};

    GP_REQUIRE(msg->executor < TROUPE_EXECUTORS);
    GP_CHECK_EQ(e->id, 0); /* never used twice */
    *e = (struct fake_executor){
        .troupe = w->troupe, .id = msg->executor, .worker = w->id, .slots = msg->slots};
    (void)str_format(number, sizeof number, "%u", msg->executor);
    w->launches++;
    if (port_spawn(w->port, &spec, &children[e->id].proc, err) < 0) {
        return err->code;
    }
    return endpoint_reply(w->ep, token, &launched);
}

static int resize_executor(struct fake_worker *w, const struct msg_executor_resize *msg,
                           struct reply_token token, struct gp_error *err)
{
    struct fake_executor *e = &w->troupe->executors_of[msg->executor];

    GP_REQUIRE(msg->executor < TROUPE_EXECUTORS);
    if (!e->alive || e->worker != w->id) {
        return gp_error_set(err, GP_ENOENT, "it does not run here");
    }
    if (msg->slots > e->slots && w->troupe->refuse_to_grow) {
        return gp_error_set(err, GP_EFULL, "there are not so many slots");
    }
    e->slots = msg->slots;
    return endpoint_reply(w->ep, token, NULL);
}

static int worker_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct fake_worker *w = user;
    const struct msg_process_ref *ref = in->msg;

    (void)peer;
    switch (in->type) {
    case MSG_EXECUTOR_LAUNCH:
        return launch_executor(w, in->msg, in->token, err);
    case MSG_EXECUTOR_RESIZE:
        return resize_executor(w, in->msg, in->token, err);
    case MSG_PROCESS_STOP:
        w->kills += ref->at_once;
        if (ref->executor < TROUPE_EXECUTORS && w->troupe->executors_of[ref->executor].alive &&
            w->troupe->executors_of[ref->executor].worker == w->id) {
            proc_kill(w->port, children[ref->executor].proc, 9);
        }
        return endpoint_reply(w->ep, in->token, NULL);
    default:
        return GP_EUNSUPPORTED;
    }
}

static void worker_up(void *user, struct peer *peer)
{
    struct fake_worker *w = user;
    w->appmaster = peer;
}

static void worker_down(void *user, struct peer *peer, const struct gp_error *why)
{
    struct fake_worker *w = user;
    (void)why;
    w->appmaster = w->appmaster == peer ? NULL : w->appmaster;
}

static const struct endpoint_events worker_events_ = {
    .on_up = worker_up, .on_down = worker_down, .on_message = worker_message, .key_find = key_find};

/* ---- executors ---- */

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
                                                       .key_find = key_find};

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

static void executor_begin(struct troupe *t, const struct port *port, const char *const *args)
{
    struct fake_executor *e;
    char name[32];
    uint64_t id;

    GP_REQUIRE(str_to_u64(gp_str_of(args[1]), &id) >= 0);
    e = &t->executors_of[id];
    e->port = port;
    e->proc = sim_proc_of(port);
    e->alive = true;
    (void)str_format(name, sizeof name, "app/%u/executor/%u", APP, e->id);
    e->ep = endpoint_of(port, ROLE_EXECUTOR, name, &executor_events, e);
    GP_REQUIRE_EQ(timer_new(port->loop, on_timer, e, &e->timer), 0);
    (void)str_format(e->address, sizeof e->address, "%s", args[2]);
    dial_appmaster(e);
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

/* ---- the appmaster ---- */

static void on_done(void *user, int32_t exit_code)
{
    struct troupe *t = user;

    t->exit_code = exit_code;
    sim_exit(sim_proc_port(t->appmaster_proc), exit_code);
}

static int appmaster_begin(struct troupe *t, const struct port *port, struct gp_error *err)
{
    const struct appmaster_options options = {.port = port,
                                              .launch = &t->launches[t->epoch],
                                              .token = TOKEN,
                                              .on_done = on_done,
                                              .user = t};

    t->appmaster_proc = sim_proc_of(port);
    return appmaster_new(&options, &t->appmaster, err);
}

/* ---- programs ---- */

enum role_kind { KIND_MASTER, KIND_WORKER, KIND_APPMASTER, KIND_EXECUTOR };

struct program {
    enum role_kind kind;
    struct fake_worker *worker;
    struct fake_executor *executor;
};

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct troupe *t = ctx;
    struct program *p = calloc(1, sizeof *p);
    struct net_addr addr = {MASTER};
    uint64_t id = 0;

    GP_REQUIRE(p != NULL);
    *ret_node = p;
    if (strcmp(args[0], "master") == 0) {
        p->kind = KIND_MASTER;
        t->master = endpoint_of(port, ROLE_MASTER, "master", &master_events, t);
        return endpoint_listen(t->master, &addr, NULL, err);
    }
    if (strcmp(args[0], "appmaster") == 0) {
        p->kind = KIND_APPMASTER;
        return appmaster_begin(t, port, err);
    }
    GP_REQUIRE(str_to_u64(gp_str_of(args[1]), &id) >= 0);
    if (strcmp(args[0], "worker") == 0) {
        char name[16];
        p->kind = KIND_WORKER;
        p->worker = &t->workers[id - 1];
        *p->worker = (struct fake_worker){.troupe = t, .id = (uint32_t)id, .port = port};
        (void)str_format(name, sizeof name, "worker/%u", (uint32_t)id);
        p->worker->ep = endpoint_of(port, ROLE_WORKER, name, &worker_events_, p->worker);
        p->worker->proc = sim_proc_of(port);
        (void)str_format(addr.text, sizeof addr.text, "10.0.0.%u:4000", 2 + (uint32_t)id);
        return endpoint_listen(p->worker->ep, &addr, NULL, err);
    }
    p->kind = KIND_EXECUTOR;
    p->executor = &t->executors_of[id];
    executor_begin(t, port, args);
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct troupe *t = ctx;
    struct program *p = node;

    switch (p->kind) {
    case KIND_MASTER:
        endpoint_free(t->master);
        t->master = NULL;
        break;
    case KIND_WORKER:
        endpoint_free(p->worker->ep);
        p->worker->ep = NULL;
        p->worker->appmaster = NULL;
        for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
            if (t->executors_of[i].worker == p->worker->id && children[i].proc) {
                proc_free(p->worker->port, children[i].proc);
                children[i].proc = NULL;
            }
        }
        break;
    case KIND_APPMASTER:
        appmaster_free(t->appmaster);
        t->appmaster = NULL;
        break;
    case KIND_EXECUTOR:
        timer_free(p->executor->timer);
        endpoint_free(p->executor->ep);
        p->executor->ep = NULL;
        p->executor->peer = NULL;
        p->executor->alive = false;
        break;
    }
    free(p);
}

static void on_signal(void *ctx, void *node, int32_t signal)
{
    (void)ctx;
    (void)node;
    (void)signal;
}

/* ---- the troupe ---- */

static struct sim_proc *spawn(struct troupe *t, uint32_t host, const char *role, const char *arg)
{
    const char *args[] = {role, arg, NULL};
    struct sim_proc *proc;

    GP_REQUIRE_EQ(sim_spawn(t->hosts[host], args, &proc), 0);
    TROUPE_UNTIL(t, sim_proc_node(proc) != NULL);
    return proc;
}

void troupe_begin(struct troupe *t, uint64_t seed)
{
    const struct sim_options options = {.seed = seed,
                                        .start = start,
                                        .stop = stop,
                                        .on_signal = on_signal,
                                        .ctx = t,
                                        .json_parse = edge_json_parse};
    char address[32];

    memset(children, 0, sizeof children);
    GP_REQUIRE_EQ(sim_new(&options, &t->sim), 0);
    for (uint32_t i = 0; i < 2 + TROUPE_WORKERS; i++) {
        (void)str_format(address, sizeof address, "10.0.0.%u", i + 1);
        GP_REQUIRE_EQ(sim_host_add(t->sim, address, &t->hosts[i]), 0);
    }
    processors[0].has_snapshot = 1;
    processors[1].has_snapshot = !t->is_rigid;
    GP_REQUIRE_EQ(plan_encode(&plan, &t->plan), 0);
    t->masters[0] = text(MASTER);
    (void)str_format(t->worker_address, sizeof t->worker_address, "10.0.0.3:4000");
    t->master_proc = spawn(t, 0, "master", NULL);
    for (uint32_t i = 0; i < TROUPE_WORKERS; i++) {
        (void)str_format(address, sizeof address, "%u", i + 1);
        (void)spawn(t, 2 + i, "worker", address);
    }
    troupe_start_appmaster(t);
}

void troupe_start_appmaster(struct troupe *t)
{
    t->epoch++;
    GP_REQUIRE(t->epoch < TROUPE_EPOCHS);
    if (t->epoch > 1) { /* the master draws, as the one before has died */
        t->drawn[t->drawn_count++].time_ms =
            loop_wall_ns(sim_proc_port(t->master_proc)->loop) / MS_NS;
    }
    t->launches[t->epoch] = (struct launch_appmaster){.app = APP,
                                                      .epoch = t->epoch,
                                                      .name = text("job"),
                                                      .sha256 = plugins[0].sha256,
                                                      .artefacts = text("/a"),
                                                      .worker = t->worker_address,
                                                      .bind = text("10.0.0.2"),
                                                      .advertise = text(""),
                                                      .masters = t->masters,
                                                      .masters_count = 1};
    t->exit_code = -1;
    (void)spawn(t, 1, "appmaster", NULL);
}

void troupe_end(struct troupe *t)
{
    GP_CHECK_EQ(sim_leaks(t->sim), 0);
    sim_free(t->sim);
    value_free(t->plan);
    value_free(t->placement);
    fields_deinit(&msg_app_live_fields, &t->live);
    fields_deinit(&msg_app_rebalanced_fields, &t->said);
}

void troupe_run_ms(struct troupe *t, int64_t ms)
{
    GP_CHECK_EQ(sim_run_for(t->sim, ms * MS_NS, NULL), 0);
}

uint32_t troupe_living(const struct troupe *t)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        count += t->executors_of[i].alive;
    }
    return count;
}

struct fake_executor *troupe_executor(struct troupe *t, uint32_t i)
{
    for (uint32_t id = 0; id < TROUPE_EXECUTORS; id++) {
        if (t->executors_of[id].alive && i-- == 0) {
            return &t->executors_of[id];
        }
    }
    return NULL;
}

bool troupe_is_well(const struct troupe *t)
{
    uint64_t generation = 0;
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < TROUPE_EXECUTORS; i++) {
        const struct fake_executor *e = &t->executors_of[i];
        if (!e->alive) {
            continue;
        }
        if (!e->started || e->epoch != t->epoch ||
            (generation != 0 && e->generation != generation)) {
            return false;
        }
        generation = e->generation;
        for (uint32_t k = 0; k < 2 * TROUPE_TASKS; k++) {
            tasks += e->sessions[k / TROUPE_TASKS][k % TROUPE_TASKS] != 0;
        }
    }
    return tasks == 2 * TROUPE_TASKS && t->state == APP_RUNNING;
}
