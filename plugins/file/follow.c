/*
 * file/follow: the lines of files that grow, as `tail -F` reads them: on and on, through rotation.
 *
 * Task i of n follows every n-th of the paths given. Each file is read to its end; then, every
 * `interval`, what became of its path is looked at:
 *
 *   it has grown                          read on
 *   it is shorter than what was read      truncated: from its beginning (logged, counted)
 *   the path leads to another file        rotated: the rest of the old one, then the new one
 *   the path leads nowhere                go on with the open one until a new one appears
 *
 * A line is emitted when its newline is there; what stands behind the last newline of a file that
 * was rotated away is a line, too. State is where each file stands and which file that is (device
 * and inode), so that a restored task finds it again, also under the name that rotation gave it.
 *
 * Invariant: lines holds the bytes of the file from `offset` on. Fails when a file is there and
 * cannot be read, or holds a line longer than line.max.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gearpump/lines.h>

#include "file.h"

#define FILES_MAX        1024u
#define READ_COST        16u /* of a poll's budget, in lines: bounds a poll that finds none */
#define ENTRY_PREFIX     "follow."
#define ENTRY_HEAD_BYTES 24u

struct followed {
    char *path;
    int fd;      /* -1: there was none yet */
    int rotated; /* the path leads elsewhere: go there at the end */
    int missed;  /* said that it is not there */
    uint64_t device;
    uint64_t inode;
    uint64_t offset;
    struct gp_lines lines;
};

struct follower {
    const struct gp_task *task;
    uint64_t line_max;
    int64_t interval_ns;
    int64_t look_ns; /* when paths are looked at next */
    int64_t time_ns;
    int from_end; /* files that are there when the task starts: what they hold is not for us */
    uint32_t count;
    uint32_t next; /* whose turn it is */
    struct followed *files[FILES_MAX];
};

static void leave(struct followed *f)
{
    if (f->fd >= 0) {
        (void)close(f->fd);
        f->fd = -1;
    }
    f->rotated = 0;
    f->offset = 0;
    gp_lines_clear(&f->lines);
}

static void forget_all(struct follower *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        leave(s->files[i]);
        gp_lines_deinit(&s->files[i]->lines);
        free(s->files[i]->path);
        free(s->files[i]);
    }
    s->count = 0;
    s->next = 0;
}

static void follow_close(void *self, uint32_t ended)
{
    (void)ended;
    forget_all(self);
    free(self);
}

/* NULL without memory or room. */
static struct followed *add(struct follower *s, const char *path, size_t len)
{
    struct followed *f = s->count < FILES_MAX ? calloc(1, sizeof *f) : NULL;

    if (f) {
        f->path = strndup(path, len);
        f->fd = -1;
        gp_lines_init(&f->lines, s->line_max);
    }
    if (!f || !f->path) {
        free(f);
        (void)gp_failf(s->task, "no memory, or more than %u files", FILES_MAX);
        return NULL;
    }
    s->files[s->count++] = f;
    return f;
}

/* Takes fd as what f reads, from offset on. GP_OK, or GP_FAIL: no regular file. */
static int32_t take_file(const struct follower *s, struct followed *f, int fd, uint64_t offset)
{
    struct stat status;

    leave(f);
    f->fd = fd;
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return gp_failf(s->task, "cannot follow '%s': no regular file", f->path);
    }
    f->device = (uint64_t)status.st_dev;
    f->inode = (uint64_t)status.st_ino;
    f->offset = offset;
    f->missed = 0;
    return GP_OK;
}

/* Opens the path, if it leads anywhere. */
static int32_t open_path(const struct follower *s, struct followed *f)
{
    int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0) {
        return take_file(s, f, fd, 0);
    }
    if (errno != ENOENT) {
        return gp_failf(s->task, "cannot open '%s': %m", f->path);
    }
    if (!f->missed) {
        gp_logf(s->task, GP_LOG_INFO, "'%s' is not there; waiting for it", f->path);
        f->missed = 1;
    }
    return GP_OK;
}

static int32_t begin(struct follower *s, struct followed *f)
{
    struct stat status;

    if (open_path(s, f) != GP_OK) {
        return GP_FAIL;
    }
    if (f->fd >= 0 && s->from_end && fstat(f->fd, &status) == 0) {
        f->offset = (uint64_t)status.st_size;
    }
    return GP_OK;
}

static int32_t add_paths(struct follower *s, const char *paths)
{
    uint32_t number = 0;

    while (*paths != '\0') {
        size_t len = strcspn(paths, ",");
        if (len > FILE_PATH_MAX_BYTES) {
            return gp_failf(s->task, "a path is longer than %u bytes", FILE_PATH_MAX_BYTES);
        }
        if (len > 0 && number++ % s->task->parallelism == s->task->index) {
            struct followed *f = add(s, paths, len);
            if (!f || begin(s, f) != GP_OK) {
                return GP_FAIL;
            }
        }
        paths += len + (paths[len] == ',');
    }
    return GP_OK;
}

static int32_t follow_open(const struct gp_task *task, void **ret_self)
{
    const struct gp_config *config = task->config;
    struct follower *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->time_ns = GP_TIME_MIN;
    s->from_end = strcmp(gp_config_text(config, "from", ""), "end") == 0;
    (void)gp_config_bytes(config, "line.max", 0, &s->line_max); /* the table has checked them */
    (void)gp_config_duration_ns(config, "interval", 0, &s->interval_ns);
    if (add_paths(s, gp_config_text(config, "path", "")) != GP_OK) {
        follow_close(s, 0);
        return GP_FAIL;
    }
    *ret_self = s;
    return GP_OK;
}

/* ---- looking at the path ---- */

static int32_t look(const struct follower *s, struct followed *f)
{
    struct stat status;

    if (f->fd < 0) {
        return open_path(s, f);
    }
    if (fstat(f->fd, &status) != 0) {
        return gp_failf(s->task, "cannot read '%s': %m", f->path);
    }
    if ((uint64_t)status.st_size < f->offset + gp_lines_len(&f->lines)) {
        gp_logf(s->task, GP_LOG_WARN, "'%s' was truncated; reading it from its beginning", f->path);
        gp_count(s->task, "truncated", 1);
        gp_lines_clear(&f->lines);
        f->offset = 0;
    }
    if (stat(f->path, &status) == 0) {
        f->rotated = (uint64_t)status.st_dev != f->device || (uint64_t)status.st_ino != f->inode;
    } else if (errno != ENOENT) {
        return gp_failf(s->task, "cannot follow '%s': %m", f->path);
    }
    return GP_OK;
}

/* The path leads elsewhere, and all of the old file was read. */
static int32_t move_on(struct follower *s, struct followed *f, struct gp_out *out)
{
    gp_str rest = gp_lines_len(&f->lines) > 0 ? gp_lines_rest(&f->lines) : (gp_str){"", 0};

    if (rest.len > 0 && gp_emit(out, s->time_ns, rest.ptr, rest.len) != GP_OK) {
        return GP_FAIL;
    }
    gp_count(s->task, "rotated", 1);
    leave(f);
    return open_path(s, f);
}

/* ---- reading ---- */

static int32_t emit_lines(struct follower *s, struct followed *f, struct gp_out *out,
                          uint32_t *budget)
{
    gp_str line;

    while (*budget > 0 && !gp_out_full(out)) {
        int32_t rc = gp_lines_next(&f->lines, &line);
        if (rc == GP_IDLE) {
            return GP_OK;
        }
        if (rc == GP_REJECT) {
            return gp_failf(s->task,
                            "the line at offset %" PRIu64
                            " of '%s' is longer than line.max, %" PRIu64 " bytes",
                            f->offset, f->path, s->line_max);
        }
        if (gp_emit(out, s->time_ns, line.ptr, line.len) != GP_OK) {
            return GP_FAIL;
        }
        f->offset += line.len + 1;
        --*budget;
    }
    return GP_YIELD;
}

/* GP_MORE: there may be more; GP_IDLE: it is at its end. */
static int32_t read_on(struct follower *s, struct followed *f, struct gp_out *out, uint32_t *budget)
{
    char *to;
    size_t room;
    ssize_t count;
    int32_t rc = emit_lines(s, f, out, budget);

    if (rc != GP_OK) {
        return rc == GP_YIELD ? GP_MORE : rc;
    }
    if (f->fd < 0) {
        return GP_IDLE;
    }
    if (gp_lines_room(&f->lines, &to, &room) != GP_OK) {
        return gp_fail(s->task, "no memory for a line");
    }
    *budget -= *budget < READ_COST ? *budget : READ_COST;
    do {
        count = pread(f->fd, to, room, (off_t)(f->offset + gp_lines_len(&f->lines)));
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return gp_failf(s->task, "cannot read '%s': %m", f->path);
    }
    gp_lines_add(&f->lines, (size_t)count);
    if (count == 0 && f->rotated) {
        return move_on(s, f, out) == GP_OK ? GP_MORE : GP_FAIL;
    }
    return count > 0 ? GP_MORE : GP_IDLE;
}

static int32_t follow_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct follower *s = self;
    const int64_t now_ns = gp_now_ns(s->task);
    const int64_t wall_ns = gp_wall_ns(s->task);
    uint32_t idle = 0;

    s->time_ns = wall_ns > s->time_ns ? wall_ns : s->time_ns;
    for (uint32_t i = 0; i < s->count && now_ns >= s->look_ns; i++) {
        if (look(s, s->files[i]) != GP_OK) {
            return GP_FAIL;
        }
    }
    if (now_ns >= s->look_ns) {
        s->look_ns = now_ns + s->interval_ns;
    }
    while (idle < s->count && budget > 0 && !gp_out_full(out)) {
        int32_t rc = read_on(s, s->files[s->next], out, &budget);
        if (rc == GP_FAIL) {
            return GP_FAIL;
        }
        if (rc == GP_IDLE) {
            idle++;
            s->next = (s->next + 1) % s->count;
        } else {
            idle = 0;
        }
    }
    if (gp_emit_watermark(out, s->time_ns) != GP_OK) {
        return GP_FAIL;
    }
    if (idle < s->count) {
        s->next = s->count > 0 ? (s->next + 1) % s->count : 0; /* the others want a turn, too */
        return GP_MORE;
    }
    /* The only timer of the task, so there is room for it. */
    (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, 0, s->look_ns);
    return GP_IDLE;
}

/* ---- state: an entry for each file ---- */

static int32_t follow_snapshot(void *self, struct gp_snapshot *snapshot)
{
    const struct follower *s = self;
    unsigned char bytes[ENTRY_HEAD_BYTES + FILE_PATH_MAX_BYTES];
    char name[32];

    for (uint32_t i = 0; i < s->count; i++) {
        const struct followed *f = s->files[i];
        size_t path_len = strlen(f->path);
        gp_put_u64(bytes, f->offset);
        gp_put_u64(bytes + 8, f->fd >= 0 ? f->device : 0);
        gp_put_u64(bytes + 16, f->fd >= 0 ? f->inode : 0); /* no file has the inode 0 */
        memcpy(bytes + ENTRY_HEAD_BYTES, f->path, path_len);
        (void)snprintf(name, sizeof name, ENTRY_PREFIX "%u", i);
        if (snapshot->put(snapshot, GP_GROUP_NONE, gp_str_of(name),
                          gp_bytes_of(bytes, ENTRY_HEAD_BYTES + path_len)) != GP_OK) {
            return gp_fail(s->task, "cannot save where the source stands");
        }
    }
    return GP_OK;
}

/* The file with this device and inode beside f's path, where rotation puts it; or -1. */
static int find_rotated(const struct followed *f, uint64_t device, uint64_t inode)
{
    char name[FILE_PATH_MAX_BYTES + sizeof((struct dirent *)0)->d_name + 2];
    const char *slash = strrchr(f->path, '/');
    const int folder_len = slash ? (int)(slash - f->path) + 1 : 0;
    const struct dirent *entry;
    struct stat status;
    DIR *folder;
    int fd = -1;

    (void)snprintf(name, sizeof name, "%.*s", folder_len, folder_len > 0 ? f->path : "");
    folder = opendir(folder_len > 0 ? name : ".");
    while (folder && fd < 0 && (entry = readdir(folder)) != NULL) {
        if ((uint64_t)entry->d_ino != inode) {
            continue;
        }
        (void)snprintf(name, sizeof name, "%.*s%s", folder_len, f->path, entry->d_name);
        fd = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (fd >= 0 && (fstat(fd, &status) != 0 || (uint64_t)status.st_dev != device ||
                        (uint64_t)status.st_ino != inode)) {
            (void)close(fd);
            fd = -1;
        }
    }
    if (folder) {
        (void)closedir(folder);
    }
    return fd;
}

/* Where the entry says, if that file is still to be found. */
static int32_t go_back(struct follower *s, struct followed *f, uint64_t offset, uint64_t device,
                       uint64_t inode)
{
    int fd;

    if (open_path(s, f) != GP_OK) {
        return GP_FAIL;
    }
    if (inode == 0) {
        return GP_OK; /* there was none then: all of it is new */
    }
    if (f->fd >= 0 && f->device == device && f->inode == inode) {
        f->offset = offset; /* look() sees whether it is shorter now */
        return GP_OK;
    }
    fd = find_rotated(f, device, inode);
    if (fd < 0) {
        gp_logf(s->task, GP_LOG_WARN,
                "'%s' is another file now; what it held behind offset %" PRIu64
                " when it was left is lost",
                f->path, offset);
        gp_count(s->task, "lost", 1);
        return GP_OK;
    }
    return take_file(s, f, fd, offset);
}

static int32_t restore_entry(struct follower *s, const struct gp_entry_view *entry)
{
    const unsigned char *bytes = entry->bytes.ptr;
    struct followed *f;

    if (entry->bytes.len <= ENTRY_HEAD_BYTES ||
        entry->bytes.len > ENTRY_HEAD_BYTES + FILE_PATH_MAX_BYTES) {
        return gp_fail(s->task, "the saved state of the source is damaged");
    }
    f = add(s, (const char *)bytes + ENTRY_HEAD_BYTES, entry->bytes.len - ENTRY_HEAD_BYTES);
    return f ? go_back(s, f, gp_get_u64(bytes), gp_get_u64(bytes + 8), gp_get_u64(bytes + 16))
             : GP_FAIL;
}

/* What is restored replaces what open found, also when it is nothing. */
static int32_t follow_restore(void *self, struct gp_restore *restore)
{
    struct follower *s = self;
    struct gp_entry_view entry = {.size = sizeof entry};
    int32_t rc;

    forget_all(s);
    while ((rc = restore->next(restore, &entry)) > 0) {
        if (restore_entry(s, &entry) != GP_OK) {
            return GP_FAIL;
        }
    }
    return rc < 0 ? gp_fail(s->task, "the saved state of the source is damaged") : GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "path",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "files, separated by commas; they need not be there yet"},
    {.name = "from",
     .type = GP_PARAMETER_CHOICE,
     .fallback = "begin",
     .choices = "begin|end",
     .help = "where to begin in files that are there at the start"},
    {.name = "interval",
     .type = GP_PARAMETER_DURATION,
     .fallback = "100ms",
     .min = "1ms",
     .max = "1h",
     .help = "how often a file is looked at once all of it was read"},
    {.name = "line.max",
     .type = GP_PARAMETER_BYTES,
     .fallback = "1MiB",
     .min = "1",
     .max = "16MiB",
     .help = "a longer line fails the task"},
};

const struct gp_processor file_follow = {.size = sizeof file_follow,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "follow",
                                         .flags = GP_PROCESSOR_STATEFUL,
                                         .open = follow_open,
                                         .poll = follow_poll,
                                         .close = follow_close,
                                         .snapshot = follow_snapshot,
                                         .restore = follow_restore,
                                         GP_PARAMETERS(parameters)};
