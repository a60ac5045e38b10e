/*
 * The world itself: making it, and letting one event happen after the other.
 *
 * Invariant: time never goes back, and stands still while an event fires; code under test, which
 * takes time, is ahead of it by what its loop has spent. A run ends when what was waited for has
 * come true, or with the reason why it will not: the limits make a hang an error with a report.
 */
#include "sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "sim/disk.h"
#include "sim/world.h"

int64_t sim_draw_log(struct sim *sim, int64_t min, int64_t max)
{
    int low = 63 - __builtin_clzll((unsigned long long)min);
    int high = 63 - __builtin_clzll((unsigned long long)max);
    int64_t base = INT64_C(1) << sim_between(sim, low, high);
    int64_t v = base + (int64_t)sim_draw(sim, (uint64_t)base);

    return v < min ? min : v > max ? max : v;
}

/* ---- life ---- */

int sim_new(const struct sim_options *options, struct sim **ret)
{
    struct sim *sim = calloc(1, sizeof(*sim));

    ASSERT(options->start == NULL || options->stop != NULL);
    if (sim == NULL) {
        return GP_ENOMEM;
    }
    sim->options = *options;
    if (sim->options.event_max == 0) {
        sim->options.event_max = SIM_EVENT_MAX;
    }
    if (sim->options.time_max_ns == 0) {
        sim->options.time_max_ns = SIM_TIME_MAX_NS;
    }
    rng_init(&sim->rng, options->seed);
    sim_trace_init(&sim->trace, options->seed);
    list_init(&sim->hosts);
    list_init(&sim->procs);
    list_init(&sim->doomed);
    list_init(&sim->conns);
    list_init(&sim->flaps);
    sim->start_ns = SIM_S;
    sim->now_ns = sim->start_ns;
    *ret = sim;
    return 0;
}

static void host_free(struct sim_host *host)
{
    list_remove(&host->node);
    sim_flaps_end(host, NULL);
    sim_cuts_free(host);
    sim_disk_free(host->disk);
    free(host);
}

void sim_free(struct sim *sim)
{
    struct list_node *node;

    if (sim == NULL) {
        return;
    }
    ASSERT(!sim->is_stepping);
    LIST_FOREACH (proc, &sim->procs) {
        sim_kill(LIST_ENTRY(proc, struct sim_proc, node));
    }
    while ((node = list_first(&sim->procs)) != NULL) {
        sim_proc_free(LIST_ENTRY(node, struct sim_proc, node));
    }
    while ((node = list_first(&sim->hosts)) != NULL) {
        host_free(LIST_ENTRY(node, struct sim_host, node));
    }
    sim_events_deinit(&sim->events);
    sim_trace_deinit(&sim->trace);
    free(sim);
}

int sim_host_add(struct sim *sim, const char *address, struct sim_host **ret)
{
    struct sim_host *host;
    size_t len = strlen(address);

    if (len == 0 || len >= SIM_NAME_MAX || strchr(address, ':') != NULL) {
        return GP_EINVAL;
    }
    LIST_FOREACH (node, &sim->hosts) {
        if (strcmp(LIST_ENTRY(node, struct sim_host, node)->name, address) == 0) {
            return GP_EEXIST;
        }
    }
    host = sim->host_count < SIM_HOSTS_MAX ? calloc(1, sizeof(*host)) : NULL;
    if (host == NULL || sim_disk_new(&host->disk) < 0) {
        free(host);
        return sim->host_count < SIM_HOSTS_MAX ? GP_ENOMEM : GP_EFULL;
    }
    memcpy(host->name, address, len + 1);
    host->sim = sim;
    sim->host_count++;
    host->clock_offset_ns = (int64_t)sim_draw(sim, SIM_CLOCK_OFFSET_MAX_S) * SIM_S;
    host->wall_offset_ns = sim_between(sim, -SIM_WALL_SKEW_MAX_NS, SIM_WALL_SKEW_MAX_NS);
    host->cpu_count = SIM_CPU_COUNT;
    host->slowness = 1;
    host->disk_slowness = 1;
    host->port_next = SIM_EPHEMERAL_PORT + (uint32_t)sim_draw(sim, 1024);
    list_init(&host->listeners);
    list_init(&host->cuts);
    list_node_init(&host->node);
    list_push_back(&sim->hosts, &host->node);
    *ret = host;
    return 0;
}

/* ---- running ---- */

bool sim_step(struct sim *sim)
{
    struct sim_event *event = sim_events_pop(&sim->events);

    if (event == NULL) {
        return false;
    }
    ASSERT(!sim->is_stepping && event->at_ns >= sim->now_ns);
    sim->now_ns = event->at_ns;
    sim->event_count++;
    sim->is_stepping = true;
    event->fire(event);
    sim->is_stepping = false;
    ASSERT(sim->current == NULL);
    sim_procs_reap(sim);
    return true;
}

static bool is_spent(const struct sim *sim)
{
    return sim->event_count >= sim->options.event_max ||
           sim->now_ns - sim->start_ns >= sim->options.time_max_ns;
}

/* The error carries as much of the report as fits. */
static int give_up(const struct sim *sim, int code, const char *why, struct gp_error *err)
{
    struct buf report = {0};
    const char *text;

    (void)sim_report(sim, &report); /* cut at the limit of a buffer is fine */
    text = buf_c(&report);
    code = gp_error_set(err, code, "%s: %s", why, text != NULL ? text : "");
    buf_deinit(&report);
    return code;
}

int sim_run_until(struct sim *sim, bool (*done)(void *user), void *user, struct gp_error *err)
{
    while (!done(user)) {
        if (is_spent(sim)) {
            return give_up(sim, GP_ETIMEOUT, "the simulation took too long", err);
        }
        if (!sim_step(sim)) {
            return give_up(sim, GP_ESTATE, "nothing is left to happen", err);
        }
    }
    return 0;
}

int sim_run_for(struct sim *sim, int64_t duration_ns, struct gp_error *err)
{
    int64_t end_ns = sim->now_ns + duration_ns;

    while (sim->events.count > 0 && sim->events.slots[0].at_ns <= end_ns) {
        if (is_spent(sim)) {
            return give_up(sim, GP_ETIMEOUT, "the simulation took too long", err);
        }
        (void)sim_step(sim); /* there is one */
    }
    sim->now_ns = end_ns;
    return 0;
}

/* ---- asking ---- */

const char *sim_host_name(const struct sim_host *host)
{
    return host->name;
}

int64_t sim_now_ns(const struct sim *sim)
{
    return sim->now_ns - sim->start_ns;
}

uint64_t sim_events(const struct sim *sim)
{
    return sim->event_count;
}

uint64_t sim_leaks(const struct sim *sim)
{
    return sim->leak_count;
}
