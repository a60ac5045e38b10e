/*
 * worker.h: the daemon of a host, as one actor: offers slots, starts and ends processes.
 *
 * It looks for the leader among its masters for ever, and may be there before it; its processes go
 * on when there is none. The master offers grants, room for one application (grant.offer), which
 * the worker books or refuses: the worker is the ledger of its slots, and only granted applications
 * have a key here. A grant lets the master start an appmaster and that appmaster start executors,
 * as child processes; the plugins they need are fetched from the master into the worker's own store
 * first. What children write is kept and served (log.read); how they end is told to master and
 * appmaster (process.exited).
 *
 * Fails when: the port is taken, the data directory cannot be used. Later nothing ends a worker: no
 * master, a full disk, a child that cannot be started are refused, logged and survived. When an
 * application loses its grant, its children are asked to end, and killed STOP_TIMEOUT_NS later.
 *
 * One loop, one thread. Everything through port.
 * Events logged: worker.started, worker.registered, worker.refused, master.lost, master.changed,
 * master.stale, master.unreachable, grant.accepted, grant.refused, grant.revoked, artefact.fetched,
 * artefact.fetch_failed, artefact.damaged, appmaster.launched, executor.launched,
 * process.launch_failed, process.exited, process.crashed, process.killed, process.log_failed.
 */
#ifndef CONTROL_WORKER_WORKER_H
#define CONTROL_WORKER_WORKER_H

#include "actor/endpoint.h"
#include "base/value.h"
#include "control/limits.h"
#include "control/settings.h"

struct worker;

struct worker_options {
    const struct port *port;    /* borrowed, outlives the worker */
    const char *const *masters; /* "host:port" each */
    uint32_t master_count;      /* 1 .. MSG_MASTERS_MAX */
    const char *bind;           /* "host:port"; port 0: a free one */
    const char *advertise;      /* host, or "host:port", for others; NULL: as bound */
    const char *name;           /* for people; NULL: as it listens */
    char *const *labels;        /* "KEY=VALUE" each; for tasks that want such a worker */
    uint32_t label_count;       /* up to MSG_LABELS_MAX */
    uint32_t slots;             /* 0: SLOTS_DEFAULT */
    uint32_t lanes;             /* of each executor; 0: by cores */
    bool pin_lanes;             /* to cores, in turn */
    uint32_t first_core;        /* ... from this one on */
    const char *data_dir;       /* absolute; made when missing: artefacts and logs */
    const char *sockets_dir;    /* for Unix sockets of executors, made with mode 0700; NULL: none */
    gp_bytes secret;            /* key "cluster"; copied */
    const struct value *data;   /* data plane settings for executors; copied; NULL: defaults */
    uint64_t artefact_max;      /* bytes; 0: ARTEFACT_SIZE_MAX_BYTES */
    struct settings_source settings; /* for who asks; zeroed: nothing is told */
    struct endpoint_limits limits;
};

/* Listens from now on and looks for its master. Strings are copied. */
int worker_new(const struct worker_options *options, struct worker **ret, struct gp_error *err);

/* Kills all children and ends all connections. NULL is fine. */
void worker_free(struct worker *w);

/* Whether a master knows it, just now. */
bool worker_is_registered(const struct worker *w);

/* "host:port" that others reach it by. */
const char *worker_address(const struct worker *w);

/* What it knows of itself. host and counts are borrowed. */
struct worker_figures {
    uint32_t worker; /* id; 0: none yet */
    const char *host;
    uint32_t slots;
    uint32_t slots_used;
    uint32_t processes;
    const struct endpoint_counts *counts;
};
void worker_figures(const struct worker *w, struct worker_figures *ret);

/* Children that have not ended. */
uint32_t worker_process_count(const struct worker *w);

#endif
