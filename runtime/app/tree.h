/*
 * tree.h: building an object for `-o json` without a check after each member.
 *
 *     struct tree t;
 *     tree_begin(&t);
 *     tree_text(&t, "name", app->name);
 *     tree_take(&t, "tasks", tasks_list(app));
 *     return tree_end(&t);              the object, or NULL: no memory
 *
 * A NULL child is "no memory" and makes the whole NULL, so that makers nest.
 */
#ifndef APP_TREE_H
#define APP_TREE_H

#include "base/value.h"

struct tree {
    /* private */
    struct value *object; /* NULL after a failure */
};

void tree_begin(struct tree *t);
struct value *tree_end(struct tree *t);

void tree_text(struct tree *t, const char *name, const char *text); /* NULL text: null */
void tree_bool(struct tree *t, const char *name, bool b);
void tree_i64(struct tree *t, const char *name, int64_t number);
void tree_u64(struct tree *t, const char *name, uint64_t number); /* beyond INT64_MAX: INT64_MAX */
void tree_real(struct tree *t, const char *name, double number);
void tree_take(struct tree *t, const char *name, struct value *child);

/* Appends to a list, which is freed and set to NULL when that fails. NULL list: child is freed. */
void tree_push_take(struct value **list, struct value *child);

/* ---- reading a member: what is missing or of another kind is empty ---- */

gp_str tree_text_of(const struct value *object, const char *name); /* "" */
int64_t tree_i64_of(const struct value *object, const char *name); /* 0 */

#endif
