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

/* Of the present: those in between were not late. */
static int64_t *lag_now(struct vitals *v)
{
    const int64_t slot = loop_now_ns(v->port->loop) / VITALS_LAG_SLOT_NS;
    const int64_t past = slot - v->lag_slot;

    for (int64_t i = 0; i < past && i < VITALS_LAG_SLOTS; i++) {
        v->lag_ns[(uint64_t)(slot - i) % VITALS_LAG_SLOTS] = 0;
    }
    v->lag_slot = slot;
    return &v->lag_ns[(uint64_t)slot % VITALS_LAG_SLOTS];
}

void vitals_came(struct vitals *v)
{
    const int64_t late_ns = loop_now_ns(v->port->loop) - v->due_ns;
    int64_t *lag_ns = lag_now(v);

    if (v->due_ns != 0 && late_ns > *lag_ns) {
        *lag_ns = late_ns;
    }
    v->due_ns = 0;
}

static int64_t largest_lag_ns(struct vitals *v)
{
    int64_t largest = *lag_now(v);

    for (uint32_t i = 0; i < VITALS_LAG_SLOTS; i++) {
        largest = v->lag_ns[i] > largest ? v->lag_ns[i] : largest;
    }
    return largest;
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
        .loop_lag_us = (uint64_t)largest_lag_ns(v) / 1000,
    };
    if (ep) {
        vitals_add_counts(ret, endpoint_counts(ep));
    }
}

void vitals_load(const struct port *port, struct msg_load *ret)
{
    struct port_host_usage usage;

    port_host_usage(port, &usage);
    *ret = (struct msg_load){.load_1m = usage.load_1m,
                             .cpus = port->ops->cpu_count(port->world),
                             .memory_total = usage.memory_total,
                             .memory_free = usage.memory_free};
}
