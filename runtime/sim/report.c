/*
 * Who is alive and what they wait for: read when a run does not end.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/conn.h"

static const char *const state_names[] = {"starting", "running", "leaving", "dead"};
static const char *const stream_names[] = {"connecting", "open", "failed", "ending", "closed"};

static int report_stream(const struct sim_stream *s, struct buf *out)
{
    const struct sim_conn *conn = s->conn;
    const struct sim_pipe *in = &conn->way[1 - s->side].pipe;

    return buf_append_fmt(out,
                          "      connection %u %s, peer %s: %zu bytes to write, %zu to read,"
                          " %zu coming%s%s%s\n",
                          conn->id, stream_names[s->state], s->peer.text, s->queued_bytes,
                          in->arrived, in->used - in->arrived, s->is_paused ? ", paused" : "",
                          s->reader == NULL ? ", not read" : "", s->is_broken ? ", broken" : "");
}

static int report_loop(const struct sim_loop *l, struct buf *out)
{
    int rc = buf_append_fmt(out, "    %s: %s, %u ready\n",
                            l->runner != NULL ? sim_runner_name(l->runner) : "main",
                            l->runner != NULL           ? sim_runner_state(l->runner)
                            : sim_event_armed(&l->step) ? "about to run"
                                                        : "waiting",
                            l->ready_count);

    LIST_FOREACH (node, &l->objects) {
        const struct sim_object *object = LIST_ENTRY(node, struct sim_object, node);

        if (rc == 0 && strcmp(object->kind, "stream") == 0) {
            rc = report_stream(container_of(object, struct sim_stream, object), out);
        } else if (rc == 0) {
            rc = buf_append_fmt(out, "      %s\n", object->kind);
        }
    }
    return rc;
}

static int report_proc(struct sim_proc *proc, struct buf *out)
{
    int rc = buf_append_fmt(out, "  %s %s%s\n", proc->name, state_names[proc->state],
                            proc->is_paused ? ", paused" : "");

    if (rc == 0) {
        rc = report_loop(&proc->loop, out);
    }
    return rc < 0 ? rc : sim_runners_report(proc, out);
}

int sim_loop_report(const struct sim_loop *l, struct buf *out)
{
    return report_loop(l, out);
}

int sim_report(const struct sim *sim, struct buf *out)
{
    int64_t next_ns = sim->events.count > 0 ? sim->events.slots[0].at_ns - sim->now_ns : -1;
    uint32_t dead = 0;
    int rc =
        buf_append_fmt(out,
                       "seed %" PRIu64 ", after %" PRId64 " us and %" PRIu64
                       " events; %u more are armed, the next in %" PRId64 " us\n",
                       sim->options.seed, (sim->now_ns - sim->start_ns) / SIM_US, sim->event_count,
                       sim->events.count, next_ns >= 0 ? next_ns / SIM_US : -1);

    LIST_FOREACH (node, &sim->procs) {
        struct sim_proc *proc = LIST_ENTRY(node, struct sim_proc, node);

        dead += proc->state == SIM_PROC_DEAD;
        if (rc == 0 && proc->state != SIM_PROC_DEAD) {
            rc = report_proc(proc, out);
        }
    }
    return rc < 0 ? rc : buf_append_fmt(out, "  and %u that ended\n", dead);
}
