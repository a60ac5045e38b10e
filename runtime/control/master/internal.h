/*
 * internal.h: the master's own state, shared by its files and by nobody else.
 *
 *   master.c    the node: connections, keys, who may ask what
 *   uploads.c   artefacts coming in and going out
 *   apps.c      life of applications: submit, launch, end
 *   slots.c     slots for their executors
 *   queries.c   what clients ask to see
 */
#ifndef CONTROL_MASTER_INTERNAL_H
#define CONTROL_MASTER_INTERNAL_H

#include "base/list.h"
#include "base/log.h"
#include "control/artefacts.h"
#include "control/master/master.h"
#include "control/master/registry.h"
#include "control/master/workers.h"

/* The soft side of a live application: where its appmaster is. */
struct app_place {
    struct master *master;
    uint32_t app; /* 0: this place is free */
    uint32_t worker;
    uint64_t peer; /* of the appmaster; 0: not registered */
    int64_t pid;
    bool stopping;          /* somebody killed it */
    struct timer *deadline; /* to register, or to stop */
};

/* A client that waits for a change, or for the end of a kill. */
struct waiter {
    struct reply_token token;
    uint32_t app;
    uint64_t seen_version;
    int64_t deadline_ns;
    bool kill; /* answered when the application has ended, with a summary */
};

struct upload {
    uint64_t id; /* 0: free */
    uint64_t peer;
    struct artefact_in in;
};

/* First member of what waits for the answer of a peer, which may never come: see pending_new(). */
struct pending {
    struct list_node node; /* master.pending */
    struct master *master;
};

struct master {
    const struct port *port;
    struct endpoint *ep;
    char address[NET_ADDR_MAX];
    char cluster[64];
    struct conn_key secret;
    char **plugin_dirs;
    uint32_t plugin_dir_count;
    int64_t start_timeout_ns;
    struct artefacts artefacts;
    struct registry registry;
    struct workers workers;
    struct app_place places[APPS_LIVE_MAX];
    struct waiter waiters[WAITERS_MAX];
    uint32_t waiter_count;
    struct timer *waiter_timer;
    struct upload uploads[UPLOADS_MAX];
    uint64_t next_upload;
    struct list pending;
};

static inline const struct log *master_log(const struct master *m)
{
    return m->port->log;
}

int64_t master_wall_ms(const struct master *m);

/* A zeroed struct of this size, which begins with a struct pending; freed with the master unless
 * pending_free() comes first. NULL without memory. */
void *pending_new(struct master *m, size_t size);
void pending_free(void *pending); /* NULL is fine */

/* ---- uploads.c ---- */

int uploads_offer(struct master *m, struct peer *peer, const struct msg_artefact_offer *offer,
                  struct msg_artefact_place *ret, struct gp_error *err);
int uploads_chunk(struct master *m, struct peer *peer, gp_bytes payload,
                  struct msg_artefact_received *ret, struct gp_error *err);
void uploads_peer_down(struct master *m, uint64_t peer);
int uploads_get(struct master *m, const struct msg_artefact_get *get, struct buf *ret,
                struct gp_error *err);
int uploads_resolve(struct master *m, const char *name, struct msg_plugin_resolved *ret,
                    struct gp_error *err);
/* Reads the note of an artefact that is here. */
int uploads_inspect(struct master *m, gp_str sha, struct gp_note *ret_note, struct gp_error *err);

/* ---- apps.c ---- */

int apps_submit(struct master *m, struct msg_app_submit *submit, struct msg_app_submitted *ret,
                struct gp_error *err);
int apps_kill(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
              struct gp_error *err);
int apps_register(struct master *m, struct peer *peer, const struct msg_appmaster_register *msg,
                  struct reply_token token, struct gp_error *err);
int apps_plan_put(struct master *m, struct peer *peer, const struct msg_plan_put *msg,
                  struct gp_error *err);
int apps_placement_put(struct master *m, struct peer *peer, const struct msg_placement_put *msg,
                       struct gp_error *err);
int apps_state(struct master *m, struct peer *peer, const struct msg_app_state *msg,
               struct gp_error *err);
void apps_process_exited(struct master *m, const struct msg_process_exited *msg);
void apps_peer_down(struct master *m, uint64_t peer, const struct gp_error *why);
void apps_worker_down(struct master *m, uint32_t worker, const char *name);
struct app_place *apps_place(struct master *m, uint32_t app);
/* The application that this peer is the appmaster of, or NULL. */
struct app *apps_of_peer(struct master *m, struct peer *peer);
void apps_deinit(struct master *m);

/* The application of this peer, if the message is about it and of its present appmaster. GP_EACCES,
 * GP_ESTALE, GP_ESTATE. */
int apps_speaker(struct master *m, struct peer *peer, uint32_t id, uint32_t epoch,
                 struct app **ret_app, struct app_place **ret_place, struct gp_error *err);
/* Offers slots to a worker; fn gets its answer. */
int apps_offer(struct master *m, const struct app *app, const struct worker_entry *entry,
               uint32_t slots, answer_fn fn, void *user);

/* ---- slots.c ---- */

int slots_request(struct master *m, struct peer *peer, const struct msg_slots_request *msg,
                  struct reply_token token, struct gp_error *err);
void slots_release(struct master *m, struct peer *peer, const struct msg_slots_release *msg);
/* A worker came again with grants of before: books them, or has it end what is over. */
void slots_keep(struct master *m, const struct worker_entry *entry);

/* ---- queries.c ---- */

void app_summary(const struct app *app, struct msg_app_summary *ret); /* borrows from app */
int queries_cluster_info(struct master *m, struct reply_token token);
int queries_workers(struct master *m, const struct msg_worker_list *list, struct reply_token token);
int queries_apps(struct master *m, const struct msg_app_list *list, struct reply_token token);
int queries_describe(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
                     struct gp_error *err);
int queries_wait(struct master *m, const struct msg_app_wait *wait, struct reply_token token,
                 struct gp_error *err);
int waiters_add(struct master *m, const struct waiter *waiter, struct gp_error *err);
/* Something about this application changed: answers those who wait for it. */
void waiters_notify(struct master *m, const struct app *app);
void on_waiter_timer(void *user);

#endif
