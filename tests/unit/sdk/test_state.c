/*
 * Snapshot and restore through the testkit, with a keyed counter: what a stateful processor does.
 */
#include <gearpump/gearpump.h>
#include <gearpump/testkit.h>

#include "gp_test.h"

#define KEYS 26u

/* Counts keys of one letter. */
struct counter {
    const struct gp_task *task;
    uint64_t counts[KEYS];
    uint32_t restored;
    uint64_t prepared;
};

static struct counter *newest;

static int32_t counter_open(const struct gp_task *task, void **ret_self)
{
    newest = calloc(1, sizeof *newest);
    *ret_self = newest;
    if (!newest) {
        return GP_FAIL;
    }
    newest->task = task;
    return GP_OK;
}

static int32_t counter_process(void *self, uint32_t port, const struct gp_batch *in,
                               uint32_t *consumed, struct gp_out *out)
{
    struct counter *c = self;

    (void)port;
    GP_EACH (row, in, consumed, out) {
        c->counts[(*(const char *)row->key - 'a') % (int)KEYS]++;
    }
    return GP_OK;
}

static uint32_t group_of(uint32_t letter)
{
    char key = (char)('a' + letter);

    return gp_key_group(gp_kit_hash(&key, 1));
}

static int32_t counter_snapshot(void *self, struct gp_snapshot *snapshot)
{
    const struct counter *c = self;
    int32_t rc = snapshot->put(snapshot, GP_GROUP_NONE, GP_STR("life"), gp_bytes_of("x", 1));

    for (uint32_t i = 0; i < KEYS && rc == GP_OK; i++) {
        char name = (char)('a' + i);
        if (c->counts[i] > 0) {
            rc = snapshot->put(snapshot, group_of(i), (gp_str){&name, 1},
                               gp_bytes_of(&c->counts[i], sizeof c->counts[i]));
        }
    }
    return rc;
}

static int32_t counter_restore(void *self, struct gp_restore *restore)
{
    struct counter *c = self;
    struct gp_entry_view entry = {.size = sizeof entry};
    int32_t rc;

    while ((rc = restore->next(restore, &entry)) > 0) {
        c->restored++;
        if (entry.group != GP_GROUP_NONE) {
            memcpy(&c->counts[entry.name.ptr[0] - 'a'], entry.bytes.ptr, sizeof c->counts[0]);
        }
    }
    return rc < 0 ? GP_FAIL : GP_OK;
}

static int32_t counter_prepare(void *self, uint64_t checkpoint)
{
    ((struct counter *)self)->prepared = checkpoint;
    return GP_OK;
}

static const struct gp_processor counter_table = {.size = sizeof counter_table,
                                                  .kind = GP_KIND_PROCESSOR,
                                                  .type = "counter",
                                                  .flags = GP_PROCESSOR_STATEFUL,
                                                  .open = counter_open,
                                                  .process = counter_process,
                                                  .close = gp_close_free,
                                                  .snapshot = counter_snapshot,
                                                  .restore = counter_restore,
                                                  .prepare = counter_prepare};

static struct gp_kit *opened(const struct gp_processor *table, uint32_t index, uint32_t parallelism)
{
    struct gp_kit *kit = gp_kit_new(table, index, parallelism);

    GP_REQUIRE(kit != NULL);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    return kit;
}

/* The first key group of a task: inverse of gp_key_group_task. */
static uint32_t first_group(uint32_t task, uint32_t parallelism)
{
    uint32_t group = 0;

    while (group < GP_KEY_GROUPS && gp_key_group_task(group, parallelism) < task) {
        group++;
    }
    return group;
}

GP_TEST(state, key_groups_are_dealt_in_even_ranges)
{
    static const uint32_t parallelisms[] = {1, 2, 3, 7, 100, 4096};

    GP_CHECK_EQ(gp_key_group(0), 0);
    GP_CHECK_EQ(gp_key_group(UINT64_MAX), GP_KEY_GROUPS - 1);
    for (size_t p = 0; p < sizeof parallelisms / sizeof parallelisms[0]; p++) {
        const uint32_t n = parallelisms[p];
        GP_CHECK_EQ(gp_key_group_task(0, n), 0);
        GP_CHECK_EQ(gp_key_group_task(GP_KEY_GROUPS - 1, n), n - 1);
        for (uint32_t task = 0; task < n; task++) {
            uint32_t groups = first_group(task + 1, n) - first_group(task, n);
            GP_CHECK(groups == GP_KEY_GROUPS / n || groups == GP_KEY_GROUPS / n + 1);
        }
    }
}

/* The point of key groups: two tasks take over what one had, and nothing is lost or doubled. */
GP_TEST(state, of_one_task_moves_to_three)
{
    struct gp_kit *one = opened(&counter_table, 0, 1);
    struct gp_kit_state *state = gp_kit_state_new();
    uint64_t sums[KEYS] = {0};
    uint32_t entries = 0;

    for (uint32_t i = 0; i < 500; i++) {
        char key[2] = {(char)('a' + (i * i) % KEYS), '\0'};
        GP_REQUIRE_EQ(gp_kit_push(one, 0, key, "", 0), GP_OK);
    }
    GP_CHECK_EQ(gp_kit_run(one), GP_OK);
    GP_CHECK_EQ(gp_kit_snapshot(one, state), GP_OK);
    for (uint32_t task = 0; task < 3; task++) {
        struct gp_kit *kit = opened(&counter_table, task, 3);
        GP_CHECK_EQ(gp_kit_restore(kit, state, first_group(task, 3), first_group(task + 1, 3) - 1,
                                   task == 0),
                    GP_OK);
        entries += newest->restored;
        for (uint32_t i = 0; i < KEYS; i++) {
            GP_CHECK(newest->counts[i] == 0 || gp_key_group_task(group_of(i), 3) == task);
            sums[i] += newest->counts[i];
        }
        gp_kit_free(kit);
    }
    GP_CHECK_EQ(entries, gp_kit_state_count(state));
    GP_CHECK_EQ(gp_kit_snapshot(one, state), GP_OK);
    GP_CHECK_EQ(gp_kit_state_count(state), 2 * entries);
    gp_kit_free(one);
    one = opened(&counter_table, 0, 1);
    GP_CHECK_EQ(gp_kit_restore(one, state, 0, GP_KEY_GROUPS - 1, 1), GP_OK);
    GP_CHECK_MEM_EQ(newest->counts, sums, sizeof sums);
    gp_kit_free(one);
    gp_kit_state_free(state);
}

GP_TEST(state, entries_can_be_read_and_made_by_hand)
{
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_entry_view entry = {0};

    GP_CHECK_EQ(gp_kit_state_add(state, 12, "name", gp_bytes_of("abc", 3)), GP_OK);
    GP_CHECK_EQ(gp_kit_state_add(state, 13, "empty", gp_bytes_of(NULL, 0)), GP_OK);
    GP_CHECK_EQ(gp_kit_state_entry(state, 0, &entry), GP_OK);
    GP_CHECK_EQ(entry.group, 12);
    GP_CHECK_EQ(entry.name.len, 4);
    GP_CHECK_EQ(entry.bytes.len, 3);
    GP_CHECK_MEM_EQ(entry.bytes.ptr, "abc", 3);
    GP_CHECK_EQ(gp_kit_state_entry(state, 2, &entry), GP_FAIL);
    gp_kit_state_free(state);
    gp_kit_state_free(NULL);
}

/* A task whose whole state is how many keys it has seen, by letter. */
static int32_t whole_restore(void *self, struct gp_restore *restore)
{
    struct counter *c = self;

    return gp_restore_into(c->task, restore, c->counts, sizeof c->counts);
}

GP_TEST(state, that_is_one_entry_is_restored_whole_or_not_at_all)
{
    const uint64_t counts[KEYS] = {1, 2, 3};
    struct gp_processor table = counter_table;
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *kit;

    table.restore = whole_restore;
    kit = opened(&table, 0, 1);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, GP_KEY_GROUPS - 1, 1), GP_OK); /* there is none */
    GP_CHECK_EQ(
        gp_kit_state_add(state, GP_GROUP_NONE, "counts", gp_bytes_of(counts, sizeof counts)),
        GP_OK);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, GP_KEY_GROUPS - 1, 1), GP_OK);
    GP_CHECK_MEM_EQ(newest->counts, counts, sizeof counts);
    GP_CHECK_EQ(gp_kit_state_add(state, GP_GROUP_NONE, "short", gp_bytes_of(counts, 3)), GP_OK);
    GP_CHECK_EQ(gp_kit_restore(kit, state, 0, GP_KEY_GROUPS - 1, 1), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), "the saved state is damaged");
    gp_kit_free(kit);
    gp_kit_state_free(state);
}

static int32_t put_twice(void *self, struct gp_snapshot *snapshot)
{
    (void)self;
    (void)snapshot->put(snapshot, 1, GP_STR("a"), gp_bytes_of(NULL, 0));
    return snapshot->put(snapshot, 1, GP_STR("a"), gp_bytes_of(NULL, 0));
}

static int32_t put_nowhere(void *self, struct gp_snapshot *snapshot)
{
    (void)self;
    return snapshot->put(snapshot, GP_KEY_GROUPS, GP_STR("a"), gp_bytes_of(NULL, 0));
}

static void expect_failure(int32_t (*snapshot)(void *, struct gp_snapshot *), const char *text)
{
    struct gp_processor table = counter_table;
    struct gp_kit_state *state = gp_kit_state_new();
    struct gp_kit *kit;

    table.snapshot = snapshot;
    kit = opened(&table, 0, 1);
    GP_CHECK_EQ(gp_kit_snapshot(kit, state), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), text);
    gp_kit_free(kit);
    gp_kit_state_free(state);
}

GP_TEST(state, bad_entries_are_refused)
{
    expect_failure(put_twice, "snapshot: entry 'a' of group 1 is there already");
    expect_failure(put_nowhere, "snapshot: there is no key group 4096");
}

GP_TEST(state, checkpoint_calls_reach_the_task_and_may_be_missing)
{
    struct gp_kit *kit = opened(&counter_table, 0, 1);

    GP_CHECK_EQ(gp_kit_prepare(kit, 9), GP_OK);
    GP_CHECK_EQ(newest->prepared, 9);
    GP_CHECK_EQ(gp_kit_commit(kit, 9), GP_OK);
    GP_CHECK_EQ(gp_kit_abort(kit, 9), GP_OK);
    gp_kit_free(kit);
}
