/*
 * attack_code.c: the tasks of an attacked job. Every row says which life of which task sent it, as
 * the how-manieth, so that each task checks that none comes twice, none out of order, and none of
 * an older life after one of a newer.
 */
#include <stdlib.h>
#include <string.h>

#include "attack.h"
#include "gp_test.h"

/* A row's value begins with it. */
struct mark {
    uint16_t processor;
    uint16_t task;
    uint32_t life;
    uint64_t sent;
    uint64_t number;
};

struct self {
    struct self *next; /* in run.selves: those of processes that are killed are freed there */
    struct run *run;
    const struct gp_task *task;
    uint32_t processor;
    uint32_t life;
    uint64_t sent;
    uint64_t number;
    int64_t watermark_ns;
    uint32_t last_life[EDGES][TASKS_MAX];
    uint64_t last_sent[EDGES][TASKS_MAX];
    uint8_t *value;
};

static void broke(struct run *run, const char *what, const struct self *self, const struct mark *m)
{
    attack_broke(run, "%s (at %u.%u life %u; from %u.%u life %u as %llu)", what, self->processor,
                 self->task->index, self->life, m ? m->processor : 0, m ? m->task : 0,
                 m ? m->life : 0, m ? (unsigned long long)m->sent : 0);
}

static int32_t self_open(const struct gp_task *task, void **ret_self)
{
    const struct rig_processor *p = task->config->host;
    struct run *run = p->user;
    struct self *self = calloc(1, sizeof(*self));

    self->run = run;
    self->task = task;
    self->processor = (uint32_t)(p - run->rig.processors);
    self->life = ++run->places[self->processor][task->index].life;
    self->watermark_ns = GP_TIME_MIN;
    self->value = calloc(1, 40000);
    self->next = run->selves;
    run->selves = self;
    *ret_self = self;
    return GP_OK;
}

static void self_close(void *user, uint32_t ended)
{
    struct self *self = user;

    if (ended) {
        self->run->places[self->processor][self->task->index].ended = true;
    }
}

/* What stands between `life` and `value`. */
#define STATE_FROM offsetof(struct self, life)
#define STATE_LEN  (offsetof(struct self, value) - STATE_FROM)

static int32_t self_snapshot(void *user, struct gp_snapshot *snapshot)
{
    struct self *self = user;

    if (rng_below(&self->run->rng, 20) == 0) {
        return GP_FAIL;
    }
    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("self"),
                         gp_bytes_of((uint8_t *)self + STATE_FROM, STATE_LEN));
}

static int32_t self_restore(void *user, struct gp_restore *restore)
{
    struct self *self = user;
    struct gp_entry_view e;

    /* An executor that cannot open its first tasks is given up, which nobody here does. */
    if (!self->run->is_opening && rng_below(&self->run->rng, 20) == 0) {
        return gp_fail(self->task, "as the test wants");
    }
    while (restore->next(restore, &e) > 0) {
        if (e.bytes.len != STATE_LEN) {
            broke(self->run, "a state is not whole", self, NULL);
            return GP_FAIL;
        }
        memcpy((uint8_t *)self + STATE_FROM, e.bytes.ptr, STATE_LEN);
    }
    return GP_OK;
}

static uint32_t edge_between(uint32_t from, uint32_t to)
{
    return from == 1 ? 1 : to == 1 ? 0 : 2;
}

static uint32_t len_of(const struct run *run, uint64_t number)
{
    uint64_t draw = (number + run->seed) * UINT64_C(0x9e3779b97f4a7c15);

    return run->large_every > 0 && draw % run->large_every == 0
               ? 20000 + (uint32_t)(draw >> 40) % 20000
               : (uint32_t)sizeof(struct mark) + (uint32_t)(draw >> 33) % 200;
}

static int32_t emit(struct self *self, struct gp_out *out, uint64_t number, int64_t time_ns)
{
    struct run *run = self->run;
    uint32_t key = (uint32_t)(number * 2654435761u);
    struct mark m = {.processor = (uint16_t)self->processor,
                     .task = (uint16_t)self->task->index,
                     .life = self->life,
                     .sent = ++self->sent,
                     .number = number};
    int32_t rc;

    memcpy(self->value, &m, sizeof(m));
    rc = gp_emit_keyed(out, time_ns, &key, sizeof(key), self->value, len_of(run, number));
    for (uint32_t e = 0; e < EDGES && rc == GP_OK; e++) {
        const struct rig_edge *edge = &run->rig.edges[e];

        if (edge->from == self->processor) {
            run->sent[e] +=
                edge->partitioner == PLAN_BROADCAST ? run->rig.processors[edge->to].parallelism : 1;
        }
    }
    if (rc != GP_OK) {
        broke(run, "emit refused", self, &m);
    }
    return rc;
}

static bool fails_now(struct self *self)
{
    struct place *p = &self->run->places[self->processor][self->task->index];
    bool now = p->fail;

    p->fail = false;
    return now;
}

static int32_t poll_rows(void *user, struct gp_out *out, uint32_t budget)
{
    struct self *self = user;

    for (uint32_t i = 0; i < budget && self->number < self->run->rows && !gp_out_full(out); i++) {
        if (fails_now(self)) {
            return gp_fail(self->task, "as the test wants");
        }
        if (emit(self, out, self->number, (int64_t)self->number * 10) != GP_OK) {
            return GP_FAIL;
        }
        self->number++;
        if (self->number % 16 == 0) {
            (void)gp_emit_watermark(out, (int64_t)self->number * 10);
        }
    }
    return self->number == self->run->rows ? GP_END : GP_MORE;
}

static void check(struct self *self, uint32_t port, const struct gp_row *row)
{
    struct run *run = self->run;
    struct mark m;
    uint32_t e;

    (void)port;
    memcpy(&m, row->value, sizeof(m));
    e = edge_between(m.processor, self->processor);
    if (m.processor >= STAGES || m.task >= TASKS_MAX || row->source != m.task ||
        row->value_len != len_of(run, m.number)) {
        broke(run, "a row is not right", self, &m);
        return;
    }
    if (m.life < self->last_life[e][m.task]) {
        broke(run, "a row of an older life after one of a newer", self, &m);
    }
    if (m.life == self->last_life[e][m.task] && m.sent <= self->last_sent[e][m.task]) {
        broke(run, "a row came twice or out of order", self, &m);
    }
    self->last_life[e][m.task] = m.life;
    self->last_sent[e][m.task] = m.sent;
    run->received[e]++;
}

static int32_t process(void *user, uint32_t port, const struct gp_batch *in, uint32_t *consumed,
                       struct gp_out *out)
{
    struct self *self = user;
    const struct gp_row *row;

    while ((row = gp_next(in, consumed, out)) != NULL) {
        struct mark m;

        if (fails_now(self)) {
            return gp_fail(self->task, "as the test wants");
        }
        if (rng_below(&self->run->rng, 50) == 0) {
            return GP_YIELD;
        }
        check(self, port, row);
        memcpy(&m, row->value, sizeof(m));
        if (self->processor == 1 && emit(self, out, m.number, row->time_ns) != GP_OK) {
            return GP_FAIL;
        }
        ++*consumed;
    }
    return GP_OK;
}

static int32_t on_watermark(void *user, int64_t time_ns, struct gp_out *out)
{
    struct self *self = user;

    (void)out;
    if (time_ns < self->watermark_ns) {
        broke(self->run, "time went back", self, NULL);
    }
    self->watermark_ns = time_ns;
    return GP_OK;
}

const struct gp_processor attack_source = {.size = sizeof(attack_source),
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "source",
                                           .open = self_open,
                                           .poll = poll_rows,
                                           .snapshot = self_snapshot,
                                           .restore = self_restore,
                                           .close = self_close};
const struct gp_processor attack_sink = {.size = sizeof(attack_sink),
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = self_open,
                                         .process = process,
                                         .on_watermark = on_watermark,
                                         .snapshot = self_snapshot,
                                         .restore = self_restore,
                                         .close = self_close};

void attack_free_selves(struct run *run)
{
    while (run->selves) {
        struct self *next = run->selves->next;

        free(run->selves->value);
        free(run->selves);
        run->selves = next;
    }
}
