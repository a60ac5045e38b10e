/*
 * Every allocation of libraft, and of ours for it, refused in turn, and those that follow it, in
 * the life of a group: it agrees, makes snapshots, brings back one that was away, takes one in and
 * lets one go. Nothing crashes, no rule is broken, and all agree once there is memory again.
 *
 * The linker sends reallocarray here (--wrap), which the heap of libraft alone asks.
 */
#include "crew.h"
#include "gp_test.h"

#define STEP_MS 20
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STRIDE 37u
#else
#define STRIDE 5u
#endif

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names */
void *__real_reallocarray(void *ptr, size_t count, size_t size);
void *__wrap_reallocarray(void *ptr, size_t count, size_t size);

static uint64_t asked;
static uint64_t refuse_from; /* counted from 1; 0: none */
static uint64_t refuse_count;

static bool is_refused(void)
{
    asked++;
    return refuse_from != 0 && asked >= refuse_from && asked - refuse_from < refuse_count;
}

void *__wrap_reallocarray(void *ptr, size_t count, size_t size)
{
    return is_refused() ? NULL : __real_reallocarray(ptr, count, size);
}
/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */

static void on_done(void *user, int code)
{
    (void)user;
    (void)code;
}

static void propose(struct crew *crew, uint32_t count, size_t len)
{
    for (uint32_t i = 0; i < count; i++) {
        struct crew_member *leader = crew_leader(crew);

        if (leader != NULL) {
            (void)crew_propose(crew, leader->number, len);
        }
        crew_run(crew, 2 * MS);
    }
}

static void change(struct crew *crew, bool is_removal)
{
    struct crew_member *leader = crew_leader(crew);
    struct crew_member *m = &crew->members[3];

    if (leader == NULL) {
        return;
    }
    if (is_removal) {
        (void)consensus_remove(leader->c, m->id, on_done, NULL);
    } else if (m->c != NULL) {
        (void)consensus_join(m->c, "g", m->id, m->address, NULL);
        (void)consensus_add(leader->c, m->id, m->address, on_done, NULL);
    }
    crew_run(crew, 10 * STEP_MS * MS);
}

/* What is done while memory may be refused. */
static void live(struct crew *crew)
{
    uint32_t away = crew_leader(crew)->number == 0 ? 1 : 0;

    propose(crew, 10, 100);
    crew_kill(crew, away);
    propose(crew, 25, 3000); /* and snapshots: it needs one */
    (void)crew_start(crew, away);
    crew_run(crew, 10 * STEP_MS * MS);
    change(crew, false);
    propose(crew, 5, 300000); /* in fragments */
    change(crew, true);
    for (uint32_t i = 0; i < 3; i++) {
        crew_doubt(crew, i);
    }
    propose(crew, 5, 100);
}

static void begin(struct crew *crew)
{
    crew_init(crew, 1, 4);
    crew->options.snapshot_threshold = 10;
    crew->options.snapshot_trailing = 2;
    crew_form(crew, 3);
    GP_REQUIRE(crew_wait(crew, crew_has_leader, 10000 * MS));
    GP_REQUIRE(crew_start(crew, 3));
}

/* How many allocations there were. */
static uint64_t run(uint64_t from, uint64_t count)
{
    struct crew crew;
    const char *rule;
    uint64_t before;
    uint64_t used;

    begin(&crew);
    before = asked;
    refuse_from = from == 0 ? 0 : asked + from;
    refuse_count = count;
    live(&crew);
    used = asked - before;
    refuse_from = 0;
    for (uint32_t i = 0; i < 3; i++) {
        if (crew.members[i].c == NULL) {
            GP_CHECK(crew_start(&crew, i));
        }
    }
    GP_CHECK(crew_wait(&crew, crew_has_leader, 30000 * MS));
    GP_CHECK(crew_wait(&crew, crew_is_answered, 30000 * MS));
    GP_CHECK(crew_agrees(&crew));
    rule = crew_judge(&crew);
    if (rule != NULL) {
        GP_TEST_FAIL("%" PRIu64 " refused from %" PRIu64 " on: %s", count, from, rule);
    }
    GP_CHECK_EQ(sim_leaks(crew.sim), 0);
    crew_deinit(&crew);
    return used;
}

static void refuse_each(uint64_t count)
{
    const uint64_t all = run(0, 0);

    GP_CHECK(all > 500);
    for (uint64_t from = 1; from <= all; from += STRIDE) {
        (void)run(from, count);
    }
}

GP_TEST(consensus_nomem, one_refusal_anywhere_breaks_nothing)
{
    refuse_each(1);
}

GP_TEST(consensus_nomem, a_few_refusals_anywhere_break_nothing)
{
    refuse_each(7);
}

GP_TEST(consensus_nomem, a_long_famine_beginning_anywhere_breaks_nothing)
{
    refuse_each(400);
}
