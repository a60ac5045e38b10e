/*
 * inside.h: a whole cluster inside this process, for `gpctl run`: master, workers and what they
 * start, as nodes on the main loop; lanes are threads as ever.
 *
 *     inside_new -> inside_world() for everybody -> inside_start -> ... -> inside_free
 *
 * Files stand in a folder of its own (process_dir_base()), removed at the end; nothing of the
 * user's is read or made: no secret, no data folder.
 */
#ifndef APP_INSIDE_H
#define APP_INSIDE_H

#include "app/config.h"
#include "edge/world.h"

struct inside;

/* level: of what master, workers and appmaster say; what the job says is always shown. */
int inside_new(const struct config *config, enum log_level level, struct inside **ret,
               struct gp_error *err);

struct edge_world *inside_world(struct inside *in);

/* Starts master and workers; runs the loop until all are registered. */
int inside_start(struct inside *in, uint32_t worker_count, struct gp_error *err);

/* For a client; borrowed. */
const char *inside_master(const struct inside *in);
gp_bytes inside_secret(const struct inside *in);

/* Ends whatever runs, waits for it, removes the folder, frees the world. NULL is fine. */
void inside_free(struct inside *in);

#endif
