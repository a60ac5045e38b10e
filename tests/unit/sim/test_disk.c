/*
 * Disks that go wrong: what a power cut leaves, full, broken, slow and rotten ones.
 */
#include "base/assert.h"
#include "gp_test.h"
#include "sim/sim.h"
#include "town.h"

#define SEEDS 200
#define BIG   3000u /* several sectors */

struct place {
    struct town town;
    struct sim_options options;
    const struct port *port;
};

static void arrive(struct place *p)
{
    p->port = sim_proc_port(town_spawn(&p->town, 0, "anything"));
}

static void begin(struct place *p, uint64_t seed)
{
    p->options = town_options(&p->town, seed);
    p->options.start = NULL;
    town_begin(&p->town, &p->options);
    arrive(p);
}

static void crash(struct place *p)
{
    GP_CHECK_EQ(sim_crash(p->town.hosts[0]), 1);
    arrive(p);
}

static void put(struct place *p, const char *path, const char *text)
{
    GP_REQUIRE_EQ(
        p->port->fs->write_file(p->port->world, path, gp_bytes_of(text, strlen(text)), 0600, NULL),
        0);
}

static struct file *open_file(struct place *p, const char *path, uint32_t flags)
{
    struct file *file = NULL;

    GP_REQUIRE_EQ(p->port->fs->open(p->port->world, path, flags, 0600, &file, NULL), 0);
    return file;
}

static int write_at(struct place *p, struct file *file, uint64_t offset, const char *text)
{
    return p->port->fs->write_at(p->port->world, file, offset, text, strlen(text));
}

/* What is there; "-" when there is no such file. */
static const char *content(struct place *p, const char *path, struct buf *buf)
{
    buf_clear(buf);
    if (sim_disk_get(p->town.hosts[0], path, buf) < 0) {
        return "-";
    }
    return buf_len(buf) > 0 ? buf_c(buf) : "";
}

GP_TEST(disk, keeps_what_was_synced_in_a_crash)
{
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        struct buf buf = {0};
        struct file *file;

        begin(&p, seed);
        put(&p, "/whole", "all of it");
        file = open_file(&p, "/synced", FS_WRITE);
        GP_CHECK_EQ(write_at(&p, file, 0, "one two"), 0);
        GP_CHECK_EQ(write_at(&p, file, 4, "six"), 0);
        GP_CHECK_EQ(p.port->fs->sync(p.port->world, file), 0);
        crash(&p);
        GP_CHECK_STR_EQ(content(&p, "/whole", &buf), "all of it");
        GP_CHECK_STR_EQ(content(&p, "/synced", &buf), "one six");
        GP_CHECK_EQ(sim_event_count(p.town.sim, "sim.host_crashed"), 1);
        GP_CHECK_EQ(sim_event_count(p.town.sim, "sim.disk_torn"), 0);
        buf_deinit(&buf);
        town_end(&p.town);
    }
}

/* A killed process is not a crash: the kernel still has the bytes. */
GP_TEST(disk, keeps_all_when_only_the_process_dies)
{
    struct place p;
    struct buf buf = {0};

    begin(&p, 1);
    GP_CHECK_EQ(write_at(&p, open_file(&p, "/a", FS_WRITE), 0, "unsynced"), 0);
    sim_kill(sim_proc_of(p.port));
    GP_CHECK_STR_EQ(content(&p, "/a", &buf), "unsynced");
    buf_deinit(&buf);
    town_end(&p.town);
}

enum fate { ALL, NOTHING, PART, FATES };

/* An append of BIG bytes behind what was synced: any of the three, over the seeds. */
static enum fate fate_of_append(const char *bytes, size_t len)
{
    size_t kept = 0;

    GP_REQUIRE(len >= 4 && memcmp(bytes, "safe", 4) == 0);
    for (size_t i = 4; i < len; i++) {
        GP_CHECK(bytes[i] == 'x' || bytes[i] == '\0');
        kept += bytes[i] == 'x';
    }
    return kept == BIG ? ALL : len == 4 ? NOTHING : PART;
}

GP_TEST(disk, tears_an_append_that_was_not_synced)
{
    uint32_t seen[FATES] = {0};
    char big[BIG + 1];

    memset(big, 'x', BIG);
    big[BIG] = '\0';
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        struct buf buf = {0};
        struct file *file;

        begin(&p, seed);
        put(&p, "/log", "safe");
        file = open_file(&p, "/log", FS_WRITE | FS_APPEND);
        GP_CHECK_EQ(write_at(&p, file, 0, big), 0);
        crash(&p);
        GP_CHECK_EQ(sim_disk_get(p.town.hosts[0], "/log", &buf), 0);
        seen[fate_of_append(buf_c(&buf), buf_len(&buf))]++;
        buf_deinit(&buf);
        town_end(&p.town);
    }
    GP_CHECK(seen[ALL] > 20 && seen[NOTHING] > 20 && seen[PART] > 20);
}

/* Old sectors and new ones beside each other; nothing that never was there. */
GP_TEST(disk, tears_what_was_written_over)
{
    uint32_t mixed = 0;
    char before[BIG + 1];
    char after[BIG + 1];

    memset(before, 'a', BIG);
    memset(after, 'b', BIG);
    before[BIG] = after[BIG] = '\0';
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        struct buf buf = {0};
        const char *text;

        begin(&p, seed);
        put(&p, "/data", before);
        GP_CHECK_EQ(write_at(&p, open_file(&p, "/data", FS_WRITE), 0, after), 0);
        crash(&p);
        text = content(&p, "/data", &buf);
        GP_CHECK_EQ(strlen(text), BIG);
        GP_CHECK_EQ(strspn(text, "ab"), BIG);
        mixed += strchr(text, 'a') != NULL && strchr(text, 'b') != NULL;
        buf_deinit(&buf);
        town_end(&p.town);
    }
    GP_CHECK(mixed > 20);
}

GP_TEST(disk, may_undo_a_truncation)
{
    uint32_t back = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        struct buf buf = {0};
        const char *text;

        begin(&p, seed);
        put(&p, "/data", "before");
        (void)open_file(&p, "/data", FS_WRITE | FS_TRUNCATE);
        crash(&p);
        text = content(&p, "/data", &buf);
        GP_CHECK(strcmp(text, "") == 0 || strcmp(text, "before") == 0);
        back += text[0] != '\0';
        buf_deinit(&buf);
        town_end(&p.town);
    }
    GP_CHECK(back > 20 && back < SEEDS - 20);
}

/* Until something else in the folder is made durable. */
GP_TEST(disk, may_bring_back_a_removed_file)
{
    uint32_t back = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        struct buf buf = {0};

        begin(&p, seed);
        put(&p, "/gone", "x");
        GP_CHECK_EQ(p.port->fs->remove(p.port->world, "/gone", NULL), 0);
        GP_CHECK_STR_EQ(content(&p, "/gone", &buf), "-");
        if (seed % 4 == 0) {
            put(&p, "/other", "y");
        }
        crash(&p);
        GP_CHECK(seed % 4 != 0 || strcmp(content(&p, "/gone", &buf), "-") == 0);
        back += strcmp(content(&p, "/gone", &buf), "-") != 0;
        buf_deinit(&buf);
        town_end(&p.town);
    }
    GP_CHECK(back > 20 && back < SEEDS - 60);
}

GP_TEST(disk, may_lose_a_folder_that_was_not_made_durable)
{
    uint32_t lost = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        bool is_synced = seed % 2 == 0;

        begin(&p, seed);
        GP_CHECK_EQ(p.port->fs->make_dirs(p.port->world, "/a/b", 0700, NULL), 0);
        put(&p, "/a/b/file", "x");
        if (is_synced) {
            GP_CHECK_EQ(p.port->fs->sync_folder(p.port->world, "/a", NULL), 0);
            GP_CHECK_EQ(p.port->fs->sync_folder(p.port->world, "/", NULL), 0);
        }
        crash(&p);
        GP_CHECK(!is_synced || p.port->fs->exists(p.port->world, "/a/b/file") == 1);
        lost += p.port->fs->exists(p.port->world, "/a/b/file") == 0;
        town_end(&p.town);
    }
    GP_CHECK(lost > 40 && lost < SEEDS / 2);
}

GP_TEST(disk, is_full_until_it_is_freed)
{
    uint32_t partly = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct place p;
        struct buf buf = {0};
        struct file *file;

        begin(&p, seed);
        put(&p, "/a", "12345678");
        file = open_file(&p, "/a", FS_WRITE);
        sim_disk_fill(p.town.hosts[0], true);
        GP_CHECK_EQ(p.port->fs->write_file(p.port->world, "/b", gp_bytes_of("x", 1), 0600, NULL),
                    GP_ENOSPC);
        GP_CHECK_EQ(write_at(&p, file, 8, "more"), GP_ENOSPC);
        GP_CHECK_EQ(write_at(&p, file, 0, "1"), 0); /* in place */
        GP_CHECK_EQ(p.port->fs->make_dirs(p.port->world, "/new", 0700, NULL), GP_ENOSPC);
        GP_CHECK_EQ(strncmp(content(&p, "/a", &buf), "12345678", 8), 0);
        GP_CHECK(buf_len(&buf) < 12);
        partly += buf_len(&buf) > 8;
        sim_disk_fill(p.town.hosts[0], false);
        GP_CHECK_EQ(write_at(&p, file, 8, "more"), 0);
        GP_CHECK_STR_EQ(content(&p, "/a", &buf), "12345678more");
        GP_CHECK(sim_event_count(p.town.sim, "sim.disk_refused") == 3);
        buf_deinit(&buf);
        town_end(&p.town);
    }
    GP_CHECK(partly > 20);
}

GP_TEST(disk, fails_while_it_is_broken)
{
    struct place p;
    struct file *file;
    char byte;

    begin(&p, 1);
    put(&p, "/a", "1");
    file = open_file(&p, "/a", FS_READ | FS_WRITE);
    sim_disk_break(p.town.hosts[0], true);
    GP_CHECK_EQ(write_at(&p, file, 0, "2"), GP_EIO);
    GP_CHECK_EQ(p.port->fs->sync(p.port->world, file), GP_EIO);
    GP_CHECK_EQ(p.port->fs->remove(p.port->world, "/a", NULL), GP_EIO);
    GP_CHECK_EQ(p.port->fs->read_at(p.port->world, file, 0, &byte, 1), 1);
    sim_disk_break(p.town.hosts[0], false);
    GP_CHECK_EQ(p.port->fs->sync(p.port->world, file), 0);
    town_end(&p.town);
}

GP_TEST(disk, rots_by_as_many_bits_as_asked)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct place p;
        struct buf buf = {0};
        struct buf path = {0};

        begin(&p, seed);
        GP_CHECK_EQ(sim_disk_rot(p.town.hosts[0], "/", 1, NULL), GP_ENOENT);
        GP_CHECK_EQ(p.port->fs->make_dirs(p.port->world, "/raft", 0700, NULL), 0);
        put(&p, "/raft/a", "AAAAAAAA");
        put(&p, "/raft/b", "AAAAAAAA");
        put(&p, "/other", "AAAAAAAA");
        GP_CHECK_EQ(sim_disk_rot(p.town.hosts[0], "/raft", 1, &path), 0);
        GP_CHECK(strncmp(buf_c(&path), "/raft/", 6) == 0);
        GP_CHECK_EQ(strspn(content(&p, buf_c(&path), &buf), "A") < 8, true);
        GP_CHECK_STR_EQ(content(&p, "/other", &buf), "AAAAAAAA");
        GP_CHECK_EQ(sim_event_count(p.town.sim, "sim.disk_rotted"), 1);
        buf_deinit(&buf);
        buf_deinit(&path);
        town_end(&p.town);
    }
}
