/*
 * The store of artefacts on a disk that fails, or dies, at every call in turn: a name never stands
 * for half a file, what was acknowledged outlives a power failure, every failure has a code and
 * words, and on a well disk the next try works.
 */
#include "base/str.h"
#include "control/artefacts.h"
#include "frail.h"
#include "gp_test.h"

#define PIECE  700u
#define PIECES 3u
#define SEEDS  4u
#define SOURCE "/plugin.so"

struct shelf {
    struct frail f;
    struct artefacts store;
    char content[PIECES * PIECE];
    char sha[SHA256_HEX_SIZE];
};

typedef int (*act_fn)(struct shelf *s, struct gp_error *err);

static void shelf_begin(struct shelf *s, uint64_t seed)
{
    uint8_t digest[SHA256_SIZE];

    memset(s, 0, sizeof *s);
    frail_init(&s->f, seed);
    for (size_t i = 0; i < sizeof s->content; i++) {
        s->content[i] = (char)(i * 7 + i / 256);
    }
    sha256(gp_bytes_of(s->content, sizeof s->content), digest);
    hex_encode(digest, sizeof digest, s->sha);
    frail_put(&s->f, SOURCE, gp_bytes_of(s->content, sizeof s->content));
    GP_REQUIRE_EQ(artefacts_open(&s->store, &s->f.port, "/d", 1u << 20, NULL), 0);
}

static void shelf_end(struct shelf *s)
{
    frail_deinit(&s->f);
}

static int receive(struct shelf *s, struct gp_error *err)
{
    struct artefact_in in = {0};
    int rc = artefact_begin(&s->store, gp_str_of(s->sha), sizeof s->content, &in, err);

    for (uint32_t i = 0; rc >= 0 && i < PIECES; i++) {
        rc = artefact_write(&in, (uint64_t)i * PIECE,
                            gp_bytes_of(&s->content[(size_t)i * PIECE], PIECE), err);
    }
    if (rc >= 0) {
        rc = artefact_commit(&in, err);
    }
    artefact_drop(&in);
    return rc;
}

static int add(struct shelf *s, struct gp_error *err)
{
    char sha[SHA256_HEX_SIZE];
    uint64_t size;

    return artefacts_add_file(&s->store, SOURCE, sha, sizeof sha, &size, err);
}

struct checked {
    int code;
    struct gp_error *err;
};

static void on_checked(void *user, int code, const struct gp_error *err)
{
    struct checked *c = user;

    c->code = code;
    if (c->err) {
        *c->err = *err;
    }
}

static int verify(struct shelf *s, struct gp_error *err)
{
    struct checked checked = {.code = 1, .err = err};

    artefacts_check(&s->store, gp_str_of(s->sha), on_checked, &checked);
    return checked.code;
}

/* The master or worker starts again and clears what an earlier life left. */
static int open_again(struct shelf *s, struct gp_error *err)
{
    return artefacts_open(&s->store, &s->f.port, "/d", 1u << 20, err);
}

/* What is under the name is the file, or nothing. */
static void check_shelf(struct shelf *s, bool must_be_there)
{
    char path[ARTEFACT_PATH_MAX];
    gp_bytes found;

    GP_REQUIRE(artefact_path_format("/d", gp_str_of(s->sha), path, sizeof path) >= 0);
    found = frail_get(&s->f, path);
    GP_CHECK(found.ptr != NULL || !must_be_there);
    if (found.ptr != NULL) {
        GP_REQUIRE_EQ(found.len, sizeof s->content);
        GP_CHECK_MEM_EQ(found.ptr, s->content, sizeof s->content);
    }
}

struct fault {
    int code;
    bool is_sticky;
};

/* False when the act has no nth call. */
static bool fail_one(act_fn act, uint64_t nth, struct fault fault, uint64_t seed, bool is_there)
{
    struct shelf s;
    struct gp_error err = {0};
    bool has_failed;
    int rc;

    shelf_begin(&s, seed);
    if (is_there) {
        GP_REQUIRE_EQ(receive(&s, NULL), 0);
    }
    frail_arm(&s.f, nth, fault.code, fault.is_sticky);
    rc = act(&s, &err);
    has_failed = s.f.has_failed;
    GP_CHECK(rc >= 0 || has_failed);
    GP_CHECK(rc >= 0 || (err.code == rc && err.text[0] != '\0'));
    GP_CHECK(rc >= 0 || rc == (fault.code == FRAIL_CRASH ? GP_EIO : fault.code) || act == verify);
    GP_CHECK(rc != GP_ECHECKSUM); /* a disk that does not answer is no damage */
    GP_CHECK_EQ(s.store.incoming, 0);
    check_shelf(&s, is_there);
    for (int power_lost = 0; power_lost <= 1; power_lost++) {
        frail_restart(&s.f, power_lost);
        check_shelf(&s, is_there || (rc >= 0 && act == receive));
    }
    GP_REQUIRE_EQ(open_again(&s, NULL), 0);
    GP_CHECK_EQ(receive(&s, NULL), 0);
    check_shelf(&s, true);
    GP_CHECK_EQ(verify(&s, NULL), 0);
    shelf_end(&s);
    return has_failed;
}

/* How many calls were made to fail. */
static uint64_t fail_each(act_fn act, bool is_there)
{
    static const struct fault faults[] = {{GP_EIO, false},
                                          {GP_EIO, true},
                                          {GP_ENOSPC, false},
                                          {GP_ENOSPC, true},
                                          {FRAIL_CRASH, true}};
    uint64_t calls = 0;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            uint64_t nth = 1;

            while (nth < 100 && fail_one(act, nth, faults[i], seed, is_there)) {
                nth++;
            }
            calls += nth - 1;
        }
    }
    return calls / (SEEDS * sizeof faults / sizeof faults[0]);
}

GP_TEST(artefacts_faults, never_give_a_name_to_half_a_file)
{
    GP_CHECK(fail_each(receive, false) >= 8); /* open, pieces, sync, folders, rename, remove */
}

/* A second upload of a file that is there: whatever becomes of it, the first one stays. */
GP_TEST(artefacts_faults, keep_what_is_there)
{
    GP_CHECK(fail_each(receive, true) >= 8);
}

GP_TEST(artefacts_faults, are_told_when_a_file_of_this_host_is_added)
{
    GP_CHECK(fail_each(add, false) >= 14);
}

GP_TEST(artefacts_faults, are_not_taken_for_damage)
{
    GP_CHECK(fail_each(verify, true) >= 4);
}

GP_TEST(artefacts_faults, do_not_harm_when_the_store_is_opened)
{
    GP_CHECK(fail_each(open_again, true) >= 1);
}
