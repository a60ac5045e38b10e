/*
 * registry_codec.h: commands and whole registries as bytes, which travel between masters and stand
 * on their disks.
 *
 * A command is one JSON object. A registry is a sequence of records: kind (u8), length (u32,
 * little-endian), JSON; first a header, then the marks of workers, then each application followed
 * by its trees. Both come from field tables, so what is missing takes its default and what is
 * unknown is passed over: a newer master reads what an older one wrote. The same registry always
 * gives the same bytes.
 *
 * Whoever stores them sees to checksums; here every length and every reference is checked. Pure but
 * for the port's JSON reader.
 */
#ifndef CONTROL_MASTER_REGISTRY_CODEC_H
#define CONTROL_MASTER_REGISTRY_CODEC_H

#include "control/master/registry.h"
#include "port/port.h"

extern const struct fields app_fields; /* struct app without its trees */

/* A decoded command with what it points to. */
struct command_box {
    struct command command;
    /* private */
    struct msg_app_submit submit;
    char *token;
    char *error;
    char *name;
    struct msg_restart *restarts;
    struct value *tree;
};

/* Appends. GP_ENOMEM, GP_ETOOBIG (the limit of out). */
int command_encode(const struct command *command, struct buf *out);

/* GP_EPROTO and GP_ETOOBIG with the place; GP_ENOMEM. On failure there is nothing to deinit. */
int command_decode(const struct port *port, gp_bytes bytes, struct command_box *ret,
                   struct gp_error *err);
void command_box_deinit(struct command_box *box);

/* Appends all of it. GP_ENOMEM, GP_ETOOBIG. */
int registry_save(const struct registry *r, struct buf *out);

/* Replaces all of it; unchanged on failure. GP_EPROTO, GP_ETOOBIG, GP_ENOMEM. */
int registry_load(struct registry *r, const struct port *port, gp_bytes bytes,
                  struct gp_error *err);

/* ---- between registry.c and the codec ---- */

/* Adds one with an id above all others, as it is. GP_EEXIST: its request is known; GP_ENOMEM. On
 * failure it stays the caller's. */
int registry_add_take(struct registry *r, struct app *app);
void app_free(struct app *app); /* NULL is fine */

/* A mark for a worker that has none. GP_EFULL, GP_ENOMEM. */
int registry_add_mark(struct registry *r, uint32_t worker, const char *name, bool force);

#endif
