/*
 * internal.h: the worker's own state, shared by its files and by nobody else.
 *
 *   worker_new.c  its beginning and its end
 *   worker.c      the node: connections, keys, who may ask what
 *   masters.c     registering with the leader among the masters
 *   launches.c    what is asked for and not running yet: plugins come first
 *   fetch.c       artefacts, from the master into the store
 *   children.c    processes: their start, output and end
 *   logs.c        what they wrote, for those who ask
 *   ledger.c      grants
 */
#ifndef CONTROL_WORKER_INTERNAL_H
#define CONTROL_WORKER_INTERNAL_H

#include "actor/vitals.h"
#include "base/list.h"
#include "base/log.h"
#include "control/artefacts.h"
#include "control/worker/crash.h"
#include "control/worker/joblog.h"
#include "control/worker/ledger.h"
#include "control/worker/worker.h"

#define LOGS_KEPT_MAX      128u /* of children that ended; the oldest goes */
#define LOG_WAITERS_MAX    256u
#define FETCHES_MAX        ARTEFACTS_INCOMING_MAX
#define LAUNCHES_MAX       256u
#define HOST_TEXT_MAX      256u
#define REPORT_INTERVAL_NS 100000000
#define VITALS_INTERVAL_NS INT64_C(5000000000)
#define OUTPUT_LINE_MAX    2048u      /* longest line that is looked at */
#define EXECUTOR_ANY       UINT32_MAX /* the appmaster, which is 0, and all executors */

/* A process, and after its end what is kept of it: its log. */
struct child {
    struct worker *worker;
    uint32_t app;
    uint32_t executor; /* 0: the appmaster */
    uint32_t epoch;
    uint32_t slots;
    struct proc *proc; /* NULL: ended */
    int64_t pid;
    bool has_log;
    struct joblog log;
    char line[OUTPUT_LINE_MAX]; /* the one being written, as far as it fits */
    size_t line_len;
    struct crash crash;
    struct proc_exit end; /* how it ended */
    char crash_text[CRASH_TEXT_MAX];
    struct timer *kill_timer; /* runs from TERM to KILL */
    bool is_killed;           /* it is as good as gone, and holds no slots any more */
};

struct log_waiter {
    struct reply_token token;
    uint32_t app;
    uint32_t executor;
    uint64_t offset;
    uint32_t max;
    int64_t deadline_ns;
};

struct worker {
    const struct port *port;
    struct endpoint *ep;
    struct settings_source settings;
    struct peer *master; /* dialled for ever */
    struct timer *register_timer;
    bool registered;
    bool is_led_by_stale; /* whoever welcomed us leads no more */
    uint64_t term;        /* the highest of a leader so far: older ones are not obeyed */
    struct log_limit unreachable;
    uint32_t id;
    char name[MSG_ADDRESS_MAX];
    char address[NET_ADDR_MAX];
    char bind_host[NET_ADDR_MAX];
    char advertise_host[NET_ADDR_MAX];
    char host[HOST_TEXT_MAX];
    char *labels[MSG_LABELS_MAX]; /* owned */
    uint32_t label_count;
    char *data_dir;
    char *sockets_dir; /* "" when there is none */
    struct value *data;
    uint32_t lanes;
    bool pin_lanes;
    uint32_t next_core; /* for the first lane of the next executor */
    struct conn_key secret;
    struct artefacts artefacts;
    struct ledger ledger;

    struct timer *report_timer;
    struct vitals vitals;
    bool report_due;
    int64_t reported_ns;

    struct list launches;
    uint32_t launch_count;
    struct list fetches;
    uint32_t fetch_count;

    struct child *children[CHILDREN_MAX + LOGS_KEPT_MAX]; /* the longest there first */
    uint32_t child_count;
    uint32_t live_count; /* of these, those that run */

    struct log_waiter log_waiters[LOG_WAITERS_MAX];
    uint32_t log_waiter_count;
    struct timer *log_timer;
};

static inline const struct log *worker_log(const struct worker *w)
{
    return w->port->log;
}

/* ---- masters.c ---- */

/* Whether a leader of this term is to be obeyed, which is remembered; else GP_ESTALE. */
int masters_check_term(struct worker *w, uint64_t term, struct gp_error *err);
void masters_register(void *user); /* of register_timer */
void masters_up(struct worker *w);
void masters_down(struct worker *w, const struct gp_error *why);
void masters_unreachable(struct worker *w, const struct gp_error *why);
int masters_dial(struct worker *w, const struct worker_options *options, struct gp_error *err);

/* ---- worker.c ---- */

/* Something that the master should know has changed. */
void worker_changed(struct worker *w);
/* Slots of a grant that are due, as far as no process needs them any more. */
void worker_give_back(struct worker *w, uint32_t app);
void worker_on_report_timer(void *user); /* of report_timer */
extern const struct endpoint_events worker_events;

/* ---- launches.c ---- */

/* Answered when the process runs, with its pid, or not at all. The message's content is taken. */
int launch_the_appmaster(struct worker *w, struct msg_appmaster_launch *msg,
                         struct reply_token token, struct gp_error *err);
int launch_an_executor(struct worker *w, struct msg_executor_launch *msg, struct reply_token token,
                       struct gp_error *err);
/* Only fetches. */
int launch_nothing(struct worker *w, uint32_t app, const char *sha256, struct reply_token token,
                   struct gp_error *err);
/* Gives up those of an application (0: all, without answering). */
void launches_cancel(struct worker *w, uint32_t app, uint32_t executor);
/* Of a grant: those that no process holds or is to hold. */
uint32_t launches_spare_slots(const struct worker *w, uint32_t app);
/* An appmaster has ended: its next life need not wait any more. */
void launches_go_on(struct worker *w, uint32_t app);

/* ---- fetch.c ---- */

typedef void (*fetched_fn)(void *user, int code, const struct gp_error *err);

/*
 * Makes sure that the store has this artefact and that it is sound. 1: it is so, fn is not called;
 * 0: fn will be, from the loop; negative: it cannot be had. Those who want the same share one
 * fetch.
 */
int fetch_artefact(struct worker *w, const char *sha256, fetched_fn fn, void *user,
                   struct gp_error *err);
/* fn with this user is not called any more. */
void fetch_forget(struct worker *w, void *user);
void fetches_deinit(struct worker *w);

/* ---- children.c ---- */

struct child_spec {
    uint32_t app;
    uint32_t executor;
    uint32_t epoch;
    uint32_t slots;
    const char *role;
    const char *arg; /* JSON, see control/launch.h */
    const char *token;
};

int child_start(struct worker *w, const struct child_spec *spec, struct child **ret,
                struct gp_error *err);
/* The latest of that name, running or not; NULL. */
struct child *child_find(const struct worker *w, uint32_t app, uint32_t executor);
/* An appmaster has come: it hears how executors ended, perhaps while there was none. */
void children_tell(struct worker *w, uint32_t app);
/* Slots that running processes of an application hold. */
uint32_t children_slots(const struct worker *w, uint32_t app);
/* Asks to end, then kills, or kills at once. How many were meant. */
uint32_t children_stop(struct worker *w, uint32_t app, uint32_t executor, bool at_once);
void children_deinit(struct worker *w);

/* ---- logs.c ---- */

int logs_read(struct worker *w, const struct msg_log_read *read, struct reply_token token,
              struct gp_error *err);
/* A child wrote something: answers those who wait for it. */
void logs_notify(struct worker *w, struct child *child);
/* This log will be gone. */
void logs_forget(struct worker *w, const struct child *child);
void logs_peer_down(struct worker *w, uint64_t peer);
void on_log_timer(void *user);

#endif
