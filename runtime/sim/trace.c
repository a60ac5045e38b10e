/*
 * The running hash, the counters, and the text of what happens.
 *
 * Invariant: whatever goes into the text goes into the hash, so two runs with equal hashes have
 * equal traces. Nothing here draws from the seed: looking does not change what is seen. Log events
 * are counted by name at every level, which needs their lines to be formatted: a microsecond each,
 * so code under test logs moves, never messages.
 */
#include "sim/trace.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/str.h"
#include "sim/world.h"

static const char *const kind_names[] = {
#define SIM_KIND_NAME(name) #name,
    SIM_KINDS(SIM_KIND_NAME)
#undef SIM_KIND_NAME
};

static const char *const counter_names[] = {
#define SIM_COUNTER_NAME(name) "sim." #name,
    SIM_COUNTERS(SIM_COUNTER_NAME)
#undef SIM_COUNTER_NAME
};

void sim_trace_init(struct sim_trace *trace, uint64_t seed)
{
    trace->hash = hash_u64(seed, 0);
    map_str_init(&trace->logged, SIM_COUNTERS_MAX, 0, MAP_KEYS_OWNED);
}

void sim_trace_deinit(struct sim_trace *trace)
{
    uint64_t *count;

    while ((count = map_str_pop(&trace->logged)) != NULL) {
        free(count);
    }
    map_str_deinit(&trace->logged);
}

static void mix(struct sim_trace *trace, uint64_t v)
{
    trace->hash = (trace->hash ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    trace->hash ^= trace->hash >> 29;
}

/* "12.000345 10.0.0.1/3:worker+lane-0 ", or less. */
static size_t put_head(const struct sim *sim, const struct sim_loop *loop, char *out, size_t size)
{
    int64_t now_ns = (loop != NULL ? loop->now_ns : sim->now_ns) - sim->start_ns;
    const char *lane = loop != NULL && loop->runner != NULL ? sim_runner_name(loop->runner) : "";
    int len = str_format(out, size, "%3" PRId64 ".%06" PRId64 " %s%s%s ", now_ns / SIM_S,
                         now_ns % SIM_S / SIM_US, loop != NULL ? loop->proc->name : "world",
                         lane[0] != '\0' ? "+" : "", lane);

    return len > 0 ? (size_t)len : 0;
}

static void tell_event(struct sim *sim, const struct sim_loop *loop, enum sim_kind kind, int64_t a,
                       int64_t b)
{
    char line[256];
    size_t head = put_head(sim, loop, line, sizeof(line));
    int len = str_format(line + head, sizeof(line) - head, "%s %" PRId64 " %" PRId64 "\n",
                         kind_names[kind], a, b);

    if (len > 0) {
        sim->options.on_line(sim->options.line_ctx,
                             (gp_str){.ptr = line, .len = head + (size_t)len});
    }
}

void sim_trace_note(struct sim *sim, const struct sim_loop *loop, enum sim_kind kind, int64_t a,
                    int64_t b)
{
    mix(&sim->trace, (uint64_t)(loop != NULL ? loop->now_ns : sim->now_ns));
    mix(&sim->trace, (uint64_t)kind << 32 | (loop != NULL ? loop->id : 0));
    mix(&sim->trace, (uint64_t)a);
    mix(&sim->trace, (uint64_t)b);
    if (sim->options.trace_events && sim->options.on_line != NULL) {
        tell_event(sim, loop, kind, a, b);
    }
}

/* ---- log events ---- */

/* The event name in a line of base/log.h: behind the level and, if there is one, the node, which
 * has no dot or a slash ("master", "app/7"). Empty when there is none. */
static gp_str event_of_line(gp_str line)
{
    static const gp_str json_key = GP_STR_INIT("\"event\":\"");
    gp_str word = {0};

    line = str_trim(line);
    if (str_starts_with(line, GP_STR("{"))) {
        while (line.len > 0 && !str_starts_with(line, json_key)) {
            line.ptr++;
            line.len--;
        }
        if (line.len > 0) {
            line.ptr += json_key.len;
            line.len -= json_key.len;
        }
        (void)str_cut(line, '"', &word, &line);
        return word;
    }
    (void)str_cut(line, ' ', &word, &line);
    (void)str_cut(line, ' ', &word, &line);
    if (memchr(word.ptr, '.', word.len) == NULL || memchr(word.ptr, '/', word.len) != NULL) {
        (void)str_cut(line, ' ', &word, &line);
    }
    return word;
}

static void count_logged(struct sim_trace *trace, gp_str event)
{
    uint64_t *count = map_str_get(&trace->logged, event);

    if (count == NULL) {
        count = calloc(1, sizeof(*count));
        ASSERT(count != NULL);
        if (map_str_add(&trace->logged, event, count) < 0) {
            free(count); /* more names than SIM_COUNTERS_MAX: the rest is not counted */
            return;
        }
    }
    ++*count;
}

void sim_trace_log_sink(void *ctx, enum log_level level, gp_str line)
{
    struct sim_proc *proc = ctx;
    struct sim *sim = proc->sim;
    struct sim_loop *loop = sim->current != NULL ? sim->current : &proc->loop;
    char head[128];

    if (proc->is_mute) {
        return;
    }
    count_logged(&sim->trace, event_of_line(line));
    mix(&sim->trace, (uint64_t)loop->now_ns);
    mix(&sim->trace, (uint64_t)SIM_KIND_logged << 32 | loop->id);
    mix(&sim->trace, hash_bytes(line.ptr, line.len, 0));
    if (sim->options.on_line != NULL && level >= sim->options.log_level) {
        size_t len = put_head(sim, loop, head, sizeof(head));

        sim->options.on_line(sim->options.line_ctx, (gp_str){.ptr = head, .len = len});
        sim->options.on_line(sim->options.line_ctx, line);
    }
    if (level >= LOG_LEVEL_INFO) {
        sim_proc_output(proc, line.ptr, line.len);
    }
}

/* ---- asking ---- */

uint64_t sim_trace_hash(const struct sim *sim)
{
    return sim->trace.hash;
}

uint64_t sim_event_count(const struct sim *sim, const char *name)
{
    const uint64_t *count;

    for (size_t i = 0; i < ARRAY_LEN(counter_names); i++) {
        if (strcmp(counter_names[i], name) == 0) {
            return sim->trace.counters[i];
        }
    }
    count = map_str_get(&sim->trace.logged, gp_str_of(name));
    return count != NULL ? *count : 0;
}

void sim_event_each(const struct sim *sim, void (*fn)(void *user, gp_str name, uint64_t count),
                    void *user)
{
    size_t cursor = 0;
    gp_str name;
    void *count;

    for (size_t i = 0; i < ARRAY_LEN(counter_names); i++) {
        fn(user, gp_str_of(counter_names[i]), sim->trace.counters[i]);
    }
    while (map_str_next(&sim->trace.logged, &cursor, &name, &count)) {
        fn(user, name, *(uint64_t *)count);
    }
}
