/*
 * top.c: the state behind `gpctl top`; see top.h.
 *
 * A selection is a key, not a place: rows come and go, and their order changes each second. When
 * the selected row is gone its neighbour is selected.
 */
#include "app/top.h"

#include <string.h>

#include "app/metrics_print.h"
#include "base/assert.h"
#include "base/str.h"

void top_init(struct top *t)
{
    *t = (struct top){0};
    for (int i = 0; i < TOP_VIEWS; i++) {
        t->lists[i].sorted_by = -1;
    }
}

void top_deinit(struct top *t)
{
    value_free(t->apps);
    value_free(t->metrics);
    t->apps = NULL;
    t->metrics = NULL;
}

void top_open(struct top *t, uint32_t app)
{
    if (t->app != app) {
        value_free(t->metrics);
        t->metrics = NULL;
        t->has_ended = false;
    }
    t->app = app;
    t->view = TOP_PROCESSORS;
    t->lists[TOP_PROCESSORS].selected = 0;
    t->lists[TOP_PROCESSORS].key[0] = '\0';
}

/* ---- what is known ---- */

static int64_t i64_of(const struct value *row, const char *name)
{
    const struct value *v = value_get(row, gp_str_of(name));

    return v && value_kind(v) == VALUE_I64 ? value_as_i64(v) : 0;
}

static struct value *app_of(const struct value *apps, uint32_t id)
{
    for (size_t i = 0; apps && i < value_count(apps); i++) {
        if (i64_of(value_at(apps, i), "id") == (int64_t)id) {
            return value_at(apps, i);
        }
    }
    return NULL;
}

/* What `gpctl metrics` says of the whole of an application stands in its row of the list. */
static const struct {
    const char *from;
    const char *to;
} figures[] = {{"source_rate", "source_rate"},
               {"sink_rate", "sink_rate"},
               {"latency.p50_us", "p50_us"},
               {"latency.p99_us", "p99_us"}};

static void copy_figure(struct value *to, const char *name, const struct value *v)
{
    if (v) {
        (void)value_set_take(to, gp_str_of(name), value_dup(v)); /* no memory: not shown */
    }
}

void top_take_apps(struct top *t, struct value *apps, bool is_cut)
{
    for (size_t i = 0; i < value_count(apps); i++) {
        struct value *app = value_at(apps, i);
        const struct value *before = app_of(t->apps, (uint32_t)i64_of(app, "id"));
        int64_t started_ms = i64_of(app, "started_ms");

        for (size_t k = 0; before && k < ARRAY_LEN(figures); k++) {
            copy_figure(app, figures[k].to, value_get(before, gp_str_of(figures[k].to)));
        }
        if (started_ms != 0 && started_ms <= t->now_ms) {
            (void)value_set_i64(app, GP_STR("run_ms"), t->now_ms - started_ms);
        }
    }
    value_free(t->apps);
    t->apps = apps;
    t->is_cut = is_cut;
    t->has_ended = t->app != 0 && !is_cut && !app_of(apps, t->app);
    t->fault[0] = '\0';
}

/* Of the slowest tasks: how far each is behind, which is told of processors alone. */
static void complete_tasks(const struct value *metrics)
{
    const struct value *processors = value_get(metrics, GP_STR("processors"));
    int64_t time_ms = i64_of(metrics, "time_ms");

    for (size_t i = 0; processors && i < value_count(processors); i++) {
        const struct value *tasks = value_get(value_at(processors, i), GP_STR("slowest"));

        for (size_t k = 0; tasks && k < value_count(tasks); k++) {
            struct value *task = value_at(tasks, k);
            int64_t watermark_ms = i64_of(task, "watermark_ms");

            if (watermark_ms != 0) {
                (void)value_set_i64(task, GP_STR("watermark_lag_ms"),
                                    time_ms > watermark_ms ? time_ms - watermark_ms : 0);
            }
        }
    }
}

void top_take_metrics(struct top *t, uint32_t app, struct value *metrics)
{
    struct value *row = app_of(t->apps, app);

    if (i64_of(metrics, "app") != (int64_t)app || i64_of(metrics, "time_ms") == 0) {
        value_free(metrics);
        return;
    }
    for (size_t k = 0; row && k < ARRAY_LEN(figures); k++) {
        copy_figure(row, figures[k].to, grid_member(metrics, figures[k].from));
    }
    if (t->app != app) {
        value_free(metrics);
        return;
    }
    complete_tasks(metrics);
    value_free(t->metrics);
    t->metrics = metrics;
}

void top_failed(struct top *t, const char *why)
{
    (void)str_format(t->fault, sizeof t->fault, "%s", why);
}

uint32_t top_wanted(const struct top *t, uint32_t *turn, uint32_t max, uint32_t *ret_apps)
{
    uint32_t size = t->apps ? (uint32_t)value_count(t->apps) : 0;
    uint32_t count = 0;

    if (t->app != 0) { /* what else there is is not on the screen */
        ret_apps[0] = t->app;
        return 1;
    }
    for (; count < max && count < size; count++) {
        ret_apps[count] = (uint32_t)i64_of(value_at(t->apps, (*turn + count) % size), "id");
    }
    *turn = size > 0 ? (*turn + count) % size : 0;
    return count;
}

/* ---- rows ---- */

static const struct grid_column app_columns[] = {
    {"ID", "id", GRID_COUNT, 0},           {"NAME", "name", GRID_TEXT, 0},
    {"STATE", "state", GRID_TEXT, 1},      {"EXECUTORS", "executors", GRID_COUNT, 8},
    {"TASKS", "tasks", GRID_COUNT, 5},     {"RUN", "run_ms", GRID_MS, 4},
    {"IN/S", "source_rate", GRID_RATE, 2}, {"OUT/S", "sink_rate", GRID_RATE, 2},
    {"P50", "p50_us", GRID_US, 6},         {"P99", "p99_us", GRID_US, 3},
    {"LAST ERROR", "error", GRID_TEXT, 9},
};

static const struct grid_column task_columns[] = {
    {"TASK", "task", GRID_COUNT, 0},       {"EXECUTOR", "executor", GRID_COUNT, 3},
    {"IN/S", "rate_in", GRID_RATE, 1},     {"OUT/S", "rate_out", GRID_RATE, 1},
    {"TIME", "busy", GRID_BAR, 2},         {"BUSY", "busy", GRID_SHARE, 7},
    {"BLOCKED", "blocked", GRID_SHARE, 8}, {"P99", "latency_p99_us", GRID_US, 5},
    {"QUEUE", "queue", GRID_COUNT, 4},     {"LAG", "watermark_lag_ms", GRID_MS, 6},
    {"IN", "in", GRID_COUNT, 9},           {"OUT", "out", GRID_COUNT, 9},
};

static const struct {
    const struct grid_column *columns;
    uint32_t count;
    const char *key; /* the member that names a row */
} views[TOP_VIEWS] = {
    [TOP_APPS] = {app_columns, ARRAY_LEN(app_columns), "id"},
    [TOP_PROCESSORS] = {metrics_processor_columns, METRICS_PROCESSOR_COLUMNS, "name"},
    [TOP_TASKS] = {task_columns, ARRAY_LEN(task_columns), "task"},
};

static const struct value *rows_of(const struct top *t)
{
    const struct value *processors = value_get(t->metrics, GP_STR("processors"));

    if (t->view == TOP_APPS) {
        return t->apps;
    }
    for (size_t i = 0; t->view == TOP_TASKS && processors && i < value_count(processors); i++) {
        const struct value *name = value_get(value_at(processors, i), GP_STR("name"));

        if (name && str_eq(value_as_str(name), gp_str_of(t->processor))) {
            return value_get(value_at(processors, i), GP_STR("slowest"));
        }
    }
    return t->view == TOP_PROCESSORS ? processors : NULL;
}

void top_grid(const struct top *t, struct grid *ret)
{
    *ret = (struct grid){.columns = views[t->view].columns,
                         .column_count = views[t->view].count,
                         .rows = rows_of(t),
                         .sorted_by = t->lists[t->view].sorted_by,
                         .reverse = t->lists[t->view].reverse};
}

/* ---- the selection ---- */

static void key_of(const struct top *t, const struct value *row, char key[TOP_NAME_MAX])
{
    const struct value *v = value_get(row, gp_str_of(views[t->view].key));

    key[0] = '\0';
    if (v && value_kind(v) == VALUE_STR) {
        (void)str_format(key, TOP_NAME_MAX, "%.*s", STR_ARG(value_as_str(v)));
    } else if (v && value_kind(v) == VALUE_I64) {
        (void)str_format(key, TOP_NAME_MAX, "%lld", (long long)value_as_i64(v));
    }
}

static void select_row(struct top *t, const struct value *const *rows, uint32_t at)
{
    struct top_list *list = &t->lists[t->view];

    list->selected = at;
    key_of(t, rows[at], list->key);
}

/* Finds the selected row again. */
static void settle(struct top *t, const struct value *const *rows, uint32_t count)
{
    struct top_list *list = &t->lists[t->view];
    char key[TOP_NAME_MAX];

    for (uint32_t i = 0; i < count && list->key[0]; i++) {
        key_of(t, rows[i], key);
        if (strcmp(key, list->key) == 0) {
            list->selected = i;
            return;
        }
    }
    if (count > 0) {
        select_row(t, rows, list->selected < count ? list->selected : count - 1);
    }
}

/* ---- keys ---- */

static const struct {
    const char *sent;
    enum top_key key;
} keys[] = {
    {"\x1b[A", TOP_KEY_UP},
    {"\x1bOA", TOP_KEY_UP},
    {"k", TOP_KEY_UP},
    {"\x1b[B", TOP_KEY_DOWN},
    {"\x1bOB", TOP_KEY_DOWN},
    {"j", TOP_KEY_DOWN},
    {"\x1b[5~", TOP_KEY_PAGE_UP},
    {"\x1b[6~", TOP_KEY_PAGE_DOWN},
    {" ", TOP_KEY_PAGE_DOWN},
    {"\x1b[H", TOP_KEY_FIRST},
    {"\x1b[1~", TOP_KEY_FIRST},
    {"g", TOP_KEY_FIRST},
    {"\x1b[F", TOP_KEY_LAST},
    {"\x1b[4~", TOP_KEY_LAST},
    {"G", TOP_KEY_LAST},
    {"\r", TOP_KEY_OPEN},
    {"\n", TOP_KEY_OPEN},
    {"\x7f", TOP_KEY_BACK},
    {"\x1b[D", TOP_KEY_SORT_LEFT},
    {"\x1bOD", TOP_KEY_SORT_LEFT},
    {"<", TOP_KEY_SORT_LEFT},
    {"\x1b[C", TOP_KEY_SORT_RIGHT},
    {"\x1bOC", TOP_KEY_SORT_RIGHT},
    {">", TOP_KEY_SORT_RIGHT},
    {"r", TOP_KEY_REVERSE},
    {"?", TOP_KEY_HELP},
    {"h", TOP_KEY_HELP},
    {"q", TOP_KEY_QUIT},
    {"\x03", TOP_KEY_QUIT},
    {"\x04", TOP_KEY_QUIT},
};

/* How long an escape sequence is that we have no word for: up to its letter. */
static size_t unknown_len(gp_str s)
{
    size_t at = 2;

    if (s.ptr[0] != '\x1b' || s.len < 2 || (s.ptr[1] != '[' && s.ptr[1] != 'O')) {
        return 1;
    }
    while (at < s.len && (s.ptr[at] < '@' || s.ptr[at] > '~')) {
        at++;
    }
    return at < s.len ? at + 1 : s.len;
}

enum top_key top_next_key(gp_str *sent)
{
    while (sent->len > 0) {
        size_t len = unknown_len(*sent);
        enum top_key key = sent->ptr[0] == '\x1b' && len == 1 ? TOP_KEY_BACK : TOP_KEY_NONE;

        for (size_t i = 0; key == TOP_KEY_NONE && i < ARRAY_LEN(keys); i++) {
            if (str_starts_with(*sent, gp_str_of(keys[i].sent))) {
                key = keys[i].key;
                len = strlen(keys[i].sent);
            }
        }
        *sent = (gp_str){sent->ptr + len, sent->len - len};
        if (key != TOP_KEY_NONE) {
            return key;
        }
    }
    return TOP_KEY_NONE;
}

static void open_selected(struct top *t, const struct value *const *rows, uint32_t count)
{
    const struct top_list *list = &t->lists[t->view];

    if (count == 0) {
        return;
    }
    if (t->view == TOP_APPS) {
        top_open(t, (uint32_t)i64_of(rows[list->selected], "id"));
    } else if (t->view == TOP_PROCESSORS) {
        (void)str_format(t->processor, sizeof t->processor, "%s", list->key);
        t->view = TOP_TASKS;
        t->lists[TOP_TASKS].selected = 0;
        t->lists[TOP_TASKS].key[0] = '\0';
    }
}

static void go_back(struct top *t)
{
    if (t->has_help) {
        t->has_help = false;
    } else if (t->view == TOP_TASKS) {
        t->view = TOP_PROCESSORS;
    } else if (t->view == TOP_PROCESSORS) {
        t->view = TOP_APPS;
        t->app = 0;
        t->has_ended = false;
    }
}

static void move_to(struct top *t, const struct value *const *rows, uint32_t count, int64_t at)
{
    int64_t last = (int64_t)count - 1;

    at = at > last ? last : at;
    if (count > 0) {
        select_row(t, rows, at < 0 ? 0 : (uint32_t)at);
    }
}

static void sort_next(struct top *t, int by)
{
    struct top_list *list = &t->lists[t->view];
    int count = (int)views[t->view].count;

    list->reverse = false;
    list->sorted_by += by;
    if (list->sorted_by < -1) {
        list->sorted_by = count - 1;
    } else if (list->sorted_by == count) {
        list->sorted_by = -1;
    }
}

void top_press(struct top *t, enum top_key key)
{
    const struct value *rows[GRID_ROWS_MAX];
    struct top_list *list = &t->lists[t->view];
    struct grid grid;
    uint32_t count;
    int64_t page = t->rows_shown > 1 ? t->rows_shown - 1 : 1;

    top_grid(t, &grid);
    count = grid_order(&grid, rows);
    settle(t, rows, count);
    switch (key) {
    case TOP_KEY_UP:
        move_to(t, rows, count, (int64_t)list->selected - 1);
        break;
    case TOP_KEY_DOWN:
        move_to(t, rows, count, (int64_t)list->selected + 1);
        break;
    case TOP_KEY_PAGE_UP:
        move_to(t, rows, count, (int64_t)list->selected - page);
        break;
    case TOP_KEY_PAGE_DOWN:
        move_to(t, rows, count, (int64_t)list->selected + page);
        break;
    case TOP_KEY_FIRST:
        move_to(t, rows, count, 0);
        break;
    case TOP_KEY_LAST:
        move_to(t, rows, count, count);
        break;
    case TOP_KEY_OPEN:
        open_selected(t, rows, count);
        break;
    case TOP_KEY_BACK:
        go_back(t);
        break;
    case TOP_KEY_SORT_LEFT:
        sort_next(t, -1);
        break;
    case TOP_KEY_SORT_RIGHT:
        sort_next(t, 1);
        break;
    case TOP_KEY_REVERSE:
        list->reverse = !list->reverse;
        break;
    case TOP_KEY_HELP:
        t->has_help = !t->has_help;
        break;
    case TOP_KEY_QUIT:
        t->is_over = true;
        break;
    case TOP_KEY_NONE:
        break;
    }
}

/* ---- for top_draw.c ---- */

const struct value *top_app(const struct top *t, uint32_t id)
{
    return app_of(t->apps, id);
}

uint32_t top_rows(struct top *t, struct grid *grid, const struct value *ret[GRID_ROWS_MAX])
{
    uint32_t count;

    top_grid(t, grid);
    count = grid_order(grid, ret);
    settle(t, ret, count);
    return count;
}
