/*
 * engine_internal.h: shared by engine.c (threads and phases) and engine_update.c (what the lanes
 * are to run, and its changes).
 */
#ifndef DATA_ENGINE_INTERNAL_H
#define DATA_ENGINE_INTERNAL_H

#include "data/engine.h"

#define HOST_NAME_MAX_BYTES 256

/* One update, from its arrival until all lanes have taken it. */
struct engine_change {
    struct engine_change *next;
    struct lane_update update; /* borrows from the rest */
    struct topology *topology; /* owned until it is the engine's */
    struct stream_place *places;
    struct lane_state *states;
    uint8_t *bytes; /* of states */
};

struct engine {
    struct engine_spec spec;
    struct doorbell *bell;
    struct lane_host **hosts;
    struct lane **lanes; /* [lane_count], NULL before assign */
    uint32_t lane_count;
    struct stream_identity identity;
    char host[HOST_NAME_MAX_BYTES];
    struct topology *topology;     /* that all lanes have */
    struct engine_change *changes; /* the first is being taken, the rest waits; in order */
    uint64_t generation;           /* of the latest that all lanes have */
    struct lane_env env;
    bool told_ready;
    bool told_opened;
    bool told_ended;
    bool told_stopped;
    bool stopping;
    bool starting; /* engine_start() was called */
};

/* Where every lane of a topology is that a lane of this process may be connected to by a stream;
 * one for each, some unset. Freed by the caller. */
int engine_find_places(const struct engine *e, const struct engine_job *job,
                       const struct topology *topology, struct stream_place **ret,
                       struct gp_error *err);

/* Moves on when all lanes have taken a change. */
void engine_step_changes(struct engine *e);
void engine_free_changes(struct engine *e);

#endif
