/*
 * exec/process: a child process as operator. Rows go to its stdin, what it writes to stdout comes
 * out.
 *
 *   row -> to_child (at most `buffer` bytes, then GP_AGAIN) -> stdin | child | stdout -> from_child -> emit
 *
 * All pipes are non-blocking, behind one epoll descriptor that the host watches: the task never
 * holds its lane. When the outputs are full, stdout is not read; the child blocks in its write,
 * stops reading, its stdin fills, and the rows behind wait: back-pressure goes through it in both
 * directions.
 *
 * The end: stdin is closed, and on_end waits until the child has closed stdout and ended. It must
 * end with status 0. A child that ends before fails the task, with its status and the last it wrote
 * to stderr; the task's next life starts another (restart policy is the job's: recovery.restarts).
 *
 * What comes out has the time of the youngest row that went in, or the watermark if that is
 * younger, so it is never late. Watermarks do not wait for the child.
 */
#include "exec.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define READS_MAX 16 /* of one call */
#define LOOK_NS   INT64_C(10000000)
#define GRACE_NS  INT64_C(5000000000)

static void worker_close(void *self, uint32_t ended)
{
    struct worker *w = self;

    (void)ended;
    if (w->epoll >= 0) {
        (void)w->task->io->watch_fd(w->task, w->epoll, 0);
        (void)close(w->epoll);
    }
    child_end(&w->child);
    gp_lines_deinit(&w->from_child);
    gp_lines_deinit(&w->complaints);
    free(w->to_child);
    free(w);
}

static int watch(const struct worker *w, int how, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};

    return epoll_ctl(w->epoll, how, fd, &event);
}

static int32_t begin(struct worker *w)
{
    w->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (w->epoll < 0 || w->task->io->watch_fd(w->task, w->epoll, GP_READABLE) != GP_OK) {
        return gp_failf(w->task, "cannot watch the child: %m");
    }
    if (child_start(&w->child, w->command) != 0) {
        return gp_failf(w->task, "cannot start '%s': %m", w->command);
    }
    if (watch(w, EPOLL_CTL_ADD, w->child.in, 0) != 0 ||
        watch(w, EPOLL_CTL_ADD, w->child.out, EPOLLIN) != 0 ||
        watch(w, EPOLL_CTL_ADD, w->child.err, EPOLLIN) != 0) {
        return gp_failf(w->task, "cannot watch the child: %m");
    }
    return GP_OK;
}

static int32_t worker_open(const struct gp_task *task, void **ret_self)
{
    const struct gp_config *config = task->config;
    struct worker *w = calloc(1, sizeof *w);
    uint32_t keyed = 0;

    if (!w) {
        return gp_fail(task, "no memory");
    }
    w->task = task;
    w->epoll = -1;
    w->time_ns = GP_TIME_MIN;
    w->command = gp_config_text(config, "command", "");
    w->by_length = strcmp(gp_config_text(config, "format", ""), "length") == 0;
    (void)gp_config_bool(config, "key", 0, &keyed); /* the table has checked them */
    (void)gp_config_bytes(config, "line.max", 0, &w->line_max);
    (void)gp_config_bytes(config, "buffer", 0, &w->buffer_max);
    w->keyed = keyed;
    gp_lines_init(&w->from_child, w->line_max);
    gp_lines_init(&w->complaints, GP_TEXT_MAX_BYTES);
    if (begin(w) != GP_OK) {
        worker_close(w, 0);
        return GP_FAIL;
    }
    *ret_self = w;
    return GP_OK;
}

/* ---- stderr: logged line by line, and the last of it kept ---- */

static void keep_said(struct worker *w, gp_str line)
{
    size_t len = line.len < SAID_BYTES / 2 ? line.len : SAID_BYTES / 2;

    if (w->said_len + len + 1 > SAID_BYTES) {
        size_t drop = w->said_len + len + 1 - SAID_BYTES;
        memmove(w->said, w->said + drop, w->said_len - drop);
        w->said_len -= drop;
    }
    memcpy(w->said + w->said_len, line.ptr, len);
    w->said[w->said_len + len] = '\n';
    w->said_len += len + 1;
}

static void take_complaint(struct worker *w, gp_str line)
{
    keep_said(w, line);
    gp_log(w->task, GP_LOG_WARN, line);
}

/* Reads on: what read() answered, with EAGAIN as -1; 0 at the end. */
static ssize_t read_pipe(int *fd, struct gp_lines *to)
{
    char *at;
    size_t room;
    ssize_t count;

    if (*fd < 0) {
        return 0;
    }
    if (gp_lines_room(to, &at, &room) != GP_OK) {
        return -1; /* without memory it is read later */
    }
    do {
        count = read(*fd, at, room);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        gp_lines_add(to, (size_t)count);
    } else if (count == 0) {
        (void)close(*fd); /* epoll forgets it */
        *fd = -1;
    }
    return count;
}

static void take_complaints(struct worker *w)
{
    gp_str line;

    for (int i = 0; i < READS_MAX; i++) {
        ssize_t count = read_pipe(&w->child.err, &w->complaints);
        int32_t rc;
        while ((rc = gp_lines_next(&w->complaints, &line)) == GP_MORE) {
            take_complaint(w, line);
        }
        if (gp_lines_len(&w->complaints) > 0 && (rc == GP_REJECT || count == 0)) {
            take_complaint(w, gp_lines_rest(&w->complaints)); /* cut, or the last */
        }
        if (count <= 0) {
            return;
        }
    }
}

/* ---- the end of the child ---- */

static int32_t fail_of(struct worker *w, int status)
{
    char reason[CHILD_REASON_BYTES];
    const size_t room = 300; /* a reason has 512 bytes in all */
    size_t from;

    take_complaints(w);
    while (w->said_len > 0 && w->said[w->said_len - 1] == '\n') {
        w->said_len--;
    }
    from = w->said_len > room ? w->said_len - room : 0;
    return gp_failf(w->task, "'%.100s' %s%s%.*s", w->command, child_reason(status, reason),
                    w->said_len > 0 ? ": " : "", (int)(w->said_len - from), w->said + from);
}

/* It has closed stdout, and its stdin was closed: it must end well. GP_AGAIN: it has not ended
 * yet. */
static int32_t after_output(struct worker *w)
{
    int status = 0;

    if (!child_has_ended(&w->child, &status)) {
        return GP_AGAIN;
    }
    if (status != 0) {
        return fail_of(w, status);
    }
    take_complaints(w);
    return GP_OK;
}

/* It closed stdin or stdout too early. Most likely it is just ending: its pipes close before it can
 * be waited for. GP_OK: that is not decided yet. */
static int32_t broke(struct worker *w)
{
    const int64_t now_ns = gp_now_ns(w->task);
    int status = 0;

    if (child_has_ended(&w->child, &status)) {
        return fail_of(w, status);
    }
    if (!w->broken) {
        w->broken = true;
        w->broken_ns = now_ns;
    } else if (now_ns - w->broken_ns > GRACE_NS) {
        return gp_failf(w->task, "'%.100s' has closed its %s", w->command,
                        w->child.in < 0 ? "stdin" : "stdout");
    }
    /* The only timer of the task, so there is room for it. */
    (void)gp_timer_set(w->task, GP_TIMER_PROCESSING, 0, now_ns + LOOK_NS);
    return GP_OK;
}

/* ---- stdin ---- */

static int32_t write_child(struct worker *w)
{
    bool wants_room;

    while (waiting(w) > 0 && w->child.in >= 0) {
        ssize_t count = write(w->child.in, w->to_child + w->to_head, waiting(w));
        if (count > 0) {
            w->to_head += (size_t)count;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            child_close_in(&w->child);
            return broke(w);
        }
    }
    wants_room = waiting(w) > 0;
    if (w->child.in >= 0 && wants_room != w->wants_room) {
        (void)watch(w, EPOLL_CTL_MOD, w->child.in, wants_room ? EPOLLOUT : 0u);
        w->wants_room = wants_room;
    }
    return GP_OK;
}

/* ---- stdout ---- */

/* Reads and emits as long as there is room. GP_OK: it gives nothing now; GP_YIELD: outputs are
 * full, or its turn is over; GP_END: stdout is closed and all of it emitted. */
static int32_t read_child(struct worker *w, struct gp_out *out)
{
    take_complaints(w);
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t count;
        if (records_emit(w, out) != GP_OK) {
            return GP_FAIL;
        }
        if (gp_out_full(out)) {
            return GP_YIELD;
        }
        count = read_pipe(&w->child.out, &w->from_child);
        if (count < 0) {
            return GP_OK;
        }
        if (count == 0) {
            return records_emit_rest(w, out) == GP_OK ? GP_END : GP_FAIL;
        }
    }
    return GP_YIELD;
}

/* ---- what the host calls ---- */

/* In both directions. GP_OK; GP_YIELD: more was read than may be emitted now, and no descriptor
 * will tell of it; or GP_FAIL, also when the child has ended: it may not before on_end. */
static int32_t pump(struct worker *w, struct gp_out *out)
{
    int32_t rc = read_child(w, out);

    if (rc == GP_FAIL) {
        return GP_FAIL;
    }
    if (rc == GP_END || w->broken) {
        return broke(w);
    }
    return write_child(w) == GP_OK ? rc : GP_FAIL;
}

static int32_t worker_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct worker *w = self;
    int32_t rc;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        rc = waiting(w) >= w->buffer_max || w->broken ? pump(w, out) : GP_OK;
        if (rc == GP_FAIL) {
            return GP_FAIL;
        }
        if (waiting(w) >= w->buffer_max || w->broken) {
            return rc == GP_YIELD ? GP_YIELD : GP_AGAIN;
        }
        rc = records_put(w, row);
        if (rc != GP_OK) {
            return rc;
        }
    }
    rc = pump(w, out);
    if (rc == GP_YIELD) { /* there may be no further row to be called for */
        (void)gp_timer_set(w->task, GP_TIMER_PROCESSING, 0, gp_now_ns(w->task));
        rc = GP_OK;
    }
    return rc;
}

static int32_t worker_on_ready(void *self, struct gp_out *out)
{
    struct worker *w = self;

    return w->ending ? GP_OK : pump(w, out); /* on_end follows, and does its own */
}

/* A child that broke a pipe is looked at, or what it wrote goes on. */
static int32_t worker_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    (void)clock, (void)id, (void)at_ns;
    return worker_on_ready(self, out);
}

static int32_t worker_on_end(void *self, struct gp_out *out)
{
    struct worker *w = self;
    int32_t rc;

    w->ending = true;
    if (w->broken) {
        rc = pump(w, out);
        return rc == GP_OK ? GP_AGAIN : rc;
    }
    if (write_child(w) != GP_OK) {
        return GP_FAIL;
    }
    if (w->broken) {
        return GP_AGAIN;
    }
    if (waiting(w) == 0) {
        child_close_in(&w->child);
    }
    rc = read_child(w, out);
    if (rc == GP_END && w->child.in >= 0) {
        rc = broke(w);
        return rc == GP_OK ? GP_AGAIN : rc;
    }
    if (rc == GP_END) {
        rc = after_output(w);
        if (rc == GP_AGAIN) { /* it closed stdout and is still busy: no descriptor tells its end */
            (void)gp_timer_set(w->task, GP_TIMER_PROCESSING, 0, gp_now_ns(w->task) + LOOK_NS);
        }
        return rc;
    }
    return rc == GP_OK ? GP_AGAIN : rc;
}

static const struct gp_parameter parameters[] = {
    {.name = "command",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "for sh -c; each task runs it once, on its own host"},
    {.name = "format",
     .type = GP_PARAMETER_CHOICE,
     .fallback = "lines",
     .choices = "lines|length",
     .help = "lines, or a length (u32, little-endian) before each record, both ways"},
    {.name = "key",
     .type = GP_PARAMETER_BOOL,
     .fallback = "false",
     .help = "the key and a tab stand before the value, both ways"},
    {.name = "line.max",
     .type = GP_PARAMETER_BYTES,
     .fallback = "1MiB",
     .min = "1",
     .max = "16000000",
     .help = "of what it writes; more at once fails the task"},
    {.name = "buffer",
     .type = GP_PARAMETER_BYTES,
     .fallback = "256KiB",
     .min = "1",
     .max = "64MiB",
     .help = "of rows that it has not read yet; then the job is held back"},
};

extern const struct gp_processor exec_process;

const struct gp_processor exec_process = {.size = sizeof exec_process,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "process",
                                          .open = worker_open,
                                          .process = worker_process,
                                          .on_ready = worker_on_ready,
                                          .on_timer = worker_on_timer,
                                          .on_end = worker_on_end,
                                          .close = worker_close,
                                          GP_PARAMETERS(parameters)};

GP_PLUGIN("exec", "1.0.0", &exec_process)
