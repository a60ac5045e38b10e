/* settings.c: see settings.h. */
#include "app/settings.h"

#include "app/tree.h"
#include "base/str.h"

#define KIND_MAX 256u
#define MASKED   "(secret)"

struct listing {
    const struct value *values;  /* of the configuration, as fields_encode() makes it */
    const struct value *origins; /* key to who said it */
    struct value *list;
};

static const struct value *find(const struct value *tree, const char *key)
{
    gp_str rest = gp_str_of(key);
    gp_str head;

    while (tree && rest.len > 0) {
        (void)str_cut(rest, '.', &head, &rest);
        tree = value_get(tree, head);
    }
    return tree;
}

static void on_key(void *user, const char *key, const struct field *field)
{
    struct listing *l = user;
    const struct value *v = find(l->values, key);
    const struct value *origin = value_get(l->origins, gp_str_of(key));
    char variable[CONFIG_KEY_MAX];
    char kind[KIND_MAX];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "key", key);
    tree_take(&t, "value",
              field->flags & FIELD_SECRET ? value_new_str(GP_STR(MASKED))
              : v                         ? value_dup(v)
                                          : value_new_null());
    tree_take(&t, "origin", value_new_str(origin ? value_as_str(origin) : GP_STR("default")));
    tree_text(&t, "default", field->otherwise ? field->otherwise : "");
    tree_text(&t, "kind", field_describe(field, kind, sizeof kind));
    tree_text(&t, "variable", config_variable(key, variable));
    tree_text(&t, "doc", field->doc);
    tree_push_take(&l->list, tree_end(&t));
}

struct value *settings_list(const struct config *config)
{
    struct value *values = NULL;
    struct listing l = {.origins = config->origins};

    if (fields_encode(&config_fields, config, &values) < 0) {
        return NULL;
    }
    l.values = values;
    l.list = value_new_list();
    config_each_key(on_key, &l);
    value_free(values);
    return l.list;
}
