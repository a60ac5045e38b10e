/*
 * What a task sees of a run of rows: those that are alike are taken apart together, and each must
 * look as it does by itself.
 */
#include "base/rng.h"
#include "data/inbox.h"
#include "data/stage.h"
#include "data/task.h"
#include "gp_test.h"
#include "lone_lane.h"

#define ROWS_MAX 40u
#define KEY_MAX  12u

struct run {
    _Alignas(8) uint8_t bytes[BATCH_ELEMENT_SIZE + ROWS_MAX * (ROW_HEADER_SIZE + 64)];
    struct batch_element head;
};

static void begin_run(struct run *r)
{
    *r = (struct run){.head = {.kind = BATCH_ROWS, .session = LONE_SESSION}};
}

static uint8_t *add_row(struct run *r, uint32_t key_len, uint32_t value_len)
{
    uint8_t *at = r->bytes + BATCH_ELEMENT_SIZE + r->head.bytes;
    uint32_t size = row_size(key_len, value_len);

    row_put_header(at, size, key_len, value_len, key_len > 0 ? ROW_KEYED : 0, 0,
                   key_len > 0 ? r->head.rows * 7u : 0, r->head.rows);
    r->head.rows++;
    r->head.bytes += size;
    return at;
}

/* To sink 0, whose task is answered. Its lane does not run meanwhile. */
static struct task *send_run(struct lone_lane *w, struct run *r)
{
    batch_element_put(r->bytes, &r->head);
    lone_lane_take_batch(w, r->bytes, BATCH_ELEMENT_SIZE + r->head.bytes);
    GP_CHECK(!w->from->failed);
    return w->lane->stages[1]->tasks[0];
}

static bool is_same(const struct gp_row *a, const struct gp_row *b)
{
    return a->time_ns == b->time_ns && a->key_hash == b->key_hash && a->key == b->key &&
           a->value == b->value && a->key_len == b->key_len && a->value_len == b->value_len &&
           a->flags == b->flags && a->source == b->source;
}

static void compare(struct task *t, const struct run *r, uint32_t max)
{
    struct gp_row views[ROWS_MAX];
    const uint8_t *at = r->bytes + BATCH_ELEMENT_SIZE;
    uint32_t seen = 0;
    uint32_t port;

    while (seen < r->head.rows) {
        uint32_t n = inbox_views(t, views, max, &port);

        GP_CHECK(n > 0 && n <= max);
        for (uint32_t i = 0; i < n; i++) {
            struct gp_row alone;

            row_view(at, row_word(at), r->head.source, &alone);
            GP_CHECK(is_same(&views[i], &alone));
            at += row_word_size(get_u64_le(at));
        }
        inbox_consume(t, views, n);
        seen += n;
    }
    GP_CHECK_EQ(seen, r->head.rows);
    GP_CHECK(t->in_head == NULL);
}

GP_TEST(inbox, views_of_rows_are_the_same_whatever_stands_around_them)
{
    struct run run;
    struct rng rng;

    rng_init(&rng, 1);
    for (uint32_t round = 0; round < 200; round++) {
        uint32_t kinds = 1 + round % 3;
        struct lone_lane w;

        lone_lane_begin(&w);
        begin_run(&run);
        for (uint64_t i = rng_below(&rng, ROWS_MAX - 1) + 1; i > 0; i--) {
            uint32_t key_len = kinds == 1 ? 5 : (uint32_t)rng_below(&rng, kinds * 4);

            (void)add_row(&run, key_len, kinds < 3 ? 10 : (uint32_t)rng_below(&rng, 40));
        }
        compare(send_run(&w, &run), &run, 1 + (uint32_t)rng_below(&rng, ROWS_MAX));
        lone_lane_end(&w);
    }
}

/* The last row says what those before say, but less of it is there; or says what no row can. */
static void check_fault(uint32_t rows, uint64_t word0, uint32_t missing)
{
    struct gp_row views[ROWS_MAX];
    struct lone_lane w;
    struct run run;
    struct task *t;
    uint8_t *last = NULL;
    uint32_t port;

    lone_lane_begin(&w);
    begin_run(&run);
    for (uint32_t i = 0; i < rows; i++) {
        last = add_row(&run, 0, 32);
    }
    if (word0 > 0) {
        put_u64_le(last, word0);
    }
    run.head.bytes -= missing;
    t = send_run(&w, &run);
    GP_CHECK_EQ(inbox_views(t, views, ROWS_MAX, &port), rows - 1);
    GP_CHECK(w.from->failed);
    GP_CHECK_EQ(w.lane->stats.bad_batches.value, 1);
    lone_lane_end(&w);
}

GP_TEST(inbox, a_malformed_row_ends_its_run_and_fails_who_sent_it)
{
    check_fault(4, 0, 8);
    check_fault(4, 0, 48);
    check_fault(2, 0, 8);
    check_fault(4, 8, 0);  /* smaller than its header */
    check_fault(4, 52, 0); /* no multiple of 8 */
    check_fault(3, row_word0(56, 33, 0, 0, 0) & ~(UINT64_C(7) << 41), 0); /* the key is longer */
}

/* How many rows of that session of the source come to sink 0; the others must be counted as
 * stale. */
static uint32_t come_of(struct lone_lane *w, uint64_t session)
{
    uint64_t stale = counter_get(&w->lane->stats.stale_rows);
    struct gp_row views[ROWS_MAX];
    struct run run;
    struct task *t;
    uint32_t port;
    uint32_t n = 0;

    begin_run(&run);
    run.head.session = session;
    for (uint32_t i = 0; i < ROWS_MAX; i++) {
        (void)add_row(&run, 0, 16);
    }
    t = send_run(w, &run);
    if (t->in_head) {
        n = inbox_views(t, views, ROWS_MAX, &port);
        inbox_consume(t, views, n);
    }
    GP_CHECK_EQ(counter_get(&w->lane->stats.stale_rows) - stale, ROWS_MAX - n);
    return n;
}

/* A task that moved is the same: what it sent from its place before counts, and what it sent before
 * it last began anew does not. */
GP_TEST(inbox, takes_rows_of_older_sessions_from_since_on)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    w.ranges[0].session = LONE_SESSION + 3;
    w.ranges[0].since = LONE_SESSION + 1;
    lone_lane_place(&w, (gp_bytes){0});
    GP_CHECK_EQ(come_of(&w, LONE_SESSION), 0);
    for (uint64_t session = LONE_SESSION + 1; session <= LONE_SESSION + 3; session++) {
        GP_CHECK_EQ(come_of(&w, session), ROWS_MAX);
    }

    w.ranges[0].session = LONE_SESSION + 4; /* it begins anew */
    w.ranges[0].since = 0;
    lone_lane_place(&w, (gp_bytes){0});
    GP_CHECK_EQ(come_of(&w, LONE_SESSION + 3), 0);
    GP_CHECK_EQ(come_of(&w, LONE_SESSION + 4), ROWS_MAX);
    lone_lane_end(&w);
}

/* ---- runs in memory that their sender can still write to ---- */

static struct task *lend_run(struct lone_lane *w, struct run *r)
{
    batch_element_put(r->bytes, &r->head);
    lone_lane_take_lent(w, r->bytes, BATCH_ELEMENT_SIZE + r->head.bytes);
    return w->lane->stages[1]->tasks[0];
}

static void fill_run(struct run *r, uint32_t rows, uint32_t value_len)
{
    begin_run(r);
    for (uint32_t i = 0; i < rows; i++) {
        uint8_t *at = add_row(r, 0, value_len);

        memset(at + ROW_HEADER_SIZE, (int)i + 1, value_len);
    }
}

/* What is left of the run that fill_run() made, row `first` next; wherever it lies now. */
static void take_rows(struct task *t, uint32_t first, uint32_t rows, uint32_t value_len)
{
    struct gp_row views[ROWS_MAX];
    uint32_t port;

    GP_REQUIRE_EQ(inbox_views(t, views, rows, &port), rows);
    for (uint32_t i = 0; i < rows; i++) {
        const uint8_t *value = views[i].value;

        GP_CHECK_EQ(views[i].time_ns, first + i);
        GP_CHECK_EQ(views[i].value_len, value_len);
        GP_CHECK(value[0] == first + i + 1 && value[value_len - 1] == first + i + 1);
    }
    inbox_consume(t, views, rows);
}

GP_TEST(inbox, views_lent_rows_where_they_lie)
{
    struct lone_lane w;
    struct run run;
    struct task *t;

    lone_lane_begin(&w);
    fill_run(&run, 20, 10);
    t = lend_run(&w, &run);
    GP_CHECK_EQ(w.loans, 1);
    compare(t, &run, 7);
    GP_CHECK_EQ(w.loans, 0);
    GP_CHECK(!w.from->failed);
    lone_lane_end(&w);
}

/* At any moment, to anything: rows are what their words said when they were looked at, or
 * nothing. */
GP_TEST(inbox, lent_rows_may_change_at_any_time)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct gp_row views[ROWS_MAX];
        struct lone_lane w;
        struct run run;
        struct task *t;
        struct rng rng;
        uint32_t port;

        rng_init(&rng, seed);
        lone_lane_begin(&w);
        fill_run(&run, 20, 16);
        t = lend_run(&w, &run);
        while (t->in_head) {
            uint32_t n = inbox_views(t, views, 1 + (uint32_t)rng_below(&rng, 6), &port);
            const uint8_t *end = run.bytes + BATCH_ELEMENT_SIZE + run.head.bytes;

            for (uint32_t i = 0; i < n; i++) {
                GP_CHECK((const uint8_t *)views[i].key > run.bytes);
                GP_CHECK((const uint8_t *)views[i].value + views[i].value_len <= end);
            }
            for (uint64_t k = rng_below(&rng, 3); k > 0; k--) {
                put_u64_le(run.bytes + 8 * rng_below(&rng, sizeof(run.bytes) / 8),
                           rng_below(&rng, 2) ? rng_u64(&rng) : row_word0(48, 0, 24, 0, 0));
            }
            if (n > 0) {
                inbox_consume(t, views, n);
            }
        }
        GP_CHECK_EQ(w.loans, 0);
        lone_lane_end(&w);
    }
}

GP_TEST(inbox, copies_what_is_lent_but_for_one_run_of_one_task)
{
    struct lone_lane w;
    struct run run;
    struct task *t;

    lone_lane_begin(&w);
    fill_run(&run, 20, 16);
    run.head.dst = BATCH_DST_ROWS;
    t = lend_run(&w, &run);
    GP_CHECK_EQ(w.loans, 0);
    memset(run.bytes, 0xee, sizeof(run.bytes));
    take_rows(t, 0, 20, 16);

    fill_run(&run, 5, 16);
    run.head.rows = 4; /* and a second run */
    run.head.bytes -= row_size(0, 16);
    batch_element_put(run.bytes, &run.head);
    memmove(run.bytes + BATCH_ELEMENT_SIZE + run.head.bytes + BATCH_ELEMENT_SIZE,
            run.bytes + BATCH_ELEMENT_SIZE + run.head.bytes, row_size(0, 16));
    batch_element_put(
        run.bytes + BATCH_ELEMENT_SIZE + run.head.bytes,
        &(struct batch_element){
            .kind = BATCH_ROWS, .session = LONE_SESSION, .rows = 1, .bytes = row_size(0, 16)});
    lone_lane_take_lent(&w, run.bytes, 2 * BATCH_ELEMENT_SIZE + run.head.bytes + row_size(0, 16));
    GP_CHECK_EQ(w.loans, 0);
    memset(run.bytes, 0xee, sizeof(run.bytes));
    take_rows(t, 0, 5, 16);
    GP_CHECK(!w.from->failed);
    lone_lane_end(&w);
}

GP_TEST(inbox, returns_the_oldest_of_what_is_lent)
{
    struct lone_lane w;
    struct run runs[3];
    struct task *t = NULL;

    lone_lane_begin(&w);
    for (uint32_t i = 0; i < 3; i++) {
        fill_run(&runs[i], 4, 16);
        t = lend_run(&w, &runs[i]);
    }
    take_rows(t, 0, 2, 16);
    GP_CHECK(inbox_return_lent(w.from));
    GP_CHECK_EQ(w.loans, 2);
    memset(runs[0].bytes, 0xee, sizeof(runs[0].bytes));
    take_rows(t, 2, 2, 16);
    take_rows(t, 0, 4, 16); /* the second is done before it is returned */
    GP_CHECK_EQ(w.loans, 1);
    GP_CHECK(inbox_return_lent(w.from));
    GP_CHECK(!inbox_return_lent(w.from));
    GP_CHECK_EQ(w.loans, 0);
    memset(runs[2].bytes, 0xee, sizeof(runs[2].bytes));
    take_rows(t, 0, 4, 16);
    GP_CHECK(t->in_head == NULL);
    lone_lane_end(&w);
}

GP_TEST(inbox, a_neighbour_that_is_lost_gets_all_back)
{
    struct lone_lane w;
    struct run run;
    struct task *t;

    lone_lane_begin(&w);
    fill_run(&run, 4, 16);
    t = lend_run(&w, &run);
    neighbour_lose(w.from);
    GP_CHECK_EQ(w.loans, 0);
    memset(run.bytes, 0xee, sizeof(run.bytes));
    take_rows(t, 0, 4, 16);
    lone_lane_end(&w);
}
