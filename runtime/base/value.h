/*
 * A tree of values as JSON and YAML know it: null, bool, integer, real, text, list, object.
 *
 * The text formats are parsed elsewhere (edge) into this tree; control messages, configuration and
 * the output of `-o json` are made of it. A node may know the line and column it came from, so that
 * an error can point at it. Objects keep the order of insertion; names in one object are unique.
 *
 * Invariants: a node has one parent at most, which owns it; a tree is never deeper than
 * VALUE_DEPTH_MAX and a node never has more than VALUE_CHILDREN_MAX children (inserting checks), so
 * walking it by recursion is safe. Text is any bytes without a promise of UTF-8; the
 * JSON printer replaces what is not. One owner, no locks.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/buf.h"

#define VALUE_DEPTH_MAX    64    /* levels, the root being one */
#define VALUE_CHILDREN_MAX 65536 /* items of a list */
#define VALUE_MEMBERS_MAX  4096  /* members of an object: names are found by walking */

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_I64,
    VALUE_DOUBLE,
    VALUE_STR,
    VALUE_LIST,
    VALUE_OBJECT,
};

struct value;

/* ---- making: a new node, or NULL without memory; free with value_free ---- */

struct value *value_new_null(void);
struct value *value_new_bool(bool b);
struct value *value_new_i64(int64_t i);
struct value *value_new_double(double d);
struct value *value_new_str(gp_str s); /* copies */
struct value *value_new_list(void);
struct value *value_new_object(void);

/* A deep copy, positions included; NULL without memory. */
struct value *value_dup(const struct value *v);

/* Frees the node and all below. NULL is fine. The node must not be inside another. */
void value_free(struct value *v);

/*
 * Put a child into a list or object. `_take` consumes the child on success and failure alike, and
 * answers GP_ENOMEM for a NULL child, so that makers nest without checks. Returns 0, GP_ENOMEM,
 * GP_ETOOBIG (depth or number of children) or, for add, GP_EEXIST when the name is taken.
 * `set` replaces the value of a name that exists, keeping its place.
 */
int value_append_take(struct value *list, struct value *child);
int value_add_take(struct value *object, gp_str name, struct value *child);
int value_set_take(struct value *object, gp_str name, struct value *child);

/* Shorthands of value_set_take. */
int value_set_bool(struct value *object, gp_str name, bool b);
int value_set_i64(struct value *object, gp_str name, int64_t i);
int value_set_str(struct value *object, gp_str name, gp_str s);

/* Takes a member out of an object; NULL if there is none. The caller owns it. */
struct value *value_steal(struct value *object, gp_str name);

/* ---- asking; everything returned is borrowed from the tree ---- */

enum value_kind value_kind(const struct value *v);

/* "null", "a boolean", "an integer", "a number", "text", "a list", "an object": for messages. */
const char *value_kind_name(enum value_kind kind);

/* The content; the node must be of that kind. value_as_double also takes an integer. */
bool value_as_bool(const struct value *v);
int64_t value_as_i64(const struct value *v);
double value_as_double(const struct value *v);
gp_str value_as_str(const struct value *v);

/* Children of a list or object; 0 for other kinds. */
size_t value_count(const struct value *v);

/* The index-th child, index < value_count. */
struct value *value_at(const struct value *v, size_t index);

/* The name of the index-th member of an object. */
gp_str value_name_at(const struct value *object, size_t index);

/* The member of that name; NULL if there is none or v is NULL or no object. */
struct value *value_get(const struct value *v, gp_str name);

/* Same kinds, contents and order. Positions do not count. */
bool value_equal(const struct value *a, const struct value *b);

/* Where it stood in its source: line and column from 1, or 0 for "nowhere". */
void value_set_position(struct value *v, uint32_t line, uint32_t column);
uint32_t value_line(const struct value *v);
uint32_t value_column(const struct value *v);

/* ---- printing ---- */

enum value_style {
    VALUE_COMPACT, /* one line, no blanks */
    VALUE_PRETTY,  /* two blanks per level, a member a line, no newline at the end */
};

/*
 * Appends JSON (RFC 8259). A real is printed so that it reads back the same and stays a real (1.0,
 * not 1); one that is not finite becomes null; bytes that are not UTF-8 become U+FFFD.
 * Returns 0, GP_ETOOBIG or GP_ENOMEM; on failure the buffer is as it was.
 */
int value_print_json(const struct value *v, struct buf *out, enum value_style style);

#endif
