/* tree.c: see tree.h. */
#include "app/tree.h"

void tree_begin(struct tree *t)
{
    t->object = value_new_object();
}

struct value *tree_end(struct tree *t)
{
    struct value *object = t->object;

    t->object = NULL;
    return object;
}

void tree_take(struct tree *t, const char *name, struct value *child)
{
    if (!t->object) {
        value_free(child);
    } else if (value_set_take(t->object, gp_str_of(name), child) < 0) {
        value_free(t->object);
        t->object = NULL;
    }
}

void tree_text(struct tree *t, const char *name, const char *text)
{
    tree_take(t, name, text ? value_new_str(gp_str_of(text)) : value_new_null());
}

void tree_bool(struct tree *t, const char *name, bool b)
{
    tree_take(t, name, value_new_bool(b));
}

void tree_i64(struct tree *t, const char *name, int64_t number)
{
    tree_take(t, name, value_new_i64(number));
}

void tree_u64(struct tree *t, const char *name, uint64_t number)
{
    tree_i64(t, name, number > INT64_MAX ? INT64_MAX : (int64_t)number);
}

void tree_real(struct tree *t, const char *name, double number)
{
    tree_take(t, name, value_new_double(number));
}

void tree_push_take(struct value **list, struct value *child)
{
    if (!*list) {
        value_free(child);
    } else if (value_append_take(*list, child) < 0) {
        value_free(*list);
        *list = NULL;
    }
}

gp_str tree_text_of(const struct value *object, const char *name)
{
    const struct value *v = value_get(object, gp_str_of(name));

    return v && value_kind(v) == VALUE_STR ? value_as_str(v) : GP_STR("");
}

int64_t tree_i64_of(const struct value *object, const char *name)
{
    const struct value *v = value_get(object, gp_str_of(name));

    return v && value_kind(v) == VALUE_I64 ? value_as_i64(v) : 0;
}
