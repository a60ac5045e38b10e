/* table.c: see table.h. */
#include "app/table.h"

#include <stdarg.h>
#include <string.h>

#include "app/text.h"
#include "base/assert.h"
#include "base/str.h"

#define TABLE_SIZE_MAX_BYTES ((size_t)64 << 20)
#define GAP                  2

#define BOLD   "\x1b[1m"
#define RED    "\x1b[31m"
#define GREEN  "\x1b[32m"
#define YELLOW "\x1b[33m"
#define NORMAL "\x1b[0m"

static bool has_titles(const struct table *t)
{
    return t->columns[0].title != NULL;
}

void table_init(struct table *t, const struct table_column *columns, uint32_t count)
{
    ASSERT(count >= 1 && count <= TABLE_COLUMNS_MAX);
    *t = (struct table){.columns = columns, .column_count = count};
    buf_init(&t->cells, TABLE_SIZE_MAX_BYTES);
    for (uint32_t i = 0; has_titles(t) && i < count; i++) {
        t->widths[i] = strlen(columns[i].title);
    }
}

void table_colours(struct table *t, bool has_colours)
{
    t->has_colours = has_colours;
}

void table_deinit(struct table *t)
{
    buf_deinit(&t->cells);
}

void table_cell(struct table *t, const char *fmt, ...)
{
    char text[TABLE_CELL_MAX];
    char shown[TABLE_CELL_MAX];
    va_list args;
    size_t width;
    int rc;

    va_start(args, fmt);
    (void)str_vformat(text, sizeof(text), fmt, args); /* cut is fine */
    va_end(args);
    (void)text_show(gp_str_of(text[0] ? text : "-"), shown, sizeof(shown));
    width = text_width(gp_str_of(shown));
    if (width > t->widths[t->column]) {
        t->widths[t->column] = width;
    }
    rc = buf_append(&t->cells, shown, strlen(shown) + 1);
    if (rc < 0 && t->status == 0) {
        t->status = rc;
    }
    t->column = (t->column + 1) % t->column_count;
    t->rows += t->column == 0;
}

size_t table_width(const struct table *t)
{
    size_t width = (size_t)(t->column_count - 1) * GAP;

    for (uint32_t i = 0; i < t->column_count; i++) {
        width += t->widths[i];
    }
    return width;
}

/* How a state looks: what goes well is green, what ended badly red, what is between yellow. */
static const char *colour_of(const char *state)
{
    static const struct {
        const char *state;
        const char *colour;
    } looks[] = {
        {"running", GREEN},  {"finished", GREEN},  {"serving", GREEN},   {"leader", GREEN},
        {"failed", RED},     {"lost", RED},        {"starting", YELLOW}, {"submitted", YELLOW},
        {"waiting", YELLOW}, {"draining", YELLOW},
    };

    for (size_t i = 0; i < ARRAY_LEN(looks); i++) {
        if (strcmp(looks[i].state, state) == 0) {
            return looks[i].colour;
        }
    }
    return "";
}

/* One cell, and what keeps the next one away; the last column has no blanks behind it. */
static void print_cell(const struct table *t, uint32_t column, const char *text, const char *colour,
                       FILE *to)
{
    size_t width = text_width(gp_str_of(text));
    int pad = width < t->widths[column] ? (int)(t->widths[column] - width) : 0;
    bool last = column + 1 == t->column_count;
    const char *normal = *colour ? NORMAL : "";

    if (t->columns[column].align == TABLE_RIGHT) {
        (void)fprintf(to, "%*s%s%s%s%*s", pad, "", colour, text, normal, last ? 0 : GAP, "");
    } else {
        (void)fprintf(to, "%s%s%s%*s", colour, text, normal, last ? 0 : pad + GAP, "");
    }
    if (last) {
        (void)fputc('\n', to);
    }
}

int table_print(const struct table *t, FILE *to, int indent)
{
    const char *at = buf_str(&t->cells).ptr;

    ASSERT(t->column == 0);
    if (t->status < 0) {
        return t->status;
    }
    if (has_titles(t)) {
        (void)fprintf(to, "%*s", indent, "");
        for (uint32_t c = 0; c < t->column_count; c++) {
            print_cell(t, c, t->columns[c].title, t->has_colours ? BOLD : "", to);
        }
    }
    for (uint32_t r = 0; r < t->rows; r++) {
        (void)fprintf(to, "%*s", indent, "");
        for (uint32_t c = 0; c < t->column_count; c++) {
            print_cell(t, c, at,
                       t->has_colours && t->columns[c].align == TABLE_STATE ? colour_of(at) : "",
                       to);
            at += strlen(at) + 1;
        }
    }
    return 0;
}
