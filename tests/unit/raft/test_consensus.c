/* One member alone: it begins, leads, remembers, and refuses what it must. */
#include "crew.h"
#include "gp_test.h"

static void begin_alone(struct crew *crew, uint64_t seed)
{
    crew_init(crew, seed, 1);
    crew->options.snapshot_threshold = 20;
    crew->options.snapshot_trailing = 5;
    crew_form(crew, 1);
}

static void end(struct crew *crew)
{
    const char *rule;

    crew_run(crew, 200 * MS);
    rule = crew_judge(crew);
    if (rule != NULL) {
        GP_TEST_FAIL("seed %" PRIu64 ": %s (%" PRIu64 ")", crew->seed, rule, crew->broken_at);
    }
    GP_CHECK_EQ(sim_leaks(crew->sim), 0);
    crew_deinit(crew);
}

GP_TEST(consensus, leads_at_once_when_alone)
{
    struct crew crew;
    struct consensus_status status;
    struct consensus_member members[CONSENSUS_MEMBERS_MAX];

    begin_alone(&crew, 1);
    consensus_status(crew.members[0].c, &status);
    GP_CHECK_EQ(status.role, CONSENSUS_LEADER);
    GP_CHECK_EQ(status.leader, 100);
    GP_CHECK_EQ(consensus_id(crew.members[0].c), 100);
    GP_CHECK_STR_EQ(consensus_group(crew.members[0].c), "g");
    GP_REQUIRE_EQ(consensus_members(crew.members[0].c, members), 1);
    GP_CHECK(members[0].votes && members[0].is_heard);
    GP_CHECK_STR_EQ(members[0].address, "10.0.0.1:3000");
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), 0);
    crew_run(&crew, 10 * MS);
    GP_CHECK_EQ(crew.counts.acknowledged, 1);
    end(&crew);
}

GP_TEST(consensus, is_unformed_on_an_empty_disk)
{
    struct crew crew;
    struct consensus_status status;

    crew_init(&crew, 2, 1);
    GP_REQUIRE(crew_start(&crew, 0));
    consensus_status(crew.members[0].c, &status);
    GP_CHECK_EQ(status.role, CONSENSUS_UNFORMED);
    GP_CHECK_EQ(consensus_id(crew.members[0].c), 0);
    GP_CHECK_STR_EQ(consensus_group(crew.members[0].c), "");
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), GP_ENOTLEADER);
    consensus_receive(crew.members[0].c, 5, "x", gp_bytes_of("garbage", 7));
    crew_form(&crew, 1);
    GP_CHECK_EQ(consensus_form(crew.members[0].c, "h", 7, NULL, 0, NULL), GP_ESTATE);
    GP_CHECK_EQ(consensus_join(crew.members[0].c, "h", 7, "x:1", NULL), GP_ESTATE);
    end(&crew);
}

GP_TEST(consensus, refuses_lists_that_do_not_hold)
{
    struct consensus_member members[2] = {{.id = 100, .address = "a:1"},
                                          {.id = 101, .address = "a:1"}};
    struct consensus *c;
    struct crew crew;

    crew_init(&crew, 3, 1);
    GP_REQUIRE(crew_start(&crew, 0));
    c = crew.members[0].c;
    GP_CHECK_EQ(consensus_form(c, "g", 100, members, 2, NULL), GP_EINVAL); /* same address */
    GP_CHECK_EQ(consensus_form(c, "g", 102, members, 1, NULL), GP_EINVAL); /* not among them */
    GP_CHECK_EQ(consensus_form(c, "", 100, members, 1, NULL), GP_EINVAL);
    GP_CHECK_EQ(consensus_form(c, "g", 100, members, 0, NULL), GP_EINVAL);
    members[1].id = 100;
    GP_CHECK_EQ(consensus_form(c, "g", 100, members, 2, NULL), GP_EINVAL); /* same id */
    GP_CHECK_EQ(consensus_id(c), 0);
    crew_form(&crew, 1);
    end(&crew);
}

GP_TEST(consensus, refuses_commands_out_of_bounds)
{
    static char big[CONSENSUS_COMMAND_MAX + 1];
    struct crew crew;
    struct consensus *c;

    begin_alone(&crew, 4);
    c = crew.members[0].c;
    GP_CHECK_EQ(consensus_propose(c, gp_bytes_of(big, sizeof(big)), NULL, NULL), GP_ETOOBIG);
    GP_CHECK_EQ(consensus_propose(c, gp_bytes_of(big, 0), NULL, NULL), GP_EINVAL);
    GP_CHECK_EQ(crew_propose(&crew, 0, CONSENSUS_COMMAND_MAX), 0);
    for (uint32_t i = 1; i < CONSENSUS_PENDING_MAX; i++) {
        GP_REQUIRE_EQ(crew_propose(&crew, 0, 8), 0);
    }
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), GP_EFULL);
    crew_run(&crew, 100 * MS);
    GP_CHECK_EQ(crew.counts.acknowledged, CONSENSUS_PENDING_MAX);
    end(&crew);
}

/* What was acknowledged survives, each life applies it once, and the term grows, so that entries of
 * different lives cannot be taken for each other. */
GP_TEST(consensus, remembers_across_lives)
{
    struct crew crew;
    struct consensus_status status;
    uint64_t term = 0;

    begin_alone(&crew, 5);
    for (uint32_t life = 0; life < 6; life++) {
        for (uint32_t i = 0; i < 13; i++) {
            GP_REQUIRE_EQ(crew_propose(&crew, 0, 8 + 100 * i), 0);
            crew_run(&crew, 5 * MS);
        }
        crew_kill(&crew, 0);
        GP_REQUIRE(crew_start(&crew, 0));
        consensus_status(crew.members[0].c, &status);
        GP_CHECK_EQ(status.role, CONSENSUS_LEADER);
        GP_CHECK(status.term > term);
        term = status.term;
        GP_CHECK(crew_agrees(&crew));
    }
    GP_CHECK_EQ(crew.counts.acknowledged, 6 * 13);
    GP_CHECK(crew.counts.snapshots > 0 && crew.counts.installs > 0);
    end(&crew);
}

/* The power goes at any moment of a beginning, and of work. */
GP_TEST(consensus, survives_the_loss_of_power)
{
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct crew crew;

        begin_alone(&crew, seed);
        for (uint32_t i = 0; i < 30; i++) {
            (void)crew_propose(&crew, 0, 8 + seed);
            crew_run(&crew, (int64_t)(seed % 7) * MS / 3);
            if (rng_chance(&crew.rng, 0.1)) {
                (void)sim_crash(crew.members[0].host);
                GP_REQUIRE(crew_start(&crew, 0));
            }
        }
        crew_run(&crew, 10 * MS);
        GP_CHECK(crew_agrees(&crew));
        end(&crew);
    }
}

static bool is_broken(struct crew *crew)
{
    struct consensus_status status;

    consensus_status(crew->members[0].c, &status);
    return status.role == CONSENSUS_BROKEN;
}

/* Nothing is acknowledged that is not on the disk, and nothing crashes: with many appends withheld,
 * in one write or in several. */
GP_TEST(consensus, withholds_what_the_disk_did_not_take)
{
    for (uint64_t seed = 0; seed < 40; seed++) {
        const bool is_full = seed % 2 == 0;
        struct consensus_status status;
        struct crew crew;

        begin_alone(&crew, seed);
        for (uint32_t i = 0; i < 10; i++) {
            (void)crew_propose(&crew, 0, 8);
        }
        crew_run(&crew, (int64_t)seed * MS);
        if (is_full) {
            sim_disk_fill(crew.members[0].host, true);
        } else {
            sim_disk_break(crew.members[0].host, true);
        }
        for (uint32_t i = 0; i < 200; i++) {
            (void)crew_propose(&crew, 0, 4000);
        }
        GP_CHECK(crew_wait(&crew, is_broken, 1000 * MS));
        consensus_status(crew.members[0].c, &status);
        GP_CHECK_EQ(status.broken, is_full ? GP_ENOSPC : GP_EIO);
        GP_CHECK_EQ(crew_propose(&crew, 0, 8), is_full ? GP_ENOSPC : GP_EIO);
        GP_CHECK(crew.counts.unknown > 0);
        crew_run(&crew, 2000 * MS); /* it tries again, in vain */
        GP_CHECK(is_broken(&crew));
        sim_disk_fill(crew.members[0].host, false);
        sim_disk_break(crew.members[0].host, false);
        GP_CHECK(crew_wait(&crew, crew_has_leader, 60000 * MS));
        GP_CHECK_EQ(crew_propose(&crew, 0, 8), 0);
        crew_run(&crew, 10 * MS);
        GP_CHECK(crew_agrees(&crew));
        GP_CHECK(sim_event_count(crew.sim, "consensus.mended") > 0);
        end(&crew);
    }
}

static void note(void *user, int code)
{
    *(int *)user = code;
}

GP_TEST(consensus, passes_barriers_when_what_was_before_is_applied)
{
    struct crew crew;
    int code = 1;

    begin_alone(&crew, 6);
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), 0);
    GP_CHECK_EQ(consensus_barrier(crew.members[0].c, note, &code), 0);
    GP_CHECK_EQ(code, 1); /* not from inside */
    crew_run(&crew, 10 * MS);
    GP_CHECK_EQ(code, 0);
    GP_CHECK_EQ(crew.counts.acknowledged, 1);
    end(&crew);
}

GP_TEST(consensus, ends_proposals_when_closed)
{
    struct crew crew;
    int code = 1;

    begin_alone(&crew, 7);
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), 0);
    GP_CHECK_EQ(consensus_barrier(crew.members[0].c, note, &code), 0);
    crew_kill(&crew, 0); /* closes it */
    GP_CHECK_EQ(code, GP_ECANCELED);
    GP_CHECK_EQ(crew.counts.unknown, 1);
    end(&crew);
}

struct closer {
    struct crew *crew;
    int code;
};

static void close_it(void *user, int code)
{
    struct closer *closer = user;
    struct crew_member *m = &closer->crew->members[0];

    closer->code = code;
    consensus_close(m->c);
    m->c = NULL;
}

GP_TEST(consensus, may_be_closed_from_a_callback)
{
    struct crew crew;
    struct closer closer = {.crew = &crew, .code = 1};

    begin_alone(&crew, 8);
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), 0);
    GP_CHECK_EQ(consensus_barrier(crew.members[0].c, close_it, &closer), 0);
    GP_CHECK_EQ(crew_propose(&crew, 0, 8), 0);
    crew_run(&crew, 10 * MS);
    GP_CHECK_EQ(closer.code, 0);
    GP_CHECK_EQ(crew.counts.acknowledged + crew.counts.unknown, 2);
    end(&crew);
}

GP_TEST(consensus, cannot_lose_its_last_vote)
{
    struct crew crew;

    begin_alone(&crew, 9);
    GP_CHECK_EQ(consensus_remove(crew.members[0].c, 100, note, NULL), GP_EINVAL);
    GP_CHECK_EQ(consensus_remove(crew.members[0].c, 7, note, NULL), GP_ENOENT);
    GP_CHECK_EQ(consensus_transfer(crew.members[0].c, 0, note, NULL), GP_ENOENT);
    GP_CHECK_EQ(consensus_add(crew.members[0].c, 100, "10.0.0.1:3000", note, NULL), GP_EEXIST);
    GP_CHECK_EQ(consensus_add(crew.members[0].c, 7, "10.0.0.1:3000", note, NULL), GP_EEXIST);
    GP_CHECK_EQ(consensus_add(crew.members[0].c, 7, "", note, NULL), GP_EINVAL);
    end(&crew);
}
