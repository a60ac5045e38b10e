/*
 * Every allocation of what a master and an appmaster keep, refused in turn: the call says
 * GP_ENOMEM, what it was about is as before, nothing leaks (the address sanitizer looks), and the
 * next try works.
 */
#include "base/str.h"
#include "control/appmaster/record.h"
#include "control/master/registry_codec.h"
#include "desk.h"
#include "gp_test.h"
#include "nomem.h"

/* ---- what a master keeps ---- */

struct bench {
    struct desk desk;
    struct registry r;
    struct buf bytes; /* of a command or of a registry */
    struct buf out;
};

typedef int (*try_fn)(struct bench *b, const struct command *command);

static struct value *tree(const char *name)
{
    struct value *t = value_new_object();

    GP_REQUIRE(t != NULL);
    GP_REQUIRE_EQ(value_set_take(t, gp_str_of(name), value_new_str(GP_STR("some words"))), 0);
    return t;
}

static int try_encode(struct bench *b, const struct command *command)
{
    int rc;

    buf_deinit(&b->out);
    rc = command_encode(command, &b->out);
    GP_CHECK(rc < 0 || str_eq(buf_str(&b->out), buf_str(&b->bytes)));
    return rc;
}

static int try_decode(struct bench *b, const struct command *command)
{
    struct command_box box;
    int rc = command_decode(b->desk.port, buf_bytes(&b->bytes), &box, NULL);

    if (rc >= 0) {
        GP_CHECK_EQ(box.command.op, command->op);
        command_box_deinit(&box);
    }
    return rc;
}

/* Decoding is another act's. */
static int try_apply(struct bench *b, const struct command *command)
{
    struct command_box box;
    struct app *app;
    int rc;

    nomem_pause();
    GP_REQUIRE_EQ(command_decode(b->desk.port, buf_bytes(&b->bytes), &box, NULL), 0);
    nomem_resume();
    rc = registry_apply(&b->r, &box.command, &app, NULL);
    nomem_pause();
    GP_CHECK_EQ(app != NULL,
                rc >= 0 && command->op != COMMAND_WORKER && command->op != COMMAND_DRAIN);
    command_box_deinit(&box);
    nomem_resume();
    return rc;
}

static int try_save(struct bench *b, const struct command *command)
{
    int rc;

    (void)command;
    buf_deinit(&b->out);
    rc = registry_save(&b->r, &b->out);
    GP_CHECK(rc >= 0 || buf_len(&b->out) == 0);
    return rc;
}

/* Its own snapshot: afterwards all is as it was, whether that worked or not. */
static int try_load(struct bench *b, const struct command *command)
{
    (void)command;
    return registry_load(&b->r, b->desk.port, buf_bytes(&b->out), NULL);
}

static struct msg_config config = {(char *)(uintptr_t) "key", (char *)(uintptr_t) "value"};
static struct msg_app_submit submit = {.name = (char *)(uintptr_t) "job",
                                       .request_id = (char *)(uintptr_t) "request",
                                       .sha256 = (char *)(uintptr_t) "00ff",
                                       .config = &config,
                                       .config_count = 1,
                                       .executors = 2};

static void set_bytes(struct bench *b, const struct command *command)
{
    buf_deinit(&b->bytes);
    GP_REQUIRE_EQ(command_encode(command, &b->bytes), 0);
}

static void pass(struct bench *b, const struct command *command)
{
    set_bytes(b, command);
    GP_REQUIRE_EQ(try_apply(b, command), 0);
}

/* One application that runs and one that has just come; two workers, of which one is drained. */
static void bench_begin(struct bench *b)
{
    struct msg_app_submit other = submit;
    struct value *plan = tree("plan");

    memset(b, 0, sizeof *b);
    desk_begin(&b->desk);
    registry_init(&b->r, 1);
    other.name = (char *)(uintptr_t) "other";
    other.request_id = (char *)(uintptr_t) "another";
    pass(b, &(struct command){.op = COMMAND_SUBMIT, .submit = &other, .token = "secret"});
    pass(b, &(struct command){.op = COMMAND_EPOCH, .app = 1});
    pass(b, &(struct command){.op = COMMAND_PLAN, .app = 1, .epoch = 1, .tree = plan});
    pass(b, &(struct command){.op = COMMAND_PLACEMENT, .app = 1, .epoch = 1, .tree = plan});
    pass(b, &(struct command){.op = COMMAND_STATE, .app = 1, .epoch = 1, .state = APP_RUNNING});
    pass(b, &(struct command){.op = COMMAND_WORKER});
    pass(b, &(struct command){.op = COMMAND_WORKER});
    pass(b, &(struct command){.op = COMMAND_DRAIN, .worker = 2, .name = "w2"});
    value_free(plan);
}

static void bench_end(struct bench *b)
{
    buf_deinit(&b->bytes);
    buf_deinit(&b->out);
    registry_deinit(&b->r);
    desk_end(&b->desk);
}

/* Refuses the nth allocation of the act; false when it has no such. */
static bool refuse_one(try_fn act, const struct command *command, long n, long *failed)
{
    struct bench b;
    struct buf before = {0};
    struct buf after = {0};
    bool was_refused;
    int rc;

    bench_begin(&b);
    set_bytes(&b, command);
    GP_REQUIRE_EQ(registry_save(&b.r, &before), 0);
    GP_REQUIRE_EQ(registry_save(&b.r, &b.out), 0);
    nomem_arm(n, 1);
    rc = act(&b, command);
    was_refused = nomem_disarm();
    GP_CHECK(rc == 0 || (was_refused && rc == GP_ENOMEM));
    *failed += rc < 0;
    if (rc < 0) {
        GP_REQUIRE_EQ(registry_save(&b.r, &after), 0);
        GP_CHECK(str_eq(buf_str(&before), buf_str(&after)));
        GP_CHECK_EQ(act(&b, command), 0);
    }
    buf_deinit(&before);
    buf_deinit(&after);
    bench_end(&b);
    return was_refused;
}

/* How many allocations the act cannot do without. */
static long refuse_each(try_fn act, const struct command *command)
{
    long failed = 0;

    for (long n = 0; n < 1000 && refuse_one(act, command, n, &failed); n++) {
    }
    return failed;
}

struct commands {
    struct value *tree;
    struct command list[8];
    uint32_t count;
};

static void commands_init(struct commands *c)
{
    c->tree = tree("tree");
    c->count = 0;
    c->list[c->count++] =
        (struct command){.op = COMMAND_SUBMIT, .submit = &submit, .token = "secret"};
    c->list[c->count++] = (struct command){
        .op = COMMAND_EPOCH, .app = 1, .epoch = 1, .worker = 3, .is_restart = true, .error = "why"};
    c->list[c->count++] =
        (struct command){.op = COMMAND_PLAN, .app = 1, .epoch = 1, .tree = c->tree};
    c->list[c->count++] =
        (struct command){.op = COMMAND_PLACEMENT, .app = 1, .epoch = 1, .tree = c->tree};
    c->list[c->count++] = (struct command){.op = COMMAND_STATE,
                                           .app = 1,
                                           .epoch = 1,
                                           .state = APP_FAILED,
                                           .error = "it broke",
                                           .tree = c->tree};
    c->list[c->count++] = (struct command){.op = COMMAND_KILL, .app = 1};
    c->list[c->count++] = (struct command){.op = COMMAND_WORKER};
    c->list[c->count++] = (struct command){.op = COMMAND_DRAIN, .worker = 1, .name = "w1"};
}

GP_TEST(nomem, leaves_a_registry_as_it_was_before_a_command)
{
    static const long least[] = {4, 1, 3, 3, 4, 0, 0, 2}; /* names, texts and trees that are kept */
    struct commands c;

    commands_init(&c);
    for (uint32_t i = 0; i < c.count; i++) {
        GP_CHECK(refuse_each(try_apply, &c.list[i]) >= least[i]);
    }
    value_free(c.tree);
}

GP_TEST(nomem, is_said_of_commands_to_and_from_bytes)
{
    struct commands c;

    commands_init(&c);
    for (uint32_t i = 0; i < c.count; i++) {
        GP_CHECK(refuse_each(try_encode, &c.list[i]) >= 1);
        GP_CHECK(refuse_each(try_decode, &c.list[i]) >= 3);
    }
    value_free(c.tree);
}

GP_TEST(nomem, is_said_of_snapshots_and_keeps_what_was_there)
{
    const struct command none = {.op = COMMAND_WORKER};

    GP_CHECK(refuse_each(try_save, &none) >= 2);
    GP_CHECK(refuse_each(try_load, &none) >= 20);
}

/* ---- what an appmaster keeps ---- */

static struct plan_processor processors[] = {
    {.name = (char *)(uintptr_t) "split", .parallelism = 8},
    {.name = (char *)(uintptr_t) "count", .parallelism = 4},
};
static const struct plan plan = {.processors = processors, .processor_count = 2};

static const struct msg_grant grant = {.worker = 1,
                                       .name = (char *)(uintptr_t) "w1",
                                       .address = (char *)(uintptr_t) "10.0.0.1:1",
                                       .host = (char *)(uintptr_t) "h",
                                       .slots = 6};

typedef int (*record_fn)(struct record *r);

static int try_add(struct record *r)
{
    uint32_t id;

    return record_add(r, &grant, 0, &id);
}

static int try_give(struct record *r)
{
    return record_give(r, &plan, 3, 1);
}

static int try_restart(struct record *r)
{
    return record_restart(r, 0, 1, 1);
}

static int try_end(struct record *r)
{
    int rc = record_end(r, 0, 5, 1);

    return rc < 0 ? rc : 0;
}

static int try_event(struct record *r)
{
    return record_event(r, 1, "something happened");
}

static int try_record_encode(struct record *r)
{
    struct value *out = NULL;
    int rc = record_encode(r, true, &out);

    GP_CHECK_EQ(out != NULL, rc >= 0);
    value_free(out);
    return rc;
}

/* Encoding is another act's. */
static int try_record_decode(struct record *r)
{
    struct record back = {0};
    struct value *out = NULL;
    int rc;

    nomem_pause();
    GP_REQUIRE_EQ(record_encode(r, true, &out), 0);
    nomem_resume();
    rc = record_decode(out, &plan, &back, NULL);
    nomem_pause();
    GP_CHECK(rc >= 0 || back.executors == NULL);
    record_deinit(&back);
    value_free(out);
    nomem_resume();
    return rc;
}

/* Two executors with all tasks; the first is dead and the third is to take its place. */
static void record_begin(struct record *r)
{
    const struct msg_executor_register info = {.incarnation = 7, .lanes_count = 2};
    uint32_t id;

    record_init(r);
    for (uint32_t i = 1; i <= 3; i++) {
        GP_REQUIRE_EQ(record_add(r, &grant, i == 3 ? 1 : 0, &id), 0);
        record_join(r, id, &info);
        if (i == 2) {
            GP_REQUIRE_EQ(record_place(r, &plan, 1), 0);
            record_bury(r, 1);
        }
    }
    GP_REQUIRE_EQ(record_event(r, 1, "executor 1 was lost"), 0);
    GP_REQUIRE_EQ(record_end(r, 0, 3, 1), 1);
}

/* The record as its bytes, but for the version, which may count what came to nothing. */
static struct value *picture(const struct record *r)
{
    struct record same = *r;
    struct value *out = NULL;

    same.version = 0;
    GP_REQUIRE_EQ(record_encode(&same, true, &out), 0);
    return out;
}

static bool refuse_one_of_record(record_fn act, long n, long *failed)
{
    struct record r;
    struct value *before;
    struct value *after;
    bool was_refused;
    int rc;

    record_begin(&r);
    before = picture(&r);
    nomem_arm(n, 1);
    rc = act(&r);
    was_refused = nomem_disarm();
    GP_CHECK(rc == 0 || (was_refused && rc == GP_ENOMEM));
    *failed += rc < 0;
    if (rc < 0) {
        after = picture(&r);
        GP_CHECK(value_equal(before, after));
        value_free(after);
        GP_CHECK_EQ(act(&r), 0);
    }
    value_free(before);
    record_deinit(&r);
    return was_refused;
}

static long refuse_each_of_record(record_fn act)
{
    long failed = 0;

    for (long n = 0; n < 1000 && refuse_one_of_record(act, n, &failed); n++) {
    }
    return failed;
}

GP_TEST(nomem, leaves_a_placement_record_as_it_was)
{
    GP_CHECK_EQ(refuse_each_of_record(try_add), 5);
    GP_CHECK_EQ(refuse_each_of_record(try_give), 1);
    GP_CHECK_EQ(refuse_each_of_record(try_restart), 1);
    GP_CHECK_EQ(refuse_each_of_record(try_end), 1);
    GP_CHECK_EQ(refuse_each_of_record(try_event), 2);
    GP_CHECK(refuse_each_of_record(try_record_encode) >= 20);
    GP_CHECK(refuse_each_of_record(try_record_decode) >= 8);
}
