/*
 * ctl_config.c: gpctl config: which settings hold here, and who said so. Needs no cluster.
 *
 * What a daemon uses may differ: it has flags and an environment of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ctl.h"
#include "app/table.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define KEYS_MAX   256u
#define KIND_MAX   256u
#define SHOWN_MAX  400u
#define LINE_WIDTH 98u
#define MASKED     "(secret)"

struct showing {
    struct ctl *ctl;
    struct value *values;  /* of the configuration, as fields_encode() makes it */
    struct value *origins; /* key to who said it */
    const char *wanted;    /* "log.level", "log", or NULL: all */
    uint32_t shown;
    struct value *list; /* for -o json */
    struct table table;
};

/* ---- one setting ---- */

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

/* As a person would write it. */
static void show_value(const struct field *field, const struct value *v, char *out, size_t cap)
{
    struct buf text = {0};

    out[0] = '\0';
    if (field->flags & FIELD_SECRET) {
        (void)str_format(out, cap, MASKED);
    } else if (v && value_kind(v) == VALUE_STR) {
        (void)str_format(out, cap, "%.*s", STR_ARG(value_as_str(v)));
    } else if (v && value_kind(v) == VALUE_LIST) {
        for (size_t i = 0; i < value_count(v); i++) {
            (void)buf_append_fmt(&text, "%s%.*s", i > 0 ? "," : "",
                                 STR_ARG(value_as_str(value_at(v, i))));
        }
        (void)str_format(out, cap, "%.*s", STR_ARG(buf_str(&text)));
    } else if (v && value_print_json(v, &text, VALUE_COMPACT) == 0) {
        (void)str_format(out, cap, "%.*s", STR_ARG(buf_str(&text)));
    }
    buf_deinit(&text);
}

static void show_origin(const struct showing *s, const char *key, char *out, size_t cap)
{
    const struct value *origin = value_get(s->origins, gp_str_of(key));
    gp_str text = origin ? value_as_str(origin) : GP_STR("default");

    (void)str_format(out, cap, "%.*s", STR_ARG(text));
}

static struct value *setting_tree(const struct showing *s, const char *key,
                                  const struct field *field)
{
    const struct value *v = find(s->values, key);
    char text[SHOWN_MAX];
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "key", key);
    tree_take(&t, "value",
              field->flags & FIELD_SECRET ? value_new_str(GP_STR(MASKED))
              : v                         ? value_dup(v)
                                          : value_new_null());
    show_origin(s, key, text, sizeof text);
    tree_text(&t, "origin", text);
    tree_text(&t, "default", field->otherwise ? field->otherwise : "");
    tree_text(&t, "kind", field_describe(field, text, sizeof text));
    tree_text(&t, "variable", config_variable(key, text));
    tree_text(&t, "doc", field->doc);
    return tree_end(&t);
}

static void print_row(struct showing *s, const char *key, const struct field *field)
{
    char text[SHOWN_MAX];

    table_cell(&s->table, "%s", key);
    show_value(field, find(s->values, key), text, sizeof text);
    table_cell(&s->table, "%s", text);
    show_origin(s, key, text, sizeof text);
    table_cell(&s->table, "%s", text);
}

/* Words of text in lines that do not grow beyond LINE_WIDTH. */
static void print_folded(const char *text)
{
    gp_str rest = gp_str_of(text);
    gp_str word;
    size_t column = 0;

    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (column > 0 && column + 1 + word.len > LINE_WIDTH) {
            (void)fputc('\n', stdout);
            column = 0;
        }
        (void)printf("%s%.*s", column > 0 ? " " : "", STR_ARG(word));
        column += word.len + 1;
    }
    (void)fputc('\n', stdout);
}

static void print_whole(struct showing *s, const char *key, const struct field *field)
{
    char text[SHOWN_MAX];
    char kind[KIND_MAX];

    show_value(field, find(s->values, key), text, sizeof text);
    if (s->ctl->is_quiet) {
        (void)puts(text);
        return;
    }
    (void)printf("%s: %s\n", key, *text ? text : "(empty)");
    show_origin(s, key, text, sizeof text);
    (void)printf("origin: %s\n", text);
    (void)printf("default: %s\n",
                 field->otherwise && *field->otherwise ? field->otherwise : "(empty)");
    (void)printf("kind: %s\n", field_describe(field, kind, sizeof kind));
    (void)printf("variable: %s\n\n", config_variable(key, text));
    print_folded(field->doc);
}

/* ---- those that are wanted ---- */

static bool is_below(const char *key, const char *section)
{
    size_t len = strlen(section);

    return strncmp(key, section, len) == 0 && key[len] == '.';
}

static void on_key(void *user, const char *key, const struct field *field)
{
    struct showing *s = user;
    const bool is_it = s->wanted && strcmp(key, s->wanted) == 0;

    if (s->wanted && !is_it && !is_below(key, s->wanted)) {
        return;
    }
    s->shown++;
    if (s->ctl->json) {
        tree_push_take(&s->list, setting_tree(s, key, field));
    } else if (is_it) {
        print_whole(s, key, field);
    } else {
        print_row(s, key, field);
    }
}

struct names {
    struct buf text; /* each ended by a zero */
    uint32_t count;
};

static void on_name(void *user, const char *key, const struct field *field)
{
    struct names *n = user;

    (void)field;
    n->count += n->count < KEYS_MAX && buf_append(&n->text, key, strlen(key) + 1) == 0;
}

static int no_such_key(const char *wanted, struct gp_error *err)
{
    struct names n = {0};
    gp_str known[KEYS_MAX];
    char meant[STR_MEANT_MAX];

    config_each_key(on_name, &n);
    for (uint32_t i = 0, at = 0; i < n.count; i++) {
        known[i] = gp_str_of(buf_str(&n.text).ptr + at);
        at += (uint32_t)known[i].len + 1;
    }
    (void)gp_error_set(err, GP_ENOENT, "there is no key '%s'%s", wanted,
                       str_meant(gp_str_of(wanted), known, n.count, meant));
    gp_error_hint(err, "gpctl config");
    buf_deinit(&n.text);
    return GP_ENOENT;
}

/* ---- the command ---- */

static int load(struct showing *s, struct gp_error *err)
{
    struct ctl *ctl = s->ctl;
    const char *masters = options_text(ctl->options, "master");
    const struct config_override override = {"cluster.masters", masters, "--master"};
    int rc = ctl_configure_origins(ctl, &override, masters ? 1 : 0, &s->origins, err);

    if (rc == 0) {
        rc = fields_encode(&config_fields, &ctl->config, &s->values);
        rc = rc < 0 ? gp_error_set(err, rc, "%s", error_sentence(rc)) : 0;
    }
    return rc;
}

static int show(struct showing *s, struct gp_error *err)
{
    static const struct table_column columns[] = {
        {"KEY", TABLE_LEFT}, {"VALUE", TABLE_LEFT}, {"ORIGIN", TABLE_LEFT}};
    int rc = 0;

    table_init(&s->table, columns, ARRAY_LEN(columns));
    table_colours(&s->table, s->ctl->has_colours);
    s->list = value_new_list();
    config_each_key(on_key, s);
    if (s->shown == 0) {
        rc = no_such_key(s->wanted, err);
    } else if (!s->ctl->json && s->table.rows > 0) {
        rc = table_print(&s->table, stdout, 0);
        rc = rc < 0 ? gp_error_set(err, rc, "%s", error_sentence(rc)) : 0;
    }
    table_deinit(&s->table);
    return rc;
}

int ctl_config(const struct command_spec *spec, const struct options *options, void *context)
{
    struct showing s = {.ctl = context,
                        .wanted = options->operand_count > 0 ? options->operands[0] : NULL};
    struct gp_error err = {0};
    int status = EXIT_STATUS_OK;
    int rc = load(&s, &err);
    struct tree t;

    (void)spec;
    if (rc == 0) {
        rc = show(&s, &err);
    }
    if (rc < 0) {
        status = ctl_fail(s.ctl, &err, "cannot show the configuration");
    } else if (s.ctl->json) {
        tree_begin(&t);
        tree_take(&t, "settings", s.list);
        s.list = NULL;
        status = ctl_print_take(s.ctl, tree_end(&t));
    }
    value_free(s.list);
    value_free(s.values);
    value_free(s.origins);
    return status;
}
