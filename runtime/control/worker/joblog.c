/* joblog.c: see joblog.h. */
#include "control/worker/joblog.h"

#include "base/assert.h"
#include "base/str.h"

#define READ_BLOCK_BYTES 65536u

static int start_file(struct joblog *log, struct gp_error *err)
{
    log->start = log->end;
    return log->port->fs->open(log->port->world, log->path, FS_READ | FS_WRITE | FS_TRUNCATE, 0600,
                               &log->file, err);
}

int joblog_open(struct joblog *log, const struct port *port, const char *path, uint64_t file_max,
                struct gp_error *err)
{
    ASSERT(file_max > 0);
    *log = (struct joblog){.port = port, .file_max = file_max};
    if (str_format(log->path, sizeof log->path, "%s", path) < 0) {
        return gp_error_set(err, GP_EINVAL, "the log file's name is too long");
    }
    return start_file(log, err);
}

static void close_files(struct joblog *log)
{
    log->port->fs->close(log->port->world, log->file);
    log->port->fs->close(log->port->world, log->old);
    log->file = NULL;
    log->old = NULL;
}

void joblog_close(struct joblog *log)
{
    if (log->port) {
        close_files(log);
    }
    *log = (struct joblog){0};
}

void joblog_rest(struct joblog *log)
{
    log->is_resting = true;
    close_files(log);
}

static void format_old_path(const struct joblog *log, char path[JOBLOG_PATH_MAX])
{
    (void)str_format(path, JOBLOG_PATH_MAX, "%s.old", log->path);
}

static int wake(struct joblog *log)
{
    const struct port *port = log->port;
    char old_path[JOBLOG_PATH_MAX];
    int rc;

    if (!log->is_resting) {
        return 0;
    }
    format_old_path(log, old_path);
    rc = port->fs->open(port->world, log->path, FS_READ | FS_WRITE, 0600, &log->file, NULL);
    if (rc >= 0 && log->has_old) {
        rc = port->fs->open(port->world, old_path, FS_READ, 0600, &log->old, NULL);
    }
    if (rc < 0) {
        close_files(log);
        return rc;
    }
    log->is_resting = false;
    return 0;
}

static int rotate(struct joblog *log)
{
    char old_path[JOBLOG_PATH_MAX];
    int rc;

    format_old_path(log, old_path);
    log->port->fs->close(log->port->world, log->old);
    log->old = log->file; /* an open file follows its rename */
    log->old_start = log->start;
    log->has_old = true;
    log->file = NULL;
    log->start = log->end; /* also when no new file comes */
    rc = log->port->fs->rename(log->port->world, log->path, old_path, NULL);
    if (rc >= 0) {
        rc = start_file(log, NULL);
    }
    return rc;
}

int joblog_append(struct joblog *log, const char *ptr, size_t len)
{
    int rc = wake(log);

    while (rc >= 0 && len > 0) {
        uint64_t room;
        size_t n;
        if (!log->file || log->end - log->start == log->file_max) {
            rc = log->file ? rotate(log) : start_file(log, NULL);
        }
        if (rc < 0) {
            return rc;
        }
        room = log->file_max - (log->end - log->start);
        n = len < room ? len : (size_t)room;
        rc = log->port->fs->write_at(log->port->world, log->file, log->end - log->start, ptr, n);
        if (rc < 0) {
            return rc;
        }
        log->end += n;
        ptr += n;
        len -= n;
    }
    return rc;
}

int joblog_read(struct joblog *log, uint64_t *offset, size_t max, struct buf *out,
                uint64_t *ret_skipped)
{
    uint64_t first = log->has_old ? log->old_start : log->start;
    uint64_t at = *offset > log->end ? log->end : *offset;
    int rc = wake(log);

    if (rc < 0) {
        return rc;
    }
    *ret_skipped = at < first ? first - at : 0;
    at += *ret_skipped;
    while (max > 0 && at < log->end) {
        bool in_old = at < log->start;
        uint64_t file_start = in_old ? log->old_start : log->start;
        uint64_t left = (in_old ? log->start : log->end) - at;
        size_t n = max < READ_BLOCK_BYTES ? max : READ_BLOCK_BYTES;
        void *space;
        int64_t got;

        n = left < n ? (size_t)left : n;
        rc = buf_reserve(out, n, &space);
        if (rc < 0) {
            return rc;
        }
        got = log->port->fs->read_at(log->port->world, in_old ? log->old : log->file,
                                     at - file_start, space, n);
        if (got <= 0) {
            return got < 0 ? (int)got : GP_EIO;
        }
        buf_commit(out, (size_t)got);
        at += (uint64_t)got;
        max -= (size_t)got;
    }
    *offset = at;
    return 0;
}
