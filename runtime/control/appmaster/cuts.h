/*
 * cuts.h: whom to give up when executors that live cannot reach each other, and where not to begin
 * anew because of it. Pure: numbers in, numbers out.
 *
 * A cut is mutual: each of the two says that it cannot reach the other. One that says so alone
 * means a lane that is busy in user code, or one that has not heard of the other yet.
 */
#ifndef CONTROL_APPMASTER_CUTS_H
#define CONTROL_APPMASTER_CUTS_H

#include <stdbool.h>
#include <stdint.h>

#define SHUNNED_MAX         1024u /* workers */
#define SHUNNED_WAIT_MIN_NS INT64_C(20000000000)
#define SHUNNED_WAIT_MAX_NS INT64_C(600000000000)

/*
 * Marks as few as it takes for all others to reach each other: one after the other whoever is cut
 * from the most of those that are left; among equals who has fewer tasks; then the later.
 *   is_cut  [count * count], symmetric; consumed: afterwards it holds no cut.
 *   tasks   [count]
 *   ret_given_up  [count], zeroed.
 * Returns how many are marked. A greedy vertex cover: it finds the smaller side of a network in
 * two.
 */
uint32_t cuts_choose(bool *is_cut, const uint32_t *tasks, uint32_t count, bool *ret_given_up);

/* A worker that executors are not to come back to for a while. */
struct shunned {
    uint32_t worker;
    int64_t until_ns;
    int64_t wait_ns;
};

struct shunned_list {
    struct shunned *items; /* owned */
    uint32_t count;
};

/* From now on; longer each time it comes again, so that trying whether the network is whole again
 * costs less and less. Without memory or room it is not shunned. */
void shunned_add(struct shunned_list *list, uint32_t worker, int64_t now_ns);
bool shunned_has(const struct shunned_list *list, uint32_t worker, int64_t now_ns);
void shunned_deinit(struct shunned_list *list);

#endif
