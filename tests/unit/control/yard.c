/* yard.c: see yard.h. */
#include "yard.h"

#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"
#include "gp_test.h"

#define SECRET "open sesame" /* as of the council */
#define SLOTS  100u

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

static const struct port *port_of(const struct yard *y)
{
    return sim_proc_port(y->council.person);
}

static void on_down(void *user, struct peer *peer, const struct gp_error *why)
{
    (void)user; /* dialled again */
    (void)peer;
    (void)why;
}

static struct master *leader(struct yard *y)
{
    return y->council.masters[council_await_leader(&y->council)];
}

static struct peer *dial(struct yard *y, struct endpoint *ep, const char *key)
{
    struct net_addr addrs[COUNCIL_MAX];
    struct dial_spec spec = {.addrs = addrs, .target = "master", .key = key};
    struct peer *peer;

    for (uint32_t i = 0; i < COUNCIL_MAX; i++) {
        (void)str_format(addrs[spec.addrs_count++].text, NET_ADDR_MAX, "%s",
                         y->council.addresses[i]);
    }
    GP_REQUIRE_EQ(endpoint_dial(ep, &spec, &peer), 0);
    return peer;
}

/* ---- the appmaster ---- */

static uint32_t tasks_on_leaving(const struct yard *y)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < y->leave_count; i++) {
        tasks += y->slots_on[y->leave[i].worker];
    }
    return tasks;
}

static void hold(struct yard *y)
{
    struct msg_grant grants[64];
    struct msg_slots_hold msg = {.app = 1, .epoch = y->epoch, .grants = grants};

    for (uint32_t w = 1; w < 64; w++) {
        if (y->slots_on[w] > 0) {
            grants[msg.grants_count++] = (struct msg_grant){.worker = w,
                                                            .name = text("w"),
                                                            .address = text("a"),
                                                            .host = text("h"),
                                                            .slots = y->slots_on[w]};
        }
    }
    (void)peer_tell(y->master, MSG_SLOTS_HOLD, &msg);
}

static void on_told(void *user, struct peer *peer, const struct answer *answer)
{
    struct yard *y = user;

    (void)peer;
    y->runs = answer->code >= 0;
}

static void run(struct yard *y)
{
    const struct msg_app_state msg = {.app = 1,
                                      .epoch = y->epoch,
                                      .state = APP_RUNNING,
                                      .error = text(""),
                                      .executors = 1,
                                      .tasks = YARD_TASKS};

    (void)peer_ask(y->master, MSG_APP_STATE, &msg, 5 * SECOND, 0, on_told, y);
}

/* The first slots, or those for what moves: then the old ones are not needed any more. */
static void on_granted(void *user, struct peer *peer, const struct answer *answer)
{
    struct yard *y = user;
    const struct msg_slots_granted *granted = answer->msg;

    (void)peer;
    y->is_asking = false;
    y->lacks_room = answer->code == GP_EFULL;
    if (answer->code < 0) {
        return;
    }
    for (uint32_t i = 0; i < y->leave_count; i++) {
        y->slots_on[y->leave[i].worker] = 0;
    }
    for (uint32_t i = 0; i < granted->grants_count; i++) {
        GP_REQUIRE(granted->grants[i].worker < 64);
        y->slots_on[granted->grants[i].worker] += granted->grants[i].slots;
    }
    hold(y);
    run(y);
}

static void ask_for_slots(struct yard *y, uint32_t slots)
{
    const struct msg_slots_request msg = {.app = 1, .epoch = y->epoch, .slots = slots};

    y->is_asking = peer_ask(y->master, MSG_SLOTS_REQUEST, &msg, 5 * SECOND, 0, on_granted, y) >= 0;
}

static void on_planned(void *user, struct peer *peer, const struct answer *answer)
{
    struct yard *y = user;

    (void)peer;
    y->has_plan = answer->code >= 0;
    ask_for_slots(y, YARD_TASKS);
}

static void on_app_welcome(void *user, struct peer *peer, const struct answer *answer)
{
    struct yard *y = user;
    struct msg_plan_put put = {.app = 1, .epoch = y->epoch, .plan = value_new_object()};

    if (answer->code >= 0 && y->has_plan) {
        hold(y);
        run(y);
    } else if (answer->code >= 0) {
        (void)peer_ask(peer, MSG_PLAN_PUT, &put, 5 * SECOND, 0, on_planned, y);
    }
    value_free(put.plan);
}

static void on_app_up(void *user, struct peer *peer)
{
    struct yard *y = user;
    const struct msg_appmaster_register msg = {
        .app = 1, .epoch = y->epoch, .address = text("10.9.9.9:1"), .pid = 7};

    (void)peer_ask(peer, MSG_APPMASTER_REGISTER, &msg, 5 * SECOND, ASK_FOLLOW, on_app_welcome, y);
}

static int answer_rebalance(struct yard *y, struct reply_token token)
{
    uint32_t tasks = tasks_on_leaving(y);
    struct msg_move_refused refused = {.processor = text("count"), .tasks = tasks};
    struct msg_left_on left[MSG_LEAVE_MAX];
    struct msg_app_rebalanced msg = {.left = left, .refused = &refused};

    for (uint32_t i = 0; i < y->leave_count; i++) {
        if (y->slots_on[y->leave[i].worker] > 0) {
            left[msg.left_count++] =
                (struct msg_left_on){y->leave[i].worker, y->slots_on[y->leave[i].worker]};
        }
    }
    if (tasks > 0 && y->stays) {
        refused.why = text("it keeps state and has no snapshot");
    } else if (tasks > 0 && y->lacks_room && !y->is_asking) {
        refused.why = text("there are no slots for them");
    }
    msg.refused_count = refused.why ? 1 : 0;
    msg.moving = refused.why ? 0 : tasks;
    msg.is_settled = !y->is_unsettled && !y->is_asking && tasks == 0;
    if (tasks > 0 && !y->stays && !y->is_asking) {
        ask_for_slots(y, tasks);
    }
    return endpoint_reply(y->appmaster, token, &msg);
}

static int on_app_message(void *user, struct peer *peer, struct incoming *in, struct gp_error *err)
{
    struct yard *y = user;
    const struct msg_app_rebalance *msg = in->msg;

    (void)peer;
    (void)err;
    if (in->type != MSG_APP_REBALANCE) {
        return GP_EUNSUPPORTED;
    }
    GP_CHECK_STR_EQ(msg->app, "1");
    y->leave_count = msg->leave_count;
    for (uint32_t i = 0; i < msg->leave_count; i++) {
        y->leave[i] = msg->leave[i];
        GP_REQUIRE(msg->leave[i].worker < 64);
    }
    y->room_count = msg->room_count;
    y->spread = msg->spread;
    y->force = msg->force;
    (void)str_format(y->reason, sizeof y->reason, "%s", msg->reason);
    y->tells++;
    y->spreads += msg->spread;
    return y->is_deaf ? 0 : answer_rebalance(y, in->token);
}

static int app_key(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                   struct gp_error *err)
{
    const struct yard *y = user;

    (void)key;
    (void)role;
    (void)name;
    (void)err;
    ret->len = strlen(y->token);
    memcpy(ret->bytes, y->token, ret->len);
    return 0;
}

static const struct endpoint_events app_events = {
    .on_up = on_app_up, .on_down = on_down, .on_message = on_app_message, .key_find = app_key};

static void end_appmaster(struct yard *y)
{
    endpoint_free(y->appmaster);
    y->appmaster = NULL;
    y->is_asking = false;
    y->runs = false;
}

static void launch_appmaster(struct fake_worker *w, const struct msg_appmaster_launch *msg)
{
    struct yard *y = w->yard;
    const struct endpoint_config config = {.port = port_of(y),
                                           .role = ROLE_APPMASTER,
                                           .name = "app/1",
                                           .events = &app_events,
                                           .user = y};

    GP_CHECK_EQ(msg->app, 1);
    GP_CHECK(msg->epoch > y->epoch);
    end_appmaster(y);
    y->epoch = msg->epoch;
    (void)str_format(y->token, sizeof y->token, "%s", msg->token);
    y->home = (uint32_t)(w - y->workers);
    GP_REQUIRE_EQ(endpoint_new(&config, &y->appmaster), 0);
    y->master = dial(y, y->appmaster, "app/1");
}

/* ---- workers ---- */

static void on_worker_welcome(void *user, struct peer *peer, const struct answer *answer)
{
    struct fake_worker *w = user;

    (void)peer;
    if (answer->code >= 0) {
        w->id = ((const struct msg_worker_welcome *)answer->msg)->id;
    }
}

static void on_worker_up(void *user, struct peer *peer)
{
    struct fake_worker *w = user;
    const struct msg_worker_register msg = {.id = w->id,
                                            .name = w->name,
                                            .address = w->name,
                                            .host = text("h"),
                                            .cpus = 2,
                                            .slots = w->room,
                                            .version = text("1"),
                                            .grants = &w->grant,
                                            .grants_count = w->grant.slots > 0};

    (void)peer_ask(peer, MSG_WORKER_REGISTER, &msg, 5 * SECOND, ASK_FOLLOW, on_worker_welcome, w);
}

static int on_worker_message(void *user, struct peer *peer, struct incoming *in,
                             struct gp_error *err)
{
    struct fake_worker *w = user;
    const struct msg_grant_offer *offer = in->msg;
    const struct msg_grant_revoke *revoke = in->msg;
    const struct msg_process_ref *ref = in->msg;
    const struct msg_launched launched = {.pid = 7};

    (void)peer;
    switch (in->type) {
    case MSG_GRANT_OFFER:
        w->grant = (struct msg_kept_grant){offer->app, offer->epoch, w->grant.slots + offer->slots};
        GP_CHECK(w->grant.slots <= w->room);
        return endpoint_reply(w->ep, in->token, NULL);
    case MSG_GRANT_REVOKE:
        w->grant.slots -=
            revoke->slots && revoke->slots < w->grant.slots ? revoke->slots : w->grant.slots;
        return 0;
    case MSG_APPMASTER_LAUNCH:
        if (((const struct msg_appmaster_launch *)in->msg)->app != 1) {
            return gp_error_set(err, GP_EFULL, "there are puppets for one application");
        }
        launch_appmaster(w, in->msg);
        return endpoint_reply(w->ep, in->token, &launched);
    case MSG_PROCESS_STOP:
        if (ref->executor == 0 && ref->epoch == w->yard->epoch &&
            &w->yard->workers[w->yard->home] == w) {
            end_appmaster(w->yard);
        }
        return endpoint_reply(w->ep, in->token, NULL);
    default:
        return GP_EUNSUPPORTED;
    }
}

static int cluster_key(void *user, gp_str key, uint32_t role, gp_str name, struct conn_key *ret,
                       struct gp_error *err)
{
    (void)user;
    (void)key;
    (void)role;
    (void)name;
    (void)err;
    ret->len = strlen(SECRET);
    memcpy(ret->bytes, SECRET, ret->len);
    return 0;
}

static const struct endpoint_events worker_events_ = {.on_up = on_worker_up,
                                                      .on_down = on_down,
                                                      .on_message = on_worker_message,
                                                      .key_find = cluster_key};

uint32_t yard_add_worker(struct yard *y, const char *name)
{
    struct fake_worker *w = &y->workers[y->worker_count];
    const struct endpoint_config config = {.port = port_of(y),
                                           .role = ROLE_WORKER,
                                           .name = "worker/0",
                                           .events = &worker_events_,
                                           .user = w};

    GP_REQUIRE(y->worker_count < YARD_WORKERS);
    *w = (struct fake_worker){.yard = y, .room = y->worker_slots ? y->worker_slots : SLOTS};
    (void)str_format(w->name, sizeof w->name, "%s", name);
    GP_REQUIRE_EQ(endpoint_new(&config, &w->ep), 0);
    w->master = dial(y, w->ep, HELLO_KEY_CLUSTER);
    YARD_UNTIL(y, w->id > 0);
    return y->worker_count++;
}

void yard_kill_worker(struct yard *y, uint32_t index)
{
    struct fake_worker *w = &y->workers[index];

    if (y->appmaster && y->home == index) {
        end_appmaster(y);
    }
    y->slots_on[w->id] = 0; /* its executors die with it; nobody replaces them here */
    endpoint_free(w->ep);
    w->ep = NULL;
}

/* ---- the client ---- */

static void note(struct yard *y, int code, const struct gp_error *err)
{
    y->is_answered = true;
    y->code = code;
    y->err = code < 0 ? *err : (struct gp_error){0};
}

static int await_answer(struct yard *y)
{
    YARD_UNTIL(y, y->is_answered);
    return y->code;
}

static void on_drained(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct yard *y = user;

    note(y, code, err);
    if (code >= 0) {
        fields_deinit(&msg_worker_drained_fields, &y->drained);
        y->drained = *(const struct msg_worker_drained *)msg;
        *(struct msg_worker_drained *)(uintptr_t)msg = (struct msg_worker_drained){0};
    }
}

int yard_ask_drain(struct yard *y, const struct msg_worker_drain *msg)
{
    y->is_answered = false;
    GP_REQUIRE(
        client_ask_for(y->council.client, MSG_WORKER_DRAIN, msg, 60 * SECOND, on_drained, y) >= 0);
    return await_answer(y);
}

int yard_drain(struct yard *y, const char *worker)
{
    return yard_ask_drain(y, &(struct msg_worker_drain){.worker = text(worker)});
}

static void on_rebalanced(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct yard *y = user;

    note(y, code, err);
    y->rebalanced = code < 0 ? (struct msg_app_rebalanced){0}
                             : *(const struct msg_app_rebalanced *)msg; /* numbers alone hold */
}

int yard_rebalance(struct yard *y, const char *app)
{
    const struct msg_app_rebalance msg = {
        .app = text(app), .spread = true, .force = true, .reason = text("somebody said so")};

    y->is_answered = false;
    GP_REQUIRE(client_ask_for(y->council.client, MSG_APP_REBALANCE, &msg, 60 * SECOND,
                              on_rebalanced, y) >= 0);
    return await_answer(y);
}

static void on_list(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct yard *y = user;
    const struct msg_worker_page *page = msg;

    note(y, code, err);
    GP_REQUIRE(code >= 0 && page->workers_count <= YARD_WORKERS);
    y->infos_count = page->workers_count;
    for (uint32_t i = 0; i < page->workers_count; i++) {
        y->infos[i] = page->workers[i];
    }
}

void yard_list(struct yard *y)
{
    y->is_answered = false;
    GP_REQUIRE(client_ask_for(y->council.client, MSG_WORKER_LIST, &(struct msg_worker_list){0},
                              60 * SECOND, on_list, y) >= 0);
    GP_REQUIRE_EQ(await_answer(y), 0);
}

/* ---- the application ---- */

static void on_submitted(struct master *m, void *user, const struct outcome *outcome)
{
    struct app_place *place;

    (void)user;
    GP_REQUIRE_EQ(outcome->code, 0);
    GP_REQUIRE_EQ(places_open(m, outcome->app->id, &place), 0);
    places_seek(m);
}

/* Past the artefacts, which are another matter. */
void yard_submit_only(struct yard *y)
{
    struct msg_app_submit submit = {
        .name = text("job"), .request_id = text("r"), .sha256 = text("00"), .executors = 1};
    const struct command command = {
        .op = COMMAND_SUBMIT, .submit = &submit, .token = "0123456789abcdef0123456789abcdef"};

    GP_REQUIRE_EQ(master_propose(leader(y), &command, on_submitted, NULL, NULL), 0);
}

void yard_submit(struct yard *y)
{
    yard_submit_only(y);
    YARD_UNTIL(y, y->runs);
}

const struct app *yard_app(struct yard *y)
{
    return registry_find(&leader(y)->registry, 1);
}

/* ---- begin and end ---- */

void yard_begin(struct yard *y, uint64_t seed, const char *masters)
{
    memset(y, 0, sizeof *y);
    council_begin(&y->council, seed);
    for (const char *digit = masters; *digit; digit++) {
        council_start(&y->council, (uint32_t)(*digit - '0'), masters);
    }
    (void)council_await_leader(&y->council);
}

void yard_end(struct yard *y)
{
    end_appmaster(y);
    for (uint32_t i = 0; i < y->worker_count; i++) {
        endpoint_free(y->workers[i].ep);
    }
    fields_deinit(&msg_worker_drained_fields, &y->drained);
    council_end(&y->council);
}
