/* boss.c: see boss.h. */
#include "boss.h"

#include "gp_test.h"
#include "sim/world.h"

int boss_offer_of(struct puppet *boss, uint64_t term, uint32_t app, uint32_t epoch, uint32_t slots)
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

int boss_offer(struct puppet *boss, uint32_t app, uint32_t epoch, uint32_t slots)
{
    return boss_offer_of(boss, 0, app, epoch, slots);
}

int boss_launch_epoch(struct puppet *boss, uint64_t term, uint32_t app, uint32_t epoch,
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

int boss_launch_of(struct puppet *boss, uint64_t term, uint32_t app, const char *sha256)
{
    return boss_launch_epoch(boss, term, app, 1, sha256);
}

int boss_launch(struct puppet *boss, uint32_t app, const char *sha256)
{
    return boss_launch_of(boss, 0, app, sha256);
}

struct msg_executor_launch executor_launch(uint32_t id, uint32_t slots,
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

int appmaster_launch(struct puppet *appmaster, uint32_t id, uint32_t slots)
{
    const struct msg_executor_launch msg = executor_launch(id, slots, NULL);

    return puppet_ask(appmaster, MSG_EXECUTOR_LAUNCH, &msg);
}

struct puppet *worker_begin(struct stage *s, uint64_t seed)
{
    struct puppet *boss;

    *s = (struct stage){.slots = 10};
    stage_begin(s, seed);
    (void)stage_spawn(s, 0, "boss", NULL);
    (void)stage_spawn(s, 1, "worker", "w1");
    boss = stage_find(s, "boss");
    boss->content = BOSS_CONTENT;
    STAGE_UNTIL(s, worker_is_registered(s->worker));
    return boss;
}

struct puppet *worker_begin_app(struct stage *s, uint64_t seed)
{
    struct puppet *boss = worker_begin(s, seed);
    struct puppet *appmaster;
    char sha[65];

    GP_REQUIRE_EQ(boss_offer(boss, 7, 1, 6), 0);
    GP_REQUIRE_EQ(boss_launch(boss, 7, stage_sha(BOSS_CONTENT, sha)), 0);
    STAGE_UNTIL(s, stage_find(s, "appmaster"));
    appmaster = stage_find(s, "appmaster");
    STAGE_UNTIL(s, appmaster->up);
    return appmaster;
}

struct sim_proc *puppet_process(struct puppet *p)
{
    return p->port->world;
}
