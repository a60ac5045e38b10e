/*
 * Random jobs that things happen to: tasks fail and are restarted, links are cut, executors die and
 * are replaced, tasks move with their state in the middle of that, all from a seed. Every row says
 * which life of which task sent it, as the how-manieth, so each task checks that none comes twice, none
 * out of order, and none of an older life after one of a newer. In the end:
 *   - the job has ended everywhere: nobody waits for what will not come;
 *   - where all processes lived, what was sent is what was received and what lanes count as lost;
 *   - credit of every account is whole, every batch at home, every inbox empty.
 * GP_TRIAL_FIRST and GP_TRIAL_SEEDS choose other seeds or more of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/lane.h"
#include "data/output.h"
#include "data/stage.h"
#include "data/task.h"
#include "gp_test.h"
#include "rig.h"

#define STAGES     3u
#define TASKS_MAX  12u
#define EDGES      3u
#define MILLI      INT64_C(1000000)
#define FAULTS_MAX 12u

struct mark {
    uint16_t processor;
    uint16_t task;
    uint32_t life;
    uint64_t sent;
    uint64_t number;
};

struct run;

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

enum status {
    STAYS,
    LEAVES,  /* it was asked to */
    LEFT,    /* its state is here */
    LATE,    /* the same, when nobody expected it any more: it goes back */
    ARRIVES, /* it is placed, and has not said that it runs */
};

struct place {
    uint32_t executor; /* index */
    uint32_t lane;
    uint64_t session;
    uint64_t since;
    uint64_t asked; /* the generation since which it is to leave */
    enum status status;
    uint8_t *state;
    size_t state_len;
    uint32_t life;
    bool ended;
    bool fail;   /* at the next row */
    bool failed; /* told, and waits for its next session */
};

struct run {
    struct rig rig;
    struct rng rng;
    uint64_t seed;
    struct place places[STAGES][TASKS_MAX];
    uint64_t sent[EDGES];
    uint64_t received[EDGES];
    uint64_t generation;
    uint64_t moves;
    bool moves_changed; /* since that one */
    bool alive[RIG_EXECUTORS_MAX];
    bool known[RIG_EXECUTORS_MAX]; /* announced */
    uint32_t faults;
    bool cuts;
    bool kills;
    bool fails;
    bool has_moves;
    uint32_t moved;
    uint32_t resumed;
    uint32_t refused;
    uint32_t cancelled;
    uint32_t bereaved; /* states that died with who had got them */
    uint32_t adopted;  /* states that came with the assignment of an executor */
    uint32_t killed;
    uint32_t restarted;
    uint32_t failures;
    uint32_t cut;
    uint64_t rows; /* of each source task */
    uint32_t large_every;
    struct self *selves;
    bool broken;
    char text[200];
};

static void broke(struct run *run, const char *what, const struct self *self, const struct mark *m)
{
    if (run->broken) {
        return;
    }
    run->broken = true;
    (void)snprintf(run->text, sizeof(run->text),
                   "%s (at %u.%u life %u; from %u.%u life %u as %llu)", what,
                   self ? self->processor : 0, self ? self->task->index : 0, self ? self->life : 0,
                   m ? m->processor : 0, m ? m->task : 0, m ? m->life : 0,
                   m ? (unsigned long long)m->sent : 0);
}

/* ---- user code ---- */

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

    if (rng_below(&self->run->rng, 20) == 0) {
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

static const struct gp_processor source = {.size = sizeof(source),
                                           .kind = GP_KIND_PROCESSOR,
                                           .type = "source",
                                           .open = self_open,
                                           .poll = poll_rows,
                                           .snapshot = self_snapshot,
                                           .restore = self_restore,
                                           .close = self_close};
static const struct gp_processor sink = {.size = sizeof(sink),
                                         .kind = GP_KIND_PROCESSOR,
                                         .type = "sink",
                                         .open = self_open,
                                         .process = process,
                                         .on_watermark = on_watermark,
                                         .snapshot = self_snapshot,
                                         .restore = self_restore,
                                         .close = self_close};

/* ---- what an appmaster would do ---- */

struct wish {
    struct placement_range ranges[STAGES * TASKS_MAX];
    struct placement placement;
    struct placement_host hosts[RIG_EXECUTORS_MAX];
    struct engine_sibling siblings[RIG_EXECUTORS_MAX];
    struct lane_tasks ended[STAGES * TASKS_MAX];
    struct lane_state states[STAGES * TASKS_MAX];
    struct engine_job job;
};

static void wish_for(struct run *run, struct wish *w)
{
    struct rig *rig = &run->rig;
    uint32_t alive = 0;
    uint32_t ended = 0;
    uint32_t states = 0;

    memset(w, 0, sizeof(*w));
    for (uint32_t p = 0; p < STAGES; p++) {
        for (uint32_t i = 0; i < rig->processors[p].parallelism; i++) {
            const struct place *at = &run->places[p][i];

            w->ranges[w->placement.count++] =
                (struct placement_range){.processor = p,
                                         .first = i,
                                         .count = 1,
                                         .executor = at->executor + 1,
                                         .lane = at->lane,
                                         .session = at->session,
                                         .since = at->since,
                                         .leaving = at->status == LEAVES || at->status == LEFT};
            if (at->status == ARRIVES) {
                w->states[states++] =
                    (struct lane_state){.processor = p,
                                        .task = i,
                                        .moved = true,
                                        .bytes = gp_bytes_of(at->state, at->state_len)};
            }
            if (at->ended) {
                w->ended[ended++] = (struct lane_tasks){p, i, 1};
            }
        }
    }
    w->placement.ranges = w->ranges;
    for (uint32_t i = 0; i < rig->executors; i++) {
        if (run->alive[i] && run->known[i]) {
            w->hosts[alive] = (struct placement_host){.executor = i + 1, .lanes = rig->lanes};
            w->siblings[alive++] = rig->siblings[i];
        }
    }
    w->job = (struct engine_job){.generation = run->generation,
                                 .moves = run->moves,
                                 .states = w->states,
                                 .state_count = states,
                                 .plan = &rig->plan,
                                 .placement = &w->placement,
                                 .hosts = w->hosts,
                                 .host_count = alive,
                                 .siblings = w->siblings,
                                 .sibling_count = alive,
                                 .ended = w->ended,
                                 .ended_count = ended,
                                 .options = &rig->options,
                                 .processors = rig->code,
                                 .partitioners = rig->partitioners};
}

static void next_generation(struct run *run)
{
    run->generation++;
    run->moves = run->moves_changed ? run->generation : run->moves;
    run->moves_changed = false;
}

static void update_all(struct run *run, uint32_t but)
{
    struct wish *w = malloc(sizeof(*w));
    struct gp_error err = {0};

    next_generation(run);
    wish_for(run, w);
    for (uint32_t i = 0; i < run->rig.executors; i++) {
        if (i != but && run->alive[i] && run->known[i]) {
            int rc = engine_update(run->rig.engines[i], &w->job, &err);

            if (rc == GP_EFULL) {
                continue; /* the next one says all */
            }
            if (rc < 0) {
                fprintf(stderr, "update: %s\n", err.text);
            }
            GP_REQUIRE_EQ(rc, 0);
        }
    }
    free(w);
}

static void pass_time(struct run *run, int64_t most_ns)
{
    (void)sim_run_for(run->rig.sim, 1 + (int64_t)rng_below(&run->rng, (uint64_t)most_ns), NULL);
}

static struct place *any_task(struct run *run)
{
    uint32_t p = (uint32_t)rng_below(&run->rng, STAGES);

    return &run->places[p][rng_below(&run->rng, run->rig.processors[p].parallelism)];
}

static void set_status(struct run *run, struct place *p, enum status status)
{
    run->moves_changed = run->moves_changed || p->status != status;
    if (status == STAYS) {
        free(p->state);
        p->state = NULL;
    }
    p->status = status;
}

/* Its next session has nothing of the one before, also if that was about to move. */
static void renew(struct run *run, struct place *p)
{
    run->bereaved += p->status == ARRIVES;
    p->session++;
    p->since = p->session;
    p->failed = false;
    set_status(run, p, STAYS);
}

static void restart_some(struct run *run)
{
    for (uint64_t n = 1 + rng_below(&run->rng, 3); n > 0; n--) {
        renew(run, any_task(run));
    }
    run->restarted++;
    update_all(run, UINT32_MAX);
}

static void on_failed(struct rig *rig, const struct lane_failure *failure)
{
    struct run *run = rig->user;
    struct place *p = &run->places[failure->processor][failure->task];

    if (p->session == failure->session) {
        p->failed = true;
        run->failures++;
    }
}

/* Those that failed so far get their next session. */
static bool mend(struct run *run)
{
    bool any = false;

    for (uint32_t p = 0; p < STAGES; p++) {
        for (uint32_t i = 0; i < run->rig.processors[p].parallelism; i++) {
            struct place *at = &run->places[p][i];

            if (at->failed) {
                renew(run, at);
                any = true;
            }
        }
    }
    if (any) {
        update_all(run, UINT32_MAX);
    }
    return any;
}

static uint32_t any_executor(struct run *run)
{
    uint32_t at;

    do {
        at = (uint32_t)rng_below(&run->rng, run->rig.executors);
    } while (!run->alive[at]);
    return at;
}

static void cut_some(struct run *run)
{
    uint32_t a = any_executor(run);
    uint32_t b = any_executor(run);

    for (uint64_t n = 1 + rng_below(&run->rng, 4); a != b && n > 0; n--) {
        run->cut += sim_reset(run->rig.procs[a], run->rig.procs[b]);
        pass_time(run, rng_below(&run->rng, 2) ? MILLI : 20 * MILLI);
    }
}

static void wait_for(struct run *run, const uint32_t *what, uint32_t until)
{
    for (int i = 0; i < 10000 && *what < until; i++) {
        pass_time(run, MILLI);
    }
    GP_REQUIRE(*what >= until);
}

/* ---- moves ---- */

static void on_moved(struct rig *rig, const struct lane_moved *m)
{
    struct run *run = rig->user;
    struct place *p = &run->places[m->processor][m->task];

    if (m->session != p->session) {
        return; /* of a session that is over */
    }
    switch (m->what) {
    case MSG_MOVED_LEFT:
        p->state_len = buf_len(&m->state);
        p->state = malloc(p->state_len);
        memcpy(p->state, buf_bytes(&m->state).ptr, p->state_len);
        p->status = p->status == LEAVES && m->moves >= p->asked ? LEFT : LATE;
        break;
    case MSG_MOVED_REFUSED:
        run->refused++;
        if (p->status == LEAVES && m->moves >= p->asked) {
            set_status(run, p, STAYS);
        }
        break;
    default:
        run->resumed++;
        set_status(run, p, STAYS);
        break;
    }
}

/* What has left is placed where it now stands. */
static void arrive(struct run *run, struct place *p)
{
    p->session++;
    set_status(run, p, ARRIVES);
    run->moved++;
}

static void ask_some(struct run *run)
{
    for (uint64_t n = 1 + rng_below(&run->rng, 6); n > 0; n--) {
        struct place *p = any_task(run);

        if (p->status == STAYS && !p->failed) {
            set_status(run, p, LEAVES);
            p->asked = run->generation + 1;
        }
    }
    update_all(run, UINT32_MAX);
}

/* Those that left come somewhere; who is still asked to leave may hear that it need not. */
static bool place_some(struct run *run, bool cancel)
{
    bool any = false;

    for (uint32_t k = 0; k < STAGES * TASKS_MAX; k++) {
        struct place *p = &run->places[k / TASKS_MAX][k % TASKS_MAX];

        if (p->status == LEFT) {
            p->executor = any_executor(run);
            p->lane = (uint32_t)rng_below(&run->rng, run->rig.lanes);
        }
        if (p->status == LEFT || p->status == LATE) {
            arrive(run, p);
        } else if (p->status == LEAVES && cancel) {
            set_status(run, p, STAYS);
            run->cancelled++;
        }
        any = any || p->status != STAYS;
    }
    if (any || run->moves_changed) {
        update_all(run, UINT32_MAX);
    }
    return any;
}

static void move_some(struct run *run)
{
    if (rng_below(&run->rng, 2) == 0) {
        ask_some(run);
    } else {
        (void)place_some(run, rng_below(&run->rng, 3) == 0);
    }
}

static void replace(struct run *run, uint32_t dead)
{
    struct rig *rig = &run->rig;
    uint32_t ready = rig->ready;
    uint32_t opened = rig->opened;
    struct wish *w = malloc(sizeof(*w));
    uint32_t fresh = rig_add_executor(rig);
    struct gp_error err = {0};

    run->alive[fresh] = true;
    wait_for(run, &rig->ready, ready + 1);
    rig_announce(rig, fresh);
    run->known[fresh] = true;
    for (uint32_t p = 0; p < STAGES; p++) {
        for (uint32_t i = 0; i < rig->processors[p].parallelism; i++) {
            struct place *at = &run->places[p][i];

            if (at->executor != dead) {
                continue;
            }
            at->executor = fresh;
            at->fail = false;
            if (at->status == LEFT || at->status == LATE) {
                arrive(run, at);
                run->adopted++;
            } else {
                renew(run, at);
            }
        }
    }
    if (rng_below(&run->rng, 2) == 0) {
        update_all(run, fresh);
        pass_time(run, 2 * MILLI);
    } else {
        next_generation(run);
    }
    wish_for(run, w);
    GP_REQUIRE_EQ(engine_assign(rig->engines[fresh], &w->job, &err), 0);
    wait_for(run, &rig->opened, opened + 1);
    update_all(run, UINT32_MAX);
    engine_start(rig->engines[fresh]);
    free(w);
}

static void kill_one(struct run *run)
{
    uint32_t dead = any_executor(run);

    if (run->rig.executors >= 9) {
        return;
    }
    sim_kill(run->rig.procs[dead]);
    run->alive[dead] = false;
    run->killed++;
    pass_time(run, MILLI);
    if (rng_below(&run->rng, 2) == 0) {
        update_all(run, UINT32_MAX); /* its tasks are parked */
        pass_time(run, 3 * MILLI);
    }
    replace(run, dead);
}

static void strike(struct run *run)
{
    switch (rng_below(&run->rng, run->has_moves ? 10 : 5)) {
    case 0:
        restart_some(run);
        break;
    case 1:
        if (run->cuts) {
            cut_some(run);
        }
        break;
    case 2:
        if (run->kills && rng_below(&run->rng, 2) == 0) {
            kill_one(run);
        }
        break;
    case 3:
        if (run->fails) {
            any_task(run)->fail = true;
        }
        break;
    case 4:
        (void)mend(run);
        break;
    default:
        move_some(run);
        break;
    }
}

static void disturb(struct rig *rig, void *world)
{
    struct run *run = rig->user;

    (void)world;
    for (uint32_t i = 0; i < rig->executors; i++) {
        run->alive[i] = true;
        run->known[i] = true;
    }
    for (uint32_t i = 0; i < run->faults; i++) {
        pass_time(run, rng_below(&run->rng, 3) ? 300000 : 5 * MILLI);
        strike(run);
    }
    for (uint32_t p = 0; p < STAGES; p++) {
        for (uint32_t i = 0; i < TASKS_MAX; i++) {
            run->places[p][i].fail = false;
        }
    }
    for (int i = 0; i < 2000; i++) {
        bool any;

        pass_time(run, MILLI);
        any = mend(run);
        any = (run->has_moves && place_some(run, true)) || any;
        if (!any && i > 20) {
            break;
        }
    }
}

static bool has_ended(struct rig *rig)
{
    const struct run *run = rig->user;

    for (uint32_t i = 0; i < rig->executors; i++) {
        for (uint32_t l = 0; run->alive[i] && l < rig->lanes; l++) {
            if (lane_phase(rig_lane(rig, i, l)) < LANE_ENDED) {
                return false;
            }
        }
    }
    return true;
}

/* ---- the end ---- */

static struct lane *find_lane(struct run *run, const struct topology_lane *at)
{
    return rig_lane(&run->rig, at->executor - 1, at->lane);
}

static void check_account(struct run *run, const struct lane *from, const struct out_edge *e,
                          uint32_t dst)
{
    const struct topology_lane *me = &from->topology->lanes[from->index];
    const struct lane *to = find_lane(run, &from->topology->lanes[e->lane_of[dst]]);
    int back = topology_find_lane(to->topology, me->executor, me->lane);
    const struct inlink *link =
        back < 0 || !to->neighbours[back] ? NULL : to->neighbours[back]->inlinks[e->edge];
    uint32_t owed;

    if (e->stage->task_count == 0) {
        return; /* it never sent */
    }
    if (!link) {
        broke(run, "a lane does not know who sends to it", NULL, NULL);
        return;
    }
    owed = link->owed ? link->owed[link->stage->topology->local_of[dst]] : 0;
    if (e->credit[dst] + (int64_t)owed != from->neighbours[e->lane_of[dst]]->window_out) {
        run->broken = true;
        (void)snprintf(run->text, sizeof(run->text),
                       "edge %u to task %u: %d of credit and %u owed are not the window of %u",
                       e->edge, dst, e->credit[dst], owed,
                       from->neighbours[e->lane_of[dst]]->window_out);
    }
}

static void check_lane(struct run *run, const struct lane *lane)
{
    if (lane->pool.free_count != lane->pool.count || lane->held_batches != 0 || lane->retired) {
        broke(run, "batches are not at home", NULL, NULL);
    }
    if (!list_is_empty(&lane->large_out) || lane->large_bytes != 0 || lane->blocked_count != 0 ||
        !list_is_empty(&lane->runnable) || lane->thin_parcels != 0) {
        broke(run, "a lane still has something to do", NULL, NULL);
    }
    for (uint32_t p = 0; p < STAGES; p++) {
        const struct stage *s = lane->stages[p];

        for (uint32_t i = 0; s && i < s->task_count; i++) {
            if (s->tasks[i]->in_head || s->tasks[i]->state != TASK_CLOSED) {
                broke(run, "a task holds something", NULL, NULL);
            }
        }
        if (s && (s->large_reserved > 0 || counter_get(&s->running) > 0)) {
            broke(run, "a stage reserves room or counts running tasks", NULL, NULL);
        }
    }
    if (counter_get(&lane->stats.tasks_failed) != 0) {
        broke(run, "a lane counts failed tasks", NULL, NULL);
    }
    for (uint32_t e = 0; e < EDGES; e++) {
        const struct out_edge *edge = lane->out_edges[e];

        for (uint32_t dst = 0; edge && dst < edge->targets; dst++) {
            check_account(run, lane, edge, dst);
        }
    }
}

static void show(struct run *run)
{
    for (uint32_t i = 0; i < run->rig.executors; i++) {
        for (uint32_t l = 0; run->alive[i] && l < run->rig.lanes; l++) {
            const struct lane *lane = rig_lane(&run->rig, i, l);

            fprintf(stderr, "executor %u lane %u: phase %u gen %llu, %u of %u ended, %u blocked\n",
                    i + 1, l, lane_phase(lane), (unsigned long long)lane->generation,
                    lane->tasks_closed, lane->tasks_total, lane->blocked_count);
            for (uint32_t k = 0; k < lane->other_count; k++) {
                fprintf(stderr, "   to executor %u lane %u: %s%s\n",
                        lane->topology->lanes[lane->others[k]->index].executor,
                        lane->topology->lanes[lane->others[k]->index].lane,
                        lane->others[k]->ready ? "ready" : "not ready",
                        lane->others[k]->failed ? " failed" : "");
            }
            for (uint32_t p = 0; p < STAGES; p++) {
                const struct stage *s = lane->stages[p];

                if (!s) {
                    continue;
                }
                fprintf(stderr, "   p%u: %u/%u inlinks ended%s;", p, s->inlink_ended, s->inlink_max,
                        s->in_parked ? " parked" : "");
                for (uint32_t t = 0; t < s->task_count; t++) {
                    fprintf(stderr, " %u:%u%s%s", s->tasks[t]->api.index, s->tasks[t]->state,
                            s->tasks[t]->in_head ? "i" : "", s->tasks[t]->waiting ? "w" : "");
                }
                for (uint32_t k = 0; k < s->out_count; k++) {
                    fprintf(stderr, " e%u %u/%u ex", s->out_edges[k].edge,
                            s->out_edges[k].exhausted, s->out_edges[k].targets);
                }
                fprintf(stderr, "\n");
            }
        }
    }
}

static void check_end(struct rig *rig)
{
    struct run *run = rig->user;

    if (!has_ended(rig)) {
        broke(run, "it did not come to an end", NULL, NULL);
        show(run);
        return;
    }
    for (int round = 0; round < 3; round++) {
        for (uint32_t i = 0; i < rig->executors * rig->lanes; i++) {
            if (run->alive[i / rig->lanes]) {
                lane_wake(rig_lane(rig, i / rig->lanes, i % rig->lanes), SLEEP_DATA);
            }
        }
        (void)sim_run_for(rig->sim, 100 * MILLI, NULL);
    }
    for (uint32_t i = 0; i < rig->executors; i++) {
        for (uint32_t l = 0; run->alive[i] && l < rig->lanes; l++) {
            check_lane(run, rig_lane(rig, i, l));
        }
    }
}

static void check_counts(struct run *run)
{
    uint64_t sent = 0;
    uint64_t received = 0;
    uint64_t lost = counter_get(&run->rig.seen.rows_lost);

    for (uint32_t e = 0; e < EDGES; e++) {
        sent += run->sent[e];
        received += run->received[e];
    }
    if (counter_get(&run->rig.seen.overdrawn) > 0) {
        broke(run, "somebody sent more than its credit", NULL, NULL);
    }
    if (run->killed == 0 ? sent != received + lost : sent < received) {
        broke(run, "rows are missing", NULL, NULL);
        fprintf(stderr, "sent %llu, received %llu, lost %llu, in doubt %llu\n",
                (unsigned long long)sent, (unsigned long long)received, (unsigned long long)lost,
                (unsigned long long)counter_get(&run->rig.seen.rows_in_doubt));
    }
}

/* ---- the job ---- */

static void draw(struct run *run)
{
    static const uint32_t windows[] = {200, 1000, 8192, 1u << 20};
    static const uint32_t sizes[] = {1, 2, 3, 5, 12};
    struct rig *rig = &run->rig;
    uint32_t counts[STAGES];

    rng_init(&run->rng, run->seed);
    rig_begin(rig);
    rig->user = run;
    rig->executors = 2 + (uint32_t)rng_below(&run->rng, 3);
    rig->lanes = 1 + (uint32_t)rng_below(&run->rng, 2);
    rig->same_host = rng_below(&run->rng, 2) == 0;
    rig->options.batch_bytes = rng_below(&run->rng, 2) ? 4096 : BATCH_FRAME_SIZE;
    rig->options.window_max_bytes = windows[rng_below(&run->rng, 4)];
    rig->options.window_min_bytes = 200;
    rig->options.large_budget_bytes = rng_below(&run->rng, 2) ? 65536 : 1u << 20;
    run->large_every = rng_below(&run->rng, 2) ? 0 : 20;
    run->rows = 200 + rng_below(&run->rng, 2000);
    run->faults = 1 + (uint32_t)rng_below(&run->rng, FAULTS_MAX);
    for (uint32_t p = 0; p < STAGES; p++) {
        static const char *const names[] = {"source", "mid", "sink"};

        counts[p] = sizes[rng_below(&run->rng, 5)];
        (void)rig_add(rig, &(struct rig_processor){.name = names[p],
                                                   .table = p == 0 ? &source : &sink,
                                                   .parallelism = counts[p],
                                                   .user = run});
    }
    rig_connect(rig, 0, 1, (uint32_t)rng_below(&run->rng, PLAN_BROADCAST + 1u));
    rig_connect(rig, 1, 2, (uint32_t)rng_below(&run->rng, PLAN_BROADCAST + 1u));
    rig_connect(rig, 0, 2, rng_below(&run->rng, 2) ? PLAN_LOCAL : PLAN_HASH);
    rig->edges[2].to_port = 1;
    rig->disturb = disturb;
    rig->until = has_ended;
    rig->before_stop = check_end;
    rig->on_failed = on_failed;
    rig->on_moved = on_moved;
    rig->patience_ns = INT64_C(200000000000);
    run->generation = 1;
}

/* The placement as the rig makes it, task by task. Called by the first one who needs it. */
static void learn_places(struct run *run)
{
    const struct placement *placement = &run->rig.placement;

    for (uint32_t r = 0; r < placement->count; r++) {
        const struct placement_range *range = &placement->ranges[r];

        for (uint32_t i = range->first; i < range->first + range->count; i++) {
            struct place *p = &run->places[range->processor][i];

            p->executor = range->executor - 1;
            p->lane = range->lane;
            p->session = range->session;
            p->since = range->session;
        }
    }
}

static void disturb_known(struct rig *rig, void *world)
{
    learn_places(rig->user);
    disturb(rig, world);
}

static void free_selves(struct run *run)
{
    while (run->selves) {
        struct self *next = run->selves->next;

        free(run->selves->value);
        free(run->selves);
        run->selves = next;
    }
}

static void free_states(struct run *run)
{
    for (uint32_t k = 0; k < STAGES * TASKS_MAX; k++) {
        free(run->places[k / TASKS_MAX][k % TASKS_MAX].state);
    }
}

static uint64_t from_env(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);

    return text ? strtoull(text, NULL, 10) : fallback;
}

struct happened {
    uint64_t killed;
    uint64_t cut;
    uint64_t failures;
    uint64_t restarted;
    uint64_t lost;
    uint64_t stale;
    uint64_t doubt;
    uint64_t moved;
    uint64_t resumed;
    uint64_t refused;
    uint64_t cancelled;
    uint64_t bereaved;
    uint64_t adopted;
};

enum {
    CUTS = 1,
    FAILS = 2,
    KILLS = 4,
    MOVES = 8,
};

static void attack(const char *claim, uint64_t seeds, uint32_t what, struct happened *h)
{
    struct run *run = malloc(sizeof(*run));
    uint64_t first = from_env("GP_TRIAL_FIRST", 1);
    uint32_t failed = 0;

    seeds = from_env("GP_TRIAL_SEEDS", seeds);
    for (uint64_t seed = first; seed < first + seeds && failed < 3; seed++) {
        memset(run, 0, sizeof(*run));
        run->seed = seed;
        run->cuts = what & CUTS;
        run->fails = what & FAILS;
        run->kills = what & KILLS;
        run->has_moves = what & MOVES;
        draw(run);
        run->rig.disturb = disturb_known;
        (void)rig_run_simulated(&run->rig, seed);
        if (!run->broken) {
            check_counts(run);
        }
        free_selves(run);
        free_states(run);
        h->moved += run->moved;
        h->resumed += run->resumed;
        h->refused += run->refused;
        h->cancelled += run->cancelled;
        h->bereaved += run->bereaved;
        h->adopted += run->adopted;
        h->killed += run->killed;
        h->cut += run->cut;
        h->failures += run->failures;
        h->restarted += run->restarted;
        h->lost += counter_get(&run->rig.seen.rows_lost);
        h->stale += counter_get(&run->rig.seen.stale_rows);
        h->doubt += counter_get(&run->rig.seen.rows_in_doubt);
        if (run->broken) {
            failed++;
            fprintf(stderr,
                    "seed %llu: %s\n  to repeat: GP_TRIAL_FIRST=%llu GP_TRIAL_SEEDS=1 "
                    "test_data_attack_faults --filter 'attack_faults/%s'\n",
                    (unsigned long long)seed, run->text, (unsigned long long)seed, claim);
        }
    }
    GP_CHECK_EQ(failed, 0);
    if (getenv("RIG_VERBOSE")) {
        fprintf(stderr,
                "%llu killed, %llu cut, %llu failed, %llu restarted; rows: %llu lost, %llu "
                "of them stale, %llu in doubt\n",
                (unsigned long long)h->killed, (unsigned long long)h->cut,
                (unsigned long long)h->failures, (unsigned long long)h->restarted,
                (unsigned long long)h->lost, (unsigned long long)h->stale,
                (unsigned long long)h->doubt);
        fprintf(stderr,
                "moves: %llu placed, %llu resumed, %llu refused, %llu cancelled, %llu "
                "states died, %llu adopted\n",
                (unsigned long long)h->moved, (unsigned long long)h->resumed,
                (unsigned long long)h->refused, (unsigned long long)h->cancelled,
                (unsigned long long)h->bereaved, (unsigned long long)h->adopted);
    }
    free(run);
}

static bool is_whole(uint64_t seeds)
{
    return from_env("GP_TRIAL_SEEDS", seeds) >= seeds;
}

GP_TEST(attack_faults, tasks_are_restarted)
{
    struct happened h = {0};

    attack("tasks_are_restarted", 100, FAILS, &h);
    GP_CHECK(!is_whole(100) || (h.failures > 0 && h.restarted > 0 && h.lost > 0 && h.stale > 0));
}

GP_TEST(attack_faults, links_are_cut)
{
    struct happened h = {0};

    attack("links_are_cut", 100, CUTS | FAILS, &h);
    GP_CHECK(!is_whole(100) || (h.cut > 0 && h.failures > 0 && h.lost > 0));
}

GP_TEST(attack_faults, executors_die)
{
    struct happened h = {0};

    attack("executors_die", 100, CUTS | FAILS | KILLS, &h);
    GP_CHECK(!is_whole(100) || (h.killed > 0 && h.cut > 0 && h.doubt > 0));
}

GP_TEST(attack_faults, tasks_move_and_fail)
{
    struct happened h = {0};

    attack("tasks_move_and_fail", 100, FAILS | MOVES, &h);
    GP_CHECK(!is_whole(100) || (h.resumed > 0 && h.refused > 0 && h.cancelled > 0));
}

GP_TEST(attack_faults, tasks_move_over_links_that_are_cut)
{
    struct happened h = {0};

    attack("tasks_move_over_links_that_are_cut", 100, CUTS | MOVES, &h);
    GP_CHECK(!is_whole(100) || (h.cut > 0 && h.resumed > 0 && h.lost > 0));
}

GP_TEST(attack_faults, tasks_move_among_executors_that_die)
{
    struct happened h = {0};

    attack("tasks_move_among_executors_that_die", 100, CUTS | FAILS | KILLS | MOVES, &h);
    GP_CHECK(!is_whole(100) || (h.killed > 0 && h.resumed > 0 && h.bereaved > 0 && h.adopted > 0));
}
