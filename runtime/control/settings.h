/*
 * settings.h: what a daemon was told, for a client that asks (MSG_SETTINGS).
 *
 * What settings there are only the program knows that read them: it gives a way to list them.
 */
#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include "actor/endpoint.h"
#include "base/value.h"

struct settings_source {
    struct value *(*list)(const void *user); /* a new list; NULL: no memory */
    const void *user;                        /* outlives the daemon */
};

/* Answers with all of them. GP_EUNSUPPORTED: this daemon was given none to tell. */
int settings_reply(const struct settings_source *from, struct endpoint *ep,
                   struct reply_token token);

#endif
