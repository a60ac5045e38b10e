/*
 * sim.h: a simulated world behind port/: whole clusters in one process and one thread.
 *
 * A `struct sim` is a virtual clock, a queue of events and one seed. It holds hosts (an address, a
 * disk, a clock of their own), and on them processes, each with a `struct port` that cannot be told
 * from the real one by what its headers promise. What they leave open is drawn from the seed: how
 * long things take, in which order they come, in what pieces bytes are read, how much a socket
 * takes, who runs next. The same seed and the same calls give the same run, event by event, which
 * sim_trace_hash() proves; another seed gives another run.
 *
 *     sim_new → sim_host_add... → sim_spawn... → sim_run_until(what must come true) → sim_free
 *
 * What a process does is the caller's: `start` and `stop` in the options make and free the roles
 * (master, worker, ...) that args[0] names. Time passes only through events; code under test takes
 * a few virtual microseconds per callback. Rules that hold in both worlds but are enforced only
 * here, by assertion: objects are used in their own loop, files never from a lane.
 *
 * Not simulated: descriptors (fd_watch_new answers GP_EUNSUPPORTED), threads that plugins start
 * themselves, and the I/O that plugins do through libc, which is real.
 *
 * One thread. Errors are those of port/; lack of memory for the simulation itself is an assertion.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "port/port.h"

struct sim;
struct sim_host;
struct sim_proc;

/*
 * Loads shared objects: edge's loader, handed in by whoever links both. Each open is a copy of its
 * own, sharing no globals with another open of the same bytes; so each life of a simulated process
 * has its own, as in reality. name is for messages.
 */
struct sim_plugin_loader {
    int (*open_copy)(gp_bytes bytes, const char *name, struct plugin_file **ret,
                     const struct gp_entry **ret_entry, struct gp_error *err);
    void (*close)(struct plugin_file *file);
};

/* Chances, 0 to 1, that a thing goes wrong each time it could. All zero: a world without faults,
 * though still one of delays and partial reads. */
struct sim_faults {
    double connect_refused; /* a connect fails with GP_EUNREACH */
    double stream_reset;    /* a write breaks its connection */
    double segment_delayed; /* bytes take up to 200 ms longer */
    double disk_write_failed;
    double disk_full; /* a write fails with GP_ENOSPC */
};

struct sim_options {
    uint64_t seed;

    /*
     * Begins the program that args names, on a fresh port, from the loop of the new process.
     * args and port live as long as the process. A negative return ends it with exit code 1.
     * NULL: processes do nothing, and the caller drives their ports (tests).
     */
    int (*start)(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err);
    /*
     * Frees the node, in whatever state: after sim_exit(), or because the process was killed. In
     * the second case its runners were cut off (fini and on_exit have been called, without the
     * RUNNER_DONE that usually comes before) and the world is mute: writes, connects, spawns and
     * timers do nothing or answer GP_ECLOSED.
     */
    void (*stop)(void *ctx, void *node);
    /* A signal other than 9 reached the process; NULL: signals kill. */
    void (*on_signal)(void *ctx, void *node, int32_t signal);
    void *ctx;

    const struct sim_plugin_loader *loader; /* NULL: port_plugin_open answers GP_EUNSUPPORTED */
    /* edge's as well; NULL: port_json_parse answers GP_EUNSUPPORTED */
    int (*json_parse)(gp_str text, struct value **ret, struct gp_error *err);

    /* Told which note says what user code is being run, whenever that changes: for whoever catches
     * crashes of it. NULL: nobody does. */
    void (*on_note)(const struct crash_note *note);

    /* What was done so far, one line each, for people: events if trace_events, and log lines of
     * log_level and above. */
    void (*on_line)(void *ctx, gp_str line);
    void *line_ctx;
    bool trace_events;
    enum log_level log_level;

    uint64_t event_max;  /* of the whole run; 0: 50 million */
    int64_t time_max_ns; /* of the whole run; 0: one hour */
    struct sim_faults faults;
};

/* options are copied, the tables they point at borrowed. GP_ENOMEM. */
int sim_new(const struct sim_options *options, struct sim **ret);

/* Kills every process, then frees everything. NULL is fine. */
void sim_free(struct sim *sim);

/* ---- hosts and their disks ---- */

/* Adds a host known by one address ("10.0.0.1") or name; 127.x.x.x, [::1] and localhost mean
 * itself. GP_EEXIST, GP_EINVAL, GP_ENOMEM. */
int sim_host_add(struct sim *sim, const char *address, struct sim_host **ret);

const char *sim_host_name(const struct sim_host *host); /* its address */

/* Puts a file on the disk, with the folders above it; replaces. */
int sim_disk_put(struct sim_host *host, const char *path, gp_bytes bytes);

/* Appends the file to buf. GP_ENOENT, or as buf_append. */
int sim_disk_get(struct sim_host *host, const char *path, struct buf *buf);

/* ---- processes ---- */

/*
 * Begins a process; its start() comes a moment later (without one, it runs at once).
 *   args  NULL-terminated, copied; at most PROC_ARGS_MAX.
 * *ret is valid until sim_free(). GP_EINVAL, GP_EFULL, GP_ENOMEM.
 */
int sim_spawn(struct sim_host *host, const char *const *args, struct sim_proc **ret);

const struct port *sim_proc_port(struct sim_proc *proc);
struct sim_proc *sim_proc_of(const struct port *port); /* the reverse */
void *sim_proc_node(struct sim_proc *proc);            /* NULL before start and after stop */
struct sim_host *sim_proc_host(const struct sim_proc *proc);
const char *sim_proc_name(const struct sim_proc *proc); /* "10.0.0.1/1003:worker" */

/* 0 and how it ended, or GP_EAGAIN while it lives. */
int sim_proc_ended(const struct sim_proc *proc, struct proc_exit *ret_how);

/* The process of this port ends itself: stop() comes once the current callback has returned, what
 * stream_end() still has to write is written, then the parent hears of it. */
void sim_exit(const struct port *port, int32_t code);

/* ---- what happens to them ---- */

/* As kill -9: nothing more is done by it; peers see its streams close, children die. */
void sim_kill(struct sim_proc *proc);

/* Reaches on_signal() of the options a moment later; 9 kills. */
void sim_signal(struct sim_proc *proc, int32_t signal);

/* As SIGSTOP and SIGCONT. Its kernel goes on taking bytes and connections. */
void sim_pause(struct sim_proc *proc);
void sim_resume(struct sim_proc *proc);

/* Starts the same program again, on the same host and its disk. As sim_spawn(). */
int sim_respawn(const struct sim_proc *proc, struct sim_proc **ret);

/* Bytes from one host reach the other no more (they are kept and come after healing, as with TCP);
 * a connect hangs. sim_cut cuts both ways. */
void sim_cut(struct sim_host *a, struct sim_host *b);
void sim_cut_oneway(struct sim_host *from, struct sim_host *to);
void sim_heal(struct sim_host *a, struct sim_host *b); /* both ways, and ends flapping */

/* The link between them is cut and healed by turns, each for a drawn time of at most max_ns. */
void sim_flap(struct sim_host *a, struct sim_host *b, int64_t max_ns);

/* Breaks every connection between two processes, as a router that forgot them: each side meets a
 * reset, bytes under way are lost, connecting again is possible. How many there were. */
uint32_t sim_reset(struct sim_proc *a, struct sim_proc *b);

/* How many there are, and nothing happens to them. */
uint32_t sim_connections(const struct sim_proc *a, const struct sim_proc *b);

/* The power of a host is cut: its processes are killed, and of each file what was not synced is
 * kept, lost or torn; names removed and folders made since their folder was last synced may come
 * back or be gone. How many processes were killed. */
uint32_t sim_crash(struct sim_host *host);

/* The host stands still, as a virtual machine that is suspended, until sim_thaw(). Its monotonic
 * clock jumps then, or has stood still as well. */
void sim_freeze(struct sim_host *host, bool stops_clock);
void sim_thaw(struct sim_host *host);

/* Everything its processes do takes so many times longer; 1: as usual. */
void sim_slow(struct sim_host *host, uint32_t times);

/* The wall clock is set, by so much. */
void sim_jump_wall(struct sim_host *host, int64_t by_ns);

/* Every act on the disk takes so many times longer; 1: as usual. */
void sim_disk_slow(struct sim_host *host, uint32_t times);

/* Until it is freed, what needs room on the disk fails with GP_ENOSPC; a write may leave a part. */
void sim_disk_fill(struct sim_host *host, bool is_full);

/* Until it is mended, whatever changes the disk fails with GP_EIO. */
void sim_disk_break(struct sim_host *host, bool is_broken);

/* Flips so many bits of a file, or of one that is drawn among those below a folder; its path is
 * appended to ret_path (NULL: not). GP_ENOENT: there is no file with a byte in it. */
int sim_disk_rot(struct sim_host *host, const char *path, uint32_t bits, struct buf *ret_path);

/* Other chances of faults from now on. */
void sim_set_faults(struct sim *sim, const struct sim_faults *faults);

/* Ends all of these that last: cuts, flapping, chances of faults, frozen and slow hosts, full
 * disks, paused processes. What died stays dead. */
void sim_calm(struct sim *sim);

/* ---- running ---- */

/*
 * Runs event after event until done(user), asked before each, says so. 0; GP_ETIMEOUT at event_max
 * or time_max_ns; GP_ESTATE when nothing is left that could happen. err then says who waits.
 */
int sim_run_until(struct sim *sim, bool (*done)(void *user), void *user, struct gp_error *err);

/* Runs what happens within a span of virtual time. 0 or GP_ETIMEOUT. */
int sim_run_for(struct sim *sim, int64_t duration_ns, struct gp_error *err);

/* One event; false when there is none. */
bool sim_step(struct sim *sim);

/* ---- what was seen ---- */

int64_t sim_now_ns(const struct sim *sim); /* since the start of the run */
uint64_t sim_events(const struct sim *sim);

/* All that happened so far, as a number: time, entity, kind and sizes of every event, and every log
 * line. */
uint64_t sim_trace_hash(const struct sim *sim);

/*
 * How often an event of this name was logged, at any level and by any process ("link.closed"), or
 * happened in the world itself ("sim.write_queued", see SIM_COUNTERS in sim/trace.h). Tests add
 * these up over seeds: what never happens is not tested.
 */
uint64_t sim_event_count(const struct sim *sim, const char *name);

/* Each name and count, in no order. */
void sim_event_each(const struct sim *sim, void (*fn)(void *user, gp_str name, uint64_t count),
                    void *user);

/* Timers, streams, files, ... that processes or runners had not freed when they ended. */
uint64_t sim_leaks(const struct sim *sim);

/* Appends a description of all that lives: processes, loops, runners, streams, the next events. */
int sim_report(const struct sim *sim, struct buf *out);

#endif
