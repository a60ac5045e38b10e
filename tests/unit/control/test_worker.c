/*
 * The worker on a simulated host, between a puppet master and the puppet children it starts.
 */
#include "base/str.h"
#include "gp_test.h"
#include "sim/world.h"
#include "stage.h"

#ifndef SEEDS
#define SEEDS 10
#endif
#define CONTENT "a shared object, or so the worker believes"

static char *text(const char *s)
{
    return (char *)(uintptr_t)s; /* messages are not changed by those who send them */
}

/* ---- what a master says ---- */

static int offer_of(struct puppet *boss, uint64_t term, uint32_t app, uint32_t epoch,
                    uint32_t slots)
{
    char *masters[] = {text(STAGE_MASTER)};
    const struct msg_grant_offer msg = {.term = term,
                                        .app = app,
                                        .epoch = epoch,
                                        .token = text(STAGE_TOKEN),
                                        .slots = slots,
                                        .sha256 = text(""),
                                        .masters = masters,
                                        .masters_count = 1};

    return puppet_ask(boss, MSG_GRANT_OFFER, &msg);
}

static int offer(struct puppet *boss, uint32_t app, uint32_t epoch, uint32_t slots)
{
    return offer_of(boss, 0, app, epoch, slots);
}

static int launch_epoch(struct puppet *boss, uint64_t term, uint32_t app, uint32_t epoch,
                        const char *sha256)
{
    char *masters[] = {text(STAGE_MASTER)};
    const struct msg_appmaster_launch msg = {.term = term,
                                             .app = app,
                                             .epoch = epoch,
                                             .name = text("job"),
                                             .sha256 = text(sha256),
                                             .token = text(STAGE_TOKEN),
                                             .masters = masters,
                                             .masters_count = 1};

    return puppet_ask(boss, MSG_APPMASTER_LAUNCH, &msg);
}

static int launch_appmaster_of(struct puppet *boss, uint64_t term, uint32_t app, const char *sha256)
{
    return launch_epoch(boss, term, app, 1, sha256);
}

static int launch_appmaster(struct puppet *boss, uint32_t app, const char *sha256)
{
    return launch_appmaster_of(boss, 0, app, sha256);
}

static struct msg_executor_launch executor(uint32_t id, uint32_t slots,
                                           struct msg_plugin_file *plugin)
{
    return (struct msg_executor_launch){.app = 7,
                                        .epoch = 1,
                                        .executor = id,
                                        .slots = slots,
                                        .appmaster = text("10.0.0.2:9"),
                                        .plugins = plugin,
                                        .plugins_count = plugin ? 1 : 0};
}

static int launch_executor(struct puppet *appmaster, uint32_t id, uint32_t slots)
{
    const struct msg_executor_launch msg = executor(id, slots, NULL);

    return puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &msg);
}

/* ---- where tests begin ---- */

/* A master and a worker that knows it. */
static struct puppet *begin(struct stage *s, uint64_t seed)
{
    struct puppet *boss;

    *s = (struct stage){.slots = 10};
    stage_begin(s, seed);
    (void)stage_spawn(s, 0, "boss", NULL);
    (void)stage_spawn(s, 1, "worker", "w1");
    boss = stage_find(s, "boss");
    boss->content = CONTENT;
    STAGE_UNTIL(s, worker_is_registered(s->worker));
    return boss;
}

/* And application 7 with six slots, whose appmaster has come in. */
static struct puppet *begin_app(struct stage *s, uint64_t seed)
{
    struct puppet *boss = begin(s, seed);
    struct puppet *appmaster;
    char sha[65];

    GP_REQUIRE_EQ(offer(boss, 7, 1, 6), 0);
    GP_REQUIRE_EQ(launch_appmaster(boss, 7, stage_sha(CONTENT, sha)), 0);
    STAGE_UNTIL(s, stage_find(s, "appmaster"));
    appmaster = stage_find(s, "appmaster");
    STAGE_UNTIL(s, appmaster->up);
    return appmaster;
}

static struct sim_proc *process_of(struct puppet *p)
{
    return p->port->world;
}

/* ---- registering ---- */

GP_TEST(worker, waits_for_a_master_that_comes_later)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s = {0};

        stage_begin(&s, seed);
        (void)stage_spawn(&s, 1, "worker", "w1");
        stage_run_ms(&s, 5000);
        GP_CHECK(!worker_is_registered(s.worker));
        (void)stage_spawn(&s, 0, "boss", NULL);
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        stage_end(&s);
    }
}

/* What it keeps, a new master must hear of, or slots leak for ever. */
GP_TEST(worker, tells_a_new_master_what_it_keeps)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *boss = begin(&s, seed);

        GP_CHECK_EQ(boss->kept_count, 0);
        GP_REQUIRE_EQ(offer(boss, 7, 1, 4), 0);
        sim_kill(process_of(boss));
        STAGE_UNTIL(&s, !worker_is_registered(s.worker));
        (void)stage_spawn(&s, 0, "boss", NULL);
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        boss = stage_find(&s, "boss");
        GP_CHECK_EQ(boss->kept_count, 1);
        GP_CHECK_EQ(boss->kept[0], 4);
        stage_end(&s);
    }
}

#define OTHER_MASTER "10.0.0.3:3000"

/* Application 7 has an appmaster here; the other master follows. */
static void begin_two(struct stage *s, uint64_t seed, struct puppet **ret_first,
                      struct puppet **ret_second)
{
    struct puppet *appmaster;
    char sha[65];

    *s = (struct stage){.slots = 10, .other_master = OTHER_MASTER};
    stage_begin(s, seed);
    (void)stage_spawn(s, 2, "boss", OTHER_MASTER);
    *ret_second = stage_find(s, "boss");
    (*ret_second)->follows = true;
    GP_REQUIRE_EQ(endpoint_set_leader((*ret_second)->ep, STAGE_MASTER), 0);
    (void)stage_spawn(s, 0, "boss", NULL);
    *ret_first = stage_find(s, "boss");
    (*ret_first)->content = CONTENT;
    (*ret_first)->term = 5;
    (void)stage_spawn(s, 1, "worker", "w1");
    STAGE_UNTIL(s, worker_is_registered(s->worker));
    GP_REQUIRE_EQ(offer_of(*ret_first, 5, 7, 1, 6), 0);
    GP_REQUIRE_EQ(launch_appmaster_of(*ret_first, 5, 7, stage_sha(CONTENT, sha)), 0);
    STAGE_UNTIL(s, stage_find(s, "appmaster"));
    appmaster = stage_find(s, "appmaster");
    STAGE_UNTIL(s, appmaster->up);
}

/* Nothing here stops for a change of leader; and nobody gets a new number. */
GP_TEST(worker, goes_on_while_the_leader_changes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *first;
        struct puppet *second;

        begin_two(&s, seed, &first, &second);
        first->registered = 40; /* so that the numbers differ */
        sim_kill(process_of(first));
        STAGE_UNTIL(&s, !worker_is_registered(s.worker));
        GP_REQUIRE_EQ(endpoint_set_leader(second->ep, ""), 0);
        stage_run_ms(&s, 700); /* an election */
        GP_CHECK(!worker_is_registered(s.worker));
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        second->follows = false;
        second->term = 6;
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        GP_CHECK_EQ(second->came_with, 1);
        GP_CHECK_EQ(second->kept_count, 1);
        GP_CHECK_EQ(second->kept[0], 6);
        STAGE_UNTIL(&s, second->reported == 1);
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        GP_CHECK(stage_find(&s, "appmaster")->up);
        stage_end(&s);
    }
}

/* A leader that steps down says so, and the worker moves without a pause. */
GP_TEST(worker, goes_where_its_leader_sends_it)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *first;
        struct puppet *second;
        struct gp_error why;

        begin_two(&s, seed, &first, &second);
        second->follows = false;
        second->term = 6;
        first->follows = true;
        GP_REQUIRE_EQ(endpoint_set_leader(first->ep, OTHER_MASTER), 0);
        (void)gp_error_set(&why, GP_ENOTLEADER, "another leads");
        peer_dismiss(first->peer, &why);
        stage_run_ms(&s, 300);
        GP_CHECK(worker_is_registered(s.worker));
        GP_CHECK_EQ(second->came_with, 1);
        GP_CHECK(sim_event_count(s.sim, "master.changed") == 1);
        stage_end(&s);
    }
}

GP_TEST(worker, obeys_no_leader_of_an_older_term)
{
    const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .term = 4};
    char sha[65];

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *first;
        struct puppet *second;

        begin_two(&s, seed, &first, &second);
        GP_CHECK_EQ(offer_of(first, 4, 8, 1, 1), GP_ESTALE);
        GP_CHECK_EQ(launch_appmaster_of(first, 4, 7, stage_sha(CONTENT, sha)), GP_ESTALE);
        GP_REQUIRE_EQ(peer_tell(first->peer, MSG_GRANT_REVOKE, &revoke), 0);
        GP_CHECK_EQ(offer_of(first, 5, 8, 1, 1), 0);
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        sim_kill(process_of(first));
        second->follows = false;
        second->term = 4; /* it was cut off, and takes itself for the leader */
        stage_run_ms(&s, 3000);
        GP_CHECK(second->registered > 0);
        GP_CHECK(second->registered < 15);
        GP_CHECK(!worker_is_registered(s.worker));
        second->term = 6;
        STAGE_UNTIL(&s, worker_is_registered(s.worker));
        GP_CHECK_EQ(worker_process_count(s.worker), 1);
        stage_end(&s);
    }
}

GP_TEST(worker, reports_what_changed)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    uint32_t before;

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 2), 0);
    STAGE_UNTIL(&s, boss->reported == 2);
    GP_CHECK_EQ(boss->slots_used, 6);
    before = boss->reports;
    stage_run_ms(&s, 2000);
    GP_CHECK_EQ(boss->reports, before);
    stage_end(&s);
}

/* ---- grants ---- */

GP_TEST(worker, lets_in_only_whom_it_has_a_grant_for)
{
    struct stage s;
    struct puppet *boss = begin(&s, 1);
    char sha[65];

    GP_CHECK_EQ(launch_appmaster(boss, 7, stage_sha(CONTENT, sha)), GP_EACCES);
    GP_REQUIRE_EQ(offer(boss, 7, 1, 6), 0);
    GP_CHECK_EQ(offer(boss, 8, 1, 5), GP_EFULL);
    GP_CHECK_STR_EQ(boss->reply.err.text, "5 slots wanted, 4 of 10 are free");
    GP_CHECK_EQ(launch_appmaster(boss, 8, sha), GP_EACCES);
    GP_CHECK_EQ(worker_process_count(s.worker), 0);
    stage_end(&s);
}

GP_TEST(worker, starts_no_more_than_was_granted)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);

    GP_CHECK_EQ(launch_executor(appmaster, 1, 3), 0);
    GP_CHECK_EQ(launch_executor(appmaster, 2, 3), GP_EFULL);
    GP_CHECK_EQ(launch_executor(appmaster, 2, 2), 0);
    GP_CHECK_EQ(worker_process_count(s.worker), 3);
    stage_end(&s);
}

/* Tasks came, or left. */
GP_TEST(worker, counts_the_slots_of_a_process_anew)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_executor_resize resize = {.app = 7, .epoch = 1, .executor = 1, .slots = 6};
    const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .slots = 2, .is_all_due = true};

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 3), 0);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize),
                GP_EFULL); /* 1 has the appmaster */
    resize.slots = 5;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), 0);
    GP_CHECK_EQ(launch_executor(appmaster, 2, 1), GP_EFULL);
    GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0); /* due when it is free */
    resize.slots = 1;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), 0);
    STAGE_UNTIL(&s, boss->slots_used == 4);
    GP_CHECK_EQ(launch_executor(appmaster, 2, 2), 0);
    resize.executor = 3;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), GP_ENOENT);
    resize.app = 8;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_RESIZE, &resize), GP_EACCES);
    stage_end(&s);
}

GP_TEST(worker, answers_a_repeated_launch_with_the_same_process)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    int64_t pid;

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 3), 0);
    pid = appmaster->reply.pid;
    GP_CHECK(pid > 0);
    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 3), 0);
    GP_CHECK_EQ(appmaster->reply.pid, pid);
    GP_CHECK_EQ(worker_process_count(s.worker), 2);
    stage_end(&s);
}

GP_TEST(worker, serves_an_appmaster_its_own_application_only)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct msg_executor_launch launch = executor(1, 1, NULL);
    const struct msg_process_ref ref = {.app = 8, .epoch = 1};

    GP_REQUIRE_EQ(offer(stage_find(&s, "boss"), 8, 1, 2), 0);
    launch.app = 8;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &launch), GP_EACCES);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PROCESS_STOP, &ref), GP_EACCES);
    launch.app = 7;
    launch.epoch = 0;
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &launch), GP_ESTALE);
    stage_end(&s);
}

GP_TEST(worker, ends_everything_when_the_grant_is_revoked)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1};

        GP_REQUIRE_EQ(launch_executor(appmaster, 1, 3), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        stage_find(&s, "executor")->deaf = true; /* it will have to be killed */
        GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
        STAGE_UNTIL(&s, worker_process_count(s.worker) == 0);
        GP_CHECK_EQ(sim_event_count(s.sim, "process.killed"), 1);
        STAGE_UNTIL(&s, boss->slots_used == 0 && boss->reported == 0);
        STAGE_UNTIL(&s, boss->exits == 2);
        GP_CHECK_EQ(offer(boss, 9, 1, 10), 0);
        stage_end(&s);
    }
}

/* Its grant may end and begin anew while its appmaster, which runs elsewhere, stays connected. */
GP_TEST(worker, tells_the_appmaster_of_each_end)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1};

        appmaster->deaf = true; /* it stays */
        for (uint32_t i = 1; i <= 3; i++) {
            GP_REQUIRE_EQ(launch_executor(appmaster, i, 2), 0);
            STAGE_UNTIL(&s, stage_find(&s, "executor"));
            sim_kill(process_of(stage_find(&s, "executor")));
            STAGE_UNTIL(&s, appmaster->exits == i);
            GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
            GP_REQUIRE_EQ(offer(boss, 7, 1, 3), 0);
        }
        stage_end(&s);
    }
}

/* One that is frozen hears no word, and would hold the slot for ever. */
GP_TEST(worker, kills_an_appmaster_when_the_next_one_comes)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *frozen = begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .slots = 1};
        int64_t pid = boss->reply.pid;
        char sha[65];

        GP_REQUIRE_EQ(launch_executor(frozen, 1, 5), 0);
        frozen->deaf = true;
        GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
        GP_REQUIRE_EQ(offer(boss, 7, 2, 1), 0);
        GP_REQUIRE_EQ(launch_epoch(boss, 0, 7, 2, stage_sha(CONTENT, sha)), 0);
        GP_CHECK_NE(boss->reply.pid, pid);
        GP_CHECK_EQ(sim_event_count(s.sim, "process.killed"), 1);
        GP_CHECK_EQ(boss->exits, 1);
        GP_CHECK_EQ(worker_process_count(s.worker), 2);
        GP_CHECK_EQ(launch_epoch(boss, 0, 7, 1, sha), GP_ESTALE);
        stage_end(&s);
    }
}

/* A leader that takes over may give back once more what was given back. */
GP_TEST(worker, keeps_the_slots_that_its_processes_hold)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    const struct msg_grant_revoke revoke = {.app = 7, .epoch = 1, .slots = 1};

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 4), 0);
    for (int i = 0; i < 3; i++) {
        GP_REQUIRE_EQ(peer_tell(boss->peer, MSG_GRANT_REVOKE, &revoke), 0);
    }
    GP_REQUIRE_EQ(offer(boss, 7, 1, 1), 0);
    GP_CHECK_EQ(launch_executor(appmaster, 2, 1), 0);
    GP_CHECK_EQ(launch_executor(appmaster, 3, 1), GP_EFULL);
    GP_CHECK_EQ(worker_process_count(s.worker), 3);
    stage_end(&s);
}

/* Executors outlive their appmaster. */
GP_TEST(worker, stops_an_appmaster_alone)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    const struct msg_process_ref ref = {.app = 7, .epoch = 1, .at_once = true};

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 5), 0);
    appmaster->deaf = true;
    GP_REQUIRE_EQ(puppet_ask(boss, MSG_PROCESS_STOP, &ref), 0);
    STAGE_UNTIL(&s, boss->exits == 1);
    GP_CHECK_EQ(boss->exited[0].executor, 0);
    GP_CHECK_EQ(worker_process_count(s.worker), 1);
    GP_CHECK_EQ(puppet_ask(boss, MSG_PROCESS_STOP, &ref), GP_ENOENT);
    stage_end(&s);
}

/* ---- plugins ---- */

GP_TEST(worker, fetches_a_plugin_once_for_all_who_want_it)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_plugin_file plugin = {.name = text("file"), .path = text("")};
    struct msg_executor_launch launch = executor(1, 1, &plugin);
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
    GP_CHECK_EQ(launch_executor(appmaster, 3, 1), 0);
    GP_CHECK_EQ(boss->pieces, 1 + 3);
    stage_end(&s);
}

GP_TEST(worker, starts_nothing_with_a_plugin_that_is_not_what_was_named)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_plugin_file plugin = {.name = text("file"), .path = text("")};
    const struct msg_executor_launch launch = executor(1, 1, &plugin);
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
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *boss = stage_find(&s, "boss");
    struct msg_plugin_fetch fetch;
    char path[128];
    char sha[65];

    fetch.sha256 = stage_sha(CONTENT, sha);
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
    struct puppet *appmaster = begin_app(&s, 1);
    struct msg_plugin_fetch fetch;
    char sha[65];

    sim_kill(process_of(stage_find(&s, "boss")));
    fetch.sha256 = stage_sha("something else", sha);
    GP_CHECK_EQ(puppet_ask(appmaster, MSG_PLUGIN_FETCH, &fetch), GP_ETIMEOUT);
    stage_end(&s);
}

/* ---- ends ---- */

GP_TEST(worker, tells_master_and_appmaster_how_a_process_ended)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct stage s;
        struct puppet *appmaster = begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        struct sim_proc *doomed;

        GP_REQUIRE_EQ(launch_executor(appmaster, 3, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        doomed = process_of(stage_find(&s, "executor"));
        sim_exit(sim_proc_port(doomed), 4);
        STAGE_UNTIL(&s, appmaster->exits == 1 && boss->exits == 1);
        GP_CHECK_EQ(appmaster->exited[0].executor, 3);
        GP_CHECK_EQ(appmaster->exited[0].code, 4);
        GP_CHECK_EQ(appmaster->exited[0].signal, 0);
        GP_CHECK_STR_EQ(appmaster->exited[0].crash, "");
        GP_CHECK_EQ(boss->exited[0].code, 4);

        sim_kill(process_of(appmaster));
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
        struct puppet *appmaster = begin_app(&s, seed);

        GP_REQUIRE_EQ(launch_executor(appmaster, 3, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        sim_proc_output(process_of(stage_find(&s, "executor")), words, sizeof words - 1);
        sim_kill(process_of(stage_find(&s, "executor")));
        STAGE_UNTIL(&s, appmaster->exits == 1);
        GP_CHECK_STR_EQ(appmaster->exited[0].crash,
                        "SIGSEGV, plugin wordcount, processor split, task 1, in its process()");
        stage_end(&s);
    }
}

GP_TEST(worker, stops_one_process_when_asked)
{
    struct stage s;
    struct puppet *appmaster = begin_app(&s, 1);
    const struct msg_process_ref ref = {.app = 7, .executor = 2, .epoch = 1};

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 1), 0);
    GP_REQUIRE_EQ(launch_executor(appmaster, 2, 1), 0);
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
    struct puppet *appmaster = begin_app(&s, 1);
    const struct msg_process_ref ref = {.app = 7, .executor = 1, .epoch = 1, .at_once = true};
    int64_t since_ns;

    GP_REQUIRE_EQ(launch_executor(appmaster, 1, 1), 0);
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
        struct puppet *appmaster = begin_app(&s, seed);
        struct puppet *boss = stage_find(&s, "boss");
        char sha[65];

        GP_REQUIRE_EQ(launch_executor(appmaster, 1, 1), 0);
        STAGE_UNTIL(&s, stage_find(&s, "executor"));
        sim_kill(process_of(appmaster));
        STAGE_UNTIL(&s, boss->exits == 1);
        sim_kill(process_of(stage_find(&s, "executor")));
        STAGE_UNTIL(&s, boss->exits == 2);
        GP_REQUIRE_EQ(launch_appmaster(boss, 7, stage_sha(CONTENT, sha)), 0);
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
        struct puppet *appmaster = begin_app(&s, seed);

        GP_REQUIRE_EQ(launch_executor(appmaster, 1, 1), 0);
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
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *client = begin_client(&s);
    struct puppet *child;

    GP_REQUIRE_EQ(launch_executor(appmaster, 5, 1), 0);
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
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *client = begin_client(&s);
    uint64_t at;
    int64_t before_ns;

    GP_REQUIRE_EQ(launch_executor(appmaster, 5, 1), 0);
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
    sim_proc_output(process_of(stage_find(&s, "executor")),
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
    struct puppet *appmaster = begin_app(&s, 1);
    struct puppet *client = begin_client(&s);

    GP_REQUIRE_EQ(launch_executor(appmaster, 5, 1), 0);
    puppet_ask_only(
        client, MSG_LOG_READ,
        &(struct msg_log_read){.app = 7, .executor = 5, .offset = 1000, .wait_ms = 60000});
    stage_run_ms(&s, 100);
    sim_kill(process_of(client));
    stage_run_ms(&s, 100);
    LOG_INFO(stage_find(&s, "executor")->port->log, "executor.spoke");
    client = begin_client(&s);
    puppet_ask_only(
        client, MSG_LOG_READ,
        &(struct msg_log_read){.app = 7, .executor = 5, .offset = 1000, .wait_ms = 60000});
    stage_run_ms(&s, 100);
    stage_end(&s);
}
