#include "base/str.h"
#include "edge/yaml.h"
#include "gp_test.h"

static struct value *parse(const char *text)
{
    struct value *v = NULL;
    struct gp_error err = {0};

    if (edge_yaml_parse(gp_str_of(text), &v, &err) < 0) {
        GP_TEST_FAIL("%s: %s", text, err.text);
        abort();
    }
    return v;
}

static const struct value *get(const struct value *v, const char *name)
{
    return value_get(v, gp_str_of(name));
}

static void check_place(const struct value *v, uint32_t line, uint32_t column)
{
    GP_CHECK_EQ(value_line(v), line);
    GP_CHECK_EQ(value_column(v), column);
}

GP_TEST(yaml, a_configuration_becomes_a_tree_with_places)
{
    struct value *v = parse("# comment\n"
                            "cluster:\n"
                            "  masters: [a:1, 'b:2']\n"
                            "  port: 3000\n"
                            "list:\n"
                            "  - x\n"
                            "  - y: 1\n"
                            "    z: 2\n");
    const struct value *cluster = get(v, "cluster");
    const struct value *list = get(v, "list");

    check_place(v, 2, 1);
    check_place(cluster, 2, 1);
    check_place(get(cluster, "port"), 4, 3); /* a member stands where its key stands */
    GP_CHECK_EQ(value_as_i64(get(cluster, "port")), 3000);
    GP_CHECK(str_eq(value_as_str(value_at(get(cluster, "masters"), 1)), GP_STR("b:2")));
    check_place(value_at(get(cluster, "masters"), 1), 3, 18);
    check_place(value_at(list, 0), 6, 5);
    check_place(value_at(list, 1), 7, 5);
    GP_CHECK_EQ(value_as_i64(get(value_at(list, 1), "z")), 2);
    value_free(v);
}

GP_TEST(yaml, plain_words_have_types_and_quoted_ones_are_text)
{
    static const struct {
        const char *text;
        enum value_kind kind;
    } cases[] = {
        {"", VALUE_NULL},
        {"# nothing", VALUE_NULL},
        {"~", VALUE_NULL},
        {"null", VALUE_NULL},
        {"true", VALUE_BOOL},
        {"False", VALUE_BOOL},
        {"0", VALUE_I64},
        {"-17", VALUE_I64},
        {"9223372036854775807", VALUE_I64},
        {"2.5", VALUE_DOUBLE},
        {"-1e3", VALUE_DOUBLE},
        {"1.0", VALUE_DOUBLE},
        {"yes", VALUE_STR},
        {"0600", VALUE_STR},
        {"0x10", VALUE_STR},
        {"64MiB", VALUE_STR},
        {"500ms", VALUE_STR},
        {"127.0.0.1", VALUE_STR},
        {"127.0.0.1:3000", VALUE_STR},
        {"-", VALUE_LIST},
        {"1_000", VALUE_STR},
        {".inf", VALUE_STR},
        {"e", VALUE_STR},
        {".", VALUE_STR},
        {"'true'", VALUE_STR},
        {"\"1\"", VALUE_STR},
        {"|\n  1\n", VALUE_STR},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct value *v = parse(cases[i].text);

        if (value_kind(v) != cases[i].kind) {
            GP_TEST_FAIL("'%s' is %s", cases[i].text, value_kind_name(value_kind(v)));
        }
        value_free(v);
    }
}

static void check_refused(gp_str text, int code, const char *why)
{
    struct value *v = NULL;
    struct gp_error err = {0};

    GP_CHECK_EQ(edge_yaml_parse(text, &v, &err), code);
    GP_CHECK(v == NULL);
    if (strstr(err.text, why) == NULL) {
        GP_TEST_FAIL("'%.*s': '%s' does not say '%s'", STR_ARG(text), err.text, why);
    }
}

GP_TEST(yaml, what_we_do_not_take_is_refused_with_its_place)
{
    static const struct {
        const char *text;
        const char *why;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n", "3:1: the key 'a' stood already at 1:1"},
        {"x:\n  k: {p: 1, q: 2, p: 3}", "2:19: the key 'p' stood already at 2:7"},
        {"a: &x 1\n", "1:4: anchors"},
        {"a: *x\n", "1:4: aliases"},
        {"a: !!str 1\n", "1:4: tags"},
        {"a: &x [1]\n", "anchors"},
        {"a: !t {}\n", "tags"},
        {"? [1]\n: 2\n", "1:3: a key must be text"},
        {"? {a: b}\n: 2\n", "a key must be text"},
        {"a\n---\nb\n", "2:1: a second document"},
        {"a: [1\n", "2:1: "},
        {"a: b: c\n", "1:5: mapping values"},
        {"\ta: 1\n", "1:1: "},
        {"a: 'x\n", "2:1: "},
        {"a: 99999999999999999999\n", "1:4: number out of range"},
        {"a: \"x\\0y\"\n", "1:4: \\0"},
        {"a: %\n", "1:4: "},
        {"ok: 1\nbad: \xff\n", "2:6: "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        check_refused(gp_str_of(cases[i].text), GP_EPROTO, cases[i].why);
    }
}

GP_TEST(yaml, depth_and_size_are_bounded)
{
    static char text[2 << 20];
    size_t len = 0;

    memset(text, '[', VALUE_DEPTH_MAX);
    memset(text + VALUE_DEPTH_MAX, ']', VALUE_DEPTH_MAX);
    text[2 * VALUE_DEPTH_MAX] = '\0';
    value_free(parse(text));
    memset(text, '[', sizeof(text) / 4);
    check_refused((gp_str){text, sizeof(text) / 4}, GP_ETOOBIG, "1:65: nested too deep");
    check_refused((gp_str){text, sizeof(text)}, GP_ETOOBIG, "more than 1048576 bytes");
    for (int i = 0; i < 70000; i++) {
        memcpy(text + len, "- 1\n", 4);
        len += 4;
    }
    check_refused((gp_str){text, len}, GP_ETOOBIG, "too many values");
}
