/* The value tree as JSON text. */
#include <math.h>

#include "base/error.h"
#include "base/str.h"
#include "base/value.h"
#include "gp_test.h"

/* Prints and frees v. */
static const char *printed_take(struct value *v, enum value_style style)
{
    static struct buf b;

    buf_clear(&b);
    GP_REQUIRE_EQ(value_print_json(v, &b, style), 0);
    value_free(v);
    return buf_c(&b);
}

static struct value *nested(void)
{
    struct value *o = value_new_object();
    struct value *list = value_new_list();

    GP_CHECK_EQ(value_append_take(list, value_new_i64(-1)), 0);
    GP_CHECK_EQ(value_append_take(list, value_new_object()), 0);
    GP_CHECK_EQ(value_append_take(list, value_new_list()), 0);
    GP_CHECK_EQ(value_set_take(o, GP_STR("a b"), list), 0);
    GP_CHECK_EQ(value_set_bool(o, GP_STR("t"), true), 0);
    GP_CHECK_EQ(value_set_take(o, GP_STR("n"), value_new_null()), 0);
    return o;
}

GP_TEST(value_json, compact_is_one_line)
{
    GP_CHECK_STR_EQ(printed_take(nested(), VALUE_COMPACT),
                    "{\"a b\":[-1,{},[]],\"t\":true,\"n\":null}");
}

GP_TEST(value_json, pretty_indents_by_two)
{
    GP_CHECK_STR_EQ(printed_take(nested(), VALUE_PRETTY), "{\n"
                                                          "  \"a b\": [\n"
                                                          "    -1,\n"
                                                          "    {},\n"
                                                          "    []\n"
                                                          "  ],\n"
                                                          "  \"t\": true,\n"
                                                          "  \"n\": null\n"
                                                          "}");
}

GP_TEST(value_json, numbers_keep_value_and_kind)
{
    GP_CHECK_STR_EQ(printed_take(value_new_i64(INT64_MIN), VALUE_COMPACT), "-9223372036854775808");
    GP_CHECK_STR_EQ(printed_take(value_new_double(1), VALUE_COMPACT), "1.0");
    GP_CHECK_STR_EQ(printed_take(value_new_double(0.1), VALUE_COMPACT), "0.1");
    GP_CHECK_STR_EQ(printed_take(value_new_double(1e100), VALUE_COMPACT), "1e+100");
    GP_CHECK_STR_EQ(printed_take(value_new_double((double)INFINITY), VALUE_COMPACT), "null");
    GP_CHECK_STR_EQ(printed_take(value_new_double((double)NAN), VALUE_COMPACT), "null");
}

GP_TEST(value_json, text_is_escaped)
{
    struct value *v = value_new_str((gp_str){.ptr = "\"\\/\b\n\0\x1f\x7f\xc3\xa9\xff", .len = 11});

    GP_CHECK_STR_EQ(printed_take(v, VALUE_COMPACT),
                    "\"\\\"\\\\/\\u0008\\n\\u0000\\u001f\x7f\xc3\xa9\xef\xbf\xbd\"");
    GP_CHECK_STR_EQ(printed_take(value_new_str(GP_STR("")), VALUE_COMPACT), "\"\"");
}

GP_TEST(value_json, a_full_buffer_is_left_as_it_was)
{
    struct value *v = nested();

    for (size_t limit = 3; limit < 60; limit++) {
        struct buf b;
        int rc;

        buf_init(&b, limit);
        GP_CHECK_EQ(buf_append_c(&b, "old"), 0);
        rc = value_print_json(v, &b, VALUE_COMPACT);
        if (limit < 3 + 36) {
            GP_CHECK_EQ(rc, GP_ETOOBIG);
            GP_CHECK_STR_EQ(buf_c(&b), "old");
        } else {
            GP_CHECK_EQ(rc, 0);
            GP_CHECK_EQ(buf_len(&b), 3 + 36);
        }
        buf_deinit(&b);
    }
    value_free(v);
}

GP_TEST(value_json, the_deepest_tree_prints)
{
    struct value *v = value_new_list();

    for (int i = 1; i < VALUE_DEPTH_MAX; i++) {
        struct value *outer = value_new_list();

        GP_REQUIRE_EQ(value_append_take(outer, v), 0);
        v = outer;
    }
    GP_CHECK_EQ(strlen(printed_take(v, VALUE_COMPACT)), 2 * VALUE_DEPTH_MAX);
}
