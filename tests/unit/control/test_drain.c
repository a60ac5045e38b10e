/* Workers that are left, and tasks that are spread (drain.c, drains.c): real masters among
 * puppets. */
#include "control/master/internal.h"
#include "gp_test.h"
#include "yard.h"

static uint32_t id_of(const struct yard *y, uint32_t index)
{
    return y->workers[index].id;
}

static bool look(struct yard *y, const char *worker, uint32_t state)
{
    GP_REQUIRE_EQ(yard_ask_drain(y, &(struct msg_worker_drain){.worker = (char *)(uintptr_t)worker,
                                                               .look = true}),
                  0);
    return y->drained.state == state;
}

/* Asks again and again, as who waits does. */
static void await_state(struct yard *y, const char *worker, uint32_t state)
{
    for (int i = 0; i < 120 && !look(y, worker, state); i++) {
        council_run_s(&y->council, 1);
    }
    GP_REQUIRE_EQ(y->drained.state, state);
}

GP_TEST(drain, moves_tasks_and_then_their_appmaster_at_no_cost)
{
    struct yard y;

    yard_begin(&y, 1, "0");
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    (void)yard_add_worker(&y, "two");
    GP_CHECK_EQ(y.tells, 0); /* as long as nobody is drained */
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    GP_CHECK_EQ(y.drained.worker, id_of(&y, 0));
    GP_CHECK_EQ(y.drained.state, WORKER_DRAINING);
    GP_CHECK_EQ(y.drained.tasks, YARD_TASKS);
    GP_REQUIRE_EQ(y.drained.apps_count, 1);
    GP_CHECK_STR_EQ(y.drained.apps[0].name, "job");
    GP_CHECK(y.drained.apps[0].appmaster);
    GP_CHECK_EQ(y.drained.apps[0].moving, YARD_TASKS);
    GP_CHECK_STR_EQ(y.drained.apps[0].why, "");
    GP_CHECK(!y.drained.apps[0].stays);
    GP_CHECK_STR_EQ(y.reason, "worker/1 is drained");
    await_state(&y, "one", WORKER_DRAINED);
    GP_CHECK_EQ(y.slots_on[id_of(&y, 0)], 0);
    GP_CHECK_EQ(y.slots_on[id_of(&y, 1)], YARD_TASKS);
    GP_CHECK_EQ(y.workers[0].grant.slots, 0);
    GP_CHECK_EQ(y.home, 1);
    YARD_UNTIL(&y, y.runs && yard_app(&y)->state == APP_RUNNING);
    GP_CHECK_EQ(yard_app(&y)->epoch, 2);
    GP_CHECK_EQ(yard_app(&y)->restarts_count, 0);
    yard_list(&y);
    GP_CHECK_EQ(y.infos[0].state, WORKER_DRAINED);
    GP_CHECK_EQ(y.infos[1].state, WORKER_SERVING);
    GP_CHECK_EQ(y.infos[1].tasks, YARD_TASKS);
    GP_CHECK_EQ(y.infos[1].slots_used, YARD_TASKS + 1);
    GP_CHECK_EQ(sim_event_count(y.council.sim, "worker.drained"), 1);
    yard_end(&y);
}

/* What it has not written down its next epoch would not know. */
GP_TEST(drain, lets_an_appmaster_write_down_what_it_knows)
{
    struct yard y;

    yard_begin(&y, 12, "0");
    y.is_unsettled = true;
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    (void)yard_add_worker(&y, "two");
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    YARD_UNTIL(&y, y.slots_on[1] == 0);
    council_run_s(&y.council, 5);
    GP_CHECK_EQ(yard_app(&y)->epoch, 1);
    GP_CHECK(look(&y, "one", WORKER_DRAINING));
    GP_CHECK_EQ(y.drained.tasks, 0);
    y.is_unsettled = false;
    await_state(&y, "one", WORKER_DRAINED);
    GP_CHECK_EQ(yard_app(&y)->epoch, 2);
    yard_end(&y);
}

GP_TEST(drain, waits_for_room_and_goes_on_when_a_worker_joins)
{
    struct yard y;

    yard_begin(&y, 2, "0");
    y.worker_slots = YARD_TASKS + 1;
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    GP_REQUIRE_EQ(yard_drain(&y, "1"), 0); /* the last one */
    council_run_s(&y.council, 5);
    GP_CHECK(look(&y, "worker/1", WORKER_DRAINING));
    GP_REQUIRE_EQ(y.drained.apps_count, 1);
    GP_CHECK_EQ(y.drained.apps[0].moving, 0);
    GP_CHECK_STR_EQ(y.drained.apps[0].why, "4 tasks of 'count': there are no slots for them");
    GP_CHECK(y.drained.apps[0].stays);
    GP_CHECK_EQ(y.slots_on[1], YARD_TASKS); /* nothing was given up */
    GP_CHECK(y.appmaster != NULL);
    GP_CHECK_EQ(yard_app(&y)->epoch, 1);
    (void)yard_add_worker(&y, "two");
    await_state(&y, "1", WORKER_DRAINED);
    yard_end(&y);
}

/* It is told what holds no more; what could not leave may stay. */
GP_TEST(drain, is_undone_halfway)
{
    struct yard y;

    yard_begin(&y, 3, "0");
    y.stays = true;
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    (void)yard_add_worker(&y, "two");
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    GP_REQUIRE_EQ(y.drained.apps_count, 1);
    GP_CHECK_STR_EQ(y.drained.apps[0].why,
                    "4 tasks of 'count': it keeps state and has no snapshot");
    GP_CHECK_EQ(y.leave_count, 1);
    GP_CHECK(!y.leave[0].force);
    GP_REQUIRE_EQ(yard_ask_drain(&y, &(struct msg_worker_drain){.worker = "one", .undo = true}), 0);
    GP_CHECK_EQ(y.drained.state, WORKER_SERVING);
    YARD_UNTIL(&y, y.leave_count == 0);
    GP_CHECK_EQ(y.slots_on[1], YARD_TASKS);
    council_run_s(&y.council, 3);
    y.tells = 0;
    council_run_s(&y.council, 10);
    GP_CHECK_EQ(y.tells, 0); /* it is said once */
    yard_end(&y);
}

GP_TEST(drain, forces_only_whom_it_was_told_to)
{
    struct yard y;

    yard_begin(&y, 4, "0");
    y.stays = true;
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    (void)yard_add_worker(&y, "two");
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    GP_CHECK(!y.leave[0].force && !y.drained.force);
    GP_REQUIRE_EQ(yard_ask_drain(&y, &(struct msg_worker_drain){.worker = "one", .force = true}),
                  0);
    GP_CHECK(y.leave[0].force && y.drained.force);
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0); /* the same again takes nothing back */
    GP_CHECK(y.leave[0].force && y.drained.force);
    GP_CHECK_EQ(sim_event_count(y.council.sim, "worker.draining"), 2);
    GP_CHECK(!y.force); /* that is about what is spread */
    yard_end(&y);
}

/* The mark is all there is: the next leader tells whoever comes to it. */
GP_TEST(drain, goes_on_with_the_next_leader)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct yard y;
        uint32_t first;

        yard_begin(&y, seed, "012");
        y.stays = true;
        (void)yard_add_worker(&y, "one");
        yard_submit(&y);
        (void)yard_add_worker(&y, "two");
        GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
        first = council_leader(&y.council);
        council_kill(&y.council, first);
        y.leave_count = 0;
        y.tells = 0;
        GP_CHECK(council_await_leader(&y.council) != first);
        YARD_UNTIL(&y, y.tells > 0 && y.leave_count == 1);
        GP_CHECK_EQ(y.leave[0].worker, 1);
        y.stays = false;
        await_state(&y, "one", WORKER_DRAINED);
        yard_end(&y);
    }
}

/* An undo that the old leader never told. */
GP_TEST(drain, is_taken_back_by_the_next_leader)
{
    struct yard y;

    yard_begin(&y, 5, "012");
    y.stays = true;
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    y.is_deaf = true; /* so that nobody knows what it heard */
    GP_REQUIRE_EQ(yard_ask_drain(&y, &(struct msg_worker_drain){.worker = "one", .undo = true}), 0);
    council_kill(&y.council, council_leader(&y.council));
    y.leave_count = 9;
    y.is_deaf = false;
    YARD_UNTIL(&y, y.leave_count == 0);
    yard_end(&y);
}

GP_TEST(drain, outlives_the_worker_and_waits_for_it_under_its_name)
{
    struct yard y;
    uint32_t again;

    yard_begin(&y, 6, "0");
    y.stays = true;
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    (void)yard_add_worker(&y, "two");
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    yard_kill_worker(&y, 0);
    YARD_UNTIL(&y, y.home == 1 && y.runs); /* its appmaster has its next life elsewhere */
    GP_CHECK(look(&y, "one", WORKER_LOST));
    again = yard_add_worker(&y, "one");
    GP_CHECK(id_of(&y, again) != 1);
    GP_CHECK(look(&y, "one", WORKER_DRAINED));
    GP_CHECK_EQ(y.drained.worker, id_of(&y, again));
    GP_REQUIRE_EQ(yard_ask_drain(&y, &(struct msg_worker_drain){.worker = "one", .undo = true}), 0);
    GP_CHECK_EQ(y.drained.state, WORKER_SERVING);
    yard_end(&y);
}

/* A host that lost its power is back before anybody knows that it was gone. */
GP_TEST(drain, goes_on_to_a_next_life_that_came_early)
{
    struct yard y;
    uint32_t again;

    yard_begin(&y, 13, "0");
    (void)yard_add_worker(&y, "one");
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    again = yard_add_worker(&y, "one");
    GP_CHECK_EQ(yard_drain(&y, "one"), GP_EINVAL); /* which? */
    yard_kill_worker(&y, 0);
    council_run_s(&y.council, 5);
    GP_CHECK(look(&y, "one", WORKER_DRAINED));
    GP_CHECK_EQ(y.drained.worker, id_of(&y, again));
    GP_CHECK_EQ(yard_drain(&y, "1"), GP_ENOENT); /* its mark has gone on */
    yard_end(&y);
}

GP_TEST(drain, gives_nothing_new_to_who_is_drained)
{
    struct yard y;

    yard_begin(&y, 7, "0");
    (void)yard_add_worker(&y, "one");
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    GP_CHECK_EQ(y.drained.state, WORKER_DRAINED);
    yard_submit_only(&y);
    council_run_s(&y.council, 10);
    GP_CHECK(y.appmaster == NULL);
    GP_CHECK(strstr(yard_app(&y)->error, "0 workers (1 drained)") != NULL);
    GP_REQUIRE_EQ(yard_ask_drain(&y, &(struct msg_worker_drain){.worker = "one", .undo = true}), 0);
    YARD_UNTIL(&y, y.runs);
    yard_end(&y);
}

GP_TEST(drain, says_which_worker_it_does_not_know)
{
    struct yard y;

    yard_begin(&y, 8, "0");
    (void)yard_add_worker(&y, "alpha");
    GP_CHECK_EQ(yard_drain(&y, "7"), GP_ENOENT);
    GP_CHECK_EQ(yard_drain(&y, "alpah"), GP_ENOENT);
    GP_CHECK_STR_EQ(y.err.text, "no worker 'alpah' (did you mean 'alpha'?)");
    GP_CHECK_STR_EQ(y.err.hint, "gpctl workers");
    (void)yard_add_worker(&y, "alpha");
    GP_CHECK_EQ(yard_drain(&y, "alpha"), GP_EINVAL);
    GP_CHECK(strstr(y.err.text, "2 workers are called 'alpha'") != NULL);
    GP_CHECK_EQ(yard_drain(&y, "2"), 0);
    yard_end(&y);
}

/* Who is being told does not answer: whoever asks hears that, in time. */
GP_TEST(drain, says_that_an_appmaster_is_silent)
{
    struct yard y;

    yard_begin(&y, 9, "0");
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    y.is_deaf = true;
    GP_REQUIRE_EQ(yard_drain(&y, "one"), 0);
    GP_REQUIRE_EQ(y.drained.apps_count, 1);
    GP_CHECK(strstr(y.drained.apps[0].why, "its appmaster does not answer") != NULL);
    GP_CHECK_EQ(y.drained.tasks, YARD_TASKS); /* by its slots */
    GP_CHECK(!y.drained.apps[0].stays);       /* it may still go */
    yard_end(&y);
}

GP_TEST(drain, forwards_what_is_to_be_spread)
{
    struct yard y;

    yard_begin(&y, 10, "0");
    GP_CHECK_EQ(yard_rebalance(&y, "job"), GP_ENOENT);
    yard_submit_only(&y);
    council_run_s(&y.council, 1);
    GP_CHECK_EQ(yard_rebalance(&y, "job"), GP_EAGAIN); /* there is nobody to be told */
    (void)yard_add_worker(&y, "one");
    YARD_UNTIL(&y, y.runs);
    (void)yard_add_worker(&y, "two");
    GP_REQUIRE_EQ(yard_rebalance(&y, "job"), 0);
    GP_CHECK_EQ(y.spreads, 1);
    GP_CHECK_EQ(y.room_count, 2);
    GP_CHECK_EQ(y.leave_count, 0);
    GP_CHECK(y.force);
    GP_CHECK_STR_EQ(y.reason, "somebody said so");
    yard_end(&y);
}

GP_TEST(drain, spreads_by_itself_when_a_worker_joined_if_it_is_to)
{
    for (int is_auto = 0; is_auto < 2; is_auto++) {
        struct yard y;

        yard_begin(&y, 11, "0");
        y.council.masters[0]->is_balanced = is_auto != 0;
        (void)yard_add_worker(&y, "one");
        yard_submit(&y);
        council_run_s(&y.council, 10);
        y.spreads = 0;
        (void)yard_add_worker(&y, "two");
        council_run_s(&y.council, 2);
        GP_CHECK_EQ(y.spreads, 0); /* it may not stay */
        council_run_s(&y.council, 5);
        GP_CHECK_EQ(y.spreads, is_auto);
        GP_CHECK_STR_EQ(y.reason, is_auto ? "worker/2 joined" : "");
        (void)yard_add_worker(&y, "three");
        yard_kill_worker(&y, 2);
        council_run_s(&y.council, 10);
        GP_CHECK_EQ(y.spreads, is_auto);
        yard_end(&y);
    }
}

/* The leader that saw it join is lost before it has done anything about it. */
GP_TEST(drain, spreads_by_itself_when_the_lead_changes_meanwhile)
{
    struct yard y;
    uint32_t first;

    yard_begin(&y, 12, "012");
    for (uint32_t i = 0; i < 3; i++) {
        y.council.masters[i]->is_balanced = true;
    }
    (void)yard_add_worker(&y, "one");
    yard_submit(&y);
    council_run_s(&y.council, 10);
    y.spreads = 0;
    (void)yard_add_worker(&y, "two");
    GP_CHECK_EQ(y.spreads, 0);
    first = council_leader(&y.council);
    council_kill(&y.council, first);
    GP_CHECK(council_await_leader(&y.council) != first);
    YARD_UNTIL(&y, y.spreads > 0);
    GP_CHECK_STR_EQ(y.reason, "worker/2 joined");
    council_run_s(&y.council, 10);
    GP_CHECK_EQ(y.spreads, 1);
    yard_end(&y);
}
