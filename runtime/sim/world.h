/*
 * world.h: what the files of sim share: the world, its hosts, processes and loops.
 *
 * Ownership: sim owns hosts and processes until sim_free(); a process owns its loops; a loop knows
 * every object made on it (`objects`), so that nothing outlives it and leaks are seen.
 *
 * How anything happens: an event fires at its time, finds the loop concerned, and posts a call
 * there. The loop's own step event then runs one call at a time, a few microseconds apart, so that
 * steps of all loops interleave. Code under test runs only inside steps.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "base/assert.h"
#include "base/list.h"
#include "base/rng.h"
#include "sim/events.h"
#include "sim/limits.h"
#include "sim/sim.h"
#include "sim/trace.h"

struct sim_disk;

struct sim {
    struct sim_options options;
    struct sim_events events;
    struct rng rng;
    struct sim_trace trace;
    int64_t start_ns;
    int64_t now_ns;
    uint64_t event_count;
    uint64_t leak_count;
    struct sim_loop *current; /* whose step runs; NULL between steps */
    bool is_stepping;         /* an event fires */
    struct list hosts;
    struct list procs;
    struct list doomed; /* processes to be ended once the current step is over */
    struct list conns;
    struct list flaps;
    uint32_t host_count;
    uint32_t proc_count;
    uint32_t loop_count;
    uint32_t conn_count;
};

struct sim_host {
    struct list_node node; /* in sim->hosts */
    struct sim *sim;
    char name[SIM_NAME_MAX];
    int64_t clock_offset_ns;
    int64_t wall_offset_ns;
    uint32_t cpu_count;
    uint32_t slowness; /* its steps take so many times longer */
    uint32_t disk_slowness;
    bool is_disk_full;
    bool is_disk_broken;
    bool is_frozen;
    bool is_clock_stopped; /* since it is frozen */
    int64_t frozen_ns;     /* when */
    uint32_t port_next;
    struct list listeners;
    struct sim_disk *disk;
    struct list cuts; /* from here to others: struct sim_cut */
};

/* Something a loop is to run. Embedded in its owner, which may free itself in `run`. */
struct sim_call {
    struct list_node node;
    void (*run)(struct sim_call *call);
};

/* Something made on a loop by code under test, that it must free. */
struct sim_object {
    struct list_node node; /* in loop->objects */
    const char *kind;
    bool is_leaving; /* given up by its owner, ends by itself: not a leak */
    void (*dispose)(struct sim_object *object);
};

struct sim_loop {
    struct loop base; /* first: what users see */
    struct sim *sim;
    struct sim_proc *proc;
    struct runner *runner; /* NULL: the main loop of its process */
    uint32_t id;
    struct sim_event step;
    struct list ready; /* struct sim_call */
    uint32_t ready_count;
    bool is_running;
    bool is_closed;
    int64_t now_ns;  /* as of this step, in the world's time */
    int64_t free_ns; /* busy until then */
    int64_t cost_span_ns;
    struct list objects;
};

enum sim_proc_state {
    SIM_PROC_STARTING,
    SIM_PROC_RUNNING,
    SIM_PROC_LEAVING, /* its node is freed; streams write their last bytes */
    SIM_PROC_DEAD,
};

struct sim_proc {
    struct list_node node;        /* in sim->procs */
    struct list_node doomed_node; /* in sim->doomed */
    struct sim *sim;
    struct sim_host *host;
    enum sim_proc_state state;
    bool is_mute; /* being torn down after a kill: nothing reaches the world */
    bool is_paused;
    bool is_killed; /* how says by what */
    struct proc_exit how;
    int64_t pid;
    char name[SIM_NAME_MAX];
    char **args;
    char **env; /* NULL: none */
    struct port port;
    struct crash_note note; /* of the main loop */
    struct log log;
    struct rng rng; /* of port_random */
    struct sim_loop loop;
    struct list runners;
    struct proc *handle; /* the parent's; NULL: none or freed */
    struct sim_event start;
    struct sim_event signal;
    int32_t signal_number;
    void *program; /* what start() made */
    bool is_started;
};

/* Whether nothing of it runs: stopped by a signal, or with its whole host. */
static inline bool sim_proc_is_still(const struct sim_proc *proc)
{
    return proc->is_paused || proc->host->is_frozen;
}

/* ---- drawing ---- */

/* 0 .. n-1; n >= 1. The bias of at most n / 2^32 does not matter here. */
static inline uint64_t sim_draw(struct sim *sim, uint64_t n)
{
    ASSERT(n >= 1 && n <= UINT32_MAX);
    return ((rng_u64(&sim->rng) >> 32) * n) >> 32;
}

static inline int64_t sim_between(struct sim *sim, int64_t min, int64_t max)
{
    return min + (int64_t)sim_draw(sim, (uint64_t)(max - min) + 1);
}

static inline bool sim_one_in(struct sim *sim, uint64_t n)
{
    return sim_draw(sim, n) == 0;
}

/* min .. max, small as likely as large: the number of bits is drawn first. min >= 1. */
int64_t sim_draw_log(struct sim *sim, int64_t min, int64_t max);

static inline void sim_count(struct sim *sim, enum sim_counter counter)
{
    sim->trace.counters[counter]++;
}

/* Whether a fault of this chance strikes; draws nothing when it cannot. */
static inline bool sim_fault(struct sim *sim, double chance)
{
    return chance > 0 && rng_chance(&sim->rng, chance);
}

/* ---- time ---- */

/* When what is done now is done: code that runs is ahead of the last event. */
static inline int64_t sim_time(const struct sim *sim)
{
    return sim->current != NULL ? sim->current->now_ns : sim->now_ns;
}

static inline void sim_arm_in(struct sim *sim, struct sim_event *event, int64_t delay_ns)
{
    sim_events_arm(&sim->events, event, sim_time(sim) + delay_ns);
}

static inline void sim_cancel(struct sim *sim, struct sim_event *event)
{
    sim_events_cancel(&sim->events, event);
}

/* ---- loops (loop.c; the tables are in loop_ops.c, net.c and fs.c) ---- */

extern const struct loop_ops sim_loop_ops;
extern const struct net_ops sim_net_ops;
extern const struct fs_ops sim_fs_ops;

static inline struct sim_loop *sim_loop_of(struct loop *loop)
{
    return (struct sim_loop *)loop;
}

void sim_loop_init(struct sim_loop *l, struct sim_proc *proc, struct runner *runner);

/* Disposes of what is left on it, counting leaks, runs the calls it owes, and ends. */
void sim_loop_close(struct sim_loop *l);

void sim_call_init(struct sim_call *call, void (*run)(struct sim_call *call));

/* Has the call run soon. Posting what is posted is fine. */
void sim_loop_post(struct sim_loop *l, struct sim_call *call);
void sim_loop_unpost(struct sim_loop *l, struct sim_call *call);

/* Arms the step of a loop that has something to do. */
void sim_loop_kick(struct sim_loop *l);

/* Runs one ready call. */
void sim_loop_run_one(struct sim_loop *l);

/* Between enter and leave, code under test runs as if on this loop. Returns what leave restores. */
struct sim_loop *sim_loop_enter(struct sim_loop *l);
void sim_loop_leave(struct sim_loop *l, struct sim_loop *before);

/* An object is used in the loop it was made on, or by nobody's code (between steps). */
static inline void sim_loop_check(const struct sim_loop *l)
{
    ASSERT(l->sim->current == NULL || l->sim->current == l || l->proc->is_mute);
}

void sim_object_add(struct sim_loop *l, struct sim_object *object, const char *kind,
                    void (*dispose)(struct sim_object *object));
static inline void sim_object_remove(struct sim_object *object)
{
    list_remove(&object->node);
}

/* Whether anything on the loop still ends by itself. */
bool sim_loop_is_leaving(const struct sim_loop *l);

/* ---- runners (runner.c) ---- */

int sim_runner_start(void *world, struct loop *starter, const struct runner_spec *spec,
                     struct runner **ret, struct gp_error *err);
void sim_runner_free(struct runner *runner);
const char *sim_runner_name(const struct runner *runner);
const struct crash_note *sim_runner_note(const struct runner *runner);
const char *sim_runner_state(const struct runner *runner);

/* One step of a runner; whether it wants another. */
bool sim_runner_step(struct runner *runner);

/* loop_wake() */
void sim_runner_wake(struct runner *runner);
/* Whether it has anything to do. */
bool sim_runner_may_step(struct runner *runner);

void sim_runners_each(struct sim_proc *proc, void (*fn)(struct sim_loop *l, int64_t arg),
                      int64_t arg);
void sim_runners_pause(struct sim_proc *proc);
void sim_runners_resume(struct sim_proc *proc);

/* Cuts off every runner of the process: fini, what the loop owes, on_exit. Returns how many had not
 * ended. */
uint32_t sim_runners_end(struct sim_proc *proc);

/* ---- processes (process.c) ---- */

extern const struct world_ops sim_world_ops;

/* Lets the process end once the current step is over. */
void sim_proc_doom(struct sim_proc *proc, const struct proc_exit *how, bool is_killed);

/* Ends the processes that are doomed; called between steps. */
void sim_procs_reap(struct sim *sim);

/* A loop of a leaving process has nothing more to do: the process may be dead. */
void sim_proc_check_left(struct sim_proc *proc);

int sim_proc_new(struct sim_host *host, const char *const *args, const char *const *env,
                 struct sim_proc **ret);
void sim_proc_free(struct sim_proc *proc);

/* What the process writes to stdout and stderr. */
void sim_proc_output(struct sim_proc *proc, const char *ptr, size_t len);

/* ---- children (child.c) ---- */

int sim_child_spawn(void *world, struct loop *loop, const struct proc_spec *spec, struct proc **ret,
                    struct gp_error *err);
int64_t sim_child_pid(const struct proc *proc);
void sim_child_kill(struct proc *proc, int32_t signal);
void sim_child_free(struct proc *proc);
/* The process behind it died, or wrote something. */
void sim_child_ended(struct proc *proc, const struct proc_exit *how);
void sim_child_wrote(struct proc *proc, const char *ptr, size_t len);

/* ---- plugins (plugin.c) ---- */

int sim_plugin_open(void *world, const char *path, struct plugin_file **ret,
                    const struct gp_entry **ret_entry, struct gp_error *err);
void sim_plugin_close(void *world, struct plugin_file *file);

/* ---- reports (report.c, runner.c) ---- */

int sim_loop_report(const struct sim_loop *l, struct buf *out);
int sim_runners_report(const struct sim_proc *proc, struct buf *out);

/* ---- network (net.c) ---- */

/* Also while one of them is frozen. */
bool sim_is_cut(const struct sim_host *from, const struct sim_host *to);
void sim_cut_add(struct sim_host *from, const struct sim_host *to);
void sim_cut_remove(struct sim_host *from, const struct sim_host *to);
void sim_cuts_free(struct sim_host *host);

/* ---- faults (faults.c) ---- */

/* Links that come and go between these two; b NULL: all there are. */
void sim_flaps_end(const struct sim_host *a, const struct sim_host *b);

/* Stops the timers of a loop where they stand, and lets them go on (loop_ops.c). */
void sim_timers_hold(struct sim_loop *l);
void sim_timers_release(struct sim_loop *l);

#endif
