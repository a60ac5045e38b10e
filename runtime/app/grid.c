/* grid.c: see grid.h. */
#include "app/grid.h"

#include <math.h>
#include <string.h>

#include "app/show.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/units.h"

#define BAR_CELLS 10
#define NS_PER_US 1e3
#define NS_PER_MS 1e6
#define TITLE_MAX 32

const struct value *grid_member(const struct value *row, const char *path)
{
    gp_str rest = gp_str_of(path);
    gp_str name;
    bool more = true;

    while (more && row) {
        more = str_cut(rest, '.', &name, &rest);
        row = value_get(row, name);
    }
    return row;
}

static double number_of(const struct value *row, const char *path)
{
    const struct value *v = grid_member(row, path);
    enum value_kind kind = v ? value_kind(v) : VALUE_NULL;

    return kind == VALUE_I64 || kind == VALUE_DOUBLE ? value_as_double(v) : NAN;
}

static gp_str text_of(const struct value *row, const char *path)
{
    const struct value *v = grid_member(row, path);

    return v && value_kind(v) == VALUE_STR ? value_as_str(v) : (gp_str){0};
}

/* ---- order ---- */

/* Numbers are greatest first and text from A, unless reversed. */
static bool is_ascending(const struct grid *g)
{
    return (g->columns[g->sorted_by].kind == GRID_TEXT) != g->reverse;
}

/* Whether `a` must stand before `b`; what is not known stands last. */
static bool is_before(const struct grid *g, const struct value *a, const struct value *b)
{
    const struct grid_column *c = &g->columns[g->sorted_by];
    const char *member = c->kind == GRID_BAR ? "busy" : c->member;
    double x;
    double y;

    if (c->kind == GRID_TEXT) {
        int order = str_cmp(text_of(a, member), text_of(b, member));

        return is_ascending(g) ? order < 0 : order > 0;
    }
    x = number_of(a, member);
    y = number_of(b, member);
    if (isnan(x) || isnan(y)) {
        return !isnan(x) && isnan(y);
    }
    return is_ascending(g) ? x < y : x > y;
}

/* By insertion: stable, and rows come nearly in order, for they did a second ago. */
uint32_t grid_order(const struct grid *g, const struct value *ret[GRID_ROWS_MAX])
{
    size_t size = g->rows ? value_count(g->rows) : 0;
    uint32_t count = size < GRID_ROWS_MAX ? (uint32_t)size : GRID_ROWS_MAX;

    for (uint32_t i = 0; i < count; i++) {
        const struct value *row = value_at(g->rows, i);
        uint32_t at = i;

        while (g->sorted_by >= 0 && at > 0 && is_before(g, row, ret[at - 1])) {
            ret[at] = ret[at - 1];
            at--;
        }
        ret[at] = row;
    }
    return count;
}

/* ---- cells ---- */

static void put_bar(struct table *t, const struct value *row)
{
    double busy = number_of(row, "busy");
    double blocked = number_of(row, "blocked");
    char bar[BAR_CELLS + 1];

    if (isnan(busy) || isnan(blocked)) {
        table_cell(t, "%s", "");
        return;
    }
    for (int i = 0; i < BAR_CELLS; i++) {
        double middle = (i + 0.5) / BAR_CELLS;

        bar[i] = middle < busy ? '#' : middle < busy + blocked ? '!' : '.';
    }
    bar[BAR_CELLS] = '\0';
    table_cell(t, "%s", bar);
}

static void put_duration(struct table *t, double number, double unit_ns)
{
    char text[UNITS_TEXT_MAX];

    table_cell(t, "%s", isnan(number) ? "" : units_duration((int64_t)(number * unit_ns), text));
}

static void put_cell(struct table *t, const struct grid_column *c, const struct value *row)
{
    double number = number_of(row, c->member);
    char text[SHOW_TIME_MAX];

    switch (c->kind) {
    case GRID_TEXT:
        table_cell(t, "%.*s", STR_ARG(text_of(row, c->member)));
        return;
    case GRID_BAR:
        put_bar(t, row);
        return;
    case GRID_US:
        put_duration(t, number, NS_PER_US);
        return;
    case GRID_MS:
        put_duration(t, number, NS_PER_MS);
        return;
    case GRID_COUNT:
    case GRID_RATE:
    case GRID_SHARE:
    case GRID_TIME:
        break;
    }
    if (isnan(number)) {
        table_cell(t, "%s", "");
    } else if (c->kind == GRID_COUNT) {
        table_cell(t, "%.0f", number);
    } else if (c->kind == GRID_SHARE) {
        table_cell(t, "%.0f %%", 100 * number);
    } else if (c->kind == GRID_RATE) {
        table_cell(t, "%s", units_rate(number, text));
    } else {
        table_cell(t, "%s", show_time((int64_t)number, text));
    }
}

/* ---- the table ---- */

_Static_assert(SHOW_TIME_MAX >= UNITS_TEXT_MAX, "one buffer for both");

/* The columns that are shown, of `ranks` and below. */
struct chosen {
    uint32_t at[TABLE_COLUMNS_MAX];
    uint32_t count;
    char titles[TABLE_COLUMNS_MAX][TITLE_MAX];
    struct table_column columns[TABLE_COLUMNS_MAX];
};

static void choose(struct chosen *c, const struct grid *g, uint32_t rank)
{
    uint32_t n = 0;

    c->count = 0;
    if (g->with_marks) {
        c->columns[n++] = (struct table_column){" ", TABLE_LEFT};
    }
    for (uint32_t i = 0; i < g->column_count; i++) {
        const struct grid_column *column = &g->columns[i];
        const bool is_sorted = g->sorted_by == (int)i;
        const bool is_left = column->kind == GRID_TEXT || column->kind == GRID_BAR;

        if (column->rank <= rank || is_sorted) {
            (void)str_format(c->titles[i], TITLE_MAX, "%s%s", column->title,
                             !is_sorted        ? ""
                             : is_ascending(g) ? " ^"
                                               : " v");
            c->columns[n++] =
                (struct table_column){c->titles[i], is_left ? TABLE_LEFT : TABLE_RIGHT};
            c->at[c->count++] = i;
        }
    }
}

static void fill(struct table *t, const struct grid *g, const struct chosen *c,
                 const struct value *const *rows, uint32_t count, int selected)
{
    for (uint32_t r = 0; r < count; r++) {
        if (g->with_marks) {
            table_cell(t, "%s", selected == (int)r ? ">" : " ");
        }
        for (uint32_t i = 0; i < c->count; i++) {
            put_cell(t, &g->columns[c->at[i]], rows[r]);
        }
    }
}

static uint32_t greatest_rank(const struct grid *g)
{
    uint32_t rank = 0;

    for (uint32_t i = 0; i < g->column_count; i++) {
        rank = g->columns[i].rank > rank ? g->columns[i].rank : rank;
    }
    return rank;
}

/* Columns go until it fits. */
int grid_print(const struct grid *g, const struct value *const *rows, uint32_t count, int selected,
               FILE *to)
{
    uint32_t rank = greatest_rank(g);
    int rc;

    ASSERT(g->column_count + g->with_marks <= TABLE_COLUMNS_MAX);
    for (;; rank--) {
        struct chosen chosen;
        struct table t;

        choose(&chosen, g, rank);
        table_init(&t, chosen.columns, chosen.count + g->with_marks);
        fill(&t, g, &chosen, rows, count, selected);
        if (g->width == 0 || table_width(&t) <= g->width || rank == 0) {
            rc = table_print(&t, to, 0);
            table_deinit(&t);
            return rc;
        }
        table_deinit(&t);
    }
}
