/* metrics_print.c: see metrics_print.h. */
#include "app/metrics_print.h"

#include <math.h>
#include <string.h>

#include "app/metrics_show.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/units.h"

const struct grid_column metrics_processor_columns[METRICS_PROCESSOR_COLUMNS] = {
    {"PROCESSOR", "name", GRID_TEXT, 0},
    {"TASKS", "tasks", GRID_COUNT, 10},
    {"IN/S", "rate_in", GRID_RATE, 1},
    {"OUT/S", "rate_out", GRID_RATE, 1},
    {"TIME", "busy", GRID_BAR, 2},
    {"BUSY", "busy", GRID_SHARE, 9},
    {"BLOCKED", "blocked", GRID_SHARE, 11},
    {"P50", "latency.p50_us", GRID_US, 7},
    {"P99", "latency.p99_us", GRID_US, 4},
    {"QUEUE", "queue", GRID_COUNT, 5},
    {"LAG", "watermark_lag_ms", GRID_MS, 6},
    {"IN", "in", GRID_COUNT, 12},
    {"OUT", "out", GRID_COUNT, 12},
    {"RESTARTS", "restarts", GRID_COUNT, 14},
    {"REJECTED", "dead_letters", GRID_COUNT, 13},
};

int metrics_print(const struct value *metrics, uint32_t width, FILE *to)
{
    const struct value *rows[GRID_ROWS_MAX];
    const struct grid grid = {.columns = metrics_processor_columns,
                              .column_count = METRICS_PROCESSOR_COLUMNS,
                              .rows = value_get(metrics, GP_STR("processors")),
                              .sorted_by = -1,
                              .width = width};

    return grid_print(&grid, rows, grid_order(&grid, rows), -1, to);
}

/* ---- the past ---- */

#define COURSE_CELLS 30u
#define COURSE_BYTES (COURSE_CELLS * 3 + 1) /* in UTF-8 */
#define NS_PER_US    1e3
#define NS_PER_MS    1e6

/* What there is of one series. */
struct course {
    uint32_t count; /* of all values */
    uint32_t known;
    double latest;
    double least;
    double sum;
    double most;
    double cells[COURSE_CELLS]; /* sums */
    uint32_t in_cell[COURSE_CELLS];
};

static void add(struct course *c, uint32_t at, double value)
{
    const uint32_t cell = (uint32_t)((uint64_t)at * COURSE_CELLS / c->count);

    c->least = c->known == 0 || value < c->least ? value : c->least;
    c->most = c->known == 0 || value > c->most ? value : c->most;
    c->latest = value;
    c->sum += value;
    c->known++;
    c->cells[cell] += value;
    c->in_cell[cell]++;
}

static void read_course(const char *values, struct course *ret)
{
    gp_str rest = gp_str_of(values);
    bool more = true;

    *ret = (struct course){.count = 1};
    for (const char *at = values; *at; at++) {
        ret->count += *at == ',';
    }
    for (uint32_t i = 0; more; i++) {
        gp_str word;
        double value;

        more = str_cut(rest, ',', &word, &rest);
        if (str_to_double(word, &value) == 0) {
            add(ret, i, value);
        }
    }
}

/* From nothing to the largest value; a blank where nothing is known. */
static const char *draw(const struct course *c, char out[COURSE_BYTES])
{
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t len = 0;

    for (uint32_t i = 0; i < COURSE_CELLS; i++) {
        const double mean = c->in_cell[i] ? c->cells[i] / c->in_cell[i] : 0;
        const double share = c->most > 0 && mean > 0 ? mean / c->most : 0;
        const size_t height = (size_t)(share * (ARRAY_LEN(heights) - 1) + 0.5);
        const char *cell = c->in_cell[i] ? heights[height] : " ";

        memcpy(out + len, cell, strlen(cell));
        len += strlen(cell);
    }
    out[len] = '\0';
    return out;
}

/* In the unit that its name says. */
static void put(struct table *t, const char *metric, double value)
{
    char text[UNITS_TEXT_MAX];

    if (str_ends_with(gp_str_of(metric), GP_STR("_us"))) {
        table_cell(t, "%s", units_duration((int64_t)(value * NS_PER_US), text));
    } else if (str_ends_with(gp_str_of(metric), GP_STR("_ms"))) {
        table_cell(t, "%s", units_duration((int64_t)(value * NS_PER_MS), text));
    } else if (str_ends_with(gp_str_of(metric), GP_STR("_bytes"))) {
        table_cell(t, "%s", units_bytes((uint64_t)value, text));
    } else if (strstr(metric, "rate")) {
        table_cell(t, "%s", units_rate(value, text));
    } else if (strcmp(metric, "busy") == 0 || strcmp(metric, "blocked") == 0) {
        table_cell(t, "%.0f %%", 100 * value);
    } else if (strcmp(metric, "cpu") == 0) {
        table_cell(t, "%.1f %%", 100 * value);
    } else if (strcmp(metric, "queue") == 0) {
        table_cell(t, "%.0f", value);
    } else {
        table_cell(t, "%.4g", value);
    }
}

static void put_series(struct table *t, const struct msg_series *s)
{
    char course[COURSE_BYTES];
    struct course c;

    read_course(s->values, &c);
    if (c.known == 0) {
        return;
    }
    if (s->processor[0] != '\0') {
        table_cell(t, "%s", s->processor);
    } else if (strcmp(s->metric, "cpu") == 0 || strcmp(s->metric, "rss_bytes") == 0) {
        table_cell(t, "executor %u", s->executor);
    } else {
        table_cell(t, "%s", "(all)");
    }
    table_cell(t, "%s", s->metric);
    put(t, s->metric, c.latest);
    put(t, s->metric, c.least);
    put(t, s->metric, c.sum / c.known);
    put(t, s->metric, c.most);
    table_cell(t, "%s", draw(&c, course));
}

int metrics_print_past(const struct msg_metrics_history *past, FILE *to)
{
    const struct table_column columns[] = {
        {"PROCESSOR", TABLE_LEFT},
        {"FIGURE", TABLE_LEFT},
        {"LATEST", TABLE_RIGHT},
        {"LEAST", TABLE_RIGHT},
        {"MEAN", TABLE_RIGHT},
        {"MOST", TABLE_RIGHT},
        {past->step_ms == 1000 ? "LAST 5 MINUTES" : "LAST 24 HOURS", TABLE_LEFT},
    };
    struct table t;
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    for (uint32_t i = 0; i < past->series_count; i++) {
        put_series(&t, &past->series[i]);
    }
    rc = table_print(&t, to, 0);
    table_deinit(&t);
    return rc;
}
