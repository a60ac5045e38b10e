/*
 * Every allocation of a journal, refused in turn: the call says GP_ENOMEM, the journal is as it was
 * and not broken, the next try works, and what is on the disk was not touched by the try.
 */
#include "gp_test.h"
#include "journal_model.h"
#include "nomem.h"

static const struct frail *disk;

static bool is_of_disk(void)
{
    return disk->inside > 0;
}

/* ---- what is tried ---- */

#define COUNT 300u /* entries of an append: more than there is room for at first */

struct bench {
    struct frail f;
    struct journal *j;
    struct journal_entry entries[COUNT];
    struct buf buf;
};

typedef int (*try_fn)(struct bench *b);

static int try_open(struct bench *b)
{
    journal_close(b->j);
    b->j = NULL;
    return model_open(&b->f, &b->j, NULL);
}

static int try_append(struct bench *b)
{
    return journal_append(b->j, b->entries, COUNT, NULL);
}

static int try_truncate(struct bench *b)
{
    return journal_truncate(b->j, journal_last(b->j), NULL);
}

static int put(struct bench *b, bool install)
{
    const struct journal_snapshot snapshot = {
        .index = journal_last(b->j), .term = 3, .data = {"some data", 9}};

    return journal_snapshot_put(b->j, &snapshot, 2, install, NULL);
}

static int try_snapshot(struct bench *b)
{
    return put(b, false);
}

static int try_install(struct bench *b)
{
    return put(b, true);
}

static int try_read(struct bench *b)
{
    uint64_t term;
    uint16_t type;

    buf_deinit(&b->buf);
    return journal_read(b->j, journal_first(b->j), &term, &type, &b->buf, NULL);
}

static int try_get(struct bench *b)
{
    struct journal_snapshot snapshot;

    buf_deinit(&b->buf);
    return journal_snapshot_get(b->j, &snapshot, &b->buf, NULL);
}

static int try_vote(struct bench *b)
{
    return journal_set_vote(b->j, journal_term(b->j) + 1, 2, NULL);
}

/* ---- trying ---- */

/* Entries 3 to 9 and a snapshot at 5; the last append is not known to be synced. Not open. */
static void bench_begin(struct bench *b)
{
    const struct journal_snapshot snapshot = {
        .index = 5, .term = 3, .members = {"abc", 3}, .data = {"five", 4}};

    memset(b, 0, sizeof(*b));
    frail_init(&b->f, 1);
    for (uint32_t i = 0; i < COUNT; i++) {
        b->entries[i] = (struct journal_entry){3, 1, {"some bytes of an entry", 22}};
    }
    GP_REQUIRE_EQ(model_open(&b->f, &b->j, NULL), 0);
    GP_REQUIRE_EQ(journal_set_member(b->j, 7, "group/1", NULL), 0);
    GP_REQUIRE_EQ(journal_append(b->j, b->entries, 7, NULL), 0);
    GP_REQUIRE_EQ(journal_snapshot_put(b->j, &snapshot, 3, false, NULL), 0);
    frail_arm(&b->f, 3, FRAIL_CRASH, false); /* write, sync, mark */
    GP_REQUIRE(journal_append(b->j, b->entries, 2, NULL) < 0);
    journal_close(b->j);
    b->j = NULL;
    frail_restart(&b->f, false);
}

static void bench_end(struct bench *b)
{
    journal_close(b->j);
    buf_deinit(&b->buf);
    frail_deinit(&b->f);
}

/* Refuses the nth allocation of `act`; false when it has no such. */
static bool refuse_one(try_fn act, long n, long *failed)
{
    struct bench *b = calloc(1, sizeof(*b));
    bool was_refused;
    int rc;

    GP_REQUIRE(b != NULL);
    bench_begin(b);
    /* Twice: the second has nothing to copy, so no memory to write from. */
    GP_REQUIRE(act == try_open || (try_open(b) == 0 && try_open(b) == 0));
    disk = &b->f;
    nomem_spare(is_of_disk);
    nomem_arm(n, 1);
    rc = act(b);
    was_refused = nomem_disarm();
    nomem_spare(NULL);
    GP_CHECK(rc == 0 || (was_refused && rc == GP_ENOMEM));
    if (rc < 0) {
        GP_REQUIRE(b->j != NULL || try_open(b) == 0);
        GP_CHECK_EQ(journal_broken(b->j), 0);
        GP_CHECK_EQ(journal_first(b->j), 3);
        GP_CHECK_EQ(journal_last(b->j), 9);
        GP_CHECK_EQ(act(b), 0);
    }
    GP_CHECK_EQ(try_open(b), 0);
    *failed += rc < 0;
    bench_end(b);
    free(b);
    return was_refused;
}

/* How many allocations the act cannot do without. */
static long refuse_each(try_fn act)
{
    long failed = 0;

    for (long n = 0; n < 100 && refuse_one(act, n, &failed); n++) {
    }
    return failed;
}

GP_TEST(journal_nomem, is_an_error_that_changes_nothing)
{
    GP_CHECK(refuse_each(try_append) >= 4); /* places, records, a file's header, bytes */
    GP_CHECK_EQ(refuse_each(try_truncate), 1);
    GP_CHECK_EQ(refuse_each(try_snapshot), 0); /* sweeping may fail */
    GP_CHECK_EQ(refuse_each(try_install), 1);
    GP_CHECK_EQ(refuse_each(try_read), 1);
    GP_CHECK_EQ(refuse_each(try_get), 1);
    GP_CHECK_EQ(refuse_each(try_vote), 0);
}

GP_TEST(journal_nomem, does_not_harm_what_is_opened)
{
    GP_CHECK(refuse_each(try_open) >= 5);
}
