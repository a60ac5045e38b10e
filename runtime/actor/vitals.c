/* vitals.c: see vitals.h. Nothing here can fail. */
#include "actor/vitals.h"

void vitals_init(struct vitals *v, const struct port *port)
{
    *v = (struct vitals){.port = port, .began_ns = loop_now_ns(port->loop)};
}

void vitals_await(struct vitals *v, int64_t delay_ns)
{
    v->due_ns = loop_now_ns(v->port->loop) + delay_ns;
}

void vitals_came(struct vitals *v)
{
    int64_t late_ns = loop_now_ns(v->port->loop) - v->due_ns;

    if (v->due_ns != 0 && late_ns > v->lag_ns) {
        v->lag_ns = late_ns;
    }
    v->due_ns = 0;
}

void vitals_add_counts(struct msg_vitals *to, const struct endpoint_counts *counts)
{
    to->connections += (uint32_t)(counts->connected - counts->disconnected);
    to->frames_in += counts->messages_in;
    to->frames_out += counts->messages_out;
    to->bytes_in += counts->bytes_in;
    to->bytes_out += counts->bytes_out;
    to->frame_errors +=
        counts->handshakes_failed + counts->frames_refused + counts->messages_refused;
}

void vitals_tell(struct vitals *v, const struct endpoint *ep, struct msg_vitals *ret)
{
    struct port_usage usage;

    port_usage(v->port, &usage);
    *ret = (struct msg_vitals){
        .pid = v->port->ops->self_pid(v->port->world),
        .up_ms = (loop_now_ns(v->port->loop) - v->began_ns) / 1000000,
        .cpu_ns = usage.cpu_ns,
        .rss_bytes = usage.rss_bytes,
        .fds = usage.fds,
        .loop_lag_us = (uint64_t)v->lag_ns / 1000,
    };
    if (ep) {
        vitals_add_counts(ret, endpoint_counts(ep));
    }
    v->lag_ns = 0;
}

void vitals_load(const struct port *port, struct msg_load *ret)
{
    struct port_usage usage;

    port_usage(port, &usage);
    *ret = (struct msg_load){.load_1m = usage.load_1m,
                             .cpus = port->ops->cpu_count(port->world),
                             .memory_total = usage.memory_total,
                             .memory_free = usage.memory_free};
}
