/* Long lists of numbers as one text. */
#include "base/str.h"
#include "gp_test.h"
#include "wire/fields.h"

struct cell {
    uint32_t row;
    uint32_t level;
    uint64_t big;
    bool flag;
};
static const struct field cell_items[] = {
    FIELD_COUNT(struct cell, row, FIELD_REQUIRED, 0, ""),
    FIELD_COUNT(struct cell, level, FIELD_OPTIONAL, 9, ""),
    FIELD_U64(struct cell, big, FIELD_OPTIONAL, ""),
    FIELD_BOOL(struct cell, flag, FIELD_OPTIONAL, ""),
};
static const struct fields cell_fields = FIELDS("cell", struct cell, cell_items);

struct sheet {
    struct cell *cells;
    uint32_t cells_count;
};
static const struct field sheet_items[] = {
    FIELD_LIST(struct sheet, cells, FIELD_ROWS, 4, &cell_fields, ""),
};
static const struct fields sheet_fields = FIELDS("sheet", struct sheet, sheet_items);

static int read_text(const char *text, struct sheet *ret)
{
    struct value *tree = value_new_object();
    int rc;

    GP_REQUIRE(tree != NULL);
    GP_REQUIRE_EQ(value_add_take(tree, GP_STR("cells"), value_new_str(gp_str_of(text))), 0);
    rc = fields_decode(&sheet_fields, tree, ret, NULL);
    value_free(tree);
    return rc;
}

GP_TEST(fields_rows, leave_out_what_is_as_before)
{
    struct cell cells[] = {{0, 0, 17, true}, {0, 9, 17, false}, {3, 9, UINT64_MAX, false}, {0}};
    const struct sheet sheet = {cells, 4};
    struct value *tree = NULL;
    struct sheet back;

    GP_REQUIRE_EQ(fields_encode(&sheet_fields, &sheet, &tree), 0);
    GP_CHECK(str_eq(value_as_str(value_get(tree, GP_STR("cells"))),
                    GP_STR(",,17,1;,9,,0;3,,18446744073709551615;0,0,0;")));
    GP_REQUIRE_EQ(fields_decode(&sheet_fields, tree, &back, NULL), 0);
    GP_REQUIRE_EQ(back.cells_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        GP_CHECK_EQ(back.cells[i].row, cells[i].row);
        GP_CHECK_EQ(back.cells[i].level, cells[i].level);
        GP_CHECK_EQ(back.cells[i].big, cells[i].big);
        GP_CHECK_EQ(back.cells[i].flag, cells[i].flag);
    }
    value_free(tree);
    fields_deinit(&sheet_fields, &back);
}

GP_TEST(fields_rows, can_be_none_or_say_nothing)
{
    struct sheet sheet;

    GP_CHECK_EQ(read_text("", &sheet), 0);
    GP_CHECK_EQ(sheet.cells_count, 0);
    GP_REQUIRE_EQ(read_text(";", &sheet), 0);
    GP_REQUIRE_EQ(sheet.cells_count, 1);
    GP_CHECK_EQ(sheet.cells[0].row, 0);
    fields_deinit(&sheet_fields, &sheet);
}

/* A later version may have more fields. */
GP_TEST(fields_rows, ignore_what_follows)
{
    struct sheet sheet;

    GP_REQUIRE_EQ(read_text("1,2,3,1,5,6;2;", &sheet), 0);
    GP_REQUIRE_EQ(sheet.cells_count, 2);
    GP_CHECK(sheet.cells[0].flag);
    GP_CHECK_EQ(sheet.cells[1].row, 2);
    GP_CHECK_EQ(sheet.cells[1].big, 3);
    fields_deinit(&sheet_fields, &sheet);
}

GP_TEST(fields_rows, are_bounded_and_ended)
{
    static const char *const wrong[] = {"1",           "1;2",   "1;;;;;",
                                        "x;",          "-1;",   ",10;",
                                        "4294967296;", ",,,2;", ",,18446744073709551616;",
                                        " 1;"};
    struct sheet sheet;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        GP_CHECK_EQ(read_text(wrong[i], &sheet), GP_EPROTO);
        GP_CHECK(sheet.cells == NULL);
    }
}
