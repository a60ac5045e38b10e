/*
 * sort: sorts lines over several tasks, by a partitioner of its own.
 *
 *     lines (file) --ranges--> sort x N, each a range of lines: part-0 < part-1 < ...
 *
 * The partitioner sends line by line to the task in whose range it is, so that the parts, one after
 * the other, are sorted as a whole (as by `LC_ALL=C sort`). Ranges are even ones of the first two
 * bytes: lines that begin alike meet in one task, and --parallelism sort=8 only helps where they
 * differ.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gearpump/gearpump.h>

#define PATH_BYTES 4096

/* ---- the partitioner ---- */

#define FIRST                                                                                      \
    0x20u /* printable ASCII is spread evenly; what is before and behind goes to the ends */
#define BEHIND 0x7fu
#define SPAN   (BEHIND - FIRST)

static uint32_t place_of(unsigned char byte)
{
    return byte < FIRST ? 0 : byte >= BEHIND ? SPAN - 1 : byte - FIRST;
}

/* Must never send a smaller line to a later task; cheap and pure, for it is called for each
 * line. */
static uint32_t ranges_route(void *self, const struct gp_msg *msg, uint32_t source,
                             uint32_t targets)
{
    const unsigned char *line = msg->value;
    uint32_t first = msg->value_len > 0 ? place_of(line[0]) : 0;
    uint32_t second = msg->value_len > 1 ? place_of(line[1]) : 0;

    (void)self;
    (void)source;
    return (uint32_t)((uint64_t)(first * SPAN + second) * targets / (SPAN * SPAN));
}

static const struct gp_partitioner ranges = {
    .size = sizeof ranges, .kind = GP_KIND_PARTITIONER, .type = "ranges", .route = ranges_route};

/* ---- the sorter ---- */

struct line {
    char *text;
    uint32_t len;
};

struct sorter {
    const struct gp_task *task;
    const char *output;
    uint64_t memory_max;
    uint64_t memory;
    size_t count;
    size_t room;
    struct line *lines;
};

/* Found out now rather than after hours of lines. */
static int is_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd >= 0 && close(fd) == 0;
}

static int32_t sorter_open(const struct gp_task *task, void **ret_self)
{
    struct sorter *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->output = gp_config_text(task->config, "output", NULL); /* the host has checked them */
    (void)gp_config_bytes(task->config, "memory", 0, &s->memory_max);
    if ((mkdir(s->output, 0777) < 0 && errno != EEXIST) || !is_folder(s->output)) {
        (void)gp_failf(task, "cannot write to '%s': %m", s->output);
        free(s);
        return GP_FAIL;
    }
    *ret_self = s;
    return GP_OK;
}

static int sorter_keep(struct sorter *s, const void *text, uint32_t len)
{
    char *copy;

    if (s->count == s->room) {
        size_t room = s->room ? s->room * 2 : 1024;
        struct line *lines = realloc(s->lines, room * sizeof *lines);
        if (!lines) {
            return -1;
        }
        s->lines = lines;
        s->room = room;
    }
    copy = malloc(len > 0 ? len : 1);
    if (!copy) {
        return -1;
    }
    memcpy(copy, text, len);
    s->lines[s->count++] = (struct line){copy, len};
    s->memory += len + sizeof(struct line) + 2 * sizeof(void *); /* and what malloc adds */
    return 0;
}

static int32_t sorter_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct sorter *s = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        if (s->memory > s->memory_max) {
            return gp_failf(s->task,
                            "more than %llu MiB of lines: allow more with --set memory=, or spread "
                            "them over more tasks with --parallelism sort=",
                            (unsigned long long)(s->memory_max >> 20));
        }
        if (sorter_keep(s, row->value, row->value_len) < 0) {
            return gp_fail(s->task, "no memory for the lines");
        }
    }
    return GP_OK;
}

static int compare(const void *left, const void *right)
{
    const struct line *a = left;
    const struct line *b = right;
    int order = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int write_lines(const struct sorter *s, FILE *file)
{
    for (size_t i = 0; i < s->count; i++) {
        if (fwrite(s->lines[i].text, 1, s->lines[i].len, file) != s->lines[i].len ||
            putc('\n', file) == EOF) {
            return -1;
        }
    }
    return fflush(file) == 0 ? fsync(fileno(file)) : -1;
}

/* All lines are there. The part is written aside and takes its name when it is complete, so that a
 * fault in between leaves nothing that looks like a result. */
static int32_t sorter_on_end(void *self, struct gp_out *out)
{
    struct sorter *s = self;
    char part[PATH_BYTES];
    char aside[PATH_BYTES];
    FILE *file;
    int rc;

    (void)out;
    if (snprintf(part, sizeof part, "%s/part-%u", s->output, s->task->index) >= (int)sizeof part ||
        snprintf(aside, sizeof aside, "%s/.part-%u.tmp", s->output, s->task->index) >=
            (int)sizeof aside) {
        return gp_fail(s->task, "the name of the output folder is too long");
    }
    qsort(s->lines, s->count, sizeof *s->lines, compare);
    file = fopen(aside, "we");
    if (!file) {
        return gp_failf(s->task, "cannot write '%s': %m", aside);
    }
    rc = write_lines(s, file);
    if (fclose(file) != 0 || rc < 0 || rename(aside, part) < 0) {
        (void)gp_failf(s->task, "cannot write '%s': %m", part);
        (void)unlink(aside);
        return GP_FAIL;
    }
    return GP_OK;
}

static void sorter_close(void *self, uint32_t ended)
{
    struct sorter *s = self;

    (void)ended;
    for (size_t i = 0; i < s->count; i++) {
        free(s->lines[i].text);
    }
    free(s->lines);
    free(s);
}

static const struct gp_parameter sorter_parameters[] = {
    {.name = "output",
     .type = GP_PARAMETER_TEXT,
     .flags = GP_PARAMETER_REQUIRED,
     .help = "a folder; each task writes part-N there"},
    {.name = "memory",
     .type = GP_PARAMETER_BYTES,
     .fallback = "1GiB",
     .min = "1MiB",
     .help = "of the lines of one task; more fails it"},
};

static const struct gp_processor sorter = {.size = sizeof sorter,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "sort",
                                           .flags = GP_PROCESSOR_STATEFUL,
                                           .open = sorter_open,
                                           .process = sorter_process,
                                           .on_end = sorter_on_end,
                                           .close = sorter_close,
                                           GP_PARAMETERS(sorter_parameters)};

/* ---- the job ---- */

static int32_t build(const struct gp_build *b)
{
    const char *input = gp_config_text(b->config, "input", NULL);
    const char *output = gp_config_text(b->config, "output", NULL);
    const char *memory = gp_config_text(b->config, "memory", NULL);
    gp_node lines = gp_add_plugin(b, "lines", "file", "source", 1);
    gp_node sorted = gp_add(b, "sort", &sorter, 4);

    if (input) {
        gp_set(b, lines, "path", input);
    } else {
        gp_mistake(b,
                   "input is missing: --set input=FILE, a folder, or several separated by commas");
    }
    if (output) {
        gp_set(b, sorted, "output", output);
    }
    if (memory) {
        gp_set(b, sorted, "memory", memory);
    }
    gp_connect(b, lines, sorted, "ranges");
    return GP_OK;
}

GP_APP("sort", "1.0.0", build, &sorter, &ranges)
