/*
 * What a neighbour may say of credit, and when. The one that speaks here has a token of the
 * application, and is wrong or means harm.
 */
#include "data/neighbour.h"
#include "data/output.h"
#include "gp_test.h"
#include "lone_lane.h"

#define FOREIGN LONE_SINKS /* the sink that lives with the neighbour */

#define PAYLOAD 60000u
#define BATCH   (BATCH_ELEMENT_SIZE + ROW_HEADER_SIZE + PAYLOAD)

static void say(struct lone_lane *w, uint32_t kind, uint32_t edge, uint32_t dst, uint32_t bytes)
{
    uint8_t entry[BATCH_CREDIT_SIZE];

    batch_credit_put(
        entry, &(struct batch_credit){.kind = kind, .edge = edge, .dst = dst, .bytes = bytes});
    lone_lane_take_credit(w, entry, sizeof(entry));
}

static int32_t credit_of(const struct lone_lane *w)
{
    return w->lane->out_edges[0]->credit[FOREIGN];
}

/* An opening sets the accounts to the window less what is pending: credit before its end, for rows
 * of the connection before, would be given twice. */
GP_TEST(neighbour, refuses_credit_within_an_opening)
{
    static const uint32_t kinds[] = {BATCH_CREDIT_BYTES, BATCH_CREDIT_LARGE, BATCH_CREDIT_DONE,
                                     BATCH_CREDIT_MOVE};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        struct lone_lane w;

        lone_lane_begin(&w);
        neighbour_lose(w.from);
        say(&w, BATCH_CREDIT_OPEN, 10, 0, 0);
        GP_CHECK(!w.from->failed);
        say(&w, kinds[i], 0, FOREIGN, 2);
        GP_CHECK(w.from->failed);
        GP_CHECK_EQ(credit_of(&w), 0);
        lone_lane_go(&w);
        lone_lane_end(&w);
    }
}

GP_TEST(neighbour, refuses_credit_for_what_was_not_sent)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    say(&w, BATCH_CREDIT_BYTES, 0, FOREIGN, 0);
    GP_CHECK(!w.from->failed);
    say(&w, BATCH_CREDIT_BYTES, 0, FOREIGN, 1);
    GP_CHECK(w.from->failed);
    GP_CHECK_EQ(credit_of(&w), LONE_WINDOW);
    lone_lane_end(&w);
}

/* Pending bytes lower an account. However many entries say so, it stays where later draws of rows
 * cannot make it wrap. */
GP_TEST(neighbour, bounds_what_an_opening_may_call_pending)
{
    uint32_t said = 0;
    struct lone_lane w;

    lone_lane_begin(&w);
    neighbour_lose(w.from);
    say(&w, BATCH_CREDIT_OPEN, 10, 0, 0);
    while (!w.from->failed && said < 8) {
        say(&w, BATCH_CREDIT_PENDING, 0, FOREIGN, INT32_MAX / 4);
        said++;
    }
    GP_CHECK(w.from->failed);
    GP_CHECK(credit_of(&w) >= INT32_MIN / 2);
    lone_lane_go(&w);
    lone_lane_end(&w);
}

/* Less, and a sender is woken more often than it need be; more, and it waits in vain. */
GP_TEST(neighbour, gives_credit_back_by_halves_of_the_window_it_told)
{
    struct lone_lane w;

    lone_lane_begin_telling(&w, 4 * LONE_WINDOW);
    GP_CHECK_EQ(w.from->window_in, 4 * LONE_WINDOW);
    for (uint32_t e = 0; e < LONE_EDGES; e++) {
        GP_CHECK_EQ(w.from->inlinks[e]->owed_max, 2 * LONE_WINDOW);
        GP_CHECK(w.from->inlinks[e]->taken_max >= 4 * LONE_WINDOW);
    }
    lone_lane_end(&w);
}

GP_TEST(neighbour, opens_accounts_at_the_window_less_what_is_pending)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    neighbour_lose(w.from);
    GP_CHECK_EQ(credit_of(&w), 0);
    say(&w, BATCH_CREDIT_OPEN, 100, 0, 0);
    say(&w, BATCH_CREDIT_PENDING, 0, FOREIGN, 130);
    say(&w, BATCH_CREDIT_READY, 0, 0, 0);
    GP_CHECK_EQ(credit_of(&w), -30);
    say(&w, BATCH_CREDIT_BYTES, 0, FOREIGN, 130);
    GP_CHECK_EQ(credit_of(&w), 100);
    GP_CHECK(!w.from->failed);
    lone_lane_go(&w);
    lone_lane_end(&w);
}

/* ---- what it sends ---- */

/* What a link may have taken: see inbox.h. */
#define ROUND_ONE_MAX (LONE_SINKS * (LONE_WINDOW + BATCH_BODY_SIZE) + LONE_MESSAGE_MAX)
#define ROUND_BATCHES (ROUND_ONE_MAX / (ROW_HEADER_SIZE + PAYLOAD)) /* that fit */
#define LATER         5u /* a generation that this lane has not taken */

static uint8_t batch[BATCH]; /* lives as long as any lane */

/* One row as large as a batch takes, for sink 0. */
static void send_row(struct lone_lane *w)
{
    const struct batch_element head = {
        .kind = BATCH_ROWS, .bytes = ROW_HEADER_SIZE + PAYLOAD, .rows = 1, .session = LONE_SESSION};

    batch_element_put(batch, &head);
    row_put_header(batch + BATCH_ELEMENT_SIZE, ROW_HEADER_SIZE + PAYLOAD, 0, PAYLOAD, 0, 0, 0, 0);
    lone_lane_take_batch(w, batch, sizeof(batch));
}

static void connect_again(struct lone_lane *w)
{
    neighbour_lose(w->from);
    w->from->failed = false;
    neighbour_tell_opening(w->from);
    say(w, BATCH_CREDIT_OPEN, LONE_WINDOW, 0, 0);
    say(w, BATCH_CREDIT_READY, 0, 0, 0);
}

/* Its memory is what credit is for: who sends on without it is cut off, whatever it may be. */
GP_TEST(neighbour, ends_where_one_sends_more_than_its_credit)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    for (uint32_t i = 0; i < ROUND_BATCHES; i++) {
        send_row(&w);
        GP_CHECK(!w.from->failed);
    }
    send_row(&w);
    GP_CHECK(w.from->failed);
    GP_CHECK_EQ(counter_get(&w.lane->stats.overdrawn), 1);
    GP_CHECK_EQ(counter_get(&w.lane->stats.bad_batches), 0);
    lone_lane_go(&w);
    lone_lane_end(&w);
}

GP_TEST(neighbour, takes_what_it_gave_credit_for_again_and_again)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    for (uint32_t i = 0; i < 10 * ROUND_BATCHES; i++) {
        send_row(&w);
        lone_lane_go(&w);
    }
    GP_CHECK(!w.from->failed);
    lone_lane_end(&w);
}

/* Another connection is no way to more: what is not consumed is pending in it. */
GP_TEST(neighbour, holds_against_a_new_connection_what_came_on_the_last)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    for (uint32_t i = 0; i < ROUND_BATCHES; i++) {
        send_row(&w);
    }
    connect_again(&w);
    send_row(&w);
    GP_CHECK(w.from->failed);
    lone_lane_go(&w); /* all is consumed */
    connect_again(&w);
    for (uint32_t i = 0; i < ROUND_BATCHES; i++) {
        send_row(&w);
    }
    GP_CHECK(!w.from->failed);
    lone_lane_end(&w);
}

/* Nothing is read behind the mark of a placement that this lane does not have, but it is held. */
GP_TEST(neighbour, bounds_what_waits_behind_a_mark)
{
    uint32_t sent = 0;
    struct lone_lane w;

    lone_lane_begin(&w);
    lone_lane_take_mark(&w, LATER);
    while (!w.from->failed && sent < 1000) {
        send_row(&w);
        sent++;
    }
    GP_CHECK(w.from->failed);
    GP_CHECK(sent > ROUND_BATCHES);
    GP_CHECK(w.from->held_bytes < UINT64_C(8) << 20);
    GP_CHECK_EQ(counter_get(&w.lane->stats.overdrawn), 1);
    connect_again(&w);
    GP_CHECK_EQ(w.from->held_bytes, 0);
    lone_lane_end(&w);
}

/* An account of a task that moves is lowered so far that nobody draws on it: no window reaches
 * there. */
GP_TEST(neighbour, refuses_a_window_that_a_move_could_not_hold)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    neighbour_lose(w.from);
    say(&w, BATCH_CREDIT_OPEN, OUT_EDGE_HOLD, 0, 0);
    GP_CHECK(w.from->failed);
    lone_lane_end(&w);
}

GP_TEST(neighbour, holds_the_account_of_a_task_that_moves)
{
    struct lone_lane w;

    lone_lane_begin(&w);
    lone_lane_place(&w, (gp_bytes){0}); /* it leaves */
    GP_CHECK(credit_of(&w) < 0);
    say(&w, BATCH_CREDIT_BYTES, 0, FOREIGN, 1000000); /* taken for an old session's, and cut */
    lone_lane_go(&w);
    GP_CHECK_EQ(credit_of(&w), (int32_t)LONE_WINDOW - OUT_EDGE_HOLD);
    lone_lane_end(&w);
}
