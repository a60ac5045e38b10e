/* Plans of what should move: even, small, and where they may go. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/rng.h"
#include "control/appmaster/rebalance.h"
#include "gp_test.h"

#define PROCESSORS 6u
#define HOSTS      9u
#define TASKS      40u
#define ROOM       100000u

struct scene {
    struct plan_processor processors[PROCESSORS];
    struct plan_edge edges[PROCESSORS];
    struct plan plan;
    struct record record;
    struct rebalance_host hosts[HOSTS];
    struct rebalance_wish wish;
};

static char *text(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* An executor on a worker of its own. */
static void add_host(struct scene *s, uint32_t lanes, uint32_t blocking)
{
    uint32_t id;
    const struct msg_grant grant = {.worker = s->wish.host_count + 1,
                                    .name = text("w"),
                                    .address = text("a"),
                                    .host = text("h"),
                                    .slots = 1};
    const struct msg_executor_register info = {
        .incarnation = 1, .lanes_count = lanes + blocking, .blocking = blocking};

    GP_REQUIRE_EQ(record_add(&s->record, &grant, 0, &id), 0);
    record_join(&s->record, id, &info);
    s->hosts[s->wish.host_count++] = (struct rebalance_host){
        .executor = id, .worker = grant.worker, .lanes = lanes, .blocking = blocking, .room = ROOM};
}

static void begin(struct scene *s)
{
    *s = (struct scene){.plan = {.processors = s->processors, .edges = s->edges}};
    record_init(&s->record);
    s->wish = (struct rebalance_wish){.hosts = s->hosts, .moves_max = ROOM};
}

static void add_processor(struct scene *s, uint32_t parallelism, uint32_t flags)
{
    s->processors[s->plan.processor_count++] =
        (struct plan_processor){.name = text("p"), .parallelism = parallelism, .flags = flags};
}

static void place(struct scene *s)
{
    GP_REQUIRE_EQ(record_place(&s->record, &s->plan, 1), 0);
}

static struct rebalance plan(const struct scene *s)
{
    struct rebalance r;

    GP_REQUIRE_EQ(rebalance_plan(&s->plan, &s->record, &s->wish, &r), 0);
    return r;
}

static void apply(struct scene *s, const struct rebalance *r)
{
    struct record_range *changes = calloc(r->move_count + 1u, sizeof *changes);

    for (uint32_t i = 0; i < r->move_count; i++) {
        const struct rebalance_move *m = &r->moves[i];
        const struct rebalance_host *to = &s->hosts[m->host];
        changes[i] = *record_range_of(&s->record, m->processor, m->task);
        changes[i].first = m->task;
        changes[i].count = 1;
        GP_CHECK(changes[i].executor != to->executor);
        GP_CHECK(!to->leave);
        GP_CHECK(m->lane < to->lanes + to->blocking);
        changes[i].executor = to->executor;
        changes[i].lane = m->lane;
    }
    GP_REQUIRE_EQ(record_change(&s->record, changes, r->move_count), 0);
    free(changes);
}

/* Plans, applies, and sees that nothing is left to be done. How many moved. */
static uint32_t rebalance(struct scene *s)
{
    struct rebalance r = plan(s);
    uint32_t moves = r.move_count;

    apply(s, &r);
    rebalance_deinit(&r);
    r = plan(s);
    GP_CHECK_EQ(r.move_count, 0);
    rebalance_deinit(&r);
    return moves;
}

/* Tasks of a processor (UINT32_MAX: of all) on a host. */
static uint32_t tasks_on(const struct scene *s, uint32_t processor, uint32_t host)
{
    uint32_t tasks = 0;

    for (uint32_t i = 0; i < s->record.ranges_count; i++) {
        const struct record_range *r = &s->record.ranges[i];
        tasks += (processor == UINT32_MAX || r->processor == processor) &&
                         r->executor == s->hosts[host].executor
                     ? r->count
                     : 0;
    }
    return tasks;
}

/* The difference between the fullest and the emptiest that may have tasks. */
static uint32_t spread_of(const struct scene *s, uint32_t processor)
{
    uint32_t most = 0;
    uint32_t least = UINT32_MAX;

    for (uint32_t h = 0; h < s->wish.host_count; h++) {
        uint32_t tasks = tasks_on(s, processor, h);
        if (!s->hosts[h].leave) {
            most = tasks > most ? tasks : most;
            least = tasks < least ? tasks : least;
        }
    }
    return most - least;
}

static void end(struct scene *s)
{
    record_deinit(&s->record);
}

/* ---- what must hold, by example ---- */

GP_TEST(rebalance, gives_a_new_executor_its_share_of_each_processor)
{
    struct scene s;

    begin(&s);
    add_processor(&s, 8, 0);
    add_processor(&s, 12, 0);
    add_host(&s, 2, 0);
    add_host(&s, 2, 0);
    place(&s);
    add_host(&s, 2, 0);
    add_host(&s, 2, 0);
    s.wish.spread = true;
    GP_CHECK_EQ(rebalance(&s), 10); /* half of all: no fewer would do */
    for (uint32_t h = 0; h < 4; h++) {
        GP_CHECK_EQ(tasks_on(&s, 0, h), 2);
        GP_CHECK_EQ(tasks_on(&s, 1, h), 3);
    }
    end(&s);
}

/* As it was first placed it stays. */
GP_TEST(rebalance, moves_nothing_where_all_is_even)
{
    struct scene s;

    begin(&s);
    add_processor(&s, 8, 0);
    add_processor(&s, 4, 0);
    for (uint32_t i = 0; i < 4; i++) {
        add_host(&s, 2, 0);
    }
    place(&s);
    s.wish.spread = true;
    GP_CHECK_EQ(rebalance(&s), 0);
    end(&s);
}

GP_TEST(rebalance, empties_what_is_left_and_moves_nothing_else)
{
    struct scene s;
    uint32_t before;

    begin(&s);
    add_processor(&s, 9, 0);
    add_processor(&s, 3, 0);
    for (uint32_t i = 0; i < 3; i++) {
        add_host(&s, 1, 0);
    }
    place(&s);
    before = tasks_on(&s, UINT32_MAX, 1);
    s.hosts[1].leave = true;
    GP_CHECK_EQ(rebalance(&s), before);
    GP_CHECK_EQ(tasks_on(&s, UINT32_MAX, 1), 0);
    GP_CHECK(spread_of(&s, 0) <= 1);
    GP_CHECK(spread_of(&s, UINT32_MAX) <= 1);
    end(&s);
}

GP_TEST(rebalance, keeps_forward_pairs_together)
{
    struct scene s;

    begin(&s);
    add_processor(&s, 8, 0);
    add_processor(&s, 8, 0);
    s.edges[0] = (struct plan_edge){.from = 0, .to = 1, .partitioner = PLAN_FORWARD};
    s.plan.edge_count = 1;
    add_host(&s, 2, 0);
    place(&s);
    add_host(&s, 2, 0);
    s.wish.spread = true;
    GP_CHECK_EQ(rebalance(&s), 8);
    for (uint32_t t = 0; t < 8; t++) {
        const struct record_range *a = record_range_of(&s.record, 0, t);
        const struct record_range *b = record_range_of(&s.record, 1, t);
        GP_CHECK_EQ(a->executor, b->executor);
        GP_CHECK_EQ(a->lane, b->lane);
    }
    end(&s);
}

/* A host with other cores gets another share, and two executors on one worker share theirs. */
GP_TEST(rebalance, counts_what_lanes_are_worth)
{
    struct scene s;

    begin(&s);
    add_processor(&s, 12, 0);
    add_host(&s, 1, 0);
    place(&s);
    add_host(&s, 3, 0);
    s.wish.spread = true;
    GP_CHECK_EQ(rebalance(&s), 9);
    s.hosts[1].worker = s.hosts[0].worker;
    add_host(&s, 2, 0); /* as much as both of them together */
    (void)rebalance(&s);
    GP_CHECK_EQ(tasks_on(&s, 0, 2), 6);
    end(&s);
}

GP_TEST(rebalance, gives_blocking_tasks_lanes_of_theirs)
{
    struct scene s;

    begin(&s);
    add_processor(&s, 4, 0);
    add_processor(&s, 4, GP_PROCESSOR_BLOCKING);
    add_host(&s, 2, 4);
    place(&s);
    add_host(&s, 2, 4);
    s.wish.spread = true;
    GP_CHECK_EQ(rebalance(&s), 4);
    for (uint32_t t = 0; t < 4; t++) {
        GP_CHECK(record_range_of(&s.record, 1, t)->lane >= 2);
        GP_CHECK(record_range_of(&s.record, 0, t)->lane < 2);
    }
    GP_CHECK_EQ(tasks_on(&s, 1, 1), 2);
    end(&s);
}

GP_TEST(rebalance, refuses_what_would_lose_its_state)
{
    struct scene s;
    struct rebalance r;

    begin(&s);
    add_processor(&s, 4, 0);
    add_processor(&s, 4, GP_PROCESSOR_STATEFUL);
    add_processor(&s, 4, GP_PROCESSOR_STATEFUL);
    add_processor(&s, 2, 0);
    s.processors[2].has_snapshot = 1;
    s.processors[3].is_source = 1;
    add_host(&s, 2, 0);
    add_host(&s, 2, 0);
    place(&s);
    s.hosts[0].leave = true;
    r = plan(&s);
    GP_CHECK_EQ(r.move_count, 4);
    GP_REQUIRE_EQ(r.refused_count, 2);
    GP_CHECK_EQ(r.refused[0].processor, 1);
    GP_CHECK_EQ(r.refused[0].why, REBALANCE_STATE);
    GP_CHECK_EQ(r.refused[0].tasks, 2);
    GP_CHECK_EQ(r.refused[1].processor, 3);
    GP_CHECK_EQ(r.refused[1].why, REBALANCE_SOURCE);
    GP_CHECK_EQ(r.refused[1].tasks, 1);
    rebalance_deinit(&r);
    s.hosts[0].force = true;
    r = plan(&s);
    GP_CHECK_EQ(r.move_count, 7);
    GP_CHECK_EQ(r.refused_count, 0);
    rebalance_deinit(&r);
    end(&s);
}

GP_TEST(rebalance, says_how_many_should_move_and_cannot)
{
    struct scene s;
    struct rebalance r;

    begin(&s);
    add_processor(&s, 6, GP_PROCESSOR_STATEFUL);
    add_host(&s, 1, 0);
    place(&s);
    add_host(&s, 1, 0);
    s.wish.spread = true;
    r = plan(&s);
    GP_CHECK_EQ(r.move_count, 0);
    GP_REQUIRE_EQ(r.refused_count, 1);
    GP_CHECK_EQ(r.refused[0].tasks, 3);
    rebalance_deinit(&r);
    s.wish.force = true;
    GP_CHECK_EQ(rebalance(&s), 3);
    end(&s);
}

GP_TEST(rebalance, fills_nobody_beyond_their_room)
{
    struct scene s;
    struct rebalance r;

    begin(&s);
    add_processor(&s, 10, 0);
    add_host(&s, 1, 0);
    add_host(&s, 1, 0);
    place(&s);
    s.hosts[0].leave = true;
    s.hosts[1].room = 7;
    r = plan(&s);
    GP_CHECK_EQ(r.move_count, 2);
    GP_REQUIRE_EQ(r.refused_count, 1);
    GP_CHECK_EQ(r.refused[0].why, REBALANCE_ROOM);
    GP_CHECK_EQ(r.refused[0].tasks, 3);
    rebalance_deinit(&r);
    end(&s);
}

/* What is under way counts where it comes to, and is not sent elsewhere; what stays, stays. */
GP_TEST(rebalance, leaves_alone_what_moves_or_was_refused)
{
    const struct rebalance_stay stay = {0, 1};
    struct record_move move = {.session = 1, .from = 1, .executor = 2};
    struct scene s;
    struct rebalance r;

    begin(&s);
    add_processor(&s, 4, 0);
    add_host(&s, 1, 0);
    place(&s);
    add_host(&s, 1, 0);
    GP_REQUIRE_EQ(record_add_move(&s.record, &move), 0);
    s.wish.spread = true;
    r = plan(&s);
    GP_REQUIRE_EQ(r.move_count, 1);
    rebalance_deinit(&r);
    s.wish.spread = false;
    s.wish.stay = &stay;
    s.wish.stay_count = 1;
    s.hosts[0].leave = true;
    r = plan(&s);
    GP_REQUIRE_EQ(r.move_count, 2);
    GP_CHECK_EQ(r.moves[0].task, 2);
    GP_CHECK_EQ(r.moves[1].task, 3);
    rebalance_deinit(&r);
    end(&s);
}

GP_TEST(rebalance, plans_no_more_than_it_may)
{
    struct scene s;
    struct rebalance r;

    begin(&s);
    add_processor(&s, 20, 0);
    add_host(&s, 1, 0);
    place(&s);
    add_host(&s, 1, 0);
    s.hosts[0].leave = true;
    s.wish.moves_max = 6;
    for (uint32_t left = 20; left > 0;) {
        r = plan(&s);
        GP_REQUIRE_EQ(r.move_count, left < 6 ? left : 6);
        left -= r.move_count;
        apply(&s, &r);
        rebalance_deinit(&r);
    }
    end(&s);
}

/* ---- the same for whatever there may be ---- */

/* Where tasks are after deaths: anywhere. */
static void scatter(struct scene *s, struct rng *rng)
{
    for (uint32_t p = 0; p < s->plan.processor_count; p++) {
        for (uint32_t t = 0; t < s->processors[p].parallelism; t++) {
            struct record_range change = *record_range_of(&s->record, p, t);
            const struct rebalance_host *to = &s->hosts[rng_below(rng, s->wish.host_count)];
            if (rng_below(rng, 3) > 0) {
                continue;
            }
            change.first = t;
            change.count = 1;
            change.executor = to->executor;
            change.lane = (uint32_t)rng_below(rng, to->lanes);
            GP_REQUIRE_EQ(record_change(&s->record, &change, 1), 0);
        }
    }
}

/* No plan that spreads each processor as evenly needs fewer. */
static uint32_t moves_needed(const struct scene *s)
{
    uint32_t moves = 0;
    uint32_t hosts = 0;

    for (uint32_t h = 0; h < s->wish.host_count; h++) {
        hosts += !s->hosts[h].leave;
    }
    for (uint32_t p = 0; p < s->plan.processor_count; p++) {
        uint32_t tasks = s->processors[p].parallelism;
        uint32_t over = 0;
        uint32_t under = 0;
        for (uint32_t h = 0; h < s->wish.host_count; h++) {
            uint32_t has = tasks_on(s, p, h);
            uint32_t most = s->hosts[h].leave ? 0 : (tasks + hosts - 1) / hosts;
            uint32_t least = s->hosts[h].leave ? 0 : tasks / hosts;
            over += has > most ? has - most : 0;
            under += has < least ? least - has : 0;
        }
        moves += over > under ? over : under;
    }
    return moves;
}

static void draw(struct scene *s, struct rng *rng)
{
    uint32_t lanes = 1 + (uint32_t)rng_below(rng, 4);
    uint32_t hosts = 1 + (uint32_t)rng_below(rng, 5);
    uint32_t more = (uint32_t)rng_below(rng, 4);
    uint32_t left = (uint32_t)rng_below(rng, hosts + more);

    begin(s);
    for (uint32_t p = 1 + (uint32_t)rng_below(rng, PROCESSORS); p > 0; p--) {
        add_processor(s, 1 + (uint32_t)rng_below(rng, TASKS), 0);
    }
    for (uint32_t i = 0; i < hosts; i++) {
        add_host(s, lanes, 0);
    }
    place(s);
    if (rng_below(rng, 2) == 0) {
        scatter(s, rng);
    }
    for (uint32_t i = 0; i < more; i++) {
        add_host(s, lanes, 0);
    }
    for (uint32_t i = 0; i < left; i++) {
        s->hosts[rng_below(rng, s->wish.host_count)].leave = true;
    }
    s->hosts[rng_below(rng, s->wish.host_count)].leave = false;
}

GP_TEST(rebalance, spreads_whatever_there_is_within_one)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct rng rng;
        struct scene s;
        uint32_t needed;
        uint32_t level;
        uint32_t moves;

        rng_init(&rng, seed);
        draw(&s, &rng);
        needed = moves_needed(&s);
        s.wish.spread = true;
        moves = rebalance(&s);
        for (uint32_t p = 0; p < s.plan.processor_count; p++) {
            GP_CHECK(spread_of(&s, p) <= 1);
        }
        GP_CHECK(spread_of(&s, UINT32_MAX) <= 1);
        /* What is left over of each processor may have to move once more, to even out the sum. */
        level = s.plan.processor_count * s.wish.host_count;
        GP_CHECK(moves >= needed);
        GP_CHECK(moves <= needed + level);
        for (uint32_t h = 0; h < s.wish.host_count; h++) {
            GP_CHECK(!s.hosts[h].leave || tasks_on(&s, UINT32_MAX, h) == 0);
        }
        end(&s);
    }
}

GP_TEST(rebalance, leaves_with_no_move_too_many)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct rng rng;
        struct scene s;
        uint32_t there = 0;

        rng_init(&rng, seed);
        draw(&s, &rng);
        for (uint32_t h = 0; h < s.wish.host_count; h++) {
            there += s.hosts[h].leave ? tasks_on(&s, UINT32_MAX, h) : 0;
        }
        GP_CHECK_EQ(rebalance(&s), there);
        for (uint32_t h = 0; h < s.wish.host_count; h++) {
            GP_CHECK(!s.hosts[h].leave || tasks_on(&s, UINT32_MAX, h) == 0);
        }
        end(&s);
    }
}

/* Room that becomes free, and tasks that come together by chance, may have it begin again. */
static void settle(struct scene *s)
{
    uint32_t rounds = 0;
    uint32_t moves;

    do {
        struct rebalance r = plan(s);
        moves = r.move_count;
        apply(s, &r);
        rebalance_deinit(&r);
    } while (moves > 0 && rounds++ < 4);
    GP_CHECK_EQ(moves, 0);
}

/* Lanes of all sizes, rooms, units of several processors, blocking ones, force. */
GP_TEST(rebalance, comes_to_an_end_in_any_case)
{
    for (uint64_t seed = 1; seed <= 500; seed++) {
        struct rng rng;
        struct scene s;

        rng_init(&rng, seed);
        draw(&s, &rng);
        for (uint32_t h = 0; h < s.wish.host_count; h++) {
            struct rebalance_host *host = &s.hosts[h];
            host->lanes += (uint32_t)rng_below(&rng, 4);
            host->blocking = (uint32_t)rng_below(&rng, 3);
            host->room = rng_below(&rng, 3) ? ROOM : (uint32_t)rng_below(&rng, 60);
            host->worker = 1 + (uint32_t)rng_below(&rng, 4);
        }
        for (uint32_t p = 0; p < s.plan.processor_count; p++) {
            s.processors[p].flags = (uint32_t)rng_below(&rng, 4);
            s.processors[p].has_snapshot = (uint32_t)rng_below(&rng, 2);
            if (p > 0 && s.processors[p].parallelism == s.processors[p - 1].parallelism) {
                s.edges[s.plan.edge_count++] =
                    (struct plan_edge){.from = p - 1, .to = p, .partitioner = PLAN_FORWARD};
            }
        }
        s.wish.spread = rng_below(&rng, 4) > 0;
        s.wish.force = rng_below(&rng, 2) > 0;
        settle(&s);
        end(&s);
    }
}
