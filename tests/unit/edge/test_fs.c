#include <fcntl.h>

#include "base/str.h"
#include "edge/fs_path.h"
#include "rig.h"

#define FS(rig, op, ...) ((rig)->port->fs->op((rig)->port->world, __VA_ARGS__))

static gp_bytes bytes_of(const char *text)
{
    return gp_bytes_of(text, strlen(text));
}

static void check_content(struct rig *rig, const char *path, const char *text)
{
    struct buf buf = {0};
    struct gp_error err = {0};

    GP_CHECK_EQ(FS(rig, read_file, path, 1 << 20, &buf, &err), 0);
    GP_CHECK(str_eq(buf_str(&buf), gp_str_of(text)));
    buf_deinit(&buf);
}

static int count_name(void *user, const char *name, int is_dir)
{
    (void)is_dir;
    *(int *)user += strcmp(name, "stop") == 0 ? 100 : 1;
    return strcmp(name, "stop") == 0 ? GP_ECANCELED : 0;
}

static int names_in(struct rig *rig, const char *path)
{
    int count = 0;

    GP_CHECK_EQ(FS(rig, list, path, count_name, &count, NULL), 0);
    return count;
}

GP_TEST(fs, a_file_is_written_whole_and_replaced)
{
    struct rig rig;
    struct stat info;
    char path[96];

    rig_begin(&rig, NULL);
    strcpy(path, rig_path(&rig, "f"));
    GP_CHECK_EQ(FS(&rig, write_file, path, bytes_of("one"), 0600, NULL), 0);
    check_content(&rig, path, "one");
    GP_CHECK_EQ(FS(&rig, write_file, path, bytes_of(""), 0640, NULL), 0);
    check_content(&rig, path, "");
    GP_REQUIRE_EQ(stat(path, &info), 0);
    GP_CHECK_EQ(info.st_mode & 07777, 0640);
    GP_CHECK_EQ(names_in(&rig, rig.folder), 1); /* no temporary file is left */
    rig_end(&rig);
}

GP_TEST(fs, a_failed_write_leaves_the_old_file)
{
    struct rig rig;
    struct gp_error err = {0};
    char path[96];

    rig_begin(&rig, NULL);
    strcpy(path, rig_path(&rig, "d"));
    GP_REQUIRE_EQ(FS(&rig, make_dirs, path, 0700, NULL), 0);
    GP_REQUIRE_EQ(FS(&rig, make_dirs, rig_path(&rig, "d/e"), 0700, NULL), 0);
    GP_CHECK(FS(&rig, write_file, path, bytes_of("x"), 0600, &err) < 0); /* it is a folder */
    GP_CHECK(strstr(err.text, path) != NULL);
    GP_CHECK_EQ(names_in(&rig, rig.folder), 1);
    GP_CHECK_EQ(FS(&rig, write_file, rig_path(&rig, "no/f"), bytes_of("x"), 0600, &err), GP_ENOENT);
    GP_CHECK(FS(&rig, write_file, "f", bytes_of("x"), 0600, &err) == GP_EINVAL);
    rig_end(&rig);
}

GP_TEST(fs, a_new_file_never_replaces)
{
    struct rig rig;
    char path[96];

    rig_begin(&rig, NULL);
    strcpy(path, rig_path(&rig, "f"));
    GP_CHECK_EQ(fs_write_new(path, bytes_of("one"), 0600, NULL), 0);
    GP_CHECK_EQ(fs_write_new(path, bytes_of("two"), 0600, NULL), GP_EEXIST);
    check_content(&rig, path, "one");
    GP_CHECK_EQ(names_in(&rig, rig.folder), 1);
    rig_end(&rig);
}

GP_TEST(fs, reading_is_bounded)
{
    struct rig rig;
    struct buf buf;
    struct gp_error err = {0};
    char path[96];

    rig_begin(&rig, NULL);
    strcpy(path, rig_path(&rig, "f"));
    GP_REQUIRE_EQ(FS(&rig, write_file, path, bytes_of("12345"), 0600, NULL), 0);
    buf_init(&buf, 7);
    GP_REQUIRE_EQ(buf_append_c(&buf, "ab"), 0);
    GP_CHECK_EQ(FS(&rig, read_file, path, 4, &buf, &err), GP_ETOOBIG);
    GP_CHECK(strstr(err.text, path) != NULL);
    GP_CHECK(str_eq(buf_str(&buf), GP_STR("ab")));
    GP_CHECK_EQ(FS(&rig, read_file, path, 5, &buf, &err), 0); /* appends, exactly fitting */
    GP_CHECK(str_eq(buf_str(&buf), GP_STR("ab12345")));
    GP_CHECK_EQ(FS(&rig, read_file, rig_path(&rig, "none"), 4, &buf, &err), GP_ENOENT);
    GP_CHECK(str_eq(buf_str(&buf), GP_STR("ab12345")));
    buf_deinit(&buf);
    GP_CHECK_EQ(FS(&rig, read_file, rig.folder, 4, &buf, &err), GP_EINVAL);
    buf_init(&buf, 0);
    GP_CHECK_EQ(FS(&rig, read_file, "/dev/zero", 100000, &buf, &err), GP_ETOOBIG);
    buf_deinit(&buf);
    rig_end(&rig);
}

GP_TEST(fs, open_files_are_read_and_written_at_offsets)
{
    struct rig rig;
    struct file *file = NULL;
    struct gp_error err = {0};
    char path[96];
    char back[16] = {0};

    rig_begin(&rig, NULL);
    strcpy(path, rig_path(&rig, "f"));
    GP_CHECK_EQ(FS(&rig, open, path, FS_READ, 0, &file, &err), GP_ENOENT);
    GP_REQUIRE_EQ(FS(&rig, open, path, FS_READ | FS_WRITE, 0600, &file, &err), 0);
    GP_CHECK_EQ(FS(&rig, write_at, file, 4, "5678", 4), 0);
    GP_CHECK_EQ(FS(&rig, write_at, file, 0, "1234", 4), 0);
    GP_CHECK_EQ(FS(&rig, size, file), 8);
    GP_CHECK_EQ(FS(&rig, sync, file), 0);
    GP_CHECK_EQ(FS(&rig, read_at, file, 2, back, sizeof(back)), 6);
    GP_CHECK_MEM_EQ(back, "345678", 6);
    GP_CHECK_EQ(FS(&rig, read_at, file, 8, back, sizeof(back)), 0);
    GP_CHECK_EQ(FS(&rig, read_at, file, UINT64_MAX, back, 1), GP_EINVAL);
    GP_CHECK_EQ(FS(&rig, write_at, file, UINT64_MAX, back, 1), GP_ETOOBIG);
    FS(&rig, close, file);

    GP_CHECK_EQ(FS(&rig, open, path, FS_WRITE | FS_EXCLUSIVE, 0600, &file, &err), GP_EEXIST);
    GP_REQUIRE_EQ(FS(&rig, open, path, FS_WRITE | FS_APPEND, 0600, &file, &err), 0);
    GP_CHECK_EQ(FS(&rig, write_at, file, 0, "9", 1), 0);
    FS(&rig, close, file);
    check_content(&rig, path, "123456789");
    GP_REQUIRE_EQ(FS(&rig, open, path, FS_WRITE | FS_TRUNCATE, 0600, &file, &err), 0);
    GP_CHECK_EQ(FS(&rig, size, file), 0);
    GP_CHECK(FS(&rig, read_at, file, 0, back, 1) < 0); /* not opened for it */
    FS(&rig, close, file);
    FS(&rig, close, NULL);
    GP_CHECK_EQ(FS(&rig, open, rig.folder, FS_READ, 0, &file, &err), GP_EINVAL);
    rig_end(&rig);
}

GP_TEST(fs, names_change_and_go)
{
    struct rig rig;
    struct gp_error err = {0};
    char from[96];
    char to[96];

    rig_begin(&rig, NULL);
    strcpy(from, rig_path(&rig, "from"));
    strcpy(to, rig_path(&rig, "to"));
    GP_CHECK_EQ(FS(&rig, exists, from), 0);
    GP_REQUIRE_EQ(FS(&rig, write_file, from, bytes_of("x"), 0600, NULL), 0);
    GP_CHECK_EQ(FS(&rig, exists, from), 1);
    GP_CHECK_EQ(FS(&rig, exists, rig.folder), 2);
    GP_CHECK_EQ(FS(&rig, rename, from, to, &err), 0);
    GP_CHECK_EQ(FS(&rig, exists, from), 0);
    check_content(&rig, to, "x");
    GP_CHECK_EQ(FS(&rig, rename, from, to, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, from) != NULL && strstr(err.text, to) != NULL);
    GP_CHECK_EQ(FS(&rig, remove, to, &err), 0);
    GP_CHECK_EQ(FS(&rig, remove, to, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, to) != NULL);
    rig_end(&rig);
}

GP_TEST(fs, folders_are_made_listed_and_removed)
{
    struct rig rig;
    struct gp_error err = {0};
    int count = 0;

    rig_begin(&rig, NULL);
    GP_CHECK_EQ(FS(&rig, make_dirs, rig_path(&rig, "a/b/c"), 0700, &err), 0);
    GP_CHECK_EQ(FS(&rig, make_dirs, rig_path(&rig, "a/b/c"), 0700, &err), 0);
    GP_REQUIRE_EQ(FS(&rig, write_file, rig_path(&rig, "a/b/f"), bytes_of("x"), 0600, NULL), 0);
    GP_CHECK(FS(&rig, make_dirs, rig_path(&rig, "a/b/f/g"), 0700, &err) < 0);
    GP_CHECK(strstr(err.text, "a/b/f") != NULL);
    GP_CHECK(FS(&rig, make_dirs, "relative", 0700, &err) == GP_EINVAL);
    GP_CHECK_EQ(names_in(&rig, rig_path(&rig, "a/b")), 2);
    GP_REQUIRE_EQ(FS(&rig, make_dirs, rig_path(&rig, "l/stop"), 0700, &err), 0);
    GP_CHECK_EQ(FS(&rig, list, rig_path(&rig, "l"), count_name, &count, &err), GP_ECANCELED);
    GP_CHECK_EQ(FS(&rig, list, rig_path(&rig, "none"), count_name, &count, &err), GP_ENOENT);
    GP_CHECK_EQ(FS(&rig, remove_tree, rig_path(&rig, "a"), &err), 0);
    GP_CHECK_EQ(FS(&rig, exists, rig_path(&rig, "a")), 0);
    GP_CHECK_EQ(FS(&rig, remove_tree, rig_path(&rig, "a"), &err), 0); /* missing is fine */
    rig_end(&rig);
}

/* A link in the tree is removed, not what it points at. */
GP_TEST(fs, removing_a_tree_does_not_follow_links)
{
    struct rig rig;
    char target[96];
    char link[96];

    rig_begin(&rig, NULL);
    strcpy(target, rig_path(&rig, "keep"));
    GP_REQUIRE_EQ(FS(&rig, make_dirs, target, 0700, NULL), 0);
    GP_REQUIRE_EQ(FS(&rig, write_file, rig_path(&rig, "keep/f"), bytes_of("x"), 0600, NULL), 0);
    GP_REQUIRE_EQ(FS(&rig, make_dirs, rig_path(&rig, "tree/sub"), 0700, NULL), 0);
    strcpy(link, rig_path(&rig, "tree/sub/link"));
    GP_REQUIRE_EQ(symlink(target, link), 0);
    GP_CHECK_EQ(FS(&rig, remove_tree, rig_path(&rig, "tree"), NULL), 0);
    GP_CHECK_EQ(FS(&rig, exists, rig_path(&rig, "keep/f")), 1);
    strcpy(link, rig_path(&rig, "top"));
    GP_REQUIRE_EQ(symlink(target, link), 0);
    GP_CHECK_EQ(FS(&rig, remove_tree, link, NULL), 0);
    GP_CHECK_EQ(FS(&rig, exists, rig_path(&rig, "keep/f")), 1);
    rig_end(&rig);
}
