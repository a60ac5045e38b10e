/* file/follow: growth, rotation, truncation, and going on where a snapshot stood. */
#include <gearpump/testkit.h>

#include "files.h"

extern const struct gp_processor file_follow;

static struct gp_kit *follow_new(const char *path, const char *from)
{
    struct gp_kit *kit = gp_kit_new(&file_follow, 0, 1);

    GP_REQUIRE(kit != NULL);
    GP_CHECK_EQ(gp_kit_set(kit, "path", path), GP_OK);
    GP_CHECK_EQ(gp_kit_set(kit, "from", from), GP_OK);
    return kit;
}

/* A look, and all that it finds. */
static void poll_all(struct gp_kit *kit)
{
    int32_t rc;

    gp_kit_advance(kit, 1000000000);
    (void)gp_kit_run(kit);
    while ((rc = gp_kit_poll(kit, 100)) == GP_MORE) {
    }
    GP_CHECK_EQ(rc, GP_IDLE);
}

static void append(struct folder *f, const char *name, const char *text)
{
    FILE *file = fopen(folder_file(f, name), "a");

    GP_REQUIRE(file != NULL);
    GP_CHECK(fputs(text, file) >= 0);
    GP_REQUIRE_EQ(fclose(file), 0);
}

static void move(struct folder *f, const char *from, const char *to)
{
    char path[192];

    (void)snprintf(path, sizeof path, "%s/%s", f->path, from);
    GP_REQUIRE_EQ(rename(path, folder_file(f, to)), 0);
}

/* The lines that came since the last call are these, separated by blanks. */
static void expect(struct gp_kit *kit, const char *lines)
{
    char got[512] = "";
    size_t len = 0;

    for (uint32_t i = 0; i < gp_kit_count(kit, 0); i++) {
        const struct gp_row *row = gp_kit_row(kit, 0, i);
        len += (size_t)snprintf(got + len, sizeof got - len, "%s%.*s", i > 0 ? " " : "",
                                (int)row->value_len, (const char *)row->value);
    }
    GP_CHECK_STR_EQ(got, lines);
    gp_kit_clear(kit);
}

GP_TEST(file_follow, reads_what_is_appended_line_by_line)
{
    struct folder f = folder_new();
    struct gp_kit *kit = follow_new(folder_file(&f, "log"), "begin");

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK); /* it is not there yet */
    poll_all(kit);
    expect(kit, "");
    append(&f, "log", "one\ntwo\nthr");
    poll_all(kit);
    expect(kit, "one two");
    append(&f, "log", "ee\n");
    poll_all(kit);
    expect(kit, "three");
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(file_follow, may_begin_at_the_end)
{
    struct folder f = folder_new();
    struct gp_kit *kit;

    append(&f, "log", "old\n");
    kit = follow_new(folder_file(&f, "log"), "end");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    append(&f, "log", "new\n");
    poll_all(kit);
    expect(kit, "new");
    gp_kit_free(kit);
    folder_remove(&f);
}

/* The old file to its last byte, then the new one. */
GP_TEST(file_follow, goes_through_rotation)
{
    struct folder f = folder_new();
    struct gp_kit *kit = follow_new(folder_file(&f, "log"), "begin");

    append(&f, "log", "a\n");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    poll_all(kit);
    move(&f, "log", "log.1");
    append(&f, "log.1", "b\nc");
    poll_all(kit);
    expect(kit, "a b"); /* the path leads nowhere: the old one may still grow */
    append(&f, "log.1", "c\nd");
    append(&f, "log", "e\n");
    poll_all(kit);
    expect(kit, "cc d e");
    GP_CHECK_EQ(gp_kit_counter(kit, "rotated"), 1);
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(file_follow, begins_again_when_a_file_was_truncated)
{
    struct folder f = folder_new();
    struct gp_kit *kit = follow_new(folder_file(&f, "log"), "begin");

    append(&f, "log", "first\nsecond\nhalf");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    poll_all(kit);
    folder_write(&f, "log", "new\n");
    poll_all(kit);
    expect(kit, "first second new");
    GP_CHECK_EQ(gp_kit_counter(kit, "truncated"), 1);
    gp_kit_free(kit);
    folder_remove(&f);
}

/* The file is found again under the name that rotation gave it, and read to its end first. */
GP_TEST(file_follow, goes_on_behind_a_snapshot_through_a_rotation)
{
    struct folder f = folder_new();
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *kit = follow_new(folder_file(&f, "log"), "begin");

    append(&f, "log", "a\nb\nha");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    poll_all(kit);
    expect(kit, "a b");
    GP_CHECK_EQ(gp_kit_snapshot(kit, state), GP_OK);
    gp_kit_free(kit);

    append(&f, "log", "lf\nc\n");
    move(&f, "log", "log.1");
    append(&f, "log", "d\n");
    kit = follow_new(folder_file(&f, "log"), "begin");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, 0, 1), GP_OK);
    poll_all(kit);
    expect(kit, "half c d");
    gp_kit_free(kit);

    GP_REQUIRE_EQ(remove(folder_file(&f, "log.1")), 0);
    kit = follow_new(folder_file(&f, "log"), "begin");
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, 0, 1), GP_OK);
    poll_all(kit);
    expect(kit, "d");
    GP_CHECK_EQ(gp_kit_counter(kit, "lost"), 1);
    gp_kit_free(kit);
    gp_kit_state_free(state);
    folder_remove(&f);
}

GP_TEST(file_follow, says_what_it_cannot_follow)
{
    struct folder f = folder_new();
    struct gp_kit *kit = follow_new(f.path, "begin");
    char text[256];

    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    (void)snprintf(text, sizeof text, "cannot follow '%s': no regular file", f.path);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);

    append(&f, "log", "short\nmuch too long\n");
    kit = follow_new(folder_file(&f, "log"), "begin");
    GP_CHECK_EQ(gp_kit_set(kit, "line.max", "5"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_poll(kit, 100), GP_FAIL);
    (void)snprintf(text, sizeof text,
                   "the line at offset 6 of '%s' is longer than line.max, 5 bytes", f.name);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
    folder_remove(&f);
}
