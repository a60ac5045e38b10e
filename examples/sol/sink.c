/*
 * The sink of SOL: counts, checks and times what comes.
 *
 * Per path (source, last hop) sequence numbers must rise; where the graph gives one path and one
 * sink, none may be missing either. Length and last bytes must be what the source sent. At the end
 * it logs one line, {"sol":{...}}. Latency compares clocks of one host; across hosts it means
 * nothing. No clock is read per message: all rows of one call came "now".
 */
#include <time.h>

#include "histogram.h"
#include "sol.h"

#define SAMPLE_EVERY 64u /* latency samples when running flat out */
#define PATHS_MAX    (16u << 20)
#define CHECK_BYTES  8u

struct sink {
    const struct gp_task *task;
    const char *report; /* the name of its line of log */
    struct fillers fillers;
    uint64_t bytes;
    uint64_t ordered;  /* whether the graph keeps the order of a path */
    uint64_t complete; /* whether this sink gets every message of a source by one path */
    uint32_t sample_mask;
    int64_t work_ns; /* for each message */
    /* Next sequence number of each path, its low 32 bits, as sources * senders. */
    uint32_t *next;
    uint32_t sources;
    uint32_t senders;
    uint32_t *path;     /* of the last row, in next */
    uint64_t path_ends; /* its source and last hop; UINT64_MAX: none yet */
    uint64_t messages;
    uint64_t reported; /* messages at the last second */
    uint64_t out_of_order;
    uint64_t missing;
    uint64_t corrupt;
    int64_t first_ns;
    int64_t last_ns;
    struct histogram latency;
};

static void sink_close(void *self, uint32_t ended)
{
    struct sink *s = self;

    (void)ended;
    free(s->fillers.text);
    free(s->next);
    free(s);
}

static int32_t sink_open(const struct gp_task *task, void **ret_self)
{
    const struct gp_config *config = task->config;
    struct sink *s = calloc(1, sizeof *s);
    uint64_t rate = 0;
    uint64_t work = 0;
    uint64_t skew = 0;

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->path_ends = UINT64_MAX;
    s->report = gp_config_text(config, "report", "sol");
    (void)gp_config_u64(config, "bytes", DEFAULT_BYTES, &s->bytes); /* the table has checked them */
    (void)gp_config_u64(config, "rate", 0, &rate);
    (void)gp_config_u64(config, "work", 0, &work);
    (void)gp_config_u64(config, "skew", 1, &skew);
    (void)gp_config_u64(config, "ordered", 0, &s->ordered);
    (void)gp_config_u64(config, "complete", 0, &s->complete);
    if (fillers_init(&s->fillers, s->bytes) < 0) {
        sink_close(s, 0);
        return gp_fail(task, "no memory");
    }
    s->work_ns = (int64_t)(task->index == 0 ? work * skew : work);
    s->sample_mask = rate > 0 ? 0 : SAMPLE_EVERY - 1;
    if (task->parallelism > 1) {
        s->complete = 0;
    }
    /* The only timer of the task, so there is room for it. */
    (void)gp_timer_set(task, GP_TIMER_PROCESSING, 0, gp_now_ns(task) + SECOND_NS);
    *ret_self = s;
    return GP_OK;
}

/* Room for one more source or sender. */
static int sink_grow(struct sink *s, uint32_t source, uint32_t sender)
{
    uint32_t sources = source < s->sources ? s->sources : source + source / 2 + 1;
    uint32_t senders = sender < s->senders ? s->senders : sender + sender / 2 + 1;
    uint32_t *next;

    if ((uint64_t)sources * senders > PATHS_MAX) {
        return -1;
    }
    next = calloc((size_t)sources * senders, sizeof *next);
    if (!next) {
        return -1;
    }
    for (uint32_t i = 0; i < s->sources; i++) {
        memcpy(next + (size_t)i * senders, s->next + (size_t)i * s->senders,
               s->senders * sizeof *next);
    }
    free(s->next);
    s->next = next;
    s->sources = sources;
    s->senders = senders;
    return 0;
}

static __attribute__((noinline)) int sink_find_path(struct sink *s, uint32_t source,
                                                    uint32_t sender)
{
    uint32_t place = sender == source ? 0 : sender + 1; /* one hop: a path a source, no square */

    if ((source >= s->sources || place >= s->senders) && sink_grow(s, source, place) < 0) {
        return -1;
    }
    s->path = &s->next[(size_t)source * s->senders + place];
    s->path_ends = (uint64_t)source << 32 | sender;
    return 0;
}

static inline int sink_check_order(struct sink *s, uint64_t head, uint32_t sender)
{
    uint64_t ends = (head >> SEQUENCE_BITS) << 32 | sender;
    uint32_t sequence = (uint32_t)head;
    uint32_t *next;
    int32_t ahead;

    if (ends != s->path_ends && sink_find_path(s, (uint32_t)(ends >> 32), sender) < 0) {
        return -1;
    }
    next = s->path;
    ahead = (int32_t)(sequence - *next);
    if (ahead < 0) {
        s->out_of_order++;
        return 0;
    }
    if (s->complete) {
        s->missing += (uint64_t)ahead;
    }
    *next = sequence + 1;
    return 0;
}

static inline uint64_t word_at(const void *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return word;
}

/* Eight bytes are enough to know one filler from another; a shorter one is not looked at. */
static inline int sink_is_corrupt(const struct fillers *f, const struct gp_row *row, uint64_t head)
{
    const char *filler = fillers_at(f, head & SEQUENCE_MASK);

    return f->bytes >= CHECK_BYTES &&
           word_at(filler + f->bytes - CHECK_BYTES) !=
               word_at((const char *)row->value + row->value_len - CHECK_BYTES);
}

/* Keeps the CPU for that long. */
static void work_for(int64_t ns)
{
    struct timespec begin;
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - begin.tv_sec) * SECOND_NS + now.tv_nsec - begin.tv_nsec < ns);
}

/*
 * Most rows are the next of the path of the row before, unharmed: of the `max` rows from `from` on
 * those that are, in a loop that has all it compares with in registers. head is of the row before.
 */
static inline uint32_t sink_take_next(struct sink *s, const struct gp_batch *in, uint32_t from,
                                      uint32_t max, uint64_t head)
{
    const uint32_t sender = (uint32_t)s->path_ends;
    const uint32_t bytes = (uint32_t)s->bytes;
    const size_t tail = bytes - CHECK_BYTES;
    const char *fillers = s->fillers.text + s->fillers.bytes - CHECK_BYTES;
    const size_t stride = s->fillers.stride;
    const struct gp_row *row = gp_batch_row(in, from);
    uint32_t n;

    if (*s->path != (uint32_t)head + 1 || s->fillers.bytes < CHECK_BYTES) {
        return 0;
    }
    for (n = 0; n < max; n++) {
        const char *value = row->value;

        head++;
        if (row->value_len != bytes || row->source != sender || word_at(value) != head ||
            word_at(value + tail) != word_at(fillers + head % FILLERS * stride)) {
            break;
        }
        row = (const struct gp_row *)((const char *)row + in->stride);
    }
    *s->path += n;
    return n;
}

static int32_t sink_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct sink *s = self;
    /* Known to the compiler not to change while rows are counted. */
    const struct fillers fillers = s->fillers;
    const uint64_t bytes = s->bytes;
    const uint64_t ordered = s->ordered;
    const uint32_t mask = s->sample_mask;
    int64_t now_ns = gp_now_ns(s->task);
    uint64_t messages = s->messages;
    uint64_t head[2];

    (void)port, (void)out;
    /* Not GP_EACH, which looks for room in the outputs at each row: there are none. */
    for (uint32_t i = 0; i < in->count; i++) {
        const struct gp_row *row = gp_batch_row(in, i);

        if (row->value_len != bytes) {
            s->corrupt++;
            continue;
        }
        memcpy(head, row->value, sizeof head);
        if (sink_is_corrupt(&fillers, row, head[0])) {
            s->corrupt++;
            continue;
        }
        if (ordered && sink_check_order(s, head[0], row->source) < 0) {
            *consumed = i;
            return gp_fail(s->task, "too many paths to follow");
        }
        if ((messages++ & mask) == 0) {
            int64_t late_ns = now_ns - (int64_t)head[1];
            histogram_add(&s->latency, late_ns > 0 ? (uint64_t)late_ns : 0);
        }
        if (ordered && (messages & mask) != 0) { /* up to the next that is timed */
            const uint32_t left = in->count - i - 1;
            const uint32_t untimed = (uint32_t)(0 - messages) & mask;
            const uint32_t n =
                sink_take_next(s, in, i + 1, left < untimed ? left : untimed, head[0]);

            messages += n;
            i += n;
        }
    }
    if (s->work_ns > 0) {
        work_for(s->work_ns * in->count);
    }
    *consumed = in->count;
    s->messages = messages;
    if (!s->first_ns) {
        s->first_ns = now_ns;
        gp_count(s->task, "reached", 1); /* how many sinks ever got something */
    }
    s->last_ns = now_ns;
    return GP_OK;
}

static int32_t sink_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                             struct gp_out *out)
{
    struct sink *s = self;

    (void)out;
    gp_logf(s->task, GP_LOG_INFO, "%.3f million messages in a second",
            (double)(s->messages - s->reported) / 1e6);
    gp_count(s->task, "messages", (int64_t)(s->messages - s->reported));
    s->reported = s->messages;
    return gp_timer_set(s->task, clock, id, at_ns + SECOND_NS);
}

static double sink_latency_us(const struct sink *s, double part)
{
    return (double)histogram_at(&s->latency, part) / 1e3;
}

static int32_t sink_on_end(void *self, struct gp_out *out)
{
    struct sink *s = self;
    double seconds = (double)(s->last_ns - s->first_ns) / SECOND_NS;

    (void)out;
    gp_count(s->task, "messages", (int64_t)(s->messages - s->reported));
    gp_logf(s->task, GP_LOG_INFO,
            "{\"%s\":{\"task\":%u,\"messages\":%llu,\"seconds\":%.6f,\"rate\":%.0f,"
            "\"bytes\":%llu,\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,"
            "\"p9999\":%.1f,\"max\":%.1f},\"ordered\":%llu,\"out_of_order\":%llu,\"missing\":%llu,"
            "\"corrupt\":%llu}}",
            s->report, s->task->index, (unsigned long long)s->messages, seconds,
            seconds > 0 ? (double)s->messages / seconds : 0.0, (unsigned long long)s->bytes,
            sink_latency_us(s, 0.5), sink_latency_us(s, 0.9), sink_latency_us(s, 0.99),
            sink_latency_us(s, 0.999), sink_latency_us(s, 0.9999), (double)s->latency.max / 1e3,
            (unsigned long long)s->ordered, (unsigned long long)s->out_of_order,
            (unsigned long long)s->missing, (unsigned long long)s->corrupt);
    return GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "report",
     .type = GP_PARAMETER_TEXT,
     .fallback = "sol",
     .help = "the name of its line of JSON"},
    {.name = "bytes",
     .type = GP_PARAMETER_U64,
     .fallback = "100",
     .min = "16",
     .max = "16777216",
     .help = "of a message"},
    {.name = "rate",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .help = "of the source; with one, every message is timed"},
    {.name = "work",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .max = "1000000",
     .help = "ns for each message"},
    {.name = "skew",
     .type = GP_PARAMETER_U64,
     .fallback = "1",
     .min = "1",
     .max = "1000",
     .help = "how many times longer the first sink works"},
    {.name = "ordered",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .max = "1",
     .help = "1: messages of a path must come in order"},
    {.name = "complete",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .max = "1",
     .help = "1: no message may be missing"},
};

const struct gp_processor sol_sink = {.size = sizeof sol_sink,
                                      .kind = GP_KIND_PROCESSOR,
                                      .type = "sink",
                                      .open = sink_open,
                                      .process = sink_process,
                                      .on_timer = sink_on_timer,
                                      .on_end = sink_on_end,
                                      .close = sink_close,
                                      GP_PARAMETERS(parameters)};
