/*
 * file/sink: part files that are complete or not there.
 */
#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "files.h"

static struct gp_kit *sink_new(const char *path, uint32_t index, uint32_t parallelism)
{
    struct gp_kit *kit = gp_kit_new(gp_kit_find(&gp_entry, "sink"), index, parallelism);

    GP_REQUIRE(kit != NULL);
    if (path) {
        GP_REQUIRE_EQ(gp_kit_set(kit, "path", path), GP_OK);
    }
    return kit;
}

static struct gp_kit *sink_open(const char *path, uint32_t index)
{
    struct gp_kit *kit = sink_new(path, index, 2);

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    return kit;
}

static void write_text(struct gp_kit *kit, const char *text)
{
    GP_CHECK_EQ(gp_kit_push(kit, 0, "key", text, 0), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
}

static void end(struct gp_kit *kit)
{
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_OK);
    gp_kit_free(kit);
}

GP_TEST(file_sink, writes_a_line_for_each_value_and_shows_the_file_at_the_end)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(folder_file(&f, "new/deep"), 1);

    write_text(kit, "one");
    write_text(kit, "");
    write_text(kit, "three");
    GP_CHECK(access(folder_file(&f, "new/deep/.part-1.tmp"), F_OK) == 0);
    GP_CHECK(access(folder_file(&f, "new/deep/part-1"), F_OK) != 0);
    end(kit);
    folder_check(&f, "new/deep/part-1", "one\n\nthree\n");
    GP_CHECK(access(folder_file(&f, "new/deep/.part-1.tmp"), F_OK) != 0);
    folder_remove(&f);
}

GP_TEST(file_sink, removes_the_file_of_a_task_that_was_stopped)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(f.path, 0);

    write_text(kit, "one");
    gp_kit_free(kit);
    GP_CHECK_EQ(folder_count(&f), 0);
    folder_remove(&f);
}

GP_TEST(file_sink, replaces_the_part_of_an_earlier_run)
{
    struct folder f = folder_new();
    struct gp_kit *kit;

    folder_write(&f, "part-0", "old and longer than the new one\n");
    kit = sink_open(f.path, 0);
    write_text(kit, "new");
    end(kit);
    folder_check(&f, "part-0", "new\n");
    GP_CHECK_EQ(folder_count(&f), 1);
    folder_remove(&f);
}

/* Who reads part-* afterwards would mix two runs. */
GP_TEST(file_sink, refuses_parts_left_by_more_tasks)
{
    struct folder f = folder_new();
    struct gp_kit *kit;
    char text[256];

    folder_write(&f, "part-2", "old\n");
    (void)snprintf(text, sizeof text, "'%s' is left from a run with more tasks: remove it", f.name);
    kit = sink_new(f.path, 0, 2);
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
    folder_remove(&f);
}

/* The buffer is 256 KiB. */
GP_TEST(file_sink, writes_values_of_any_length)
{
    static const size_t lengths[] = {100000, 262143, 262144, 1 << 20, 5, 262142, 1};
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(f.path, 0);
    struct stat status;
    long size = 0;
    FILE *file;

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        char *value = calloc(1, lengths[i] + 1);
        GP_REQUIRE(value != NULL);
        memset(value, 'a' + (int)i, lengths[i]);
        write_text(kit, value);
        free(value);
        size += (long)lengths[i] + 1;
    }
    end(kit);
    GP_CHECK_EQ(stat(folder_file(&f, "part-0"), &status), 0);
    GP_CHECK_EQ(status.st_size, size);
    file = fopen(f.name, "r");
    GP_REQUIRE(file != NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t len = 0;
        int c;
        while ((c = fgetc(file)) == 'a' + (int)i) {
            len++;
        }
        GP_CHECK_EQ(c, '\n');
        GP_CHECK_EQ(len, lengths[i]);
    }
    (void)fclose(file);
    folder_remove(&f);
}

GP_TEST(file_sink, says_why_it_cannot_write)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_new(NULL, 0, 1);
    char path[256];
    char text[512];

    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "parameter path is missing");
    gp_kit_free(kit);

    folder_write(&f, "file", "in the way");
    (void)snprintf(path, sizeof path, "%s", f.name);
    kit = sink_new(path, 0, 1);
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    (void)snprintf(text, sizeof text, "cannot create '%s/.part-0.tmp': Not a directory", path);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);

    (void)snprintf(path, sizeof path, "%s/below/deep", f.name);
    kit = sink_new(path, 0, 1);
    GP_CHECK_EQ(gp_kit_open(kit), GP_FAIL);
    (void)snprintf(text, sizeof text, "cannot make directory '%s/below': Not a directory", f.name);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
    folder_remove(&f);
}

GP_TEST(file_sink, fails_at_the_end_when_the_directory_is_gone)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(f.path, 0);

    write_text(kit, "one");
    folder_remove(&f);
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    GP_CHECK(strstr(gp_kit_failure(kit), "cannot rename") != NULL);
    gp_kit_free(kit);
}

/* A full disk, as the kernel offers it. */
GP_TEST(file_sink, fails_when_the_disk_is_full)
{
    struct folder f = folder_new();
    struct gp_kit *kit;

    if (access("/dev/full", W_OK) != 0) {
        folder_remove(&f);
        GP_SKIP("there is no /dev/full");
    }
    GP_REQUIRE_EQ(symlink("/dev/full", folder_file(&f, ".part-0.tmp")), 0);
    kit = sink_open(f.path, 0);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "one", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_run(kit), GP_FAIL);
    GP_CHECK(strstr(gp_kit_failure(kit), "No space left on device") != NULL);
    gp_kit_free(kit);
    GP_CHECK(access(folder_file(&f, "part-0"), F_OK) != 0);
    folder_remove(&f);
}

GP_TEST(file_sink, stages_at_prepare_and_shows_at_commit)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(f.path, 0);

    write_text(kit, "one");
    GP_CHECK_EQ(gp_kit_prepare(kit, 7), GP_OK);
    folder_check(&f, ".part-0.7", "one\n");
    write_text(kit, "two");
    GP_CHECK_EQ(gp_kit_prepare(kit, 7), GP_OK); /* again: the same checkpoint, nothing new */
    folder_check(&f, ".part-0.7", "one\n");
    GP_CHECK_EQ(gp_kit_commit(kit, 7), GP_OK);
    GP_CHECK_EQ(gp_kit_commit(kit, 7), GP_OK);
    GP_CHECK_EQ(gp_kit_prepare(kit, 7), GP_OK);
    folder_check(&f, "part-0.7", "one\n");
    end(kit);
    folder_check(&f, "part-0", "two\n");
    GP_CHECK_EQ(folder_count(&f), 2);
    folder_remove(&f);
}

GP_TEST(file_sink, lets_another_instance_commit_or_abort)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(f.path, 0);

    write_text(kit, "one");
    GP_CHECK_EQ(gp_kit_prepare(kit, 7), GP_OK);
    write_text(kit, "two");
    GP_CHECK_EQ(gp_kit_prepare(kit, 8), GP_OK);
    gp_kit_free(kit); /* killed */
    kit = sink_open(f.path, 0);
    GP_CHECK_EQ(gp_kit_commit(kit, 7), GP_OK);
    GP_CHECK_EQ(gp_kit_abort(kit, 8), GP_OK);
    GP_CHECK_EQ(gp_kit_abort(kit, 8), GP_OK);
    GP_CHECK_EQ(gp_kit_abort(kit, 7), GP_OK); /* too late: it is committed */
    gp_kit_free(kit);
    folder_check(&f, "part-0.7", "one\n");
    GP_CHECK_EQ(folder_count(&f), 1);
    folder_remove(&f);
}

/* Committing what nobody prepared would hide a loss. */
GP_TEST(file_sink, fails_to_commit_what_is_not_there)
{
    struct folder f = folder_new();
    struct gp_kit *kit = sink_open(f.path, 0);

    GP_CHECK_EQ(gp_kit_commit(kit, 9), GP_FAIL);
    GP_CHECK(strstr(gp_kit_failure(kit), "No such file or directory") != NULL);
    gp_kit_free(kit);
    folder_remove(&f);
}
