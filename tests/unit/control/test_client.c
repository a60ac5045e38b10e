/*
 * What gpctl stands on, between puppet masters of which one leads, or none.
 */
#include "base/str.h"
#include "control/client/client.h"
#include "gp_test.h"
#include "stage.h"

#define SEEDS     10
#define FILE_SIZE 500000 /* three chunks */

static const char *const masters[] = {"10.0.0.1:3000", "10.0.0.2:3000", "10.0.0.3:3000"};
#define MASTERS 3

struct answered {
    uint32_t count;
    int code;
    uint32_t id;
    char text[512];
};

struct scene {
    struct stage stage;
    struct puppet *bosses[MASTERS]; /* NULL: none there */
    struct client *client;
    struct answered answer;
};

static void spawn_boss(struct scene *s, int i)
{
    (void)stage_spawn(&s->stage, i, "boss", masters[i]);
    s->bosses[i] = stage_find(&s->stage, "boss");
    s->bosses[i]->follows = true;
}

static void kill_boss(struct scene *s, int i)
{
    sim_kill(s->bosses[i]->port->world);
    s->bosses[i] = NULL;
}

/* -1: nobody. */
static void elect(struct scene *s, int leader)
{
    for (int i = 0; i < MASTERS; i++) {
        if (s->bosses[i]) {
            s->bosses[i]->follows = i != leader;
            GP_REQUIRE_EQ(endpoint_set_leader(s->bosses[i]->ep, leader < 0 ? "" : masters[leader]),
                          0);
        }
    }
}

static void new_client(struct scene *s, const struct port *port)
{
    const struct client_options options = {.port = port,
                                           .masters = masters,
                                           .master_count = MASTERS,
                                           .secret =
                                               gp_bytes_of(STAGE_SECRET, strlen(STAGE_SECRET))};
    struct gp_error err;

    GP_REQUIRE_EQ(client_new(&options, &s->client, &err), 0);
}

static void scene_begin(struct scene *s, uint64_t seed, int boss_count, int leader)
{
    memset(s, 0, sizeof *s);
    stage_begin(&s->stage, seed);
    for (int i = 0; i < boss_count; i++) {
        spawn_boss(s, i);
    }
    elect(s, leader);
    (void)stage_spawn(&s->stage, 1, "person", NULL);
    new_client(s, stage_find(&s->stage, "person")->port);
}

static void scene_end(struct scene *s)
{
    client_free(s->client);
    stage_end(&s->stage);
}

static void on_answer(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct answered *a = user;
    const struct msg_app_summary *summary = msg;

    a->count++;
    a->code = code;
    a->id = code < 0 ? 0 : summary->id; /* of a summary, and of msg_app_submitted */
    (void)str_format(a->text, sizeof a->text, "%s", code < 0 ? err->text : "");
}

static void ask(struct scene *s)
{
    const struct msg_app_ref ref = {.app = (char *)(uintptr_t) "seven"};

    GP_REQUIRE_EQ(client_ask(s->client, MSG_APP_KILL, &ref, on_answer, &s->answer), 0);
}

static int64_t now_ms(const struct scene *s)
{
    return sim_now_ns(s->stage.sim) / MS_NS;
}

/* ---- asks ---- */

GP_TEST(client, asks_the_leader_whichever_master_it_meets)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, (int)(seed % 3));
        ask(&s);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, 0);
        GP_CHECK_EQ(s.answer.id, 7);
        GP_CHECK(now_ms(&s) < 1000);
        scene_end(&s);
    }
}

GP_TEST(client, passes_by_masters_that_are_dead)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, 2);
        kill_boss(&s, 0);
        ask(&s);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, 0);
        scene_end(&s);
    }
}

/* A person waits: at once, and with what was tried. */
GP_TEST(client, says_whom_it_tried_when_nobody_is_there)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 0, -1);
        ask(&s);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, GP_EUNREACH);
        GP_CHECK(str_starts_with(gp_str_of(s.answer.text),
                                 GP_STR("none of the 3 masters answers (10.0.0.1:3000, "
                                        "10.0.0.2:3000, 10.0.0.3:3000)")));
        GP_CHECK(now_ms(&s) < 1000);
        scene_end(&s);
    }
}

GP_TEST(client, waits_for_an_election_and_no_longer_than_its_time)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, -1);
        ask(&s);
        stage_run_ms(&s.stage, 2000);
        GP_CHECK_EQ(s.answer.count, 0);
        elect(&s, (int)(seed % 3));
        stage_run_ms(&s.stage, 1000);
        GP_CHECK_EQ(s.answer.count, 1);
        GP_CHECK_EQ(s.answer.code, 0);
        elect(&s, -1);
        ask(&s);
        stage_run_ms(&s.stage, 11000);
        GP_CHECK_EQ(s.answer.count, 2);
        GP_CHECK_EQ(s.answer.code, GP_ENOTLEADER);
        scene_end(&s);
    }
}

/* Once it has met a cluster, it believes that the masters will be back. */
GP_TEST(client, waits_for_masters_that_it_knew)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, 0);
        ask(&s);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        for (int i = 0; i < MASTERS; i++) {
            kill_boss(&s, i);
        }
        ask(&s);
        stage_run_ms(&s.stage, 3000);
        GP_CHECK_EQ(s.answer.count, 1);
        for (int i = 0; i < MASTERS; i++) {
            spawn_boss(&s, i);
        }
        elect(&s, 1);
        STAGE_UNTIL(&s.stage, s.answer.count == 2);
        GP_CHECK_EQ(s.answer.code, 0);
        scene_end(&s);
    }
}

GP_TEST(client, asks_one_daemon_alone_when_told_to)
{
    const struct msg_app_ref ref = {.app = (char *)(uintptr_t) "seven"};
    struct scene s;

    scene_begin(&s, 1, 3, 2);
    kill_boss(&s, 0);
    for (int i = 0; i < MASTERS; i++) {
        s.answer.count = 0;
        GP_REQUIRE_EQ(client_ask_at(s.client, masters[i], MSG_APP_KILL, &ref, 2 * SECOND, on_answer,
                                    &s.answer),
                      0);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, i == 0 ? GP_EUNREACH : i == 1 ? GP_ENOTLEADER : 0);
    }
    scene_end(&s);
}

/* ---- submitting ---- */

static void begin_submit(struct scene *s)
{
    static char file[FILE_SIZE];
    const struct client_submit submit = {
        .path = "/app.so", .spec = {.name = file}, .fn = on_answer, .user = &s->answer};
    struct gp_error err;

    GP_REQUIRE_EQ(sim_disk_put(s->stage.hosts[1], "/app.so", gp_bytes_of(file, sizeof file)), 0);
    GP_REQUIRE_EQ(client_submit(s->client, &submit, &err), 0);
}

/* Who said what the file must be gets that one in, or none. */
GP_TEST(client, submits_no_other_file_than_was_announced)
{
    static char file[] = "surely an application";
    char wrong[] = "0000000000000000000000000000000000000000000000000000000000000000";
    struct scene s;
    struct client_submit submit = {.path = "/app.so", .spec = {.sha256 = wrong}, .fn = on_answer};
    struct gp_error err = {0};

    scene_begin(&s, 1, 1, 0);
    submit.user = &s.answer;
    GP_REQUIRE_EQ(sim_disk_put(s.stage.hosts[1], "/app.so", gp_bytes_of(file, sizeof file)), 0);
    GP_CHECK_EQ(client_submit(s.client, &submit, &err), GP_EINVAL);
    GP_CHECK(strstr(err.text, "as announced") != NULL);
    GP_CHECK_EQ(s.bosses[0]->uploaded, 0);
    scene_end(&s);
}

/* The upload belongs to a connection, so the next leader gets it from the start. */
GP_TEST(client, submits_though_the_leader_dies)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, 0);
        begin_submit(&s);
        STAGE_UNTIL(&s.stage, s.bosses[0]->uploaded > 0);
        kill_boss(&s, 0);
        stage_run_ms(&s.stage, 400);
        elect(&s, 2);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, 0);
        GP_CHECK_EQ(s.answer.id, 7);
        GP_CHECK_EQ(s.bosses[2]->uploaded, FILE_SIZE);
        GP_CHECK_EQ(s.bosses[2]->submits, 1);
        scene_end(&s);
    }
}

/* It leads no more, in the middle of an upload, and says so. */
/* The disk of the client, which counts what is read. */
static struct {
    struct fs_ops fs;
    const struct fs_ops *real;
    struct port port;
    uint64_t bytes;
} meter;

static int64_t metered_read(void *world, struct file *file, uint64_t offset, void *ptr, size_t len)
{
    int64_t n = meter.real->read_at(world, file, offset, ptr, len);

    meter.bytes += n > 0 ? (uint64_t)n : 0;
    return n;
}

/* Whoever else is on its loop, as in a master that takes uploads over HTTP, waits for no more. */
GP_TEST(client, reads_no_file_whole_in_one_turn)
{
    struct scene s;
    uint64_t most = 0;

    scene_begin(&s, 1, 1, 0);
    meter.port = *stage_find(&s.stage, "person")->port;
    meter.real = meter.port.fs;
    meter.fs = *meter.real;
    meter.fs.read_at = metered_read;
    meter.port.fs = &meter.fs;
    client_free(s.client);
    new_client(&s, &meter.port);
    begin_submit(&s);
    while (s.answer.count == 0) {
        most = meter.bytes > most ? meter.bytes : most;
        meter.bytes = 0;
        GP_REQUIRE(sim_step(s.stage.sim));
    }
    GP_CHECK_EQ(s.answer.code, 0);
    GP_CHECK_EQ(s.bosses[0]->uploaded, FILE_SIZE);
    GP_CHECK(most > 0 && most <= 256u << 10);
    scene_end(&s);
}

GP_TEST(client, submits_though_the_leader_steps_down)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, 0);
        begin_submit(&s);
        STAGE_UNTIL(&s.stage, s.bosses[0]->uploaded > 0);
        elect(&s, 1);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, 0);
        GP_CHECK_EQ(s.bosses[0]->submits, 0);
        GP_CHECK_EQ(s.bosses[1]->uploaded, FILE_SIZE);
        GP_CHECK_EQ(s.bosses[1]->submits, 1);
        scene_end(&s);
    }
}

/* All was uploaded; the next leader knows nothing of it. */
GP_TEST(client, uploads_again_what_the_next_leader_lacks)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, 0);
        s.bosses[1]->lacks_file = true;
        begin_submit(&s);
        STAGE_UNTIL(&s.stage, s.bosses[0]->uploaded == FILE_SIZE);
        elect(&s, 1);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, 0);
        GP_CHECK_EQ(s.bosses[0]->submits, 0);
        GP_CHECK_EQ(s.bosses[1]->uploaded, FILE_SIZE);
        GP_CHECK_EQ(s.bosses[1]->submits, 1);
        scene_end(&s);
    }
}

/* A leader that was cut off does not know it yet; the next one does better. */
GP_TEST(client, submits_though_the_leader_is_alone_for_a_while)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct scene s;

        scene_begin(&s, seed, 3, 0);
        s.bosses[0]->is_alone = true;
        begin_submit(&s);
        stage_run_ms(&s.stage, 1000);
        GP_CHECK_EQ(s.answer.count, 0);
        elect(&s, 1);
        STAGE_UNTIL(&s.stage, s.answer.count == 1);
        GP_CHECK_EQ(s.answer.code, 0);
        GP_CHECK_EQ(s.bosses[1]->submits, 1);
        scene_end(&s);
        scene_begin(&s, seed, 3, 0);
        s.bosses[0]->is_alone = true;
        begin_submit(&s);
        stage_run_ms(&s.stage, 12000);
        GP_CHECK_EQ(s.answer.count, 1); /* not for ever */
        GP_CHECK_EQ(s.answer.code, GP_EUNREACH);
        scene_end(&s);
    }
}
