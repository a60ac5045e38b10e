/*
 * payload.h: structs with a field table to and from the JSON inside a frame.
 */
#ifndef ACTOR_PAYLOAD_H
#define ACTOR_PAYLOAD_H

#include "base/buf.h"
#include "port/port.h"
#include "wire/fields.h"

/*
 * Fills ret from JSON text; no bytes at all stand for {}. GP_EPROTO with the path of what is wrong,
 * GP_ENOMEM; ret is zeroed then. Free it with fields_deinit().
 */
int payload_decode(const struct port *port, const struct fields *table, gp_bytes bytes, void *ret,
                   struct gp_error *err);

/*
 * Appends JSON, padded with blanks to a multiple of 8 so that frames stay aligned in the reader's
 * buffer. from NULL: {}. GP_ENOMEM, GP_ETOOBIG.
 */
int payload_encode(const struct fields *table, const void *from, struct buf *out);

#endif
