/*
 * Crashes, failures of the disk and lack of memory at every single call, against the model:
 * whatever was acknowledged is found, nothing else is made up.
 */
#include "gp_test.h"
#include "journal_model.h"

#define ACTS 60u

/* A life of a journal, from an empty disk, that ends with an act that failed, or after all acts. */
struct story {
    struct frail f;
    struct model m;
    struct journal *j;
    struct rng rng;
    struct act act; /* the last */
    bool is_through;
};

static void story_run(struct story *s, uint32_t acts)
{
    struct gp_error err = {0};
    int rc = s->j != NULL ? 0 : model_open(&s->f, &s->j, &err);

    s->act = (struct act){.kind = ACT_REOPEN};
    for (uint32_t i = 0; rc == 0 && i < acts; i++) {
        s->act = model_draw(&s->m, &s->rng);
        rc = act_run(&s->act, &s->m, &s->f, &s->j, &err);
        if (rc == 0) {
            model_apply(&s->m, &s->act);
        }
    }
    s->is_through = rc == 0;
    GP_CHECK(rc == 0 || err.code == rc || s->f.fail_code == FRAIL_CRASH);
    GP_CHECK(rc == 0 || err.text[0] != '\0');
}

static void story_begin(struct story *s, uint64_t seed, uint64_t tear)
{
    memset(s, 0, sizeof(*s));
    frail_init(&s->f, tear);
    rng_init(&s->rng, seed);
    model_init(&s->m);
}

static void story_end(struct story *s)
{
    journal_close(s->j);
    frail_deinit(&s->f);
}

/* Opens what a dead process left. */
static bool story_recover(struct story *s, bool power_lost, const char *when, uint64_t n)
{
    struct gp_error err = {0};
    const char *how;

    journal_close(s->j);
    s->j = NULL;
    frail_restart(&s->f, power_lost);
    if (model_open(&s->f, &s->j, &err) < 0) {
        GP_TEST_FAIL("%s, call %" PRIu64 ", act %d: %s", when, n, (int)s->act.kind, err.text);
        return false;
    }
    how = model_settle(&s->m, &s->act, s->j);
    if (how != NULL) {
        GP_TEST_FAIL("%s, call %" PRIu64 ", act %d: %s", when, n, (int)s->act.kind, how);
    }
    s->act = (struct act){.kind = ACT_REOPEN}; /* what was found must be found again */
    return how == NULL;
}

/* What was found once is there for good: after another power failure, and under more acts. */
static bool story_goes_on(struct story *s, uint64_t n)
{
    if (!story_recover(s, true, "power lost after opening", n)) {
        return false;
    }
    story_run(s, 6);
    GP_CHECK(s->is_through);
    return story_recover(s, true, "power lost after going on", n);
}

/* Ends the story at call n in some way; false when it has no such call. */
static bool end_at(uint64_t seed, uint64_t n, uint64_t tear, int code, bool is_sticky)
{
    struct story s;
    bool is_through;

    story_begin(&s, seed, tear * 1000003 + n);
    frail_arm(&s.f, n, code, is_sticky);
    story_run(&s, ACTS);
    is_through = s.is_through && !s.f.has_failed;
    if (s.is_through) {
        s.act = (struct act){.kind = ACT_REOPEN};
    }
    if (story_recover(&s, tear % 2 == 1, "first opening", n)) {
        (void)story_goes_on(&s, n);
    }
    story_end(&s);
    return !is_through;
}

/* A crash while recovering from a crash, again and again. */
static bool recover_from_crashes(uint64_t seed, uint64_t n, uint64_t tear, uint64_t *ret_deepest)
{
    struct story s;
    struct gp_error err = {0};
    bool is_through;
    const char *how;

    story_begin(&s, seed, tear * 1000003 + n);
    frail_arm(&s.f, n, FRAIL_CRASH, false);
    story_run(&s, ACTS);
    is_through = !s.f.has_failed;
    for (uint64_t k = 1;; k++) {
        journal_close(s.j);
        s.j = NULL;
        frail_restart(&s.f, rng_chance(&s.f.rng, 0.5));
        frail_arm(&s.f, k, FRAIL_CRASH, false);
        if (model_open(&s.f, &s.j, &err) == 0 && !s.f.has_failed) {
            *ret_deepest = k > *ret_deepest ? k : *ret_deepest;
            break;
        }
        if (!s.f.has_failed) {
            GP_TEST_FAIL("call %" PRIu64 ", crash %" PRIu64 ": %s", n, k, err.text);
            break;
        }
    }
    s.f.fail_at = 0;
    if (s.j == NULL) {
        story_end(&s);
        return false;
    }
    how = s.is_through ? model_differs(&s.m, s.j) : model_settle(&s.m, &s.act, s.j);
    if (how != NULL) {
        GP_TEST_FAIL("call %" PRIu64 ", act %d: %s", n, (int)s.act.kind, how);
    }
    s.act = (struct act){.kind = ACT_REOPEN};
    (void)story_goes_on(&s, n);
    story_end(&s);
    return !is_through;
}

GP_TEST(journal_crash, loses_nothing_at_any_call)
{
    uint64_t calls = 0;

    for (uint64_t seed = 1; seed <= GP_FEWER(4, 1); seed++) {
        for (uint64_t n = 1, more = 1; more > 0; n++) {
            more = 0;
            for (uint64_t tear = 0; tear < 8; tear++) {
                more += end_at(seed, n, tear, FRAIL_CRASH, false);
            }
            calls += more > 0;
        }
    }
    GP_CHECK(calls > GP_FEWER(1000, 250));
}

GP_TEST(journal_crash, loses_nothing_while_recovering)
{
    uint64_t deepest = 0;

    for (uint64_t n = 1, more = 1; more > 0; n++) {
        more = 0;
        for (uint64_t tear = 0; tear < GP_FEWER(16, 4); tear++) {
            more += recover_from_crashes(11 + tear % 2, n, tear, &deepest);
        }
    }
    GP_CHECK(deepest > 10);
}

GP_TEST(journal_crash, survives_a_failure_at_any_call)
{
    for (uint64_t seed = 21; seed <= GP_FEWER(22, 21); seed++) {
        for (uint64_t n = 1, more = 1; more > 0; n++) {
            more = 0;
            for (uint64_t tear = 0; tear < 4; tear++) {
                more += end_at(seed, n, tear, GP_EIO, false);
                more += end_at(seed, n, tear, GP_EIO, true);
                more += end_at(seed, n, tear, GP_ENOSPC, true);
            }
        }
    }
}

/* Long lives with many crashes: the seed of a failing one is told. */
GP_TEST(journal_crash, lives_through_many_crashes)
{
    for (uint64_t seed = 1; seed <= GP_FEWER(300, 60); seed++) {
        struct story s;
        bool is_fine = true;

        story_begin(&s, seed, seed);
        for (uint32_t life = 0; is_fine && life < 12; life++) {
            frail_arm(&s.f, 1 + rng_below(&s.f.rng, 60), life % 4 == 3 ? GP_EIO : FRAIL_CRASH,
                      true);
            story_run(&s, ACTS);
            if (s.is_through) {
                s.act = (struct act){.kind = ACT_REOPEN};
            }
            is_fine = story_recover(&s, rng_chance(&s.f.rng, 0.6), "seed", seed);
        }
        story_end(&s);
    }
}
