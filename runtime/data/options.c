/*
 * options.c: defaults and the keys `data.*`, and two of `metrics.*`, of an application's
 * configuration.
 */
#include "data/options.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "wire/batch.h"

struct data_options data_options_default(void)
{
    return (struct data_options){
        .batch_bytes = BATCH_FRAME_SIZE,
        .lane_budget_bytes = 16u << 20, /* about the share of a core in the last cache */
        .window_min_bytes = 4u << 10,
        .window_max_bytes = 1u << 20,
        .pool_warm_bytes = 3u << 20,
        .pool_max_bytes = 128u << 20,
        .message_max_bytes = GP_MESSAGE_MAX_BYTES,
        .large_budget_bytes = 2 * GP_MESSAGE_MAX_BYTES,
        .unmanaged_window_bytes = 64u << 10,
        .slice_rows = 512,
        .shm_bytes = 4u << 20,
        .shm_lane_bytes = 64u << 20,
        .linger_ns = 1000 * 1000,
        .source_idle_ns = 1000 * 1000 * 1000,
        .edge_mode = EDGE_MODE_AUTO,
        .sample_rate = 10,
    };
}

struct option {
    const char *key;
    size_t offset;
    uint64_t min;
    uint64_t max;
    bool is_time; /* int64_t ns, else uint32_t bytes or count */
};

#define SIZE_OPTION(name, field, from, to)                                                         \
    {                                                                                              \
        name, offsetof(struct data_options, field), from, to, false                                \
    }
#define TIME_OPTION(name, field, from, to)                                                         \
    {                                                                                              \
        name, offsetof(struct data_options, field), from, to, true                                 \
    }
#define SECOND_NS UINT64_C(1000000000)

static const struct option options_known[] = {
    SIZE_OPTION("data.batch_bytes", batch_bytes, 512, BATCH_FRAME_SIZE),
    SIZE_OPTION("data.lane_budget_bytes", lane_budget_bytes, 4096, 1u << 31),
    SIZE_OPTION("data.window_min_bytes", window_min_bytes, 64, 16u << 20),
    SIZE_OPTION("data.window_bytes", window_max_bytes, 64, 64u << 20),
    SIZE_OPTION("data.pool_warm_bytes", pool_warm_bytes, 0, 1u << 30),
    SIZE_OPTION("data.pool_max_bytes", pool_max_bytes, 1u << 20, 1u << 31),
    SIZE_OPTION("data.large_budget_bytes", large_budget_bytes, 1024, 1u << 30),
    SIZE_OPTION("data.unmanaged_window_bytes", unmanaged_window_bytes, 1024, 16u << 20),
    SIZE_OPTION("data.slice_rows", slice_rows, 1, 1u << 20),
    SIZE_OPTION("data.shm_bytes", shm_bytes, 8u << 10, 64u << 20),
    SIZE_OPTION("data.shm_lane_bytes", shm_lane_bytes, 0, 1u << 31),
    SIZE_OPTION("data.message_max_bytes", message_max_bytes, 1024, GP_MESSAGE_MAX_BYTES),
    SIZE_OPTION("metrics.sample_rate", sample_rate, 1, 1000000),
    TIME_OPTION("data.linger", linger_ns, 0, SECOND_NS),
    TIME_OPTION("data.source_idle", source_idle_ns, 1000000, 3600 * SECOND_NS),
};

static int set_edge_mode(struct data_options *options, gp_str value, struct gp_error *err)
{
    static const char *const names[] = {"auto", "shm", "unix", "tcp"};

    for (uint32_t i = 0; i < ARRAY_LEN(names); i++) {
        if (str_eq(value, gp_str_of(names[i]))) {
            options->edge_mode = i;
            return 0;
        }
    }
    return gp_error_set(err, GP_EINVAL, "data.edge is one of auto, shm, unix, tcp; not \"%.*s\"",
                        STR_ARG(value));
}

static int set_metrics(struct data_options *options, gp_str value, struct gp_error *err)
{
    options->metrics = str_eq(value, GP_STR("true"));
    if (!options->metrics && !str_eq(value, GP_STR("false"))) {
        return gp_error_set(err, GP_EINVAL, "metrics.enabled is true or false; not \"%.*s\"",
                            STR_ARG(value));
    }
    return 0;
}

static int set_option(struct data_options *options, const struct option *o, gp_str value,
                      struct gp_error *err)
{
    uint64_t number = 0;
    int64_t time_ns = 0;
    int rc = o->is_time ? str_to_duration_ns(value, &time_ns) : str_to_size_bytes(value, &number);

    if (o->is_time) {
        number = (uint64_t)time_ns;
    }
    if (rc < 0 || number < o->min || number > o->max) {
        return gp_error_set(err, GP_EINVAL, "%s: \"%.*s\" is not %s from %llu to %llu", o->key,
                            STR_ARG(value), o->is_time ? "a duration in ns" : "a number",
                            (unsigned long long)o->min, (unsigned long long)o->max);
    }
    if (o->is_time) {
        memcpy((char *)options + o->offset, &time_ns, sizeof(time_ns));
    } else {
        uint32_t narrow = (uint32_t)number;

        memcpy((char *)options + o->offset, &narrow, sizeof(narrow));
    }
    return 0;
}

static int set_entry(struct data_options *options, const struct plan_config *entry,
                     struct gp_error *err)
{
    gp_str key = gp_str_of(entry->key);

    if (str_eq(key, GP_STR("data.edge"))) {
        return set_edge_mode(options, gp_str_of(entry->value), err);
    }
    if (str_eq(key, GP_STR("metrics.enabled"))) {
        return set_metrics(options, gp_str_of(entry->value), err);
    }
    for (size_t i = 0; i < ARRAY_LEN(options_known); i++) {
        if (str_eq(key, gp_str_of(options_known[i].key))) {
            return set_option(options, &options_known[i], gp_str_of(entry->value), err);
        }
    }
    if (str_starts_with(key, GP_STR("data."))) {
        return gp_error_set(err, GP_EINVAL, "unknown option %s", entry->key);
    }
    return 0;
}

int data_options_from_plan(const struct plan *plan, const struct data_options *otherwise,
                           struct data_options *ret, struct gp_error *err)
{
    struct data_options options = *otherwise;

    for (uint32_t i = 0; i < plan->config_count; i++) {
        int rc = set_entry(&options, &plan->config[i], err);

        if (rc < 0) {
            return rc;
        }
    }
    if (options.large_budget_bytes < options.message_max_bytes) {
        return gp_error_set(err, GP_EINVAL,
                            "data.large_budget_bytes is less than data.message_max_bytes");
    }
    *ret = options;
    return 0;
}
