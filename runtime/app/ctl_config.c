/*
 * ctl_config.c: gpctl config: which settings hold, and who said so. Here, which needs no cluster,
 * or with --from in a daemon, whose flags and environment are its own.
 */
#include <stdlib.h>
#include <string.h>

#include "app/ctl.h"
#include "app/settings.h"
#include "app/show.h"
#include "app/table.h"
#include "app/text.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define KEYS_MAX   256u
#define SHOWN_MAX  400u
#define LINE_WIDTH 98u
#define FROM_ANY   "master" /* whichever of them answers */

struct showing {
    struct ctl *ctl;
    const char *wanted; /* "log.level", "log", or NULL: all */
    struct value *all;  /* as settings_list() makes it, here or there */
    struct value *list; /* those of them that are wanted */
};

/* ---- one setting ---- */

/* A value as a person would write it. */
static void show_value(const struct value *v, char *out, size_t cap)
{
    struct buf text = {0};

    out[0] = '\0';
    if (v && value_kind(v) == VALUE_STR) {
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

/* Words of text in lines that do not grow beyond LINE_WIDTH. */
static void print_folded(gp_str rest)
{
    gp_str word;
    size_t column = 0;

    while (rest.len > 0) {
        (void)str_cut(rest, ' ', &word, &rest);
        if (column > 0 && column + 1 + word.len > LINE_WIDTH) {
            (void)fputc('\n', stdout);
            column = 0;
        }
        (void)fputs(column > 0 ? " " : "", stdout);
        text_print(stdout, word);
        column += word.len + 1;
    }
    (void)fputc('\n', stdout);
}

static void print_member(const struct value *setting, const char *name, const char *end)
{
    gp_str text = tree_text_of(setting, name);

    (void)printf("%s: ", name);
    text_print(stdout, text.len > 0 ? text : GP_STR("(empty)"));
    (void)fputs(end, stdout);
}

static void print_whole(const struct showing *s, const struct value *setting)
{
    char text[SHOWN_MAX];

    show_value(value_get(setting, GP_STR("value")), text, sizeof text);
    if (s->ctl->is_quiet) {
        text_print(stdout, gp_str_of(text));
        (void)fputc('\n', stdout);
        return;
    }
    (void)printf("%s: ", s->wanted);
    text_print(stdout, *text ? gp_str_of(text) : GP_STR("(empty)"));
    (void)fputc('\n', stdout);
    print_member(setting, "origin", "\n");
    print_member(setting, "default", "\n");
    print_member(setting, "kind", "\n");
    print_member(setting, "variable", "\n\n");
    print_folded(tree_text_of(setting, "doc"));
}

static int print_table(const struct showing *s)
{
    static const struct table_column columns[] = {
        {"KEY", TABLE_LEFT}, {"VALUE", TABLE_LEFT}, {"ORIGIN", TABLE_LEFT}};
    char text[SHOWN_MAX];
    struct table t;
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    table_colours(&t, s->ctl->has_colours);
    for (size_t i = 0; i < value_count(s->list); i++) {
        const struct value *setting = value_at(s->list, i);

        show_value(value_get(setting, GP_STR("value")), text, sizeof text);
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(setting, "key")));
        table_cell(&t, "%s", text);
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(setting, "origin")));
    }
    rc = table_print(&t, stdout, 0);
    table_deinit(&t);
    return rc;
}

/* ---- those that are wanted ---- */

static bool is_wanted(const struct showing *s, gp_str key)
{
    gp_str section = gp_str_of(s->wanted);

    return !s->wanted || str_eq(key, section) ||
           (str_starts_with(key, section) && key.ptr[section.len] == '.');
}

static int no_such_key(const struct showing *s, struct gp_error *err)
{
    gp_str known[KEYS_MAX];
    char meant[STR_MEANT_MAX];
    size_t count = value_count(s->all) < KEYS_MAX ? value_count(s->all) : KEYS_MAX;

    for (size_t i = 0; i < count; i++) {
        known[i] = tree_text_of(value_at(s->all, i), "key");
    }
    (void)gp_error_set(err, GP_ENOENT, "there is no key '%s'%s", s->wanted,
                       str_meant(gp_str_of(s->wanted), known, count, meant));
    gp_error_hint(err, "gpctl config");
    return GP_ENOENT;
}

static int choose(struct showing *s, struct gp_error *err)
{
    s->list = value_new_list();
    for (size_t i = 0; s->all && i < value_count(s->all); i++) {
        const struct value *setting = value_at(s->all, i);

        if (is_wanted(s, tree_text_of(setting, "key"))) {
            tree_push_take(&s->list, value_dup(setting));
        }
    }
    if (!s->all || !s->list) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    return value_count(s->list) > 0 ? 0 : no_such_key(s, err);
}

/* ---- whose they are ---- */

static int on_settings(void *user, const void *msg)
{
    const struct msg_settings *answer = msg;
    struct showing *s = user;

    if (value_kind(answer->settings) != VALUE_LIST) {
        return GP_EPROTO;
    }
    s->all = value_dup(answer->settings);
    return 0;
}

static int load(struct showing *s, struct gp_error *err)
{
    struct ctl *ctl = s->ctl;
    const char *from = options_text(ctl->options, "from");
    const char *masters = options_text(ctl->options, "master");
    const struct config_override override = {"cluster.masters", masters, "--master"};
    int rc;

    if (!from) {
        rc = ctl_configure(ctl, &override, masters ? 1 : 0, err);
        s->all = rc < 0 ? NULL : settings_list(&ctl->config);
        return rc;
    }
    rc = ctl_connect(ctl, err);
    if (rc == 0 && strcmp(from, FROM_ANY) == 0) {
        return ctl_ask(ctl, MSG_SETTINGS, NULL, on_settings, s, err);
    }
    return rc < 0 ? rc : ctl_ask_at(ctl, from, MSG_SETTINGS, NULL, on_settings, s, err);
}

/* ---- the command ---- */

static int print(struct showing *s)
{
    const struct value *first = value_at(s->list, 0);
    struct value *list = s->list;

    if (s->ctl->json) {
        s->list = NULL;
        return ctl_print_take(s->ctl, show_under_take("settings", list));
    }
    if (s->wanted && str_eq(tree_text_of(first, "key"), gp_str_of(s->wanted))) {
        print_whole(s, first);
        return EXIT_STATUS_OK;
    }
    return print_table(s) < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
}

int ctl_config(const struct command_spec *spec, const struct options *options, void *context)
{
    struct showing s = {.ctl = context,
                        .wanted = options->operand_count > 0 ? options->operands[0] : NULL};
    struct gp_error err = {0};
    int rc = load(&s, &err);
    int status;

    (void)spec;
    rc = rc < 0 ? rc : choose(&s, &err);
    status = rc < 0 ? ctl_fail(s.ctl, &err, "cannot show the configuration") : print(&s);
    value_free(s.list);
    value_free(s.all);
    return status;
}
