/* How masters become a group (founding.c), and how its members change (group.c). */
#include "base/str.h"
#include "council.h"
#include "gp_test.h"

#define SEEDS 4u

static void start_three(struct council *c)
{
    for (uint32_t i = 0; i < 3; i++) {
        council_start(c, i, "012");
    }
    (void)council_await_leader(c);
    council_run_s(c, 2);
}

/* The names of what is logged are counted, so a test knows that it was said. */
static bool was_said(const struct council *c, const char *event)
{
    return sim_event_count(c->sim, event) > 0;
}

static uint32_t count_waiting(const struct council *c)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < c->infos_count; i++) {
        count += c->infos[i].role == MASTER_WAITING;
    }
    return count;
}

GP_TEST(masters, begin_when_all_that_are_listed_have_come)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;
        char cluster[65];

        council_begin(&c, seed);
        council_start(&c, 2, "012");
        council_start(&c, 0, "012");
        council_run_s(&c, 5);
        GP_CHECK_EQ(council_leader(&c), COUNCIL_MAX);
        GP_REQUIRE_EQ(council_ask_info(&c, 0), 0);
        GP_CHECK_EQ(c.infos_count, 3);
        GP_CHECK_EQ(c.infos[1].role, MASTER_UNREACHABLE);
        GP_CHECK_EQ(c.infos[2].role, MASTER_WAITING);
        council_start(&c, 1, "012");
        GP_CHECK(council_await_leader(&c) < 3);
        council_run_s(&c, 2);
        GP_REQUIRE_EQ(council_ask_info(&c, 0), 0);
        memcpy(cluster, c.cluster, sizeof cluster);
        for (uint32_t i = 1; i < 3; i++) {
            uint32_t leaders = 0;

            GP_REQUIRE_EQ(council_ask_info(&c, i), 0);
            GP_CHECK_STR_EQ(c.cluster, cluster);
            for (uint32_t k = 0; k < c.infos_count; k++) {
                leaders += c.infos[k].role == MASTER_LEADER;
                GP_CHECK(c.infos[k].role != MASTER_UNREACHABLE);
            }
            GP_CHECK_EQ(leaders, 1);
        }
        council_end(&c);
    }
}

GP_TEST(masters, begin_alone_when_nobody_else_is_listed)
{
    struct council c;

    council_begin(&c, 1);
    council_start(&c, 0, "0");
    GP_CHECK_EQ(council_await_leader(&c), 0);
    council_end(&c);
}

/* Two clusters might come of it. */
GP_TEST(masters, do_not_begin_when_their_lists_differ)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;

        council_begin(&c, seed);
        council_start(&c, 0, "012");
        council_start(&c, 1, "012");
        council_start(&c, 2, "0123");
        council_run_s(&c, 20);
        GP_CHECK_EQ(council_leader(&c), COUNCIL_MAX);
        GP_CHECK(was_said(&c, "masters.differ") || was_said(&c, "master.refused"));
        council_kill(&c, 2); /* the list is put right */
        council_start(&c, 2, "021");
        GP_CHECK(council_await_leader(&c) < 3);
        council_end(&c);
    }
}

/* All of them end and come back: the same cluster, whoever leads. */
GP_TEST(masters, go_on_from_their_disks)
{
    struct council c;
    char cluster[65];

    council_begin(&c, 3);
    start_three(&c);
    GP_REQUIRE_EQ(council_ask_info(&c, 0), 0);
    memcpy(cluster, c.cluster, sizeof cluster);
    for (uint32_t i = 0; i < 3; i++) {
        council_kill(&c, i);
    }
    council_start(&c, 1, "012"); /* two are enough this time */
    council_start(&c, 2, "012");
    GP_CHECK(council_await_leader(&c) < 3);
    council_run_s(&c, 2);
    GP_REQUIRE_EQ(council_ask_info(&c, 1), 0);
    GP_CHECK_STR_EQ(c.cluster, cluster);
    council_end(&c);
}

/* A broken connection is enough to ask around; nobody waits for silence. */
GP_TEST(masters, replace_a_killed_leader_soon)
{
    int64_t sum_ns = 0;

    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct council c;
        uint32_t leader;
        int64_t before_ns;

        council_begin(&c, seed);
        start_three(&c);
        council_run_s(&c, 5);
        leader = council_await_leader(&c);
        before_ns = sim_now_ns(c.sim);
        sim_kill(c.procs[leader]);
        GP_CHECK(council_await_leader(&c) != leader);
        sum_ns += sim_now_ns(c.sim) - before_ns;
        council_end(&c);
    }
    GP_CHECK(sum_ns / 20 < 200000000);
}

/* Who lost its disk is somebody else: it may have voted, and must not vote again. */
GP_TEST(masters, wait_to_be_added_after_a_loss_of_the_disk)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;
        uint32_t lost;

        council_begin(&c, seed);
        start_three(&c);
        lost = (council_leader(&c) + 1) % 3;
        council_kill(&c, lost);
        council_wipe(&c, lost);
        council_start(&c, lost, "012");
        council_run_s(&c, 5);
        GP_CHECK(was_said(&c, "master.waits"));
        GP_CHECK(was_said(&c, "master.unknown"));
        for (uint32_t i = 0; i < 3; i++) { /* whoever is asked */
            GP_REQUIRE_EQ(council_ask_info(&c, i), 0);
            GP_CHECK_EQ(count_waiting(&c), 1);
        }
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_ADD, c.addresses[lost]), 0);
        council_kill(&c, (lost + 1) % 3); /* it counts: two of three are left */
        (void)council_await_leader(&c);
        council_run_s(&c, 2);
        GP_REQUIRE_EQ(council_ask_info(&c, lost), 0);
        GP_CHECK_EQ(c.infos_count, 3);
        GP_CHECK(council_leader(&c) < COUNCIL_MAX);
        council_end(&c);
    }
}

GP_TEST(masters, are_not_removed_below_the_quorum)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;
        uint32_t leader;
        uint32_t dead;

        council_begin(&c, seed);
        start_three(&c);
        leader = council_leader(&c);
        dead = (leader + 1) % 3;
        council_kill(&c, dead);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_REMOVE, c.addresses[(leader + 2) % 3]),
                    GP_ESTATE);
        GP_CHECK(c.err.hint[0] != '\0');
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_REMOVE, c.addresses[dead]), 0);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_REMOVE, c.addresses[dead]), GP_ENOENT);
        GP_REQUIRE_EQ(council_ask_info(&c, council_await_leader(&c)), 0);
        GP_CHECK_EQ(c.infos_count, 2);
        council_end(&c);
    }
}

GP_TEST(masters, are_added_once_they_have_called)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;

        council_begin(&c, seed);
        start_three(&c);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_ADD, c.addresses[0]), GP_EEXIST);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_ADD, c.addresses[3]), GP_EUNREACH);
        GP_CHECK(c.err.hint[0] != '\0');
        council_start(&c, 3, "0123");
        council_run_s(&c, 3);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_ADD, c.addresses[3]), 0);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_ADD, c.addresses[3]), GP_EEXIST);
        GP_REQUIRE_EQ(council_ask_info(&c, council_await_leader(&c)), 0);
        GP_CHECK_EQ(c.infos_count, 4);
        council_end(&c);
    }
}

/* Whoever leads is removed: another one does it. */
GP_TEST(masters, remove_even_their_leader)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;
        uint32_t leader;

        council_begin(&c, seed);
        start_three(&c);
        leader = council_leader(&c);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_REMOVE, c.addresses[leader]), 0);
        council_run_s(&c, 2);
        GP_CHECK(council_leader(&c) != leader && council_leader(&c) < 3);
        council_end(&c);
    }
}

/* ---- removed while nobody could tell ---- */

GP_TEST(masters, learn_that_they_were_removed)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct council c;
        uint32_t gone;

        council_begin(&c, seed);
        start_three(&c);
        council_run_s(&c, 2);
        gone = (council_leader(&c) + 1) % 3;
        council_kill(&c, gone);
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_REMOVE, c.addresses[gone]), 0);
        council_start(&c, gone, "012");
        council_run_s(&c, 5);
        GP_CHECK(was_said(&c, "master.waits"));
        for (uint32_t i = 0; i < 3; i++) {
            GP_REQUIRE_EQ(council_ask_info(&c, i), 0);
            GP_CHECK_EQ(count_waiting(&c), 1);
        }
        GP_CHECK_EQ(council_change(&c, MSG_MASTER_ADD, c.addresses[gone]), 0);
        council_run_s(&c, 2);
        for (uint32_t i = 0; i < 3; i++) {
            GP_REQUIRE_EQ(council_ask_info(&c, i), 0);
            GP_CHECK_EQ(c.infos_count, 3);
            GP_CHECK_EQ(count_waiting(&c), 0);
        }
        council_end(&c);
    }
}

/* ---- no room ---- */

struct submitted {
    bool is_over;
    int code;
    struct gp_error err;
};

static void on_submitted(void *user, int code, const void *msg, const struct gp_error *err)
{
    struct submitted *s = user;

    (void)msg;
    s->is_over = true;
    s->code = code;
    s->err = code < 0 ? *err : (struct gp_error){0};
}

static bool is_over(void *user)
{
    return ((const struct submitted *)user)->is_over;
}

/* A file that is no plugin, which only shows when all of it is there. */
static int submit_rubbish(struct council *c, struct submitted *s)
{
    const struct port *port = sim_proc_port(c->person);
    const struct client_submit submit = {.path = "/job.so", .fn = on_submitted, .user = s};

    *s = (struct submitted){0};
    GP_REQUIRE(port->fs->write_file(port->world, "/job.so", str_bytes(GP_STR("no plugin at all")),
                                    0600, NULL) >= 0);
    GP_REQUIRE(client_submit(c->client, &submit, NULL) >= 0);
    GP_REQUIRE_EQ(sim_run_until(c->sim, is_over, s, NULL), 0);
    return s->code;
}

/* Whoever submits goes to one that has room, and hears nothing of it, as long as more than half
 * have. */
GP_TEST(masters, let_another_lead_that_has_room)
{
    for (uint32_t full = 0; full <= 3; full++) {
        struct council c;
        struct submitted s;
        uint32_t leader;

        council_begin(&c, 5 + full);
        start_three(&c);
        council_run_s(&c, 5);
        leader = council_await_leader(&c);
        for (uint32_t i = 0; i < full; i++) {
            sim_disk_fill(c.hosts[(leader + i) % 3], true);
        }
        GP_CHECK_EQ(submit_rubbish(&c, &s), full < 2 ? GP_EABI : GP_ENOSPC);
        for (uint32_t i = 0; i < 3; i++) {
            sim_disk_fill(c.hosts[i], false);
        }
        council_run_s(&c, 60);
        GP_CHECK(council_await_leader(&c) < 3);
        GP_CHECK_EQ(submit_rubbish(&c, &s), GP_EABI);
        council_end(&c);
    }
}
