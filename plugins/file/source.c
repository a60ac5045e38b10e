/*
 * file/source: the lines of files, one message each, without their newline.
 *
 * A task reads its ranges (ranges.c) one after the other in blocks and emits lines straight out of
 * the block; only a line cut by the end of a block is moved. A line belongs to the range in which
 * it begins: a task that starts inside a file first skips to the end of the line over its start,
 * looking from the byte before, for that may be the newline.
 *
 * Invariants: buffer[head, tail) are the bytes of the file from `offset` on; the first `scanned` of
 * them hold no newline; unless skipping, offset begins a line.
 *
 * Event time is the wall clock, once per poll, and never goes back. Fails when a file cannot be
 * read, got shorter, or holds a line longer than line.max.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

#define BLOCK_BYTES      (256u << 10)
#define BLOCK_COST       64u /* of a poll's budget, in lines: bounds a poll that finds none */
#define ENTRY_PREFIX     "range."
#define ENTRY_HEAD_BYTES 32u

struct source {
    const struct gp_task *task;
    uint64_t line_max;
    int64_t time_ns;
    struct ranges ranges;
    size_t current; /* index of the range being read */
    int fd;         /* of its file; -1 before it is opened */
    int skipping;   /* still in the line over the start of the range */
    char *buffer;
    size_t buffer_size;
    size_t head;
    size_t tail;
    size_t scanned;
    uint64_t offset;
};

static void end_range(struct source *s)
{
    if (s->fd >= 0) {
        (void)close(s->fd);
        s->fd = -1;
    }
    s->current++;
}

static void source_close(void *self, uint32_t ended)
{
    struct source *s = self;

    (void)ended;
    end_range(s);
    ranges_deinit(&s->ranges);
    free(s->buffer);
    free(s);
}

static int32_t source_open(const struct gp_task *task, void **ret_self)
{
    const char *path = gp_config_text(task->config, "path", "");
    struct source *s = calloc(1, sizeof *s);
    int32_t rc = GP_FAIL;

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->fd = -1;
    s->time_ns = GP_TIME_MIN;
    s->buffer_size = BLOCK_BYTES;
    s->buffer = malloc(s->buffer_size);
    if (!s->buffer) {
        (void)gp_fail(task, "no memory for a block");
    } else if (gp_config_bytes(task->config, "line.max", 0, &s->line_max) == GP_OK) {
        rc = ranges_find(task, path, &s->ranges);
    }
    if (rc != GP_OK) {
        source_close(s, 0);
        return rc;
    }
    *ret_self = s;
    return GP_OK;
}

static int32_t begin_range(struct source *s)
{
    const struct range *range = &s->ranges.items[s->current];
    struct stat status;

    s->fd = open(range->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) {
        return gp_failf(s->task, "cannot open '%s': %m", range->path);
    }
    if (fstat(s->fd, &status) < 0 || (uint64_t)status.st_size < range->size) {
        return gp_failf(s->task, "'%s' is shorter than it was", range->path);
    }
    (void)posix_fadvise(s->fd, (off_t)range->begin, (off_t)(range->end - range->begin),
                        POSIX_FADV_SEQUENTIAL);
    s->skipping = !range->at_line;
    s->offset = range->begin - (uint64_t)s->skipping;
    s->head = 0;
    s->tail = 0;
    s->scanned = 0;
    return GP_OK;
}

static void take(struct source *s, size_t bytes)
{
    s->head += bytes;
    s->offset += bytes;
    s->scanned = 0;
}

static const char *find_newline(struct source *s)
{
    size_t len = s->tail - s->head;
    const char *newline = memchr(s->buffer + s->head + s->scanned, '\n', len - s->scanned);

    s->scanned = len;
    return newline;
}

static int32_t line_too_long(const struct source *s)
{
    return gp_failf(s->task,
                    "the line at offset %" PRIu64 " of '%s' is longer than line.max, %" PRIu64
                    " bytes",
                    s->offset, s->ranges.items[s->current].path, s->line_max);
}

static int32_t emit_line(struct source *s, struct gp_out *out, size_t len)
{
    if (len > s->line_max) {
        return line_too_long(s);
    }
    return gp_emit(out, s->time_ns, s->buffer + s->head, len);
}

/* Emits the whole lines in the buffer that are ours. */
static int32_t emit_block(struct source *s, struct gp_out *out, uint32_t *budget)
{
    const uint64_t end = s->ranges.items[s->current].end;

    while (*budget > 0 && s->offset < end && !gp_out_full(out)) {
        const char *newline = find_newline(s);
        size_t len;
        if (!newline) {
            break;
        }
        len = (size_t)(newline - (s->buffer + s->head));
        if (s->skipping) {
            s->skipping = 0;
        } else if (emit_line(s, out, len) != GP_OK) {
            return GP_FAIL;
        }
        take(s, len + 1);
        --*budget;
    }
    return GP_OK;
}

/* Makes room behind the rest of a line, which goes to the front of the buffer. */
static int32_t make_room(struct source *s)
{
    size_t len = s->tail - s->head;

    if (s->skipping) {
        take(s, len);
        len = 0;
    } else if (len > s->line_max) {
        return line_too_long(s);
    }
    memmove(s->buffer, s->buffer + s->head, len);
    s->head = 0;
    s->tail = len;
    if (len == s->buffer_size) {
        size_t size = s->buffer_size * 2;
        char *buffer = realloc(s->buffer, size);
        if (!buffer) {
            return gp_fail(s->task, "no memory for a long line");
        }
        s->buffer = buffer;
        s->buffer_size = size;
    }
    return GP_OK;
}

/* Reads on. GP_OK also at the end of the file, with *ret_count 0. */
static int32_t read_block(struct source *s, size_t *ret_count)
{
    const struct range *range = &s->ranges.items[s->current];
    uint64_t at;
    uint64_t want;
    ssize_t count = 0;

    if (make_room(s) != GP_OK) {
        return GP_FAIL;
    }
    at = s->offset + s->tail;
    want = range->size - at;
    want = want < s->buffer_size - s->tail ? want : s->buffer_size - s->tail;
    if (want > 0) {
        do {
            count = pread(s->fd, s->buffer + s->tail, (size_t)want, (off_t)at);
        } while (count < 0 && errno == EINTR);
        if (count < 0) {
            return gp_failf(s->task, "cannot read '%s': %m", range->path);
        }
        if (count == 0) {
            return gp_failf(s->task, "'%s' is shorter than it was", range->path);
        }
    }
    s->tail += (size_t)count;
    *ret_count = (size_t)count;
    return GP_OK;
}

/* Emits what can be emitted of the current range; ends it when nothing is left. */
static int32_t read_range(struct source *s, struct gp_out *out, uint32_t *budget)
{
    const struct range *range = &s->ranges.items[s->current];
    size_t count = 0;

    if (s->fd < 0 && begin_range(s) != GP_OK) {
        return GP_FAIL;
    }
    if (emit_block(s, out, budget) != GP_OK) {
        return GP_FAIL;
    }
    if (s->offset >= range->end) {
        end_range(s);
        return GP_OK;
    }
    if (*budget == 0 || gp_out_full(out)) {
        return GP_OK;
    }
    *budget -= *budget < BLOCK_COST ? *budget : BLOCK_COST;
    if (read_block(s, &count) != GP_OK) {
        return GP_FAIL;
    }
    if (count == 0) { /* the last line has no newline */
        if (s->tail > s->head && emit_line(s, out, s->tail - s->head) != GP_OK) {
            return GP_FAIL;
        }
        end_range(s);
    }
    return GP_OK;
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct source *s = self;
    int64_t wall_ns = gp_wall_ns(s->task);

    s->time_ns = wall_ns > s->time_ns ? wall_ns : s->time_ns;
    while (s->current < s->ranges.count && budget > 0 && !gp_out_full(out)) {
        if (read_range(s, out, &budget) != GP_OK) {
            return GP_FAIL;
        }
    }
    if (s->current == s->ranges.count) {
        return GP_END;
    }
    return gp_emit_watermark(out, s->time_ns) == GP_OK ? GP_MORE : GP_FAIL;
}

/* State: an entry for each range not yet done, with where to go on. */

static int32_t source_snapshot(void *self, struct gp_snapshot *snapshot)
{
    const struct source *s = self;
    unsigned char bytes[ENTRY_HEAD_BYTES + FILE_PATH_MAX_BYTES * 2];
    char name[32];

    for (size_t i = s->current; i < s->ranges.count; i++) {
        const struct range *range = &s->ranges.items[i];
        int begun = i == s->current && s->fd >= 0 && !s->skipping;
        size_t path_len = strlen(range->path);
        gp_put_u64(bytes, begun ? s->offset : range->begin);
        gp_put_u64(bytes + 8, range->end);
        gp_put_u64(bytes + 16, range->size);
        gp_put_u64(bytes + 24, begun ? 1 : range->at_line);
        memcpy(bytes + ENTRY_HEAD_BYTES, range->path, path_len);
        (void)snprintf(name, sizeof name, ENTRY_PREFIX "%zu", i);
        if (snapshot->put(snapshot, GP_GROUP_NONE, gp_str_of(name),
                          gp_bytes_of(bytes, ENTRY_HEAD_BYTES + path_len)) != GP_OK) {
            return gp_fail(s->task, "cannot save where the source stands");
        }
    }
    return GP_OK;
}

static int32_t restore_entry(struct source *s, const struct gp_entry_view *entry)
{
    const unsigned char *bytes = entry->bytes.ptr;
    struct range range = {0};

    if (entry->bytes.len <= ENTRY_HEAD_BYTES ||
        entry->bytes.len > ENTRY_HEAD_BYTES + FILE_PATH_MAX_BYTES * 2) {
        return GP_FAIL;
    }
    range.begin = gp_get_u64(bytes);
    range.end = gp_get_u64(bytes + 8);
    range.size = gp_get_u64(bytes + 16);
    range.at_line = gp_get_u64(bytes + 24) != 0;
    if (range.begin > range.end || range.end > range.size || (range.begin == 0 && !range.at_line)) {
        return GP_FAIL;
    }
    return ranges_add(&s->ranges, (const char *)bytes + ENTRY_HEAD_BYTES,
                      entry->bytes.len - ENTRY_HEAD_BYTES, range);
}

/* What is restored replaces the share worked out by open, also when it is nothing. */
static int32_t source_restore(void *self, struct gp_restore *restore)
{
    struct source *s = self;
    struct gp_entry_view entry = {.size = sizeof entry};
    int32_t rc;

    end_range(s);
    ranges_deinit(&s->ranges);
    s->current = 0;
    while ((rc = restore->next(restore, &entry)) > 0) {
        if (restore_entry(s, &entry) != GP_OK) {
            rc = -1;
            break;
        }
    }
    return rc < 0 ? gp_fail(s->task, "the saved state of the source is damaged") : GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "path",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "files and directories, separated by commas"},
    {.name = "line.max",
     .type = GP_PARAMETER_BYTES,
     .fallback = "1MiB",
     .min = "1",
     .max = "16MiB",
     .help = "a longer line fails the task"},
};

const struct gp_processor file_source = {.size = sizeof file_source,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "source",
                                         .flags = GP_PROCESSOR_STATEFUL,
                                         .open = source_open,
                                         .poll = source_poll,
                                         .close = source_close,
                                         .snapshot = source_snapshot,
                                         .restore = source_restore,
                                         GP_PARAMETERS(parameters)};
