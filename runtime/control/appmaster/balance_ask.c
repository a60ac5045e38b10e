/*
 * balance_ask.c: app.rebalance: a wish becomes the goal, and is answered when the record that says
 * so is kept: what was answered is done, by whichever appmaster.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "control/appmaster/balance.h"

#define STAY_NS INT64_C(10000000000) /* then they are tried again */

static bool same_leave(const struct record *r, const struct msg_app_rebalance *msg)
{
    bool same = r->leave_count == msg->leave_count;

    for (uint32_t i = 0; i < msg->leave_count && same; i++) {
        const struct record_leave *known = record_leaves(r, msg->leave[i].worker);
        same = known && known->force == msg->leave[i].force;
    }
    return same;
}

static int take_leave(struct appmaster *am, const struct msg_app_rebalance *msg)
{
    struct record *r = &am->record;
    struct record_leave *leave;

    if (same_leave(r, msg)) {
        return 0;
    }
    leave = calloc(msg->leave_count + 1u, sizeof *leave);
    if (!leave) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < msg->leave_count; i++) {
        leave[i] = (struct record_leave){msg->leave[i].worker, msg->leave[i].force};
    }
    free(r->leave);
    r->leave = leave;
    r->leave_count = msg->leave_count;
    am->stay_count = 0; /* it may be another matter now */
    record_touch(r);
    return 0;
}

/* The list is taken. True: it says something new. */
static bool take_room(struct record *r, struct msg_app_rebalance *msg)
{
    struct record_goal *goal = &r->goal;
    bool same = goal->room_count == msg->room_count;

    for (uint32_t i = 0; i < msg->room_count && same; i++) {
        same =
            goal->room[i].worker == msg->room[i].worker && goal->room[i].free == msg->room[i].free;
    }
    record_forget_room(r);
    goal->room = msg->room;
    goal->room_count = msg->room_count;
    msg->room = NULL;
    msg->room_count = 0;
    return !same;
}

static void take_goal(struct appmaster *am, struct msg_app_rebalance *msg)
{
    struct record_goal *goal = &am->record.goal;
    const struct record_goal before = *goal;
    bool is_new_room = take_room(&am->record, msg);

    if (!goal->is_open) {
        goal->is_open = msg->spread || msg->leave_count > 0;
        goal->begun_ms = (uint64_t)(loop_wall_ns(am->port->loop) / 1000000);
        goal->done = 0;
        free(goal->reason);
        goal->reason = str_dup(gp_str_of(msg->reason));
        am->goal_plans = 0;
    }
    if (msg->spread || am_now_ns(am) - am->stay_ns > STAY_NS) {
        am->stay_count = 0; /* they are tried again */
    }
    goal->spread = goal->is_open && (goal->spread || msg->spread);
    goal->force = goal->is_open && (goal->force || msg->force);
    if (goal->is_open && (is_new_room || !before.is_open || goal->spread != before.spread ||
                          goal->force != before.force)) {
        record_touch(&am->record);
    }
}

static int add_refused(struct msg_app_rebalanced *to, const struct appmaster *am,
                       uint32_t processor, uint32_t tasks, const char *why)
{
    struct msg_move_refused *r = &to->refused[to->refused_count];

    if (to->refused_count == MSG_REFUSED_MAX) {
        return 0;
    }
    *r = (struct msg_move_refused){str_dup(gp_str_of(am->plan->processors[processor].name)), tasks,
                                   str_dup(gp_str_of(why))};
    to->refused_count++;
    return r->processor && r->why ? 0 : GP_ENOMEM;
}

static int fill_refused(const struct appmaster *am, const struct rebalance *plan,
                        struct msg_app_rebalanced *to)
{
    int rc = 0;

    to->refused = calloc(MSG_REFUSED_MAX, sizeof *to->refused);
    if (!to->refused) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < plan->refused_count && rc >= 0; i++) {
        const struct rebalance_refused *r = &plan->refused[i];
        rc = add_refused(to, am, r->processor, r->tasks, balance_why(r->why));
    }
    for (uint32_t p = 0; p < am->plan->processor_count && rc >= 0; p++) {
        if (balance_stays(am, p) > 0) {
            rc = add_refused(to, am, p, balance_stays(am, p), balance_why_stays(am, p));
        }
    }
    return rc;
}

static int fill_left(const struct appmaster *am, struct msg_app_rebalanced *to)
{
    to->left = calloc(am->record.leave_count + 1u, sizeof *to->left);
    if (!to->left) {
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < am->record.leave_count; i++) {
        struct msg_left_on left = {.worker = am->record.leave[i].worker};
        for (uint32_t k = 0; k < am->record.executors_count; k++) {
            const struct record_executor *e = &am->record.executors[k];
            left.tasks +=
                e->worker == left.worker && !e->is_dead ? record_tasks_on(&am->record, e->id) : 0;
        }
        if (left.tasks > 0) {
            to->left[to->left_count++] = left;
        }
    }
    return 0;
}

static int fill_text(const struct appmaster *am, const struct rebalance *plan,
                     struct msg_app_rebalanced *to)
{
    char text[WORDS_MAX];

    (void)str_format(text, sizeof text,
                     to->moving == 0 ? "no task is to move" : "%u task%s to move", to->moving,
                     to->moving == 1 ? " is" : "s are");
    balance_name_refused(am, plan, text, sizeof text);
    to->text = str_dup(gp_str_of(text));
    return to->text ? 0 : GP_ENOMEM;
}

/* A later epoch would miss nothing: also not what the last that ended had counted. */
static bool is_written_down(const struct appmaster *am)
{
    for (uint32_t i = 0; i < am->executor_count; i++) {
        if (am->executors[i]->state == EXECUTOR_GONE) {
            return false;
        }
    }
    return am->record.moves_count == 0 && am->record_sent == 0 &&
           am->record_kept == am->record.version;
}

static int make_answer(const struct appmaster *am, struct msg_app_rebalanced *said)
{
    struct rebalance plan = {0};
    struct hosts h = {0};
    int rc = balance_hosts(am, &h);

    rc = rc < 0 ? rc : balance_plan(am, &h, PLAN_TASKS_MAX, &plan);
    said->moving = am->record.moves_count + plan.move_count;
    rc = rc < 0 ? rc : fill_refused(am, &plan, said);
    rc = rc < 0 ? rc : fill_left(am, said);
    rc = rc < 0 ? rc : fill_text(am, &plan, said);
    rebalance_deinit(&plan);
    balance_hosts_deinit(&h);
    return rc;
}

void balance_answer(struct appmaster *am)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < am->wish_count; i++) {
        struct am_wish *wish = &am->wishes[i];
        if (am->record_kept < wish->version) {
            am->wishes[kept++] = *wish;
        } else {
            (void)endpoint_reply(am->ep, wish->token, &wish->said); /* or it asks again */
            fields_deinit(&msg_app_rebalanced_fields, &wish->said);
        }
    }
    am->wish_count = kept;
}

void balance_refuse(struct appmaster *am)
{
    struct gp_error err;

    (void)gp_error_set(&err, GP_EAGAIN, "the application ends");
    for (uint32_t i = 0; i < am->wish_count; i++) {
        (void)endpoint_reply_error(am->ep, am->wishes[i].token, &err); /* it sees the end anyway */
    }
    balance_deinit(am);
}

int balance_ask(struct appmaster *am, struct msg_app_rebalance *msg, struct reply_token token,
                struct gp_error *err)
{
    struct am_wish wish = {.token = token, .said.is_settled = is_written_down(am)};
    int rc;

    if ((am->state != AM_RUNNING && am->state != AM_RECOVERING) || am->record.ranges_count == 0) {
        return gp_error_set(err, GP_EAGAIN, "the application %s",
                            am->state < AM_RUNNING ? "is still starting" : "ends");
    }
    if (am->wish_count == WISHES_MAX) {
        return gp_error_set(err, GP_EAGAIN, "%u such wishes wait already", WISHES_MAX);
    }
    rc = take_leave(am, msg);
    if (rc < 0) {
        return gp_error_set(err, rc, "rebalancing: %s", error_sentence(rc));
    }
    take_goal(am, msg);
    recovery_changed(am);
    rc = make_answer(am, &wish.said);
    if (rc < 0) {
        fields_deinit(&msg_app_rebalanced_fields, &wish.said);
        return gp_error_set(err, rc, "rebalancing: %s", error_sentence(rc));
    }
    wish.version = am->record.version;
    am->wishes[am->wish_count++] = wish;
    return 0;
}

void balance_deinit(struct appmaster *am)
{
    for (uint32_t i = 0; i < am->wish_count; i++) {
        fields_deinit(&msg_app_rebalanced_fields, &am->wishes[i].said);
    }
    am->wish_count = 0;
}
