/* metrics_page.c: see metrics_page.h. */
#include "app/metrics_page.h"

#include <stdlib.h>

#include "observe/prometheus.h"

static void put_apps(struct exposition *e, const struct metrics_daemon *daemon)
{
    struct prometheus_apps apps = {.task_series = daemon->task_series};
    const struct msg_app_metrics **list = calloc(APPS_LIVE_MAX, sizeof *list);
    const struct msg_app_metrics *app = NULL;

    if (!list) {
        e->rc = GP_ENOMEM;
        return;
    }
    while (apps.count < APPS_LIVE_MAX &&
           (app = master_app_metrics(daemon->master, app ? app->app : 0)) != NULL) {
        list[apps.count++] = app;
    }
    apps.apps = list;
    prometheus_put_apps(e, &apps);
    free(list);
}

static void put_master(struct exposition *e, const struct metrics_daemon *daemon)
{
    struct master_figures f;

    master_figures(daemon->master, &f);
    prometheus_put_master(e, &(struct prometheus_master){.leads = f.leads,
                                                         .term = f.term,
                                                         .last = f.last,
                                                         .committed = f.committed,
                                                         .applied = f.applied,
                                                         .elections = f.elections,
                                                         .apply = f.apply,
                                                         .workers = f.workers,
                                                         .slots = f.slots,
                                                         .slots_used = f.slots_used,
                                                         .history_bytes = f.history_bytes});
    if (f.leads) {
        put_apps(e, daemon);
    }
}

static void put_workers(struct exposition *e, const struct metrics_daemon *daemon)
{
    struct prometheus_worker workers[METRICS_ROLES_MAX];
    uint32_t count = 0;

    for (uint32_t i = 0; i < daemon->worker_count && i < METRICS_ROLES_MAX; i++) {
        struct worker_figures f;

        if (daemon->workers[i]) {
            worker_figures(daemon->workers[i], &f);
        }
        if (daemon->workers[i] && f.worker != 0) { /* else it has no name yet */
            workers[count++] =
                (struct prometheus_worker){f.worker, f.host, f.slots, f.slots_used, f.processes};
        }
    }
    if (count > 0) {
        prometheus_put_workers(e, workers, count);
    }
}

int metrics_page(const struct metrics_daemon *daemon, struct buf *out)
{
    struct exposition e = {.out = out};

    if (daemon->master) {
        put_master(&e, daemon);
    }
    put_workers(&e, daemon);
    if (daemon->vitals) {
        prometheus_put_vitals(&e, daemon->role, daemon->vitals);
    }
    return e.rc;
}
