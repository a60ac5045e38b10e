/*
 * ctl.h: what the commands of gpctl share: settings, a connection, waiting, printing.
 *
 * A command is a function that begins with what it needs (ctl_connect), asks, prints and answers
 * its exit code. Asking looks synchronous: the loop runs inside until the answer is there. Answers
 * are borrowed by a callback, which takes what it wants.
 *
 *     int rc = ctl_connect(ctl, &err);
 *     if (rc >= 0) {
 *         rc = ctl_ask(ctl, MSG_WORKER_LIST, &list, on_page, &workers, &err);
 *     }
 *     return rc < 0 ? ctl_fail(ctl, &err, "cannot list the workers") : show(&workers);
 */
#ifndef APP_CTL_H
#define APP_CTL_H

#include "app/config.h"
#include "app/fail.h"
#include "app/options.h"
#include "control/client/client.h"
#include "edge/signals.h"
#include "edge/world.h"

#define CTL_ASK_TIMEOUT_NS INT64_C(10000000000)

struct ctl {
    /* read-only for commands */
    const struct options *options;
    bool json;
    bool is_quiet;        /* no remarks, no progress; lists are ids */
    bool has_colours;     /* stdout */
    bool is_watched;      /* what is printed comes again and again (ctl_watch.h) */
    bool is_last;         /* ... and not after this time: what was shown has ended */
    struct config config; /* after ctl_configure() */
    struct edge_world *world;
    struct client *client;
    int interrupts;  /* how often a person asked to stop, once they are watched */
    int stop_signal; /* how the last time */
    /* private */
    struct log log;
    struct edge_signals *signals;
    int interrupts_told; /* of them, those that have ended a wait */
    bool is_configured;
    bool owns_world;
};

/* ---- beginning; all of it is undone by ctl_close(), whatever was begun ---- */

void ctl_open(struct ctl *ctl, const struct options *options);
void ctl_close(struct ctl *ctl);

/* Whether colours are wanted on that descriptor: --color, else NO_COLOR and what it is. */
bool ctl_wants_colours(const struct options *options, int fd);

/* File, environment and flags; overrides go before all of them. Mistakes stand in err. */
int ctl_configure(struct ctl *ctl, const struct config_override *overrides, uint32_t count,
                  struct gp_error *err);

/* A world: for commands that need files or time, and no master. */
int ctl_open_world(struct ctl *ctl, struct gp_error *err);

/* Settings, a world (the one there is, if there is one), and a client for the masters that were
 * named. Nothing is dialled yet. */
int ctl_connect(struct ctl *ctl, struct gp_error *err);

/* A client for this master, in the world that ctl->world was set to by its owner. */
int ctl_connect_to(struct ctl *ctl, const char *master, gp_bytes secret, struct gp_error *err);

/* Lets go of client and signals, and of a world that is not ours. */
void ctl_disconnect(struct ctl *ctl);

/* From now on SIGINT and SIGTERM are counted and end a wait with GP_ECANCELED; the second one ends
 * the process. */
int ctl_watch_interrupts(struct ctl *ctl, struct gp_error *err);

/* ---- asking ---- */

/* Looks at the borrowed answer; its return is that of the ask. */
typedef int (*ctl_answer_fn)(void *user, const void *msg);

/* An ask of the master, answered. fn may be NULL. Codes as client_ask(), or GP_ECANCELED. */
int ctl_ask(struct ctl *ctl, uint16_t type, const void *msg, ctl_answer_fn fn, void *user,
            struct gp_error *err);

/* The same with a time limit of its own. */
int ctl_ask_for(struct ctl *ctl, uint16_t type, const void *msg, int64_t timeout_ns,
                ctl_answer_fn fn, void *user, struct gp_error *err);

/* The same, of the daemon at this address and no other. */
int ctl_ask_at(struct ctl *ctl, const char *address, uint16_t type, const void *msg,
               ctl_answer_fn fn, void *user, struct gp_error *err);

/* Runs the loop until *done or an interrupt, which is GP_ECANCELED; each ends one wait. */
int ctl_run_until(struct ctl *ctl, const bool *done);

/* The application that operand 0 names, as a reference for the master. GP_EINVAL: nothing can be
 * called so. */
int ctl_app_ref(const struct options *options, struct msg_app_ref *ret, struct gp_error *err);

/* What --request-id says, or NULL. GP_EINVAL: it is too long or empty. */
int ctl_request_id(const struct options *options, const char **ret, struct gp_error *err);

/* ---- printing ---- */

/* Three lines, or JSON; the exit code. what: printf style. Who is interrupted while watching is
 * told nothing: that is how watching ends. */
int ctl_fail(const struct ctl *ctl, const struct gp_error *err, const char *what, ...)
    __attribute__((format(printf, 3, 4)));

/* A tree on stdout. Consumes it; NULL is out of memory. Answers the exit code. */
int ctl_print_take(const struct ctl *ctl, struct value *tree);

/* A remark for people on stderr; not with -o json, nor with --quiet. */
void ctl_say(const struct ctl *ctl, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- commands ---- */

#define CTL_COMMAND(name)                                                                          \
    int name(const struct command_spec *spec, const struct options *options, void *context)

CTL_COMMAND(ctl_submit);
CTL_COMMAND(ctl_run);
CTL_COMMAND(ctl_simulate);
CTL_COMMAND(ctl_list);
CTL_COMMAND(ctl_describe);
CTL_COMMAND(ctl_kill);
CTL_COMMAND(ctl_restart);
CTL_COMMAND(ctl_completion);
CTL_COMMAND(ctl_config);
CTL_COMMAND(ctl_events);
CTL_COMMAND(ctl_explain);
CTL_COMMAND(ctl_logs);
CTL_COMMAND(ctl_masters);
CTL_COMMAND(ctl_metrics);
CTL_COMMAND(ctl_top);
CTL_COMMAND(ctl_workers);
CTL_COMMAND(ctl_drain);
CTL_COMMAND(ctl_plugins);
CTL_COMMAND(ctl_rebalance);
CTL_COMMAND(ctl_inspect);
CTL_COMMAND(ctl_new);
CTL_COMMAND(ctl_validate);
CTL_COMMAND(ctl_version);

#endif
