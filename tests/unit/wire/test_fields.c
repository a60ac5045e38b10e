/* Structs described as data: decoding with the path of what is wrong, encoding, defaults. */
#include "edge/json.h"
#include "gp_test.h"
#include "wire/fields.h"

struct item {
    uint32_t id;
    char *name;
};

struct inner {
    bool on;
    uint32_t level;
};

struct thing {
    bool flag;
    uint32_t count;
    uint64_t big;
    int64_t sign;
    double real;
    char *text;
    uint32_t color;
    int64_t wait_ns;
    uint64_t size_bytes;
    struct value *tree;
    struct inner inner;
    struct item *items;
    uint32_t items_count;
    char **words;
    uint32_t words_count;
};

static const char *const colors[] = {"red", "green", "blue", NULL};

static const struct field item_items[] = {
    FIELD_COUNT(struct item, id, FIELD_REQUIRED, 100, "which"),
    FIELD_TEXT(struct item, name, FIELD_OPTIONAL, 8, "its name"),
};
static const struct fields item_fields = FIELDS("item", struct item, item_items);

static const struct field inner_items[] = {
    FIELD_BOOL(struct inner, on, FIELD_OPTIONAL, "whether"),
    {.name = "level",
     .kind = FIELD_KIND_U32,
     .offset = offsetof(struct inner, level),
     .min = 1,
     .max = 5,
     .otherwise = "3",
     .doc = "how much"},
};
static const struct fields inner_fields = FIELDS("inner", struct inner, inner_items);

static const struct field thing_items[] = {
    FIELD_BOOL(struct thing, flag, FIELD_OPTIONAL, ""),
    FIELD_COUNT(struct thing, count, FIELD_REQUIRED, 0, ""),
    FIELD_U64(struct thing, big, FIELD_OPTIONAL, ""),
    FIELD_I64(struct thing, sign, FIELD_OPTIONAL, ""),
    FIELD_DOUBLE(struct thing, real, FIELD_OPTIONAL, ""),
    FIELD_TEXT(struct thing, text, FIELD_OPTIONAL, 10, ""),
    FIELD_ENUM(struct thing, color, FIELD_OPTIONAL, colors, ""),
    {.name = "wait",
     .kind = FIELD_KIND_DURATION,
     .offset = offsetof(struct thing, wait_ns),
     .min = 1000000,
     .max = UINT64_C(60000000000),
     .otherwise = "1500ms",
     .doc = ""},
    {.name = "size",
     .kind = FIELD_KIND_SIZE,
     .offset = offsetof(struct thing, size_bytes),
     .max = 1 << 30,
     .doc = ""},
    FIELD_TREE(struct thing, tree, FIELD_OPTIONAL, ""),
    FIELD_OBJECT(struct thing, inner, &inner_fields, ""),
    FIELD_LIST(struct thing, items, FIELD_OPTIONAL, 3, &item_fields, ""),
    FIELD_TEXTS(struct thing, words, FIELD_OPTIONAL, 3, 5, ""),
};
static const struct fields thing_fields = FIELDS("thing", struct thing, thing_items);

static struct value *parse(const char *json)
{
    struct value *tree = NULL;
    struct gp_error err = {0};

    if (edge_json_parse(gp_str_of(json), &tree, &err) < 0) {
        GP_TEST_FAIL("%s: %s", json, err.text);
    }
    return tree;
}

static int decode(const char *json, struct thing *ret, struct gp_error *err)
{
    struct value *tree = parse(json);
    const int rc = fields_decode(&thing_fields, tree, ret, err);

    value_free(tree);
    return rc;
}

GP_TEST(fields, decodes_every_kind)
{
    struct thing t;

    GP_REQUIRE_EQ(decode("{\"flag\":true,\"count\":4294967295,\"big\":\"18446744073709551615\","
                         "\"sign\":-5,\"real\":0.5,\"text\":\"abc\",\"color\":\"blue\","
                         "\"wait\":\"2s\",\"size\":\"4KiB\",\"tree\":{\"any\":[1]},"
                         "\"inner\":{\"on\":true,\"level\":5},"
                         "\"items\":[{\"id\":1,\"name\":\"one\"},{\"id\":2}],"
                         "\"words\":[\"a\",\"b\"],\"unknown\":{}}",
                         &t, NULL),
                  0);
    GP_CHECK(t.flag);
    GP_CHECK_EQ(t.count, UINT32_MAX);
    GP_CHECK_EQ(t.big, UINT64_MAX);
    GP_CHECK_EQ(t.sign, -5);
    GP_CHECK(t.real > 0.49 && t.real < 0.51);
    GP_CHECK_STR_EQ(t.text, "abc");
    GP_CHECK_EQ(t.color, 2);
    GP_CHECK_EQ(t.wait_ns, INT64_C(2000000000));
    GP_CHECK_EQ(t.size_bytes, 4096);
    GP_CHECK_EQ(value_count(value_get(t.tree, GP_STR("any"))), 1);
    GP_CHECK(t.inner.on);
    GP_CHECK_EQ(t.inner.level, 5);
    GP_REQUIRE_EQ(t.items_count, 2);
    GP_CHECK_STR_EQ(t.items[0].name, "one");
    GP_CHECK_STR_EQ(t.items[1].name, ""); /* never NULL */
    GP_REQUIRE_EQ(t.words_count, 2);
    GP_CHECK_STR_EQ(t.words[1], "b");
    fields_deinit(&thing_fields, &t);
    GP_CHECK(t.items == NULL && t.text == NULL && t.tree == NULL);
}

GP_TEST(fields, fills_in_defaults)
{
    struct thing t;

    GP_REQUIRE_EQ(decode("{\"count\":1,\"text\":null}", &t, NULL), 0);
    GP_CHECK(!t.flag);
    GP_CHECK_STR_EQ(t.text, "");
    GP_CHECK_EQ(t.wait_ns, INT64_C(1500000000));
    GP_CHECK_EQ(t.inner.level, 3); /* of an object that is not there */
    GP_CHECK(t.items == NULL);
    fields_deinit(&thing_fields, &t);
}

/* What an error says is what a person sees: pinned. */
GP_TEST(fields, says_where_and_what)
{
    static const struct {
        const char *json;
        const char *text;
    } cases[] = {
        {"[]", "an object is wanted, not a list"},
        {"{}", "count: missing"},
        {"{\"count\":-1}", "count: a whole number is wanted, not -1"},
        {"{\"count\":4294967296}", "count: a whole number is wanted, not 4294967296"},
        {"{\"count\":1.5}", "count: a whole number is wanted, not 1.5"},
        {"{\"count\":\"1\"}", "count: a whole number is wanted, not \"1\""},
        {"{\"count\":1,\"flag\":1}", "flag: true or false is wanted, not 1"},
        {"{\"count\":1,\"big\":-1}", "big: a whole number is wanted, not -1"},
        {"{\"count\":1,\"big\":\"1x\"}", "big: a whole number is wanted, not \"1x\""},
        {"{\"count\":1,\"text\":\"0123456789a\"}",
         "text: text of at most 10 bytes is wanted, not \"0123456789a\""},
        {"{\"count\":1,\"color\":\"pink\"}",
         "color: one of red, green, blue is wanted, not \"pink\""},
        {"{\"count\":1,\"wait\":5}", "wait: a duration such as 3s from 1ms to 1m is wanted, not 5"},
        {"{\"count\":1,\"wait\":\"2m\"}",
         "wait: a duration such as 3s from 1ms to 1m is wanted, not \"2m\""},
        {"{\"count\":1,\"size\":\"2GiB\"}",
         "size: a size such as 16MiB from 0B to 1GiB is wanted, not \"2GiB\""},
        {"{\"count\":1,\"inner\":5}", "inner: an object is wanted, not an integer"},
        {"{\"count\":1,\"inner\":{\"level\":6}}",
         "inner.level: a whole number from 1 to 5 is wanted, not 6"},
        {"{\"count\":1,\"items\":{}}",
         "items: a list of at most 3 objects is wanted, not an object"},
        {"{\"count\":1,\"items\":[{\"id\":1},{\"id\":2},{}]}", "items[2].id: missing"},
        {"{\"count\":1,\"items\":[{\"id\":1},{\"id\":101}]}",
         "items[1].id: a whole number from 0 to 100 is wanted, not 101"},
        {"{\"count\":1,\"items\":[{},{},{},{}]}",
         "items: a list of at most 3 objects is wanted, not 4"},
        {"{\"count\":1,\"words\":[\"a\",7]}", "words[1]: text of 1 to 5 bytes is wanted, not 7"},
        {"{\"count\":1,\"words\":[\"\"]}", "words[0]: text of 1 to 5 bytes is wanted, not \"\""},
    };
    struct gp_error err;
    struct thing t;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        GP_CHECK_EQ(decode(cases[i].json, &t, &err), GP_EPROTO);
        GP_CHECK_STR_EQ(err.text, cases[i].text);
        GP_CHECK(t.items == NULL && t.text == NULL && t.count == 0); /* zeroed */
    }
}

GP_TEST(fields, reads_back_what_it_wrote)
{
    static const char json[] =
        "{\"flag\":true,\"count\":7,\"big\":\"9007199254740993\",\"sign\":\"-9007199254740993\","
        "\"real\":1.25,\"text\":\"x\",\"color\":\"green\",\"wait\":\"1500ms\",\"size\":\"3KiB\","
        "\"tree\":[1,null],\"inner\":{\"on\":false,\"level\":2},\"items\":[{\"id\":3,\"name\":\"\"}"
        "],"
        "\"words\":[\"a\"]}";
    struct thing t = {.flag = true,
                      .count = 7,
                      .big = UINT64_C(9007199254740993),
                      .sign = INT64_C(-9007199254740993),
                      .real = 1.25,
                      .text = (char *)"x",
                      .color = 1,
                      .wait_ns = INT64_C(1500000000),
                      .size_bytes = 3072,
                      .inner = {.level = 2}};
    struct item item = {.id = 3};
    char *word = (char *)"a";
    struct buf out = {0};
    struct thing back;

    t.tree = parse("[1,null]");
    t.items = &item;
    t.items_count = 1;
    t.words = &word;
    t.words_count = 1;
    GP_REQUIRE_EQ(fields_print_json(&thing_fields, &t, &out), 0);
    GP_CHECK_STR_EQ(buf_c(&out), json);
    GP_REQUIRE_EQ(decode(buf_c(&out), &back, NULL), 0);
    GP_CHECK_EQ(back.big, t.big);
    GP_CHECK_EQ(back.sign, t.sign); /* beyond 2^53 it travels as text */
    GP_CHECK_EQ(back.wait_ns, t.wait_ns);
    GP_CHECK_EQ(back.size_bytes, t.size_bytes);
    GP_CHECK(value_equal(back.tree, t.tree));
    fields_deinit(&thing_fields, &back);
    buf_deinit(&out);
    value_free(t.tree);
}

GP_TEST(fields, encodes_a_zeroed_struct)
{
    struct thing t;
    struct buf out = {0};

    memset(&t, 0, sizeof(t));
    GP_REQUIRE_EQ(fields_print_json(&thing_fields, &t, &out), 0);
    GP_CHECK_STR_EQ(
        buf_c(&out),
        "{\"flag\":false,\"count\":0,\"big\":\"0\",\"sign\":0,\"real\":0.0,\"text\":\"\","
        "\"color\":\"red\",\"wait\":\"0ns\",\"size\":\"0B\",\"tree\":null,"
        "\"inner\":{\"on\":false,\"level\":0},\"items\":[],\"words\":[]}");
    buf_deinit(&out);
}

GP_TEST(fields, respects_the_limit_of_its_output)
{
    struct thing t;
    struct buf out;

    memset(&t, 0, sizeof(t));
    buf_init(&out, 40);
    GP_REQUIRE_EQ(buf_append_c(&out, "before"), 0);
    GP_CHECK_EQ(fields_print_json(&thing_fields, &t, &out), GP_ETOOBIG);
    GP_CHECK_STR_EQ(buf_c(&out), "before");
    buf_deinit(&out);
}

/* ---- configuration ---- */

static int decode_strict(const char *json, struct thing *ret, uint32_t *ret_column,
                         struct gp_error *err)
{
    struct value *tree = parse(json);
    const struct value *where = NULL;
    int rc;

    if (value_get(tree, GP_STR("colour")) != NULL) {
        value_set_position(value_get(tree, GP_STR("colour")), 1, 42);
    }
    rc = fields_decode_strict(&thing_fields, tree, ret, &where, err);
    *ret_column = where != NULL ? value_column(where) : 0;
    value_free(tree);
    return rc;
}

GP_TEST(fields, knows_every_name_of_a_configuration)
{
    struct gp_error err = {0};
    struct thing t;
    uint32_t column;

    GP_CHECK_EQ(decode_strict("{\"count\":1,\"colour\":\"red\"}", &t, &column, &err), GP_EPROTO);
    GP_CHECK_STR_EQ(err.text, "unknown name \"colour\"");
    GP_CHECK_STR_EQ(err.hint, "did you mean color?");
    GP_CHECK_EQ(column, 42);
    GP_CHECK_EQ(decode_strict("{\"count\":1,\"inner\":{\"levle\":2}}", &t, &column, &err),
                GP_EPROTO);
    GP_CHECK_STR_EQ(err.text, "inner: unknown name \"levle\"");
    GP_CHECK_STR_EQ(err.hint, "did you mean level?");
}

/* An environment variable is text, whatever it sets. */
GP_TEST(fields, reads_a_configuration_from_text)
{
    struct thing t;
    uint32_t column;

    GP_REQUIRE_EQ(decode_strict("{\"count\":\"7\",\"flag\":\"yes\",\"real\":\"1e3\","
                                "\"words\":\"a, b,c\"}",
                                &t, &column, NULL),
                  0);
    GP_CHECK_EQ(t.count, 7);
    GP_CHECK(t.flag);
    GP_CHECK(t.real > 999 && t.real < 1001);
    GP_REQUIRE_EQ(t.words_count, 3);
    GP_CHECK_STR_EQ(t.words[1], "b");
    fields_deinit(&thing_fields, &t);
    GP_CHECK_EQ(decode_strict("{\"count\":1,\"words\":\"a,,c\"}", &t, &column, NULL), GP_EPROTO);
    GP_CHECK_EQ(decode_strict("{\"count\":1,\"words\":\"a,b,c,d\"}", &t, &column, NULL), GP_EPROTO);
}

GP_TEST(fields, keeps_secrets_out_of_errors)
{
    struct secret {
        char *token;
    };
    static const struct field items[] = {
        FIELD_TEXT(struct secret, token, FIELD_REQUIRED | FIELD_SECRET, 4, "")};
    static const struct fields table = FIELDS("secret", struct secret, items);
    struct value *tree = parse("{\"token\":\"hunter22\"}");
    struct gp_error err = {0};
    struct secret s;

    GP_CHECK_EQ(fields_decode(&table, tree, &s, &err), GP_EPROTO);
    GP_CHECK(strstr(err.text, "hunter22") == NULL);
    value_free(tree);
}

/* The deepest path is cut, not overrun. */
GP_TEST(fields, bounds_the_path)
{
    static const char name[] = "a_name_of_some_length_a_name_of_some_length_a_name_of_some_length_"
                               "a_name_of_some_length_a_name_of_some_length_a_name_of_some_length_"
                               "a_name_of_some_length_a_name_of_some_length_a_name_of_some_length_"
                               "a_name_of_some_length_a_name_of_some_length_a_name_of_some_length_"
                               "a_name_of_some_length_a_name_of_some_length_a_name_of_some_length";
    struct one {
        uint32_t n;
    };
    const struct field items[] = {
        {.name = name, .kind = FIELD_KIND_U32, .flags = FIELD_REQUIRED, .doc = ""}};
    const struct fields table = FIELDS("one", struct one, items);
    struct gp_error err = {0};
    struct one s;

    GP_CHECK_EQ(fields_decode(&table, NULL, &s, &err), GP_EPROTO);
    GP_CHECK(strlen(err.text) < FIELD_PATH_MAX + 16);
    GP_CHECK(strstr(err.text, ": missing") != NULL);
}
