/*
 * attack_faults.c: what happens to an attacked job, and what an appmaster would do about it: tasks
 * and executors get their next session, and those that are asked to leave come somewhere else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attack.h"
#include "gp_test.h"

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
    run->happened[BEREAVED] += p->status == ARRIVES;
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
    run->happened[RESTARTED]++;
    update_all(run, UINT32_MAX);
}

void attack_on_failed(struct rig *rig, const struct lane_failure *failure)
{
    struct run *run = rig->user;
    struct place *p = &run->places[failure->processor][failure->task];

    if (p->session == failure->session) {
        p->failed = true;
        run->happened[FAILED]++;
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
        run->happened[CUT] += sim_reset(run->rig.procs[a], run->rig.procs[b]);
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

void attack_on_moved(struct rig *rig, const struct lane_moved *m)
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
        run->happened[REFUSED]++;
        if (p->status == LEAVES && m->moves >= p->asked) {
            set_status(run, p, STAYS);
        }
        break;
    default:
        run->happened[RESUMED]++;
        set_status(run, p, STAYS);
        break;
    }
}

/* What has left is placed where it now stands. */
static void arrive(struct run *run, struct place *p)
{
    p->session++;
    set_status(run, p, ARRIVES);
    run->happened[MOVED]++;
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
            run->happened[CANCELLED]++;
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
                run->happened[ADOPTED]++;
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
    run->is_opening = true;
    GP_REQUIRE_EQ(engine_assign(rig->engines[fresh], &w->job, &err), 0);
    wait_for(run, &rig->opened, opened + 1);
    run->is_opening = false;
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
    run->happened[KILLED]++;
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

void attack_disturb(struct rig *rig, void *world)
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
