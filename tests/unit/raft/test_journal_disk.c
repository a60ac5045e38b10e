/* A journal on a real disk: what the disk in memory stands for. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/world.h"
#include "gp_test.h"
#include "raft/journal.h"

#define LIVES 4u

struct place {
    struct edge_world *world;
    const struct port *port;
    char base[32];
    char folder[64];
    struct journal *j;
};

static int place_open(struct place *p, struct gp_error *err)
{
    const struct journal_options options = {
        .port = p->port, .folder = p->folder, .file_bytes = 4000};

    journal_close(p->j);
    p->j = NULL;
    return journal_open(&options, &p->j, err);
}

static void place_begin(struct place *p)
{
    memset(p, 0, sizeof(*p));
    strcpy(p->base, "/tmp/gp-raft-XXXXXX");
    GP_REQUIRE(mkdtemp(p->base) != NULL);
    (void)snprintf(p->folder, sizeof p->folder, "%s/a/raft", p->base);
    GP_REQUIRE_EQ(edge_world_new(NULL, &p->world, NULL), 0);
    p->port = edge_port(p->world);
    GP_REQUIRE_EQ(place_open(p, NULL), 0);
    GP_REQUIRE_EQ(journal_set_member(p->j, 7, "group", NULL), 0);
}

static void place_end(struct place *p)
{
    journal_close(p->j);
    GP_CHECK_EQ(p->port->fs->remove_tree(p->port->world, p->base, NULL), 0);
    edge_world_free(p->world);
}

static void append(struct place *p, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char text[64];
        struct journal_entry entry = {2, 1, {text, 0}};

        entry.bytes.len = (size_t)snprintf(text, sizeof text, "entry %" PRIu64 " of a disk",
                                           journal_last(p->j) + 1);
        GP_REQUIRE_EQ(journal_append(p->j, &entry, 1, NULL), 0);
    }
}

static void check_entries(struct place *p, uint64_t first, uint64_t last)
{
    struct buf buf = {0};

    GP_CHECK_EQ(journal_first(p->j), first);
    GP_CHECK_EQ(journal_last(p->j), last);
    for (uint64_t i = first; i <= last; i++) {
        char text[64];
        uint64_t term;
        uint16_t type;

        buf_clear(&buf);
        (void)snprintf(text, sizeof text, "entry %" PRIu64 " of a disk", i);
        GP_REQUIRE_EQ(journal_read(p->j, i, &term, &type, &buf, NULL), 0);
        GP_CHECK_STR_EQ(buf_c(&buf), text);
        GP_CHECK(term == 2 && type == 1);
    }
    buf_deinit(&buf);
}

GP_TEST(journal_disk, keeps_it_over_lives)
{
    struct journal_snapshot snapshot = {.term = 2, .members = {"abc", 3}, .data = {"data", 4}};
    struct journal_snapshot found;
    struct buf buf = {0};
    struct stat info;
    struct place p;

    place_begin(&p);
    for (uint64_t life = 0; life < LIVES; life++) {
        GP_CHECK_EQ(journal_set_vote(p.j, life + 1, 9, NULL), 0);
        append(&p, 60);
        GP_CHECK_EQ(journal_truncate(p.j, journal_last(p.j) - 4, NULL), 0);
        append(&p, 5);
        snapshot.index = journal_last(p.j) - 10;
        GP_CHECK_EQ(journal_snapshot_put(p.j, &snapshot, 30, false, NULL), 0);
        GP_REQUIRE_EQ(place_open(&p, NULL), 0);
        GP_CHECK_EQ(journal_term(p.j), life + 1);
        GP_CHECK_EQ(journal_vote(p.j), 9);
        check_entries(&p, 60 * life + 21, 60 * life + 60);
    }
    snapshot.index = 1000;
    GP_CHECK_EQ(journal_snapshot_put(p.j, &snapshot, 0, true, NULL), 0);
    append(&p, 2);
    GP_REQUIRE_EQ(place_open(&p, NULL), 0);
    check_entries(&p, 1001, 1002);
    GP_CHECK_EQ(journal_snapshot_get(p.j, &found, &buf, NULL), 0);
    GP_CHECK(found.index == 1000 && found.data.len == 4);
    GP_CHECK_EQ(stat(p.folder, &info), 0);
    GP_CHECK_EQ(info.st_mode & 0777, 0700);
    buf_deinit(&buf);
    place_end(&p);
}

GP_TEST(journal_disk, names_the_file_that_is_damaged)
{
    struct gp_error err = {0};
    struct place p;
    char path[80];
    char byte = 0;
    int fd;

    place_begin(&p);
    append(&p, 3);
    (void)snprintf(path, sizeof path, "%s/log-1", p.folder);
    fd = open(path, O_RDWR | O_CLOEXEC);
    GP_REQUIRE(fd >= 0);
    GP_CHECK_EQ(pread(fd, &byte, 1, 100), 1);
    byte ^= 4;
    GP_CHECK_EQ(pwrite(fd, &byte, 1, 100), 1);
    (void)close(fd);
    GP_CHECK_EQ(place_open(&p, &err), GP_ECHECKSUM);
    GP_CHECK(strstr(err.text, path) != NULL);
    GP_CHECK(strstr(err.hint, p.folder) != NULL);
    place_end(&p);
}

GP_TEST(journal_disk, says_which_folder_cannot_be_had)
{
    struct gp_error err = {0};
    struct place p;

    place_begin(&p);
    (void)strcpy(p.folder, "/dev/null/raft");
    GP_CHECK(place_open(&p, &err) < 0);
    GP_CHECK(strstr(err.text, "/dev/null") != NULL);
    place_end(&p);
}
