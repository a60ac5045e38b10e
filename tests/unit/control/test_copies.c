/* Artefacts on other masters (copies.c): as many as it takes, in pieces, and from whoever has
 * them. */
#include "base/str.h"
#include "control/limits.h"
#include "control/master/internal.h"
#include "council.h"
#include "gp_test.h"

#define FILE_BYTES (3u * CHUNK_BYTES + 17u)

struct copying {
    struct council council;
    uint32_t leader;
    char sha[SHA256_HEX_SIZE];
    uint32_t ends;
    int code;
    struct gp_error err;
};

static void on_copied(struct master *m, void *user, int code, const struct gp_error *err)
{
    struct copying *c = user;

    (void)m;
    c->ends++;
    c->code = code;
    c->err = code < 0 ? *err : (struct gp_error){0};
}

static bool is_over(void *user)
{
    return ((const struct copying *)user)->ends > 0;
}

static struct master *master(struct copying *c, uint32_t after_leader)
{
    return c->council.masters[(c->leader + after_leader) % 3];
}

static bool has(struct copying *c, uint32_t after_leader)
{
    char path[ARTEFACT_PATH_MAX];

    return artefacts_find(&master(c, after_leader)->artefacts, gp_str_of(c->sha), path,
                          sizeof path) == 1;
}

/* Three masters, one of which leads and has a file of several pieces. */
static void begin(struct copying *c)
{
    static unsigned char bytes[FILE_BYTES];
    struct artefact_in in = {0};
    uint8_t digest[SHA256_SIZE];

    memset(c, 0, sizeof *c);
    council_begin(&c->council, 11);
    for (uint32_t i = 0; i < 3; i++) {
        council_start(&c->council, i, "012");
    }
    c->leader = council_await_leader(&c->council);
    council_run_s(&c->council, 2);
    for (uint32_t i = 0; i < FILE_BYTES; i++) {
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    }
    sha256(gp_bytes_of(bytes, sizeof bytes), digest);
    hex_encode(digest, sizeof digest, c->sha);
    GP_REQUIRE_EQ(
        artefact_begin(&master(c, 0)->artefacts, gp_str_of(c->sha), FILE_BYTES, &in, NULL), 0);
    GP_REQUIRE_EQ(artefact_write(&in, 0, gp_bytes_of(bytes, sizeof bytes), NULL), 0);
    GP_REQUIRE_EQ(artefact_commit(&in, NULL), 0);
}

static int spread(struct copying *c)
{
    c->ends = 0;
    GP_REQUIRE_EQ(copies_spread(master(c, 0), c->sha, on_copied, c, NULL), 0);
    GP_REQUIRE_EQ(sim_run_until(c->council.sim, is_over, c, NULL), 0);
    return c->code;
}

static int pull(struct copying *c, uint32_t after_leader)
{
    int rc;

    c->ends = 0;
    rc = copies_pull(master(c, after_leader), c->sha, NULL, on_copied, c, NULL);
    if (rc < 0) {
        return rc;
    }
    GP_REQUIRE_EQ(sim_run_until(c->council.sim, is_over, c, NULL), 0);
    return c->code;
}

GP_TEST(copies, are_on_more_than_half_before_it_is_said)
{
    struct copying c;

    begin(&c);
    GP_CHECK_EQ(spread(&c), 0);
    GP_CHECK(has(&c, 1) || has(&c, 2));
    council_run_s(&c.council, 5);
    GP_CHECK(has(&c, 1) && has(&c, 2)); /* the other one follows */
    GP_CHECK_EQ(c.ends, 1);
    GP_CHECK_EQ(spread(&c), 0); /* nothing is left to do */
    council_end(&c.council);
}

GP_TEST(copies, suffice_with_one_master_away)
{
    struct copying c;

    begin(&c);
    council_kill(&c.council, (c.leader + 1) % 3);
    GP_CHECK_EQ(spread(&c), 0);
    GP_CHECK(has(&c, 2));
    council_end(&c.council);
}

GP_TEST(copies, are_too_few_when_the_others_have_no_room)
{
    struct copying c;

    begin(&c);
    sim_disk_fill(c.council.hosts[(c.leader + 1) % 3], true);
    sim_disk_fill(c.council.hosts[(c.leader + 2) % 3], true);
    GP_CHECK_EQ(spread(&c), GP_EUNREACH);
    GP_CHECK(strstr(c.err.text, "only 1 of 3 masters could store it") != NULL);
    sim_disk_fill(c.council.hosts[(c.leader + 1) % 3], false);
    GP_CHECK_EQ(spread(&c), 0);
    GP_CHECK(has(&c, 1));
    council_end(&c.council);
}

/* Two who want it wait for one pull. */
GP_TEST(copies, are_fetched_from_whoever_has_them)
{
    struct copying c;

    begin(&c);
    GP_REQUIRE_EQ(copies_pull(master(&c, 1), c.sha, NULL, on_copied, &c, NULL), 0);
    GP_REQUIRE_EQ(copies_pull(master(&c, 1), c.sha, NULL, on_copied, &c, NULL), 0);
    council_run_s(&c.council, 5);
    GP_CHECK_EQ(c.ends, 2);
    GP_CHECK_EQ(c.code, 0);
    GP_CHECK(has(&c, 1));
    council_kill(&c.council, c.leader); /* then it is the only one that has it */
    GP_CHECK_EQ(pull(&c, 2), 0);
    GP_CHECK(has(&c, 2));
    council_end(&c.council);
}

GP_TEST(copies, of_nothing_fail)
{
    struct copying c;

    begin(&c);
    memset(c.sha, 'a', sizeof c.sha - 1);
    GP_CHECK_EQ(pull(&c, 1), GP_ENOENT);
    GP_CHECK(!has(&c, 1));
    council_end(&c.council);
}
