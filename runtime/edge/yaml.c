/*
 * yaml.c: YAML text to a tree of values, from libyaml's events.
 *
 *     event ──▶ scalar: a node ──────────────┐
 *           ──▶ start of list or map: push   ├─▶ put it into the open node on top of the stack,
 *           ──▶ end: pop, a complete node ───┘   as item or under the key that waits there
 *
 * Invariants: open nodes stand on a stack of VALUE_DEPTH_MAX, nothing recurses; a node is owned by
 * the stack until it is complete, by its parent after. Failures: libyaml's own errors and what we
 * refuse, both with line and column; bounds; no memory.
 */
#include "edge/yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/str.h"
#include "edge/limits.h"
#include "edge/source.h"

/* A list or map that is not complete yet. */
struct open_node {
    struct value *node;
    char *key; /* of a map: waits for its value */
    size_t key_len;
    yaml_mark_t key_at;
};

struct builder {
    yaml_parser_t parser;
    struct open_node stack[VALUE_DEPTH_MAX];
    size_t depth;
    uint32_t values;
    struct value *root; /* complete */
    bool is_over;
    struct gp_error *err;
};

static int refuse(const struct builder *b, yaml_mark_t at, int code, const char *what)
{
    return gp_error_set(b->err, code, "%zu:%zu: %s", at.line + 1, at.column + 1, what);
}

static int no_memory(const struct builder *b)
{
    return gp_error_set(b->err, GP_ENOMEM, "out of memory");
}

static void set_place(struct value *v, yaml_mark_t at)
{
    value_set_position(v, (uint32_t)at.line + 1, (uint32_t)at.column + 1);
}

/* ---- what a plain word means ---- */

static bool is_one_of(gp_str s, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (str_eq(s, gp_str_of(*words))) {
            return true;
        }
    }
    return false;
}

/* Digits, but not the 0600 that some read as octal and some do not. */
static bool is_integer(gp_str s)
{
    size_t i = s.len > 1 && s.ptr[0] == '-' ? 1 : 0;

    if (s.len == i || (s.ptr[i] == '0' && s.len > i + 1)) {
        return false;
    }
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9') {
        i++;
    }
    return i == s.len;
}

static bool looks_real(gp_str s)
{
    return memchr(s.ptr, '.', s.len) != NULL || memchr(s.ptr, 'e', s.len) != NULL ||
           memchr(s.ptr, 'E', s.len) != NULL;
}

static int plain_value(const struct builder *b, gp_str s, yaml_mark_t at, struct value **ret)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    int64_t i64;
    double real;

    if (is_one_of(s, nulls)) {
        *ret = value_new_null();
    } else if (is_one_of(s, trues)) {
        *ret = value_new_bool(true);
    } else if (is_one_of(s, falses)) {
        *ret = value_new_bool(false);
    } else if (is_integer(s)) {
        if (str_to_i64(s, &i64) < 0) {
            return refuse(b, at, GP_EPROTO, "number out of range; quote it if it is text");
        }
        *ret = value_new_i64(i64);
    } else if (looks_real(s) && str_to_double(s, &real) == 0) {
        *ret = value_new_double(real);
    } else {
        *ret = value_new_str(s);
    }
    return 0;
}

/* ---- putting nodes together ---- */

static int put_member_take(struct builder *b, struct open_node *top, struct value *v)
{
    gp_str key = {.ptr = top->key, .len = top->key_len};
    const struct value *first = value_get(top->node, key);
    int rc;

    set_place(v, top->key_at);
    if (first != NULL) {
        char what[256];
        char shown[128];

        (void)str_escape(key, shown, sizeof(shown));
        (void)str_format(what, sizeof(what), "the key '%s' stood already at %u:%u", shown,
                         value_line(first), value_column(first));
        value_free(v);
        return refuse(b, top->key_at, GP_EPROTO, what);
    }
    rc = value_add_take(top->node, key, v);
    free(top->key);
    top->key = NULL;
    return rc;
}

/* A complete node finds its place. */
static int put_take(struct builder *b, struct value *v, yaml_mark_t at)
{
    struct open_node *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;
    int rc = 0;

    if (v == NULL) {
        return no_memory(b);
    }
    if (top == NULL) {
        b->root = v;
    } else if (value_kind(top->node) == VALUE_LIST) {
        rc = value_append_take(top->node, v);
    } else {
        rc = put_member_take(b, top, v);
    }
    if (rc == GP_ENOMEM) {
        return no_memory(b);
    }
    return rc == GP_ETOOBIG ? refuse(b, at, rc, "too many values in one place") : rc;
}

/* Whether the next node is a key. */
static bool wants_key(const struct builder *b)
{
    const struct open_node *top = b->depth > 0 ? &b->stack[b->depth - 1] : NULL;

    return top != NULL && value_kind(top->node) == VALUE_OBJECT && top->key == NULL;
}

static int take_key(struct builder *b, const yaml_event_t *event)
{
    struct open_node *top = &b->stack[b->depth - 1];

    top->key = str_dup(
        (gp_str){.ptr = (const char *)event->data.scalar.value, .len = event->data.scalar.length});
    top->key_len = event->data.scalar.length;
    top->key_at = event->start_mark;
    return top->key != NULL ? 0 : no_memory(b);
}

static int on_scalar(struct builder *b, const yaml_event_t *event)
{
    gp_str s = {.ptr = (const char *)event->data.scalar.value, .len = event->data.scalar.length};
    struct value *v = NULL;
    int rc = 0;

    if (memchr(s.ptr, '\0', s.len) != NULL) {
        return refuse(b, event->start_mark, GP_EPROTO, "\\0 is not allowed in text");
    }
    if (wants_key(b)) {
        return take_key(b, event);
    }
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        rc = plain_value(b, s, event->start_mark, &v);
    } else {
        v = value_new_str(s);
    }
    if (rc < 0) {
        return rc;
    }
    if (v != NULL) {
        set_place(v, event->start_mark);
    }
    return put_take(b, v, event->start_mark);
}

static int on_open(struct builder *b, const yaml_event_t *event, struct value *node)
{
    if (node == NULL) {
        return no_memory(b);
    }
    if (wants_key(b) || b->depth == VALUE_DEPTH_MAX) {
        bool is_key = wants_key(b);

        value_free(node);
        return is_key ? refuse(b, event->start_mark, GP_EPROTO, "a key must be text")
                      : refuse(b, event->start_mark, GP_ETOOBIG, "nested too deep");
    }
    set_place(node, event->start_mark);
    b->stack[b->depth++] = (struct open_node){.node = node};
    return 0;
}

static int on_close(struct builder *b, const yaml_event_t *event)
{
    struct value *node = b->stack[--b->depth].node;

    return put_take(b, node, event->start_mark);
}

/* ---- events ---- */

static int check_plainness(const struct builder *b, const yaml_event_t *event,
                           const yaml_char_t *anchor, const yaml_char_t *tag)
{
    if (anchor != NULL) {
        return refuse(b, event->start_mark, GP_EPROTO, "anchors are not supported");
    }
    if (tag != NULL) {
        return refuse(b, event->start_mark, GP_EPROTO, "tags are not supported");
    }
    return 0;
}

static int on_event(struct builder *b, const yaml_event_t *event)
{
    int rc;

    if (++b->values > EDGE_TEXT_VALUES_MAX) {
        return refuse(b, event->start_mark, GP_ETOOBIG, "too many values");
    }
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        rc = check_plainness(b, event, event->data.scalar.anchor, event->data.scalar.tag);
        return rc < 0 ? rc : on_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        rc = check_plainness(b, event, event->data.sequence_start.anchor,
                             event->data.sequence_start.tag);
        return rc < 0 ? rc : on_open(b, event, value_new_list());
    case YAML_MAPPING_START_EVENT:
        rc = check_plainness(b, event, event->data.mapping_start.anchor,
                             event->data.mapping_start.tag);
        return rc < 0 ? rc : on_open(b, event, value_new_object());
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return on_close(b, event);
    case YAML_ALIAS_EVENT:
        return refuse(b, event->start_mark, GP_EPROTO, "aliases are not supported");
    case YAML_DOCUMENT_START_EVENT:
        if (b->root != NULL) {
            return refuse(b, event->start_mark, GP_EPROTO, "a second document");
        }
        return 0;
    case YAML_STREAM_END_EVENT:
        b->is_over = true;
        return 0;
    default:
        return 0; /* YAML_STREAM_START_EVENT, YAML_DOCUMENT_END_EVENT */
    }
}

/* What libyaml did not like. */
static int parser_failed(const struct builder *b, gp_str text)
{
    const yaml_parser_t *p = &b->parser;
    const char *problem = p->problem != NULL ? p->problem : "not YAML";

    if (p->error == YAML_MEMORY_ERROR) {
        return no_memory(b);
    }
    if (p->error == YAML_READER_ERROR) {
        return edge_source_error(text, p->problem_offset, GP_EPROTO, problem, b->err);
    }
    return refuse(b, p->problem_mark, GP_EPROTO, problem);
}

static int build(struct builder *b, gp_str text)
{
    while (!b->is_over) {
        yaml_event_t event;
        int rc;

        if (yaml_parser_parse(&b->parser, &event) == 0) {
            return parser_failed(b, text);
        }
        rc = on_event(b, &event);
        yaml_event_delete(&event);
        if (rc < 0) {
            return rc;
        }
    }
    if (b->root == NULL) {
        b->root = value_new_null();
    }
    return b->root != NULL ? 0 : no_memory(b);
}

static void builder_deinit(struct builder *b)
{
    while (b->depth > 0) {
        struct open_node *top = &b->stack[--b->depth];

        value_free(top->node);
        free(top->key);
    }
    value_free(b->root);
    yaml_parser_delete(&b->parser);
}

int edge_yaml_parse(gp_str text, struct value **ret, struct gp_error *err)
{
    struct builder b;
    int rc;

    if (text.len > EDGE_YAML_SIZE_MAX_BYTES) {
        return gp_error_set(err, GP_ETOOBIG, "1:1: more than %d bytes", EDGE_YAML_SIZE_MAX_BYTES);
    }
    memset(&b, 0, sizeof(b));
    b.err = err;
    if (yaml_parser_initialize(&b.parser) == 0) {
        return no_memory(&b);
    }
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text.ptr, text.len);
    rc = build(&b, text);
    if (rc == 0) {
        *ret = b.root;
        b.root = NULL;
    }
    builder_deinit(&b);
    return rc;
}
