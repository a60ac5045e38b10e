/*
 * fault_plan.c: see fault_plan.h. Draws what happens and when, and looks after the daemons; what a
 * fault does stands in fault_strike.c.
 */
#include "sim/fault_plan.h"

#include "base/assert.h"
#include "base/str.h"
#include "sim/fault_strike.h"

#define MS_NS        INT64_C(1000000)
#define LASTS_MIN_NS (1 * MS_NS)
#define WATCH_NS     (500 * MS_NS) /* between two looks after the daemons */

static const char *const names[] = {
#define FAULT_NAME(name, group, weight) #name,
    FAULT_KINDS(FAULT_NAME)
#undef FAULT_NAME
};

static const char *const groups[] = {
#define FAULT_GROUP(name, group, weight) #group,
    FAULT_KINDS(FAULT_GROUP)
#undef FAULT_GROUP
};

static const uint32_t weights[] = {
#define FAULT_WEIGHT(name, group, weight) weight,
    FAULT_KINDS(FAULT_WEIGHT)
#undef FAULT_WEIGHT
};

const char *fault_name(enum fault_kind kind)
{
    return names[kind];
}

uint32_t fault_kinds_named(gp_str name)
{
    uint32_t kinds = 0;

    for (uint32_t i = 0; i < FAULT_KIND_COUNT; i++) {
        if (str_eq(name, GP_STR("all")) || str_eq(name, gp_str_of(names[i])) ||
            str_eq(name, gp_str_of(groups[i]))) {
            kinds |= 1u << i;
        }
    }
    return kinds;
}

/* ---- looking after the daemons ---- */

/* Whether a fault that is not over keeps this host's daemons down: they come back later. */
static bool is_held_down(const struct fault_plan *plan, const struct sim_host *host, bool is_master)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct fault *f = &plan->faults[i];
        bool is_death = f->kind == FAULT_worker_killed || f->kind == FAULT_leader_killed ||
                        f->kind == FAULT_power_cut;
        bool is_hit =
            (is_death && f->host == host) || (f->kind == FAULT_masters_killed && is_master);

        if (f->has_struck && !f->is_over && is_hit) {
            return true;
        }
    }
    return false;
}

static void start_again(struct fault_plan *plan, struct cluster *c, bool is_end)
{
    for (uint32_t i = 0; i < c->master_count; i++) {
        if (!cluster_is_up(&c->masters[i]) &&
            (is_end || !is_held_down(plan, c->masters[i].host, true))) {
            cluster_start_master(c, i);
            fault_tell(plan, NULL, "master %u started again", i + 1);
        }
    }
    for (uint32_t i = 0; i < c->worker_count; i++) {
        if (!cluster_is_up(&c->workers[i]) &&
            (is_end || !is_held_down(plan, c->workers[i].host, false))) {
            cluster_start_worker(c, i);
            fault_tell(plan, NULL, "worker w%u started again", i + 1);
        }
    }
}

/* ---- the plan ---- */

static enum fault_kind draw_kind(uint32_t kinds, struct rng *rng)
{
    uint32_t sum = 0;
    uint64_t at;

    for (uint32_t i = 0; i < FAULT_KIND_COUNT; i++) {
        sum += (kinds >> i & 1) != 0 ? weights[i] : 0;
    }
    at = rng_below(rng, sum);
    for (uint32_t i = 0; i < FAULT_KIND_COUNT; i++) {
        uint32_t weight = (kinds >> i & 1) != 0 ? weights[i] : 0;

        if (at < weight) {
            return (enum fault_kind)i;
        }
        at -= weight;
    }
    UNREACHABLE();
}

/* Short ones as likely as long ones. */
static int64_t draw_lasting(int64_t max_ns, struct rng *rng)
{
    return LASTS_MIN_NS + (int64_t)rng_below(rng, (uint64_t)max_ns >> rng_below(rng, 8));
}

void fault_plan_draw(struct fault_plan *plan, const struct fault_plan_options *options,
                     const struct cluster *c, struct rng *rng)
{
    ASSERT(options->count <= FAULTS_MAX && options->span_ns > 0);
    ASSERT(options->lasts_max_ns >= LASTS_MIN_NS);
    *plan = (struct fault_plan){.options = *options, .begin_ns = sim_now_ns(c->sim)};
    plan->count = options->kinds != 0 ? options->count : 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        plan->faults[i] = (struct fault){
            .kind = draw_kind(options->kinds, rng),
            .at_ns = (int64_t)rng_below(rng, (uint64_t)options->span_ns),
            .lasts_ns = draw_lasting(options->lasts_max_ns, rng),
            .choice = rng_u64(rng),
        };
    }
    plan->watch_ns = plan->begin_ns + WATCH_NS;
}

static void step_fault(struct fault_plan *plan, struct cluster *c, struct fault *f, int64_t now_ns)
{
    if (!f->has_struck && now_ns >= plan->begin_ns + f->at_ns) {
        f->has_struck = true;
        f->struck_ns = now_ns;
        f->is_over = !fault_strike(plan, c, f);
        plan->struck[f->kind] += !f->is_over;
    }
    if (f->has_struck && !f->is_over && now_ns >= f->struck_ns + f->lasts_ns) {
        f->is_over = true;
        fault_heal(plan, c, f);
    }
}

static int64_t next_of(const struct fault_plan *plan, const struct fault *f)
{
    return f->is_over      ? INT64_MAX
           : f->has_struck ? f->struck_ns + f->lasts_ns
                           : plan->begin_ns + f->at_ns;
}

void fault_plan_step(struct fault_plan *plan, struct cluster *c)
{
    int64_t now_ns = sim_now_ns(c->sim);

    if (now_ns < plan->next_ns) {
        return;
    }
    plan->next_ns = INT64_MAX;
    for (uint32_t i = 0; i < plan->count; i++) {
        step_fault(plan, c, &plan->faults[i], now_ns);
        if (next_of(plan, &plan->faults[i]) < plan->next_ns) {
            plan->next_ns = next_of(plan, &plan->faults[i]);
        }
    }
    if (now_ns >= plan->watch_ns) {
        start_again(plan, c, false);
        plan->watch_ns = now_ns + WATCH_NS;
    }
    if (plan->watch_ns < plan->next_ns) {
        plan->next_ns = plan->watch_ns;
    }
}

bool fault_plan_is_over(const struct fault_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        if (!plan->faults[i].is_over) {
            return false;
        }
    }
    return true;
}

void fault_plan_end(struct fault_plan *plan, struct cluster *c)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        struct fault *f = &plan->faults[i];

        if (f->has_struck && !f->is_over) {
            fault_heal(plan, c, f);
        }
        f->has_struck = true;
        f->is_over = true;
    }
    sim_calm(c->sim);
    start_again(plan, c, true);
}
