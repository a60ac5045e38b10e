/*
 * @name@: readings of sensors -> average of each sensor -> the log.
 *
 * Parameters: count, the readings to send (100000). Tasks can move to other workers while the job
 * runs, for they give away their state (snapshot) and take it back (restore).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define SENSORS        8u
#define SENSORS_MAX    256u
#define NAME_MAX_BYTES 32u

/* ---- readings: a source ---- */

struct readings {
    const struct gp_task *task;
    uint64_t count;
    uint64_t sent; /* where a restored task goes on */
};

static int32_t readings_open(const struct gp_task *task, void **ret_self)
{
    struct readings *r = calloc(1, sizeof *r);

    if (!r) {
        return gp_fail(task, "no memory");
    }
    r->task = task;
    (void)gp_config_u64(task->config, "count", 100000, &r->count); /* the host has checked it */
    *ret_self = r;
    return GP_OK;
}

static int32_t readings_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct readings *r = self;

    for (; budget > 0 && r->sent < r->count && !gp_out_full(out); budget--, r->sent++) {
        int64_t value = (int64_t)(r->sent / SENSORS % 100);
        char sensor[NAME_MAX_BYTES];
        int len = snprintf(sensor, sizeof sensor, "sensor-%u", (unsigned)(r->sent % SENSORS));
        if (gp_emit_keyed(out, (int64_t)r->sent, sensor, (size_t)len, &value, sizeof value) !=
            GP_OK) {
            return GP_FAIL; /* the host knows why */
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

/* ---- average: behind a hash edge, so that one task sees all readings of a sensor ---- */

struct sensor {
    char name[NAME_MAX_BYTES];
    uint64_t hash;
    uint64_t count;
    int64_t sum;
};

struct average {
    const struct gp_task *task;
    uint32_t used;
    uint32_t reported;
    struct sensor sensors[SENSORS_MAX];
};

static int32_t average_open(const struct gp_task *task, void **ret_self)
{
    struct average *a = calloc(1, sizeof *a);

    if (!a) {
        return gp_fail(task, "no memory");
    }
    a->task = task;
    *ret_self = a;
    return GP_OK;
}

/* The sensor of that name, a new one if need be; NULL: there are too many. */
static struct sensor *average_find(struct average *a, uint64_t hash, const void *name, size_t len)
{
    struct sensor *s;

    for (uint32_t i = 0; i < a->used; i++) {
        s = &a->sensors[i];
        if (s->hash == hash && strlen(s->name) == len && memcmp(s->name, name, len) == 0) {
            return s;
        }
    }
    if (a->used == SENSORS_MAX) {
        return NULL;
    }
    s = &a->sensors[a->used++];
    s->hash = hash;
    memcpy(s->name, name, len);
    return s;
}

static int32_t average_process(void *self, uint32_t port, const struct gp_batch *in,
                               uint32_t *consumed, struct gp_out *out)
{
    struct average *a = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        struct sensor *s;
        int64_t value;
        if (row->value_len != sizeof value || row->key_len >= NAME_MAX_BYTES) {
            return gp_reject(a->task,
                             "a reading is 8 bytes, its sensor a name"); /* to the dead letters */
        }
        s = average_find(a, row->key_hash, row->key, row->key_len);
        if (!s) {
            return gp_fail(a->task, "too many sensors");
        }
        memcpy(&value, row->value, sizeof value);
        s->count++;
        s->sum += value;
    }
    return GP_OK;
}

static int32_t average_on_end(void *self, struct gp_out *out)
{
    struct average *a = self;

    for (; a->reported < a->used; a->reported++) {
        const struct sensor *s = &a->sensors[a->reported];
        char line[128];
        int len;
        if (gp_out_full(out)) {
            return GP_YIELD; /* called again when there is room */
        }
        len = snprintf(line, sizeof line, "%s %.2f (%" PRIu64 " readings)", s->name,
                       (double)s->sum / (double)s->count, s->count);
        if (gp_emit(out, 0, line, (size_t)len) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t average_snapshot(void *self, struct gp_snapshot *snapshot)
{
    struct average *a = self;

    for (uint32_t i = 0; i < a->used; i++) {
        const struct sensor *s = &a->sensors[i];
        if (snapshot->put(snapshot, gp_key_group(s->hash), gp_str_of(s->name),
                          gp_bytes_of(s, sizeof *s)) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_OK;
}

static int32_t average_restore(void *self, struct gp_restore *restore)
{
    struct average *a = self;
    struct gp_entry_view entry = {.size = sizeof entry};
    int32_t rc;

    a->used = 0;
    while ((rc = restore->next(restore, &entry)) > 0) {
        if (entry.bytes.len != sizeof a->sensors[0] || a->used == SENSORS_MAX) {
            return gp_fail(a->task, "a saved sensor is damaged");
        }
        memcpy(&a->sensors[a->used], entry.bytes.ptr, entry.bytes.len);
        a->sensors[a->used++].name[NAME_MAX_BYTES - 1] = '\0';
    }
    return rc < 0 ? GP_FAIL : GP_OK;
}

static const struct gp_processor average = {.size = sizeof average,
                                            .kind = GP_KIND_PROCESSOR,
                                            .type = "average",
                                            .flags = GP_PROCESSOR_STATEFUL,
                                            .open = average_open,
                                            .process = average_process,
                                            .on_end = average_on_end,
                                            .snapshot = average_snapshot,
                                            .restore = average_restore,
                                            .close = gp_close_free};

/* ---- report: a sink without data of its own; self is the task ---- */

static int32_t report_process(void *self, uint32_t port, const struct gp_batch *in,
                              uint32_t *consumed, struct gp_out *out)
{
    (void)port;
    GP_EACH (row, in, consumed, out) {
        gp_logf(self, GP_LOG_INFO, "%.*s", (int)row->value_len, (const char *)row->value);
    }
    return GP_OK;
}

static const struct gp_processor report = {.size = sizeof report,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "report",
                                           .open = gp_open_stateless,
                                           .process = report_process};

/* ---- the job ---- */

static int32_t build(const struct gp_build *b)
{
    gp_node from = gp_add(b, "readings", &readings, 1);
    gp_node averages = gp_add(b, "average", &average, 2);
    gp_node to = gp_add(b, "report", &report, 1);

    gp_set(b, from, "count", gp_config_text(b->config, "count", "100000"));
    gp_connect(b, from, averages, GP_HASH);
    gp_connect(b, averages, to, GP_SHUFFLE);
    return GP_OK;
}

GP_APP("@name@", "0.1.0", build, &readings, &average, &report)
