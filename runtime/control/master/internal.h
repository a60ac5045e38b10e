/*
 * internal.h: the master's own state, shared by its files and by nobody else.
 *
 *   master.c     the node: connections, keys
 *   requests.c   who may ask what
 *   proposals.c  how the registry changes
 *   group.c      this master as a member of the group: who leads, who belongs to it
 *   room.c       its disk is full: another one leads
 *   links.c      connections between masters
 *   founding.c   how a group of them begins
 *   apps.c       what clients and appmasters want of applications
 *   places.c     where appmasters are, and how their lives end
 *   launches.c   how their next lives begin
 *   queue.c      those that wait for slots, and who goes first
 *   fit.c        what fits where (pure)
 *   uploads.c    artefacts coming in and going out
 *   copies.c     artefacts on other masters
 *   registrations.c  workers that come
 *   drain.c      workers that are to be left, tasks that are to be spread
 *   drains.c     what clients ask of that
 *   slots.c      slots for executors
 *   queries.c    what clients ask to see
 *   events.c     what happened lately
 *   news.c       what an appmaster's record says of that
 *   restarts.c   applications once more
 *   history.c    what appmasters tell of their applications, and its past
 *
 * The registry is changed by proposals alone: a handler checks, proposes and goes on when its
 * command was applied, or not. In between everything may have changed: a continuation looks up anew
 * what it works on.
 */
#ifndef CONTROL_MASTER_INTERNAL_H
#define CONTROL_MASTER_INTERNAL_H

#include "base/hist.h"
#include "base/list.h"
#include "base/log.h"
#include "control/artefacts.h"
#include "control/budget.h"
#include "control/master/history.h"
#include "control/master/master.h"
#include "control/master/registry.h"
#include "control/master/workers.h"
#include "raft/consensus.h"

#define LINKS_MAX 24u /* to and from other masters */

/* See the drawing in places.c. */
enum place_phase { PLACE_WAITING, PLACE_STARTING, PLACE_UP, PLACE_LOST, PLACE_PAUSED };

/* Slots for executors on one worker. */
struct app_hold {
    uint32_t worker;
    uint32_t slots;
};

/* The soft side of a live application: where its appmaster is. */
struct app_place {
    struct master *master;
    uint32_t app; /* 0: this place is free */
    uint32_t phase;
    uint32_t worker;     /* with a slot for the appmaster; 0: none */
    uint32_t refusals;   /* workers that would not start it, one after the other */
    uint32_t refused_by; /* the latest of them */
    uint64_t peer;       /* of the appmaster; 0: not connected */
    int64_t pid;
    char address[MSG_ADDRESS_MAX + 1]; /* of the appmaster, as it registered */
    bool is_proposing;   /* its next epoch is proposed: what is heard is of the one before */
    bool is_offered;     /* the worker was offered that slot */
    bool is_noted;       /* it is said that the application waits */
    bool is_stopping;    /* it was asked to stop */
    bool is_ending;      /* its end is proposed */
    uint32_t mutes;      /* lives that fell silent before there was a plan */
    bool is_moved;       /* nothing went wrong: its next life costs nothing */
    bool leaves;         /* its appmaster may believe that there are workers to leave */
    uint64_t telling;    /* app.rebalance under way; 0: none */
    struct timer *timer; /* deadline or pause: as the phase says */
    uint32_t need_slots; /* for all its tasks, as its plan says; 0: not known yet */
    struct msg_slots_place *need_places; /* some of them */
    uint32_t need_places_count;
    bool is_admitted;      /* it may begin: room is kept until it asks */
    bool is_blocking;      /* it does not fit, and nobody behind it begins: see queue.c */
    int64_t turn_ns;       /* it has begun and got no slots yet: until then nobody behind it does */
    int64_t trouble_ns;    /* until then it recovers before others begin */
    uint32_t want;         /* slots, for that; 0: it has not said */
    char why[256];         /* it waits */
    bool is_held_known;    /* the appmaster said what it holds: ... */
    struct app_hold *held; /* ... that, and what was granted since */
    uint32_t held_count;
    bool lives_on; /* slots were taken back of processes that may not have heard of it */
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

/* A client that waits for events. */
struct event_waiter {
    struct reply_token token;
    uint64_t after;
    uint32_t limit;
    int64_t deadline_ns;
};

struct cluster_events {
    uint64_t last;                              /* number of the latest; 0: none yet */
    struct msg_cluster_event ring[EVENTS_KEPT]; /* by number; text owned */
    struct event_waiter waiters[EVENT_WAITERS_MAX];
    uint32_t waiter_count;
    struct timer *timer;
};

/* First member of what waits for the answer of a peer, which may never come: see pending_new(). */
struct pending {
    struct list_node node; /* master.pending */
    struct master *master;
    void (*deinit)(void *pending); /* of what it owns, before it is freed; may be NULL */
};

/* Another master that we dial. */
struct link {
    struct peer *peer; /* NULL: free */
    char address[NET_ADDR_MAX];
    bool is_newcomer; /* nobody listed it: it wants to be added */
    bool is_heard;    /* the rest holds */
    bool is_formed;
    bool is_ours; /* formed, and of our group: at least it joined, maybe as a member */
    uint64_t id;
};

/* Another master that dialled us, and said hello. */
struct caller {
    struct peer *peer; /* NULL: free */
    char address[NET_ADDR_MAX];
    bool is_formed;
    uint64_t id;
};

struct master {
    const struct port *port;
    struct endpoint *ep;
    struct settings_source settings;
    char address[NET_ADDR_MAX];
    char listed[NET_ADDR_MAX]; /* the same as the list of masters has it */
    char *masters[MSG_MASTERS_MAX];
    uint32_t masters_count;
    char *data_dir;
    uint64_t incarnation;

    /* the group */
    struct consensus *consensus; /* NULL: its disk could not be read again */
    uint64_t member;             /* our id, also before we belong to a group */
    bool leads;
    uint64_t term;    /* in which we lead */
    bool is_torn;     /* the registry misses a command: it is read anew */
    bool is_stranger; /* a leader of our group says that we are none of it */
    bool is_retired;
    bool is_giving_way;  /* the lead, for lack of room on our disk: room.c */
    int64_t gave_way_ns; /* when; 0: never */
    uint32_t way_next;   /* of the members, to be asked for room */
    uint64_t way_asked;  /* who was asked last */
    uint32_t way_room;   /* how many have room */
    uint64_t way_to;     /* the first of them */
    struct timer *reread_timer;
    struct timer *retire_timer;
    struct link links[LINKS_MAX];
    struct caller callers[LINKS_MAX];

    char cluster[64];
    struct conn_key secret;
    char **plugin_dirs;
    uint32_t plugin_dir_count;
    int64_t start_timeout_ns;
    uint32_t restarts; /* of an application ... */
    int64_t restarts_window_ms;
    struct artefacts artefacts;
    struct registry registry;
    struct workers workers;
    struct app_place places[APPS_LIVE_MAX];
    struct waiter waiters[WAITERS_MAX];
    uint32_t waiter_count;
    struct timer *waiter_timer;
    struct timer *drain_timer; /* the next round of drain.c: */
    bool is_round_due;
    struct timer *balance_timer; /* workers have joined */
    struct timer *seek_timer;    /* who waits may go before those that recover */
    uint32_t snapshot_entries;
    bool is_balanced; /* tasks are spread whenever one joins */
    struct upload uploads[UPLOADS_MAX];
    uint64_t next_upload;
    struct list pending;
    struct list pulls;
    struct list proposals;
    struct list restarting; /* restarts.c: their old ones are to end */
    struct cluster_events events;
    struct list grantings; /* slots.c */
    uint64_t next_serial;
    struct history *history;
    uint64_t elections; /* won */
    struct hist apply;  /* ns from proposed to applied */
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

/* ---- requests.c ---- */

/* endpoint_events.on_message of a struct master. */
int requests_take(void *user, struct peer *peer, struct incoming *in, struct gp_error *err);

/* ---- proposals.c ---- */

/* How a proposal ended. */
struct outcome {
    int code;                   /* 0, or negative: what registry_apply() said, or it did not come so
                                   far: GP_ENOTLEADER, GP_ECANCELED (it may be applied later) ... */
    const struct gp_error *err; /* when negative */
    struct app *app;            /* the command was about, if it is known and the code is 0 */
    uint32_t worker;            /* WORKER: the new id */
};
typedef void (*proposed_fn)(struct master *m, void *user, const struct outcome *outcome);

/* Proposes a command, its time and number filled in. fn comes once, from the loop, unless a
 * negative code is returned: GP_ENOMEM, GP_EFULL, GP_ETOOBIG, GP_ENOTLEADER, GP_EIO. It comes not
 * at all when the master is freed before. */
int master_propose(struct master *m, const struct command *command, proposed_fn fn, void *user,
                   struct gp_error *err);

/* The same for a handler whose answer is an empty reply, once the command is applied. */
int master_propose_for(struct master *m, const struct command *command, struct reply_token token,
                       struct gp_error *err);

/* A committed command. GP_ENOMEM: the registry is not what it should be. */
int proposals_apply(struct master *m, gp_bytes bytes);
void proposals_deinit(struct master *m);

/* ---- group.c ---- */

int group_open(struct master *m, struct gp_error *err);
void group_status(const struct master *m, struct consensus_status *ret);
/* Role, leader or members may have changed. */
void group_changed(struct master *m);
/* Throws away what only a leader has. */
void group_lead_end(struct master *m);
/* GP_ENOTLEADER, and why. */
int group_check_leads(const struct master *m, struct gp_error *err);
bool group_is_several(const struct master *m);
/* Where all masters listen; list points into texts. */
uint32_t group_masters(const struct master *m, char texts[CONSENSUS_MEMBERS_MAX][NET_ADDR_MAX],
                       char *list[CONSENSUS_MEMBERS_MAX]);
int group_add(struct master *m, const struct msg_master_ref *ref, struct reply_token token,
              struct gp_error *err);
int group_remove(struct master *m, const struct msg_master_ref *ref, struct reply_token token,
                 struct gp_error *err);
void on_reread_timer(void *user);

/* ---- room.c ---- */

/* How a handler ends whose code this is. Without room on our disk (GP_ENOSPC) a master that has
 * some is made to lead, and whoever asked goes there: GP_ENOTLEADER. GP_ENOSPC: there is none. */
int room_give_way(struct master *m, int code, struct gp_error *err);
/* GP_ENOSPC, GP_EIO: our disk has none. */
int room_check(struct master *m, struct gp_error *err);

/* ---- founding.c ---- */

bool master_is_formed(const struct master *m); /* it belongs to a group */
/* Who are we? Alone, a group begins here. */
int founding_begin(struct master *m, struct gp_error *err);
int founding_found(struct master *m, const struct msg_master_found *msg, struct gp_error *err);
int founding_join(struct master *m, const struct msg_master_join *msg, struct gp_error *err);
int founding_ask(struct master *m, const char *address, uint64_t id, answer_fn fn, void *user);
/* Begins a group, if all that are listed are here and it is ours to begin. */
void founding_try(struct master *m);
/* Somebody at the other end of a link has not begun, we have. */
void founding_help(struct master *m, struct link *link);

/* ---- links.c ---- */

struct link *links_at(struct master *m, const char *address); /* NULL: none */
struct link *links_of(struct master *m, const struct peer *peer);
/* Whoever has begun says so to those that wait. */
void links_say_again(struct master *m);

/* Dials those that are new, drops those that are no more. */
void links_refresh(struct master *m);
void links_send(struct master *m, const char *address, gp_bytes bytes);
bool links_is_up(struct master *m, const char *address);
/* At this address is one that belongs to no group, or to ours under another id or no more. */
bool links_is_waiting(struct master *m, const char *address, uint64_t id);
/* The addresses of those that wait at none of a member; *cursor begins with 0. NULL: no more. */
const char *links_newcomer(struct master *m, uint32_t *cursor);
/* We lead: those who may not know whether they are members are told. */
void links_lead(struct master *m);
/* Not another one at its address, which lost its disk. */
bool links_is_member(struct master *m, const char *address, uint64_t id);
bool links_up(struct master *m, struct peer *peer); /* false: no master that we dialled */
void links_down(struct master *m, struct peer *peer);
void links_frame(struct master *m, struct peer *peer, const struct frame_header *header,
                 const void *payload);
int links_hello(struct master *m, struct peer *peer, const struct msg_master_hello *msg,
                struct reply_token token, struct gp_error *err);
/* The id of one at this address that belongs to no group, or to ours; 0: not known. */
uint64_t links_find_newcomer(struct master *m, const char *address);
/* The next one that is up; *cursor begins with 0. NULL: no more. */
struct peer *links_peer(struct master *m, uint32_t *cursor);
struct peer *links_peer_at(struct master *m, const char *address); /* NULL: not up */

/* ---- copies.c ---- */

typedef void (*copied_fn)(struct master *m, void *user, int code, const struct gp_error *err);

/* Has more than half of the masters store what is here; fn comes once, maybe from inside, unless a
 * negative code is returned. */
int copies_spread(struct master *m, const char *sha, copied_fn fn, void *user,
                  struct gp_error *err);
/* Fetches it from one (NULL: any) master that has it; fn comes once, from the loop, unless a
 * negative code is returned. GP_ENOENT: nobody is there to ask. */
int copies_pull(struct master *m, const char *sha, struct peer *from, copied_fn fn, void *user,
                struct gp_error *err);
int copies_fetch(struct master *m, struct peer *peer, const struct msg_master_fetch *msg,
                 struct reply_token token, struct gp_error *err);
void copies_deinit(struct master *m);

/* ---- uploads.c ---- */

/* Takes what it keeps of offer. */
int uploads_offer(struct master *m, struct peer *peer, struct msg_artefact_offer *offer,
                  struct reply_token token, struct gp_error *err);
int uploads_chunk(struct master *m, struct peer *peer, gp_bytes payload,
                  struct msg_artefact_received *ret, struct gp_error *err);
void uploads_peer_down(struct master *m, uint64_t peer);
int uploads_get(struct master *m, const struct msg_artefact_get *get, struct buf *ret,
                struct gp_error *err);
int uploads_resolve(struct master *m, const char *name, struct msg_plugin_resolved *ret,
                    struct gp_error *err);

/* ---- apps.c ---- */

/* Takes what it keeps of submit. */
int apps_submit(struct master *m, struct msg_app_submit *submit, struct reply_token token,
                struct gp_error *err);
int apps_kill(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
              struct gp_error *err);
/* What it may still be restarted. */
void apps_budget(const struct master *m, const struct app *app, struct budget *ret);
int apps_register(struct master *m, struct peer *peer, const struct msg_appmaster_register *msg,
                  struct reply_token token, struct gp_error *err);
int apps_plan_put(struct master *m, struct peer *peer, const struct msg_plan_put *msg,
                  struct reply_token token, struct gp_error *err);
int apps_placement_put(struct master *m, struct peer *peer, const struct msg_placement_put *msg,
                       struct reply_token token, struct gp_error *err);
int apps_state(struct master *m, struct peer *peer, const struct msg_app_state *msg,
               struct reply_token token, struct gp_error *err);
/* An executor looks for its appmaster. */
int apps_where(struct master *m, struct peer *peer, const struct msg_app_where *msg,
               struct reply_token token, struct gp_error *err);

/* The application of this peer, if the message is about it and of its present appmaster. GP_EACCES,
 * GP_ESTALE, GP_ESTATE. */
int apps_speaker(struct master *m, struct peer *peer, uint32_t id, uint32_t epoch,
                 struct app **ret_app, struct app_place **ret_place, struct gp_error *err);

/* ---- launches.c ---- */

/* Begins the next life of an appmaster that waits, on that worker. */
void place_begin(struct app_place *place, const struct app *app, uint32_t worker);
/* The same for an application that has tasks already, where there is room. */
void place_go_on(struct app_place *place);
/* Has the next life of an appmaster that is up begin elsewhere, though this one is well. false: no
 * other worker has room; it stays. */
bool places_leave(struct app_place *place);
/* Offers slots to a worker; fn gets its answer. */
int places_offer(struct master *m, const struct app *app, const struct worker_entry *entry,
                 uint32_t slots, answer_fn fn, void *user);

/* ---- queue.c ---- */

#define QUEUE_TROUBLE_NS INT64_C(30000000000) /* from RECOVERING to a request for slots */
#define QUEUE_LOST_NS    INT64_C(10000000000) /* from the loss of a worker to RECOVERING */
#define QUEUE_WANT_NS    INT64_C(5000000000)  /* from one request that is refused to the next */
#define QUEUE_TURN_NS    INT64_C(5000000000)  /* from the beginning to the first request */

/* Has appmasters started that wait for slots. To be called when there may be room. */
void places_seek(struct master *m);
void on_seek_timer(void *user);
/* It recovers: until then nobody begins. 0: it does not, or has recovered. */
void queue_trouble(struct app_place *place, int64_t for_ns);
/* It recovers, and needs so many slots, which are not free. 0: it has them. */
void queue_wants(struct app_place *place, uint32_t slots);
/* One of higher priority that wants slots before it recovers; 0: none. */
uint32_t queue_before(const struct app_place *place, const struct app *app);
struct fit_room;
/* It asks for slots for the first time: takes out of room what is kept for others. GP_EFULL: it is
 * not its turn; GP_EAGAIN: whose turn it is has not asked yet. */
int queue_check(struct app_place *place, const struct app *app, struct fit_room *room,
                struct gp_error *err);
/* There is no room: its appmaster ends, and begins again when there is. */
void queue_send_away(struct app_place *place, const struct app *app);
/* Frees what it needs. */
void queue_forget(struct app_place *place);

/* ---- places.c ---- */

#define PLACE_AGAIN_NS 1000000000 /* what could not be done now is tried then */

/* Its appmaster is no more. may_rebuild: also when it had made no plan yet, as it is not the
 * application's fault. */
void place_lost(struct app_place *place, const char *why, bool may_rebuild);
/* A life did not begin, which is no fault of the application: its appmaster is put elsewhere. */
void place_refused(struct app_place *place, const char *why);
/* It ends in this state. */
void place_end(struct app_place *place, uint32_t state, const char *error);
/* The slot of its appmaster, which is killed. */
void place_give_back(struct app_place *place, const struct app *app);

struct app_place *apps_place(struct master *m, uint32_t app); /* NULL: it has none */
/* A place for an application that has none; it waits for a worker. GP_EFULL, GP_ENOMEM. */
int places_open(struct master *m, uint32_t app, struct app_place **ret);
/* The appmaster is here. */
void places_registered(struct app_place *place, uint64_t peer,
                       const struct msg_appmaster_register *msg);
/* Has the application end, as somebody killed it. */
void places_stop(struct app_place *place);
/* A command was applied that ended it: gives all back. */
void places_ended(struct master *m, struct app *app);
/* A worker reports its processes. */
void places_report(struct master *m, uint32_t worker, const struct msg_worker_report *report);
void places_process_exited(struct master *m, const struct msg_process_exited *msg);
void places_peer_down(struct master *m, const struct peer *peer, const struct gp_error *why);
void places_worker_down(struct master *m, uint32_t worker, const char *name);
/* We lead: every live application has a place again; they are waited for. */
void places_lead(struct master *m);
/* We lead no more. */
void places_dismiss(struct master *m, const struct gp_error *why);
void places_deinit(struct master *m);

/* ---- registrations.c ---- */

/* Takes what it keeps of msg. */
int registrations_add(struct master *m, struct peer *peer, struct msg_worker_register *msg,
                      struct reply_token token, struct gp_error *err);

/* ---- drain.c ---- */

/* A mark was made or taken away. */
void drain_marked(struct master *m);
/* What the registry says of a worker. */
void drain_refresh(struct master *m, struct worker_entry *entry);
/* It is about to be forgotten. */
void drain_lost(struct master *m, const struct worker_entry *lost);
/* A worker is new, or serves again. */
void drain_joined(struct master *m, struct worker_entry *entry);
/* An appmaster is here: it hears what it is to leave. */
void drain_registered(struct app_place *place);
/* There is room, or something was given back: who is to leave hears it again. */
void drain_at_once(struct master *m);
/* The same, in a while, for those who are still where they are to leave. */
void drain_look(struct master *m);
void on_drain_timer(void *user);
void on_balance_timer(void *user);
uint32_t drain_state(const struct master *m, uint32_t worker); /* enum worker_state */
/* Slots that executors hold there. */
uint32_t drain_tasks(struct master *m, const struct worker_entry *entry);

/* ---- drains.c ---- */

int drains_worker(struct master *m, const struct msg_worker_drain *msg, struct reply_token token,
                  struct gp_error *err);
int drains_rebalance(struct master *m, const struct msg_app_rebalance *msg,
                     struct reply_token token, struct gp_error *err);

/* ---- slots.c ---- */

int slots_request(struct master *m, struct peer *peer, const struct msg_slots_request *msg,
                  struct reply_token token, struct gp_error *err);
void slots_hold(struct master *m, struct peer *peer, const struct msg_slots_hold *msg);
/* What its appmaster said that it holds counts no more. */
void slots_forget(struct app_place *place);
/* A worker came again with grants of before: books them, or has it end what is over. */
void slots_keep(struct master *m, const struct worker_entry *entry);
/* Tells a worker that so many slots (0: all) are no longer the application's. NULL is fine. */
void slots_revoke(struct master *m, const struct worker_entry *entry, uint32_t app, uint32_t epoch,
                  uint32_t slots);

/* ---- events.c ---- */

/* Notes what happened, if we lead. kind: static. */
void events_add(struct master *m, uint32_t level, const char *kind, uint32_t app, uint32_t worker,
                const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* A command was applied; before: the state until then. */
void events_app(struct master *m, const struct app *app, uint32_t before);
int events_read(struct master *m, const struct msg_cluster_events_read *msg,
                struct reply_token token, struct gp_error *err);
void events_begin(struct master *m); /* we lead */
void events_dismiss(struct master *m, const struct gp_error *why);
void events_forget(struct master *m);
void on_events_timer(void *user);

/* ---- news.c ---- */

/* What a record said. */
struct app_news {
    bool has_record;
    uint64_t executor; /* the latest id */
    uint64_t moves;
};

void news_exited(struct master *m, uint32_t worker, const struct msg_process_exited *msg);
void news_known(const struct app *app, struct app_news *ret); /* NULL is fine */
/* A record was put away, before which that was known. */
void news_tell(struct master *m, const struct app *app, const struct app_news *known);

/* ---- restarts.c ---- */

int restarts_begin(struct master *m, const struct msg_app_restart *msg, struct reply_token token,
                   struct gp_error *err);
/* A command about this application was applied. */
void restarts_notify(struct master *m, const struct app *app);
void restarts_dismiss(struct master *m, const struct gp_error *why);

/* ---- queries.c ---- */

/* Borrows from both. */
void app_summary(struct master *m, const struct app *app, struct msg_app_summary *ret);
int queries_cluster_info(struct master *m, struct reply_token token);
int queries_workers(struct master *m, const struct msg_worker_list *list, struct reply_token token);
int queries_apps(struct master *m, const struct msg_app_list *list, struct reply_token token);
int queries_describe(struct master *m, const struct msg_app_ref *ref, struct reply_token token,
                     struct gp_error *err);
/* An appmaster tells its numbers; takes what it keeps. */
void queries_metrics_told(struct master *m, const struct peer *peer, struct msg_app_metrics *msg);
int queries_metrics(struct master *m, const struct msg_metrics_read *read, struct reply_token token,
                    struct gp_error *err);
int queries_wait(struct master *m, const struct msg_app_wait *wait, struct reply_token token,
                 struct gp_error *err);
int waiters_add(struct master *m, const struct waiter *waiter, struct gp_error *err);
/* Something about this application changed: answers those who wait for it. */
void waiters_notify(struct master *m, const struct app *app);
void waiters_dismiss(struct master *m, const struct gp_error *why);
void on_waiter_timer(void *user);

#endif
