/*
 * top_draw.c: the picture of `gpctl top`; see top.h.
 *
 *     gpctl top  127.0.0.1:3000                              10:42:35
 *     applications > wordcount (7)  running 2m 10s  in 1.00 M/s ...
 *     what is wrong, if anything is
 *       PROCESSOR   IN/S ...
 *     > split     1.00 M/s
 *     keys
 *
 * On a screen of very few lines the table goes first, for it is printed last but the keys.
 */
#include <stdlib.h>
#include <string.h>

#include "app/show.h"
#include "app/text.h"
#include "app/top.h"
#include "base/assert.h"
#include "base/str.h"
#include "base/units.h"

#define AROUND_ROWS   5u /* lines that are not rows: two of a head, a remark, titles, keys */
#define BLOCKED_SHARE 0.5

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_US INT64_C(1000)

static gp_str text_of(const struct value *row, const char *name)
{
    const struct value *v = grid_member(row, name);

    return v && value_kind(v) == VALUE_STR ? value_as_str(v) : GP_STR("");
}

static double number_of(const struct value *row, const char *name)
{
    const struct value *v = grid_member(row, name);

    return v && (value_kind(v) == VALUE_I64 || value_kind(v) == VALUE_DOUBLE) ? value_as_double(v)
                                                                              : 0;
}

/* ---- the head ---- */

static void draw_title(const struct top *t, const char *where, struct picture *p)
{
    char left[TOP_TEXT_MAX];
    char time[SHOW_TIME_MAX];
    const char *hour;
    size_t pad;

    (void)str_format(left, sizeof left, "gpctl top  %s", where);
    hour = strchr(show_time(t->now_ms, time), ' '); /* the day is known */
    hour = hour ? hour + 1 : "";
    pad = p->columns > strlen(left) + strlen(hour) ? p->columns - strlen(left) - strlen(hour) : 2;
    picture_say(p, PICTURE_STRONG, "%s%*s%s", left, (int)pad, "", hour);
}

/* " > name (7)  running 2m 10s  in 1.00 M/s  out 1.00 M/s  p50 1.2 ms  p99 4 ms" */
static void append_app(const struct top *t, struct buf *line)
{
    const struct value *app = top_app(t, t->app);
    char run[UNITS_TEXT_MAX];
    char in[UNITS_TEXT_MAX];
    char out[UNITS_TEXT_MAX];
    int rc;

    rc = buf_append_fmt(line, " > %.*s (%u)", STR_ARG(text_of(app ? app : t->metrics, "name")),
                        t->app);
    if (rc == 0 && t->view == TOP_TASKS) {
        rc = buf_append_fmt(line, " > %s", t->processor);
    }
    if (rc < 0 || !app) {
        return;
    }
    rc = buf_append_fmt(line, "  %.*s %s  in %s  out %s", STR_ARG(text_of(app, "state")),
                        units_duration((int64_t)number_of(app, "run_ms") * NS_PER_MS, run),
                        units_rate(number_of(app, "source_rate"), in),
                        units_rate(number_of(app, "sink_rate"), out));
    if (rc == 0 && number_of(app, "p99_us") > 0) {
        (void)buf_append_fmt(line, "  p50 %s  p99 %s",
                             units_duration((int64_t)number_of(app, "p50_us") * NS_PER_US, in),
                             units_duration((int64_t)number_of(app, "p99_us") * NS_PER_US, out));
    }
}

static void draw_path(const struct top *t, struct picture *p)
{
    struct buf line = {0};
    size_t count = t->apps ? value_count(t->apps) : 0;
    int rc = buf_append_fmt(&line, "applications");

    if (t->view == TOP_APPS && t->apps && rc == 0) {
        (void)buf_append_fmt(&line, ": %s%zu running", t->is_cut ? "the first " : "", count);
    } else if (t->view != TOP_APPS && rc == 0) {
        append_app(t, &line);
    }
    picture_say(p, PICTURE_PLAIN, "%.*s", STR_ARG(buf_str(&line)));
    buf_deinit(&line);
}

static const struct value *stalled(const struct top *t)
{
    const struct value *list = value_get(t->metrics, GP_STR("stalled"));

    return list && value_count(list) > 0 ? value_at(list, 0) : NULL;
}

static void draw_remark(const struct top *t, struct picture *p)
{
    const struct value *stall = t->view == TOP_APPS ? NULL : stalled(t);
    char since[SHOW_TIME_MAX];

    if (t->fault[0]) {
        picture_say(p, PICTURE_ALARM, "no answer: %s", t->fault);
    } else if (!t->apps) {
        picture_say(p, PICTURE_PLAIN, "asking ...");
    } else if (t->view != TOP_APPS && t->has_ended) {
        picture_say(p, PICTURE_WARNING, "it has ended: this is how it was last; escape goes back");
    } else if (stall) {
        picture_say(p, PICTURE_ALARM, "the clock waits for %.*s since %s",
                    STR_ARG(text_of(stall, "processor")),
                    show_time((int64_t)number_of(stall, "since_ms"), since));
    } else if (t->view != TOP_APPS && !t->metrics) {
        picture_say(p, PICTURE_PLAIN, "nothing was told yet");
    } else if (t->view == TOP_TASKS) {
        picture_say(p, PICTURE_PLAIN, "its slowest tasks: most blocked and busy since they began");
    } else if (t->view == TOP_APPS && value_count(t->apps) == 0) {
        picture_say(p, PICTURE_PLAIN, "none: gpctl submit APP.so starts one");
    } else {
        picture_say(p, PICTURE_PLAIN, "%s", "");
    }
}

/* ---- rows ---- */

static enum picture_style style_of(const struct top *t, const struct value *row)
{
    const struct value *list = value_get(t->metrics, GP_STR("stalled"));

    if (t->view == TOP_APPS) {
        return PICTURE_PLAIN;
    }
    for (size_t i = 0; t->view == TOP_PROCESSORS && list && i < value_count(list); i++) {
        if (str_eq(text_of(value_at(list, i), "processor"), text_of(row, "name"))) {
            return PICTURE_ALARM;
        }
    }
    return number_of(row, "blocked") >= BLOCKED_SHARE ? PICTURE_WARNING : PICTURE_PLAIN;
}

/* Moves what is shown so far that the selected row is in it. */
static void scroll(struct top *t, uint32_t count)
{
    struct top_list *list = &t->lists[t->view];
    uint32_t shown = t->rows_shown;

    if (list->selected < list->first) {
        list->first = list->selected;
    } else if (list->selected >= list->first + shown) {
        list->first = list->selected - shown + 1;
    }
    if (list->first + shown > count) {
        list->first = count > shown ? count - shown : 0;
    }
}

static int draw_rows(struct top *t, struct picture *p)
{
    const struct value *rows[GRID_ROWS_MAX];
    struct top_list *list = &t->lists[t->view];
    char *text = NULL;
    size_t len = 0;
    FILE *memory = open_memstream(&text, &len);
    struct grid grid;
    uint32_t count;
    uint32_t shown;
    gp_str line;
    gp_str rest;
    int rc;

    if (!memory) {
        return GP_ENOMEM;
    }
    count = top_rows(t, &grid, rows);
    t->rows_shown = p->rows > AROUND_ROWS ? p->rows - AROUND_ROWS : 1;
    scroll(t, count);
    shown = count - list->first < t->rows_shown ? count - list->first : t->rows_shown;
    grid.width = p->columns;
    grid.with_marks = true;
    rc = grid_print(&grid, rows + list->first, shown,
                    count > 0 ? (int)(list->selected - list->first) : -1, memory);
    if (fclose(memory) != 0) {
        rc = GP_ENOMEM;
    }
    rest = (gp_str){text, rc == 0 ? len : 0};
    for (uint32_t i = 0; rest.len > 0; i++) {
        enum picture_style style = PICTURE_STRONG;

        (void)str_cut(rest, '\n', &line, &rest);
        if (i > 0) {
            uint32_t row = list->first + i - 1;

            style = row == list->selected ? PICTURE_SELECTED : style_of(t, rows[row]);
        }
        picture_line(p, style, line);
    }
    free(text);
    return rc;
}

/* ---- help and keys ---- */

static void draw_help(struct picture *p)
{
    static const char *const lines[] = {
        "",
        "  up down, j k         select a row; page up and down, home and end go further",
        "  enter                applications > processors > tasks",
        "  escape, backspace    back",
        "  left right, < >      sort by the column there; its title is marked v or ^",
        "  r                    the other way around",
        "  ? or h               this, and away with it",
        "  q                    quit",
        "",
        "  TIME       of ten parts: # busy, ! blocked by who receives, . idle",
        "  P50, P99   from the source to there; sampled when metrics.enabled is set",
        "  QUEUE      rows that wait now",
        "  LAG        how far the watermark is behind",
        "",
        "  Yellow: blocked half of its time or more. Red: the clock waits for it.",
        "  The master is asked once a second; of many applications, a few in turn.",
    };

    for (size_t i = 0; i < ARRAY_LEN(lines) && picture_left(p) > 1; i++) {
        picture_line(p, PICTURE_PLAIN, gp_str_of(lines[i]));
    }
}

static void draw_keys(const struct top *t, struct picture *p)
{
    static const char *const keys[TOP_VIEWS] = {
        [TOP_APPS] = "q quit  ? help  up/down select  enter open  < > sort  r order",
        [TOP_PROCESSORS] =
            "q quit  ? help  up/down select  enter tasks  esc back  < > sort  r order",
        [TOP_TASKS] = "q quit  ? help  up/down select  esc back  < > sort  r order",
    };

    picture_line(p, PICTURE_FAINT,
                 t->has_help ? GP_STR("q quit  ? or esc: back") : gp_str_of(keys[t->view]));
}

int top_draw(struct top *t, const char *where, struct picture *p)
{
    int rc = 0;

    draw_title(t, where, p);
    if (t->has_help) {
        draw_help(p);
    } else {
        draw_path(t, p);
        draw_remark(t, p);
        rc = draw_rows(t, p);
    }
    if (p->rows > 1) {
        picture_fill(p, p->rows - 1);
        draw_keys(t, p);
    }
    return rc;
}
