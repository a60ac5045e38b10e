/*
 * describe_print.c: a description as people read it; see describe.h.
 *
 * The graph is walked from its sources, depth first; a processor that several edges lead to is
 * followed once. Plans have no cycles (plan_decode() checks), so the walk ends.
 */
#include "app/describe.h"
#include "app/show.h"
#include "app/table.h"
#include "app/text.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/units.h"

#define INDENT 2

/* ---- the head ---- */

static void print_line(FILE *to, const char *label, const char *text)
{
    gp_str rest = gp_str_of(text);
    gp_str line;

    while (rest.len > 0) {
        (void)str_cut(rest, '\n', &line, &rest);
        (void)fprintf(to, "%-12s", label);
        text_print(to, line);
        (void)fputc('\n', to);
        label = "";
    }
}

/* "3,120": what is lost is worth every digit. */
static const char *exact(uint64_t count, char out[UNITS_TEXT_MAX + 8])
{
    char digits[UNITS_TEXT_MAX];
    size_t len;
    char *to = out;

    (void)str_format(digits, sizeof digits, "%llu", (unsigned long long)count);
    len = strlen(digits);
    for (size_t i = 0; i < len; i++) {
        *to++ = digits[i];
        if (i + 1 < len && (len - i - 1) % 3 == 0) {
            *to++ = ',';
        }
    }
    *to = '\0';
    return out;
}

/* "at least 3,120 messages, and up to 40 on their way to what died" */
static void print_losses(const struct msg_app_live *live, FILE *to)
{
    char text[256];
    char lost[UNITS_TEXT_MAX + 8];
    char in_doubt[UNITS_TEXT_MAX + 8];
    int len;

    if (live->lost == 0 && live->in_doubt == 0 && !live->is_lost_at_least) {
        return;
    }
    if (live->lost == 0 && live->in_doubt == 0) {
        print_line(to, "lost",
                   "perhaps messages that what died had not sent yet: nobody could count them");
        return;
    }
    if (live->lost == 0) {
        (void)str_format(text, sizeof text, "up to %s messages on their way to what died%s",
                         exact(live->in_doubt, in_doubt),
                         live->is_lost_at_least ? ", and what it had not sent yet" : "");
        print_line(to, "lost", text);
        return;
    }
    len = str_format(text, sizeof text, "%s%s message%s", live->is_lost_at_least ? "at least " : "",
                     exact(live->lost, lost), live->lost == 1 ? "" : "s");
    if (live->in_doubt > 0 && len > 0) {
        (void)str_format(text + len, sizeof text - (size_t)len,
                         ", and up to %s more on their way to what died",
                         exact(live->in_doubt, in_doubt));
    }
    print_line(to, "lost", text);
}

static void print_restarts(const struct msg_app_live *live, FILE *to)
{
    char text[128];
    char window[UNITS_TEXT_MAX];

    if (live->restarts > 0) {
        (void)str_format(text, sizeof text, "%u of the %u that it may have in %s", live->restarts,
                         live->restarts_max,
                         units_duration(live->restart_window_ms * 1000000, window));
        print_line(to, "restarts", text);
    }
}

static void print_moves(const struct msg_app_moves *moves, FILE *to)
{
    char text[128];

    if (moves->done + moves->open + moves->refused > 0) {
        (void)str_format(text, sizeof text,
                         "%llu task%s moved while it ran, %u under way, %llu refused",
                         (unsigned long long)moves->done, moves->done == 1 ? "" : "s", moves->open,
                         (unsigned long long)moves->refused);
        print_line(to, "moves", text);
    }
}

/* What happened, and how long it took until all was well again. */
static void print_events(const struct msg_app_live *live, FILE *to)
{
    char text[MSG_ERROR_MAX];
    char time[SHOW_TIME_MAX];
    char took[UNITS_TEXT_MAX];

    for (uint32_t i = 0; i < live->events_count; i++) {
        const struct msg_app_event *event = &live->events[i];

        if (event->took_ms < 0) {
            (void)str_format(text, sizeof text, "%s  %s (not over yet)",
                             show_time(event->time_ms, time), event->text);
        } else {
            (void)str_format(text, sizeof text, "%s  %s (took %s)", show_time(event->time_ms, time),
                             event->text, units_duration(event->took_ms * 1000000, took));
        }
        print_line(to, i == 0 ? "events" : "", text);
    }
}

static void print_head(const struct description *d, FILE *to)
{
    const struct msg_app_summary *app = &d->msg->app;
    const struct msg_executor_info *appmaster = &d->msg->appmaster;
    char text[512];
    char run[UNITS_TEXT_MAX];
    char time[SHOW_TIME_MAX];

    text_print(to, gp_str_of(app->name));
    (void)fprintf(to, " (id %u): %s", app->id, show_state(app->state));
    if (app->started_ms != 0) {
        (void)fprintf(to, "%s %s", app_state_is_end(app->state) ? " after" : " for",
                      units_duration(show_run_ns(app, show_now_ms()), run));
    }
    (void)fputc('\n', to);
    print_line(to, "submitted", show_time(app->submitted_ms, time));
    print_line(to, "started", show_time(app->started_ms, time));
    print_line(to, "ended", show_time(app->finished_ms, time));
    if (appmaster->worker != 0) {
        (void)str_format(text, sizeof text, "on worker %u (%s), pid %lld", appmaster->worker,
                         appmaster->host, (long long)appmaster->pid);
        print_line(to, "appmaster", text);
    }
    if (app->priority != PRIORITY_NORMAL) {
        print_line(to, "priority", show_priority(app->priority));
    }
    print_line(to, "guarantee", d->msg->live.guarantee);
    print_losses(&d->msg->live, to);
    print_restarts(&d->msg->live, to);
    print_moves(&d->msg->live.moves, to);
    print_events(&d->msg->live, to);
    print_line(to, app->state == APP_WAITING ? "waits" : "last error",
               *d->msg->live.last_error ? d->msg->live.last_error : "none");
}

/* ---- the graph ---- */

struct walk {
    const struct plan *plan;
    FILE *to;
    bool seen[PLAN_PROCESSORS_MAX];
};

static void print_name(const struct walk *w, uint32_t processor)
{
    text_print(w->to, gp_str_of(w->plan->processors[processor].name));
    (void)fprintf(w->to, " (%u)", w->plan->processors[processor].parallelism);
}

static void walk_from(struct walk *w, uint32_t processor, int depth)
{
    if (w->seen[processor]) {
        (void)fputs(" ...\n", w->to); /* drawn above */
        return;
    }
    w->seen[processor] = true;
    (void)fputc('\n', w->to);
    for (uint32_t i = 0; i < w->plan->edge_count; i++) {
        const struct plan_edge *e = &w->plan->edges[i];

        if (e->from != processor) {
            continue;
        }
        (void)fprintf(w->to, "%*s--%s", INDENT * (depth + 1), "", plan_edge_partitioner_name(e));
        if (e->from_port != 0 || e->to_port != 0) {
            (void)fprintf(w->to, " %u:%u", e->from_port, e->to_port);
        }
        (void)fputs("--> ", w->to);
        print_name(w, e->to);
        walk_from(w, e->to, depth + 1);
    }
}

static void print_graph(const struct plan *plan, FILE *to)
{
    struct walk w = {.plan = plan, .to = to};

    (void)fputs("\nGraph (tasks in parentheses)\n", to);
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (plan->processors[i].is_source != 0) {
            (void)fprintf(to, "%*s", INDENT, "");
            print_name(&w, i);
            walk_from(&w, i, 1);
        }
    }
}

/* ---- tables ---- */

static void cell_count(struct table *t, uint64_t count)
{
    table_cell(t, "%llu", (unsigned long long)count);
}

static bool has_places(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        if (*plan_place(&plan->processors[i])) {
            return true;
        }
    }
    return false;
}

static int print_processors(const struct description *d, FILE *to)
{
    static const struct table_column columns[] = {
        {"PROCESSOR", TABLE_LEFT}, {"TASKS", TABLE_RIGHT},    {"PLUGIN", TABLE_LEFT},
        {"TYPE", TABLE_LEFT},      {"IN", TABLE_RIGHT},       {"RATE IN", TABLE_RIGHT},
        {"OUT", TABLE_RIGHT},      {"RATE OUT", TABLE_RIGHT}, {"REJECTED", TABLE_RIGHT},
        {"LATE", TABLE_RIGHT},     {"PLACE", TABLE_LEFT},
    };
    static const struct msg_processor_stats none = {0};
    const bool is_placed = has_places(d->plan);
    struct table t;
    char rate[UNITS_TEXT_MAX];
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns) - (is_placed ? 0 : 1));
    for (uint32_t i = 0; i < d->plan->processor_count; i++) {
        const struct plan_processor *p = &d->plan->processors[i];
        const struct msg_processor_stats *stats = d->processors[i] ? d->processors[i] : &none;

        table_cell(&t, "%s", p->name);
        table_cell(&t, "%u", p->parallelism);
        table_cell(&t, "%s", d->plan->plugins[p->plugin].name);
        table_cell(&t, "%s", p->type);
        cell_count(&t, stats->in);
        table_cell(&t, "%s", units_rate(description_rate(d, i, true), rate));
        cell_count(&t, stats->out);
        table_cell(&t, "%s", units_rate(description_rate(d, i, false), rate));
        cell_count(&t, stats->rejected);
        cell_count(&t, stats->late);
        if (is_placed) {
            table_cell(&t, "%s", plan_place(p));
        }
    }
    (void)fputc('\n', to);
    rc = table_print(&t, to, 0);
    table_deinit(&t);
    return rc;
}

/* "ring, tcp" */
static void cell_kinds(struct table *t, uint32_t kinds)
{
    char text[64] = "";
    size_t len = 0;

    for (uint32_t i = 0; i < EDGE_KINDS; i++) {
        if ((kinds & 1u << i) != 0) {
            int n = str_format(text + len, sizeof text - len, "%s%s", len > 0 ? ", " : "",
                               describe_edge_kind(i));
            ASSERT(n > 0);
            len += (size_t)n;
        }
    }
    table_cell(t, "%s", text);
}

static int print_edges(const struct description *d, FILE *to)
{
    static const struct table_column columns[] = {
        {"FROM", TABLE_LEFT},  {"TO", TABLE_LEFT},        {"BY", TABLE_LEFT},
        {"OVER", TABLE_LEFT},  {"MESSAGES", TABLE_RIGHT}, {"BYTES", TABLE_RIGHT},
        {"RATE", TABLE_RIGHT},
    };
    struct table t;
    char text[UNITS_TEXT_MAX];
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    for (uint32_t i = 0; i < d->plan->edge_count; i++) {
        const struct plan_edge *e = &d->plan->edges[i];

        table_cell(&t, "%s", d->plan->processors[e->from].name);
        table_cell(&t, "%s", d->plan->processors[e->to].name);
        table_cell(&t, "%s", plan_edge_partitioner_name(e));
        cell_kinds(&t, d->edges[i].kinds);
        cell_count(&t, d->edges[i].messages);
        table_cell(&t, "%s", units_bytes(d->edges[i].bytes, text));
        table_cell(&t, "%s", units_rate(d->edges[i].rate, text));
    }
    (void)fputc('\n', to);
    rc = table_print(&t, to, 0);
    table_deinit(&t);
    return rc;
}

/* "split 0-1, count 4": the tasks an executor hosts; neighbours on several lanes as one range. */
static void cell_tasks(struct table *t, const struct description *d, uint32_t executor)
{
    const struct msg_app_live *live = &d->msg->live;
    struct buf text = {0};
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < live->placement_count; i++) {
        const struct msg_range *r = &live->placement[i];
        uint32_t end = r->first + r->count;

        if (r->executor != executor || r->count == 0 || r->processor >= d->plan->processor_count) {
            continue;
        }
        while (i + 1 < live->placement_count && live->placement[i + 1].executor == executor &&
               live->placement[i + 1].processor == r->processor &&
               live->placement[i + 1].first == end) {
            end += live->placement[++i].count;
        }
        rc = buf_append_fmt(&text, "%s%s %u", buf_len(&text) > 0 ? ", " : "",
                            d->plan->processors[r->processor].name, r->first);
        if (rc == 0 && end - r->first > 1) {
            rc = buf_append_fmt(&text, "-%u", end - 1);
        }
    }
    table_cell(t, "%.*s", STR_ARG(buf_str(&text)));
    buf_deinit(&text);
}

static int print_executors(const struct description *d, FILE *to)
{
    static const struct table_column columns[] = {
        {"EXECUTOR", TABLE_RIGHT}, {"WORKER", TABLE_LEFT}, {"HOST", TABLE_LEFT},
        {"PID", TABLE_RIGHT},      {"LANES", TABLE_RIGHT}, {"STATE", TABLE_LEFT},
        {"TASKS", TABLE_LEFT},
    };
    struct table t;
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    for (uint32_t i = 0; i < d->msg->live.executors_count; i++) {
        const struct msg_executor_info *e = &d->msg->live.executors[i];

        table_cell(&t, "%u", e->id);
        table_cell(&t, "%u %s", e->worker, e->worker_name);
        table_cell(&t, "%s", e->host);
        table_cell(&t, "%lld", (long long)e->pid);
        if (e->pinned > 0) {
            table_cell(&t, "%u, core %u on", e->lanes, e->pinned - 1);
        } else {
            table_cell(&t, "%u", e->lanes);
        }
        table_cell(&t, "%s", e->state);
        cell_tasks(&t, d, e->id);
    }
    (void)fputc('\n', to);
    rc = table_print(&t, to, 0);
    table_deinit(&t);
    return rc;
}

int describe_print(const struct description *d, FILE *to)
{
    int rc = 0;

    print_head(d, to);
    if (!d->plan) {
        return 0;
    }
    print_graph(d->plan, to);
    rc = print_processors(d, to);
    if (rc == 0 && d->plan->edge_count > 0) {
        rc = print_edges(d, to);
    }
    if (rc == 0 && d->msg->live.executors_count > 0) {
        rc = print_executors(d, to);
    }
    return rc;
}

int describe_print_totals(const struct description *d, FILE *to)
{
    static const struct table_column columns[] = {
        {"PROCESSOR", TABLE_LEFT}, {"TASKS", TABLE_RIGHT},    {"IN", TABLE_RIGHT},
        {"OUT", TABLE_RIGHT},      {"REJECTED", TABLE_RIGHT}, {"LATE", TABLE_RIGHT},
    };
    static const struct msg_processor_stats none = {0};
    struct table t;
    int rc;

    if (!d->plan) {
        return 0;
    }
    table_init(&t, columns, ARRAY_LEN(columns));
    for (uint32_t i = 0; i < d->plan->processor_count; i++) {
        const struct msg_processor_stats *stats = d->processors[i] ? d->processors[i] : &none;

        table_cell(&t, "%s", d->plan->processors[i].name);
        table_cell(&t, "%u", d->plan->processors[i].parallelism);
        cell_count(&t, stats->in);
        cell_count(&t, stats->out);
        cell_count(&t, stats->rejected);
        cell_count(&t, stats->late);
    }
    rc = table_print(&t, to, 0);
    table_deinit(&t);
    return rc;
}
