/*
 * Groups under everything that can go wrong, from seeds: GP_RAFT_SEEDS says how many (default 300),
 * GP_RAFT_SEED runs one alone and GP_RAFT_LOG=1 shows what its members say.
 *
 * A run has a time of faults, then everything is healed and the group must come to agreement, with
 * all that was acknowledged. Over all seeds, each kind of fault and of recovery must have happened.
 */
#include "crew.h"
#include "gp_test.h"

#define SEEDS_DEFAULT 300

/* What each seed is about; without the times of change most runs would see everything at once and
 * nothing for long. */
enum theme {
    THEME_ALL,
    THEME_KILLS,
    THEME_NET,
    THEME_DISKS,
    THEME_MEMBERS,
    THEME_CALM,
    THEMES,
};

struct plan {
    struct crew *crew;
    enum theme theme;
    uint32_t founders;
    bool is_full[CREW_MAX];
    bool is_paused[CREW_MAX];
    bool has_joined[CREW_MAX]; /* was formed or added */
    bool is_changing;
    uint32_t adding; /* CREW_MAX: none */
    uint64_t next_id;
};

static bool one_in(struct crew *crew, uint64_t n)
{
    return rng_below(&crew->rng, n) == 0;
}

static uint32_t anyone(struct crew *crew)
{
    return (uint32_t)rng_below(&crew->rng, crew->count);
}

/* ---- acts ---- */

static void act_propose(struct plan *plan)
{
    struct crew *crew = plan->crew;
    struct crew_member *leader = crew_leader(crew);
    const uint32_t to = leader == NULL || one_in(crew, 8) ? anyone(crew) : leader->number;
    const uint64_t kind = rng_below(&crew->rng, 40);
    const size_t len = kind == 0 ? 400000 : kind < 4 ? 20000 : 8 + rng_below(&crew->rng, 200);

    for (uint64_t i = 0, n = 1 + rng_below(&crew->rng, 4); i < n; i++) {
        (void)crew_propose(crew, to, len);
    }
}

/* With reason or without. */
static void act_doubt(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->crew->count; i++) {
        if (one_in(plan->crew, 2)) {
            crew_doubt(plan->crew, i);
        }
    }
}

static void act_kill(struct plan *plan)
{
    struct crew *crew = plan->crew;
    struct crew_member *m = &crew->members[anyone(crew)];

    if (m->c == NULL) {
        act_doubt(plan);
        return;
    }
    if (one_in(crew, 2)) {
        crew->counts.kills++;
        crew_kill(crew, m->number);
    } else {
        crew->counts.power++;
        (void)sim_crash(m->host);
    }
    act_doubt(plan);
    plan->is_paused[m->number] = false;
}

static void act_restart(struct plan *plan)
{
    struct crew *crew = plan->crew;
    const uint32_t i = anyone(crew);

    if (crew->members[i].c == NULL && plan->has_joined[i] && !crew->members[i].is_retired) {
        crew->counts.restarts += crew_start(crew, i);
    }
}

static void act_pause(struct plan *plan)
{
    struct crew *crew = plan->crew;
    struct crew_member *m = &crew->members[anyone(crew)];

    if (m->c == NULL) {
        return;
    }
    if (plan->is_paused[m->number]) {
        sim_resume(m->proc);
    } else {
        crew->counts.pauses++;
        sim_pause(m->proc);
    }
    plan->is_paused[m->number] = !plan->is_paused[m->number];
}

static void act_net(struct plan *plan)
{
    struct crew *crew = plan->crew;
    const uint32_t a = anyone(crew);

    switch (rng_below(&crew->rng, 4)) {
    case 0:
        crew->counts.partitions++;
        for (uint32_t b = 0; b < crew->count; b++) {
            if (b != a && one_in(crew, 2)) {
                crew_cut(crew, a, b);
                crew_cut(crew, b, a);
            }
        }
        break;
    case 1:
        crew->counts.oneway++;
        for (uint32_t b = 0; b < crew->count; b++) {
            if (b != a) {
                crew_cut(crew, a, b);
            }
        }
        break;
    case 2:
        crew->carrier = (struct crew_carrier){.lost = rng_double(&crew->rng) / 3,
                                              .doubled = rng_double(&crew->rng) / 3,
                                              .late = rng_double(&crew->rng) / 3};
        break;
    default:
        crew_heal(crew);
        crew->carrier = (struct crew_carrier){0};
        break;
    }
}

static void act_disk(struct plan *plan)
{
    struct crew *crew = plan->crew;
    const uint32_t i = anyone(crew);
    struct sim_host *host = crew->members[i].host;

    switch (rng_below(&crew->rng, 4)) {
    case 0:
        crew->counts.full++;
        sim_disk_fill(host, true);
        break;
    case 1:
        crew->counts.broken++;
        sim_disk_break(host, true);
        break;
    case 2:
        crew->counts.slow++;
        sim_disk_slow(host, 30);
        break;
    default:
        sim_disk_fill(host, false);
        sim_disk_break(host, false);
        sim_disk_slow(host, 1);
        break;
    }
}

static void act_memory(struct plan *plan)
{
    struct crew *crew = plan->crew;

    crew_famine(crew, true);
    act_propose(plan);
    crew_run(crew, rng_between(&crew->rng, 1, 300) * MS);
    crew_famine(crew, false);
}

static void on_transferred(void *user, int code)
{
    struct plan *plan = user;

    plan->crew->counts.transfers += code == 0;
}

static void act_transfer(struct plan *plan)
{
    struct crew_member *leader = crew_leader(plan->crew);

    if (leader != NULL) {
        (void)consensus_transfer(leader->c, 0, on_transferred, plan);
    }
}

static void on_barrier(void *user, int code)
{
    struct plan *plan = user;

    plan->crew->counts.barriers += code == 0;
}

static void act_barrier(struct plan *plan)
{
    struct crew_member *leader = crew_leader(plan->crew);

    if (leader != NULL) {
        (void)consensus_barrier(leader->c, on_barrier, plan);
    }
}

/* ---- members ---- */

static void on_added(void *user, int code)
{
    struct plan *plan = user;

    plan->is_changing = false;
    plan->crew->counts.added += code == 0;
}

static void on_removed(void *user, int code)
{
    struct plan *plan = user;

    plan->is_changing = false;
    plan->crew->counts.removed += code == 0;
}

static bool is_listed(struct crew *crew, uint64_t id, bool *ret_votes)
{
    struct consensus_member list[CONSENSUS_MEMBERS_MAX];
    struct crew_member *leader = crew_leader(crew);
    const uint32_t n = leader == NULL ? 0 : consensus_members(leader->c, list);

    *ret_votes = false;
    for (uint32_t i = 0; i < n; i++) {
        if (list[i].id == id) {
            *ret_votes = list[i].votes;
            return true;
        }
    }
    return false;
}

/* One that has not joined yet does, as what its disk says it is. */
static bool join(struct plan *plan, struct crew_member *m)
{
    if (plan->has_joined[m->number]) {
        return true;
    }
    if (m->c == NULL && !crew_start(plan->crew, m->number)) {
        return false;
    }
    if (consensus_join(m->c, "g", m->id, m->address, NULL) < 0) {
        return false;
    }
    plan->has_joined[m->number] = true;
    return true;
}

static void act_member(struct plan *plan)
{
    struct crew *crew = plan->crew;
    struct crew_member *leader = crew_leader(crew);
    struct crew_member *m = &crew->members[anyone(crew)];
    bool votes;
    int rc;

    if (leader == NULL || plan->is_changing || m->is_retired) {
        return;
    }
    if (is_listed(crew, m->id, &votes) && votes) {
        rc = crew_voters(crew) <= 2 ? -1 : consensus_remove(leader->c, m->id, on_removed, plan);
    } else {
        rc = !join(plan, m) || (leader = crew_leader(crew)) == NULL
                 ? -1
                 : consensus_add(leader->c, m->id, m->address, on_added, plan);
    }
    plan->is_changing = rc == 0;
}

/* ---- a run ---- */

static void act(struct plan *plan)
{
    static void (*const acts[THEMES][10])(struct plan * plan) = {
        [THEME_ALL] = {act_kill, act_restart, act_restart, act_pause, act_net, act_net, act_disk,
                       act_transfer, act_member, act_barrier},
        [THEME_KILLS] = {act_kill, act_memory, act_restart, act_restart, act_restart, act_pause,
                         act_pause, act_transfer, act_kill, act_barrier},
        [THEME_NET] = {act_net, act_net, act_net, act_net, act_net, act_net, act_kill, act_restart,
                       act_restart, act_transfer},
        [THEME_DISKS] = {act_disk, act_disk, act_disk, act_memory, act_kill, act_restart,
                         act_restart, act_disk, act_disk, act_transfer},
        [THEME_MEMBERS] = {act_member, act_member, act_member, act_member, act_kill, act_restart,
                           act_restart, act_net, act_transfer, act_member},
        [THEME_CALM] = {act_barrier, act_barrier, act_barrier, act_barrier, act_barrier,
                        act_barrier, act_barrier, act_barrier, act_transfer, act_member},
    };

    if (one_in(plan->crew, 3)) {
        acts[plan->theme][rng_below(&plan->crew->rng, 10)](plan);
    } else {
        act_propose(plan);
    }
}

static void heal(struct plan *plan)
{
    struct crew *crew = plan->crew;

    crew_heal(crew);
    crew->carrier = (struct crew_carrier){0};
    sim_calm(crew->sim);
    for (uint32_t i = 0; i < crew->count; i++) {
        struct crew_member *m = &crew->members[i];

        sim_disk_fill(m->host, false);
        sim_disk_break(m->host, false);
        sim_disk_slow(m->host, 1);
        if (m->c == NULL && plan->has_joined[i] && !m->is_retired && !crew_start(crew, i)) {
            crew_break(crew, "a member cannot be started again", i);
        }
    }
}

static void begin(struct plan *plan, struct crew *crew, uint64_t seed)
{
    crew_init(crew, seed, 3 + (uint32_t)(seed / THEMES % 3));
    *plan = (struct plan){.crew = crew, .theme = (enum theme)(seed % THEMES)};
    plan->founders = 1 + (uint32_t)rng_below(&crew->rng, crew->count);
    if (plan->theme != THEME_MEMBERS && plan->theme != THEME_ALL && plan->theme != THEME_CALM) {
        plan->founders = crew->count;
    }
    crew->options.snapshot_threshold = (uint32_t)rng_between(&crew->rng, 5, 100);
    crew->options.snapshot_trailing = (uint32_t)rng_between(&crew->rng, 1, 50);
    crew->options.election_timeout_ns = rng_between(&crew->rng, 100, 400) * MS;
    crew->options.snapshot_timeout_ns = rng_between(&crew->rng, 500, 3000) * MS;
    for (uint32_t i = 0; i < crew->count; i++) {
        crew->members[i].padding = one_in(crew, 3) ? 700000 : 0;
    }
    for (uint32_t i = 0; i < plan->founders; i++) {
        plan->has_joined[i] = true;
    }
    crew_form(crew, plan->founders);
}

/* Whether no rule was broken. */
static bool run(uint64_t seed, struct crew_counts *sums, uint64_t events[2])
{
    struct crew crew;
    struct plan plan;
    const char *rule;

    begin(&plan, &crew, seed);
    for (uint32_t i = 0; i < 150 && crew.broken_rule == NULL; i++) {
        act(&plan);
        crew_run(&crew, rng_between(&crew.rng, 0, 60) * MS);
    }
    heal(&plan);
    if (crew.broken_rule == NULL && !crew_wait(&crew, crew_has_leader, 90000 * MS)) {
        crew_break(&crew, "no leader comes after all is healed", 0);
    }
    if (crew.broken_rule == NULL && !crew_wait(&crew, crew_is_answered, 60000 * MS)) {
        crew_break(&crew, "a proposal never ended", 0);
    }
    if (crew.broken_rule == NULL && !crew_agrees(&crew)) {
        crew_break(&crew, "no agreement after all is healed", 0);
    }
    rule = crew_judge(&crew);
    if (rule != NULL) {
        crew_describe(&crew);
        GP_TEST_FAIL("GP_RAFT_SEED=%" PRIu64 ": %s (%" PRIu64 ")", seed, rule, crew.broken_at);
    }
    for (size_t i = 0; i < sizeof(*sums) / sizeof(uint64_t); i++) {
        ((uint64_t *)sums)[i] += ((uint64_t *)&crew.counts)[i];
    }
    events[0] += sim_event_count(crew.sim, "consensus.broken");
    events[1] += sim_event_count(crew.sim, "consensus.mended");
    GP_CHECK_EQ(sim_leaks(crew.sim), 0);
    crew_deinit(&crew);
    return rule == NULL;
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

#define COUNT(sums, what)                                                                          \
    do {                                                                                           \
        (void)printf("%s %" PRIu64 "\n", #what, (sums).what);                                      \
        if ((sums).what == 0) {                                                                    \
            GP_TEST_FAIL("never happened: %s", #what);                                             \
        }                                                                                          \
    } while (0)

GP_TEST(consensus_faults, keep_every_rule_and_all_that_was_acknowledged)
{
    struct crew_counts sums = {0};
    uint64_t events[2] = {0};
    const uint64_t one = number_of("GP_RAFT_SEED", UINT64_MAX);
    const uint64_t seeds = number_of("GP_RAFT_SEEDS", SEEDS_DEFAULT);
    uint32_t failures = 0;

    if (one != UINT64_MAX) {
        (void)run(one, &sums, events);
        return;
    }
    for (uint64_t seed = 0; seed < seeds && failures < 5; seed++) {
        failures += !run(seed, &sums, events);
    }
    if (seeds < SEEDS_DEFAULT) {
        return;
    }
    sums.seals_broken = events[0];
    sums.mended = events[1];
    COUNT(sums, elections);
    COUNT(sums, proposed);
    COUNT(sums, acknowledged);
    COUNT(sums, refused);
    COUNT(sums, unknown);
    COUNT(sums, lost);
    COUNT(sums, doubled);
    COUNT(sums, late);
    COUNT(sums, cut);
    COUNT(sums, large);
    COUNT(sums, kills);
    COUNT(sums, power);
    COUNT(sums, restarts);
    COUNT(sums, pauses);
    COUNT(sums, partitions);
    COUNT(sums, oneway);
    COUNT(sums, full);
    COUNT(sums, broken);
    COUNT(sums, slow);
    COUNT(sums, famines);
    COUNT(sums, installs);
    COUNT(sums, snapshots);
    COUNT(sums, seals_broken);
    COUNT(sums, mended);
    COUNT(sums, transfers);
    COUNT(sums, added);
    COUNT(sums, removed);
    COUNT(sums, barriers);
    COUNT(sums, doubts);
}
