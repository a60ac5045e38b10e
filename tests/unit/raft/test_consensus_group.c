/* Several members: they elect, agree, catch up, come and go. */
#include "crew.h"
#include "gp_test.h"

static void begin(struct crew *crew, uint64_t seed, uint32_t hosts, uint32_t members)
{
    crew_init(crew, seed, hosts);
    crew->options.snapshot_threshold = 40;
    crew->options.snapshot_trailing = 10;
    crew_form(crew, members);
    GP_REQUIRE(crew_wait(crew, crew_has_leader, 10000 * MS));
}

static void end(struct crew *crew)
{
    const char *rule;

    GP_CHECK(crew_agrees(crew));
    crew_run(crew, 500 * MS);
    rule = crew_judge(crew);
    if (rule != NULL) {
        GP_TEST_FAIL("seed %" PRIu64 ": %s (%" PRIu64 ")", crew->seed, rule, crew->broken_at);
    }
    GP_CHECK_EQ(sim_leaks(crew->sim), 0);
    crew_deinit(crew);
}

static void propose_many(struct crew *crew, uint32_t count, size_t len)
{
    for (uint32_t i = 0; i < count; i++) {
        struct crew_member *leader = crew_leader(crew);

        if (leader != NULL) {
            (void)crew_propose(crew, leader->number, len);
        }
        crew_run(crew, 2 * MS);
    }
    GP_CHECK(crew_wait(crew, crew_is_answered, 10000 * MS));
}

static uint32_t other_than(const struct crew_member *m)
{
    return m->number == 0 ? 1 : 0;
}

static void note(void *user, int code)
{
    *(int *)user = code;
}

GP_TEST(consensus_group, elects_one_and_agrees)
{
    for (uint32_t size = 2; size <= 5; size++) {
        struct crew crew;

        begin(&crew, size, size, size);
        propose_many(&crew, 20, 100);
        crew_run(&crew, 100 * MS);
        GP_CHECK_EQ(crew.counts.acknowledged, 20);
        GP_CHECK_EQ(crew_propose(&crew, other_than(crew_leader(&crew)), 8), GP_ENOTLEADER);
        end(&crew);
    }
}

/* The time without a leader is what a user waits; the timeout is 300 to 600 ms. */
GP_TEST(consensus_group, replaces_a_leader_that_died)
{
    int64_t sum = 0;

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct crew crew;
        int64_t before;
        uint32_t dead;

        begin(&crew, seed, 3, 3);
        propose_many(&crew, 5, 100);
        dead = crew_leader(&crew)->number;
        crew_kill(&crew, dead);
        before = sim_now_ns(crew.sim);
        GP_CHECK(crew_wait(&crew, crew_has_leader, 5000 * MS));
        sum += sim_now_ns(crew.sim) - before;
        propose_many(&crew, 5, 100);
        GP_REQUIRE(crew_start(&crew, dead));
        end(&crew);
    }
    GP_CHECK(sum / 20 < 900 * MS);
}

GP_TEST(consensus_group, does_not_wait_when_the_connection_of_a_leader_broke)
{
    int64_t sum = 0;

    for (uint64_t seed = 0; seed < 40; seed++) {
        struct crew crew;
        int64_t before;
        uint32_t dead;

        begin(&crew, seed, 3 + 2 * (uint32_t)(seed % 2), 3 + 2 * (uint32_t)(seed % 2));
        propose_many(&crew, 5, 100);
        dead = crew_leader(&crew)->number;
        crew_kill(&crew, dead);
        before = sim_now_ns(crew.sim);
        for (uint32_t i = 0; i < crew.count; i++) {
            crew_doubt(&crew, i);
        }
        GP_CHECK(crew_wait(&crew, crew_has_leader, 5000 * MS));
        sum += sim_now_ns(crew.sim) - before;
        propose_many(&crew, 5, 100);
        GP_REQUIRE(crew_start(&crew, dead));
        end(&crew);
    }
    GP_CHECK(sum / 40 < 150 * MS);
}

/* Those that still hear the leader refuse, and it leads on. */
GP_TEST(consensus_group, a_false_alarm_changes_no_leader)
{
    struct consensus_status before;
    struct consensus_status after;
    struct crew crew;

    begin(&crew, 3, 3, 3);
    propose_many(&crew, 5, 100);
    consensus_status(crew_leader(&crew)->c, &before);
    for (uint32_t i = 0; i < 50; i++) {
        crew_doubt(&crew, i % 3);
        crew_run(&crew, (150 + i) * MS);
    }
    GP_CHECK(crew.counts.doubts >= 30);
    GP_REQUIRE(crew_leader(&crew) != NULL);
    consensus_status(crew_leader(&crew)->c, &after);
    GP_CHECK_EQ(after.leader, before.leader);
    GP_CHECK_EQ(after.term, before.term);
    propose_many(&crew, 5, 100);
    GP_CHECK_EQ(crew.counts.acknowledged, 10);
    end(&crew);
}

GP_TEST(consensus_group, all_survive_a_restart_of_all)
{
    struct crew crew;

    begin(&crew, 3, 3, 3);
    for (uint32_t round = 0; round < 4; round++) {
        propose_many(&crew, 30, 200);
        for (uint32_t i = 0; i < 3; i++) {
            (void)sim_crash(crew.members[i].host);
        }
        for (uint32_t i = 0; i < 3; i++) {
            GP_REQUIRE(crew_start(&crew, i));
        }
        GP_CHECK(crew_agrees(&crew));
    }
    GP_CHECK(crew.counts.acknowledged > 100);
    end(&crew);
}

/* A leader cut off steps down and acknowledges nothing. */
GP_TEST(consensus_group, does_not_believe_a_leader_cut_off)
{
    struct crew crew;
    struct crew_member *old;
    uint64_t acknowledged;

    begin(&crew, 4, 3, 3);
    propose_many(&crew, 5, 100);
    crew_run(&crew, 100 * MS);
    old = crew_leader(&crew);
    acknowledged = crew.counts.acknowledged;
    for (uint32_t i = 0; i < 3; i++) {
        if (i != old->number) {
            crew_cut(&crew, old->number, i);
            crew_cut(&crew, i, old->number);
        }
    }
    for (uint32_t i = 0; i < 5; i++) {
        (void)crew_propose(&crew, old->number, 100);
    }
    crew_run(&crew, 2000 * MS);
    GP_CHECK(crew_leader(&crew) != NULL && crew_leader(&crew) != old);
    GP_CHECK_EQ(crew.counts.acknowledged, acknowledged);
    GP_CHECK_EQ(crew.counts.unknown, 5);
    propose_many(&crew, 5, 100);
    crew_heal(&crew);
    end(&crew);
}

/* More than a frame, in snapshots and in entries, through a carrier that loses. */
GP_TEST(consensus_group, brings_a_member_back_from_far_behind)
{
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct crew crew;
        uint32_t late;

        begin(&crew, seed, 3, 3);
        crew.carrier.lost = seed % 2 == 0 ? 0 : 0.05;
        for (uint32_t i = 0; i < 3; i++) {
            crew.members[i].padding = seed % 3 == 0 ? 0 : 3u << 20;
        }
        late = other_than(crew_leader(&crew));
        crew_kill(&crew, late);
        propose_many(&crew, seed % 4 < 2 ? 100 : 15, seed % 2 == 0 ? 200 : 60000);
        GP_REQUIRE(crew_start(&crew, late));
        GP_CHECK(crew_agrees(&crew));
        GP_CHECK(crew.counts.large > 0 || seed % 3 == 0 || seed % 4 == 2);
        crew.carrier.lost = 0;
        end(&crew);
    }
}

GP_TEST(consensus_group, gives_the_lead_away)
{
    struct crew crew;
    struct crew_member *old;
    int code = 1;

    begin(&crew, 5, 3, 3);
    propose_many(&crew, 3, 100);
    old = crew_leader(&crew);
    GP_CHECK_EQ(consensus_transfer(old->c, 0, note, &code), 0);
    GP_CHECK_EQ(consensus_transfer(old->c, 0, note, &code), GP_ESTATE);
    crew_run(&crew, 100 * MS); /* less than an election takes */
    GP_CHECK_EQ(code, 0);
    GP_CHECK(crew_leader(&crew) != NULL && crew_leader(&crew) != old);
    end(&crew);
}

GP_TEST(consensus_group, takes_members_in_and_lets_them_go)
{
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct crew crew;
        int code = 1;

        begin(&crew, seed, 5, 1); /* from one */
        propose_many(&crew, seed % 2 == 0 ? 5 : 100, 100);
        for (uint32_t i = 1; i < 5; i++) {
            struct crew_member *m = &crew.members[i];

            GP_REQUIRE(crew_start(&crew, i));
            GP_REQUIRE_EQ(consensus_join(m->c, "g", m->id, m->address, NULL), 0);
            code = 1;
            GP_REQUIRE_EQ(consensus_add(crew_leader(&crew)->c, m->id, m->address, note, &code), 0);
            GP_CHECK_EQ(consensus_add(crew_leader(&crew)->c, 9, "x:1", note, &code), GP_ESTATE);
            propose_many(&crew, 100, 100);
            crew_run(&crew, 500 * MS);
            GP_CHECK_EQ(code, 0);
            GP_CHECK_EQ(crew_voters(&crew), i + 1);
        }
        GP_CHECK(crew_agrees(&crew));
        for (uint32_t left = 5; left > 1; left--) {
            struct crew_member *leader = crew_leader(&crew);
            const uint64_t leaving = crew.members[left - 1].id;

            code = 1;
            GP_REQUIRE(leader != NULL);
            GP_REQUIRE_EQ(consensus_remove(leader->c, leaving, note, &code), 0);
            propose_many(&crew, 10, 100);
            crew_run(&crew, 500 * MS);
            if (leaving == leader->id) {
                GP_CHECK_EQ(code, GP_ENOTLEADER);
                leader = crew_leader(&crew);
                GP_REQUIRE(leader != NULL && leader->id != leaving);
                GP_REQUIRE_EQ(consensus_remove(leader->c, leaving, note, &code), 0);
                crew_run(&crew, 500 * MS);
            }
            GP_CHECK_EQ(code, 0);
            GP_CHECK_EQ(crew_voters(&crew), left - 1);
            crew_kill(&crew, left - 1);
        }
        end(&crew);
    }
}

/* It does not disturb those it has left, though it does not know. */
GP_TEST(consensus_group, ignores_who_was_removed)
{
    struct crew crew;
    struct consensus_status before;
    struct consensus_status after;
    struct crew_member *leader;
    uint32_t gone;
    int code = 1;

    begin(&crew, 6, 3, 3);
    leader = crew_leader(&crew);
    gone = other_than(leader);
    GP_REQUIRE_EQ(consensus_remove(leader->c, crew.members[gone].id, note, &code), 0);
    crew_run(&crew, 200 * MS);
    GP_CHECK_EQ(code, 0);
    consensus_status(leader->c, &before);
    crew_run(&crew, 5000 * MS);
    consensus_status(leader->c, &after);
    GP_CHECK_EQ(after.role, CONSENSUS_LEADER);
    GP_CHECK_EQ(after.term, before.term);
    GP_CHECK(after.strangers > before.strangers);
    end(&crew);
}

/* A new member that is not there: the answer comes, nothing else is held up, and it can be tried
 * again or taken back. */
GP_TEST(consensus_group, gives_up_a_member_that_does_not_come)
{
    struct crew crew;
    struct consensus_member list[CONSENSUS_MEMBERS_MAX];
    struct crew_member *leader;
    int code = 1;

    begin(&crew, 7, 4, 3);
    leader = crew_leader(&crew);
    GP_REQUIRE_EQ(consensus_add(leader->c, 103, crew.members[3].address, note, &code), 0);
    propose_many(&crew, 10, 100);
    GP_CHECK_EQ(code, 1);
    crew_run(&crew, 25000 * MS);
    GP_CHECK_EQ(code, GP_ETIMEOUT);
    GP_CHECK_EQ(consensus_members(leader->c, list), 4);
    GP_CHECK_EQ(crew_voters(&crew), 3);
    GP_REQUIRE(crew_start(&crew, 3));
    GP_REQUIRE_EQ(consensus_join(crew.members[3].c, "g", 103, crew.members[3].address, NULL), 0);
    GP_REQUIRE_EQ(consensus_add(leader->c, 103, crew.members[3].address, note, &code), 0);
    crew_run(&crew, 1000 * MS);
    GP_CHECK_EQ(code, 0);
    GP_CHECK_EQ(crew_voters(&crew), 4);
    end(&crew);
}

/* Its disk fails: another leads within a moment, not after an election timeout. */
GP_TEST(consensus_group, hands_over_when_the_disk_of_the_leader_fails)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct crew crew;
        struct crew_member *old;
        int64_t before;

        begin(&crew, seed, 3, 3);
        propose_many(&crew, 10, 100);
        crew_run(&crew, 50 * MS);
        old = crew_leader(&crew);
        if (seed % 2 == 0) {
            sim_disk_fill(old->host, true);
        } else {
            sim_disk_break(old->host, true);
        }
        for (uint32_t i = 0; i < 150; i++) {
            (void)crew_propose(&crew, old->number, 100);
        }
        crew_run(&crew, 5 * MS);
        before = sim_now_ns(crew.sim);
        GP_CHECK(crew_wait(&crew, crew_has_leader, 5000 * MS));
        GP_CHECK(sim_now_ns(crew.sim) - before < 200 * MS);
        propose_many(&crew, 30, 100);
        crew_run(&crew, 3000 * MS);
        sim_disk_fill(old->host, false);
        sim_disk_break(old->host, false);
        crew_run(&crew, 35000 * MS);
        GP_CHECK(sim_event_count(crew.sim, "consensus.mended") > 0);
        end(&crew);
    }
}
