/*
 * troupe_master.c: the puppet of a master. It keeps what it is given, gives slots of the emptiest
 * workers, and checks that nobody gives back what the next epoch would claim.
 */
#include "base/str.h"
#include "control/appmaster/record.h"
#include "gp_test.h"
#include "troupe_puppets.h"

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

/* Slots on a worker that the next appmaster would say it holds, by the record that is kept. */
static uint32_t kept_on(const struct troupe *t, uint32_t worker)
{
    struct record record = {0};
    struct gp_error err;
    uint32_t slots = 0;

    if (!t->placement) {
        return 0;
    }
    GP_REQUIRE_EQ(record_decode(t->placement, &troupe_plan, &record, &err), 0);
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
                                                      .sha256 = troupe_plan.plugins[0].sha256,
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

static const struct endpoint_events master_events = {.on_up = master_up,
                                                     .on_down = master_down,
                                                     .on_message = master_message,
                                                     .key_find = puppet_key_find};

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

int puppet_master_begin(struct troupe *t, const struct port *port, struct gp_error *err)
{
    const struct net_addr addr = {MASTER};

    t->master = puppet_endpoint(port, ROLE_MASTER, "master", &master_events, t);
    return endpoint_listen(t->master, &addr, NULL, err);
}
