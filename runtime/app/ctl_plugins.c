/*
 * ctl_plugins.c: gpctl plugins: what is shipped and installed here, and what it can be told.
 *
 * Each file is loaded in a process of its own (probe.h), so one that cannot be is a row like the
 * others.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "app/ctl.h"
#include "app/plugin_note.h"
#include "app/plugin_search.h"
#include "app/probe.h"
#include "app/show.h"
#include "app/table.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"
#include "control/plugin_files.h"
#include "edge/fs.h"

/* What there is: a list of {name, version, file, services, state, why, processors,
 * partitioners}. */
struct gathering {
    struct ctl *ctl;
    struct plugin_search search;
    const char *wanted; /* a name or a file; NULL: all */
    struct value *list;
};

static bool flag_of(const struct value *object, const char *name)
{
    const struct value *v = value_get(object, gp_str_of(name));

    return v && value_kind(v) == VALUE_BOOL && value_as_bool(v);
}

/* ---- one file ---- */

static struct value *dup_or_list(const struct value *v)
{
    return v ? value_dup(v) : value_new_list();
}

static struct value *tree_of(const char *path, const struct plugin_note *note, const char *state,
                             gp_str why, const struct value *plugin)
{
    struct tree t;
    const char *slash = strrchr(path, '/');
    gp_str file = gp_str_of(slash ? slash + 1 : path);

    file.len -= str_ends_with(file, GP_STR(PLUGIN_FILE_SUFFIX)) ? strlen(PLUGIN_FILE_SUFFIX) : 0;
    tree_begin(&t);
    tree_take(&t, "name", value_new_str(note ? gp_str_of(note->elf.note.name) : file));
    tree_text(&t, "version", note ? note->elf.note.version : "");
    tree_bool(&t, "app", note && (note->elf.note.flags & GP_NOTE_APP) != 0);
    tree_text(&t, "file", path);
    tree_text(&t, "services", note ? note->elf.note.services : "");
    tree_text(&t, "state", state);
    tree_take(&t, "why", value_new_str(why));
    tree_take(&t, "processors", dup_or_list(value_get(plugin, GP_STR("processors"))));
    tree_take(&t, "partitioners", dup_or_list(value_get(plugin, GP_STR("partitioners"))));
    return tree_end(&t);
}

/* Another one of that name stands before it. */
static bool is_hidden(const struct gathering *g, gp_str name)
{
    for (size_t i = 0; i < value_count(g->list); i++) {
        if (str_eq(tree_text_of(value_at(g->list, i), "name"), name)) {
            return true;
        }
    }
    return false;
}

static int add_loaded(struct gathering *g, const char *path, const struct plugin_note *note,
                      struct gp_error *err)
{
    const struct probe_spec spec = {.path = note->path, .seconds = PROBE_SECONDS};
    struct probe probe;
    const struct value *finding;
    int rc = probe_run(&spec, &probe, err);

    if (rc < 0) {
        return rc;
    }
    finding = value_count(probe.findings) > 0 ? value_at(probe.findings, 0) : NULL;
    tree_push_take(&g->list, tree_of(path, note,
                                     finding                                        ? "broken"
                                     : is_hidden(g, gp_str_of(note->elf.note.name)) ? "hidden"
                                                                                    : "ok",
                                     tree_text_of(finding, "what"), probe.plugin));
    probe_deinit(&probe);
    return g->list ? 0 : gp_error_set(err, GP_ENOMEM, "out of memory");
}

static int add_file(struct gathering *g, const char *path, struct gp_error *err)
{
    struct plugin_note note;
    struct gp_error why = {0};
    int rc;

    if (plugin_note_read(path, &note, &why) < 0) {
        tree_push_take(&g->list, tree_of(path, NULL, "broken", gp_str_of(why.text), NULL));
        return g->list ? 0 : gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    rc = add_loaded(g, path, &note, err);
    plugin_note_deinit(&note);
    return rc;
}

/* ---- all of a folder ---- */

static int add_folder(struct gathering *g, const char *dir, struct gp_error *err)
{
    struct plugin_files files = {.count = 0};
    char path[EDGE_PATH_MAX + NAME_MAX + 2];
    int rc = plugin_files_read(&files, &edge_fs_ops, NULL, dir);

    rc = rc < 0 ? gp_error_set(err, rc, "%s: %s", dir, error_sentence(rc)) : 0;
    for (uint32_t i = 0; rc == 0 && i < files.count; i++) {
        const bool is_wanted = !g->wanted || strcmp(files.names[i], g->wanted) == 0;

        if (is_wanted && value_count(g->list) < PLUGIN_FILES_MAX &&
            str_format(path, sizeof path, "%s/%s" PLUGIN_FILE_SUFFIX, dir, files.names[i]) > 0) {
            rc = add_file(g, path, err);
        }
    }
    plugin_files_deinit(&files);
    return rc;
}

static int no_such_plugin(const struct gathering *g, struct gp_error *err)
{
    struct plugin_files files = {.count = 0};
    char meant[STR_MEANT_MAX] = "";

    for (uint32_t d = 0; d < g->search.count && !*meant; d++) {
        (void)plugin_files_read(&files, &edge_fs_ops, NULL, g->search.list[d]);
        (void)plugin_files_meant(&files, g->wanted, meant); /* without memory less is meant */
    }
    plugin_files_deinit(&files);
    (void)gp_error_set(err, GP_ENOENT, "no plugin is called '%s'%s", g->wanted, meant);
    gp_error_hint(err, "gpctl plugins; --dir names another folder");
    return GP_ENOENT;
}

static int gather(struct gathering *g, struct gp_error *err)
{
    int rc = plugin_search_find(&g->search, g->ctl, err);

    g->list = value_new_list();
    if (rc == 0 && g->wanted && strchr(g->wanted, '/')) {
        return add_file(g, g->wanted, err);
    }
    for (uint32_t i = 0; rc == 0 && i < g->search.count; i++) {
        rc = add_folder(g, g->search.list[i], err);
    }
    if (rc == 0 && g->wanted && value_count(g->list) == 0) {
        rc = no_such_plugin(g, err);
    }
    return rc;
}

/* ---- all in a table ---- */

/* The types of what it brings, by commas. */
static const char *types_of(const struct value *plugin, const char *name, char *out, size_t cap)
{
    const struct value *list = value_get(plugin, gp_str_of(name));
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; list && i < value_count(list); i++) {
        const struct value *item = value_at(list, i);
        gp_str type =
            value_kind(item) == VALUE_STR ? value_as_str(item) : tree_text_of(item, "type");
        int n = str_format(out + len, cap - len, "%s%.*s", i > 0 ? "," : "", STR_ARG(type));

        if (n < 0) {
            break;
        }
        len += (size_t)n;
    }
    return out;
}

static int print_all(const struct gathering *g)
{
    static const struct table_column columns[] = {
        {"NAME", TABLE_LEFT},         {"VERSION", TABLE_LEFT}, {"PROCESSORS", TABLE_LEFT},
        {"PARTITIONERS", TABLE_LEFT}, {"STATE", TABLE_STATE},  {"FILE", TABLE_LEFT},
    };
    static const struct table_column name_column[] = {{NULL, TABLE_LEFT}};
    const bool is_quiet = g->ctl->is_quiet;
    char text[TABLE_CELL_MAX];
    struct table t;
    int rc;

    table_init(&t, is_quiet ? name_column : columns, is_quiet ? 1 : ARRAY_LEN(columns));
    table_colours(&t, g->ctl->has_colours);
    for (size_t i = 0; i < value_count(g->list); i++) {
        const struct value *plugin = value_at(g->list, i);

        table_cell(&t, "%.*s", STR_ARG(tree_text_of(plugin, "name")));
        if (is_quiet) {
            continue;
        }
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(plugin, "version")));
        table_cell(&t, "%s", types_of(plugin, "processors", text, sizeof text));
        table_cell(&t, "%s", types_of(plugin, "partitioners", text, sizeof text));
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(plugin, "state")));
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(plugin, "file")));
    }
    rc = table_print(&t, stdout, 0);
    table_deinit(&t);
    for (size_t i = 0; rc == 0 && i < value_count(g->list); i++) {
        const struct value *plugin = value_at(g->list, i);

        if (tree_text_of(plugin, "why").len > 0) {
            ctl_say(g->ctl, "%.*s is broken: %.*s", STR_ARG(tree_text_of(plugin, "name")),
                    STR_ARG(tree_text_of(plugin, "why")));
        }
    }
    return rc;
}

/* ---- one in full ---- */

/* "1 to 16MiB", "connect|listen", or "". */
static void say_range(const struct value *p, char *out, size_t cap)
{
    gp_str min = tree_text_of(p, "min");
    gp_str max = tree_text_of(p, "max");
    gp_str choices = tree_text_of(p, "choices");

    out[0] = '\0';
    if (choices.len > 0) {
        (void)str_format(out, cap, "%.*s", STR_ARG(choices));
    } else if (min.len > 0 && max.len > 0) {
        (void)str_format(out, cap, "%.*s to %.*s", STR_ARG(min), STR_ARG(max));
    } else if (min.len > 0) {
        (void)str_format(out, cap, "from %.*s", STR_ARG(min));
    } else if (max.len > 0) {
        (void)str_format(out, cap, "up to %.*s", STR_ARG(max));
    }
}

static int print_parameters(const struct value *list)
{
    static const struct table_column columns[] = {{"PARAMETER", TABLE_LEFT},
                                                  {"TYPE", TABLE_LEFT},
                                                  {"DEFAULT", TABLE_LEFT},
                                                  {"RANGE", TABLE_LEFT},
                                                  {"MEANING", TABLE_LEFT}};
    char range[TABLE_CELL_MAX];
    struct table t;
    int rc;

    if (!list || value_count(list) == 0) {
        (void)puts("    (no table of parameters: it takes any)");
        return 0;
    }
    table_init(&t, columns, ARRAY_LEN(columns));
    for (size_t i = 0; i < value_count(list); i++) {
        const struct value *p = value_at(list, i);

        gp_str type = tree_text_of(p, "type");

        if (str_starts_with(type, GP_STR("a "))) { /* an article helps in sentences alone */
            type = (gp_str){type.ptr + 2, type.len - 2};
        }
        say_range(p, range, sizeof range);
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(p, "name")));
        table_cell(&t, "%.*s", STR_ARG(type));
        if (flag_of(p, "required")) {
            table_cell(&t, "(required)");
        } else {
            table_cell(&t, "%.*s", STR_ARG(tree_text_of(p, "default")));
        }
        table_cell(&t, "%s", range);
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(p, "help")));
    }
    rc = table_print(&t, stdout, 4);
    table_deinit(&t);
    return rc;
}

static int print_whole(const struct value *plugin)
{
    const struct value *processors = value_get(plugin, GP_STR("processors"));
    char text[TABLE_CELL_MAX];
    int rc = 0;

    (void)printf("%.*s %.*s (%s)\nfile: %.*s\nservices: %.*s\n",
                 STR_ARG(tree_text_of(plugin, "name")), STR_ARG(tree_text_of(plugin, "version")),
                 flag_of(plugin, "app") ? "application" : "plugin",
                 STR_ARG(tree_text_of(plugin, "file")), STR_ARG(tree_text_of(plugin, "services")));
    if (tree_text_of(plugin, "why").len > 0) {
        (void)printf("broken: %.*s\n", STR_ARG(tree_text_of(plugin, "why")));
    }
    for (size_t i = 0; rc == 0 && processors && i < value_count(processors); i++) {
        const struct value *p = value_at(processors, i);

        (void)printf("\n  %s %.*s%s%s%s\n", flag_of(p, "source") ? "source" : "processor",
                     STR_ARG(tree_text_of(p, "type")),
                     flag_of(p, "stateful") ? ", keeps state" : "",
                     flag_of(p, "snapshot") ? ", has snapshots" : "",
                     flag_of(p, "blocking") ? ", blocks" : "");
        rc = print_parameters(value_get(p, GP_STR("parameters")));
    }
    if (*types_of(plugin, "partitioners", text, sizeof text)) {
        (void)printf("\n  partitioners: %s\n", text);
    }
    return rc;
}

/* ---- the command ---- */

static int show(struct gathering *g)
{
    const bool is_one = g->wanted && !g->ctl->is_quiet;
    int rc = 0;

    if (g->ctl->json) {
        int status = ctl_print_take(g->ctl, show_under_take("plugins", g->list));

        g->list = NULL;
        return status;
    }
    for (size_t i = 0; is_one && rc == 0 && i < value_count(g->list); i++) {
        (void)fputs(i > 0 ? "\n" : "", stdout);
        rc = print_whole(value_at(g->list, i));
    }
    rc = is_one ? rc : print_all(g);
    return rc < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
}

int ctl_plugins(const struct command_spec *spec, const struct options *options, void *context)
{
    struct gathering *g = calloc(1, sizeof *g); /* large */
    struct gp_error err = {0};
    int status;
    int rc;

    (void)spec;
    if (!g) {
        (void)gp_error_set(&err, GP_ENOMEM, "out of memory");
        return ctl_fail(context, &err, "cannot show the plugins");
    }
    g->ctl = context;
    g->wanted = options->operand_count > 0 ? options->operands[0] : NULL;
    rc = gather(g, &err);
    status = rc < 0 ? ctl_fail(g->ctl, &err, "cannot show the plugins") : show(g);
    value_free(g->list);
    free(g);
    return status;
}
