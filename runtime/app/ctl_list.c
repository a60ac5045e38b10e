/*
 * ctl_list.c: gpctl list, workers, masters: what there is.
 *
 * Lists come in pages; each page is added to a table or to a list of JSON before the next is asked
 * for, so nothing is kept twice.
 */
#include "app/ctl.h"
#include "app/show.h"
#include "app/table.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/units.h"

#define NS_PER_MS       INT64_C(1000000)
#define ERROR_SHOWN_MAX 80

/* A list on its way to stdout. */
struct listing {
    const char *name; /* of the list in JSON */
    struct table table;
    struct value *list; /* NULL without -o json */
    bool is_quiet;
    uint32_t next; /* the page after this one; 0: none */
    int64_t now_ms;
};

static const struct table_column id_column[] = {{NULL, TABLE_LEFT}};

static int listing_begin(struct listing *l, const struct ctl *ctl, const char *name,
                         const struct table_column *columns, uint32_t count)
{
    *l = (struct listing){.name = name, .is_quiet = ctl->is_quiet, .now_ms = show_now_ms()};
    table_init(&l->table, ctl->is_quiet ? id_column : columns, ctl->is_quiet ? 1 : count);
    table_colours(&l->table, ctl->has_colours);
    if (ctl->json) {
        l->list = value_new_list();
        return l->list ? 0 : GP_ENOMEM;
    }
    return 0;
}

/* Prints, or says what went wrong. rc: how asking went. */
static int listing_end(struct listing *l, const struct ctl *ctl, int rc, struct gp_error *err)
{
    int status = EXIT_STATUS_OK;

    if (rc == 0 && !ctl->json) {
        rc = table_print(&l->table, stdout, 0);
    }
    if (rc < 0) {
        if (err->code == 0) {
            (void)gp_error_set(err, rc, "%s", error_sentence(rc));
        }
        status = ctl_fail(ctl, err, "cannot list the %s", l->name);
    } else if (ctl->json) {
        status = ctl_print_take(ctl, show_under_take(l->name, l->list));
        l->list = NULL;
    }
    value_free(l->list);
    table_deinit(&l->table);
    return status;
}

/* ---- list ---- */

static const struct table_column app_columns[] = {
    {"ID", TABLE_RIGHT},        {"NAME", TABLE_LEFT},     {"STATE", TABLE_STATE},
    {"EXECUTORS", TABLE_RIGHT}, {"TASKS", TABLE_RIGHT},   {"SUBMITTED", TABLE_LEFT},
    {"RUN", TABLE_RIGHT},       {"PRIORITY", TABLE_LEFT}, {"LAST ERROR", TABLE_LEFT},
};

static void add_app_row(struct listing *l, const struct msg_app_summary *app)
{
    char time[SHOW_TIME_MAX];
    char run[UNITS_TEXT_MAX];
    gp_str line;
    gp_str rest;

    (void)str_cut(gp_str_of(app->error), '\n', &line, &rest);
    if (line.len > ERROR_SHOWN_MAX) {
        line.len = ERROR_SHOWN_MAX;
    }
    table_cell(&l->table, "%u", app->id);
    if (l->is_quiet) {
        return;
    }
    table_cell(&l->table, "%s", app->name);
    table_cell(&l->table, "%s", show_state(app->state));
    table_cell(&l->table, "%u", app->executors);
    table_cell(&l->table, "%u", app->tasks);
    table_cell(&l->table, "%s", show_time(app->submitted_ms, time));
    table_cell(&l->table, "%s",
               app->started_ms ? units_duration(show_run_ns(app, l->now_ms), run) : "");
    table_cell(&l->table, "%s", show_priority(app->priority));
    table_cell(&l->table, "%.*s", STR_ARG(line));
}

static int on_apps(void *user, const void *msg)
{
    struct listing *l = user;
    const struct msg_app_page *page = msg;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < page->apps_count; i++) {
        if (l->list) {
            rc = value_append_take(l->list, show_app(&page->apps[i]));
        } else {
            add_app_row(l, &page->apps[i]);
        }
    }
    l->next = page->next;
    return rc;
}

int ctl_list(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct msg_app_list ask = {.all = options_has(options, "all")};
    struct gp_error err = {0};
    struct listing l;
    int rc = listing_begin(&l, ctl, "applications", app_columns, ARRAY_LEN(app_columns));

    (void)spec;
    if (rc == 0) {
        rc = ctl_connect(ctl, &err);
    }
    while (rc == 0) {
        rc = ctl_ask(ctl, MSG_APP_LIST, &ask, on_apps, &l, &err);
        if (rc < 0 || l.next == 0) {
            break;
        }
        ask.after = l.next;
    }
    return listing_end(&l, ctl, rc, &err);
}

/* ---- workers ---- */

static const struct table_column worker_columns[] = {
    {"ID", TABLE_RIGHT},    {"NAME", TABLE_LEFT},       {"ADDRESS", TABLE_LEFT},
    {"HOST", TABLE_LEFT},   {"PID", TABLE_RIGHT},       {"CPUS", TABLE_RIGHT},
    {"SLOTS", TABLE_RIGHT}, {"EXECUTORS", TABLE_RIGHT}, {"UP", TABLE_RIGHT},
    {"TASKS", TABLE_RIGHT}, {"LOAD", TABLE_RIGHT},      {"FREE", TABLE_RIGHT},
    {"STATE", TABLE_STATE}, {"LABELS", TABLE_LEFT},
};

/* Load and memory of its host; empty until it told. */
static void add_host_cells(struct listing *l, const struct msg_worker_info *worker)
{
    const bool is_told = worker->memory_total > 0;
    char text[UNITS_TEXT_MAX];

    (void)str_format(text, sizeof text, "%.2f", worker->load_1m);
    table_cell(&l->table, "%s", is_told ? text : "");
    table_cell(&l->table, "%s", is_told ? units_bytes(worker->memory_free, text) : "");
}

static void add_labels(struct listing *l, const struct msg_worker_info *worker)
{
    struct buf text = {0};

    for (uint32_t i = 0; i < worker->labels_count; i++) { /* without memory fewer are shown */
        (void)buf_append_fmt(&text, "%s%s", i > 0 ? "," : "", worker->labels[i]);
    }
    table_cell(&l->table, "%.*s", STR_ARG(buf_str(&text)));
    buf_deinit(&text);
}

static void add_worker_row(struct listing *l, const struct msg_worker_info *worker)
{
    char up[UNITS_TEXT_MAX];

    table_cell(&l->table, "%u", worker->id);
    if (l->is_quiet) {
        return;
    }
    table_cell(&l->table, "%s", worker->name);
    table_cell(&l->table, "%s", worker->address);
    table_cell(&l->table, "%s", worker->host);
    table_cell(&l->table, "%lld", (long long)worker->pid);
    table_cell(&l->table, "%u", worker->cpus);
    table_cell(&l->table, "%u/%u", worker->slots_used, worker->slots);
    table_cell(&l->table, "%u", worker->executors);
    table_cell(&l->table, "%s", units_duration(worker->up_ms * NS_PER_MS, up));
    table_cell(&l->table, "%u", worker->tasks);
    add_host_cells(l, worker);
    table_cell(&l->table, "%s", show_worker_state(worker->state));
    add_labels(l, worker);
}

static int on_workers(void *user, const void *msg)
{
    struct listing *l = user;
    const struct msg_worker_page *page = msg;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < page->workers_count; i++) {
        if (l->list) {
            rc = value_append_take(l->list, show_worker(&page->workers[i]));
        } else {
            add_worker_row(l, &page->workers[i]);
        }
    }
    l->next = page->next;
    return rc;
}

int ctl_workers(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    struct msg_worker_list ask = {0};
    struct gp_error err = {0};
    struct listing l;
    int rc = listing_begin(&l, ctl, "workers", worker_columns, ARRAY_LEN(worker_columns));

    (void)spec;
    (void)options;
    if (rc == 0) {
        rc = ctl_connect(ctl, &err);
    }
    while (rc == 0) {
        rc = ctl_ask(ctl, MSG_WORKER_LIST, &ask, on_workers, &l, &err);
        if (rc < 0 || l.next == 0) {
            break;
        }
        ask.after = l.next;
    }
    return listing_end(&l, ctl, rc, &err);
}
