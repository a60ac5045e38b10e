/* What a journal promises to who uses it, on a disk that works. */
#include "gp_test.h"
#include "journal_model.h"
#include "raft/journal.h"

struct desk {
    struct frail f;
    struct journal *j;
    struct gp_error err;
};

static void desk_begin(struct desk *d)
{
    memset(d, 0, sizeof(*d));
    frail_init(&d->f, 1);
    GP_REQUIRE_EQ(model_open(&d->f, &d->j, &d->err), 0);
}

/* With a member. */
static void desk_begin_formed(struct desk *d)
{
    desk_begin(d);
    GP_REQUIRE_EQ(journal_set_member(d->j, 7, "group/1", NULL), 0);
}

static void desk_reopen(struct desk *d)
{
    journal_close(d->j);
    d->j = NULL;
    frail_restart(&d->f, true);
    GP_REQUIRE_EQ(model_open(&d->f, &d->j, &d->err), 0);
}

static void desk_end(struct desk *d)
{
    journal_close(d->j);
    frail_deinit(&d->f);
}

static int append_text(struct desk *d, uint64_t term, const char *text)
{
    const struct journal_entry entry = {term, 1, gp_bytes_of(text, strlen(text))};

    return journal_append(d->j, &entry, 1, &d->err);
}

static void append_many(struct desk *d, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        GP_REQUIRE_EQ(append_text(d, 3, "some bytes of an entry"), 0);
    }
}

static bool entry_is(struct desk *d, uint64_t index, uint64_t term, const char *text)
{
    struct buf buf = {0};
    uint64_t found_term = 0;
    uint16_t type = 0;
    bool is = journal_read(d->j, index, &found_term, &type, &buf, &d->err) == 0 &&
              found_term == term && type == 1 && strcmp(buf_c(&buf), text) == 0;

    buf_deinit(&buf);
    return is;
}

static int put_text(struct desk *d, uint64_t index, uint64_t term, const char *text,
                    uint64_t trailing, bool install)
{
    const struct journal_snapshot snapshot = {.index = index,
                                              .term = term,
                                              .members_index = 1,
                                              .members = gp_bytes_of("abc", 3),
                                              .data = gp_bytes_of(text, strlen(text))};

    return journal_snapshot_put(d->j, &snapshot, trailing, install, &d->err);
}

static uint32_t files(const struct desk *d, const char *prefix)
{
    char path[FRAIL_NAME_MAX];
    uint32_t count = 0;

    (void)snprintf(path, sizeof path, "%s/%s", MODEL_FOLDER, prefix);
    for (uint32_t i = 0; i < FRAIL_FILES_MAX; i++) {
        count += strncmp(d->f.now[i].path, path, strlen(path)) == 0;
    }
    return count;
}

/* ---- who ---- */

GP_TEST(journal, of_an_empty_folder_belongs_to_nobody)
{
    struct desk d;
    struct buf buf = {0};
    struct journal_snapshot snapshot;
    uint64_t term;
    uint16_t type;

    desk_begin(&d);
    GP_CHECK_EQ(journal_member(d.j), 0);
    GP_CHECK_STR_EQ(journal_group(d.j), "");
    GP_CHECK_EQ(journal_first(d.j), 1);
    GP_CHECK_EQ(journal_last(d.j), 0);
    GP_CHECK_EQ(journal_set_vote(d.j, 1, 1, NULL), GP_ESTATE);
    GP_CHECK_EQ(append_text(&d, 1, "x"), GP_ESTATE);
    GP_CHECK_EQ(journal_truncate(d.j, 1, NULL), GP_ESTATE);
    GP_CHECK_EQ(put_text(&d, 1, 1, "x", 0, true), GP_ESTATE);
    GP_CHECK_EQ(journal_read(d.j, 1, &term, &type, &buf, NULL), GP_ESTATE);
    GP_CHECK_EQ(journal_snapshot_get(d.j, &snapshot, &buf, NULL), GP_ESTATE);
    GP_CHECK_EQ(files(&d, ""), 0);
    desk_reopen(&d);
    GP_CHECK_EQ(journal_member(d.j), 0);
    desk_end(&d);
}

GP_TEST(journal, belongs_to_one_member_for_ever)
{
    char long_group[JOURNAL_GROUP_MAX + 1] = "";
    struct desk d;

    desk_begin(&d);
    memset(long_group, 'g', JOURNAL_GROUP_MAX);
    GP_CHECK_EQ(journal_set_member(d.j, 0, "group", NULL), GP_EINVAL);
    GP_CHECK_EQ(journal_set_member(d.j, 5, long_group, NULL), GP_EINVAL);
    long_group[JOURNAL_GROUP_MAX - 1] = '\0';
    GP_CHECK_EQ(journal_set_member(d.j, 5, long_group, NULL), 0);
    GP_CHECK_EQ(journal_set_member(d.j, 5, long_group, &d.err), GP_ESTATE);
    GP_CHECK(strstr(d.err.text, MODEL_FOLDER) != NULL);
    desk_reopen(&d);
    GP_CHECK_EQ(journal_member(d.j), 5);
    GP_CHECK_STR_EQ(journal_group(d.j), long_group);
    GP_CHECK_EQ(journal_set_member(d.j, 6, "group", NULL), GP_ESTATE);
    desk_end(&d);
}

GP_TEST(journal, takes_a_folder_with_a_fitting_name)
{
    char path[2000];
    struct desk d;
    struct journal *j = NULL;
    struct journal_options options = {.folder = path};

    desk_begin(&d);
    options.port = &d.f.port;
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[sizeof path - 1] = '\0';
    GP_CHECK_EQ(journal_open(&options, &j, &d.err), GP_EINVAL);
    options.folder = "relative";
    GP_CHECK_EQ(journal_open(&options, &j, &d.err), GP_EINVAL);
    options.folder = "/fine";
    options.file_bytes = JOURNAL_FILE_MAX + 1;
    GP_CHECK_EQ(journal_open(&options, &j, &d.err), GP_EINVAL);
    GP_CHECK(j == NULL);
    journal_close(NULL);
    desk_end(&d);
}

/* ---- votes ---- */

GP_TEST(journal, keeps_term_and_vote)
{
    struct desk d;

    desk_begin_formed(&d);
    GP_CHECK_EQ(journal_term(d.j), 0);
    GP_CHECK_EQ(journal_vote(d.j), 0);
    GP_CHECK_EQ(journal_set_vote(d.j, 4, 0, NULL), 0);
    GP_CHECK_EQ(journal_set_vote(d.j, 4, 9, NULL), 0);
    GP_CHECK_EQ(journal_set_vote(d.j, 3, 9, NULL), GP_EINVAL);
    desk_reopen(&d);
    GP_CHECK_EQ(journal_term(d.j), 4);
    GP_CHECK_EQ(journal_vote(d.j), 9);
    desk_end(&d);
}

GP_TEST(journal, does_not_write_a_vote_it_has)
{
    struct desk d;
    uint64_t calls;

    desk_begin_formed(&d);
    GP_CHECK_EQ(journal_set_vote(d.j, 4, 9, NULL), 0);
    calls = d.f.calls;
    GP_CHECK_EQ(journal_set_vote(d.j, 4, 9, NULL), 0);
    GP_CHECK_EQ(d.f.calls, calls);
    desk_end(&d);
}

/* ---- entries ---- */

GP_TEST(journal, gives_back_what_was_appended)
{
    const struct journal_entry entries[] = {
        {1, 1, {"one", 3}}, {1, 1, {"", 0}}, {2, 1, {"three is longer", 15}}};
    struct desk d;

    desk_begin_formed(&d);
    GP_CHECK_EQ(journal_append(d.j, entries, 3, NULL), 0);
    GP_CHECK_EQ(journal_append(d.j, NULL, 0, NULL), 0);
    for (int life = 0; life < 3; life++) {
        GP_CHECK_EQ(journal_first(d.j), 1);
        GP_CHECK_EQ(journal_last(d.j), 3);
        GP_CHECK(entry_is(&d, 1, 1, "one"));
        GP_CHECK(entry_is(&d, 2, 1, ""));
        GP_CHECK(entry_is(&d, 3, 2, "three is longer"));
        GP_CHECK(!entry_is(&d, 4, 2, ""));
        GP_CHECK_EQ(d.err.code, GP_ENOENT);
        GP_CHECK(!entry_is(&d, 0, 0, ""));
        desk_reopen(&d);
    }
    desk_end(&d);
}

GP_TEST(journal, syncs_once_for_an_append)
{
    struct desk d;
    uint64_t before;

    desk_begin_formed(&d);
    append_many(&d, 1);
    before = d.f.syncs;
    append_many(&d, 1);
    GP_CHECK_EQ(d.f.syncs - before, 1);
    desk_end(&d);
}

GP_TEST(journal, goes_on_in_another_file_when_one_is_full)
{
    struct desk d;

    desk_begin_formed(&d);
    append_many(&d, 50);
    GP_CHECK(files(&d, "log-") > 5);
    GP_CHECK_EQ(files(&d, "state-"), 2);
    desk_reopen(&d);
    GP_CHECK_EQ(journal_last(d.j), 50);
    GP_CHECK(entry_is(&d, 1, 3, "some bytes of an entry"));
    GP_CHECK(entry_is(&d, 50, 3, "some bytes of an entry"));
    desk_end(&d);
}

GP_TEST(journal, forgets_what_is_truncated)
{
    struct desk d;

    desk_begin_formed(&d);
    append_many(&d, 20);
    GP_CHECK_EQ(journal_truncate(d.j, 5, NULL), 0);
    GP_CHECK_EQ(journal_last(d.j), 4);
    GP_CHECK_EQ(append_text(&d, 8, "another"), 0);
    GP_CHECK_EQ(journal_truncate(d.j, 6, NULL), 0); /* nothing to forget */
    GP_CHECK_EQ(journal_truncate(d.j, 7, NULL), GP_EINVAL);
    GP_CHECK_EQ(journal_truncate(d.j, 0, NULL), GP_EINVAL);
    for (int life = 0; life < 2; life++) {
        GP_CHECK_EQ(journal_last(d.j), 5);
        GP_CHECK(entry_is(&d, 4, 3, "some bytes of an entry"));
        GP_CHECK(entry_is(&d, 5, 8, "another"));
        desk_reopen(&d);
    }
    GP_CHECK_EQ(journal_truncate(d.j, 1, NULL), 0);
    desk_reopen(&d);
    GP_CHECK_EQ(journal_first(d.j), 1);
    GP_CHECK_EQ(journal_last(d.j), 0);
    desk_end(&d);
}

GP_TEST(journal, bounds_an_append)
{
    struct journal_entry entries[40];
    struct desk d;
    char *bytes = calloc(1, JOURNAL_ENTRY_MAX + 1);
    struct buf buf = {0};
    uint64_t term;
    uint16_t type;

    GP_REQUIRE(bytes != NULL);
    memset(bytes, 'e', JOURNAL_ENTRY_MAX + 1);
    desk_begin_formed(&d);
    entries[0] = (struct journal_entry){1, 1, {bytes, JOURNAL_ENTRY_MAX + 1}};
    GP_CHECK_EQ(journal_append(d.j, entries, 1, NULL), GP_ETOOBIG);
    for (size_t i = 0; i < 40; i++) {
        entries[i] = (struct journal_entry){1, 1, {bytes, JOURNAL_ENTRY_MAX}};
    }
    GP_CHECK_EQ(journal_append(d.j, entries, 40, &d.err), GP_ETOOBIG);
    GP_CHECK_EQ(journal_broken(d.j), 0);
    GP_CHECK_EQ(journal_last(d.j), 0);
    GP_CHECK_EQ(journal_append(d.j, entries, 31, NULL), 0);
    desk_reopen(&d);
    GP_CHECK_EQ(journal_last(d.j), 31);
    GP_CHECK_EQ(journal_read(d.j, 31, &term, &type, &buf, NULL), 0);
    GP_CHECK_EQ(buf_len(&buf), JOURNAL_ENTRY_MAX);
    GP_CHECK_MEM_EQ(buf_bytes(&buf).ptr, bytes, JOURNAL_ENTRY_MAX);
    buf_deinit(&buf);
    free(bytes);
    desk_end(&d);
}

/* ---- snapshots ---- */

GP_TEST(journal, forgets_entries_that_a_snapshot_stands_for)
{
    struct desk d;
    uint32_t before;

    desk_begin_formed(&d);
    append_many(&d, 50);
    before = files(&d, "log-");
    GP_CHECK_EQ(put_text(&d, 40, 3, "forty", 10, false), 0);
    GP_CHECK_EQ(put_text(&d, 45, 3, "forty-five", 10, false), 0);
    GP_CHECK(files(&d, "log-") <= before / 2);
    GP_CHECK_EQ(files(&d, "snapshot"), 1);
    for (int life = 0; life < 2; life++) {
        struct journal_snapshot snapshot = {0};
        struct buf buf = {0};

        GP_CHECK_EQ(journal_snapshot_index(d.j), 45);
        GP_CHECK_EQ(journal_first(d.j), 36);
        GP_CHECK_EQ(journal_last(d.j), 50);
        GP_CHECK(!entry_is(&d, 35, 3, "some bytes of an entry"));
        GP_CHECK(entry_is(&d, 36, 3, "some bytes of an entry"));
        GP_CHECK_EQ(buf_append_c(&buf, "before"), 0);
        GP_CHECK_EQ(journal_snapshot_get(d.j, &snapshot, &buf, NULL), 0);
        GP_CHECK_EQ(snapshot.index, 45);
        GP_CHECK_EQ(snapshot.term, 3);
        GP_CHECK_EQ(snapshot.members_index, 1);
        GP_CHECK_EQ(snapshot.members.len, 3);
        GP_CHECK_EQ(snapshot.data.len, 10);
        GP_CHECK_MEM_EQ(snapshot.data.ptr, "forty-five", 10);
        buf_deinit(&buf);
        desk_reopen(&d);
    }
    GP_CHECK_EQ(journal_truncate(d.j, 45, NULL), GP_EINVAL);
    GP_CHECK_EQ(journal_truncate(d.j, 46, NULL), 0);
    desk_end(&d);
}

GP_TEST(journal, installs_a_snapshot_instead_of_its_log)
{
    struct desk d;

    desk_begin_formed(&d);
    append_many(&d, 50);
    GP_CHECK_EQ(put_text(&d, 30, 9, "thirty", 1000, true), 0);
    GP_CHECK_EQ(files(&d, "log-"), 1);
    for (int life = 0; life < 2; life++) {
        GP_CHECK_EQ(journal_first(d.j), 31);
        GP_CHECK_EQ(journal_last(d.j), 30);
        GP_CHECK_EQ(journal_snapshot_index(d.j), 30);
        desk_reopen(&d);
    }
    GP_CHECK_EQ(append_text(&d, 9, "next"), 0);
    GP_CHECK(entry_is(&d, 31, 9, "next"));
    GP_CHECK_EQ(put_text(&d, 100, 9, "far", 0, true), 0);
    GP_CHECK_EQ(journal_last(d.j), 100);
    desk_end(&d);
}

GP_TEST(journal, refuses_a_snapshot_of_what_it_has_not)
{
    struct journal_snapshot big = {.index = 3, .term = 3};
    struct desk d;

    desk_begin_formed(&d);
    append_many(&d, 10);
    GP_CHECK_EQ(put_text(&d, 11, 3, "", 0, false), GP_EINVAL);
    GP_CHECK_EQ(put_text(&d, 3, 4, "", 0, false), GP_EINVAL);
    GP_CHECK_EQ(put_text(&d, 0, 3, "", 0, true), GP_EINVAL);
    GP_CHECK_EQ(put_text(&d, UINT64_MAX, 3, "", 0, true), GP_EINVAL);
    GP_CHECK_EQ(put_text(&d, 5, 3, "", 0, false), 0);
    GP_CHECK_EQ(put_text(&d, 5, 3, "", 0, false), GP_EINVAL);
    GP_CHECK_EQ(put_text(&d, 4, 3, "", 0, true), GP_EINVAL);
    big.members.len = JOURNAL_MEMBERS_MAX + 1;
    GP_CHECK_EQ(journal_snapshot_put(d.j, &big, 0, false, NULL), GP_ETOOBIG);
    big.members.len = 0;
    big.data.len = JOURNAL_SNAPSHOT_MAX + 1;
    GP_CHECK_EQ(journal_snapshot_put(d.j, &big, 0, false, NULL), GP_ETOOBIG);
    GP_CHECK_EQ(journal_broken(d.j), 0);
    GP_CHECK_EQ(journal_first(d.j), 6);
    desk_end(&d);
}

GP_TEST(journal, has_no_snapshot_at_first)
{
    struct journal_snapshot snapshot;
    struct buf buf = {0};
    struct desk d;

    desk_begin_formed(&d);
    GP_CHECK_EQ(journal_snapshot_index(d.j), 0);
    GP_CHECK_EQ(journal_snapshot_get(d.j, &snapshot, &buf, NULL), GP_ENOENT);
    desk_end(&d);
}

/* A buffer that is too small for the snapshot is an error like any other. */
GP_TEST(journal, gives_a_snapshot_that_fits)
{
    struct journal_snapshot snapshot;
    struct buf buf;
    struct desk d;

    buf_init(&buf, 100);
    desk_begin_formed(&d);
    append_many(&d, 2);
    GP_CHECK_EQ(put_text(&d, 2, 3, "a snapshot that takes more than the hundred bytes", 0, false),
                0);
    GP_CHECK_EQ(journal_snapshot_get(d.j, &snapshot, &buf, NULL), GP_ETOOBIG);
    GP_CHECK_EQ(buf_len(&buf), 0);
    buf_deinit(&buf);
    desk_end(&d);
}

/* ---- breaking ---- */

static void check_broken(struct desk *d, int code)
{
    struct journal_snapshot snapshot;
    struct buf buf = {0};
    uint64_t term;
    uint16_t type;

    GP_CHECK_EQ(journal_broken(d->j), code);
    GP_CHECK_EQ(append_text(d, 3, "x"), code);
    GP_CHECK_EQ(journal_set_vote(d->j, 100, 1, NULL), code);
    GP_CHECK_EQ(journal_truncate(d->j, 1, NULL), code);
    GP_CHECK_EQ(put_text(d, 2, 3, "x", 0, false), code);
    GP_CHECK_EQ(journal_set_member(d->j, 9, "x", NULL), code);
    GP_CHECK_EQ(journal_read(d->j, 1, &term, &type, &buf, NULL), code);
    GP_CHECK_EQ(journal_snapshot_get(d->j, &snapshot, &buf, NULL), code);
    buf_deinit(&buf);
}

GP_TEST(journal, is_broken_after_a_write_that_failed)
{
    static const int codes[][2] = {{GP_EIO, GP_EIO}, {GP_ENOSPC, GP_ENOSPC}, {GP_EACCES, GP_EIO}};

    for (int i = 0; i < 3; i++) {
        struct desk d;

        desk_begin_formed(&d);
        append_many(&d, 3);
        GP_CHECK_EQ(journal_broken(d.j), 0);
        frail_arm(&d.f, 1, codes[i][0], false);
        GP_CHECK_EQ(append_text(&d, 3, "lost"), codes[i][1]);
        GP_CHECK_EQ(d.err.code, codes[i][1]);
        GP_CHECK(strstr(d.err.text, "/log-1") != NULL);
        check_broken(&d, codes[i][1]);
        GP_CHECK(strstr(d.err.text, "/log-1") != NULL); /* later calls say the cause, too */
        desk_reopen(&d);
        GP_CHECK_EQ(journal_broken(d.j), 0);
        GP_CHECK(journal_last(d.j) >= 3);
        GP_CHECK_EQ(append_text(&d, 3, "again"), 0);
        desk_end(&d);
    }
}

/* ---- all of it ---- */

GP_TEST(journal, agrees_with_a_model_over_long_lives)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct desk d;
        struct model m;
        struct rng rng;

        rng_init(&rng, seed);
        model_init(&m);
        desk_begin(&d);
        for (int i = 0; i < 300; i++) {
            const struct act act = model_draw(&m, &rng);
            const char *how;

            GP_REQUIRE_EQ(act_run(&act, &m, &d.f, &d.j, &d.err), 0);
            model_apply(&m, &act);
            how = model_differs(&m, d.j);
            if (how != NULL) {
                GP_TEST_FAIL("seed %" PRIu64 ", act %d of kind %d: %s", seed, i, (int)act.kind,
                             how);
                break;
            }
        }
        desk_reopen(&d);
        GP_CHECK(model_differs(&m, d.j) == NULL);
        GP_CHECK_EQ(files(&d, "snapshot"), m.snapshot != 0);
        desk_end(&d);
    }
}
