/*
 * What a neighbour may say of credit, and when. The one that speaks here has a token of the
 * application, and is wrong or means harm.
 */
#include "data/neighbour.h"
#include "data/output.h"
#include "gp_test.h"
#include "lone_lane.h"

#define FOREIGN LONE_SINKS /* the sink that lives with the neighbour */

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
    static const uint32_t kinds[] = {BATCH_CREDIT_BYTES, BATCH_CREDIT_LARGE, BATCH_CREDIT_DONE};

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
