/*
 * spread: one source and, behind each kind of partitioner, a processor whose tasks count what they
 * get: "rows", "task-INDEX", and "keys" for each key they see for the first time.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gearpump/gearpump.h>

#define ROWS 3000u /* of each source task */
#define KEYS 100u

struct task {
    const struct gp_task *task;
    uint32_t rows;
    unsigned char seen[KEYS];
};

static int32_t task_open(const struct gp_task *task, void **ret_self)
{
    struct task *t = calloc(1, sizeof *t);

    if (!t) {
        return gp_fail(task, "no memory");
    }
    t->task = task;
    *ret_self = t;
    return GP_OK;
}

static int32_t source_poll(void *self, struct gp_out *out, uint32_t budget)
{
    struct task *t = self;

    for (uint32_t i = 0; i < budget && t->rows < ROWS && !gp_out_full(out); i++) {
        uint32_t key = t->rows++ % KEYS;
        if (gp_emit_keyed(out, gp_wall_ns(t->task), &key, sizeof key, "value", 5) != GP_OK) {
            return GP_FAIL;
        }
    }
    return t->rows < ROWS ? GP_MORE : GP_END;
}

static int32_t count_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct task *t = self;
    char name[32];

    (void)port;
    (void)snprintf(name, sizeof name, "task-%u", t->task->index);
    GP_EACH (row, in, consumed, out) {
        uint32_t key;
        memcpy(&key, row->key, sizeof key);
        if (row->key_len != sizeof key || key >= KEYS || row->value_len != 5 ||
            memcmp(row->value, "value", 5) != 0) {
            return gp_fail(t->task, "a row that nobody sent");
        }
        gp_count(t->task, "rows", 1);
        gp_count(t->task, name, 1);
        gp_count(t->task, "keys", t->seen[key] ? 0 : 1);
        t->seen[key] = 1;
    }
    return GP_OK;
}

static const struct gp_processor source = {.size = sizeof source,
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "source",
                                           .open = task_open,
                                           .poll = source_poll,
                                           .close = gp_close_free};

static const struct gp_processor count = {.size = sizeof count,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "count",
                                          .open = task_open,
                                          .process = count_process,
                                          .close = gp_close_free};

/* All to the last task. */
static int32_t last_open(const struct gp_config *config, uint32_t targets, void **ret_self)
{
    (void)config, (void)targets;
    *ret_self = NULL;
    return GP_OK;
}

static uint32_t last_route(void *self, const struct gp_msg *msg, uint32_t from, uint32_t targets)
{
    (void)self, (void)msg, (void)from;
    return targets - 1;
}

static const struct gp_partitioner last = {.size = sizeof last,
                                           .kind = GP_KIND_PARTITIONER,
                                           .type = "last",
                                           .open = last_open,
                                           .route = last_route};

static int32_t build(const struct gp_build *b)
{
    static const char *const partitioners[] = {GP_HASH,    GP_SHUFFLE, GP_ROUND_ROBIN, GP_BROADCAST,
                                               GP_FORWARD, GP_LOCAL,   "last"};
    gp_node from = gp_add(b, "source", &source, 4);

    for (size_t i = 0; i < sizeof partitioners / sizeof partitioners[0]; i++) {
        gp_connect(b, from, gp_add(b, partitioners[i], &count, 4), partitioners[i]);
    }
    return GP_OK;
}

GP_APP("spread", "1.0.0", build, &source, &count, &last)
