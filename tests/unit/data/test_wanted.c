/*
 * What an executor was told, and updates that say only what has changed: compared with a table that
 * names the place of every task.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "data/wanted.h"
#include "gp_test.h"

#define TASKS      40u
#define PROCESSORS 2u
#define SIBLINGS   12u
#define STEPS      2000u

struct place {
    uint32_t executor;
    uint64_t session;
};

/* What is true, and since when. */
struct truth {
    uint64_t generation;
    struct place places[PROCESSORS][TASKS];
    uint64_t changed[PROCESSORS][TASKS];
    bool alive[SIBLINGS];
    uint64_t known[SIBLINGS]; /* since when it is alive, or dead */
};

static struct msg_sibling sibling(uint32_t id)
{
    struct msg_sibling s = {.id = id, .incarnation = id + 100, .lanes_count = 1};

    s.host = strdup("host");
    s.lanes = calloc(1, sizeof *s.lanes);
    GP_REQUIRE(s.host && s.lanes);
    s.lanes[0].tcp = strdup("127.0.0.1:1");
    s.lanes[0].unix_path = strdup("");
    return s;
}

/* Everything that changed after base. */
static void say(const struct truth *t, uint64_t base, struct msg_executor_update *ret)
{
    struct msg_executor_update u = {.generation = t->generation, .base = base};

    u.placement = calloc(PROCESSORS * TASKS, sizeof *u.placement);
    u.executors = calloc(SIBLINGS, sizeof *u.executors);
    u.gone = calloc(SIBLINGS, sizeof *u.gone);
    GP_REQUIRE(u.placement && u.executors && u.gone);
    for (uint32_t i = 0; i < PROCESSORS * TASKS; i++) {
        uint32_t p = i / TASKS;
        uint32_t k = i % TASKS;
        const struct place *at = &t->places[p][k];
        struct msg_placed *last = u.placement_count ? &u.placement[u.placement_count - 1] : NULL;
        if (base > 0 && t->changed[p][k] <= base) {
            continue;
        }
        if (last && last->processor == p && last->first + last->count == k &&
            last->executor == at->executor && last->session == at->session) {
            last->count++;
        } else {
            u.placement[u.placement_count++] = (struct msg_placed){.processor = p,
                                                                   .first = k,
                                                                   .count = 1,
                                                                   .executor = at->executor,
                                                                   .session = at->session};
        }
    }
    for (uint32_t i = 0; i < SIBLINGS; i++) {
        if (t->alive[i] && (base == 0 || t->known[i] > base)) {
            u.executors[u.executors_count++] = sibling(i);
        } else if (!t->alive[i] && base > 0 && t->known[i] > base) {
            u.gone[u.gone_count++].executor = i;
        }
    }
    *ret = u;
}

static void change(struct truth *t, struct rng *rng)
{
    uint32_t p = (uint32_t)rng_below(rng, PROCESSORS);
    uint32_t first = (uint32_t)rng_below(rng, TASKS);
    uint32_t count = 1 + (uint32_t)rng_below(rng, TASKS - first);
    uint32_t executor = (uint32_t)rng_below(rng, SIBLINGS);
    uint32_t other = (uint32_t)rng_below(rng, SIBLINGS);

    t->generation++;
    for (uint32_t k = first; k < first + count; k++) {
        t->places[p][k] = (struct place){executor, rng_below(rng, 3)};
        t->changed[p][k] = t->generation;
    }
    t->alive[other] = !t->alive[other];
    t->known[other] = t->generation;
}

static void check(const struct wanted *w, const struct truth *t)
{
    uint32_t at = 0;
    uint32_t alive = 0;

    GP_CHECK_EQ(w->generation, t->generation);
    for (uint32_t i = 0; i < w->placement_count; i++) {
        const struct msg_placed *r = &w->placement[i];
        for (uint32_t k = r->first; k < r->first + r->count; k++, at++) {
            GP_REQUIRE_EQ(r->processor * TASKS + k, at);
            GP_CHECK_EQ(r->executor, t->places[r->processor][k].executor);
            GP_CHECK_EQ(r->session, t->places[r->processor][k].session);
        }
        GP_CHECK(i == 0 || r->first == 0 || r[-1].executor != r->executor ||
                 r[-1].session != r->session); /* joined */
    }
    GP_CHECK_EQ(at, PROCESSORS * TASKS);
    for (uint32_t i = 0; i < w->executors_count; i++) {
        GP_CHECK(t->alive[w->executors[i].id]);
        GP_CHECK_EQ(w->executors[i].incarnation, w->executors[i].id + 100);
        GP_CHECK_EQ(strcmp(w->executors[i].lanes[0].tcp, "127.0.0.1:1"), 0);
    }
    for (uint32_t i = 0; i < SIBLINGS; i++) {
        alive += t->alive[i];
    }
    GP_CHECK_EQ(w->executors_count, alive);
}

static void take(struct wanted *w, struct msg_executor_update *u)
{
    struct wanted next;
    struct gp_error err = {0};

    GP_REQUIRE(wanted_fits(w, u));
    GP_REQUIRE_EQ(wanted_build(w, u, &next, &err), 0);
    wanted_commit(w, &next, u);
    fields_deinit(&msg_executor_update_fields, u);
}

/* Updates based on any generation that it has come to lead to the same as the whole would. */
GP_TEST(wanted, becomes_what_is_true)
{
    struct truth t = {.generation = 1};
    struct wanted w = {0};
    struct msg_executor_update u;
    struct rng rng;

    rng_init(&rng, 7);
    say(&t, 0, &u);
    take(&w, &u);
    check(&w, &t);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint64_t back;
        for (uint64_t n = rng_below(&rng, 4); n > 0; n--) {
            change(&t, &rng);
        }
        back = rng_below(&rng, w.generation + 1);
        say(&t, rng_below(&rng, 4) == 0 ? back : w.generation, &u);
        take(&w, &u);
        check(&w, &t);
    }
    wanted_deinit(&w);
}

GP_TEST(wanted, does_not_build_on_what_it_has_not)
{
    const struct wanted w = {.generation = 4};
    const struct msg_executor_update later = {.generation = 7, .base = 5};
    const struct msg_executor_update fits = {.generation = 7, .base = 4};
    const struct msg_executor_update whole = {.generation = 7};

    GP_CHECK(!wanted_fits(&w, &later));
    GP_CHECK(wanted_fits(&w, &fits));
    GP_CHECK(wanted_fits(&w, &whole));
}

static int build(const struct msg_placed *ranges, uint32_t count)
{
    const struct wanted w = {.generation = 1};
    struct msg_executor_update u = {.generation = 2, .base = 1, .placement_count = count};
    struct wanted next;
    struct gp_error err = {0};
    int rc;

    u.placement = calloc(count, sizeof *ranges);
    GP_REQUIRE(u.placement != NULL);
    memcpy(u.placement, ranges, count * sizeof *ranges);
    rc = wanted_build(&w, &u, &next, &err);
    if (rc == 0) {
        wanted_forget(&next);
    }
    fields_deinit(&msg_executor_update_fields, &u);
    return rc;
}

/* It comes from outside. */
GP_TEST(wanted, refuses_ranges_without_order)
{
    const struct msg_placed fine[] = {{.first = 3, .count = 2}, {.processor = 1, .count = 1}};
    const struct msg_placed none[] = {{.first = 3, .count = 0}};
    const struct msg_placed endless[] = {{.first = 3, .count = UINT32_MAX}};
    const struct msg_placed twice[] = {{.first = 3, .count = 2}, {.first = 4, .count = 2}};
    const struct msg_placed back[] = {{.processor = 1, .count = 2}, {.processor = 0, .count = 2}};

    GP_CHECK_EQ(build(fine, 2), 0);
    GP_CHECK_EQ(build(none, 1), GP_EPROTO);
    GP_CHECK_EQ(build(endless, 1), GP_EPROTO);
    GP_CHECK_EQ(build(twice, 2), GP_EPROTO);
    GP_CHECK_EQ(build(back, 2), GP_EPROTO);
}
