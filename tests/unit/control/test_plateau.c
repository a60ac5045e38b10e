/*
 * A master that has done the same for long has no more memory in use than one that has done it for
 * a while: its log is bounded in bytes, and so is all that it remembers of what ended.
 */
#include "base/str.h"
#include "control/limits.h"
#include "control/master/internal.h"
#include "council.h"
#include "counted.h"
#include "gp_test.h"

#define APPS      GP_FEWER(4000u, 2000u) /* of 25 commands each */
#define DEATHS    GP_FEWER(5000u, 1000u)
#define PUTS      19u
#define MIB       (INT64_C(1) << 20)
#define EXECUTORS 16u
#define LENT_MAX  (4 * MIB) /* read buffers that an endpoint lends to who keeps payloads */

struct play {
    struct council council;
    uint32_t leader;
    uint32_t waiting; /* for the ends of proposals */
    uint32_t commands;
    uint32_t app; /* the last that was submitted */
    int64_t most; /* bytes in use whenever all was answered */
    struct value *plan;
    struct value *placement; /* as an appmaster writes it down: a few KB */
};

/* ---- what is said ---- */

static struct value *executor(uint32_t i)
{
    struct value *e = value_new_object();
    char text[64];

    GP_REQUIRE(e != NULL);
    (void)value_set_i64(e, GP_STR("id"), (int64_t)(i));
    (void)value_set_i64(e, GP_STR("worker"), (int64_t)(i % 4 + 1));
    (void)value_set_i64(e, GP_STR("incarnation"), (int64_t)(UINT64_C(0x1234567890abcd) + i));
    (void)str_format(text, sizeof text, "10.0.0.%u:34567", i + 1);
    (void)value_set_str(e, GP_STR("address"), gp_str_of(text));
    (void)value_set_str(e, GP_STR("name"), GP_STR("a worker somewhere"));
    (void)value_set_i64(e, GP_STR("first"), (int64_t)(100 * i));
    (void)value_set_i64(e, GP_STR("last"), (int64_t)(100 * i + 99));
    (void)value_set_i64(e, GP_STR("session"), (int64_t)(UINT64_C(1) << 32 | i));
    return e;
}

static struct value *tree(uint32_t executors)
{
    struct value *list = value_new_list();
    struct value *t = value_new_object();

    GP_REQUIRE(list && t);
    for (uint32_t i = 0; i < executors; i++) {
        GP_REQUIRE(value_append_take(list, executor(i)) >= 0);
    }
    GP_REQUIRE(value_set_take(t, GP_STR("executors"), list) >= 0);
    return t;
}

static void on_ended(struct master *m, void *user, const struct outcome *outcome)
{
    struct play *p = user;

    (void)m;
    GP_CHECK_EQ(outcome->code, 0);
    p->app = outcome->app ? outcome->app->id : p->app;
    p->waiting--;
}

static bool is_answered(void *user)
{
    return ((const struct play *)user)->waiting == 0;
}

static void settle(struct play *p)
{
    GP_REQUIRE_EQ(sim_run_until(p->council.sim, is_answered, p, NULL), 0);
    p->most = counted_bytes() > p->most ? counted_bytes() : p->most;
}

static void say(struct play *p, const struct command *command)
{
    struct gp_error err = {0};

    if (master_propose(p->council.masters[p->leader], command, on_ended, p, &err) < 0) {
        GP_TEST_FAIL("%s", err.text);
    }
    p->waiting++;
    p->commands++;
}

static void submit(struct play *p, uint32_t number)
{
    char request[32];
    char name[32];
    struct msg_config config = {(char *)(uintptr_t) "rows", (char *)(uintptr_t) "1000"};
    struct msg_app_submit submit = {.name = name,
                                    .request_id = request,
                                    .sha256 = (char *)(uintptr_t) "00ff",
                                    .config = &config,
                                    .config_count = 1};

    (void)str_format(name, sizeof name, "job-%u", number);
    (void)str_format(request, sizeof request, "request-%u", number);
    say(p, &(struct command){.op = COMMAND_SUBMIT, .submit = &submit, .token = "secret"});
    settle(p);
}

static void begin_app(struct play *p, uint32_t number)
{
    submit(p, number);
    say(p, &(struct command){.op = COMMAND_WORKER});
    say(p, &(struct command){.op = COMMAND_EPOCH, .app = p->app, .worker = 1});
    say(p, &(struct command){.op = COMMAND_PLAN, .app = p->app, .epoch = 1, .tree = p->plan});
    say(p, &(struct command){.op = COMMAND_STATE, .app = p->app, .epoch = 1, .state = APP_RUNNING});
}

static void put_placements(struct play *p, uint32_t count, const struct value *placement)
{
    for (uint32_t i = 0; i < count; i++) {
        say(p, &(struct command){
                   .op = COMMAND_PLACEMENT, .app = p->app, .epoch = 1, .tree = placement});
        if (i % 64 == 63) {
            settle(p);
        }
    }
    settle(p);
}

static void live(struct play *p, uint32_t number)
{
    begin_app(p, number);
    put_placements(p, PUTS, p->plan);
    say(p, &(struct command){.op = COMMAND_STATE,
                             .app = p->app,
                             .epoch = 1,
                             .state = APP_FINISHED,
                             .tree = p->plan});
    settle(p);
}

/* ---- around it ---- */

static void begin(struct play *p, uint32_t masters)
{
    *p = (struct play){.most = INT64_MIN};
    council_begin(&p->council, 7);
    for (uint32_t i = 0; i < masters; i++) {
        council_start(&p->council, i, masters == 1 ? "0" : "012");
    }
    p->leader = council_await_leader(&p->council);
    p->plan = tree(2);
    p->placement = tree(EXECUTORS);
}

static void end(struct play *p)
{
    value_free(p->plan);
    value_free(p->placement);
    council_end(&p->council);
}

/* The most in use in the course of so many applications. */
static int64_t peak_of(struct play *p, uint32_t first, uint32_t count)
{
    p->most = INT64_MIN; /* what tests before have freed counts, too */
    for (uint32_t i = 0; i < count; i++) {
        live(p, first + i);
    }
    return p->most;
}

GP_TEST(plateau, is_reached_when_as_many_have_ended_as_are_remembered)
{
    struct play p;
    int64_t base;
    int64_t first;
    int64_t second;

    begin(&p, 1);
    base = counted_bytes();
    first = peak_of(&p, 0, APPS / 2); /* APPS_ENDED_MAX of them, at least */
    second = peak_of(&p, APPS / 2, APPS / 2);
    (void)fprintf(stderr, "%u commands: %lld KiB, then %lld, then %lld\n", p.commands,
                  (long long)base >> 10, (long long)first >> 10, (long long)second >> 10);
    GP_CHECK(p.commands >= 25 * APPS);
    GP_CHECK(second < first + first / 25); /* tables grow by doubling, some late */
    end(&p);
}

/* What an application's deaths add: its appmaster writes down where it goes on, again and again. */
static void check_deaths(uint32_t masters)
{
    struct play p;
    int64_t lent = masters > 1 ? LENT_MAX : 0; /* what masters say to each other waits there */
    int64_t base;
    int64_t first;
    int64_t second;

    begin(&p, masters);
    begin_app(&p, 0);
    put_placements(&p, 1, p.placement);
    base = counted_bytes();
    put_placements(&p, DEATHS / 2, p.placement);
    first = p.most;
    p.most = INT64_MIN;
    put_placements(&p, DEATHS / 2, p.placement);
    second = p.most;
    (void)fprintf(stderr, "%u masters: %lld KiB, then %lld, then %lld\n", masters,
                  (long long)base >> 10, (long long)first >> 10, (long long)second >> 10);
    GP_CHECK(first - base < (int64_t)masters * (MIB * 5 / 4 + lent));
    GP_CHECK(second - base < (int64_t)masters * (MIB * 5 / 4 + lent));
    end(&p);
}

GP_TEST(plateau, is_low_whatever_one_application_writes_down)
{
    check_deaths(1);
}

GP_TEST(plateau, is_as_low_in_a_group)
{
    check_deaths(3);
}
