/*
 * Trees to structs: types, bounds and required fields checked, with the path of the first mistake.
 *
 * Happy path: decode_struct walks its table, takes each member of the tree and hands it to the
 * decoder of its kind, which writes into the struct. Every struct is zeroed before, so a failure
 * at any point leaves something that fields_deinit() can free. Depth is that of the tables, work
 * that of the tree. Failures: GP_EPROTO (GP_EINVAL for a broken default, which is ours), GP_ENOMEM.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "wire/fields.h"
#include "wire/fields_internal.h"

#define DESCRIPTION_MAX 256
#define SHOWN_MAX       64 /* bytes of a wrong value that an error repeats */
#define KNOWN_NAMES_MAX 64 /* that "did you mean" looks at */

struct decoder {
    bool strict;            /* configuration: names are known, scalars may be text */
    const struct value *at; /* the node at fault */
    struct gp_error *err;
    char path[FIELD_PATH_MAX];
    size_t path_len;
};

static int decode_struct(struct decoder *d, const struct fields *table, const struct value *tree,
                         void *s);

/* ---- the path ---- */

static size_t path_push(struct decoder *d, const char *fmt, const char *name, uint32_t index)
{
    const size_t before = d->path_len;
    const size_t room = sizeof(d->path) - before;
    int n;

    if (name != NULL) {
        n = snprintf(d->path + before, room, fmt, name);
    } else {
        n = snprintf(d->path + before, room, "[%u]", index);
    }
    d->path_len = (size_t)n < room ? before + (size_t)n : sizeof(d->path) - 1;
    return before;
}

static size_t path_push_name(struct decoder *d, const char *name)
{
    return path_push(d, d->path_len > 0 ? ".%s" : "%s", name, 0);
}

static void path_pop(struct decoder *d, size_t before)
{
    d->path_len = before;
    d->path[before] = '\0';
}

static int fail(struct decoder *d, const struct value *at, const char *text)
{
    d->at = at;
    return gp_error_set(d->err, GP_EPROTO, "%s%s%s", d->path, d->path_len > 0 ? ": " : "", text);
}

/* What stands there, short: a number or text as it is, else its kind. */
static void show(const struct field *field, const struct value *v, char *out, size_t out_size)
{
    char text[SHOWN_MAX];

    if ((field->flags & FIELD_SECRET) != 0) {
        (void)snprintf(out, out_size, "what was given");
    } else if (value_kind(v) == VALUE_I64) {
        (void)snprintf(out, out_size, "%" PRId64, value_as_i64(v));
    } else if (value_kind(v) == VALUE_DOUBLE) {
        (void)snprintf(out, out_size, "%g", value_as_double(v));
    } else if (value_kind(v) == VALUE_STR) {
        (void)str_escape(value_as_str(v), text, sizeof(text));
        (void)snprintf(out, out_size, "\"%s\"", text);
    } else {
        (void)snprintf(out, out_size, "%s", value_kind_name(value_kind(v)));
    }
}

static int fail_value(struct decoder *d, const struct field *field, const struct value *v)
{
    char wanted[DESCRIPTION_MAX];
    char given[SHOWN_MAX + 8];
    char text[DESCRIPTION_MAX + sizeof(given) + 32];

    show(field, v, given, sizeof(given));
    (void)snprintf(text, sizeof(text), "%s is wanted, not %s",
                   field_describe(field, wanted, sizeof(wanted)), given);
    return fail(d, v, text);
}

/* ---- what owns memory ---- */

static bool text_is_fine(gp_str s, uint64_t max, bool nonempty)
{
    return s.len <= (max != 0 ? max : FIELD_TEXT_MAX_DEFAULT) && (s.len > 0 || !nonempty) &&
           (s.len == 0 || memchr(s.ptr, '\0', s.len) == NULL);
}

static int decode_text(struct decoder *d, const struct field *field, const struct value *v,
                       char **ret)
{
    if (value_kind(v) != VALUE_STR ||
        !text_is_fine(value_as_str(v), field->max, (field->flags & FIELD_NONEMPTY) != 0)) {
        return fail_value(d, field, v);
    }
    *ret = str_dup(value_as_str(v));
    return *ret != NULL ? 0 : GP_ENOMEM;
}

/* Makes room for a list's items; the struct owns them from here on. */
static int make_items(struct decoder *d, const struct field *field, const struct value *v,
                      size_t count, size_t item_size, void *s)
{
    const uint64_t max = field->max != 0 ? field->max : FIELD_LIST_MAX_DEFAULT;
    void **items = field_at(field, s);

    if (count > max || (count == 0 && (field->flags & FIELD_NONEMPTY) != 0)) {
        char wanted[DESCRIPTION_MAX];
        char text[DESCRIPTION_MAX + 32];

        (void)snprintf(text, sizeof(text), "%s is wanted, not %zu",
                       field_describe(field, wanted, sizeof(wanted)), count);
        return fail(d, v, text);
    }
    if (count == 0) {
        return 0;
    }
    *items = calloc(count, item_size);
    if (*items == NULL) {
        return GP_ENOMEM;
    }
    field_set_count(field, s, (uint32_t)count);
    return 0;
}

static int decode_rows(struct decoder *d, const struct field *field, const struct value *v, void *s)
{
    gp_str text = value_as_str(v);
    int rc = make_items(d, field, v, fields_rows_count(text), field->sub->size, s);

    if (rc == 0 && text.len > 0 && *(void **)field_at(field, s) == NULL) {
        rc = GP_EPROTO; /* not one row is ended */
    } else if (rc == 0) {
        rc = fields_rows_read(field->sub, text, *(void **)field_at(field, s));
    } else {
        return rc;
    }
    return rc < 0 ? fail_value(d, field, v) : 0;
}

static int decode_list(struct decoder *d, const struct field *field, const struct value *v, void *s)
{
    const size_t count = value_count(v);
    char *items;
    int rc;

    if (value_kind(v) == VALUE_STR && (field->flags & FIELD_ROWS) != 0) {
        return decode_rows(d, field, v, s);
    }
    if (value_kind(v) != VALUE_LIST) {
        return fail_value(d, field, v);
    }
    rc = make_items(d, field, v, count, field->sub->size, s);
    items = *(char **)field_at(field, s);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        const size_t before = path_push(d, NULL, NULL, i);

        rc = decode_struct(d, field->sub, value_at(v, i), items + i * field->sub->size);
        path_pop(d, before);
    }
    return rc;
}

/* "a, b" in one text, as an environment variable has it. */
static int decode_joined(struct decoder *d, const struct field *field, const struct value *v,
                         gp_str text, void *s)
{
    size_t count = text.len > 0 ? 1 : 0;
    gp_str rest = text;
    gp_str item;
    char **texts;
    int rc;

    for (size_t i = 0; i < text.len; i++) {
        count += text.ptr[i] == ',';
    }
    rc = make_items(d, field, v, count, sizeof(char *), s);
    texts = *(char ***)field_at(field, s);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        (void)str_cut(rest, ',', &item, &rest);
        item = str_trim(item);
        if (!text_is_fine(item, field->text_max, true)) {
            return fail(d, v, "texts separated by commas are wanted");
        }
        texts[i] = str_dup(item);
        rc = texts[i] != NULL ? 0 : GP_ENOMEM;
    }
    return rc;
}

static int decode_texts(struct decoder *d, const struct field *field, const struct value *v,
                        void *s)
{
    const struct field item = {
        .kind = FIELD_KIND_TEXT, .flags = field->flags | FIELD_NONEMPTY, .max = field->text_max};
    const size_t count = value_count(v);
    char **texts;
    int rc;

    if (d->strict && value_kind(v) == VALUE_STR) {
        return decode_joined(d, field, v, value_as_str(v), s);
    }
    if (value_kind(v) != VALUE_LIST) {
        return fail_value(d, field, v);
    }
    rc = make_items(d, field, v, count, sizeof(char *), s);
    texts = *(char ***)field_at(field, s);
    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        const size_t before = path_push(d, NULL, NULL, i);

        rc = decode_text(d, &item, value_at(v, i), &texts[i]);
        path_pop(d, before);
    }
    return rc;
}

static int decode_present(struct decoder *d, const struct field *field, const struct value *v,
                          void *s)
{
    void *at = field_at(field, s);

    switch (field->kind) {
    case FIELD_KIND_TEXT:
        return decode_text(d, field, v, at);
    case FIELD_KIND_TREE:
        *(struct value **)at = value_dup(v);
        return *(struct value **)at != NULL ? 0 : GP_ENOMEM;
    case FIELD_KIND_OBJECT:
        return decode_struct(d, field->sub, v, at);
    case FIELD_KIND_LIST:
        return decode_list(d, field, v, s);
    case FIELD_KIND_TEXTS:
        return decode_texts(d, field, v, s);
    default:
        return field_decode_scalar(field, v, d->strict, at) ? 0 : fail_value(d, field, v);
    }
}

/* ---- defaults ---- */

/* A default is text, read as configuration would be; a bad one is a mistake in the table. */
static int decode_default(const struct field *field, void *s)
{
    struct decoder d = {.strict = true};
    struct value *text;
    int rc;

    if (field->otherwise == NULL && field->kind != FIELD_KIND_TEXT) {
        return 0;
    }
    text = value_new_str(gp_str_of(field->otherwise));
    if (text == NULL) {
        return GP_ENOMEM;
    }
    if (field->kind == FIELD_KIND_TEXT) {
        char **at = field_at(field, s);

        *at = str_dup(value_as_str(text));
        rc = *at != NULL ? 0 : GP_ENOMEM;
    } else {
        rc = decode_present(&d, field, text, s);
        ASSERT(rc != GP_EPROTO);
    }
    value_free(text);
    return rc;
}

static int decode_missing(struct decoder *d, const struct field *field, const struct value *parent,
                          void *s)
{
    if (field->kind == FIELD_KIND_OBJECT) {
        return decode_struct(d, field->sub, NULL, field_at(field, s));
    }
    if ((field->flags & FIELD_REQUIRED) != 0) {
        return fail(d, parent, "missing");
    }
    return decode_default(field, s);
}

/* ---- structs ---- */

static const struct field *find(const struct fields *table, gp_str name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (str_eq(gp_str_of(table->items[i].name), name)) {
            return &table->items[i];
        }
    }
    return NULL;
}

static int fail_unknown(struct decoder *d, const struct fields *table, const struct value *v,
                        gp_str name)
{
    gp_str known[KNOWN_NAMES_MAX];
    char shown[SHOWN_MAX];
    char text[SHOWN_MAX + 32];
    const gp_str *closest;
    size_t count = 0;
    int rc;

    for (; count < table->count && count < KNOWN_NAMES_MAX; count++) {
        known[count] = gp_str_of(table->items[count].name);
    }
    (void)str_escape(name, shown, sizeof(shown));
    (void)snprintf(text, sizeof(text), "unknown name \"%s\"", shown);
    rc = fail(d, v, text);
    closest = str_closest(name, known, count);
    if (closest != NULL) {
        gp_error_hint(d->err, "did you mean %.*s?", STR_ARG(*closest));
    }
    return rc;
}

static int refuse_unknown(struct decoder *d, const struct fields *table, const struct value *tree)
{
    for (size_t i = 0; i < value_count(tree); i++) {
        if (find(table, value_name_at(tree, i)) == NULL) {
            return fail_unknown(d, table, value_at(tree, i), value_name_at(tree, i));
        }
    }
    return 0;
}

/* tree NULL stands for {}. */
static int decode_struct(struct decoder *d, const struct fields *table, const struct value *tree,
                         void *s)
{
    char text[64];
    int rc = 0;

    memset(s, 0, table->size);
    if (tree != NULL && value_kind(tree) != VALUE_OBJECT) {
        (void)snprintf(text, sizeof(text), "an object is wanted, not %s",
                       value_kind_name(value_kind(tree)));
        return fail(d, tree, text);
    }
    if (d->strict && tree != NULL) {
        rc = refuse_unknown(d, table, tree);
    }
    for (size_t i = 0; rc == 0 && i < table->count; i++) {
        const struct field *field = &table->items[i];
        const struct value *v = value_get(tree, gp_str_of(field->name));
        const size_t before = path_push_name(d, field->name);

        if (v != NULL && value_kind(v) != VALUE_NULL) {
            rc = decode_present(d, field, v, s);
        } else {
            rc = decode_missing(d, field, tree, s);
        }
        path_pop(d, before);
    }
    return rc;
}

static int decode(struct decoder *d, const struct fields *table, const struct value *tree,
                  void *ret)
{
    const int rc = decode_struct(d, table, tree, ret);

    if (rc < 0) {
        fields_deinit(table, ret);
    }
    if (rc == GP_ENOMEM) {
        (void)gp_error_set(d->err, rc, "out of memory");
    }
    return rc;
}

int fields_decode(const struct fields *table, const struct value *tree, void *ret,
                  struct gp_error *err)
{
    struct decoder d = {.err = err};

    return decode(&d, table, tree, ret);
}

int fields_decode_strict(const struct fields *table, const struct value *tree, void *ret,
                         const struct value **ret_where, struct gp_error *err)
{
    struct decoder d = {.strict = true, .err = err};
    const int rc = decode(&d, table, tree, ret);

    if (ret_where != NULL) {
        *ret_where = d.at;
    }
    return rc;
}
