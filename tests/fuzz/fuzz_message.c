/*
 * Control messages: the first line says which ("app.submit", "reply app.submit"; any other text is
 * as good as a number), the rest is its JSON. What is taken is written, and taken again as the
 * same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/str.h"
#include "edge/json.h"
#include "wire/messages.h"

static const struct fields *table_of(gp_str line)
{
    size_t count;
    const struct message_type_info *types = message_types(&count);
    const gp_str reply = GP_STR("reply ");
    const bool is_reply = str_starts_with(line, reply);
    const uint64_t any = hash_bytes(line.ptr, line.len, 0);

    if (is_reply) {
        line.ptr += reply.len;
        line.len -= reply.len;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eq(line, gp_str_of(types[i].name))) {
            return is_reply ? types[i].reply : types[i].payload;
        }
    }
    return any % 2 == 0 ? types[any / 2 % count].reply : types[any / 2 % count].payload;
}

static void check_table(const struct fields *table, const struct value *tree)
{
    void *s = calloc(1, table->size + 1);
    struct buf first = {0};
    struct buf second = {0};
    struct value *again = NULL;
    struct gp_error err = {0};

    ASSERT(s != NULL);
    if (fields_decode(table, tree, s, &err) < 0) {
        ASSERT(err.code < 0 && err.text[0] != '\0');
        free(s);
        return;
    }
    ASSERT(fields_print_json(table, s, &first) == 0);
    fields_deinit(table, s);
    ASSERT(edge_json_parse(buf_str(&first), &again, &err) == 0);
    ASSERT(fields_decode(table, again, s, &err) == 0);
    ASSERT(fields_print_json(table, s, &second) == 0);
    ASSERT(str_eq(buf_str(&first), buf_str(&second)));
    fields_deinit(table, s);
    value_free(again);
    buf_deinit(&first);
    buf_deinit(&second);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct value *tree = NULL;
    const struct fields *table;
    const struct value *where;
    gp_str line;
    gp_str json;
    void *s;

    (void)str_cut((gp_str){(const char *)data, size}, '\n', &line, &json);
    table = table_of(line);
    if (edge_json_parse(json, &tree, NULL) < 0) {
        return 0;
    }
    check_table(table, tree);
    s = calloc(1, table->size + 1);
    ASSERT(s != NULL);
    if (fields_decode_strict(table, tree, s, &where, NULL) == 0) {
        fields_deinit(table, s);
    }
    free(s);
    value_free(tree);
    return 0;
}
