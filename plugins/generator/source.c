/*
 * generator/source: message n of all is "n" and filler, the same in every life.
 *
 * A task emits streams: the numbers first, first + step, ... below count. From the start task i of
 * p has one, (i, p); a restored one has those that were saved, also when there are more or fewer
 * tasks than before, and goes on with the number that comes next. Nothing else is state: key and
 * content follow from seed and number (numbers.c), so what is emitted again after a failure is
 * equal to what was lost, and checkpoints make every message count once.
 *
 * With a rate the task is an open loop: its k-th message since it was opened is due at begin + k *
 * period, however late the ones before were, and a timer wakes it for the next.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "generator.h"

#define SECOND_NS     INT64_C(1000000000)
#define STREAMS_MAX   65536u
#define ENTRY_PREFIX  "stream."
#define ENTRY_BYTES   16u
#define FILLER_PERIOD 4096u /* bytes of filler; more repeat */

struct stream {
    uint64_t next;
    uint64_t step;
};

struct source {
    const struct gp_task *task;
    uint64_t rate_all; /* messages a second of all tasks; 0: no limit */
    uint64_t count;
    uint64_t seed;
    uint32_t bytes;
    int64_t time_step_ns; /* 0: the wall clock */
    int64_t time_ns;      /* of the last message; never goes back */
    struct zipf zipf;
    struct stream *streams;
    uint32_t stream_count;
    int64_t begin_ns; /* 0: not polled yet */
    uint64_t emitted; /* since then */
    char *value;      /* bytes: digits, a blank, filler */
    char filler[FILLER_PERIOD];
};

static void source_close(void *self, uint32_t ended)
{
    struct source *s = self;

    (void)ended;
    zipf_deinit(&s->zipf);
    free(s->streams);
    free(s->value);
    free(s);
}

static int32_t add_stream(struct source *s, uint64_t next, uint64_t step)
{
    struct stream *grown;

    if (s->stream_count == STREAMS_MAX || step == 0) {
        return GP_FAIL;
    }
    grown = realloc(s->streams, (s->stream_count + 1) * sizeof *grown);
    if (!grown) {
        return GP_FAIL;
    }
    s->streams = grown;
    s->streams[s->stream_count++] = (struct stream){next, step};
    return GP_OK;
}

/* Words of lower-case letters, for whoever counts them. */
static void make_filler(struct source *s)
{
    for (uint32_t i = 0; i < FILLER_PERIOD; i++) {
        uint64_t r = number_of(s->seed ^ UINT64_C(0x66696c6c), i);
        s->filler[i] = r % 6 == 0 ? ' ' : (char)('a' + (r >> 8) % 26);
    }
    for (uint32_t i = 0; i < s->bytes; i++) {
        s->value[i] = s->filler[i % FILLER_PERIOD];
    }
}

static int32_t read_parameters(struct source *s, const struct gp_config *config)
{
    uint64_t bytes = 0;
    uint64_t keys = 0;
    double skew = 0;

    /* The table has checked what each is. */
    (void)gp_config_u64(config, "rate", 0, &s->rate_all);
    (void)gp_config_u64(config, "count", 0, &s->count);
    (void)gp_config_u64(config, "seed", 0, &s->seed);
    (void)gp_config_bytes(config, "size", 0, &bytes);
    (void)gp_config_u64(config, "keys", 0, &keys);
    (void)gp_config_f64(config, "skew", 0, &skew);
    (void)gp_config_duration_ns(config, "time.step", 0, &s->time_step_ns);
    s->bytes = (uint32_t)bytes;
    s->count = s->count > 0 ? s->count : UINT64_MAX;
    if (skew > 0 && keys > GENERATOR_KEYS_MAX) {
        return gp_failf(s->task, "with a skew at most %u keys are possible", GENERATOR_KEYS_MAX);
    }
    s->value = malloc(bytes > 0 ? bytes : 1);
    if (!s->value || zipf_init(&s->zipf, keys, skew) != GP_OK) {
        return gp_fail(s->task, "no memory");
    }
    return GP_OK;
}

static int32_t source_open(const struct gp_task *task, void **ret_self)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s) {
        return gp_fail(task, "no memory");
    }
    s->task = task;
    s->time_ns = GP_TIME_MIN;
    if (read_parameters(s, task->config) != GP_OK) {
        source_close(s, 0);
        return GP_FAIL;
    }
    if (add_stream(s, task->index, task->parallelism) != GP_OK) {
        source_close(s, 0);
        return gp_fail(task, "no memory");
    }
    make_filler(s);
    *ret_self = s;
    return GP_OK;
}

/* When the k-th message of this task is due, without overflow for some 290 years of any rate. */
static int64_t due_ns(const struct source *s, uint64_t k)
{
    uint64_t whole = k / s->rate_all * s->task->parallelism;
    uint64_t rest = k % s->rate_all * s->task->parallelism;

    return s->begin_ns + (int64_t)(whole + rest / s->rate_all) * SECOND_NS +
           (int64_t)(rest % s->rate_all * (uint64_t)SECOND_NS / s->rate_all);
}

static int64_t event_time(struct source *s, uint64_t n)
{
    int64_t wall_ns;

    if (s->time_step_ns > 0) {
        return n < (uint64_t)(INT64_MAX / s->time_step_ns) ? (int64_t)n * s->time_step_ns
                                                           : GP_TIME_MAX - 1;
    }
    wall_ns = gp_wall_ns(s->task);
    s->time_ns = wall_ns > s->time_ns ? wall_ns : s->time_ns;
    return s->time_ns;
}

static int32_t emit_number(struct source *s, struct gp_out *out, uint64_t n)
{
    char digits[24];
    char key[24];
    const int len = snprintf(digits, sizeof digits, "%" PRIu64 " ", n);
    const uint32_t shown = (uint32_t)len < s->bytes ? (uint32_t)len : s->bytes;
    int32_t rc;

    memcpy(s->value, digits, shown);
    if (s->zipf.keys == 0) {
        rc = gp_emit(out, event_time(s, n), s->value, s->bytes);
    } else {
        const uint64_t k = zipf_key(&s->zipf, number_of(s->seed, n));
        const int key_len = snprintf(key, sizeof key, "key-%" PRIu64, k);
        rc = gp_emit_keyed(out, event_time(s, n), key, (size_t)key_len, s->value, s->bytes);
    }
    memcpy(s->value, s->filler,
           shown); /* the next number may have fewer digits, in another stream */
    return rc;
}

/* The stream whose number is smallest, so that event time goes on evenly; NULL: all are at their
 * end. */
static struct stream *next_stream(struct source *s)
{
    struct stream *next = NULL;

    for (uint32_t i = 0; i < s->stream_count; i++) {
        struct stream *stream = &s->streams[i];
        if (stream->next < s->count && (!next || stream->next < next->next)) {
            next = stream;
        }
    }
    return next;
}

static int32_t wait_until(struct source *s, int64_t at_ns)
{
    /* The only timer of the task, so there is room for it. */
    (void)gp_timer_set(s->task, GP_TIMER_PROCESSING, 0, at_ns);
    return GP_IDLE;
}

static int32_t promise(struct source *s, struct gp_out *out)
{
    const struct stream *next = next_stream(s);

    if (!next) {
        return GP_OK; /* the end says all */
    }
    return gp_emit_watermark(out, event_time(s, next->next));
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct source *s = self;
    const int64_t now_ns = gp_now_ns(s->task);
    int32_t answer = GP_MORE;

    s->begin_ns = s->begin_ns ? s->begin_ns : now_ns;
    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        struct stream *stream = next_stream(s);
        if (!stream) {
            return GP_END;
        }
        if (s->rate_all > 0 && due_ns(s, s->emitted) > now_ns) {
            answer = wait_until(s, due_ns(s, s->emitted));
            break;
        }
        if (emit_number(s, out, stream->next) != GP_OK) {
            return GP_FAIL;
        }
        stream->next += stream->step;
        s->emitted++;
    }
    return promise(s, out) == GP_OK ? answer : GP_FAIL;
}

/* State: an entry for each stream, its next number and its step. */

static int32_t source_snapshot(void *self, struct gp_snapshot *snapshot)
{
    const struct source *s = self;
    unsigned char bytes[ENTRY_BYTES];
    char name[32];

    for (uint32_t i = 0; i < s->stream_count; i++) {
        gp_put_u64(bytes, s->streams[i].next);
        gp_put_u64(bytes + 8, s->streams[i].step);
        (void)snprintf(name, sizeof name, ENTRY_PREFIX "%u", i);
        if (snapshot->put(snapshot, GP_GROUP_NONE, gp_str_of(name),
                          gp_bytes_of(bytes, sizeof bytes)) != GP_OK) {
            return gp_fail(s->task, "cannot save where the generator stands");
        }
    }
    return GP_OK;
}

/* What is restored replaces the share of open, also when it is nothing. */
static int32_t source_restore(void *self, struct gp_restore *restore)
{
    struct source *s = self;
    struct gp_entry_view entry = {.size = sizeof entry};
    int32_t rc;

    s->stream_count = 0;
    while ((rc = restore->next(restore, &entry)) > 0) {
        const unsigned char *bytes = entry.bytes.ptr;
        if (entry.bytes.len != ENTRY_BYTES ||
            add_stream(s, gp_get_u64(bytes), gp_get_u64(bytes + 8)) != GP_OK) {
            rc = -1;
            break;
        }
    }
    return rc < 0 ? gp_fail(s->task, "the saved state of the generator is damaged") : GP_OK;
}

static const struct gp_parameter parameters[] = {
    {.name = "rate",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .max = "1000000000",
     .help = "messages a second of all tasks; 0: as many as there is room for"},
    {.name = "count",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .help = "messages of all tasks, then the end; 0: without end"},
    {.name = "size",
     .type = GP_PARAMETER_BYTES,
     .fallback = "100",
     .max = "16000000",
     .help = "of a value: the number, a blank, words of letters"},
    {.name = "seed",
     .type = GP_PARAMETER_U64,
     .fallback = "1",
     .help = "another seed gives other keys and words"},
    {.name = "keys",
     .type = GP_PARAMETER_U64,
     .fallback = "0",
     .help = "how many keys there are, key-0 the most frequent; 0: no keys"},
    {.name = "skew",
     .type = GP_PARAMETER_F64,
     .fallback = "0",
     .min = "0",
     .max = "10",
     .help = "exponent of Zipf's law; 0: all keys alike"},
    {.name = "time.step",
     .type = GP_PARAMETER_DURATION,
     .fallback = "0",
     .help = "message n has the event time n * time.step; 0: the wall clock"},
};

const struct gp_processor generator_source = {.size = sizeof generator_source,
                                              .kind = GP_KIND_PROCESSOR,
                                              .type = "source",
                                              .flags = GP_PROCESSOR_STATEFUL,
                                              .open = source_open,
                                              .poll = source_poll,
                                              .close = source_close,
                                              .snapshot = source_snapshot,
                                              .restore = source_restore,
                                              GP_PARAMETERS(parameters)};
