/*
 * address.h: the names of actors.
 *
 *     master              any master; which one is a matter of where it listens
 *     worker/3            worker/0: a worker that has not been given its id yet
 *     app/7               the appmaster of application 7
 *     app/7/executor/2
 *     app/7/executor/2/lane/0
 *     client
 *
 * A name says which actor, the incarnation beside it (a random number drawn at the start of each
 * process) which life of it: a message to yesterday's process is refused, not misdelivered.
 */
#ifndef ACTOR_ADDRESS_H
#define ACTOR_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"
#include "wire/hello.h"

#define ADDRESS_TEXT_MAX 64 /* bytes, with the zero */

struct address {
    uint32_t role; /* enum role: ROLE_APPMASTER is app/N */
    uint32_t app;
    uint32_t id; /* of the worker or executor */
    uint32_t lane;
};

/* GP_EINVAL: not a name. Numbers are decimal, without leading zeros. */
int address_parse(gp_str text, struct address *ret);

/* Always terminated; returns out. */
const char *address_format(const struct address *address, char out[ADDRESS_TEXT_MAX]);

bool address_equal(const struct address *a, const struct address *b);

#endif
