/*
 * What happens to hosts: power cuts, frozen machines, slow ones, clocks and disks that go wrong,
 * links that come and go. Each is an act of whoever leads the simulation, between steps, and is
 * counted.
 *
 * A frozen host is a virtual machine that stands still: no process of it runs, its network takes
 * nothing and gives nothing, its timers wait. Its monotonic clock has either gone on meanwhile (it
 * then jumps, as most hypervisors have it) or stood still.
 */
#include <stdlib.h>

#include "base/str.h"
#include "sim/disk.h"
#include "sim/world.h"

static void note(struct sim *sim, enum sim_counter counter)
{
    sim_count(sim, counter);
    sim_trace_note(sim, NULL, SIM_KIND_faulted, counter, 0);
}

/* ---- processes ---- */

int sim_respawn(const struct sim_proc *proc, struct sim_proc **ret)
{
    note(proc->sim, SIM_COUNT_proc_respawned);
    return sim_proc_new(proc->host, (const char *const *)proc->args, (const char *const *)proc->env,
                        ret);
}

/* ---- hosts ---- */

uint32_t sim_crash(struct sim_host *host)
{
    struct sim *sim = host->sim;
    uint32_t killed = 0;
    struct sim_disk_damage damage;

    ASSERT(!sim->is_stepping);
    note(sim, SIM_COUNT_host_crashed);
    LIST_FOREACH (node, &sim->procs) {
        struct sim_proc *proc = LIST_ENTRY(node, struct sim_proc, node);

        if (proc->host == host && proc->state != SIM_PROC_DEAD) {
            sim_kill(proc);
            killed++;
        }
    }
    sim_disk_crash(host->disk, &sim->rng, &damage);
    sim->trace.counters[SIM_COUNT_disk_torn] += damage.torn;
    sim->trace.counters[SIM_COUNT_disk_name_returned] += damage.returned;
    sim->trace.counters[SIM_COUNT_disk_folder_lost] += damage.lost;
    return killed;
}

static void each_loop(struct sim_host *host, void (*fn)(struct sim_loop *l, int64_t arg),
                      int64_t arg)
{
    LIST_FOREACH (node, &host->sim->procs) {
        struct sim_proc *proc = LIST_ENTRY(node, struct sim_proc, node);

        if (proc->host == host && proc->state != SIM_PROC_DEAD) {
            fn(&proc->loop, arg);
            sim_runners_each(proc, fn, arg);
        }
    }
}

static void freeze_loop(struct sim_loop *l, int64_t stops_clock)
{
    sim_cancel(l->sim, &l->step);
    if (stops_clock != 0) {
        sim_timers_hold(l);
    }
}

static void thaw_loop(struct sim_loop *l, int64_t stops_clock)
{
    l->now_ns = l->now_ns > l->sim->now_ns ? l->now_ns : l->sim->now_ns;
    if (stops_clock != 0) {
        sim_timers_release(l);
    }
    sim_loop_kick(l);
}

void sim_freeze(struct sim_host *host, bool stops_clock)
{
    ASSERT(!host->sim->is_stepping);
    if (host->is_frozen) {
        return;
    }
    note(host->sim, stops_clock ? SIM_COUNT_host_frozen_clock : SIM_COUNT_host_frozen);
    host->is_frozen = true;
    host->is_clock_stopped = stops_clock;
    host->frozen_ns = host->sim->now_ns;
    each_loop(host, freeze_loop, stops_clock);
}

void sim_thaw(struct sim_host *host)
{
    if (!host->is_frozen) {
        return;
    }
    host->is_frozen = false;
    if (host->is_clock_stopped) {
        host->clock_offset_ns -= host->sim->now_ns - host->frozen_ns;
    }
    each_loop(host, thaw_loop, host->is_clock_stopped);
}

void sim_slow(struct sim_host *host, uint32_t times)
{
    ASSERT(times >= 1 && times <= SIM_SLOWNESS_MAX);
    if (times > 1) {
        note(host->sim, SIM_COUNT_host_slowed);
    }
    host->slowness = times;
}

void sim_jump_wall(struct sim_host *host, int64_t by_ns)
{
    note(host->sim, SIM_COUNT_clock_jumped);
    host->wall_offset_ns += by_ns;
}

/* ---- disks ---- */

void sim_disk_slow(struct sim_host *host, uint32_t times)
{
    ASSERT(times >= 1 && times <= SIM_SLOWNESS_MAX);
    if (times > 1) {
        note(host->sim, SIM_COUNT_disk_slowed);
    }
    host->disk_slowness = times;
}

void sim_disk_fill(struct sim_host *host, bool is_full)
{
    if (is_full) {
        note(host->sim, SIM_COUNT_disk_filled);
    }
    host->is_disk_full = is_full;
}

void sim_disk_break(struct sim_host *host, bool is_broken)
{
    if (is_broken) {
        note(host->sim, SIM_COUNT_disk_broken);
    }
    host->is_disk_broken = is_broken;
}

int sim_disk_rot(struct sim_host *host, const char *path, uint32_t bits, struct buf *ret_path)
{
    struct sim_inode *inode;
    int rc = sim_disk_flip(host->disk, path, bits, &host->sim->rng, &inode);

    if (rc < 0) {
        return rc;
    }
    note(host->sim, SIM_COUNT_disk_rotted);
    return ret_path != NULL ? sim_inode_path(inode, ret_path) : 0;
}

/* ---- links that come and go ---- */

struct sim_flap {
    struct list_node node; /* in sim->flaps */
    struct sim_event turn;
    struct sim_host *a;
    struct sim_host *b;
    int64_t max_ns;
    bool is_cut;
};

static void arm_turn(struct sim_flap *flap)
{
    sim_arm_in(flap->a->sim, &flap->turn, sim_draw_log(flap->a->sim, SIM_US, flap->max_ns));
}

static void on_turn(struct sim_event *event)
{
    struct sim_flap *flap = container_of(event, struct sim_flap, turn);

    flap->is_cut = !flap->is_cut;
    if (flap->is_cut) {
        sim_count(flap->a->sim, SIM_COUNT_link_flapped);
        sim_cut_add(flap->a, flap->b);
        sim_cut_add(flap->b, flap->a);
    } else {
        sim_cut_remove(flap->a, flap->b);
        sim_cut_remove(flap->b, flap->a);
    }
    arm_turn(flap);
}

void sim_flap(struct sim_host *a, struct sim_host *b, int64_t max_ns)
{
    struct sim_flap *flap = calloc(1, sizeof(*flap));

    ASSERT(flap != NULL && a != b && max_ns >= SIM_US);
    sim_flaps_end(a, b);
    flap->a = a;
    flap->b = b;
    flap->max_ns = max_ns;
    flap->turn.fire = on_turn;
    list_node_init(&flap->node);
    list_push_back(&a->sim->flaps, &flap->node);
    sim_trace_note(a->sim, NULL, SIM_KIND_faulted, SIM_COUNT_link_flapped, 0);
    arm_turn(flap);
}

void sim_flaps_end(const struct sim_host *a, const struct sim_host *b)
{
    LIST_FOREACH_SAFE(node, &a->sim->flaps)
    {
        struct sim_flap *flap = LIST_ENTRY(node, struct sim_flap, node);

        if ((flap->a == a && flap->b == b) || (flap->a == b && flap->b == a) || b == NULL) {
            sim_cancel(a->sim, &flap->turn);
            list_remove(&flap->node);
            free(flap);
        }
    }
}

void sim_set_faults(struct sim *sim, const struct sim_faults *faults)
{
    sim->options.faults = *faults;
}

void sim_calm(struct sim *sim)
{
    LIST_FOREACH (node, &sim->hosts) {
        struct sim_host *host = LIST_ENTRY(node, struct sim_host, node);

        sim_flaps_end(host, NULL);
        sim_cuts_free(host);
        sim_thaw(host);
        host->slowness = 1;
        host->disk_slowness = 1;
        host->is_disk_full = false;
        host->is_disk_broken = false;
    }
    LIST_FOREACH (node, &sim->procs) {
        struct sim_proc *proc = LIST_ENTRY(node, struct sim_proc, node);

        if (proc->is_paused && proc->state != SIM_PROC_DEAD) {
            sim_resume(proc);
        }
    }
    sim->options.faults = (struct sim_faults){0};
}
