#include "base/str.h"
#include "control/limits.h"
#include "control/master/registry.h"
#include "gp_test.h"

static struct msg_app_submit submission(const char *name, const char *request)
{
    return (struct msg_app_submit){.name = str_dup(gp_str_of(name)),
                                   .request_id = str_dup(gp_str_of(request)),
                                   .sha256 = str_dup(GP_STR("00"))};
}

static int submit(struct registry *r, const char *name, const char *request, struct app **ret_app,
                  struct gp_error *err)
{
    struct msg_app_submit spec = submission(name, request);
    struct command command = {
        .op = COMMAND_SUBMIT, .wall_ms = 1000, .submit = &spec, .token = "secret"};
    int rc = registry_apply(r, &command, ret_app, err);

    fields_deinit(&msg_app_submit_fields, &spec);
    return rc;
}

static int move(struct registry *r, uint32_t id, uint32_t state, int64_t wall_ms)
{
    struct command command = {.op = COMMAND_STATE, .app = id, .state = state, .wall_ms = wall_ms};
    struct app *app;

    return registry_apply(r, &command, &app, NULL);
}

GP_TEST(registry, numbers_applications_from_one)
{
    struct registry r;
    struct app *a;
    struct app *b;

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "first", "", &a, NULL), 0);
    GP_REQUIRE_EQ(submit(&r, "second", "", &b, NULL), 0);
    GP_CHECK_EQ(a->id, 1);
    GP_CHECK_EQ(b->id, 2);
    GP_CHECK_STR_EQ(b->token, "secret");
    GP_CHECK_EQ(a->state, APP_SUBMITTED);
    GP_CHECK(registry_find(&r, 3) == NULL);
    GP_CHECK(registry_next(&r, 1) == b);
    GP_CHECK(registry_next(&r, 2) == NULL);
    GP_CHECK(registry_next(&r, UINT32_MAX) == NULL);
    registry_deinit(&r);
}

/* A client that lost the answer asks again: it must not start the job twice. */
GP_TEST(registry, gives_one_application_for_one_request)
{
    struct registry r;
    struct app *a;
    struct app *b;

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "job", "request-1", &a, NULL), 0);
    GP_REQUIRE_EQ(submit(&r, "job", "request-1", &b, NULL), 0);
    GP_CHECK(a == b);
    GP_CHECK_EQ(r.count, 1);
    registry_deinit(&r);
}

GP_TEST(registry, keeps_live_names_unique)
{
    struct registry r;
    struct gp_error err = {0};
    struct app *a;
    struct app *b;

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "job", "", &a, NULL), 0);
    GP_CHECK_EQ(submit(&r, "job", "", &b, &err), GP_EEXIST);
    GP_CHECK(strstr(err.text, "'job' is submitted already: number 1"));
    GP_REQUIRE_EQ(move(&r, 1, APP_FAILED, 2000), 0);
    GP_CHECK_EQ(submit(&r, "job", "", &b, NULL), 0);
    GP_CHECK_EQ(registry_lookup(&r, "job", &a, NULL), 0);
    GP_CHECK(a == b); /* the live one, not the failed one */
    registry_deinit(&r);
}

GP_TEST(registry, refuses_names_that_are_none)
{
    struct registry r;
    struct app *a;
    const char *const bad[] = {"",
                               "1st",
                               "a b",
                               "a/b",
                               "\xc3\xa4",
                               "-x",
                               "a123456789012345678901234567890123456789012345678901234567890123"};

    registry_init(&r, 1);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        GP_CHECK_EQ(submit(&r, bad[i], "", &a, NULL), GP_EINVAL);
    }
    GP_CHECK_EQ(submit(&r, "My.job_1-x", "", &a, NULL), 0);
    registry_deinit(&r);
}

GP_TEST(registry, looks_up_by_number_and_name_and_suggests)
{
    struct registry r;
    struct gp_error err = {0};
    struct app *a;
    struct app *found;

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "wordcount", "", &a, NULL), 0);
    GP_CHECK_EQ(registry_lookup(&r, "1", &found, NULL), 0);
    GP_CHECK_EQ(registry_lookup(&r, "wordcount", &found, NULL), 0);
    GP_CHECK_EQ(registry_lookup(&r, "wordcout", &found, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, "did you mean 'wordcount'"));
    GP_CHECK_EQ(registry_lookup(&r, "99", &found, &err), GP_ENOENT);
    registry_deinit(&r);
}

GP_TEST(registry, lets_states_move_forward_only)
{
    struct registry r;
    struct app *a;
    uint64_t version;

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "job", "", &a, NULL), 0);
    GP_CHECK_EQ(move(&r, 1, APP_FINISHED, 1), GP_ESTATE); /* it never ran */
    GP_CHECK_EQ(move(&r, 1, APP_STARTING, 1), 0);
    GP_CHECK_EQ(move(&r, 1, APP_RUNNING, 5), 0);
    GP_CHECK_EQ(move(&r, 1, APP_STARTING, 6), GP_ESTATE);
    version = a->version;
    GP_CHECK_EQ(move(&r, 1, APP_RUNNING, 7), 0);
    GP_CHECK(a->version > version);
    GP_CHECK_EQ(a->started_ms, 5);
    GP_CHECK_EQ(move(&r, 1, APP_FINISHED, 9), 0);
    GP_CHECK_EQ(move(&r, 1, APP_KILLED, 10), GP_ESTATE);
    GP_CHECK_EQ(a->finished_ms, 9);
    registry_deinit(&r);
}

/* The one at hand must survive its own end, also when it is the oldest. */
GP_TEST(registry, forgets_those_that_ended_first)
{
    struct registry r;
    struct app *a;
    char name[32];

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "old", "old-request", &a, NULL), 0);
    for (uint32_t i = 0; i < APPS_ENDED_MAX; i++) {
        (void)str_format(name, sizeof name, "job-%u", i);
        GP_REQUIRE_EQ(submit(&r, name, name, &a, NULL), 0);
        GP_REQUIRE_EQ(move(&r, a->id, APP_KILLED, i), 0);
    }
    GP_REQUIRE_EQ(move(&r, 1, APP_KILLED, 5000), 0);
    GP_CHECK_EQ(r.ended, APPS_ENDED_MAX);
    GP_CHECK(registry_find(&r, 1) != NULL);
    GP_CHECK(registry_find(&r, 2) == NULL);
    GP_CHECK_EQ(submit(&r, "job-0", "job-0", &a, NULL), 0); /* its request is forgotten too */
    GP_CHECK(a->id > APPS_ENDED_MAX);
    registry_deinit(&r);
}

GP_TEST(registry, forgets_sooner_what_was_large)
{
    struct registry r;
    struct app *a;
    struct value *plan = value_new_object();
    char name[32];

    registry_init(&r, 1);
    for (uint32_t i = 1; i <= 5; i++) {
        struct command command = {
            .op = COMMAND_PLAN, .app = i, .tree = plan, .bytes = APPS_ENDED_BYTES_MAX / 2};

        (void)str_format(name, sizeof name, "job-%u", i);
        GP_REQUIRE_EQ(submit(&r, name, name, &a, NULL), 0);
        GP_REQUIRE_EQ(registry_apply(&r, &command, &a, NULL), 0);
        GP_REQUIRE_EQ(move(&r, i, APP_KILLED, i), 0);
    }
    GP_CHECK_EQ(r.ended, 2);
    GP_CHECK_EQ(r.ended_bytes, APPS_ENDED_BYTES_MAX);
    GP_CHECK(registry_find(&r, 3) == NULL);
    GP_CHECK(registry_find(&r, 4) != NULL);
    value_free(plan);
    registry_deinit(&r);
}

GP_TEST(registry, keeps_the_plan_and_counts_lives)
{
    struct registry r;
    struct app *a;
    struct value *plan = value_new_object();
    struct command command = {.op = COMMAND_PLAN, .app = 1, .tree = plan};

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "job", "", &a, NULL), 0);
    GP_CHECK_EQ(registry_apply(&r, &command, &a, NULL), 0);
    GP_CHECK(value_equal(a->plan, plan));
    command.op = COMMAND_EPOCH;
    GP_CHECK_EQ(registry_apply(&r, &command, &a, NULL), 0);
    GP_CHECK_EQ(a->epoch, 1);
    GP_CHECK_EQ(a->restarts_count, 0);
    command.app = 2;
    GP_CHECK_EQ(registry_apply(&r, &command, &a, NULL), GP_ENOENT);
    value_free(plan);
    registry_deinit(&r);
}

/* Of appmasters that died, one by one; of all else as the appmaster says. */
GP_TEST(registry, keeps_what_was_drawn_from_the_budget)
{
    struct registry r;
    struct app *a;
    struct value *placement = value_new_object();
    struct msg_restart drawn[] = {{100}, {200}, {300}};
    struct command command = {.op = COMMAND_EPOCH, .app = 1, .is_restart = true, .wall_ms = 50};

    registry_init(&r, 1);
    GP_REQUIRE_EQ(submit(&r, "job", "", &a, NULL), 0);
    GP_CHECK_EQ(registry_apply(&r, &command, &a, NULL), 0);
    GP_REQUIRE_EQ(a->restarts_count, 1);
    GP_CHECK_EQ(a->restarts[0].time_ms, 50);
    GP_CHECK_EQ(registry_apply(&r,
                               &(struct command){.op = COMMAND_PLACEMENT,
                                                 .app = 1,
                                                 .epoch = 1,
                                                 .tree = placement,
                                                 .restarts = drawn,
                                                 .restarts_count = 3},
                               &a, NULL),
                0);
    GP_REQUIRE_EQ(a->restarts_count, 3);
    GP_CHECK_EQ(a->restarts[2].time_ms, 300);
    for (uint32_t i = 1; i < 2 * MSG_RESTARTS_MAX; i++) {
        command.epoch = i;
        command.wall_ms = 1000 + i;
        GP_REQUIRE_EQ(registry_apply(&r, &command, &a, NULL), 0);
        command.is_restart = i % 2 == 0; /* some were planned */
    }
    GP_CHECK(a->restarts_count <= MSG_RESTARTS_MAX);
    GP_CHECK(a->restarts[a->restarts_count - 1].time_ms >= 1000 + 2 * MSG_RESTARTS_MAX - 3);
    value_free(placement);
    registry_deinit(&r);
}

/* ---- marks of workers ---- */

static int drain(struct registry *r, uint32_t worker, const char *name, bool force, bool undo)
{
    struct command command = {
        .op = COMMAND_DRAIN, .worker = worker, .name = name, .force = force, .undo = undo};
    struct app *app;

    return registry_apply(r, &command, &app, NULL);
}

static void add_worker(struct registry *r, uint32_t heir_of)
{
    struct command command = {.op = COMMAND_WORKER, .worker = heir_of};
    struct app *app;

    GP_REQUIRE_EQ(registry_apply(r, &command, &app, NULL), 0);
}

GP_TEST(registry, drains_a_worker_until_that_is_undone)
{
    struct registry r;

    registry_init(&r, 1);
    add_worker(&r, 0);
    add_worker(&r, 0);
    GP_CHECK_EQ(drain(&r, 3, "w", false, false), GP_ENOENT);
    GP_CHECK_EQ(drain(&r, 0, "w", false, false), GP_ENOENT);
    GP_CHECK_EQ(r.marked, 0);
    GP_REQUIRE_EQ(drain(&r, 2, "w", false, false), 0);
    GP_REQUIRE_EQ(drain(&r, 2, "w", true, false), 0); /* once more, and for good */
    GP_CHECK_EQ(r.marks_count, 1);
    GP_CHECK(registry_mark(&r, 1) == NULL);
    GP_REQUIRE(registry_mark(&r, 2) != NULL);
    GP_CHECK(registry_mark(&r, 2)->force);
    GP_REQUIRE_EQ(drain(&r, 2, "w", false, true), 0);
    GP_REQUIRE_EQ(drain(&r, 2, "w", false, true), 0);
    GP_CHECK_EQ(r.marks_count, 0);
    GP_CHECK(registry_mark(&r, 2) == NULL);
    GP_CHECK_EQ(r.marked, 4); /* appmasters may know an older one */
    registry_deinit(&r);
}

/* A host that was drained, stopped and started again waits for its operator. */
GP_TEST(registry, lets_a_worker_inherit_the_mark_of_its_name)
{
    struct registry r;

    registry_init(&r, 1);
    add_worker(&r, 0);
    GP_REQUIRE_EQ(drain(&r, 1, "w", true, false), 0);
    add_worker(&r, 1);
    GP_CHECK(registry_mark(&r, 1) == NULL);
    GP_REQUIRE(registry_mark(&r, 2) != NULL);
    GP_CHECK_STR_EQ(registry_mark(&r, 2)->name, "w");
    add_worker(&r, 1); /* there is nothing more to inherit */
    GP_CHECK(registry_mark(&r, 3) == NULL);
    registry_deinit(&r);
}

GP_TEST(registry, bounds_its_marks)
{
    struct registry r;

    registry_init(&r, 1);
    for (uint32_t i = 1; i <= REGISTRY_MARKS_MAX + 1; i++) {
        add_worker(&r, 0);
        GP_CHECK_EQ(drain(&r, i, "w", false, false), i <= REGISTRY_MARKS_MAX ? 0 : GP_EFULL);
    }
    GP_REQUIRE_EQ(drain(&r, 5, "w", false, true), 0);
    GP_CHECK_EQ(drain(&r, REGISTRY_MARKS_MAX + 1, "w", false, false), 0);
    GP_CHECK_EQ(r.marks[0].worker, 1);
    registry_deinit(&r);
}
