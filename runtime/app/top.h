/*
 * top.h: what `gpctl top` knows and shows: applications, the processors of one, the slowest tasks
 * of one of these. Pure: answers and keys in, pictures out; asking and the terminal are elsewhere.
 *
 *     APPLICATIONS <--enter/escape--> PROCESSORS <--enter/escape--> TASKS
 *
 * Everything shown is a member of the JSON that `gpctl list` and `gpctl metrics -o json` print.
 */
#ifndef APP_TOP_H
#define APP_TOP_H

#include "app/grid.h"
#include "app/picture.h"

#define TOP_NAME_MAX 256
#define TOP_TEXT_MAX 256

enum top_view { TOP_APPS, TOP_PROCESSORS, TOP_TASKS, TOP_VIEWS };

enum top_key {
    TOP_KEY_NONE,
    TOP_KEY_UP,
    TOP_KEY_DOWN,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_FIRST,
    TOP_KEY_LAST,
    TOP_KEY_OPEN,
    TOP_KEY_BACK,
    TOP_KEY_SORT_LEFT,
    TOP_KEY_SORT_RIGHT,
    TOP_KEY_REVERSE,
    TOP_KEY_HELP,
    TOP_KEY_QUIT
};

/* How the rows of a view stand, and which is selected. */
struct top_list {
    int sorted_by; /* as of struct grid */
    bool reverse;
    uint32_t selected;      /* row */
    uint32_t first;         /* row at the top */
    char key[TOP_NAME_MAX]; /* of the selected row, which it follows when rows move; "": none */
};

struct top {
    /* read-only */
    enum top_view view;
    bool has_help; /* it covers the view */
    bool is_over;
    uint32_t app; /* that is open; 0: none */
    char processor[TOP_NAME_MAX];
    struct value *apps;       /* NULL: not known yet */
    struct value *metrics;    /* of the open one; NULL: not known yet */
    bool has_ended;           /* the open one */
    bool is_cut;              /* there are more applications than one answer holds */
    char fault[TOP_TEXT_MAX]; /* why the last ask failed; "": it did not */
    int64_t now_ms;           /* since 1970 */
    /* private */
    struct top_list lists[TOP_VIEWS];
    uint32_t rows_shown; /* as last drawn */
};

void top_init(struct top *t);
void top_deinit(struct top *t);

/* Shows this application from now on. */
void top_open(struct top *t, uint32_t app);

/* Running applications, as `gpctl list -o json` has them; the rates of those known stay. */
void top_take_apps(struct top *t, struct value *apps, bool is_cut);

/* What metrics_show() made for this one. One of another, or when nothing was told yet, changes
 * nothing. */
void top_take_metrics(struct top *t, uint32_t app, struct value *metrics);

/* An ask failed; why is one line. */
void top_failed(struct top *t, const char *why);

/* What the next round asks about, in [0, max): applications, the open one first, each in its turn.
 * *turn counts rounds. */
uint32_t top_wanted(const struct top *t, uint32_t *turn, uint32_t max, uint32_t *ret_apps);

/* The rows of what is shown, as a table of any width. */
void top_grid(const struct top *t, struct grid *ret);

/* The same with its rows in order and the selected one found again: returns how many. */
uint32_t top_rows(struct top *t, struct grid *grid, const struct value *ret[GRID_ROWS_MAX]);

/* The row of an application in the list, or NULL. */
const struct value *top_app(const struct top *t, uint32_t id);

/* Takes the first key out of what a terminal sent. NONE: nothing was left, or nothing we know. */
enum top_key top_next_key(gp_str *sent);

void top_press(struct top *t, enum top_key key);

/* Fills an empty picture. where: the masters that are asked. 0, GP_ENOMEM. */
int top_draw(struct top *t, const char *where, struct picture *p);

#endif
