/* The value tree: building, bounds, ownership. */
#include "base/error.h"
#include "base/str.h"
#include "base/value.h"
#include "gp_test.h"

GP_TEST(value, leaves_hold_what_they_were_made_of)
{
    struct value *v;

    v = value_new_i64(INT64_MIN);
    GP_CHECK_EQ(value_kind(v), VALUE_I64);
    GP_CHECK(value_as_i64(v) == INT64_MIN);
    GP_CHECK(value_as_double(v) == -9223372036854775808.0);
    value_free(v);
    v = value_new_str((gp_str){.ptr = "a\0b", .len = 3});
    GP_CHECK_EQ(value_as_str(v).len, 3);
    GP_CHECK_EQ(value_count(v), 0);
    GP_CHECK(value_get(v, GP_STR("a")) == NULL);
    value_free(v);
    v = value_new_bool(true);
    GP_CHECK(value_as_bool(v));
    value_set_position(v, 3, 7);
    GP_CHECK_EQ(value_line(v), 3);
    GP_CHECK_EQ(value_column(v), 7);
    value_free(v);
    value_free(NULL);
    GP_CHECK(value_get(NULL, GP_STR("a")) == NULL);
}

GP_TEST(value, objects_keep_order_and_unique_names)
{
    struct value *o = value_new_object();

    GP_CHECK_EQ(value_set_i64(o, GP_STR("b"), 1), 0);
    GP_CHECK_EQ(value_set_str(o, GP_STR("a"), GP_STR("x")), 0);
    GP_CHECK_EQ(value_set_take(o, GP_STR(""), value_new_null()), 0);
    GP_CHECK_EQ(value_set_bool(o, GP_STR("b"), false), 0); /* keeps its place */
    GP_CHECK_EQ(value_set_take(o, GP_STR("d"), value_new_double(0.5)), 0);
    GP_CHECK_EQ(value_add_take(o, GP_STR("a"), value_new_null()), GP_EEXIST);
    GP_CHECK_EQ(value_count(o), 4);
    GP_CHECK(str_eq(value_name_at(o, 0), GP_STR("b")));
    GP_CHECK_EQ(value_kind(value_at(o, 0)), VALUE_BOOL);
    GP_CHECK(str_eq(value_name_at(o, 2), GP_STR("")));
    GP_CHECK(str_eq(value_as_str(value_get(o, GP_STR("a"))), GP_STR("x")));
    GP_CHECK(value_get(o, GP_STR("c")) == NULL);
    value_free(o);
}

GP_TEST(value, steal_takes_a_member_out)
{
    struct value *o = value_new_object();
    struct value *stolen;

    GP_CHECK_EQ(value_set_i64(o, GP_STR("a"), 1), 0);
    GP_CHECK_EQ(value_set_i64(o, GP_STR("b"), 2), 0);
    GP_CHECK_EQ(value_set_i64(o, GP_STR("c"), 3), 0);
    stolen = value_steal(o, GP_STR("b"));
    GP_CHECK_EQ(value_as_i64(stolen), 2);
    GP_CHECK_EQ(value_count(o), 2);
    GP_CHECK(str_eq(value_name_at(o, 1), GP_STR("c")));
    GP_CHECK(value_steal(o, GP_STR("b")) == NULL);
    value_free(stolen);
    value_free(o);
}

GP_TEST(value, a_missing_child_is_out_of_memory)
{
    struct value *list = value_new_list();

    GP_CHECK_EQ(value_append_take(list, NULL), GP_ENOMEM);
    GP_CHECK_EQ(value_count(list), 0);
    value_free(list);
}

/* A chain of n lists, one in the other. */
static struct value *chain(int n)
{
    struct value *v = value_new_list();

    for (int i = 1; i < n; i++) {
        struct value *outer = value_new_list();

        GP_REQUIRE_EQ(value_append_take(outer, v), 0);
        v = outer;
    }
    return v;
}

GP_TEST(value, depth_is_bounded_when_building_from_the_leaves)
{
    struct value *deepest = chain(VALUE_DEPTH_MAX);
    struct value *outer = value_new_list();

    GP_CHECK_EQ(value_append_take(outer, deepest), GP_ETOOBIG); /* consumes it */
    GP_CHECK_EQ(value_count(outer), 0);
    value_free(outer);
}

GP_TEST(value, depth_is_bounded_when_building_from_the_root)
{
    struct value *root = value_new_object();
    struct value *at = root;

    for (int depth = 2; depth <= VALUE_DEPTH_MAX; depth++) {
        GP_REQUIRE_EQ(value_add_take(at, GP_STR("x"), value_new_object()), 0);
        at = value_get(at, GP_STR("x"));
    }
    GP_CHECK_EQ(value_set_take(at, GP_STR("x"), value_new_null()), GP_ETOOBIG);
    GP_CHECK_EQ(value_add_take(at, GP_STR("x"), value_new_null()), GP_ETOOBIG);
    value_free(root);
}

/* What was deep once must not count for ever. */
GP_TEST(value, depth_shrinks_when_the_deep_part_goes)
{
    struct value *o = value_new_object();
    struct value *wrapped = value_new_list();

    GP_CHECK_EQ(value_set_take(o, GP_STR("a"), chain(VALUE_DEPTH_MAX - 1)), 0);
    GP_CHECK_EQ(value_set_take(o, GP_STR("b"), chain(3)), 0);
    GP_CHECK_EQ(value_set_take(o, GP_STR("c"), chain(VALUE_DEPTH_MAX - 1)), 0);
    value_free(value_steal(o, GP_STR("a")));
    GP_CHECK_EQ(value_set_i64(o, GP_STR("c"), 1), 0);
    GP_CHECK_EQ(value_append_take(wrapped, o), 0);
    value_free(wrapped);
}

GP_TEST(value, number_of_children_is_bounded)
{
    struct value *list = value_new_list();
    struct value *o = value_new_object();
    char name[16];

    for (int i = 0; i < VALUE_CHILDREN_MAX; i++) {
        GP_REQUIRE_EQ(value_append_take(list, value_new_null()), 0);
    }
    GP_CHECK_EQ(value_append_take(list, value_new_null()), GP_ETOOBIG);
    for (int i = 0; i < VALUE_MEMBERS_MAX; i++) {
        (void)str_format(name, sizeof(name), "%d", i);
        GP_REQUIRE_EQ(value_add_take(o, gp_str_of(name), value_new_null()), 0);
    }
    GP_CHECK_EQ(value_add_take(o, GP_STR("more"), value_new_null()), GP_ETOOBIG);
    GP_CHECK_EQ(value_set_i64(o, GP_STR("7"), 7), 0); /* replacing needs no room */
    value_free(list);
    value_free(o);
}

/* {"a":[1,2.5,"x",null,true],"b":{}} */
static struct value *sample(void)
{
    struct value *o = value_new_object();
    struct value *list = value_new_list();

    GP_CHECK_EQ(value_append_take(list, value_new_i64(1)), 0);
    GP_CHECK_EQ(value_append_take(list, value_new_double(2.5)), 0);
    GP_CHECK_EQ(value_append_take(list, value_new_str(GP_STR("x"))), 0);
    GP_CHECK_EQ(value_append_take(list, value_new_null()), 0);
    GP_CHECK_EQ(value_append_take(list, value_new_bool(true)), 0);
    GP_CHECK_EQ(value_add_take(o, GP_STR("a"), list), 0);
    GP_CHECK_EQ(value_add_take(o, GP_STR("b"), value_new_object()), 0);
    return o;
}

GP_TEST(value, dup_is_equal_and_separate)
{
    struct value *v = sample();
    struct value *copy;

    value_set_position(value_get(v, GP_STR("a")), 9, 2);
    copy = value_dup(v);
    GP_CHECK(value_equal(v, copy));
    GP_CHECK_EQ(value_line(value_get(copy, GP_STR("a"))), 9);
    GP_CHECK_EQ(value_set_i64(copy, GP_STR("b"), 1), 0);
    GP_CHECK(!value_equal(v, copy));
    value_free(v);
    GP_CHECK_EQ(value_count(value_get(copy, GP_STR("a"))), 5);
    value_free(copy);
}

GP_TEST(value, equality_sees_kind_order_and_names)
{
    struct value *a = sample();
    struct value *b = sample();
    struct value *list = value_get(b, GP_STR("a"));

    GP_CHECK(value_equal(a, b));
    GP_CHECK_EQ(value_append_take(list, value_new_null()), 0);
    GP_CHECK(!value_equal(a, b));
    value_free(b);
    b = value_new_object();
    GP_CHECK_EQ(value_add_take(b, GP_STR("b"), value_new_object()), 0);
    GP_CHECK_EQ(value_add_take(b, GP_STR("a"), value_dup(value_get(a, GP_STR("a")))), 0);
    GP_CHECK(!value_equal(a, b)); /* the same members in another order */
    value_free(a);
    value_free(b);
}

GP_TEST(value, kinds_have_names_for_messages)
{
    GP_CHECK_STR_EQ(value_kind_name(VALUE_I64), "an integer");
    GP_CHECK_STR_EQ(value_kind_name(VALUE_OBJECT), "an object");
}
