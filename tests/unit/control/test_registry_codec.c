/* Commands and registries as bytes: what is written is read as the same; what is bent is
 * refused. */
#include <stdlib.h>

#include "base/endian.h"
#include "base/rng.h"
#include "base/str.h"
#include "control/limits.h"
#include "control/master/registry_codec.h"
#include "desk.h"
#include "gp_test.h"

#define FLIPS 3000

static struct msg_app_submit submission(const char *name, struct msg_config *config)
{
    return (struct msg_app_submit){.name = (char *)(uintptr_t)name,
                                   .request_id = (char *)(uintptr_t)name,
                                   .sha256 = (char *)(uintptr_t) "00ff",
                                   .config = config,
                                   .config_count = 1,
                                   .executors = 2};
}

/* A command as every master gets it: through its bytes. */
static int pass(struct registry *r, const struct port *port, const struct command *command)
{
    struct buf bytes = {0};
    struct command_box box;
    struct app *app;
    int rc;

    GP_REQUIRE_EQ(command_encode(command, &bytes), 0);
    GP_REQUIRE_EQ(command_decode(port, buf_bytes(&bytes), &box, NULL), 0);
    GP_CHECK_EQ(box.command.bytes, buf_len(&bytes));
    rc = registry_apply(r, &box.command, &app, NULL);
    command_box_deinit(&box);
    buf_deinit(&bytes);
    return rc;
}

static struct value *tree(const char *name, int64_t number)
{
    struct value *t = value_new_object();

    GP_REQUIRE(t != NULL);
    GP_REQUIRE_EQ(value_set_take(t, gp_str_of(name), value_new_i64(number)), 0);
    return t;
}

/* Applications in every state, with and without trees. */
static void fill(struct registry *r, const struct port *port)
{
    struct value *plan = tree("plan", 7);
    struct value *live = tree("live", -1);
    char name[16];

    for (uint32_t id = 1; id <= 6; id++) {
        struct msg_config config = {(char *)(uintptr_t) "key",
                                    (char *)(uintptr_t) "a \"b\" \xc3\xa4"};
        struct msg_app_submit spec = submission(name, &config);
        struct command c = {
            .op = COMMAND_SUBMIT, .wall_ms = 1000 + id, .submit = &spec, .token = "secret"};

        (void)str_format(name, sizeof name, "job-%u", id);
        GP_REQUIRE_EQ(pass(r, port, &c), 0);
        c = (struct command){.op = COMMAND_EPOCH,
                             .app = id,
                             .worker = id,
                             .wall_ms = 2000,
                             .is_restart = id % 2 == 0};
        GP_REQUIRE_EQ(id > 1 ? pass(r, port, &c) : 0, 0);
        c = (struct command){.op = COMMAND_PLAN, .app = id, .epoch = 1, .tree = plan};
        GP_REQUIRE_EQ(id > 2 ? pass(r, port, &c) : 0, 0);
        c = (struct command){.op = COMMAND_PLACEMENT,
                             .app = id,
                             .epoch = 1,
                             .tree = plan,
                             .restarts = (struct msg_restart[]){{1000}, {2000}},
                             .restarts_count = 2};
        GP_REQUIRE_EQ(id > 3 ? pass(r, port, &c) : 0, 0);
        c = (struct command){.op = COMMAND_STATE,
                             .app = id,
                             .epoch = 1,
                             .state = APP_RUNNING,
                             .tasks = 5,
                             .wall_ms = 3000};
        GP_REQUIRE_EQ(id > 4 ? pass(r, port, &c) : 0, 0);
        c = (struct command){.op = COMMAND_STATE,
                             .app = id,
                             .epoch = 1,
                             .state = APP_FAILED,
                             .error = "it broke",
                             .tree = live,
                             .pid = 4711};
        GP_REQUIRE_EQ(id > 5 ? pass(r, port, &c) : 0, 0);
    }
    GP_REQUIRE_EQ(pass(r, port, &(struct command){.op = COMMAND_WORKER}), 0);
    GP_REQUIRE_EQ(pass(r, port, &(struct command){.op = COMMAND_WORKER}), 0);
    GP_REQUIRE_EQ(pass(r, port, &(struct command){.op = COMMAND_DRAIN, .worker = 1, .name = "one"}),
                  0);
    GP_REQUIRE_EQ(pass(r, port, &(struct command){.op = COMMAND_DRAIN, .worker = 2, .force = true}),
                  0);
    GP_REQUIRE_EQ(pass(r, port, &(struct command){.op = COMMAND_KILL, .app = 3}), 0);
    value_free(plan);
    value_free(live);
}

GP_TEST(registry_codec, gives_back_the_same_registry)
{
    struct desk desk;
    struct registry r;
    struct registry again;
    struct buf first = {0};
    struct buf second = {0};
    const struct app *app;

    desk_begin(&desk);
    registry_init(&r, 1);
    registry_init(&again, 2);
    fill(&r, desk.port);
    GP_REQUIRE_EQ(registry_save(&r, &first), 0);
    GP_REQUIRE_EQ(registry_load(&again, desk.port, buf_bytes(&first), NULL), 0);
    GP_REQUIRE_EQ(registry_save(&again, &second), 0);
    GP_CHECK(str_eq(buf_str(&first), buf_str(&second)));
    GP_CHECK_EQ(again.next_worker, 3);
    GP_CHECK_EQ(again.marked, 2);
    GP_REQUIRE_EQ(again.marks_count, 2);
    GP_CHECK_STR_EQ(again.marks[0].name, "one");
    GP_CHECK(!again.marks[0].force && again.marks[1].force);
    GP_CHECK_EQ(again.ended, 1);
    GP_CHECK_EQ(again.bytes, r.bytes);
    GP_CHECK(registry_find(&again, 3)->is_stopping);
    app = registry_find(&again, 6);
    GP_CHECK(app->plan && app->live && !app->placement);
    GP_CHECK_STR_EQ(app->error, "it broke");
    GP_CHECK_EQ(app->pid, 4711);
    GP_CHECK(registry_request(&again, "job-5") == registry_find(&again, 5));
    /* It goes on as the first one would. */
    GP_CHECK_EQ(pass(&again, desk.port,
                     &(struct command){.op = COMMAND_EPOCH, .app = 5, .epoch = 1, .worker = 9}),
                0);
    GP_CHECK_EQ(registry_find(&again, 5)->state, APP_RECOVERING);
    buf_deinit(&first);
    buf_deinit(&second);
    registry_deinit(&r);
    registry_deinit(&again);
    desk_end(&desk);
}

GP_TEST(registry_codec, refuses_what_is_cut_or_bent_and_stays_as_it_was)
{
    struct desk desk;
    struct registry r;
    struct registry other;
    struct buf whole = {0};
    struct rng rng;
    uint32_t refused = 0;

    desk_begin(&desk);
    registry_init(&r, 1);
    registry_init(&other, 1);
    rng_init(&rng, 7);
    fill(&r, desk.port);
    GP_REQUIRE_EQ(registry_save(&r, &whole), 0);
    for (size_t len = 0; len < buf_len(&whole); len++) {
        gp_bytes cut = gp_bytes_of(buf_bytes(&whole).ptr, len);
        GP_CHECK(registry_load(&other, desk.port, cut, NULL) < 0);
        GP_CHECK_EQ(other.count, 0);
    }
    for (int i = 0; i < FLIPS; i++) {
        unsigned char *at = (unsigned char *)(uintptr_t)buf_bytes(&whole).ptr;
        size_t where = rng_below(&rng, buf_len(&whole));
        unsigned char bit = (unsigned char)(1u << rng_below(&rng, 8));

        at[where] ^= bit;
        refused += registry_load(&other, desk.port, buf_bytes(&whole), NULL) < 0;
        at[where] ^= bit;
    }
    GP_CHECK(refused > FLIPS / 4); /* the rest says something else that holds together */
    GP_CHECK_EQ(registry_load(&other, desk.port, buf_bytes(&whole), NULL), 0);
    buf_deinit(&whole);
    registry_deinit(&r);
    registry_deinit(&other);
    desk_end(&desk);
}

/* Not even when their sum passes the largest number. */
GP_TEST(registry_codec, refuses_sizes_that_do_not_add_up)
{
    struct desk desk;
    struct registry r;
    struct registry other;
    struct buf bytes = {0};

    desk_begin(&desk);
    registry_init(&r, 1);
    registry_init(&other, 1);
    fill(&r, desk.port);
    r.apps[0]->plan_bytes = UINT64_MAX - 1;
    r.apps[0]->placement_bytes = 4;
    GP_REQUIRE_EQ(registry_save(&r, &bytes), 0);
    GP_CHECK_EQ(registry_load(&other, desk.port, buf_bytes(&bytes), NULL), GP_EPROTO);
    buf_deinit(&bytes);
    registry_deinit(&r);
    registry_deinit(&other);
    desk_end(&desk);
}

GP_TEST(registry_codec, refuses_commands_without_what_they_need)
{
    static const char *const bad[] = {
        "",
        "{}",
        "{\"op\":\"nonsense\",\"wall_ms\":1}",
        "{\"op\":\"submit\",\"wall_ms\":1}",
        "{\"op\":\"submit\",\"wall_ms\":1,\"token\":\"x\",\"submit\":{}}",
        "{\"op\":\"plan\",\"wall_ms\":1,\"app\":1}",
        "{\"op\":\"state\",\"wall_ms\":1,\"app\":1,\"state\":\"asleep\"}",
        "{\"op\":\"kill\",\"wall_ms\":1,\"app\":-1}",
    };
    struct desk desk;
    struct command_box box;
    struct gp_error err;

    desk_begin(&desk);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gp_error_clear(&err);
        GP_CHECK(command_decode(desk.port, gp_bytes_of(bad[i], strlen(bad[i])), &box, &err) < 0);
        GP_CHECK(err.text[0] != '\0');
    }
    desk_end(&desk);
}

GP_TEST(registry_codec, refuses_a_newer_format)
{
    static const char header[] = "{\"format\":2,\"next_id\":1,\"next_worker\":1,\"parts\":0}";
    struct desk desk;
    struct registry r;
    struct buf bytes = {0};

    desk_begin(&desk);
    registry_init(&r, 1);
    GP_REQUIRE_EQ(buf_append_u8(&bytes, 'H'), 0);
    GP_REQUIRE_EQ(buf_append_u32(&bytes, sizeof header - 1), 0);
    GP_REQUIRE_EQ(buf_append(&bytes, header, sizeof header - 1), 0);
    GP_CHECK_EQ(registry_load(&r, desk.port, buf_bytes(&bytes), NULL), GP_EVERSION);
    buf_deinit(&bytes);
    registry_deinit(&r);
    desk_end(&desk);
}

/* A record of kind and text, as a registry holds them. */
static void add_part(struct buf *out, uint8_t kind, const char *text)
{
    GP_REQUIRE_EQ(buf_append_u8(out, kind), 0);
    GP_REQUIRE_EQ(buf_append_u32(out, (uint32_t)strlen(text)), 0);
    GP_REQUIRE_EQ(buf_append(out, text, strlen(text)), 0);
}

GP_TEST(registry_codec, refuses_marks_of_workers_that_never_were)
{
    static const char *const marks[] = {"{\"worker\":0}", "{\"worker\":9}", "{\"worker\":1}"};
    struct desk desk;
    struct registry r;
    struct buf bytes = {0};

    desk_begin(&desk);
    registry_init(&r, 1);
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
        buf_truncate(&bytes, 0);
        add_part(&bytes, 'H', "{\"format\":1,\"next_id\":1,\"next_worker\":2,\"parts\":2}");
        add_part(&bytes, 'D', "{\"worker\":1}");
        add_part(&bytes, 'D', marks[i]); /* the last of them for the second time */
        GP_CHECK_EQ(registry_load(&r, desk.port, buf_bytes(&bytes), NULL), GP_EPROTO);
        GP_CHECK_EQ(r.marks_count, 0);
    }
    buf_deinit(&bytes);
    registry_deinit(&r);
    desk_end(&desk);
}
