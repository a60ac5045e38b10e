/*
 * fault_strike.c: see fault_strike.h. Each kind is a function that strikes, told who by the fault's
 * own choice; a fault that finds nobody to hit is over at once.
 */
#include "sim/fault_strike.h"

#include <stdarg.h>

#include "base/assert.h"
#include "base/str.h"

#define MS_NS       INT64_C(1000000)
#define FLAP_MAX_NS (400 * MS_NS)
#define SLOW_MAX    200u
#define DELAYED     0.2
#define WALL_MAX_S  7200

void fault_tell(const struct fault_plan *plan, const struct fault *fault, const char *format, ...)
{
    char text[256];
    va_list args;

    if (plan->options.on_told) {
        va_start(args, format);
        (void)str_vformat(text, sizeof text, format, args);
        va_end(args);
        plan->options.on_told(plan->options.user, fault, text);
    }
}

/* ---- who is hit ---- */

/* One of n, each part of the choice used once. */
static uint32_t choose(uint64_t *choice, uint32_t n)
{
    uint32_t i = (uint32_t)(*choice % n);

    *choice /= n;
    return i;
}

static uint32_t host_count(const struct cluster *c)
{
    return c->master_count + c->worker_hosts;
}

/* Masters first. The client's host is spared: nothing is learnt from its faults. */
static struct sim_host *host_at(const struct cluster *c, uint32_t i)
{
    return i < c->master_count ? c->masters[i].host : c->workers[i - c->master_count].host;
}

static struct sim_host *choose_host(const struct cluster *c, uint64_t *choice)
{
    return host_at(c, choose(choice, host_count(c)));
}

static bool choose_pair(const struct cluster *c, struct fault *f, uint64_t *choice)
{
    uint32_t count = host_count(c);
    uint32_t first = choose(choice, count);

    if (count < 2) {
        return false;
    }
    f->host = host_at(c, first);
    f->other = host_at(c, (first + 1 + choose(choice, count - 1)) % count);
    return true;
}

static struct sim_proc *choose_role(const struct cluster *c, const char *role, uint64_t *choice)
{
    uint32_t count = cluster_process_count(c, role);

    return count > 0 ? cluster_process(c, role, choose(choice, count)) : NULL;
}

/* On two hosts without an appmaster: nobody else misses anybody. */
static bool choose_executors(const struct cluster *c, struct fault *f, uint64_t *choice)
{
    const struct sim_proc *am = cluster_process(c, "appmaster", 0);
    uint32_t count = cluster_process_count(c, "executor");
    uint32_t first = count > 0 ? choose(choice, count) : 0;

    f->host = NULL;
    for (uint32_t i = 0; i < count; i++) {
        struct sim_host *host = sim_proc_host(cluster_process(c, "executor", (first + i) % count));

        if ((am && host == sim_proc_host(am)) || host == f->host) {
            continue;
        }
        if (f->host) {
            f->other = host;
            return true;
        }
        f->host = host;
    }
    return false;
}

static struct sim_proc *choose_process(const struct cluster *c, uint64_t *choice)
{
    static const char *const roles[] = {"executor", "appmaster", "worker", "master"};

    return choose_role(c, roles[choose(choice, 4)], choice);
}

/* ---- killing ---- */

static bool kill_one(struct fault_plan *plan, struct fault *f, struct sim_proc *proc)
{
    if (!proc) {
        return false;
    }
    fault_tell(plan, f, "%s killed", sim_proc_name(proc));
    f->host = sim_proc_host(proc);
    sim_kill(proc);
    return true;
}

static bool kill_role(struct fault_plan *plan, struct cluster *c, struct fault *f, const char *role)
{
    uint64_t choice = f->choice;

    return kill_one(plan, f, choose_role(c, role, &choice));
}

static bool kill_leader(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint32_t leader = cluster_leader(c);

    return leader != CLUSTER_MASTERS_MAX && kill_one(plan, f, c->masters[leader].proc);
}

static bool kill_masters(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    fault_tell(plan, f, "all masters killed");
    for (uint32_t i = 0; i < c->master_count; i++) {
        if (cluster_is_up(&c->masters[i])) {
            sim_kill(c->masters[i].proc);
        }
    }
    return true;
}

/* ---- what lasts ---- */

static bool pause_process(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;

    f->proc = choose_process(c, &choice);
    if (!f->proc) {
        return false;
    }
    fault_tell(plan, f, "%s stopped", sim_proc_name(f->proc));
    sim_pause(f->proc);
    return true;
}

static bool freeze_host(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;
    bool stops_clock = choose(&choice, 2) == 0;

    f->host = choose_host(c, &choice);
    fault_tell(plan, f, "host %s frozen%s", sim_host_name(f->host),
               stops_clock ? ", its clock with it" : "");
    sim_freeze(f->host, stops_clock);
    return true;
}

static bool isolate(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;

    f->host = choose_host(c, &choice);
    fault_tell(plan, f, "host %s cut off from all others", sim_host_name(f->host));
    for (uint32_t i = 0; i < host_count(c); i++) {
        if (host_at(c, i) != f->host) {
            sim_cut(f->host, host_at(c, i));
        }
    }
    sim_cut(f->host, c->client_host);
    return true;
}

static void rejoin(struct cluster *c, const struct fault *f)
{
    for (uint32_t i = 0; i < host_count(c); i++) {
        if (host_at(c, i) != f->host) {
            sim_heal(f->host, host_at(c, i));
        }
    }
    sim_heal(f->host, c->client_host);
}

static bool part(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;

    if (!(f->kind == FAULT_executors_parted ? choose_executors(c, f, &choice)
                                            : choose_pair(c, f, &choice))) {
        return false;
    }
    if (f->kind == FAULT_hosts_parted || f->kind == FAULT_executors_parted) {
        fault_tell(plan, f, "no way between %s and %s", sim_host_name(f->host),
                   sim_host_name(f->other));
        sim_cut(f->host, f->other);
    } else if (f->kind == FAULT_link_oneway) {
        fault_tell(plan, f, "no way from %s to %s", sim_host_name(f->host),
                   sim_host_name(f->other));
        sim_cut_oneway(f->host, f->other);
    } else {
        fault_tell(plan, f, "the link between %s and %s comes and goes", sim_host_name(f->host),
                   sim_host_name(f->other));
        sim_flap(f->host, f->other, FLAP_MAX_NS);
    }
    return true;
}

static bool reset(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;
    struct sim_proc *a = choose_process(c, &choice);
    struct sim_proc *b = choose_process(c, &choice);

    if (!a || !b || a == b || sim_reset(a, b) == 0) {
        return false;
    }
    fault_tell(plan, f, "connections between %s and %s reset", sim_proc_name(a), sim_proc_name(b));
    return true;
}

/* ---- disks ---- */

static bool cut_power(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;

    f->host = choose_host(c, &choice);
    fault_tell(plan, f, "host %s lost its power, and what was not synced", sim_host_name(f->host));
    (void)sim_crash(f->host);
    return true;
}

static bool hurt_disk(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;

    f->host = choose_host(c, &choice);
    if (f->kind == FAULT_disk_full) {
        fault_tell(plan, f, "the disk of %s is full", sim_host_name(f->host));
        sim_disk_fill(f->host, true);
    } else if (f->kind == FAULT_disk_broken) {
        fault_tell(plan, f, "the disk of %s fails", sim_host_name(f->host));
        sim_disk_break(f->host, true);
    } else {
        uint32_t times = 2 + choose(&choice, SLOW_MAX);

        fault_tell(plan, f, "the disk of %s is %u times slower", sim_host_name(f->host), times);
        sim_disk_slow(f->host, times);
    }
    return true;
}

/* A worker's files, which it can fetch again; or a minority of the masters', once. */
static bool rot_disk(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;
    bool is_master = c->master_count >= 3 && !plan->has_rotten_master && choose(&choice, 2) == 0;
    struct buf path = {0};
    int rc;

    f->host = is_master ? host_at(c, choose(&choice, c->master_count))
                        : host_at(c, c->master_count + choose(&choice, c->worker_hosts));
    rc = sim_disk_rot(f->host, "/var", 1 + choose(&choice, 8), &path);
    if (rc == 0) {
        plan->has_rotten_master = plan->has_rotten_master || is_master;
        fault_tell(plan, f, "bits of %s on %s turned", buf_c(&path), sim_host_name(f->host));
    }
    buf_deinit(&path);
    return rc == 0;
}

/* ---- slow, and wrong ---- */

static bool slow_host(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;
    uint32_t times = 2 + choose(&choice, SLOW_MAX);

    f->host = choose_host(c, &choice);
    fault_tell(plan, f, "host %s is %u times slower", sim_host_name(f->host), times);
    sim_slow(f->host, times);
    return true;
}

static bool slow_network(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    fault_tell(plan, f, "one segment in five is late");
    sim_set_faults(c->sim, &(struct sim_faults){.segment_delayed = DELAYED});
    return true;
}

static bool set_clock(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    uint64_t choice = f->choice;
    int64_t by_s = (int64_t)choose(&choice, 2 * WALL_MAX_S) - WALL_MAX_S;

    f->host = choose_host(c, &choice);
    fault_tell(plan, f, "the wall clock of %s is set by %lld s", sim_host_name(f->host),
               (long long)by_s);
    sim_jump_wall(f->host, by_s * 1000 * MS_NS);
    return true;
}

/* ---- striking and healing ---- */

bool fault_strike(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    switch (f->kind) {
    case FAULT_executor_killed:
        return kill_role(plan, c, f, "executor");
    case FAULT_appmaster_killed:
        return kill_role(plan, c, f, "appmaster");
    case FAULT_worker_killed:
        return kill_role(plan, c, f, "worker");
    case FAULT_leader_killed:
        return kill_leader(plan, c, f);
    case FAULT_masters_killed:
        return kill_masters(plan, c, f);
    case FAULT_process_paused:
        return pause_process(plan, c, f);
    case FAULT_host_frozen:
        return freeze_host(plan, c, f);
    case FAULT_hosts_parted:
    case FAULT_executors_parted:
    case FAULT_link_oneway:
    case FAULT_link_flapping:
        return part(plan, c, f);
    case FAULT_host_alone:
        return isolate(plan, c, f);
    case FAULT_connections_reset:
        return reset(plan, c, f);
    case FAULT_power_cut:
        return cut_power(plan, c, f);
    case FAULT_disk_full:
    case FAULT_disk_broken:
    case FAULT_disk_slow:
        return hurt_disk(plan, c, f);
    case FAULT_disk_rotten:
        return rot_disk(plan, c, f);
    case FAULT_host_slow:
        return slow_host(plan, c, f);
    case FAULT_network_slow:
        return slow_network(plan, c, f);
    case FAULT_clock_set:
        return set_clock(plan, c, f);
    case FAULT_KIND_COUNT:
        break;
    }
    UNREACHABLE();
}

void fault_heal(struct fault_plan *plan, struct cluster *c, struct fault *f)
{
    switch (f->kind) {
    case FAULT_process_paused:
        fault_tell(plan, f, "%s goes on", sim_proc_name(f->proc));
        sim_resume(f->proc);
        break;
    case FAULT_host_frozen:
        fault_tell(plan, f, "host %s goes on", sim_host_name(f->host));
        sim_thaw(f->host);
        break;
    case FAULT_hosts_parted:
    case FAULT_executors_parted:
    case FAULT_link_oneway:
    case FAULT_link_flapping:
        fault_tell(plan, f, "%s and %s are linked again", sim_host_name(f->host),
                   sim_host_name(f->other));
        sim_heal(f->host, f->other);
        break;
    case FAULT_host_alone:
        fault_tell(plan, f, "host %s is back", sim_host_name(f->host));
        rejoin(c, f);
        break;
    case FAULT_disk_full:
        fault_tell(plan, f, "the disk of %s has room again", sim_host_name(f->host));
        sim_disk_fill(f->host, false);
        break;
    case FAULT_disk_broken:
        fault_tell(plan, f, "the disk of %s is mended", sim_host_name(f->host));
        sim_disk_break(f->host, false);
        break;
    case FAULT_disk_slow:
        fault_tell(plan, f, "the disk of %s is fast again", sim_host_name(f->host));
        sim_disk_slow(f->host, 1);
        break;
    case FAULT_host_slow:
        fault_tell(plan, f, "host %s is fast again", sim_host_name(f->host));
        sim_slow(f->host, 1);
        break;
    case FAULT_network_slow:
        fault_tell(plan, f, "the network is fast again");
        sim_set_faults(c->sim, &(struct sim_faults){0});
        break;
    default: /* who was killed is started again by those who look after daemons, or never */
        break;
    }
}
