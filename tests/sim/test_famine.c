/*
 * Memory and disk fail at any one call of a master, in the life of a cluster of three: it takes a
 * job, shows it, drains a worker and takes it back, spreads tasks, makes snapshots, brings back a
 * master that was away, ends the job.
 *
 * For each call there is one such life. Whoever asks is told of it or not at all, and may ask
 * again; nothing crashes, nothing is lost that was acknowledged, and afterwards all masters know
 * the same, are read from their disks with the same, and the next job runs.
 *
 * The linker sends malloc and its kin here (--wrap), and what the simulated world may not do
 * without.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "control/master/internal.h"
#include "control/master/registry_codec.h"
#include "gp_test.h"
#include "realm.h"
#include "sim/disk.h"
#include "sim/pipe.h"
#include "sim/world.h"

#define MASTERS   3u
#define WORKERS   3u
#define TRIES     40u
#define TRY_US    500000
#define ANSWER_MS 60000

/* One of so many calls fails in a run of tests; tests/run.sh --all has another number in the
 * environment. */
#ifndef STRIDE
#define STRIDE 509u
#endif
#define DISK_STRIDE (STRIDE / 150u)

/* ---- what fails ---- */

enum want { WANT_NOTHING, WANT_MEMORY, WANT_DISK };

static const struct sim *world; /* of the life that is led; NULL: none */
static enum want want;          /* what is counted */
static uint64_t asked;          /* calls so far */
static uint64_t refused_at;     /* the call that fails, from 1; 0: none */
static uint32_t exempt;         /* within the simulated world: > 0 */

static bool is_masters(const struct sim_proc *proc)
{
    return proc->args != NULL && strcmp(proc->args[0], "master") == 0;
}

static bool refuse(enum want what)
{
    if (what != want || exempt > 0 || world == NULL || world->current == NULL ||
        !is_masters(world->current->proc)) {
        return false;
    }
    return ++asked == refused_at;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names */

#define ALLOCATE(name, declared, given)                                                            \
    void *__real_##name declared;                                                                  \
    void *__wrap_##name declared;                                                                  \
    void *__wrap_##name declared                                                                   \
    {                                                                                              \
        if (refuse(WANT_MEMORY)) {                                                                 \
            errno = ENOMEM;                                                                        \
            return NULL;                                                                           \
        }                                                                                          \
        return __real_##name given;                                                                \
    }

ALLOCATE(malloc, (size_t size), (size))
ALLOCATE(calloc, (size_t count, size_t size), (count, size))
ALLOCATE(realloc, (void *ptr, size_t size), (ptr, size))
ALLOCATE(reallocarray, (void *ptr, size_t count, size_t size), (ptr, count, size))
ALLOCATE(aligned_alloc, (size_t alignment, size_t size), (alignment, size))
ALLOCATE(strdup, (const char *s), (s))

#define EXEMPT(type, name, declared, given)                                                        \
    type __real_##name declared;                                                                   \
    type __wrap_##name declared;                                                                   \
    type __wrap_##name declared                                                                    \
    {                                                                                              \
        type rc;                                                                                   \
                                                                                                   \
        exempt++;                                                                                  \
        rc = __real_##name given;                                                                  \
        exempt--;                                                                                  \
        return rc;                                                                                 \
    }

#define EXEMPT_VOID(name, declared, given)                                                         \
    void __real_##name declared;                                                                   \
    void __wrap_##name declared;                                                                   \
    void __wrap_##name declared                                                                    \
    {                                                                                              \
        exempt++;                                                                                  \
        __real_##name given;                                                                       \
        exempt--;                                                                                  \
    }

EXEMPT_VOID(sim_events_arm, (struct sim_events * q, struct sim_event *event, int64_t at_ns),
            (q, event, at_ns))
EXEMPT_VOID(sim_inode_truncate, (struct sim_inode * inode), (inode))
EXEMPT_VOID(sim_trace_log_sink, (void *ctx, enum log_level level, gp_str line), (ctx, level, line))
EXEMPT(size_t, sim_pipe_put, (struct sim_pipe * p, const void *ptr, size_t len), (p, ptr, len))

extern const struct fs_ops __real_sim_fs_ops;
extern const struct fs_ops __wrap_sim_fs_ops;
#define REAL (&__real_sim_fs_ops)

/* What a disk keeps is on no heap, but reading takes memory of the process. */
#define DISK_CALL(type, name, declared, given, failed)                                             \
    static type disk_##name declared                                                               \
    {                                                                                              \
        type rc;                                                                                   \
                                                                                                   \
        if (refuse(WANT_DISK)) {                                                                   \
            return failed;                                                                         \
        }                                                                                          \
        exempt += is_kept_by_disk(#name);                                                          \
        rc = REAL->name given;                                                                     \
        exempt -= is_kept_by_disk(#name);                                                          \
        return rc;                                                                                 \
    }

static uint32_t is_kept_by_disk(const char *name)
{
    return strcmp(name, "read_file") != 0 && strcmp(name, "open") != 0 && strcmp(name, "list") != 0;
}

static int said(struct gp_error *err)
{
    return gp_error_set(err, GP_EIO, "the disk failed once");
}

DISK_CALL(int, read_file,
          (void *w, const char *path, size_t max, struct buf *buf, struct gp_error *err),
          (w, path, max, buf, err), said(err))
DISK_CALL(int, write_file,
          (void *w, const char *path, gp_bytes bytes, uint32_t mode, struct gp_error *err),
          (w, path, bytes, mode, err), said(err))
DISK_CALL(int, open,
          (void *w, const char *path, uint32_t flags, uint32_t mode, struct file **ret,
           struct gp_error *err),
          (w, path, flags, mode, ret, err), said(err))
DISK_CALL(int64_t, read_at, (void *w, struct file *file, uint64_t offset, void *ptr, size_t len),
          (w, file, offset, ptr, len), GP_EIO)
DISK_CALL(int, write_at, (void *w, struct file *file, uint64_t offset, const void *ptr, size_t len),
          (w, file, offset, ptr, len), GP_EIO)
DISK_CALL(int, sync, (void *w, struct file *file), (w, file), GP_EIO)
DISK_CALL(int64_t, size, (void *w, struct file *file), (w, file), GP_EIO)
DISK_CALL(int, rename, (void *w, const char *from, const char *to, struct gp_error *err),
          (w, from, to, err), said(err))
DISK_CALL(int, remove, (void *w, const char *path, struct gp_error *err), (w, path, err), said(err))
DISK_CALL(int, remove_tree, (void *w, const char *path, struct gp_error *err), (w, path, err),
          said(err))
DISK_CALL(int, make_dirs, (void *w, const char *path, uint32_t mode, struct gp_error *err),
          (w, path, mode, err), said(err))
DISK_CALL(int, sync_folder, (void *w, const char *path, struct gp_error *err), (w, path, err),
          said(err))
DISK_CALL(int, list, (void *w, const char *path, fs_list_fn fn, void *user, struct gp_error *err),
          (w, path, fn, user, err), said(err))
/* Does not fail: whoever asks takes what cannot be seen for absent. */
static int disk_exists(void *w, const char *path)
{
    return REAL->exists(w, path);
}

static void disk_close(void *w, struct file *file)
{
    REAL->close(w, file);
}

const struct fs_ops __wrap_sim_fs_ops = {
    .read_file = disk_read_file,
    .write_file = disk_write_file,
    .open = disk_open,
    .read_at = disk_read_at,
    .write_at = disk_write_at,
    .sync = disk_sync,
    .size = disk_size,
    .close = disk_close,
    .rename = disk_rename,
    .remove = disk_remove,
    .remove_tree = disk_remove_tree,
    .make_dirs = disk_make_dirs,
    .sync_folder = disk_sync_folder,
    .list = disk_list,
    .exists = disk_exists,
};

/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */

/* ---- a life ---- */

struct life {
    struct cluster c;
    uint64_t at; /* the call that fails; 0: none */
    const char *doing;
    bool is_judged; /* something was wrong */
};

static void judge(struct life *life, bool holds, const char *what)
{
    if (!holds && !life->is_judged) {
        life->is_judged = true;
        GP_TEST_FAIL("call %llu of %s refused: %s: %s: %d %s", (unsigned long long)life->at,
                     want == WANT_DISK ? "the disk" : "memory", life->doing, what, life->c.code,
                     life->c.err.text);
    }
}

/* What a cluster may say that lacks something for a moment. */
static bool may_pass(int code)
{
    return code == GP_ENOMEM || code == GP_EIO || code == GP_EAGAIN || code == GP_ENOTLEADER ||
           code == GP_EUNREACH || code == GP_ETIMEOUT || code == GP_ECLOSED || code == GP_ESTATE ||
           code == GP_ENOENT; /* a worker that comes again */
}

typedef int (*act_fn)(struct cluster *c);

/* Asked again after each answer that may pass. */
static void insist(struct life *life, const char *doing, act_fn act)
{
    int code = GP_EAGAIN;

    life->doing = doing;
    for (uint32_t i = 0; i < TRIES && code < 0 && (i == 0 || may_pass(code)); i++) {
        if (i > 0) {
            cluster_run_us(&life->c, TRY_US);
        }
        code = act(&life->c);
    }
    judge(life, code >= 0, "it was refused");
}

static int submit(struct cluster *c)
{
    static const char *const endless[] = {"rows=0", "pause=100000", NULL};

    return cluster_submit(c, &(struct cluster_job){.plugin = GP_CHAIN_JOB, .config = endless});
}

static int submit_next(struct cluster *c)
{
    static const char *const some[] = {"rows=20", NULL};

    return cluster_submit(
        c, &(struct cluster_job){.plugin = GP_CHAIN_JOB, .name = "next", .config = some});
}

static int ask_drain(struct cluster *c, struct msg_worker_drain msg)
{
    static char name[] = "w1";

    msg.worker = name;
    return cluster_drain(c, &msg);
}

static int drain(struct cluster *c)
{
    return ask_drain(c, (struct msg_worker_drain){.force = true});
}

static int await_drained(struct cluster *c)
{
    int code = ask_drain(c, (struct msg_worker_drain){.look = true});

    return code < 0 ? code : c->worker_state == WORKER_DRAINING ? GP_EAGAIN : code;
}

static int undo(struct cluster *c)
{
    return ask_drain(c, (struct msg_worker_drain){.undo = true});
}

static int spread(struct cluster *c)
{
    return cluster_rebalance(c, true);
}

/* Starts every master that could not be started for want of something. */
static void start_masters(struct life *life)
{
    for (uint32_t i = 0; i < MASTERS; i++) {
        if (!cluster_is_up(&life->c.masters[i])) {
            cluster_start_master(&life->c, i);
            cluster_run_us(&life->c, TRY_US);
        }
    }
}

static void live(struct life *life)
{
    struct cluster *c = &life->c;
    uint32_t away;

    insist(life, "submit", submit);
    life->doing = "starting";
    judge(life, cluster_wait_running(c) == 0, "it does not run");
    insist(life, "describe", cluster_describe);
    insist(life, "list", cluster_list_workers);
    away = (cluster_leader(c) + 1) % MASTERS;
    sim_kill(c->masters[away].proc);
    insist(life, "drain", drain);
    insist(life, "drained", await_drained);
    insist(life, "undo", undo);
    insist(life, "rebalance", spread);
    cluster_run_us(c, TRY_US);
    cluster_start_master(c, away);
    cluster_run_us(c, 2 * TRY_US);
    insist(life, "kill", cluster_kill);
}

static bool has_leader(struct cluster *c)
{
    return cluster_leader(c) < MASTERS;
}

/* All of them live and hold the same; one that a snapshot did not reach is sent another in a
 * while. */
static bool are_equal(struct cluster *c)
{
    struct buf first = {0};
    struct buf other = {0};
    bool equal = true;

    for (uint32_t i = 0; i < MASTERS && equal; i++) {
        const struct master *m = c->masters[i].master;

        equal = m != NULL && !m->is_torn;
        if (equal) {
            GP_REQUIRE_EQ(registry_save(&m->registry, i == 0 ? &first : &other), 0);
            equal = i == 0 || str_eq(buf_str(&first), buf_str(&other));
        }
        buf_deinit(&other);
    }
    buf_deinit(&first);
    return equal;
}

static void compare(struct life *life, const char *when)
{
    life->doing = when;
    judge(life, cluster_until(&life->c, are_equal, ANSWER_MS) == 0, "the masters differ");
}

static void restart_all(struct life *life)
{
    for (uint32_t i = 0; i < MASTERS; i++) {
        sim_kill(life->c.masters[i].proc);
    }
    start_masters(life);
    judge(life, cluster_until(&life->c, has_leader, ANSWER_MS) == 0, "nobody leads");
}

/* How many calls there were. */
static uint64_t lead(uint64_t seed, enum want what, uint64_t at)
{
    struct life *life = calloc(1, sizeof *life);
    struct cluster *c;
    uint64_t count;

    GP_REQUIRE(life != NULL);
    c = &life->c;
    *c = (struct cluster){
        .master_count = MASTERS, .worker_count = WORKERS, .lanes = 1, .snapshot_entries = 4};
    life->at = at;
    GP_REQUIRE_EQ(realm_begin(c, seed, false), 0);
    asked = 0;
    refused_at = at;
    want = what;
    world = c->sim;
    live(life);
    count = asked;
    world = NULL;
    start_masters(life);
    compare(life, "afterwards");
    insist(life, "submit again", submit_next);
    judge(life, cluster_wait_end(c, ANSWER_MS) == APP_FINISHED, "it does not finish");
    restart_all(life);
    compare(life, "from the disks");
    life->doing = "the end";
    judge(life, cluster_end(c) == 0, "something leaked");
    free(life);
    return count;
}

static uint64_t chosen(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

/* GP_FAMINE_ONLY=N leads the life in which call N fails, as a failed check names it. */
static void refuse_each(enum want what, uint64_t stride)
{
    const uint64_t only = chosen("GP_FAMINE_ONLY", 0);
    const uint64_t all = lead(1, what, 0);
    uint64_t at = only > 0 ? only : chosen("GP_FAMINE_FIRST", 1);

    stride = chosen("GP_FAMINE_STRIDE", stride);
    (void)fprintf(stderr, "%llu calls, of which one of %llu fails\n", (unsigned long long)all,
                  (unsigned long long)stride);
    GP_CHECK(all > 100 && stride > 0);
    do {
        (void)lead(1, what, at);
        at += stride;
    } while (at <= all && only == 0);
}

GP_TEST(famine, memory_refused_once_harms_no_master)
{
    refuse_each(WANT_MEMORY, STRIDE);
}

GP_TEST(famine, a_disk_that_fails_once_harms_no_master)
{
    refuse_each(WANT_DISK, DISK_STRIDE);
}
