/* The catalogue of messages: what must hold of every table. */
#include <stdlib.h>

#include "edge/json.h"
#include "gp_test.h"
#include "wire/messages.h"

GP_TEST(messages, have_numbers_that_rise_and_names_that_differ)
{
    size_t count;
    const struct message_type_info *types = message_types(&count);

    GP_CHECK(count > 40);
    for (size_t i = 0; i < count; i++) {
        GP_CHECK(i == 0 || types[i - 1].type < types[i].type);
        GP_CHECK(message_type_find(types[i].type) == &types[i]);
        GP_CHECK(types[i].payload != NULL && types[i].reply != NULL);
        GP_CHECK((types[i].pattern == MESSAGE_FRAME) == (types[i].type < MSG_CONTROL));
        GP_CHECK((types[i].pattern == MESSAGE_ASK) == (types[i].reply != &none_fields));
        GP_CHECK(types[i].from != 0 && (types[i].from & ~ROLE_ANY) == 0);
        for (size_t j = 0; j < i; j++) {
            GP_CHECK(strcmp(types[i].name, types[j].name) != 0);
        }
    }
    GP_CHECK(message_type_find(0) == NULL);
    GP_CHECK(message_type_find(65535) == NULL);
    GP_CHECK_STR_EQ(message_type_name(MSG_APP_SUBMIT), "app.submit");
    GP_CHECK_STR_EQ(message_type_name(12345), "unknown");
}

/* Every table once, with those inside it. */
static void each_table(const struct fields *table, void (*check)(const struct fields *table))
{
    check(table);
    for (size_t i = 0; i < table->count; i++) {
        if (table->items[i].sub != NULL) {
            each_table(table->items[i].sub, check);
        }
    }
}

static void each(void (*check)(const struct fields *table))
{
    size_t count;
    const struct message_type_info *types = message_types(&count);

    for (size_t i = 0; i < count; i++) {
        each_table(types[i].payload, check);
        each_table(types[i].reply, check);
    }
}

static size_t size_of(const struct field *field)
{
    switch (field->kind) {
    case FIELD_KIND_BOOL:
        return sizeof(bool);
    case FIELD_KIND_U32:
    case FIELD_KIND_ENUM:
        return sizeof(uint32_t);
    case FIELD_KIND_OBJECT:
        return field->sub->size;
    default:
        return 8;
    }
}

static void check_table(const struct fields *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *f = &table->items[i];

        GP_CHECK(f->offset + size_of(f) <= table->size);
        GP_CHECK(f->doc != NULL && f->doc[0] != '\0');
        GP_CHECK((f->kind == FIELD_KIND_OBJECT || f->kind == FIELD_KIND_LIST) == (f->sub != NULL));
        GP_CHECK((f->kind == FIELD_KIND_ENUM) == (f->names != NULL));
        if (f->kind == FIELD_KIND_LIST || f->kind == FIELD_KIND_TEXTS) {
            GP_CHECK(f->count_offset + sizeof(uint32_t) <= table->size);
            GP_CHECK(f->max > 0);
        }
        if (f->kind == FIELD_KIND_TEXT) {
            GP_CHECK(f->max > 0); /* no text without a bound of its own */
        }
        for (size_t j = 0; j < i; j++) {
            GP_CHECK(strcmp(f->name, table->items[j].name) != 0);
            GP_CHECK(f->offset != table->items[j].offset);
        }
    }
}

GP_TEST(messages, have_tables_that_fit_their_structs)
{
    each(check_table);
}

/* A zeroed struct is a message; what it prints is JSON; reading that fails only for want of
 * content. */
static void check_round_trip(const struct fields *table)
{
    void *from = calloc(1, table->size + 1);
    void *back = calloc(1, table->size + 1);
    struct value *tree = NULL;
    struct buf out = {0};
    struct gp_error err = {0};
    int rc;

    GP_REQUIRE(from != NULL && back != NULL);
    GP_REQUIRE_EQ(fields_print_json(table, from, &out), 0);
    GP_REQUIRE_EQ(edge_json_parse(buf_str(&out), &tree, NULL), 0);
    rc = fields_decode(table, tree, back, &err);
    if (rc < 0 && strstr(err.text, "of 1 to") == NULL && strstr(err.text, "missing") == NULL) {
        GP_TEST_FAIL("%s: %s", table->name, err.text);
    }
    fields_deinit(table, from);
    fields_deinit(table, back);
    value_free(tree);
    buf_deinit(&out);
    free(from);
    free(back);
}

GP_TEST(messages, go_there_and_back)
{
    each(check_round_trip);
}

/* Nothing may be required that a newer peer would have to invent, and names stand for one thing. */
static const struct fields *seen[256];
static size_t seen_count;

static void check_name(const struct fields *table)
{
    for (size_t i = 0; i < seen_count; i++) {
        if (seen[i] == table) {
            return;
        }
        if (strcmp(seen[i]->name, table->name) == 0) {
            GP_TEST_FAIL("two tables are called %s", table->name);
        }
    }
    GP_REQUIRE(seen_count < 256);
    seen[seen_count++] = table;
}

GP_TEST(messages, have_one_name_for_one_table)
{
    seen_count = 0;
    each(check_name);
}
