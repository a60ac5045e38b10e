/*
 * console/sink: the value of each message as a line of stdout, stderr or the log. See README.md.
 *
 * The lines of one call of process gather in a buffer and go out in one piece, under the lock of
 * stdout, which all tasks of this process share: otherwise a pipe would take parts of several in
 * turn. A piece is whole lines. Its calls may block, for stdout may be a terminal that somebody
 * stopped, so the processor says so and has a thread of its own. A line longer than the buffer goes
 * out by itself.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gearpump/gearpump.h>

#define BUFFER_BYTES   (64u << 10)
#define LOG_LINE_BYTES 512u

struct sink {
    const struct gp_task *task;
    const char *to;
    int fd; /* -1: the log */
    uint32_t with_key;
    uint32_t with_prefix;
    uint64_t limit;
    uint64_t shown;
    size_t len;
    char buffer[BUFFER_BYTES];
};

static int32_t sink_open(const struct gp_task *task, void **ret_self)
{
    struct sink *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->to = gp_config_text(task->config, "to", "stdout");
    s->fd = strcmp(s->to, "log") == 0 ? -1 : strcmp(s->to, "stderr") == 0 ? 2 : 1;
    (void)gp_config_bool(task->config, "key", 0, &s->with_key); /* the table has checked them */
    (void)gp_config_bool(task->config, "prefix", 0, &s->with_prefix);
    (void)gp_config_u64(task->config, "limit", 0, &s->limit);
    *ret_self = s;
    return GP_OK;
}

/* All of it, also to a pipe that somebody made non-blocking. */
static int32_t write_all(const struct sink *s, const char *ptr, size_t len)
{
    while (len > 0) {
        ssize_t count = write(s->fd, ptr, len);
        if (count >= 0) {
            ptr += count;
            len -= (size_t)count;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = s->fd, .events = POLLOUT};
            (void)poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return gp_failf(s->task, "cannot write to %s: %m", s->to);
        }
    }
    return GP_OK;
}

static int32_t flush(struct sink *s)
{
    size_t len = s->len;
    int32_t rc;

    s->len = 0;
    if (len == 0) {
        return GP_OK;
    }
    flockfile(stdout);
    rc = write_all(s, s->buffer, len);
    funlockfile(stdout);
    return rc;
}

/* A whole line, in parts: nobody else's comes between them. */
static int32_t put_line(struct sink *s, const struct iovec *parts, int count)
{
    int32_t rc = GP_OK;
    size_t len = 0;

    for (int i = 0; i < count; i++) {
        len += parts[i].iov_len;
    }
    if (len > sizeof s->buffer - s->len && flush(s) != GP_OK) {
        return GP_FAIL;
    }
    if (len > sizeof s->buffer) {
        flockfile(stdout);
        for (int i = 0; i < count && rc == GP_OK; i++) {
            rc = write_all(s, parts[i].iov_base, parts[i].iov_len);
        }
        funlockfile(stdout);
        return rc;
    }
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > 0) {
            memcpy(s->buffer + s->len, parts[i].iov_base, parts[i].iov_len);
            s->len += parts[i].iov_len;
        }
    }
    return GP_OK;
}

static void log_row(const struct sink *s, const struct gp_row *row)
{
    char text[LOG_LINE_BYTES];
    size_t len = 0;

    if (s->with_key && (row->flags & GP_ROW_KEYED)) {
        size_t key_len = row->key_len < sizeof text / 2 ? row->key_len : sizeof text / 2;
        memcpy(text, row->key, key_len);
        text[key_len] = '\t';
        len = key_len + 1;
    }
    if (row->value_len > 0) {
        size_t room = sizeof text - len;
        memcpy(text + len, row->value, row->value_len < room ? row->value_len : room);
        len += row->value_len < room ? row->value_len : room;
    }
    gp_log(s->task, GP_LOG_INFO, (gp_str){text, len});
}

static struct iovec part(const void *ptr, size_t len)
{
    return (struct iovec){(void *)(uintptr_t)ptr, len};
}

static int32_t write_row(struct sink *s, const struct gp_row *row)
{
    char prefix[GP_NAME_MAX_BYTES + 32];
    struct iovec parts[5];
    int count = 0;

    if (s->with_prefix) {
        int len = snprintf(prefix, sizeof prefix, "%s[%u]: ", s->task->processor, s->task->index);
        parts[count++] = part(prefix, (size_t)len);
    }
    if (s->with_key && (row->flags & GP_ROW_KEYED)) {
        parts[count++] = part(row->key, row->key_len);
        parts[count++] = part("\t", 1);
    }
    parts[count++] = part(row->value, row->value_len);
    parts[count++] = part("\n", 1);
    return put_line(s, parts, count);
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct sink *s = self;
    int64_t held = 0;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (s->limit > 0 && s->shown == s->limit) {
            held++;
            continue;
        }
        s->shown++;
        if (s->fd < 0) {
            log_row(s, row);
        } else if (write_row(s, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    if (held > 0) {
        gp_count(s->task, "not_shown", held);
    }
    return flush(s);
}

static const struct gp_parameter parameters[] = {
    {.name = "to",
     .type = GP_PARAMETER_CHOICE,
     .fallback = "stdout",
     .choices = "stdout|stderr|log",
     .help = "where lines go"},
    {.name = "key",
     .type = GP_PARAMETER_BOOL,
     .fallback = "false",
     .help = "the key and a tab before the value"},
    {.name = "prefix",
     .type = GP_PARAMETER_BOOL,
     .fallback = "false",
     .help = "processor and task before the line"},
    {.name = "limit",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .help = "lines that each task shows; 0: all"},
};

static const struct gp_processor console_sink = {.size = sizeof console_sink,
                                                 .kind = GP_KIND_PROCESSOR,
                                                 .type = "sink",
                                                 .flags = GP_PROCESSOR_BLOCKING,
                                                 .open = sink_open,
                                                 .process = sink_process,
                                                 .close = gp_close_free,
                                                 GP_PARAMETERS(parameters)};

GP_PLUGIN("console", "1.0.0", &console_sink)
