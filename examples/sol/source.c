/*
 * The source of SOL: builds each message by itself, in the send buffer: at a cursor, or with a key
 * by calls of the host.
 *
 * Flat out it sends as much as there is room for, due at the time of the poll. With a rate it is an
 * open loop: message n is due at start + n / rate whatever happens, and is late if it leaves late.
 * Ends after `seconds`, with one line of log.
 */
#include "sol.h"

/* When message `sent` is due, in whole steps and what is left of them: no division per message. */
struct pace {
    int64_t due_ns;
    int64_t step_ns;
    uint64_t rest; /* parts of a ns beyond due_ns, of `parts` */
    uint64_t step_rest;
    uint64_t parts;
};

struct source {
    const struct gp_task *task;
    struct gp_cursor *cursor;
    struct fillers fillers;
    uint32_t bytes;
    uint64_t rate; /* messages a second, 0: as fast as they go */
    uint64_t seconds;
    uint64_t sent;
    uint64_t key;      /* of the message at hand */
    struct gp_msg msg; /* what all messages with keys have in common, and the time of this one */
    struct pace pace;
    int64_t start_ns; /* 0 until the first poll */
    int keyed;
    int busy; /* wait for the next message by polling, not by a timer */
};

static void source_close(void *self, uint32_t ended)
{
    struct source *s = self;

    (void)ended;
    free(s->fillers.text);
    free(s);
}

static int32_t source_open(const struct gp_task *task, void **ret_self)
{
    const struct gp_config *config = task->config;
    struct source *s = calloc(1, sizeof *s);
    uint64_t bytes;

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->cursor = gp_cursor_of(task, 0);
    s->keyed = strcmp(gp_config_text(config, "edge", GP_SHUFFLE), GP_HASH) == 0;
    s->busy = strcmp(gp_config_text(config, "pace", PACE_TIMER), PACE_BUSY) == 0;
    (void)gp_config_u64(config, "bytes", DEFAULT_BYTES, &bytes); /* the table has checked them */
    (void)gp_config_u64(config, "rate", 0, &s->rate);
    (void)gp_config_u64(config, "seconds", 0, &s->seconds);
    if (fillers_init(&s->fillers, bytes) < 0) {
        source_close(s, 0);
        return gp_fail(task, "no memory");
    }
    s->bytes = (uint32_t)bytes;
    if (s->keyed) {
        s->msg.size = sizeof s->msg;
        s->msg.flags = GP_MSG_KEYED;
        s->msg.key = &s->key;
        s->msg.key_len = sizeof s->key;
    }
    *ret_self = s;
    return GP_OK;
}

static uint64_t source_number(const struct source *s)
{
    return (uint64_t)s->task->index << SEQUENCE_BITS | s->sent;
}

static inline void source_fill(const struct fillers *f, void *to, uint64_t number, int64_t due_ns)
{
    char *value = to;

    /* Word by word: two words stored one by one and copied as one would stall the core until both
     * have left its store buffer, at the cost of all the rest here. */
    memcpy(value, &number, sizeof number);
    memcpy(value + sizeof number, &due_ns, sizeof due_ns);
    memcpy(value + HEADER_BYTES, fillers_at(f, number & SEQUENCE_MASK), f->bytes);
}

/* Flat out all are due now, and no step is taken. */
static struct pace pace_from(int64_t now_ns, uint64_t rate)
{
    struct pace p = {.due_ns = now_ns, .parts = rate};

    if (rate > 0) {
        p.step_ns = (int64_t)(SECOND_NS / rate);
        p.step_rest = SECOND_NS % rate;
    }
    return p;
}

static inline void pace_step(struct pace *p)
{
    p->due_ns += p->step_ns;
    p->rest += p->step_rest;
    if (p->rest >= p->parts) {
        p->rest -= p->parts;
        p->due_ns++;
    }
}

static void source_write(struct source *s, char *value)
{
    source_fill(&s->fillers, value, source_number(s), s->pace.due_ns);
    s->sent++;
}

/* As many as are due and the cursor has room for. paced is a constant where this is called. */
static inline __attribute__((always_inline)) uint32_t
source_send_stretch(struct source *s, uint32_t max, int64_t now_ns, int paced)
{
    const struct fillers fillers = s->fillers;
    const uint32_t bytes = s->bytes;
    const uint64_t word = gp_cursor_word(s->cursor, bytes);
    const uint64_t row_bytes = gp_cursor_row_bytes(bytes);
    struct pace pace = s->pace;
    uint64_t number = source_number(s);
    uint32_t room = gp_cursor_room(s->cursor, bytes);
    unsigned char *at = s->cursor->at;
    uint32_t i;

    room = room < max ? room : max;
    for (i = 0; i < room && (!paced || pace.due_ns <= now_ns); i++) {
        source_fill(&fillers, gp_cursor_begin(at, word, row_bytes, pace.due_ns), number++,
                    pace.due_ns);
        at += row_bytes;
        if (paced) {
            pace_step(&pace);
        }
    }
    s->pace = pace;
    gp_cursor_advance(s->cursor, i, bytes);
    s->sent += i;
    return i;
}

static int32_t source_send_keyed(struct source *s, struct gp_out *out)
{
    char *value;

    s->key = source_number(s);
    s->msg.time_ns = s->pace.due_ns;
    value = out->reserve(out, 0, &s->msg, s->bytes);
    if (!value) {
        return GP_FAIL;
    }
    source_write(s, value);
    return out->commit(out, s->bytes);
}

static int32_t source_send(struct source *s, struct gp_out *out)
{
    char *value;

    if (s->keyed) {
        return source_send_keyed(s, out);
    }
    value = gp_cursor_reserve(s->cursor, s->pace.due_ns, s->bytes);
    if (!value) {
        return GP_FAIL;
    }
    source_write(s, value);
    return gp_cursor_commit(s->cursor, value, s->bytes);
}

static int32_t source_end(const struct source *s, int64_t now_ns)
{
    gp_logf(s->task, GP_LOG_INFO,
            "{\"sol_source\":{\"task\":%u,\"messages\":%llu,\"seconds\":%.6f}}", s->task->index,
            (unsigned long long)s->sent, (double)(now_ns - s->start_ns) / SECOND_NS);
    return GP_END;
}

static int32_t source_flat_out(struct source *s, struct gp_out *out, uint32_t budget,
                               int64_t now_ns)
{
    if (s->seconds > 0 && now_ns - s->start_ns >= (int64_t)s->seconds * SECOND_NS) {
        return source_end(s, now_ns);
    }
    s->pace.due_ns = now_ns;
    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        if (source_send(s, out) != GP_OK) {
            return GP_FAIL;
        }
        i += s->keyed ? 0 : source_send_stretch(s, budget - i - 1, now_ns, 0);
    }
    return GP_MORE;
}

/* Open loop: a message is as late as it leaves after its due time, whoever is to blame. */
static int32_t source_paced(struct source *s, struct gp_out *out, uint32_t budget, int64_t now_ns)
{
    const uint64_t total = s->seconds > 0 ? s->seconds * s->rate : UINT64_MAX;

    while (s->pace.due_ns <= now_ns && budget > 0 && !gp_out_full(out)) {
        uint64_t left = total - s->sent;

        if (left == 0) {
            return source_end(s, now_ns);
        }
        if (source_send(s, out) != GP_OK) {
            return GP_FAIL;
        }
        pace_step(&s->pace);
        budget--;
        left--;
        budget -= s->keyed
                      ? 0
                      : source_send_stretch(s, left < budget ? (uint32_t)left : budget, now_ns, 1);
    }
    if (s->pace.due_ns <= now_ns || s->busy) {
        return GP_MORE;
    }
    return gp_timer_set(s->task, GP_TIMER_PROCESSING, 0, s->pace.due_ns) == GP_OK ? GP_IDLE
                                                                                  : GP_FAIL;
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct source *s = self;
    int64_t now_ns = gp_now_ns(s->task);

    if (s->start_ns == 0) {
        s->start_ns = now_ns;
        s->pace = pace_from(now_ns, s->rate);
        gp_count(s->task, "started", 1); /* how many sources were ever asked */
    }
    return s->rate == 0 ? source_flat_out(s, out, budget, now_ns)
                        : source_paced(s, out, budget, now_ns);
}

/* The timer only ends the wait; poll does the work. */
static int32_t source_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                               struct gp_out *out)
{
    (void)self, (void)clock, (void)id, (void)at_ns, (void)out;
    return GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "bytes",
     .type = GP_PARAMETER_U64,
     .fallback = "100",
     .min = "16",
     .max = "16777216",
     .help = "of a message"},
    {.name = "rate",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .max = "1000000000",
     .help = "messages a second; 0: as many as there is room for"},
    {.name = "seconds", .type = GP_PARAMETER_U64, .fallback = "0", .help = "0: without end"},
    {.name = "edge",
     .type = GP_PARAMETER_TEXT,
     .fallback = GP_SHUFFLE,
     .help = "the partitioner behind it; with hash, messages have keys"},
    {.name = "pace",
     .type = GP_PARAMETER_CHOICE,
     .fallback = PACE_TIMER,
     .choices = PACE_TIMER "|" PACE_BUSY,
     .help = "how it waits until a message is due"},
};

const struct gp_processor sol_source = {.size = sizeof sol_source,
                                        .kind = GP_KIND_PROCESSOR,
                                        .type = "source",
                                        .open = source_open,
                                        .poll = source_poll,
                                        .on_timer = source_on_timer,
                                        .close = source_close,
                                        GP_PARAMETERS(parameters)};
