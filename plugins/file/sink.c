/*
 * file/sink: the value of each message as a line of DIRECTORY/part-INDEX.
 *
 * Lines go to .part-INDEX.tmp, which becomes part-INDEX at the end of the stream, on disk and
 * complete; a task that is stopped or fails removes it. Checkpoints (drafts) stage what was written
 * so far under a name of its own, which commit makes visible:
 *
 *   write             prepare(7)        commit(7)
 *   .part-0.tmp  -->  .part-0.7    -->  part-0.7        abort(7): removed
 *
 * All three are idempotent and need nothing but the file names, so that another life of the task
 * can finish what this one began. Fails when the directory cannot be made or written.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define BUFFER_BYTES (256u << 10)
#define NAME_BYTES   (FILE_PATH_MAX_BYTES + 64u)

struct sink {
    const struct gp_task *task;
    const char *directory;
    int fd; /* of the temporary file; -1 when there is none */
    size_t len;
    char buffer[BUFFER_BYTES];
};

struct name {
    char text[NAME_BYTES];
};

static struct name temporary_name(const struct sink *s)
{
    struct name name;

    (void)snprintf(name.text, sizeof name.text, "%s/.part-%u.tmp", s->directory, s->task->index);
    return name;
}

static struct name part_name(const struct sink *s, uint32_t index)
{
    struct name name;

    (void)snprintf(name.text, sizeof name.text, "%s/part-%u", s->directory, index);
    return name;
}

static struct name checkpoint_name(const struct sink *s, const char *prefix, uint64_t checkpoint)
{
    struct name name;

    (void)snprintf(name.text, sizeof name.text, "%s/%spart-%u.%" PRIu64, s->directory, prefix,
                   s->task->index, checkpoint);
    return name;
}

static int exists(const struct name *name)
{
    return access(name->text, F_OK) == 0;
}

/* Of what is there already, whatever it is, the first file will tell whether it will do. */
static int32_t make_one(const struct sink *s, const char *path)
{
    int failed = mkdir(path, 0777) != 0 ? errno : 0;

    if (failed == 0 || access(path, F_OK) == 0) {
        return GP_OK;
    }
    errno = failed;
    return gp_failf(s->task, "cannot make directory '%s': %m", path);
}

/* mkdir -p */
static int32_t make_directory(const struct sink *s)
{
    char path[FILE_PATH_MAX_BYTES + 1];
    int32_t rc = GP_OK;

    (void)snprintf(path, sizeof path, "%s", s->directory);
    for (char *slash = strchr(path + 1, '/'); slash && rc == GP_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        rc = make_one(s, path);
        *slash = '/';
    }
    return rc == GP_OK ? make_one(s, path) : rc;
}

static int32_t begin_file(struct sink *s)
{
    struct name name = temporary_name(s);

    s->fd = open(name.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (s->fd < 0) {
        return gp_failf(s->task, "cannot create '%s': %m", name.text);
    }
    return GP_OK;
}

static int32_t write_all(struct sink *s, const char *ptr, size_t len)
{
    while (len > 0) {
        ssize_t count = write(s->fd, ptr, len);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return gp_failf(s->task, "cannot write '%s': %m", temporary_name(s).text);
        }
        ptr += count;
        len -= (size_t)count;
    }
    return GP_OK;
}

static int32_t flush(struct sink *s)
{
    size_t len = s->len;

    s->len = 0;
    return write_all(s, s->buffer, len);
}

/* Renames, and makes the new name as durable as the file. */
static int32_t move(const struct sink *s, const struct name *from, const struct name *to)
{
    int directory;

    if (rename(from->text, to->text) != 0) {
        return gp_failf(s->task, "cannot rename '%s' to '%s': %m", from->text, to->text);
    }
    directory = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory >= 0) {
        (void)fsync(directory); /* some file systems cannot; the file itself is safe */
        (void)close(directory);
    }
    return GP_OK;
}

/* Ends the temporary file: all of it on disk, then under the name `to`. */
static int32_t finish_file(struct sink *s, const struct name *to)
{
    struct name from = temporary_name(s);
    int failed;

    if (flush(s) != GP_OK) {
        return GP_FAIL;
    }
    failed = fsync(s->fd) != 0;
    failed |= close(s->fd) != 0;
    s->fd = -1;
    if (failed) {
        (void)gp_failf(s->task, "cannot write '%s': %m", from.text);
        (void)unlink(from.text);
        return GP_FAIL;
    }
    return move(s, &from, to);
}

static int32_t sink_open(const struct gp_task *task, void **ret_self)
{
    const char *directory = gp_config_text(task->config, "path", "");
    struct sink *s;
    struct name stale;

    if (strlen(directory) > FILE_PATH_MAX_BYTES) {
        return gp_failf(task, "parameter path is longer than %u bytes", FILE_PATH_MAX_BYTES);
    }
    s = malloc(sizeof *s);
    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->directory = directory;
    s->len = 0;
    stale = part_name(s, task->parallelism);
    if (task->index == 0 && exists(&stale)) {
        /* Whoever reads part-* would count it to this run. */
        (void)gp_failf(task, "'%s' is left from a run with more tasks: remove it", stale.text);
        free(s);
        return GP_FAIL;
    }
    if (make_directory(s) != GP_OK || begin_file(s) != GP_OK) {
        free(s);
        return GP_FAIL;
    }
    *ret_self = s;
    return GP_OK;
}

static int32_t write_line(struct sink *s, const char *line, size_t len)
{
    if (len + 1 > sizeof s->buffer - s->len && flush(s) != GP_OK) {
        return GP_FAIL;
    }
    if (len + 1 > sizeof s->buffer) {
        return write_all(s, line, len) == GP_OK ? write_all(s, "\n", 1) : GP_FAIL;
    }
    memcpy(s->buffer + s->len, line, len);
    s->buffer[s->len + len] = '\n';
    s->len += len + 1;
    return GP_OK;
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct sink *s = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (write_line(s, row->value, row->value_len) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t sink_on_end(void *self, struct gp_out *out)
{
    struct sink *s = self;
    struct name part = part_name(s, s->task->index);

    (void)out;
    return finish_file(s, &part);
}

static void sink_close(void *self, uint32_t ended)
{
    struct sink *s = self;

    (void)ended; /* on_end has closed the file if all went well */
    if (s->fd >= 0) {
        (void)close(s->fd);
        (void)unlink(temporary_name(s).text);
    }
    free(s);
}

static int32_t sink_prepare(void *self, uint64_t checkpoint)
{
    struct sink *s = self;
    struct name staged = checkpoint_name(s, ".", checkpoint);
    struct name part = checkpoint_name(s, "", checkpoint);

    if (exists(&staged) || exists(&part)) {
        return GP_OK;
    }
    return finish_file(s, &staged) == GP_OK ? begin_file(s) : GP_FAIL;
}

static int32_t sink_commit(void *self, uint64_t checkpoint)
{
    const struct sink *s = self;
    struct name staged = checkpoint_name(s, ".", checkpoint);
    struct name part = checkpoint_name(s, "", checkpoint);

    if (!exists(&staged) && exists(&part)) {
        return GP_OK;
    }
    return move(s, &staged, &part);
}

static int32_t sink_abort(void *self, uint64_t checkpoint)
{
    const struct sink *s = self;
    struct name staged = checkpoint_name(s, ".", checkpoint);

    if (unlink(staged.text) != 0 && errno != ENOENT) {
        return gp_failf(s->task, "cannot remove '%s': %m", staged.text);
    }
    return GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "path",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "a directory for the part files; made if absent"},
};

const struct gp_processor file_sink = {.size = sizeof file_sink,
                                       .kind = GP_KIND_PROCESSOR,
                                       .type = "sink",
                                       .open = sink_open,
                                       .process = sink_process,
                                       .on_end = sink_on_end,
                                       .close = sink_close,
                                       .prepare = sink_prepare,
                                       .commit = sink_commit,
                                       .abort = sink_abort,
                                       GP_PARAMETERS(parameters)};
