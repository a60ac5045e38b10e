/* Objects as rows. */
#include "app/grid.h"
#include "base/assert.h"
#include "capture.h"
#include "edge/json.h"

static const char rows_json[] =
    "[{\"name\":\"b\",\"n\":3,\"busy\":0.62,\"blocked\":0.2,\"latency\":{\"p99_us\":1500.0}},"
    "{\"name\":\"a\",\"n\":20,\"busy\":0.0,\"blocked\":1.0,\"latency\":{\"p99_us\":null}},"
    "{\"name\":\"c\"}]";

static const struct grid_column columns[] = {
    {"NAME", "name", GRID_TEXT, 0},        {"N", "n", GRID_COUNT, 1},
    {"TIME", "busy", GRID_BAR, 2},         {"BLOCKED", "blocked", GRID_SHARE, 4},
    {"P99", "latency.p99_us", GRID_US, 3},
};

static struct value *parse(const char *json)
{
    struct value *v = NULL;

    GP_REQUIRE(edge_json_parse(gp_str_of(json), &v, NULL) == 0);
    return v;
}

static void check_printed(struct grid grid, int selected, const char *wanted)
{
    const struct value *rows[GRID_ROWS_MAX];
    struct value *list = parse(rows_json);
    struct capture c;
    uint32_t count;

    grid.columns = columns;
    grid.column_count = ARRAY_LEN(columns);
    grid.rows = list;
    count = grid_order(&grid, rows);
    GP_CHECK_EQ(grid_print(&grid, rows, count, selected, capture_begin(&c)), 0);
    GP_CHECK_STR_EQ(capture_text(&c), wanted);
    capture_end(&c);
    value_free(list);
}

GP_TEST(grid, shows_members_by_their_kind)
{
    check_printed((struct grid){.sorted_by = -1}, -1,
                  "NAME   N  TIME        BLOCKED      P99\n"
                  "b      3  ######!!..     20 %  1.50 ms\n"
                  "a     20  !!!!!!!!!!    100 %        -\n"
                  "c      -  -                 -        -\n");
}

GP_TEST(grid, numbers_are_sorted_with_the_greatest_first)
{
    check_printed((struct grid){.sorted_by = 1, .width = 16}, -1,
                  "NAME  N v\n"
                  "a      20\n"
                  "b       3\n"
                  "c       -\n");
}

/* What is not known is last both ways. */
GP_TEST(grid, and_reversed_with_the_least)
{
    check_printed((struct grid){.sorted_by = 1, .reverse = true, .width = 16}, -1,
                  "NAME  N ^\n"
                  "b       3\n"
                  "a      20\n"
                  "c       -\n");
}

GP_TEST(grid, text_is_sorted_from_a)
{
    check_printed((struct grid){.sorted_by = 0, .width = 16, .with_marks = true}, 1,
                  "   NAME ^   N\n"
                  "   a       20\n"
                  ">  b        3\n"
                  "   c        -\n");
}

GP_TEST(grid, leaves_out_columns_until_it_fits)
{
    check_printed((struct grid){.sorted_by = -1, .width = 30}, -1,
                  "NAME   N  TIME            P99\n"
                  "b      3  ######!!..  1.50 ms\n"
                  "a     20  !!!!!!!!!!        -\n"
                  "c      -  -                 -\n");
    check_printed((struct grid){.sorted_by = -1, .width = 28}, -1,
                  "NAME   N  TIME\n"
                  "b      3  ######!!..\n"
                  "a     20  !!!!!!!!!!\n"
                  "c      -  -\n");
    check_printed((struct grid){.sorted_by = -1, .width = 1}, -1, "NAME\nb\na\nc\n");
}

/* Else nobody would see why the rows stand as they do. */
GP_TEST(grid, keeps_the_column_that_it_is_sorted_by)
{
    check_printed((struct grid){.sorted_by = 3, .width = 1}, -1,
                  "NAME  BLOCKED v\n"
                  "a         100 %\n"
                  "b          20 %\n"
                  "c             -\n");
}

GP_TEST(grid, rows_that_are_equal_stay_in_their_order)
{
    const struct value *rows[GRID_ROWS_MAX];
    struct value *list = parse("[{\"n\":1,\"x\":0},{\"n\":2,\"x\":0},{\"n\":3,\"x\":0}]");
    const struct grid_column by[] = {{"X", "x", GRID_COUNT, 0}};
    const struct grid grid = {.columns = by, .column_count = 1, .rows = list};

    GP_CHECK_EQ(grid_order(&grid, rows), 3);
    for (uint32_t i = 0; i < 3; i++) {
        GP_CHECK_EQ(value_as_i64(grid_member(rows[i], "n")), (int64_t)i + 1);
    }
    value_free(list);
}

GP_TEST(grid, without_rows_there_are_titles)
{
    const struct grid_column by[] = {{"X", "x", GRID_COUNT, 0}};
    const struct grid grid = {.columns = by, .column_count = 1, .sorted_by = -1};
    const struct value *rows[GRID_ROWS_MAX];
    struct capture c;

    GP_CHECK_EQ(grid_order(&grid, rows), 0);
    GP_CHECK_EQ(grid_print(&grid, rows, 0, -1, capture_begin(&c)), 0);
    GP_CHECK_STR_EQ(capture_text(&c), "X\n");
    capture_end(&c);
}
