#include <math.h>

#include "base/str.h"
#include "edge/json.h"
#include "gp_test.h"

static struct value *parse(const char *text)
{
    struct value *v = NULL;
    struct gp_error err = {0};
    int rc = edge_json_parse(gp_str_of(text), &v, &err);

    if (rc < 0) {
        GP_TEST_FAIL("%s: %s", text, err.text);
        abort();
    }
    return v;
}

GP_TEST(json, every_kind_is_read)
{
    struct value *v = parse(" { \"n\": null, \"t\": true, \"f\": false, \"i\": -42, \"d\": 2.5,\n"
                            "\"s\": \"a\\u00e9\\n\\\"\\ud83d\\ude00\", \"l\": [1, [], {}] } ");
    struct value *list = value_get(v, GP_STR("l"));

    GP_CHECK_EQ(value_count(v), 7);
    GP_CHECK_EQ(value_kind(value_get(v, GP_STR("n"))), VALUE_NULL);
    GP_CHECK(value_as_bool(value_get(v, GP_STR("t"))));
    GP_CHECK(!value_as_bool(value_get(v, GP_STR("f"))));
    GP_CHECK_EQ(value_as_i64(value_get(v, GP_STR("i"))), -42);
    GP_CHECK(value_as_double(value_get(v, GP_STR("d"))) == 2.5);
    GP_CHECK(
        str_eq(value_as_str(value_get(v, GP_STR("s"))), GP_STR("a\xc3\xa9\n\"\xf0\x9f\x98\x80")));
    GP_CHECK_EQ(value_count(list), 3);
    GP_CHECK_EQ(value_kind(value_at(list, 1)), VALUE_LIST);
    GP_CHECK_EQ(value_kind(value_at(list, 2)), VALUE_OBJECT);
    value_free(v);
}

GP_TEST(json, whole_numbers_up_to_2_53_are_exact_integers)
{
    struct value *v = parse("[9007199254740992, -9007199254740992, 9007199254740994, 1e3, 0.5]");

    GP_CHECK_EQ(value_as_i64(value_at(v, 0)), INT64_C(9007199254740992));
    GP_CHECK_EQ(value_as_i64(value_at(v, 1)), INT64_C(-9007199254740992));
    GP_CHECK_EQ(value_kind(value_at(v, 2)), VALUE_DOUBLE);
    GP_CHECK_EQ(value_as_i64(value_at(v, 3)), 1000);
    GP_CHECK_EQ(value_kind(value_at(v, 4)), VALUE_DOUBLE);
    value_free(v);
}

static void check_refused(gp_str text, int code, const char *why)
{
    struct value *v = NULL;
    struct gp_error err = {0};
    int rc = edge_json_parse(text, &v, &err);

    GP_CHECK_EQ(rc, code);
    GP_CHECK(v == NULL);
    if (strstr(err.text, why) == NULL) {
        GP_TEST_FAIL("'%.*s': '%s' does not say '%s'", STR_ARG(text), err.text, why);
    }
}

GP_TEST(json, what_is_not_json_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"", "1:1: no value"},
        {" \n ", "not JSON"},
        {"{\"a\":1}\n x", "2:2: unexpected character"},
        {"{} {}", "1:4: more after the end"},
        {"1 2", "1:3: more after the end"},
        {"nullnull", "1:5: more after the end"},
        {"{\"a\": 1,\n \"b\": ]}", "2:7: not JSON"},
        {"[1,]", "not JSON"},
        {"{\"a\":1,}", "not JSON"},
        {"{a:1}", "not JSON"},
        {"[1 2]", "not JSON"},
        {"[1", "not JSON"},
        {"tru", "not JSON"},
        {"NaN", "unexpected character"},
        {"Infinity", "unexpected character"},
        {"[NaN]", "1:2: unexpected character"},
        {"1e999", "number"},
        {"01", "number"},
        {"-01", "number"},
        {"1.", "number"},
        {".5", "unexpected character"},
        {"+1", "unexpected character"},
        {"0x10", "unexpected character"},
        {"--1", "number"},
        {"-", "number"},
        {"1e", "number"},
        {"\"abc", "1:1: text is not closed"},
        {"\"abc\\\"", "1:1: text is not closed"},
        {"\"a\nb\"", "1:3: control character"},
        {"\"\\u0000\"", "1:2: \\u0000"},
        {"\"\\x41\"", "not JSON"},
        {"\"\\ud800\"", "not JSON"},
        {"'a'", "unexpected character"},
        {"// c\n1", "unexpected character"},
        {"\xef\xbb\xbf{}", "unexpected character"},
        {"\"\xff\"", "UTF-8"},
        {"{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", "'c' stands twice"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_refused(gp_str_of(cases[i].text), GP_EPROTO, cases[i].why);
    }
    check_refused((gp_str){"\"a\0b\"", 5}, GP_EPROTO, "control character");
    check_refused((gp_str){"1\0", 2}, GP_EPROTO, "unexpected character");
}

GP_TEST(json, the_scan_leaves_text_alone)
{
    struct value *v = parse("{\"[[[{{{\\\\\":\"}]\\\\u0000,,\"}");

    GP_CHECK(str_eq(value_name_at(v, 0), GP_STR("[[[{{{\\")));
    GP_CHECK(str_eq(value_as_str(value_at(v, 0)), GP_STR("}]\\u0000,,")));
    value_free(v);
}

static gp_str nested(char *buffer, size_t depth)
{
    memset(buffer, '[', depth);
    memset(buffer + depth, ']', depth);
    return (gp_str){buffer, 2 * depth};
}

GP_TEST(json, depth_is_bounded_before_anything_recurses)
{
    static char buffer[2 * 1000000];
    struct value *v = NULL;
    struct gp_error err = {0};

    GP_REQUIRE_EQ(edge_json_parse(nested(buffer, VALUE_DEPTH_MAX), &v, &err), 0);
    value_free(v);
    check_refused(nested(buffer, VALUE_DEPTH_MAX + 1), GP_ETOOBIG, "1:65: nested too deep");
    check_refused(nested(buffer, 1000000), GP_ETOOBIG, "nested too deep");
}

GP_TEST(json, the_number_of_values_is_bounded)
{
    enum { COUNT = 300000 };
    static char text[2 * COUNT + 2];
    size_t len = 0;

    text[len++] = '[';
    for (int i = 0; i < COUNT; i++) {
        text[len++] = '1';
        text[len++] = ',';
    }
    text[len - 1] = ']';
    check_refused((gp_str){text, len}, GP_ETOOBIG, "too many values");
    text[2 * 70000] = ']'; /* fewer, but more than a list may have */
    check_refused((gp_str){text, 2 * 70000 + 1}, GP_ETOOBIG, "");
}

GP_TEST(json, what_the_printer_writes_is_read_back)
{
    static const char text[] = "{\"a\":[1,-2.5,\"x\\\"y\\u001f\",null,true],\"\":{\"k\":1e+300}}";
    struct value *v = parse(text);
    struct buf out = {0};
    struct value *again;

    GP_REQUIRE_EQ(value_print_json(v, &out, VALUE_PRETTY), 0);
    again = parse(buf_c(&out));
    GP_CHECK(value_equal(v, again));
    value_free(v);
    value_free(again);
    buf_deinit(&out);
}
