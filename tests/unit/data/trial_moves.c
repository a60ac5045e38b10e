/*
 * trial_moves.c: an appmaster that has nothing in mind but moving tasks: to random lanes, also of
 * an executor that comes later, some of them in the middle of their end, and now and then it
 * changes its mind. Nothing that the trial checks may notice.
 */
#include <stdlib.h>

#include "base/rng.h"
#include "gp_test.h"
#include "sim/sim.h"
#include "trial.h"

#define TASKS_MAX  64u
#define STEPS_MAX  12u
#define MOVES_MAX  8u
#define STATES_MAX (RIG_PROCESSORS_MAX * TASKS_MAX)
#define MILLI      INT64_C(1000000)

enum status {
    STAYS,
    LEAVES,
    LEFT,
    LEFT_LATE, /* when nobody expected it any more: it comes back, to what waits for it there */
    REFUSED,
};

struct place {
    uint32_t executor;
    uint32_t lane;
    uint64_t session;
    uint64_t since;
    enum status status;
    uint8_t *state;
    size_t state_len;
};

struct mover {
    struct trial *trial;
    struct rng rng;
    uint64_t generation;
    uint32_t updated_due;
    struct place places[RIG_PROCESSORS_MAX][TASKS_MAX];
    struct placement_range ranges[STATES_MAX];
    struct lane_state states[STATES_MAX];
    uint32_t state_count;
};

/* Called for as long as the rig lives, so it hangs on the trial only while disturb() runs. */
static void on_moved(struct rig *rig, const struct lane_moved *m)
{
    struct trial *t = rig->user;
    struct mover *mover = rig->mover;
    struct place *p;

    if (!mover) {
        return;
    }
    p = &mover->places[m->processor][m->task];
    if (m->session != p->session) {
        trial_broke(t, "p%u task %u answers for another session", m->processor, m->task);
        return;
    }
    if (m->what == MSG_MOVED_RESUMED) {
        t->moved.resumed++;
        return;
    }
    if (m->what == MSG_MOVED_REFUSED) {
        p->status = p->status == LEAVES ? REFUSED : p->status;
        return;
    }
    p->status = p->status == LEAVES ? LEFT : LEFT_LATE;
    free(p->state);
    p->state_len = buf_len(&m->state);
    p->state = malloc(p->state_len);
    memcpy(p->state, buf_bytes(&m->state).ptr, p->state_len);
    t->moved.ended += m->ended;
}

static void learn(struct mover *m)
{
    const struct placement *placement = &m->trial->rig.placement;

    for (uint32_t i = 0; i < placement->count; i++) {
        const struct placement_range *r = &placement->ranges[i];

        for (uint32_t k = r->first; k < r->first + r->count; k++) {
            m->places[r->processor][k] = (struct place){.executor = r->executor,
                                                        .lane = r->lane,
                                                        .session = r->session,
                                                        .since = r->session};
        }
    }
}

/* The rig's own placement becomes that of the mover, task by task. */
static void write_placement(struct mover *m)
{
    struct rig *rig = &m->trial->rig;
    uint32_t count = 0;

    for (uint32_t p = 0; p < rig->processor_count; p++) {
        for (uint32_t i = 0; i < rig->processors[p].parallelism; i++) {
            const struct place *at = &m->places[p][i];

            m->ranges[count++] = (struct placement_range){.processor = p,
                                                          .first = i,
                                                          .count = 1,
                                                          .executor = at->executor,
                                                          .lane = at->lane,
                                                          .session = at->session,
                                                          .since = at->since,
                                                          .leaving = at->status == LEAVES};
        }
    }
    free(rig->placement.ranges);
    rig->placement.ranges = malloc(count * sizeof(m->ranges[0]));
    memcpy(rig->placement.ranges, m->ranges, count * sizeof(m->ranges[0]));
    rig->placement.count = count;
}

static void pass(struct mover *m, int64_t ns)
{
    GP_CHECK(sim_run_for(m->trial->rig.sim, ns, NULL) >= 0);
}

static void update(struct mover *m)
{
    struct rig *rig = &m->trial->rig;
    struct engine_job job;

    write_placement(m);
    m->generation++;
    rig->moves = m->generation;
    job = rig_job(rig, m->generation);
    job.states = m->states;
    job.state_count = m->state_count;
    for (uint32_t i = 0; i < rig->executors; i++) {
        struct gp_error err = {0};

        if (engine_update(rig->engines[i], &job, &err) < 0) {
            trial_broke(m->trial, "an update was refused: %s", err.text);
        }
        m->updated_due++;
        if (rng_below(&m->rng, 3) == 0) {
            pass(m, (int64_t)rng_below(&m->rng, 300000)); /* others take it later */
        }
    }
    m->state_count = 0;
}

static void wait_updated(struct mover *m)
{
    for (int i = 0; i < 20000 && m->trial->rig.updated < m->updated_due; i++) {
        pass(m, MILLI / 10);
    }
    if (m->trial->rig.updated < m->updated_due) {
        trial_broke(m->trial, "an update was not taken");
    }
}

static uint32_t count_status(const struct mover *m, enum status status)
{
    uint32_t count = 0;

    for (uint32_t p = 0; p < m->trial->rig.processor_count; p++) {
        for (uint32_t i = 0; i < m->trial->rig.processors[p].parallelism; i++) {
            count += m->places[p][i].status == status;
        }
    }
    return count;
}

static void ask_some(struct mover *m)
{
    const struct rig *rig = &m->trial->rig;
    uint32_t count = 1 + (uint32_t)rng_below(&m->rng, MOVES_MAX);

    for (uint32_t i = 0; i < count; i++) {
        uint32_t p = (uint32_t)rng_below(&m->rng, rig->processor_count);
        struct place *at = &m->places[p][rng_below(&m->rng, rig->processors[p].parallelism)];

        if (at->status == STAYS) {
            at->status = LEAVES;
            m->trial->moved.asked++;
        }
    }
    update(m);
}

/* Those that left come somewhere; the others stay. */
static void place_all(struct mover *m)
{
    const struct rig *rig = &m->trial->rig;

    for (uint32_t p = 0; p < rig->processor_count; p++) {
        for (uint32_t i = 0; i < rig->processors[p].parallelism; i++) {
            struct place *at = &m->places[p][i];
            bool stays = at->status == LEFT_LATE || rng_below(&m->rng, 6) == 0;

            if (at->status == LEAVES) {
                m->trial->moved.cancelled++;
            }
            if (at->status != LEFT && at->status != LEFT_LATE) {
                at->status = STAYS;
                continue;
            }
            at->status = STAYS;
            at->session++;
            m->trial->moved.moved++;
            m->trial->moved.came_back += stays;
            if (!stays) {
                at->executor = 1 + (uint32_t)rng_below(&m->rng, rig->executors);
                at->lane = (uint32_t)rng_below(&m->rng, rig->lanes);
            }
            m->states[m->state_count++] =
                (struct lane_state){.processor = p,
                                    .task = i,
                                    .moved = true,
                                    .bytes = gp_bytes_of(at->state, at->state_len)};
        }
    }
    update(m);
}

static void step(struct mover *m)
{
    bool hasty = rng_below(&m->rng, 4) == 0;

    ask_some(m);
    if (!hasty) {
        wait_updated(m);
    }
    for (int i = 0; i < (hasty ? 3 : 300) && count_status(m, LEAVES) > 0; i++) {
        pass(m, MILLI / 10);
    }
    wait_updated(m);
    place_all(m);
    wait_updated(m);
    /* Who answered after the appmaster had changed its mind. */
    pass(m, MILLI);
    while (count_status(m, LEFT_LATE) > 0 && !m->trial->broken) {
        place_all(m);
        wait_updated(m);
        pass(m, MILLI);
    }
}

static void add_executor(struct mover *m)
{
    struct rig *rig = &m->trial->rig;
    uint32_t ready = rig->ready;
    uint32_t opened = rig->opened;
    uint32_t fresh = rig_add_executor(rig);
    struct gp_error err = {0};
    struct engine_job job;

    for (int i = 0; i < 10000 && rig->ready == ready; i++) {
        pass(m, MILLI / 10);
    }
    rig_announce(rig, fresh);
    write_placement(m);
    m->generation++;
    job = rig_job(rig, m->generation);
    GP_REQUIRE_EQ(engine_assign(rig->engines[fresh], &job, &err), 0);
    for (int i = 0; i < 10000 && rig->opened == opened; i++) {
        pass(m, MILLI / 10);
    }
    engine_start(rig->engines[fresh]);
    pass(m, MILLI);
}

void trial_disturb(struct rig *rig, void *world)
{
    struct mover *m = calloc(1, sizeof(*m));
    struct trial *t = rig->user;
    uint32_t steps;

    (void)world;
    m->trial = t;
    m->generation = 1;
    rng_init(&m->rng, t->seed + 77);
    steps = 1 + (uint32_t)rng_below(&m->rng, STEPS_MAX);
    learn(m);
    rig->mover = m;
    rig->on_moved = on_moved;
    for (uint32_t i = 0; i < steps && !t->broken && rig->failed == 0; i++) {
        pass(m, (int64_t)rng_below(&m->rng, rng_below(&m->rng, 2) ? 100000 : 3 * MILLI));
        if (rng_below(&m->rng, 8) == 0 && rig->executors < 5) {
            add_executor(m);
        }
        step(m);
    }
    rig->mover = NULL;
    for (uint32_t p = 0; p < RIG_PROCESSORS_MAX; p++) {
        for (uint32_t i = 0; i < TASKS_MAX; i++) {
            free(m->places[p][i].state);
        }
    }
    free(m);
}
