/* coverage.c: see coverage.h. */
#include "coverage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

static const char *const must_happen[] = {
    /* lives of jobs */
    "worker.registered",
    "artefact.stored",
    "artefact.fetched",
    "executor.registered",
    "app.finished",
    "app.failed",
    /* links and accounts: told by lanes at their end */
    "account.exhausted",
    "source.held_back", /* a slow sink's pressure has reached the source */
    "batch.filled",
    "batch.left_partial",
    "batch.lingered",
    "batch.held_back",
    "edge.pointer_used",
    "edge.ring_used",
    "edge.unix_used",
    "edge.tcp_used",
    "edge.fused_used",
    "lane.slept",
    /* messages and rows */
    "message.fragmented",
    "message.interleaved", /* fragments, with rows of others between them */
    "message.sent_unmanaged",
    "message.refused",
    "row.late",
    "row.unrouted", /* emitted where nobody listens */
    "row.rejected",
    "row.stale_dropped",
    "task.restarted",
    /* what broke, and was survived or told */
    "actor.ask_retried",
    "actor.dial_failed",
    "actor.disconnected",
    "link.closed_mid_batch",
    "link.lost",
    "upload.cut",
    /* what died or failed, and was repaired */
    "app.recovering",
    "app.recovered",
    "appmaster.executor_given_up",
    "appmaster.lost",
    "executor.appmaster_lost",
    "worker.lost",
    "consensus.broken",
    "consensus.installed",
    "consensus.snapshot",
    "sim.disk_refused",
    "sim.disk_torn",
    "sim.host_frozen",
    "sim.host_frozen_clock",
    "sim.link_cut_oneway",
    "sim.link_flapped",
    "sim.proc_paused",
    /* the world */
    "sim.accept_backlogged",
    "sim.callback_reordered",
    "sim.callback_waited",
    "sim.connect_refused",
    "sim.proc_killed",
    "sim.read_partial",
    "sim.runner_stayed_up",
    "sim.runner_woken_awake",
    "sim.segment_delayed",
    "sim.stream_reset",
    "sim.write_partial",
    "sim.write_queued",
    /* shapes, noted by the harness */
    "shape.one_lane",
    "shape.many_lanes",
    "shape.one_executor",
    "shape.many_executors",
    "shape.shared_host",
    "shape.master_late",
    "app.tasks_leave",
    "app.tasks_placed",
    "app.task_stays",
    "app.move_cut_short",
    "app.rebalanced",
    "app.waits_for_slots",
    "appmaster.moved",
    "executor.resumed",
    "master.added",
    "master.removed",
    "master.waits",
    "appmaster.executor_retired",
    "moves.done",
    "operator.drained",
    "operator.obeyed",
    "operator.spread",
    /* faults that were drawn */
    "fault.upload_cut",
    "fault.wait_cut",
    "fault.bad_network",
    "fault.master_gone",
    "fault.link_cut",
    "fault.executor_killed",
    "fault.executors_killed",
    "fault.worker_killed",
    "fault.appmaster_killed",
    "fault.appmaster_and_executor_killed",
    "fault.executor_frozen",
    "fault.executors_parted",
    "fault.task_failed",
    /* and those of plans */
    "plan.executor_killed",
    "plan.appmaster_killed",
    "plan.worker_killed",
    "plan.process_paused",
    "plan.host_frozen",
    "plan.hosts_parted",
    "plan.executors_parted",
    "plan.host_alone",
    "plan.link_oneway",
    "plan.link_flapping",
    "plan.connections_reset",
    "plan.disk_full",
    "plan.leader_killed",
    "plan.masters_killed",
    "plan.power_cut",
    "shape.three_masters",
    "plan.master_removed",
    "plan.disk_broken",
    "plan.disk_rotten",
    "plan.disk_slow",
    "plan.host_slow",
    "plan.network_slow",
    "plan.clock_set",
};

_Static_assert(ARRAY_LEN(must_happen) <= COVERAGE_MAX, "a count for each");

static uint64_t *find(struct coverage *coverage, gp_str name)
{
    for (uint32_t i = 0; i < ARRAY_LEN(must_happen); i++) {
        if (str_eq(name, gp_str_of(must_happen[i]))) {
            return &coverage->counts[i];
        }
    }
    return NULL;
}

static void add(void *user, gp_str name, uint64_t count)
{
    uint64_t *sum = find(user, name);

    if (sum) {
        *sum += count;
    }
}

void coverage_add(struct coverage *coverage, const struct sim *sim)
{
    sim_event_each(sim, add, coverage);
}

void coverage_note(struct coverage *coverage, const char *name)
{
    uint64_t *sum = find(coverage, gp_str_of(name));

    ASSERT(sum);
    ++*sum;
}

uint32_t coverage_report(const struct coverage *coverage)
{
    uint32_t missing = 0;

    for (uint32_t i = 0; i < ARRAY_LEN(must_happen); i++) {
        printf("%-32s %" PRIu64 "\n", must_happen[i], coverage->counts[i]);
        missing += coverage->counts[i] == 0;
    }
    return missing;
}
