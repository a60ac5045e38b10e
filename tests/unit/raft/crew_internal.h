/*
 * crew_internal.h: shared by crew.c and crew_member.c and by nobody else.
 */
#ifndef TESTS_RAFT_CREW_INTERNAL_H
#define TESTS_RAFT_CREW_INTERNAL_H

#include "crew.h"

/* Of each member; its user is a struct crew_member. */
extern const struct consensus_events crew_events;

/* A member's end of the carrier: letters that are due; one has come. */
void crew_on_timer(void *member);
void crew_on_bell(void *member);

/* One leader in a term, asked whenever anything might have changed. */
void crew_check_leader(struct crew_member *m);

/* The chain as of an index: barriers and changes of members do not move it. */
uint64_t crew_chain_at(const struct crew *crew, uint64_t index);

#endif
