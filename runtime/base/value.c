/*
 * The value tree: making, joining, asking. Copying and comparing are in value_tree.c, printing
 * in value_json.c.
 *
 * Invariants: a child's parent is the node whose list holds it; height is 1 for a leaf and one more
 * than the highest child for others; depth of a node plus its height never exceeds
 * VALUE_DEPTH_MAX + 1. So every recursion here goes VALUE_DEPTH_MAX deep at most. Heights are kept
 * exactly up the path of parents, which is as short.
 */
#include "base/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/str.h"

#define CHILDREN_CAPACITY_MIN 4

struct child {
    struct value *value;
    char *name; /* owned; NULL in a list and for an empty name */
    size_t name_len;
    uint64_t name_hash; /* so that a lookup compares few names */
};

struct value {
    enum value_kind kind;
    uint32_t height;
    uint32_t line;
    uint32_t column;
    struct value *parent;
    union {
        bool b;
        int64_t i;
        double d;
        struct {
            char *ptr; /* owned */
            size_t len;
        } str;
        struct {
            struct child *items;
            size_t count;
            size_t capacity;
        } children;
    } as;
};

static bool is_container(const struct value *v)
{
    return v->kind == VALUE_LIST || v->kind == VALUE_OBJECT;
}

static struct value *value_new(enum value_kind kind)
{
    struct value *v = (struct value *)calloc(1, sizeof(*v));

    if (v != NULL) {
        v->kind = kind;
        v->height = 1;
    }
    return v;
}

struct value *value_new_null(void)
{
    return value_new(VALUE_NULL);
}

struct value *value_new_bool(bool b)
{
    struct value *v = value_new(VALUE_BOOL);

    if (v != NULL) {
        v->as.b = b;
    }
    return v;
}

struct value *value_new_i64(int64_t i)
{
    struct value *v = value_new(VALUE_I64);

    if (v != NULL) {
        v->as.i = i;
    }
    return v;
}

struct value *value_new_double(double d)
{
    struct value *v = value_new(VALUE_DOUBLE);

    if (v != NULL) {
        v->as.d = d;
    }
    return v;
}

struct value *value_new_str(gp_str s)
{
    struct value *v = value_new(VALUE_STR);

    if (v == NULL) {
        return NULL;
    }
    v->as.str.ptr = str_dup(s);
    v->as.str.len = s.len;
    if (v->as.str.ptr == NULL) {
        free(v);
        return NULL;
    }
    return v;
}

struct value *value_new_list(void)
{
    return value_new(VALUE_LIST);
}

struct value *value_new_object(void)
{
    return value_new(VALUE_OBJECT);
}

void value_free(struct value *v)
{
    if (v == NULL) {
        return;
    }
    ASSERT(v->parent == NULL);
    if (v->kind == VALUE_STR) {
        free(v->as.str.ptr);
    } else if (is_container(v)) {
        for (size_t i = 0; i < v->as.children.count; i++) {
            struct child *child = &v->as.children.items[i];

            child->value->parent = NULL;
            value_free(child->value);
            free(child->name);
        }
        free(v->as.children.items);
    }
    free(v);
}

/* How many nodes stand on the path from the root to v, both counted. */
static uint32_t depth_of(const struct value *v)
{
    uint32_t depth = 0;

    for (; v != NULL; v = v->parent) {
        depth++;
    }
    return depth;
}

static uint32_t height_of(const struct value *v)
{
    uint32_t highest = 0;

    for (size_t i = 0; i < v->as.children.count; i++) {
        uint32_t height = v->as.children.items[i].value->height;

        highest = height > highest ? height : highest;
    }
    return highest + 1;
}

/* Brings the heights from v up to the root in line, after one of its children has come or gone. */
static void update_heights(struct value *v, uint32_t child_before, uint32_t child_after)
{
    while (v != NULL && child_before != child_after) {
        uint32_t before = v->height;

        if (child_after + 1 > before) {
            v->height = child_after + 1;
        } else if (child_before + 1 == before) {
            v->height = height_of(v); /* it may have been the highest */
        }
        child_before = before;
        child_after = v->height;
        v = v->parent;
    }
}

static int check_fits(const struct value *parent, const struct value *child)
{
    if (child == NULL) {
        return GP_ENOMEM;
    }
    ASSERT(child->parent == NULL && child != parent);
    return depth_of(parent) + child->height > VALUE_DEPTH_MAX ? GP_ETOOBIG : 0;
}

static int reserve_child(struct value *parent, size_t count_max)
{
    size_t capacity = parent->as.children.capacity;
    struct child *items;

    if (parent->as.children.count >= count_max) {
        return GP_ETOOBIG;
    }
    if (parent->as.children.count < capacity) {
        return 0;
    }
    capacity = capacity > 0 ? capacity * 2 : CHILDREN_CAPACITY_MIN;
    items = (struct child *)realloc(parent->as.children.items, capacity * sizeof(*items));
    if (items == NULL) {
        return GP_ENOMEM;
    }
    parent->as.children.items = items;
    parent->as.children.capacity = capacity;
    return 0;
}

/* Appends to a parent that has room reserved. */
static void attach(struct value *parent, struct child child)
{
    parent->as.children.items[parent->as.children.count++] = child;
    child.value->parent = parent;
    update_heights(parent, 0, child.value->height);
}

int value_append_take(struct value *list, struct value *child)
{
    int rc = check_fits(list, child);

    ASSERT(list->kind == VALUE_LIST);
    if (rc == 0) {
        rc = reserve_child(list, VALUE_CHILDREN_MAX);
    }
    if (rc < 0) {
        value_free(child);
        return rc;
    }
    attach(list, (struct child){.value = child});
    return 0;
}

static uint64_t name_hash(gp_str name)
{
    return hash_bytes(name.ptr, name.len, 0);
}

static gp_str child_name(const struct child *child)
{
    return (gp_str){.ptr = child->name, .len = child->name_len};
}

static struct child *find_child(const struct value *object, gp_str name)
{
    uint64_t hash = name_hash(name);

    for (size_t i = 0; i < object->as.children.count; i++) {
        struct child *child = &object->as.children.items[i];

        if (child->name_hash == hash && str_eq(child_name(child), name)) {
            return child;
        }
    }
    return NULL;
}

/* Appends a member whose name is new. Does not consume on failure. */
static int append_member(struct value *object, gp_str name, struct value *value)
{
    struct child child = {.value = value, .name_len = name.len, .name_hash = name_hash(name)};
    int rc = reserve_child(object, VALUE_MEMBERS_MAX);

    if (rc < 0) {
        return rc;
    }
    child.name = str_dup(name);
    if (child.name == NULL) {
        return GP_ENOMEM;
    }
    attach(object, child);
    return 0;
}

int value_add_take(struct value *object, gp_str name, struct value *child)
{
    int rc = check_fits(object, child);

    ASSERT(object->kind == VALUE_OBJECT);
    if (rc == 0 && find_child(object, name) != NULL) {
        rc = GP_EEXIST;
    }
    if (rc == 0) {
        rc = append_member(object, name, child);
    }
    if (rc < 0) {
        value_free(child);
    }
    return rc;
}

int value_set_take(struct value *object, gp_str name, struct value *child)
{
    struct child *present;
    int rc = check_fits(object, child);

    ASSERT(object->kind == VALUE_OBJECT);
    if (rc < 0) {
        value_free(child);
        return rc;
    }
    present = find_child(object, name);
    if (present != NULL) {
        struct value *old = present->value;

        present->value = child;
        child->parent = object;
        update_heights(object, old->height, child->height);
        old->parent = NULL;
        value_free(old);
        return 0;
    }
    rc = append_member(object, name, child);
    if (rc < 0) {
        value_free(child);
    }
    return rc;
}

int value_set_bool(struct value *object, gp_str name, bool b)
{
    return value_set_take(object, name, value_new_bool(b));
}

int value_set_i64(struct value *object, gp_str name, int64_t i)
{
    return value_set_take(object, name, value_new_i64(i));
}

int value_set_str(struct value *object, gp_str name, gp_str s)
{
    return value_set_take(object, name, value_new_str(s));
}

struct value *value_steal(struct value *object, gp_str name)
{
    struct child *child;
    struct value *value;
    size_t index;

    ASSERT(object->kind == VALUE_OBJECT);
    child = find_child(object, name);
    if (child == NULL) {
        return NULL;
    }
    value = child->value;
    free(child->name);
    index = (size_t)(child - object->as.children.items);
    object->as.children.count--;
    memmove(child, child + 1, (object->as.children.count - index) * sizeof(*child));
    update_heights(object, value->height, 0);
    value->parent = NULL;
    return value;
}

enum value_kind value_kind(const struct value *v)
{
    return v->kind;
}

const char *value_kind_name(enum value_kind kind)
{
    switch (kind) {
    case VALUE_NULL:
        return "null";
    case VALUE_BOOL:
        return "a boolean";
    case VALUE_I64:
        return "an integer";
    case VALUE_DOUBLE:
        return "a number";
    case VALUE_STR:
        return "text";
    case VALUE_LIST:
        return "a list";
    case VALUE_OBJECT:
        return "an object";
    }
    UNREACHABLE();
}

bool value_as_bool(const struct value *v)
{
    ASSERT(v->kind == VALUE_BOOL);
    return v->as.b;
}

int64_t value_as_i64(const struct value *v)
{
    ASSERT(v->kind == VALUE_I64);
    return v->as.i;
}

double value_as_double(const struct value *v)
{
    ASSERT(v->kind == VALUE_DOUBLE || v->kind == VALUE_I64);
    return v->kind == VALUE_DOUBLE ? v->as.d : (double)v->as.i;
}

gp_str value_as_str(const struct value *v)
{
    ASSERT(v->kind == VALUE_STR);
    return (gp_str){.ptr = v->as.str.ptr, .len = v->as.str.len};
}

size_t value_count(const struct value *v)
{
    return is_container(v) ? v->as.children.count : 0;
}

struct value *value_at(const struct value *v, size_t index)
{
    ASSERT(index < value_count(v));
    return v->as.children.items[index].value;
}

gp_str value_name_at(const struct value *object, size_t index)
{
    ASSERT(object->kind == VALUE_OBJECT && index < object->as.children.count);
    return child_name(&object->as.children.items[index]);
}

struct value *value_get(const struct value *v, gp_str name)
{
    const struct child *child;

    if (v == NULL || v->kind != VALUE_OBJECT) {
        return NULL;
    }
    child = find_child(v, name);
    return child != NULL ? child->value : NULL;
}

void value_set_position(struct value *v, uint32_t line, uint32_t column)
{
    v->line = line;
    v->column = column;
}

uint32_t value_line(const struct value *v)
{
    return v->line;
}

uint32_t value_column(const struct value *v)
{
    return v->column;
}
