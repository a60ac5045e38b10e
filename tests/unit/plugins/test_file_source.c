/*
 * file/source: every line once, however files are shared among tasks.
 */
#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "files.h"

static struct gp_kit *source_new(const char *path, uint32_t index, uint32_t parallelism)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "source"), index, parallelism);

    GP_REQUIRE(kit != NULL);
    if (path) {
        GP_REQUIRE_EQ(gp_kit_set(kit, "path", path), GP_OK);
    }
    return kit;
}

/* Polls to the end; full outputs are left as they are. */
static int32_t drain(struct gp_kit *kit, uint32_t budget)
{
    int32_t rc;

    while ((rc = gp_kit_poll(kit, budget)) == GP_MORE) {
    }
    return rc;
}

struct text {
    char bytes[1 << 16];
    size_t len;
};

/* What came out, each line with a newline behind it. */
static void collect(const struct gp_kit *kit, struct text *text)
{
    const struct gp_row *row;

    for (uint32_t i = 0; (row = gp_kit_row(kit, 0, i)) != NULL; i++) {
        GP_REQUIRE(text->len + row->value_len + 1 < sizeof text->bytes);
        memcpy(text->bytes + text->len, row->value, row->value_len);
        text->len += row->value_len;
        text->bytes[text->len++] = '\n';
    }
    text->bytes[text->len] = '\0';
}

/* What all tasks of a source emit, one after the other. */
static void read_shared(const char *path, uint32_t parallelism, uint32_t budget, struct text *text)
{
    text->len = 0;
    for (uint32_t i = 0; i < parallelism; i++) {
        struct gp_kit *kit = source_new(path, i, parallelism);
        GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
        GP_CHECK_EQ(drain(kit, budget), GP_END);
        collect(kit, text);
        gp_kit_free(kit);
    }
}

static void expect_failure(struct gp_kit *kit, const char *text)
{
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
}

GP_TEST(file_source, emits_lines_without_newline_and_nothing_else_changed)
{
    struct folder f = folder_new();
    struct gp_kit *kit;

    folder_write_bytes(&f, "in", "one\n\ntwo\r\n\0\xff\nlast", 17);
    kit = source_new(f.name, 0, 1);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(drain(kit, 100), GP_END);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 5);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "one"));
    GP_CHECK(gp_kit_row_is(kit, 0, 1, NULL, ""));
    GP_CHECK(gp_kit_row_is(kit, 0, 2, NULL, "two\r"));
    GP_CHECK_EQ(gp_kit_row(kit, 0, 3)->value_len, 2);
    GP_CHECK_MEM_EQ(gp_kit_row(kit, 0, 3)->value, "\0\xff", 2);
    GP_CHECK(gp_kit_row_is(kit, 0, 4, NULL, "last"));
    GP_CHECK_EQ(gp_kit_row(kit, 0, 0)->time_ns, gp_kit_wall_ns(kit));
    gp_kit_free(kit);
    folder_remove(&f);
}

/* Lines of 0 to 40 bytes: with so many tasks, ranges begin at every place in a line. */
GP_TEST(file_source, shares_one_file_line_by_line)
{
    struct folder f = folder_new();
    static struct text whole;
    static struct text shared;
    uint32_t x = 1;

    for (uint32_t i = 0; i < 200; i++) {
        x = x * 1664525u + 1013904223u;
        whole.len +=
            (size_t)snprintf(whole.bytes + whole.len, sizeof whole.bytes - whole.len, "%.*s\n",
                             (int)(x >> 16) % 41, "abcdefghijklmnopqrstuvwxyz0123456789ABCD");
    }
    folder_write_bytes(&f, "in", whole.bytes, whole.len);
    for (uint32_t parallelism = 1; parallelism <= 64; parallelism++) {
        read_shared(f.name, parallelism, 1 + parallelism % 7, &shared);
        GP_CHECK_EQ(shared.len, whole.len);
        GP_CHECK_STR_EQ(shared.bytes, whole.bytes);
    }
    read_shared(f.name, (uint32_t)whole.len + 10, 100, &shared);
    GP_CHECK_STR_EQ(shared.bytes, whole.bytes);
    folder_remove(&f);
}

GP_TEST(file_source, reads_directories_by_name_and_lists_in_order)
{
    struct folder f = folder_new();
    static struct text text;
    char path[400];

    GP_REQUIRE_EQ(mkdir(folder_file(&f, "dir"), 0700), 0);
    GP_REQUIRE_EQ(mkdir(folder_file(&f, "dir/sub"), 0700), 0);
    folder_write(&f, "dir/b", "b1\nb2");
    folder_write(&f, "dir/a", "a1\n");
    folder_write(&f, "dir/.hidden", "hidden\n");
    folder_write(&f, "dir/sub/c", "not read\n");
    folder_write(&f, "dir/empty", "");
    folder_write(&f, "x", "x1\n");
    GP_REQUIRE_EQ(symlink("b", folder_file(&f, "dir/link")), 0);
    (void)snprintf(path, sizeof path, "%s/x,%s/dir,,%s/x", f.path, f.path, f.path);
    read_shared(path, 1, 100, &text);
    GP_CHECK_STR_EQ(text.bytes, "x1\na1\nb1\nb2\nb1\nb2\nx1\n");
    for (uint32_t parallelism = 2; parallelism < 30; parallelism++) {
        read_shared(path, parallelism, 100, &text);
        GP_CHECK_STR_EQ(text.bytes, "x1\na1\nb1\nb2\nb1\nb2\nx1\n");
    }
    folder_remove(&f);
}

GP_TEST(file_source, ends_at_once_without_lines)
{
    struct folder f = folder_new();
    static struct text text;

    read_shared(f.path, 2, 10, &text);
    GP_CHECK_EQ(text.len, 0);
    folder_write(&f, "empty", "");
    read_shared(f.name, 2, 10, &text);
    GP_CHECK_EQ(text.len, 0);
    folder_remove(&f);
}

/* Blocks of 256 KiB: lines across their borders, and one longer than a block. */
GP_TEST(file_source, reads_lines_longer_than_a_block)
{
    struct folder f = folder_new();
    FILE *file = fopen(folder_file(&f, "in"), "w");
    struct gp_kit *kit;
    uint32_t lines = 0;

    GP_REQUIRE(file != NULL);
    for (uint32_t i = 0; i < 30; i++) {
        uint32_t len = i == 7 ? 1u << 20 : i == 20 ? 700001 : 99991;
        for (uint32_t j = 0; j < len; j++) {
            (void)fputc('a' + (int)(i % 26), file);
        }
        (void)fputc('\n', file);
    }
    GP_REQUIRE_EQ(fclose(file), 0);
    for (uint32_t task = 0; task < 3; task++) {
        kit = source_new(f.name, task, 3);
        GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
        GP_CHECK_EQ(drain(kit, 1000), GP_END);
        for (uint32_t i = 0; i < gp_kit_count(kit, 0); i++, lines++) {
            const struct gp_row *row = gp_kit_row(kit, 0, i);
            const char *bytes = row->value;
            GP_CHECK_EQ(row->value_len, lines == 7 ? 1u << 20 : lines == 20 ? 700001 : 99991);
            GP_CHECK_EQ(bytes[0], 'a' + lines % 26);
            GP_CHECK_EQ(memcmp(bytes, bytes + 1, row->value_len - 1), 0);
        }
        gp_kit_free(kit);
    }
    GP_CHECK_EQ(lines, 30);
    folder_remove(&f);
}

GP_TEST(file_source, fails_at_a_line_longer_than_allowed)
{
    struct folder f = folder_new();
    struct gp_kit *kit;
    char text[256];

    folder_write(&f, "in", "12345\n123456\n1");
    kit = source_new(f.name, 0, 1);
    GP_CHECK_EQ(gp_kit_set(kit, "line.max", "5"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(drain(kit, 10), GP_FAIL);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 1);
    (void)snprintf(text, sizeof text,
                   "the line at offset 6 of '%s' is longer than line.max, 5 bytes", f.name);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);

    folder_write(&f, "in", "1\n123456"); /* the same without newline at the end */
    kit = source_new(f.name, 0, 1);
    GP_CHECK_EQ(gp_kit_set(kit, "line.max", "5"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(drain(kit, 10), GP_FAIL);
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(file_source, says_at_open_what_it_cannot_read)
{
    struct folder f = folder_new();
    struct gp_kit *kit;
    char path[256];
    char text[512];

    expect_failure(source_new(NULL, 0, 1), "parameter path is missing");
    expect_failure(source_new("", 0, 1), "parameter path is '', not a text");
    expect_failure(source_new("/no/such/file", 0, 1),
                   "cannot open '/no/such/file': No such file or directory");
    expect_failure(source_new("/dev/null", 0, 1),
                   "cannot read '/dev/null': neither a file nor a directory");
    folder_write(&f, "in", "line\n");
    (void)snprintf(path, sizeof path, "%s,%s/none", f.name, f.path);
    (void)snprintf(text, sizeof text, "cannot open '%s/none': No such file or directory", f.path);
    expect_failure(source_new(path, 1, 2), text);
    kit = source_new(folder_file(&f, "in"), 0, 1);
    GP_CHECK_EQ(gp_kit_set(kit, "line.max", "much"), GP_OK);
    expect_failure(kit,
                   "parameter line.max is 'much', not a size in bytes like 64KiB, from 1 to 16MiB");
    if (geteuid() != 0) { /* nothing is forbidden to root */
        GP_CHECK_EQ(chmod(folder_file(&f, "in"), 0), 0);
        (void)snprintf(text, sizeof text, "cannot open '%s': Permission denied", f.name);
        expect_failure(source_new(f.name, 0, 1), text);
    }
    folder_remove(&f);
}

GP_TEST(file_source, fails_when_a_file_got_shorter)
{
    struct folder f = folder_new();
    struct gp_kit *kit;
    char text[256];

    folder_write(&f, "in", "one\ntwo\n");
    kit = source_new(f.name, 0, 1);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(truncate(f.name, 2), 0);
    GP_CHECK_EQ(drain(kit, 10), GP_FAIL);
    (void)snprintf(text, sizeof text, "'%s' is shorter than it was", f.name);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(file_source, heeds_budget_and_full_outputs)
{
    struct folder f = folder_new();
    struct gp_kit *kit;

    folder_write(&f, "in", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    kit = source_new(f.name, 0, 1);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    while (gp_kit_count(kit, 0) == 0) { /* reading costs budget, too */
        GP_REQUIRE_EQ(gp_kit_poll(kit, 2), GP_MORE);
    }
    GP_CHECK_EQ(gp_kit_count(kit, 0), 2);
    gp_kit_clear(kit);
    gp_kit_set_credit(kit, 3);
    GP_CHECK_EQ(gp_kit_poll(kit, 100), GP_MORE);
    GP_CHECK_EQ(gp_kit_count(kit, 0), 3);
    GP_CHECK(gp_kit_row_is(kit, 0, 0, NULL, "3"));
    GP_CHECK_EQ(gp_kit_poll(kit, 100), GP_YIELD);
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(file_source, moves_event_time_and_watermark_with_the_wall_clock)
{
    struct folder f = folder_new();
    struct gp_kit *kit;
    int64_t start_ns;

    folder_write(&f, "in", "1\n2\n3\n");
    kit = source_new(f.name, 0, 1);
    start_ns = gp_kit_wall_ns(kit);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    gp_kit_set_credit(kit, 1);
    GP_CHECK_EQ(gp_kit_poll(kit, 10), GP_MORE);
    GP_CHECK_EQ(gp_kit_out_watermark(kit), start_ns);
    gp_kit_advance(kit, -5000); /* somebody sets the clock */
    gp_kit_clear(kit);
    GP_CHECK_EQ(gp_kit_poll(kit, 10), GP_MORE);
    GP_CHECK_EQ(gp_kit_row(kit, 0, 0)->time_ns, start_ns);
    gp_kit_advance(kit, 10000);
    gp_kit_clear(kit);
    (void)gp_kit_poll(kit, 10);
    GP_CHECK_EQ(gp_kit_row(kit, 0, 0)->time_ns, start_ns + 5000);
    gp_kit_free(kit);
    folder_remove(&f);
}

/* Two tasks stop after any number of lines; one goes on for both; nothing is lost or repeated. */
GP_TEST(file_source, goes_on_where_the_snapshot_was_taken)
{
    struct folder f = folder_new();
    static struct text text;
    char path[256];

    folder_write(&f, "a", "a1\na2\na3\na4\n");
    folder_write(&f, "b", "b1\nb2\nb3");
    (void)snprintf(path, sizeof path, "%s/a,%s/b", f.path, f.path);
    for (uint32_t stop = 0; stop < 6; stop++) {
        struct gp_kit_state *state = gp_kit_state_new();
        struct gp_kit *kit;
        uint32_t lines = 0;
        for (uint32_t task = 0; task < 2; task++) {
            kit = source_new(path, task, 2);
            GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
            gp_kit_set_credit(kit, stop);
            if (stop > 0) {
                (void)drain(kit, 100);
            }
            lines += gp_kit_count(kit, 0);
            GP_CHECK_EQ(gp_kit_snapshot(kit, state), GP_OK);
            gp_kit_free(kit);
        }
        kit = source_new(f.name, 0, 1); /* another path: what is restored counts */
        GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
        GP_CHECK_EQ(gp_kit_restore(kit, state, 0, 0, 1), GP_OK);
        GP_CHECK_EQ(drain(kit, 100), GP_END);
        GP_CHECK_EQ(lines + gp_kit_count(kit, 0), 7);
        text.len = 0;
        collect(kit, &text);
        GP_CHECK(stop > 0 || strcmp(text.bytes, "a1\na2\na3\na4\nb1\nb2\nb3\n") == 0);
        gp_kit_free(kit);
        gp_kit_state_free(state);
    }
    folder_remove(&f);
}

GP_TEST(file_source, refuses_damaged_state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        {"", 0},
        {"short", 5},
        /* begin after end */
        {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0/x", 34},
        /* end after size */
        {"\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0/x", 34},
        /* begins at 0, yet not at a line */
        {"\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0/x", 34},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gp_kit_state *state = gp_kit_state_new();
        struct gp_kit *kit = source_new("/tmp", 0, 1);
        GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
        GP_CHECK_EQ(gp_kit_state_add(state, GP_GROUP_NONE, "range.0",
                                     gp_bytes_of(cases[i].bytes, cases[i].len)),
                    GP_OK);
        GP_CHECK_EQ(gp_kit_restore(kit, state, 0, 0, 1), GP_FAIL);
        GP_CHECK_STR_EQ(gp_kit_failure(kit), "the saved state of the source is damaged");
        gp_kit_free(kit);
        gp_kit_state_free(state);
    }
}
