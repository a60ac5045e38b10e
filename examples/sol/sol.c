/*
 * SOL, "speed of light": how many messages a second flow from sources to sinks, how late they come,
 * and whether every one of them came, in order and unharmed.
 *
 * Graph: source -> relay-2 -> ... -> sink, `stages` in all; relays pass rows on. Beside it, if
 * asked for, large-source -> large-sink. The parameters are described in README.md.
 */
#include "sol.h"

static int32_t relay_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (row, in, consumed, out) {
        if (gp_emit_row(out, 0, row) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static const struct gp_processor relay = {.size = sizeof relay,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "relay",
                                          .open = gp_open_stateless,
                                          .process = relay_process};

enum { SOURCES, SINKS, STAGES, BYTES, SECONDS, RATE, LARGE, LARGE_RATE, WORK, SKEW, PARAMETERS };

static const struct parameter {
    const char *name;
    uint64_t fallback;
    uint64_t min;
    uint64_t max;
} parameters[PARAMETERS] = {
    [SOURCES] = {"sources", 1, 1, GP_PARALLELISM_MAX},
    [SINKS] = {"sinks", 1, 1, GP_PARALLELISM_MAX},
    [STAGES] = {"stages", 2, 2, 64},
    [BYTES] = {"bytes", DEFAULT_BYTES, HEADER_BYTES, GP_MESSAGE_MAX_BYTES - 64},
    [SECONDS] = {"seconds", 0, 0, 1000000},
    [RATE] = {"rate", 0, 0, 1000000000},
    [LARGE] = {"large", 0, 0, GP_MESSAGE_MAX_BYTES - 64},
    [LARGE_RATE] = {"large_rate", 0, 0, 1000000000},
    [WORK] = {"work", 0, 0, 1000000},
    [SKEW] = {"skew", 1, 1, 1000},
};

static int32_t read_parameters(const struct gp_build *b, uint64_t *ret_values)
{
    int32_t rc = GP_OK;
    char text[128];

    for (uint32_t i = 0; i < PARAMETERS; i++) {
        const struct parameter *p = &parameters[i];
        if (gp_config_u64(b->config, p->name, p->fallback, &ret_values[i]) != GP_OK ||
            ret_values[i] < p->min || ret_values[i] > p->max) {
            (void)snprintf(text, sizeof text, "%s must be a number from %llu to %llu", p->name,
                           (unsigned long long)p->min, (unsigned long long)p->max);
            gp_mistake(b, text);
            rc = GP_FAIL;
        }
    }
    return rc;
}

static void set_u64(const struct gp_build *b, gp_node node, const char *key, uint64_t value)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    gp_set(b, node, key, text);
}

/* Messages of another size, from a task to a task of their own, on the same links. */
static void add_large(const struct gp_build *b, const uint64_t *v, const char *pace)
{
    gp_node from = gp_add(b, "large-source", &sol_source, 1);
    gp_node to = gp_add(b, "large-sink", &sol_sink, 1);

    set_u64(b, from, "bytes", v[LARGE]);
    set_u64(b, from, "seconds", v[SECONDS]);
    set_u64(b, from, "rate", v[LARGE_RATE]);
    gp_set(b, from, "pace", pace);
    set_u64(b, to, "bytes", v[LARGE]);
    set_u64(b, to, "rate", v[LARGE_RATE]);
    set_u64(b, to, "ordered", 1);
    set_u64(b, to, "complete", 1);
    gp_set(b, to, "report", "sol_large");
    gp_connect(b, from, to, GP_SHUFFLE);
}

static int32_t build(const struct gp_build *b)
{
    const char *edge = gp_config_text(b->config, "edge", GP_SHUFFLE);
    const char *pace = gp_config_text(b->config, "pace", PACE_TIMER);
    uint64_t v[PARAMETERS];
    char name[16];
    gp_node from;
    gp_node to;

    if (strcmp(pace, PACE_TIMER) != 0 && strcmp(pace, PACE_BUSY) != 0) {
        gp_mistake(b, "pace must be timer or busy");
        return GP_FAIL;
    }
    if (read_parameters(b, v) != GP_OK) {
        return GP_FAIL;
    }
    from = gp_add(b, "source", &sol_source, (uint32_t)v[SOURCES]);
    set_u64(b, from, "bytes", v[BYTES]);
    set_u64(b, from, "seconds", v[SECONDS]);
    set_u64(b, from, "rate", v[RATE]);
    gp_set(b, from, "edge", edge);
    gp_set(b, from, "pace", pace);
    for (uint64_t stage = 2; stage < v[STAGES]; stage++) {
        (void)snprintf(name, sizeof name, "relay-%u", (unsigned)stage);
        to = gp_add(b, name, &relay, (uint32_t)v[SOURCES]);
        gp_connect(b, from, to, edge);
        from = to;
    }
    to = gp_add(b, "sink", &sol_sink, (uint32_t)v[SINKS]);
    set_u64(b, to, "bytes", v[BYTES]);
    set_u64(b, to, "rate", v[RATE]);
    set_u64(b, to, "work", v[WORK]);
    set_u64(b, to, "skew", v[SKEW]);
    /* Two relays in a row make paths that a sink cannot tell apart. */
    set_u64(b, to, "ordered", v[STAGES] <= 3 || v[SOURCES] == 1 || strcmp(edge, GP_FORWARD) == 0);
    set_u64(b, to, "complete", v[STAGES] == 2 || v[SOURCES] == 1);
    gp_connect(b, from, to, edge);
    if (v[LARGE] > 0) {
        add_large(b, v, pace);
    }
    return GP_OK;
}

GP_APP("sol", "1.0.0", build, &sol_source, &relay, &sol_sink)
