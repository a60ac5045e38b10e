/* prometheus.c: what a daemon says of itself; applications are in prometheus_apps.c. */
#include "observe/prometheus.h"

#include "base/str.h"
#include "observe/figures.h"

#define NUMBER_MAX 16

static void put_one(struct exposition *e, const char *name, enum exposition_kind kind,
                    const char *help, double value)
{
    exposition_family(e, name, kind, help);
    exposition_number(e, NULL, 0, value);
}

void prometheus_put_master(struct exposition *e, const struct prometheus_master *m)
{
    put_one(e, "gearpump_master_leads", EXPOSITION_GAUGE, "1: it leads its group.", m->leads);
    put_one(e, "gearpump_raft_term", EXPOSITION_GAUGE, "Term of the group.", (double)m->term);
    put_one(e, "gearpump_raft_last_index", EXPOSITION_GAUGE, "Last entry of its log.",
            (double)m->last);
    put_one(e, "gearpump_raft_committed_index", EXPOSITION_GAUGE, "Last entry it knows committed.",
            (double)m->committed);
    put_one(e, "gearpump_raft_applied_index", EXPOSITION_GAUGE, "Last entry it has applied.",
            (double)m->applied);
    put_one(e, "gearpump_raft_elections_total", EXPOSITION_COUNTER, "Times it began to lead.",
            (double)m->elections);
    if (m->apply) {
        exposition_family(e, "gearpump_raft_apply_seconds", EXPOSITION_HISTOGRAM,
                          "Time from proposed to applied, of its own proposals.");
        exposition_histogram(e, NULL, 0, m->apply);
    }
    if (m->leads) {
        put_one(e, "gearpump_cluster_workers", EXPOSITION_GAUGE, "Workers that are registered.",
                m->workers);
        put_one(e, "gearpump_cluster_slots", EXPOSITION_GAUGE, "Slots of all workers.", m->slots);
        put_one(e, "gearpump_cluster_slots_used", EXPOSITION_GAUGE, "Of these, given away.",
                m->slots_used);
        put_one(e, "gearpump_master_history_bytes", EXPOSITION_GAUGE,
                "Memory of what is remembered of applications.", (double)m->history_bytes);
    }
}

void prometheus_put_workers(struct exposition *e, const struct prometheus_worker *workers,
                            uint32_t count)
{
    static const struct figure figures[] = {
        FIGURE(struct prometheus_worker, slots, "gearpump_worker_slots", GAUGE, 1,
               "Slots it offers."),
        FIGURE(struct prometheus_worker, slots_used, "gearpump_worker_slots_used", GAUGE, 1,
               "Of these, given away."),
        FIGURE(struct prometheus_worker, processes, "gearpump_worker_processes", GAUGE, 1,
               "Processes it runs."),
    };

    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        exposition_family(e, figures[i].name, figures[i].kind, figures[i].help);
        for (uint32_t k = 0; k < count; k++) {
            char worker[NUMBER_MAX];
            const struct label labels[] = {{"worker", worker}, {"host", workers[k].host}};

            (void)str_format(worker, sizeof worker, "%u", workers[k].worker);
            exposition_number(e, labels, ARRAY_LEN(labels), figure_of(&figures[i], &workers[k]));
        }
    }
}

void prometheus_put_vitals(struct exposition *e, const char *role, const struct msg_vitals *vitals)
{
    const struct label label = {"role", role};

    for (size_t i = 0; i < figures_of_daemons.count; i++) {
        exposition_family(e, figures_of_daemons.list[i].name, figures_of_daemons.list[i].kind,
                          figures_of_daemons.list[i].help);
        exposition_number(e, &label, 1, figure_of(&figures_of_daemons.list[i], vitals));
    }
}
