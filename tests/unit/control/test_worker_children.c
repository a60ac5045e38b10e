/*
 * The children of a worker on a simulated host: the plugins they need, how they end, and what they
 * wrote. Between whom it stands is in test_worker.c.
 */
#include "base/str.h"
#include "boss.h"
#include "gp_test.h"
#include "sim/world.h"

#ifndef SEEDS
#define SEEDS 10
#endif

/* ---- plugins ---- */

GP_TEST(worker, fetches_a_plugin_once_for_all_who_want_it)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_plugin_file plugin = {.name = text("file"), .path = text("")};
    struct msg_executor_launch launch = executor_launch(1, 1, &plugin);
    char sha[65];

    GP_CHECK_EQ(boss->pieces, 1); /* the application's own */
    boss->content = "the content of another plugin";
    boss->piece_max = 10;
    plugin.sha256 = stage_sha(boss->content, sha);
    puppet_ask_only(appmaster, MSG_EXECUTOR_LAUNCH, &launch);
    launch.executor = 2;
    puppet_ask_only(appmaster, MSG_EXECUTOR_LAUNCH, &launch);
    STAGE_UNTIL(&s, appmaster->reply.count == 2);
    GP_CHECK_EQ(appmaster->reply.code, 0);
    GP_CHECK_EQ(worker_process_count(s.worker), 3);
    GP_CHECK_EQ(boss->pieces, 1 + 3);
    GP_CHECK_EQ(appmaster_launch(appmaster, 3, 1), 0);
    GP_CHECK_EQ(boss->pieces, 1 + 3);
    stage_end(&s);
}

GP_TEST(worker, starts_nothing_with_a_plugin_that_is_not_what_was_named)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_plugin_file plugin = {.name = text("file"), .path = text("")};
    const struct msg_executor_launch launch = executor_launch(1, 1, &plugin);
    char sha[65];

    boss->content = "the content of another plugin";
    boss->lie = true;
    plugin.sha256 = stage_sha(boss->content, sha);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &launch), GP_ECHECKSUM);
    boss->content = NULL;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &launch), GP_ENOENT);
    GP_CHECK_EQ(worker_process_count(s.worker), 1);
    stage_end(&s);
}

GP_TEST(worker, fetches_a_damaged_plugin_again)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_plugin_fetch fetch;
    char path[128];
    char sha[65];

    fetch.sha256 = stage_sha(BOSS_CONTENT, sha);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PLUGIN_FETCH, &fetch), 0);
    GP_CHECK_EQ(boss->pieces, 1);
    (void)str_format(path, sizeof path, "/var/gearpump/sha256/%.2s/%s", sha, sha);
    GP_REQUIRE_EQ(sim_disk_put(s.hosts[1], path, gp_bytes_of("rot", 3)), 0);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PLUGIN_FETCH, &fetch), 0);
    GP_CHECK_EQ(boss->pieces, 2);
    GP_CHECK_EQ(sim_event_count(s.sim, "artefact.damaged"), 1);
    stage_end(&s);
}

/* The appmaster waits for its answer; it must not wait for ever. */
GP_TEST(worker, gives_up_a_plugin_when_the_master_is_gone)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct msg_plugin_fetch fetch;
    char sha[65];

    sim_kill(puppet_process(stage_find(&s, "boss")));
    fetch.sha256 = stage_sha("something else", sha);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PLUGIN_FETCH, &fetch), GP_ETIMEOUT);
    stage_end(&s);
}

/* ---- ends ---- */

GP_TEST(worker, tells_master_and_appmaster_how_a_process_ended)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = worker_begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        struct sim_proc *doomed;

        GP_REQUIRE_EQ(appmaster_launch(appmaster, 3, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        doomed = puppet_process(stage_find(&s, "executor"));
        sim_exit(sim_proc_port(doomed), 4);
        STAGE_UNTIL(&s, appmaster->exits == 1 && boss->exits == 1);
        GP_CHECK_EQ(appmaster->exited[0].executor, 3);
        GP_CHECK_EQ(appmaster->exited[0].code, 4);
        GP_CHECK_EQ(appmaster->exited[0].signal, 0);
        GP_CHECK_STR_EQ(appmaster->exited[0].crash, "");
        GP_CHECK_EQ(boss->exited[0].code, 4);

        sim_kill(puppet_process(appmaster));
        STAGE_UNTIL(&s, boss->exits == 2);
        GP_CHECK_EQ(boss->exited[1].executor, 0);
        GP_CHECK_EQ(boss->exited[1].signal, 9);
        GP_CHECK_STR_EQ(boss->exited[1].crash, "SIGKILL");
        stage_end(&s);
    }
}

/* The crash line comes in pieces, between other output. */
GP_TEST(worker, finds_the_last_words_of_a_process)
{
    static const char words[] =
        "before\ngearpump: crash signal=11 name=SIGSEGV plugin=wordcount processor=split "
        "function=process task=1 object=/x/y.so offset=0x10\nafter";

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = worker_begin_app(&s, seed);

        GP_REQUIRE_EQ(appmaster_launch(appmaster, 3, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        sim_proc_output(puppet_process(stage_find(&s, "executor")), words, sizeof words - 1);
        sim_kill(puppet_process(stage_find(&s, "executor")));
        STAGE_UNTIL(&s, appmaster->exits == 1);
        GP_CHECK_STR_EQ(appmaster->exited[0].crash,
                        "SIGSEGV, plugin wordcount, processor split, task 1, in its process()");
        stage_end(&s);
    }
}

GP_TEST(worker, stops_one_process_when_asked)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    const struct msg_process_ref ref = {.app = 7, .executor = 2, .epoch = 1};

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 1), 0);
    GP_REQUIRE_EQ(appmaster_launch(appmaster, 2, 1), 0);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PROCESS_STOP, &ref), 0);
    STAGE_UNTIL(&s, appmaster->exits == 1);
    GP_CHECK_EQ(appmaster->exited[0].executor, 2);
    GP_CHECK_EQ(worker_process_count(s.worker), 2);
    stage_end(&s);
}

/* Held to be dead, it is not asked; and what is not there is said not to be. */
GP_TEST(worker, kills_a_process_at_once_when_told_so)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    const struct msg_process_ref ref = {.app = 7, .executor = 1, .epoch = 1, .at_once = true};
    int64_t since_ns;

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 1), 0);
    STAGE_UNTIL(&s, stage_find(&s, "executor"));
    stage_find(&s, "executor")->deaf = true;
    since_ns = sim_now_ns(s.sim);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PROCESS_STOP, &ref), 0);
    STAGE_UNTIL(&s, appmaster->exits == 1);
    GP_CHECK_EQ(appmaster->exited[0].signal, 9);
    GP_CHECK(sim_now_ns(s.sim) - since_ns < SECOND / 10);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PROCESS_STOP, &ref), GP_ENOENT);
    stage_end(&s);
}

/* Who died while there was no appmaster is not waited for by the next. */
GP_TEST(worker, tells_a_new_appmaster_how_executors_ended)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = worker_begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        char sha[65];

        GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        sim_kill(puppet_process(appmaster));
        STAGE_UNTIL(&s, boss->exits == 1);
        sim_kill(puppet_process(stage_find(&s, "executor")));
        STAGE_UNTIL(&s, boss->exits == 2);
        GP_REQUIRE_EQ(boss_launch(boss, 7, stage_sha(BOSS_CONTENT, sha)), 0);
        STAGE_UNTIL(&s, stage_find(&s, "appmaster"));
        STAGE_UNTIL(&s, stage_find(&s, "appmaster")->exits == 1);
        GP_CHECK_EQ(stage_find(&s, "appmaster")->exited[0].executor, 1);
        GP_CHECK_EQ(stage_find(&s, "appmaster")->exited[0].signal, 9);
        stage_end(&s);
    }
}

GP_TEST(worker, takes_its_children_along)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = worker_begin_app(&s, seed);

        GP_REQUIRE_EQ(appmaster_launch(appmaster, 1, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        if (seed % 2 == 0) {
            sim_kill(s.worker_proc);
        } else {
            sim_exit(sim_proc_port(s.worker_proc), 0);
        }
        STAGE_UNTIL(&s, !stage_find(&s, "appmaster") && !stage_find(&s, "executor"));
        stage_end(&s);
    }
}

/* ---- logs ---- */

static int read_log(struct puppet *client, uint32_t id, uint64_t offset, uint32_t wait_ms)
{
    const struct msg_log_read read = {
        .app = 7, .executor = id, .offset = offset, .wait_ms = wait_ms};

    return puppet_ask(client, MSG_LOG_READ, &read);
}

static struct puppet *begin_client(struct stage *s)
{
    struct puppet *client;

    (void)stage_spawn(s, 2, "client", worker_address(s->worker));
    client = stage_find(s, "client");
    STAGE_UNTIL(s, client->up);
    return client;
}

GP_TEST(worker, serves_what_its_children_wrote)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *client = begin_client(&s);
    struct puppet *child;

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 5, 1), 0);
    stage_run_ms(&s, 100); /* its line comes in pieces */
    GP_REQUIRE_EQ(read_log(client, 5, 0, 10000), 0);
    GP_CHECK_STR_EQ(client->reply.text, "INFO executor.began id=5\n");
    GP_CHECK_EQ(client->reply.end, strlen(client->reply.text));
    child = stage_find(&s, "executor");
    sim_exit(child->port, 0);
    STAGE_UNTIL(&s, appmaster->exits == 1);
    GP_REQUIRE_EQ(read_log(client, 5, 5, 0), 0); /* it has ended, its log has not */
    GP_CHECK_STR_EQ(client->reply.text, "executor.began id=5\n");
    GP_CHECK_EQ(client->reply.offset, 5);
    GP_CHECK_EQ(read_log(client, 6, 0, 0), GP_ENOENT);
    GP_CHECK_STR_EQ(client->reply.err.text, "worker w1 has no log of executor 6 of application 7");
    stage_end(&s);
}

GP_TEST(worker, lets_a_reader_wait_for_more)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *client = begin_client(&s);
    uint64_t at;
    int64_t before_ns;

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 5, 1), 0);
    stage_run_ms(&s, 100); /* its line comes in pieces */
    GP_REQUIRE_EQ(read_log(client, 5, 0, 10000), 0);
    at = client->reply.end;
    before_ns = sim_now_ns(s.sim);
    GP_REQUIRE_EQ(read_log(client, 5, at, 700), 0);
    GP_CHECK(sim_now_ns(s.sim) - before_ns >= 700 * MS_NS);
    GP_CHECK_STR_EQ(client->reply.text, "");
    GP_CHECK_EQ(client->reply.offset, at);

    puppet_ask_only(client, MSG_LOG_READ,
                    &(struct msg_log_read){.app = 7, .executor = 5, .offset = at, .wait_ms = 9000});
    stage_run_ms(&s, 100);
    sim_proc_output(puppet_process(stage_find(&s, "executor")),
                    "\xff"
                    "a\0b\n",
                    5);
    STAGE_UNTIL(&s, client->reply.count == 3);
    GP_CHECK_EQ(client->reply.offset, at);
    GP_CHECK(client->reply.text[0] == '?');
    stage_end(&s);
}

/* Its readers may go, and it may go, while they wait. */
GP_TEST(worker, forgets_readers_that_have_gone)
{
    struct stage s;
    struct puppet *appmaster = worker_begin_app(&s, 1);
    struct puppet *client = begin_client(&s);

    GP_REQUIRE_EQ(appmaster_launch(appmaster, 5, 1), 0);
    puppet_ask_only(
        client, MSG_LOG_READ,
        &(struct msg_log_read){.app = 7, .executor = 5, .offset = 1000, .wait_ms = 60000});
    stage_run_ms(&s, 100);
    sim_kill(puppet_process(client));
    stage_run_ms(&s, 100);
    LOG_INFO(stage_find(&s, "executor")->port->log, "executor.spoke");
    client = begin_client(&s);
    puppet_ask_only(
        client, MSG_LOG_READ,
        &(struct msg_log_read){.app = 7, .executor = 5, .offset = 1000, .wait_ms = 60000});
    stage_run_ms(&s, 100);
    stage_end(&s);
}
