/*
 * members.h: while other things go wrong, a master is taken out of the group, and made a part of it
 * again.
 *
 * Whoever leads is asked, as a person would ask, and asked again after an answer that may pass. It
 * is over when the group is whole.
 */
#ifndef TESTS_SIM_MEMBERS_H
#define TESTS_SIM_MEMBERS_H

#include "sim/cluster.h"

enum members_phase { MEMBERS_NONE, MEMBERS_REMOVING, MEMBERS_ADDING, MEMBERS_WHOLE };

struct members {
    enum members_phase phase;
    uint32_t who;
    char address[32];
    bool is_asked; /* and not answered yet */
    bool was_removed;
    int64_t next_ns; /* when somebody is asked */
    int64_t pause_ns;
    uint32_t asked;
    int code; /* of the latest answer */
};

/* Master number `who` goes after so much time, and may come again after as much. */
void members_begin(struct members *mm, const struct cluster *c, uint32_t who, int64_t after_ns);

/* Before each step. */
void members_step(struct members *mm, struct cluster *c);

/* Nothing is under way. */
bool members_is_over(const struct members *mm);

#endif
