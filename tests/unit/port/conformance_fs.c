/*
 * port/fs.h in every world, and randomness.
 */
#include "base/str.h"
#include "gp_test.h"
#include "port/conformance.h"

struct place {
    const struct fs_ops *fs;
    void *world;
    char path[160];
    char other[160];
};

static struct place place(struct conf *c, const char *name, const char *other)
{
    struct place p = {.fs = c->port->fs, .world = c->port->world};

    (void)conf_path(c, name, p.path, sizeof(p.path));
    (void)conf_path(c, other, p.other, sizeof(p.other));
    return p;
}

static int put(const struct place *p, const char *path, const char *text)
{
    return p->fs->write_file(p->world, path, gp_bytes_of(text, strlen(text)), 0600, NULL);
}

/* Whether the file holds exactly this text. */
static bool holds(const struct place *p, const char *path, const char *text)
{
    struct buf buf = {0};
    bool same = p->fs->read_file(p->world, path, 1 << 20, &buf, NULL) == 0 &&
                str_eq(buf_str(&buf), gp_str_of(text));

    buf_deinit(&buf);
    return same;
}

void conformance_file_is_written_whole_and_read_whole(struct conf *c)
{
    struct place p = place(c, "a", "b");
    struct buf buf = {0};

    GP_CHECK_EQ(put(&p, p.path, "one"), 0);
    GP_CHECK_EQ(put(&p, p.other, ""), 0);
    GP_CHECK_EQ(buf_append_c(&buf, "zero "), 0);
    GP_CHECK_EQ(p.fs->read_file(p.world, p.path, 3, &buf, NULL), 0);
    GP_CHECK_EQ(p.fs->read_file(p.world, p.other, 0, &buf, NULL), 0);
    GP_CHECK_STR_EQ(buf_c(&buf), "zero one");
    GP_CHECK_EQ(put(&p, p.path, "longer than before"), 0);
    GP_CHECK(holds(&p, p.path, "longer than before"));
    GP_CHECK_EQ(put(&p, p.path, "short"), 0);
    GP_CHECK(holds(&p, p.path, "short"));
    buf_deinit(&buf);
}

void conformance_file_too_big_is_not_read(struct conf *c)
{
    struct place p = place(c, "a", "b");
    struct gp_error err = {0};
    struct buf buf = {0};

    GP_CHECK_EQ(put(&p, p.path, "12345"), 0);
    GP_CHECK_EQ(p.fs->read_file(p.world, p.path, 4, &buf, &err), GP_ETOOBIG);
    GP_CHECK(strstr(err.text, p.path) != NULL);
    GP_CHECK_EQ(buf_len(&buf), 0);
    GP_CHECK_EQ(p.fs->read_file(p.world, p.path, 5, &buf, NULL), 0);
    buf_deinit(&buf);
}

void conformance_file_is_read_and_written_in_places(struct conf *c)
{
    struct place p = place(c, "a", "b");
    struct file *file;
    char bytes[16] = {0};

    GP_REQUIRE_EQ(p.fs->open(p.world, p.path, FS_READ | FS_WRITE, 0600, &file, NULL), 0);
    GP_CHECK_EQ(p.fs->size(p.world, file), 0);
    GP_CHECK_EQ(p.fs->write_at(p.world, file, 4, "efgh", 4), 0);
    GP_CHECK_EQ(p.fs->write_at(p.world, file, 0, "ab", 2), 0);
    GP_CHECK_EQ(p.fs->sync(p.world, file), 0);
    GP_CHECK_EQ(p.fs->size(p.world, file), 8);
    GP_CHECK_EQ(p.fs->read_at(p.world, file, 0, bytes, sizeof(bytes)), 8);
    GP_CHECK_MEM_EQ(bytes, "ab\0\0efgh", 8);
    GP_CHECK_EQ(p.fs->read_at(p.world, file, 6, bytes, 1), 1);
    GP_CHECK_EQ(bytes[0], 'g');
    GP_CHECK_EQ(p.fs->read_at(p.world, file, 8, bytes, 1), 0);
    GP_CHECK_EQ(p.fs->read_at(p.world, file, 800, bytes, 1), 0);
    p.fs->close(p.world, file);
    p.fs->close(p.world, NULL);
}

static int open_close(const struct place *p, const char *path, uint32_t flags)
{
    struct file *file = NULL;
    int rc = p->fs->open(p->world, path, flags, 0600, &file, NULL);

    p->fs->close(p->world, file);
    return rc;
}

void conformance_file_flags_are_heeded(struct conf *c)
{
    struct place p = place(c, "a", "none/b");
    struct file *file;
    struct gp_error err = {0};

    GP_CHECK_EQ(p.fs->open(p.world, p.path, FS_READ, 0600, &file, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, p.path) != NULL);
    GP_CHECK_EQ(open_close(&p, p.other, FS_WRITE), GP_ENOENT); /* folders are not made */
    GP_CHECK_EQ(open_close(&p, p.path, FS_WRITE | FS_EXCLUSIVE), 0);
    GP_CHECK_EQ(open_close(&p, p.path, FS_WRITE | FS_EXCLUSIVE), GP_EEXIST);
    GP_CHECK_EQ(put(&p, p.path, "one"), 0);
    GP_REQUIRE_EQ(p.fs->open(p.world, p.path, FS_WRITE | FS_APPEND, 0600, &file, NULL), 0);
    GP_CHECK_EQ(p.fs->write_at(p.world, file, 0, " two", 4), 0);
    p.fs->close(p.world, file);
    GP_CHECK(holds(&p, p.path, "one two"));
    GP_CHECK_EQ(open_close(&p, p.path, FS_WRITE), 0);
    GP_CHECK(holds(&p, p.path, "one two"));
    GP_CHECK_EQ(open_close(&p, p.path, FS_WRITE | FS_TRUNCATE), 0);
    GP_CHECK(holds(&p, p.path, ""));
}

void conformance_file_lives_on_without_its_name(struct conf *c)
{
    struct place p = place(c, "a", "b");
    struct file *file;
    char bytes[4];

    GP_CHECK_EQ(put(&p, p.path, "kept"), 0);
    GP_REQUIRE_EQ(p.fs->open(p.world, p.path, FS_READ, 0600, &file, NULL), 0);
    GP_CHECK_EQ(p.fs->remove(p.world, p.path, NULL), 0);
    GP_CHECK_EQ(p.fs->exists(p.world, p.path), 0);
    GP_CHECK_EQ(p.fs->read_at(p.world, file, 0, bytes, 4), 4);
    GP_CHECK_MEM_EQ(bytes, "kept", 4);
    p.fs->close(p.world, file);
}

void conformance_rename_replaces(struct conf *c)
{
    struct place p = place(c, "a", "b");

    GP_CHECK_EQ(put(&p, p.path, "new"), 0);
    GP_CHECK_EQ(put(&p, p.other, "old"), 0);
    GP_CHECK_EQ(p.fs->rename(p.world, p.path, p.other, NULL), 0);
    GP_CHECK(holds(&p, p.other, "new"));
    GP_CHECK_EQ(p.fs->exists(p.world, p.path), 0);
    GP_CHECK_EQ(p.fs->rename(p.world, p.path, p.other, NULL), GP_ENOENT);
}

struct names {
    uint32_t files;
    uint32_t folders;
    uint32_t others;
    int answer;
};

static int on_name(void *user, const char *name, int is_dir)
{
    struct names *names = user;

    names->files += !is_dir && (strcmp(name, "x") == 0 || strcmp(name, "y") == 0);
    names->folders += is_dir && strcmp(name, "deep") == 0;
    names->others += strcmp(name, "x") != 0 && strcmp(name, "y") != 0 && strcmp(name, "deep") != 0;
    return names->answer;
}

void conformance_folders_are_made_listed_and_removed(struct conf *c)
{
    struct place p = place(c, "a/b", "a");
    struct names names = {0};
    struct names stopping = {.answer = GP_EFULL};
    char deep[160];
    char file[160];

    (void)conf_path(c, "a/b/deep", deep, sizeof(deep));
    GP_CHECK_EQ(p.fs->make_dirs(p.world, deep, 0700, NULL), 0);
    GP_CHECK_EQ(p.fs->make_dirs(p.world, deep, 0700, NULL), 0);
    GP_CHECK_EQ(p.fs->exists(p.world, deep), 2);
    GP_CHECK_EQ(put(&p, conf_path(c, "a/b/x", file, sizeof(file)), "x"), 0);
    GP_CHECK_EQ(put(&p, conf_path(c, "a/b/y", file, sizeof(file)), "y"), 0);
    GP_CHECK(p.fs->make_dirs(p.world, conf_path(c, "a/b/y/z", deep, sizeof(deep)), 0700, NULL) < 0);
    GP_CHECK_EQ(p.fs->sync_folder(p.world, p.path, NULL), 0);
    GP_CHECK(p.fs->sync_folder(p.world, file, NULL) < 0);
    GP_CHECK_EQ(p.fs->list(p.world, p.path, on_name, &names, NULL), 0);
    GP_CHECK_EQ(names.files, 2);
    GP_CHECK_EQ(names.folders, 1);
    GP_CHECK_EQ(names.others, 0);
    GP_CHECK_EQ(p.fs->list(p.world, p.path, on_name, &stopping, NULL), GP_EFULL);
    GP_CHECK_EQ(stopping.files + stopping.folders, 1);
    GP_CHECK_EQ(p.fs->remove_tree(p.world, p.other, NULL), 0);
    GP_CHECK_EQ(p.fs->exists(p.world, p.other), 0);
}

void conformance_missing_files_are_missing(struct conf *c)
{
    struct place p = place(c, "a", "b");
    struct names names = {0};
    struct gp_error err = {0};
    struct buf buf = {0};

    GP_CHECK_EQ(p.fs->exists(p.world, p.path), 0);
    GP_CHECK_EQ(p.fs->read_file(p.world, p.path, 10, &buf, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, p.path) != NULL);
    GP_CHECK_EQ(p.fs->remove(p.world, p.path, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, p.path) != NULL);
    GP_CHECK_EQ(p.fs->remove_tree(p.world, p.path, NULL), 0);
    GP_CHECK_EQ(p.fs->list(p.world, p.path, on_name, &names, NULL), GP_ENOENT);
    buf_deinit(&buf);
}

void conformance_random_bytes_differ(struct conf *c)
{
    unsigned char bytes[2][32] = {{0}};

    port_random(c->port, bytes[0], sizeof(bytes[0]));
    port_random(c->port, bytes[1], sizeof(bytes[1]));
    GP_CHECK(memcmp(bytes[0], bytes[1], sizeof(bytes[0])) != 0);
}
