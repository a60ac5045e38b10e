/*
 * trial_code.c: the source, the processor and the partitioner of trials. See trial.h.
 *
 * A value: maker's processor (u16) and task (u16), key (u32), number (u64), sender's processor
 * (u16), port (u16) and task (u32), number on that port (u64), filler that depends on maker and
 * number.
 */
#include <stdlib.h>
#include <string.h>

#include <gearpump/state.h>

#include "base/hash.h"
#include "graph/plan.h"
#include "trial.h"

#define TOKEN_TIMER UINT64_MAX
#define TICK_NS     1000000

struct head {
    uint16_t maker;
    uint16_t maker_task;
    uint32_t key;
    uint64_t number;
    uint16_t sender;
    uint16_t sender_port;
    uint32_t sender_task;
    uint64_t sent;
};

_Static_assert(sizeof(struct head) == TRIAL_HEAD, "without holes");

struct delayed {
    struct delayed *next;
    uint64_t id;
    int64_t time_ns;
    uint32_t len;
    uint8_t value[];
};

struct self {
    const struct gp_task *task;
    struct trial_processor *about;
    struct trial *trial;
    struct rng rng;
    uint64_t sent[TRIAL_PORTS_MAX]; /* rows emitted on each port */
    uint64_t *last[RIG_EDGES_MAX];  /* [sending task] of an edge into this: last number seen, + 1 */
    uint64_t number;                /* sources: rows made */
    uint64_t ended;                 /* rows made in on_end() */
    uint64_t timer;
    struct delayed *delayed;
    int64_t watermark_ns;
    bool timer_yielded; /* the timer at hand has answered GP_YIELD once */
    bool watermark_yielded;
    bool end_yielded;
    bool is_over;
    struct gp_cursor *cursors[TRIAL_PORTS_MAX];
    bool has_left; /* its next session takes all of it */
    uint32_t value_cap;
    uint8_t *value;
};

/* ---- shared by tests and expectation ---- */

uint64_t trial_weight(uint32_t processor, uint32_t task, uint64_t number)
{
    return hash_u64(number, (uint64_t)processor << 56 | (uint64_t)task << 42) >> 16;
}

bool trial_rejects(const struct trial_processor *p, uint32_t maker, uint32_t task, uint64_t number)
{
    return p->reject_every > 0 &&
           hash_u64(trial_weight(maker, task, number), p->index + 1) % p->reject_every == 0;
}

uint32_t trial_value_len(const struct trial_processor *maker, uint64_t number)
{
    uint64_t draw = hash_u64(number, maker->trial->seed);

    if (maker->large_every > 0 && number < TRIAL_END_ROW && draw % maker->large_every == 0) {
        return TRIAL_HEAD + maker->large_bytes - (uint32_t)(draw >> 40) % 1000;
    }
    return TRIAL_HEAD + (uint32_t)((draw >> 8) % (maker->value_max + 1));
}

/* ---- life ---- */

static int32_t self_open(const struct gp_task *task, void **ret_self)
{
    const struct rig_processor *rig = task->config->host;
    struct self *self = calloc(1, sizeof(*self));
    struct trial_processor *about = rig->user;

    self->task = task;
    self->about = about;
    self->trial = about->trial;
    self->watermark_ns = GP_TIME_MIN;
    for (uint32_t port = 0; port < TRIAL_PORTS_MAX; port++) {
        self->cursors[port] = gp_cursor_of(task, port);
    }
    rng_init(&self->rng, about->trial->seed ^ (uint64_t)about->index << 32 ^ task->index);
    for (uint32_t e = 0; e < self->trial->rig.edge_count; e++) {
        const struct rig_edge *edge = &self->trial->rig.edges[e];

        if (edge->to == about->index) {
            self->last[e] =
                calloc(self->trial->processors[edge->from].parallelism, sizeof(*self->last[e]));
        }
    }
    *ret_self = self;
    return GP_OK;
}

static void free_lasts(struct self *self)
{
    for (uint32_t e = 0; e < RIG_EDGES_MAX; e++) {
        free(self->last[e]);
    }
}

/* All sessions are of one process: a state may be a pointer. */
static int32_t self_snapshot(void *user, struct gp_snapshot *snapshot)
{
    struct self *self = user;

    self->has_left = true;
    return snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("self"), gp_bytes_of(&self, sizeof(self)));
}

static int32_t self_restore(void *user, struct gp_restore *restore)
{
    struct self *self = user;
    const struct gp_task *task = self->task;
    struct gp_entry_view entry;
    struct self *before;

    if (restore->next(restore, &entry) != 1 || entry.bytes.len != sizeof(before)) {
        return GP_FAIL;
    }
    memcpy(&before, entry.bytes.ptr, sizeof(before));
    free_lasts(self);
    memcpy(before->cursors, self->cursors, sizeof(self->cursors)); /* of this session */
    *self = *before;
    self->task = task;
    self->has_left = false;
    free(before);
    return restore->next(restore, &entry) == 0 ? GP_OK : GP_FAIL;
}

static void self_close(void *user, uint32_t ended)
{
    struct self *self = user;

    if (self->has_left) {
        return;
    }
    if (!ended && atomic_load(&self->trial->broken) == 0) {
        trial_broke(self->trial, "processor %u task %u was closed before its end",
                    self->about->index, self->task->index);
    }
    if (ended && self->delayed) {
        trial_broke(self->trial, "processor %u task %u ended with rows that wait for their timers",
                    self->about->index, self->task->index);
    }
    while (self->delayed) {
        struct delayed *next = self->delayed->next;

        free(self->delayed);
        self->delayed = next;
    }
    free_lasts(self);
    free(self->value);
    free(self);
}

static uint8_t *room(struct self *self, uint32_t len)
{
    if (len > self->value_cap) {
        self->value = realloc(self->value, len);
        self->value_cap = len;
    }
    return self->value;
}

static uint8_t filler(const struct head *h, uint32_t at)
{
    return (uint8_t)(h->number * 31 + h->maker_task * 7u + at);
}

/* ---- emitting ---- */

static int32_t emit_at_cursor(struct self *self, uint32_t port, int64_t time_ns, uint32_t len)
{
    struct gp_cursor *c = self->cursors[port];
    uint32_t spare = (uint32_t)rng_below(&self->rng, 2) * (uint32_t)rng_below(&self->rng, 40);
    uint8_t *value = gp_cursor_reserve(c, time_ns, len + spare);

    if (!value) {
        return GP_FAIL;
    }
    memcpy(value, self->value, len);
    return gp_cursor_commit(c, value, len);
}

static int32_t emit_one(struct self *self, struct gp_out *out, uint32_t port, int64_t time_ns,
                        uint32_t len, uint64_t hash)
{
    struct head *h = (struct head *)(void *)self->value;
    struct gp_msg msg = {.size = sizeof(msg),
                         .flags = self->about->keys > 0 ? GP_MSG_KEYED : 0,
                         .time_ns = time_ns,
                         .key = &h->key,
                         .key_len = self->about->keys > 0 ? sizeof(h->key) : 0,
                         .value = self->value,
                         .value_len = len};
    uint32_t key = h->key;

    if (hash != 0 && self->about->hashed) {
        msg.flags |= GP_MSG_HASHED;
        msg.key_hash = hash;
    }
    h->sender = (uint16_t)self->about->index;
    h->sender_port = (uint16_t)port;
    h->sender_task = self->task->index;
    h->sent = self->sent[port]++;
    if (self->about->keys == 0 && rng_below(&self->rng, 2) == 0) {
        return emit_at_cursor(self, port, time_ns, len);
    }
    if (rng_below(&self->rng, 4) == 0) {
        uint32_t spare = (uint32_t)rng_below(&self->rng, 40);
        uint8_t *value;

        msg.key = &key;
        value = out->reserve(out, port, &msg, len + spare);
        if (!value) {
            return GP_FAIL;
        }
        memcpy(value, self->value, len);
        return out->commit(out, len);
    }
    return out->emit(out, port, &msg);
}

/* self->value holds the row. */
static int32_t emit_row(struct self *self, struct gp_out *out, int64_t time_ns, uint32_t len,
                        uint64_t hash)
{
    for (uint32_t port = 0; port < TRIAL_PORTS_MAX; port++) {
        for (uint32_t i = 0; i < self->about->copies[port]; i++) {
            int32_t rc = emit_one(self, out, port, time_ns, len, hash);

            if (rc != GP_OK) {
                return rc;
            }
        }
    }
    return GP_OK;
}

/* A row of this task's own. */
static int32_t make_row(struct self *self, struct gp_out *out, uint64_t number, int64_t time_ns)
{
    uint32_t len = trial_value_len(self->about, number);
    struct head h = {.maker = (uint16_t)self->about->index,
                     .maker_task = (uint16_t)self->task->index,
                     .number = number};

    if (self->about->keys > 0) {
        h.key = (uint32_t)(hash_u64(number, 1) % self->about->keys);
    }
    memcpy(room(self, len), &h, sizeof(h));
    for (uint32_t i = TRIAL_HEAD; i < len; i++) {
        self->value[i] = filler(&h, i);
    }
    return emit_row(self, out, time_ns, len, 0);
}

/* ---- moods ---- */

/* Asks for a token that comes at once or a little later. */
static void ask_token(struct self *self)
{
    atomic_fetch_add(&self->trial->waits, 1);
    if (rng_below(&self->rng, 2) == 0) {
        self->task->io->wake(self->task->io->waker(self->task));
    } else {
        (void)gp_timer_set(self->task, GP_TIMER_PROCESSING, TOKEN_TIMER,
                           gp_now_ns(self->task) + (int64_t)rng_below(&self->rng, 2 * TICK_NS));
    }
}

static bool is_moody(struct self *self)
{
    return self->about->moody > 0 && rng_below(&self->rng, self->about->moody) == 0;
}

/* Callbacks that may yield do so once, now and then. */
static bool yields(struct self *self, bool *yielded)
{
    *yielded = !*yielded && is_moody(self);
    atomic_fetch_add(&self->trial->yields, *yielded);
    return *yielded;
}

/* ---- source ---- */

static int32_t source_poll(void *user, struct gp_out *out, uint32_t budget)
{
    struct self *self = user;
    const struct trial_processor *about = self->about;

    if (about->idle_every > 0 && rng_below(&self->rng, about->idle_every) == 0) {
        ask_token(self);
        return GP_IDLE;
    }
    if (about->rows_per_poll > 0 && about->rows_per_poll < budget) {
        budget = about->rows_per_poll;
    }
    for (uint32_t i = 0; i < budget && self->number < about->rows && !gp_out_full(out); i++) {
        int32_t rc = make_row(self, out, self->number, (int64_t)self->number * 10);

        if (rc != GP_OK) {
            return rc;
        }
        self->number++;
        if (self->number % about->watermark_every == 0) {
            (void)gp_emit_watermark(out, (int64_t)self->number * 10);
        }
    }
    return self->number == about->rows ? GP_END : GP_MORE;
}

/* ---- processor ---- */

static uint32_t edge_of(const struct self *self, const struct head *h, uint32_t port)
{
    const struct rig *rig = &self->trial->rig;

    for (uint32_t e = 0; e < rig->edge_count; e++) {
        if (rig->edges[e].from == h->sender && rig->edges[e].from_port == h->sender_port &&
            rig->edges[e].to == self->about->index && rig->edges[e].to_port == port) {
            return e;
        }
    }
    return UINT32_MAX;
}

/* Where the row stands in its order, which depends on the partitioner. */
static bool follows(const struct self *self, uint32_t partitioner, uint64_t last, uint64_t sent)
{
    switch (partitioner) {
    case PLAN_BROADCAST:
    case PLAN_FORWARD:
        return sent == last;
    case PLAN_ROUND_ROBIN:
        return last == 0 ? sent < self->task->parallelism
                         : sent + 1 == last + self->task->parallelism;
    default:
        return sent >= last;
    }
}

static bool is_for_me(const struct self *self, uint32_t partitioner, const struct gp_row *row,
                      const struct head *h)
{
    switch (partitioner) {
    case PLAN_HASH:
        return self->task->index ==
               gp_key_group_task(gp_key_group(row->key_hash), self->task->parallelism);
    case PLAN_FORWARD:
        return self->task->index == h->sender_task;
    case PLAN_CUSTOM:
        return self->task->index == h->number % self->task->parallelism;
    default:
        return true;
    }
}

static const char *check_row(struct self *self, uint32_t port, const struct gp_row *row)
{
    const uint8_t *value = row->value;
    struct head h;
    uint32_t e;
    uint32_t partitioner;

    if (row->value_len < TRIAL_HEAD) {
        return "a value is too short";
    }
    memcpy(&h, value, sizeof(h));
    e = edge_of(self, &h, port);
    if (e == UINT32_MAX || h.maker >= self->trial->rig.processor_count) {
        return "a row came on no edge";
    }
    if (row->value_len != trial_value_len(&self->trial->processors[h.maker], h.number)) {
        return "a value has another length";
    }
    for (uint32_t i = TRIAL_HEAD; i < row->value_len; i++) {
        if (value[i] != filler(&h, i)) {
            return "a value has other bytes";
        }
    }
    if (row->source != h.sender_task ||
        h.sender_task >= self->trial->processors[h.sender].parallelism) {
        return "a row names another source";
    }
    if (self->trial->processors[h.sender].keys > 0 &&
        (!(row->flags & GP_ROW_KEYED) || row->key_len != 4 || memcmp(row->key, &h.key, 4) != 0 ||
         row->key_hash != hash_bytes(&h.key, 4, self->trial->rig.plan.hash_seed))) {
        return "a key is not right";
    }
    partitioner = self->trial->rig.edges[e].partitioner;
    if (!is_for_me(self, partitioner, row, &h)) {
        return "a row came to another task";
    }
    if (!follows(self, partitioner, self->last[e][h.sender_task], h.sent)) {
        if (getenv("RIG_VERBOSE")) {
            fprintf(stderr, "edge %u: expected %llu, got %llu\n", e,
                    (unsigned long long)self->last[e][h.sender_task], (unsigned long long)h.sent);
        }
        return "a row is out of order";
    }
    self->last[e][h.sender_task] = h.sent + 1;
    if (row->time_ns < self->watermark_ns || (row->flags & GP_ROW_LATE)) {
        return "a row is late";
    }
    if (self->is_over) {
        return "a row came after the end";
    }
    atomic_fetch_add(&self->trial->edges[e].rows, 1);
    atomic_fetch_add(&self->trial->edges[e].sum, trial_weight(h.maker, h.maker_task, h.number));
    return NULL;
}

static int32_t delay(struct self *self, const struct gp_row *row)
{
    struct delayed *d = malloc(sizeof(*d) + row->value_len);

    d->id = self->timer++;
    d->time_ns = row->time_ns;
    if (d->time_ns < GP_TIME_MAX) {
        d->time_ns += (int64_t)rng_below(&self->rng, 3) * 50;
    }
    d->len = row->value_len;
    memcpy(d->value, row->value, row->value_len);
    d->next = self->delayed;
    self->delayed = d;
    atomic_fetch_add(&self->trial->delayed, 1);
    return gp_timer_set(self->task, GP_TIMER_EVENT, d->id, d->time_ns);
}

static int32_t take_row(struct self *self, uint32_t port, const struct gp_row *row,
                        struct gp_out *out)
{
    const char *wrong = check_row(self, port, row);
    struct head h = {0};

    memcpy(&h, row->value, row->value_len < sizeof(h) ? row->value_len : sizeof(h));
    if (wrong) {
        trial_broke(self->trial,
                    "processor %u task %u: %s (made by %u.%u number %llu, sent by %u.%u as %llu)",
                    self->about->index, self->task->index, wrong, h.maker, h.maker_task,
                    (unsigned long long)h.number, h.sender, h.sender_task,
                    (unsigned long long)h.sent);
        return gp_fail(self->task, wrong);
    }
    if (trial_rejects(self->about, h.maker, h.maker_task, h.number)) {
        atomic_fetch_add(&self->trial->rejects, 1);
        return gp_reject(self->task, "as the trial wants");
    }
    if (self->about->delays) {
        return delay(self, row);
    }
    memcpy(room(self, row->value_len), row->value, row->value_len);
    return emit_row(self, out, row->time_ns, row->value_len,
                    row->flags & GP_ROW_KEYED ? row->key_hash : 0);
}

static int32_t pass_process(void *user, uint32_t port, const struct gp_batch *in,
                            uint32_t *consumed, struct gp_out *out)
{
    struct self *self = user;
    const struct gp_row *row;

    while ((row = gp_next(in, consumed, out)) != NULL) {
        int32_t rc;

        if (is_moody(self)) {
            switch (rng_below(&self->rng, 3)) {
            case 0:
                ask_token(self);
                return GP_AGAIN;
            case 1:
                atomic_fetch_add(&self->trial->yields, 1);
                return GP_YIELD;
            default:
                return GP_OK; /* with what is left */
            }
        }
        if (self->about->consume_max > 0 && *consumed >= self->about->consume_max) {
            return GP_OK;
        }
        rc = take_row(self, port, row, out);
        if (rc != GP_OK) {
            return rc;
        }
        ++*consumed;
    }
    return GP_OK;
}

static int32_t pass_on_timer(void *user, uint32_t clock, uint64_t id, int64_t at_ns,
                             struct gp_out *out)
{
    struct self *self = user;
    struct delayed **at = &self->delayed;
    struct delayed *d;
    int32_t rc;

    if (clock == GP_TIMER_PROCESSING) {
        return GP_OK;
    }
    if (yields(self, &self->timer_yielded)) {
        return GP_YIELD;
    }
    while (*at && (*at)->id != id) {
        at = &(*at)->next;
    }
    d = *at;
    if (!d || d->time_ns != at_ns || self->task->service->watermark_ns(self->task) < at_ns) {
        trial_broke(self->trial, "processor %u task %u: a timer came twice, unasked or early",
                    self->about->index, self->task->index);
        return gp_fail(self->task, "timer");
    }
    memcpy(room(self, d->len), d->value, d->len);
    rc = emit_row(self, out, at_ns, d->len, 0);
    *at = d->next;
    free(d);
    return rc;
}

static int32_t pass_on_watermark(void *user, int64_t time_ns, struct gp_out *out)
{
    struct self *self = user;

    (void)out;
    if (time_ns < self->watermark_ns ||
        (time_ns == self->watermark_ns && !self->watermark_yielded)) {
        trial_broke(self->trial, "processor %u task %u: the watermark went from %lld to %lld",
                    self->about->index, self->task->index, (long long)self->watermark_ns,
                    (long long)time_ns);
    }
    self->watermark_ns = time_ns;
    return yields(self, &self->watermark_yielded) ? GP_YIELD : GP_OK;
}

static int32_t pass_on_end(void *user, struct gp_out *out)
{
    struct self *self = user;

    if (self->is_over || self->watermark_ns != GP_TIME_MAX) {
        trial_broke(self->trial, "processor %u task %u ended twice or before time did",
                    self->about->index, self->task->index);
    }
    while (self->ended < self->about->end_rows) {
        int32_t rc;

        if (gp_out_full(out) || yields(self, &self->end_yielded)) {
            return GP_YIELD;
        }
        rc = make_row(self, out, TRIAL_END_ROW + self->ended, GP_TIME_MAX);
        if (rc != GP_OK) {
            return rc;
        }
        self->ended++;
    }
    self->is_over = true;
    return GP_OK;
}

static uint32_t route(void *user, const struct gp_msg *msg, uint32_t source, uint32_t targets)
{
    struct head h;

    (void)user;
    (void)source;
    memcpy(&h, msg->value, sizeof(h));
    return (uint32_t)(h.number % targets);
}

const struct gp_partitioner trial_partitioner = {
    .size = sizeof(struct gp_partitioner),
    .kind = GP_KIND_PARTITIONER,
    .type = "custom",
    .route = route,
};

const struct gp_processor trial_source = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "source",
    .flags = GP_PROCESSOR_STATEFUL,
    .open = self_open,
    .poll = source_poll,
    .snapshot = self_snapshot,
    .restore = self_restore,
    .close = self_close,
};

const struct gp_processor trial_pass = {
    .size = sizeof(struct gp_processor),
    .kind = GP_KIND_PROCESSOR,
    .type = "pass",
    .open = self_open,
    .process = pass_process,
    .on_timer = pass_on_timer,
    .on_watermark = pass_on_watermark,
    .on_end = pass_on_end,
    .snapshot = self_snapshot,
    .restore = self_restore,
    .close = self_close,
};
