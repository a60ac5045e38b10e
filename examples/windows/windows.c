/*
 * windows: averages of meters over windows of event time, with late readings on a port of their
 * own.
 *
 *     readings --hash--> window --0: result--> results (file)
 *                               --1: late----> late (counts them)
 *
 * Readings come out of order, as they do from the world: most by less than `disorder`, which the
 * source's watermark allows for; one in `late` by more. A window is told when its time is over by a
 * timer on the clock of events, not on that of the machine, so it holds the same readings however
 * fast or slow the job runs. The watermark travels now and then, not with each reading: what comes
 * too late may still find its window open, and then counts there.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define METERS_MAX      1024u
#define BUCKETS         1024 /* of open windows: a job at full speed runs far ahead of its watermark */
#define STEP_NS         INT64_C(1000000000) /* of event time, from one reading to the next */
#define WATERMARK_EVERY 16u                 /* readings */
#define RESULTS         0u                  /* output ports of window */
#define LATE            1u

/* A reading is a message with the meter's number as its key. */
struct reading {
    uint32_t meter;
    uint32_t reserved;
    int64_t value;
};

/* ---- readings ---- */

struct readings {
    const struct gp_task *task;
    uint64_t count;
    uint64_t meters;
    uint64_t late; /* one in so many is later than the watermark allows */
    int64_t disorder_ns;
    uint64_t sent; /* the only state: a reading follows from its number */
};

static int32_t readings_open(const struct gp_task *task, void **ret_self)
{
    struct readings *r = calloc(1, sizeof *r);

    if (!r) {
        return gp_fail(task, "no memory");
    }
    r->task = task;
    (void)gp_config_u64(task->config, "count", 0, &r->count); /* the host has checked them */
    (void)gp_config_u64(task->config, "meters", 0, &r->meters);
    (void)gp_config_u64(task->config, "late", 0, &r->late);
    (void)gp_config_duration_ns(task->config, "disorder", 0, &r->disorder_ns);
    *ret_self = r;
    return GP_OK;
}

/* The same number for the same n, well mixed (the finaliser of splitmix64). */
static uint64_t mixed(uint64_t n)
{
    n += UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ (n >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    n = (n ^ (n >> 27)) * UINT64_C(0x94d049bb133111eb);
    return n ^ (n >> 31);
}

static int32_t readings_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct readings *r = self;

    for (; budget > 0 && r->sent < r->count && !gp_out_full(out); budget--, r->sent++) {
        uint64_t random = mixed(r->sent);
        int64_t now_ns = (int64_t)r->sent * STEP_NS;
        int64_t behind_ns = (int64_t)(random % (uint64_t)(r->disorder_ns + 1));
        struct reading reading = {.meter = (uint32_t)(r->sent % r->meters),
                                  .value = (int64_t)(random >> 32) % 100};
        if (r->late > 0 && r->sent % r->late == r->late - 1) {
            behind_ns = 10 * r->disorder_ns;
        }
        if (gp_emit_keyed(out, now_ns - behind_ns, &reading.meter, sizeof reading.meter, &reading,
                          sizeof reading) != GP_OK) {
            return GP_FAIL;
        }
        if (r->sent % WATERMARK_EVERY == 0 &&
            gp_emit_watermark(out, now_ns - r->disorder_ns) != GP_OK) {
            return GP_FAIL;
        }
    }
    return r->sent == r->count ? GP_END : GP_MORE;
}

static int32_t readings_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct readings *r = self;

    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("sent"),
                         gp_bytes_of(&r->sent, sizeof r->sent));
}

static int32_t readings_restore(void *self, struct gp_restore *restore)
{
    struct readings *r = self;

    return gp_restore_into(r->task, restore, &r->sent, sizeof r->sent);
}

static const struct gp_parameter readings_parameters[] = {
    {.name = "count", .type = GP_PARAMETER_U64, .fallback = "100000", .help = "readings to send"},
    {.name = "meters",
     .type = GP_PARAMETER_U64,
     .fallback = "16",
     .min = "1",
     .max = "1024",
     .help = "that send them in turn"},
    {.name = "late",
     .type = GP_PARAMETER_U64,
     .fallback = "1000",
     .help = "one in so many comes too late; 0: none"},
    {.name = "disorder",
     .type = GP_PARAMETER_DURATION,
     .fallback = "5s",
     .min = "0",
     .max = "1h",
     .help = "how much earlier than its turn a reading may have happened"},
};

static const struct gp_processor readings = {.size = sizeof readings,
                                             .kind = GP_KIND_PROCESSOR,
                                             .type = "readings",
                                             .flags = GP_PROCESSOR_STATEFUL,
                                             .open = readings_open,
                                             .poll = readings_poll,
                                             .snapshot = readings_snapshot,
                                             .restore = readings_restore,
                                             .close = gp_close_free,
                                             GP_PARAMETERS(readings_parameters)};

/* ---- window ---- */

struct sums {
    uint64_t key_hash;
    uint64_t count;
    int64_t sum;
};

struct window {
    struct window *next; /* of the same bucket */
    int64_t start_ns;
    uint32_t told; /* meters whose result is out, while the window is closing */
    struct sums sums[METERS_MAX];
};

struct windows {
    const struct gp_task *task;
    int64_t length_ns;
    struct window *open[BUCKETS];
};

static int32_t window_open(const struct gp_task *task, void **ret_self)
{
    struct windows *w = calloc(1, sizeof *w);

    if (!w) {
        return gp_fail(task, "no memory");
    }
    w->task = task;
    (void)gp_config_duration_ns(task->config, "length", 0, &w->length_ns);
    *ret_self = w;
    return GP_OK;
}

/* Of event times before 1970, too. */
static int64_t start_of(const struct windows *w, int64_t time_ns)
{
    int64_t rest = time_ns % w->length_ns;

    return time_ns - (rest < 0 ? rest + w->length_ns : rest);
}

static struct window **bucket_of(struct windows *w, int64_t start_ns)
{
    return &w->open[(uint64_t)(start_ns / w->length_ns) % BUCKETS];
}

static struct window *window_find(struct windows *w, int64_t start_ns)
{
    struct window *at = *bucket_of(w, start_ns);

    while (at && at->start_ns != start_ns) {
        at = at->next;
    }
    return at;
}

/* The same, or a new one, which is to be told when the watermark is at its end. NULL: no memory, or
 * too many timers. */
static struct window *window_make(struct windows *w, int64_t start_ns)
{
    struct window *made = window_find(w, start_ns);
    struct window **bucket = bucket_of(w, start_ns);

    if (made) {
        return made;
    }
    made = calloc(1, sizeof *made);
    if (!made || gp_timer_set(w->task, GP_TIMER_EVENT, (uint64_t)start_ns,
                              start_ns + w->length_ns) != GP_OK) {
        free(made);
        return NULL;
    }
    made->start_ns = start_ns;
    made->next = *bucket;
    *bucket = made;
    return made;
}

static void window_free(struct windows *w, struct window *window)
{
    struct window **at = bucket_of(w, window->start_ns);

    while (*at != window) {
        at = &(*at)->next;
    }
    *at = window->next;
    free(window);
}

static int32_t window_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    struct windows *w = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        struct reading reading;
        struct window *window;
        int64_t start_ns = start_of(w, row->time_ns);
        if (row->value_len != sizeof reading) {
            return gp_reject(w->task, "this is no reading");
        }
        memcpy(&reading, row->value, sizeof reading);
        if (reading.meter >= METERS_MAX) {
            return gp_reject(w->task, "there is no such meter");
        }
        /* Late is what belongs to a window whose results are out: not each row that is behind the
         * watermark (GP_ROW_LATE), for its window may still be open. */
        if (start_ns + w->length_ns <= w->task->service->watermark_ns(w->task)) {
            if (gp_emit_row(out, LATE, row) != GP_OK) {
                return GP_FAIL;
            }
            continue;
        }
        window = window_make(w, start_ns);
        if (!window) {
            return gp_fail(w->task, "no room for one more window");
        }
        window->sums[reading.meter].key_hash = row->key_hash;
        window->sums[reading.meter].count++;
        window->sums[reading.meter].sum += reading.value;
    }
    return GP_OK;
}

/* The watermark has passed a window's end: nothing that belongs to it will come. */
static int32_t window_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    struct windows *w = self;
    struct window *window = window_find(w, (int64_t)id);

    (void)clock;
    for (; window && window->told < METERS_MAX; window->told++) {
        const struct sums *s = &window->sums[window->told];
        char line[128];
        int len;
        if (s->count == 0) {
            continue;
        }
        if (gp_out_full(out)) {
            return GP_YIELD; /* called again with the same timer */
        }
        len = snprintf(line, sizeof line, "%" PRId64 " meter-%u %.2f %" PRIu64,
                       window->start_ns / STEP_NS, window->told, (double)s->sum / (double)s->count,
                       s->count);
        if (gp_emit(out, at_ns, line, (size_t)len) != GP_OK) {
            return GP_FAIL;
        }
    }
    if (window) {
        window_free(w, window);
    }
    return GP_OK;
}

/* What is saved of a meter in a window; its group is that of the meter. */
struct saved {
    int64_t start_ns;
    uint32_t meter;
    uint32_t reserved;
    struct sums sums;
};

static int32_t save_window(struct gp_snapshot *snapshot, const struct window *window)
{
    for (uint32_t m = window->told; m < METERS_MAX; m++) {
        struct saved saved = {.start_ns = window->start_ns, .meter = m, .sums = window->sums[m]};
        if (saved.sums.count > 0 &&
            snapshot->put(snapshot, gp_key_group(saved.sums.key_hash), GP_STR("meter"),
                          gp_bytes_of(&saved, sizeof saved)) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t window_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct windows *w = self;

    for (uint32_t i = 0; i < BUCKETS; i++) {
        for (const struct window *at = w->open[i]; at; at = at->next) {
            if (save_window(snapshot, at) != GP_OK) {
                return GP_FAIL;
            }
        }
    }
    return GP_OK;
}

static int32_t window_restore(void *self, struct gp_restore *restore)
{
    struct windows *w = self;
    struct gp_entry_view entry = {.size = sizeof entry};
    int32_t rc;

    while ((rc = restore->next(restore, &entry)) > 0) {
        struct saved saved;
        struct window *window;
        if (entry.bytes.len != sizeof saved) {
            return gp_fail(w->task, "a saved window is damaged");
        }
        memcpy(&saved, entry.bytes.ptr, sizeof saved);
        window =
            saved.meter < METERS_MAX ? window_make(w, saved.start_ns) : NULL; /* and its timer */
        if (!window) {
            return gp_fail(w->task, "a saved window is damaged");
        }
        window->sums[saved.meter] = saved.sums;
    }
    return rc < 0 ? GP_FAIL : GP_OK;
}

static void window_close(void *self, uint32_t ended)
{
    struct windows *w = self;

    (void)ended;
    for (uint32_t i = 0; i < BUCKETS; i++) {
        while (w->open[i]) {
            window_free(w, w->open[i]);
        }
    }
    free(w);
}

static const struct gp_parameter window_parameters[] = {
    {.name = "length",
     .type = GP_PARAMETER_DURATION,
     .fallback = "1m",
     .min = "1s",
     .max = "1d",
     .help = "of a window, in event time"},
};

static const struct gp_processor window = {.size = sizeof window,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "window",
                                           .flags = GP_PROCESSOR_STATEFUL,
                                           .open = window_open,
                                           .process = window_process,
                                           .on_timer = window_on_timer,
                                           .snapshot = window_snapshot,
                                           .restore = window_restore,
                                           .close = window_close,
                                           GP_PARAMETERS(window_parameters)};

/* ---- what to do with what came too late: here, count it ---- */

static int32_t late_process(void *self, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    (void)port;
    (void)out;
    gp_count(self, "late_readings", in->count); /* gpctl describe shows it */
    *consumed = in->count;
    return GP_OK;
}

static const struct gp_processor late = {.size = sizeof late,
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "late",
                                         .open = gp_open_stateless,
                                         .process = late_process};

/* ---- results to the log, where no file was named ---- */

static int32_t print_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    (void)port;
    GP_EACH (row, in, consumed, out) {
        gp_logf(self, GP_LOG_INFO, "%.*s", (int)row->value_len, (const char *)row->value);
    }
    return GP_OK;
}

static const struct gp_processor print = {.size = sizeof print,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "print",
                                          .open = gp_open_stateless,
                                          .process = print_process};

/* ---- the job ---- */

static int32_t build(const struct gp_build *b)
{
    static const char *const of_readings[] = {"count", "meters", "late", "disorder"};
    const char *output = gp_config_text(b->config, "output", NULL);
    const char *length = gp_config_text(b->config, "length", NULL);
    gp_node from = gp_add(b, "readings", &readings, 1);
    gp_node windows = gp_add(b, "window", &window, 2);
    gp_node too_late = gp_add(b, "late", &late, 1);
    gp_node results =
        output ? gp_add_plugin(b, "results", "file", "sink", 1) : gp_add(b, "results", &print, 1);

    for (size_t i = 0; i < sizeof of_readings / sizeof of_readings[0]; i++) {
        const char *value = gp_config_text(b->config, of_readings[i], NULL);
        if (value) {
            gp_set(b, from, of_readings[i], value);
        }
    }
    if (length) {
        gp_set(b, windows, "length", length);
    }
    if (output) {
        gp_set(b, results, "path", output);
    }
    gp_connect(b, from, windows, GP_HASH);
    gp_connect_ports(b, windows, RESULTS, results, 0, GP_SHUFFLE);
    gp_connect_ports(b, windows, LATE, too_late, 0, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("windows", "1.0.0", build, &readings, &window, &late, &print)
