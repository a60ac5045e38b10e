/*
 * figures.h: the numbers of each thing that is measured, once for all who tell them: where in its
 * struct each stands, and what it is called by Prometheus and by Graphite.
 *
 * A number that is added here is told by both.
 */
#ifndef OBSERVE_FIGURES_H
#define OBSERVE_FIGURES_H

#include <stddef.h>

#include "base/assert.h"
#include "observe/exposition.h"
#include "wire/messages_metrics.h"

/* One number of a struct: where it stands and how it is called, for both. */
struct figure {
    const char *name; /* Prometheus */
    const char *path; /* Graphite */
    const char *help;
    enum exposition_kind kind;
    bool is_wide; /* 64 bits */
    size_t offset;
    double unit; /* how many make one of what is shown */
};

#define FIGURE(type, member, name_, kind_, unit_, help_)                                           \
    {                                                                                              \
        .name = (name_), .path = #member, .help = (help_), .kind = EXPOSITION_##kind_,             \
        .is_wide = sizeof(((type *)0)->member) == sizeof(uint64_t),                                \
        .offset = offsetof(type, member), .unit = (unit_)                                          \
    }

struct figures {
    const struct figure *list;
    size_t count;
};

extern const struct figures figures_of_processors; /* struct msg_processor_stats */
extern const struct figures figures_of_tasks;      /* struct msg_task_metrics */
extern const struct figures figures_of_edges;      /* struct msg_edge_stats */
extern const struct figures figures_of_executors;  /* struct msg_vitals */
extern const struct figures figures_of_daemons;    /* struct msg_vitals */

double figure_of(const struct figure *figure, const void *from);

/* ---- what no struct holds as it is ---- */

const char *figures_name(const struct msg_app_metrics *app, uint32_t processor);
/* How far a watermark is behind the time of the message. false: there is none. */
bool figures_lag_s(const struct msg_app_metrics *app, int64_t watermark_ns, double *ret);
bool figures_is_stalled(const struct msg_app_metrics *app, uint32_t processor);
bool figures_is_critical(const struct msg_app_metrics *app, uint32_t processor);

#endif
