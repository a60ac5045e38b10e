/* Rows and columns for people. */
#include "app/table.h"
#include "capture.h"

static const struct table_column columns[] = {
    {"ID", TABLE_RIGHT}, {"NAME", TABLE_LEFT}, {"TASKS", TABLE_RIGHT}};

GP_TEST(table, columns_are_as_wide_as_their_widest_cell)
{
    struct table t;
    struct capture c;

    table_init(&t, columns, 3);
    table_cell(&t, "7");
    table_cell(&t, "wordcount");
    table_cell(&t, "12");
    table_cell(&t, "1024");
    table_cell(&t, "a");
    table_cell(&t, "100000");
    GP_CHECK_EQ(table_print(&t, capture_begin(&c), 0), 0);
    GP_CHECK_STR_EQ(capture_text(&c), "  ID  NAME        TASKS\n"
                                      "   7  wordcount      12\n"
                                      "1024  a          100000\n");
    capture_end(&c);
    table_deinit(&t);
}

GP_TEST(table, counts_characters_not_bytes)
{
    struct table t;
    struct capture c;

    table_init(&t, columns, 3);
    table_cell(&t, "1");
    table_cell(&t, "größe");
    table_cell(&t, "1");
    table_cell(&t, "2");
    table_cell(&t, "ab");
    table_cell(&t, "2");
    GP_CHECK_EQ(table_print(&t, capture_begin(&c), 0), 0);
    GP_CHECK_STR_EQ(capture_text(&c), "ID  NAME   TASKS\n"
                                      " 1  größe      1\n"
                                      " 2  ab         2\n");
    capture_end(&c);
    table_deinit(&t);
}

/* A name comes from a stranger; it must not move the cursor. */
GP_TEST(table, control_characters_are_harmless)
{
    struct table t;
    struct capture c;

    table_init(&t, columns + 1, 1);
    table_cell(&t, "a\x1b[2Jb\nc");
    GP_CHECK_EQ(table_print(&t, capture_begin(&c), 0), 0);
    GP_CHECK(strchr(capture_text(&c), '\x1b') == NULL);
    GP_CHECK_STR_EQ(capture_text(&c), "NAME\na\\x1b[2Jb\\nc\n");
    capture_end(&c);
    table_deinit(&t);
}

GP_TEST(table, an_empty_cell_is_a_dash)
{
    struct table t;
    struct capture c;

    table_init(&t, columns + 1, 2);
    table_cell(&t, "%s", "");
    table_cell(&t, "1");
    GP_CHECK_EQ(table_print(&t, capture_begin(&c), 2), 0);
    GP_CHECK_STR_EQ(capture_text(&c), "  NAME  TASKS\n  -         1\n");
    capture_end(&c);
    table_deinit(&t);
}

GP_TEST(table, without_titles_only_rows)
{
    static const struct table_column plain[] = {{NULL, TABLE_LEFT}, {NULL, TABLE_LEFT}};
    struct table t;
    struct capture c;

    table_init(&t, plain, 2);
    table_cell(&t, "name");
    table_cell(&t, "wordcount");
    table_cell(&t, "version");
    table_cell(&t, "1.0.0");
    GP_CHECK_EQ(table_print(&t, capture_begin(&c), 0), 0);
    GP_CHECK_STR_EQ(capture_text(&c), "name     wordcount\nversion  1.0.0\n");
    capture_end(&c);
    table_deinit(&t);
}

GP_TEST(table, without_rows_only_titles)
{
    struct table t;
    struct capture c;

    table_init(&t, columns, 3);
    GP_CHECK_EQ(table_print(&t, capture_begin(&c), 0), 0);
    GP_CHECK_STR_EQ(capture_text(&c), "ID  NAME  TASKS\n");
    capture_end(&c);
    table_deinit(&t);
}
