/*
 * probe_child.c: the side of a probe that runs user code; see probe.h.
 *
 * Records, a line of JSON each: {"at": what is about to be called} before user code runs, so that
 * the other side knows where it was lost; {"finding": {...}}; {"plugin": {...}}; {"plan": ...};
 * {"parameters": [...]}; {"done": true}.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/fail.h"
#include "app/probe.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"
#include "edge/paths.h"
#include "edge/world.h"
#include "graph/build.h"
#include "graph/plugin_load.h"

struct child {
    const struct probe_spec *spec;
    const struct port *port;
    FILE *records;
    struct plugin plugins[PLAN_PLUGINS_MAX]; /* the first is what is probed */
    struct build_plugin resolved[PLAN_PLUGINS_MAX];
    char paths[PLAN_PLUGINS_MAX][EDGE_PATH_MAX];
    struct build_parallelism parallelism[MSG_PROCESSORS_MAX];
};

/* ---- records ---- */

static void tell_take(const struct child *c, const char *name, struct value *content)
{
    struct buf text = {0};
    struct tree t;
    struct value *record;

    tree_begin(&t);
    tree_take(&t, name, content);
    record = tree_end(&t);
    if (record && value_print_json(record, &text, VALUE_COMPACT) == 0) {
        (void)fprintf(c->records, "%.*s\n", STR_ARG(buf_str(&text)));
    }
    (void)fflush(c->records); /* what follows may end us */
    value_free(record);
    buf_deinit(&text);
}

static void tell_step(const struct child *c, const char *step)
{
    tell_take(c, "at", value_new_str(gp_str_of(step)));
}

static void tell_finding(const struct child *c, const char *place, gp_str what, const char *remedy)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "place", place);
    tree_take(&t, "what", value_new_str(what));
    tree_text(&t, "try", remedy);
    tell_take(c, "finding", tree_end(&t));
}

/* One finding a line of a list of mistakes, or the whole text. */
static void tell_findings(const struct child *c, const char *place, gp_str text, const char *remedy)
{
    gp_str path = gp_str_of(c->spec->path);
    gp_str rest;
    gp_str line;
    bool is_list;

    while (str_starts_with(text, path) && text.len > path.len + 2) { /* the reader knows it */
        text = (gp_str){text.ptr + path.len + 2, text.len - path.len - 2};
    }
    rest = text;
    is_list = memmem(text.ptr, text.len, "\n  ", 3) != NULL;
    while (is_list && rest.len > 0) {
        bool is_title = rest.ptr == text.ptr && rest.ptr[0] != '\n';

        (void)str_cut(rest, '\n', &line, &rest);
        line = str_trim(line);
        if (!is_title && line.len > 0) {
            tell_finding(c, place, line, remedy);
        }
    }
    if (!is_list) {
        tell_finding(c, place, text, remedy);
    }
}

/* ---- what a plugin brings ---- */

static struct value *parameter_tree(const struct gp_parameter *p)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "name", p->name);
    tree_text(&t, "type", gp_parameter_type_name(p->type));
    tree_bool(&t, "required", (p->flags & GP_PARAMETER_REQUIRED) != 0);
    tree_text(&t, "default", p->fallback);
    tree_text(&t, "min", p->min);
    tree_text(&t, "max", p->max);
    tree_text(&t, "choices", p->choices);
    tree_text(&t, "help", p->help);
    return tree_end(&t);
}

static struct value *processor_tree(const struct gp_processor *table)
{
    struct value *parameters = value_new_list();
    struct tree t;

    for (uint32_t i = 0; i < gp_processor_parameter_count(table); i++) {
        tree_push_take(&parameters, parameter_tree(gp_processor_parameter(table, i)));
    }
    tree_begin(&t);
    tree_text(&t, "type", table->type);
    tree_bool(&t, "source", table->poll != NULL);
    tree_bool(&t, "stateful", (table->flags & GP_PROCESSOR_STATEFUL) != 0);
    tree_bool(&t, "snapshot", table->snapshot != NULL);
    tree_bool(&t, "blocking", (table->flags & GP_PROCESSOR_BLOCKING) != 0);
    tree_take(&t, "parameters", parameters);
    return tree_end(&t);
}

static struct value *plugin_tree(const struct plugin *plugin)
{
    struct value *processors = value_new_list();
    struct value *partitioners = value_new_list();
    struct tree t;

    for (uint32_t i = 0; plugin->catalog && i < plugin->catalog->count; i++) {
        const struct gp_processor *table = plugin->catalog->tables[i]; /* all begin alike */

        if (table->kind == GP_KIND_PROCESSOR) {
            tree_push_take(&processors, processor_tree(table));
        } else if (table->kind == GP_KIND_PARTITIONER) {
            tree_push_take(&partitioners, value_new_str(gp_str_of(table->type)));
        }
    }
    tree_begin(&t);
    tree_text(&t, "name", plugin->entry->name);
    tree_text(&t, "version", plugin->entry->version);
    tree_bool(&t, "app", plugin->app != NULL && plugin->app->build != NULL);
    tree_take(&t, "processors", processors);
    tree_take(&t, "partitioners", partitioners);
    return tree_end(&t);
}

/* ---- its graph ---- */

/* As a master looks for it: NAME.so in the folders, the first first. */
static bool find_plugin(const struct child *c, const char *name, char path[EDGE_PATH_MAX])
{
    for (uint32_t i = 0; i < c->spec->dir_count; i++) {
        if (str_format(path, EDGE_PATH_MAX, "%s/%s.so", c->spec->dirs[i], name) > 0 &&
            access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

/* A plugin that cannot be had is a finding; its place stays empty. */
static void load_named(struct child *c, uint32_t index, const char *name)
{
    struct gp_error err = {0};
    char place[GP_NAME_MAX_BYTES + 16];
    char text[256];

    (void)str_format(place, sizeof place, "plugin %s", name);
    c->resolved[index].name = name;
    c->resolved[index].version = "";
    c->resolved[index].sha256 = "";
    if (!find_plugin(c, name, c->paths[index])) {
        (void)str_format(text, sizeof text, "the graph names it, and there is no %s.so", name);
        tell_finding(c, place, gp_str_of(text),
                     "gpctl plugins shows those there are; --dir and plugins.path name folders");
        return;
    }
    tell_step(c, place);
    if (plugin_load(c->port, c->paths[index], build_host(), &c->plugins[index], &err) < 0) {
        tell_findings(c, place, gp_str_of(err.text), "gpctl validate that file");
        return;
    }
    c->resolved[index].name = c->plugins[index].entry->name;
    c->resolved[index].version = c->plugins[index].entry->version;
    c->resolved[index].catalog = c->plugins[index].catalog;
}

static struct value *told_tree(const char *name, const char *choices, const char *help)
{
    struct tree t;

    tree_begin(&t);
    tree_text(&t, "name", name);
    tree_text(&t, "choices", choices);
    tree_text(&t, "help", help);
    return tree_end(&t);
}

static void add_parameters_of(const struct child *c, const struct plan_processor *p,
                              struct value **list)
{
    const struct gp_processor *table = plugin_processor(&c->plugins[p->plugin], p->type);
    char name[2 * GP_NAME_MAX_BYTES];

    for (uint32_t i = 0; table && i < gp_processor_parameter_count(table); i++) {
        const struct gp_parameter *parameter = gp_processor_parameter(table, i);

        if (str_format(name, sizeof name, "%s.%s", p->name, parameter->name) > 0) {
            tree_push_take(list, told_tree(name, parameter->choices, parameter->help));
        }
    }
}

/* What build() asked for, and what its processors say; without a plan there are none. */
static void tell_parameters(const struct child *c, const struct build *b, const struct plan *plan)
{
    struct value *list = value_new_list();

    for (uint32_t i = 0; i < build_asked_count(b); i++) {
        tree_push_take(&list, told_tree(build_asked(b, i), NULL, ""));
    }
    for (uint32_t i = 0; plan && i < plan->processor_count; i++) {
        add_parameters_of(c, &plan->processors[i], &list);
    }
    tell_take(c, "parameters", list);
}

static void finish(struct child *c, struct build *b)
{
    struct plan *plan = NULL;
    struct value *tree = NULL;
    struct gp_error err = {0};
    int rc;

    c->resolved[0] = (struct build_plugin){c->plugins[0].entry->name, c->plugins[0].entry->version,
                                           "", c->plugins[0].catalog};
    for (uint32_t i = 0; i < build_plugin_count(b); i++) {
        load_named(c, i + 1, build_plugin_name(b, i));
    }
    rc = build_finish(b, c->resolved, &plan, &err);
    if (rc == GP_EINVAL) {
        tell_findings(c, "graph", build_mistakes(b),
                      "mend build() or the flag; gpctl plugins shows what can be told");
    } else if (rc < 0) {
        tell_finding(c, "graph", gp_str_of(err.text), "");
    } else if (plan_encode(plan, &tree) == 0) {
        tell_take(c, "plan", tree);
    }
    tell_parameters(c, b, plan);
    plan_free(plan);
}

static void build(struct child *c)
{
    const struct msg_app_submit *job = c->spec->job;
    const struct plugin *plugin = &c->plugins[0];
    struct build_options options = {.app_name = *job->name ? job->name : plugin->entry->name,
                                    .host = build_host(),
                                    .catalog = plugin->catalog,
                                    .config = (const struct plan_config *)job->config,
                                    .config_count = job->config_count,
                                    .parallelism = c->parallelism,
                                    .parallelism_count = job->parallelism_count};
    struct build *b = NULL;

    /* The same two pointers: see planning.c. */
    _Static_assert(sizeof(struct plan_config) == sizeof(struct msg_config) &&
                       offsetof(struct plan_config, value) == offsetof(struct msg_config, value),
                   "msg_config and plan_config are alike");
    for (uint32_t i = 0; i < job->parallelism_count && i < ARRAY_LEN(c->parallelism); i++) {
        c->parallelism[i] =
            (struct build_parallelism){job->parallelism[i].processor, job->parallelism[i].count};
    }
    if (build_new(&options, &b) < 0) {
        tell_finding(c, "graph", GP_STR("out of memory"), "");
        return;
    }
    tell_step(c, "build");
    port_enter(c->port, plugin->entry->name, "build");
    if (plugin->app->build(build_service(b)) != GP_OK) {
        build_refused(b);
    }
    port_enter(c->port, NULL, NULL);
    finish(c, b);
    build_free(b);
}

/* ---- all of it ---- */

static void probe(struct child *c)
{
    struct gp_error err = {0};

    tell_step(c, "load");
    if (plugin_load(c->port, c->spec->path, build_host(), &c->plugins[0], &err) < 0) {
        tell_findings(c, "load", gp_str_of(err.text),
                      err.hint[0] ? err.hint : "sdk/README.md says what must hold of a plugin");
        return;
    }
    tell_take(c, "plugin", plugin_tree(&c->plugins[0]));
    if (c->spec->job && c->plugins[0].app && c->plugins[0].app->build) {
        build(c);
    }
    tell_step(c, "unload");
    for (uint32_t i = PLAN_PLUGINS_MAX; i > 0; i--) {
        plugin_unload(c->port, &c->plugins[i - 1]);
    }
}

int probe_child(const struct probe_spec *spec, int records_fd)
{
    struct child *c = calloc(1, sizeof *c); /* large */
    struct edge_world *world = NULL;
    int rc = c ? edge_world_new(NULL, &world, NULL) : GP_ENOMEM;

    if (rc == 0) {
        c->spec = spec;
        c->port = edge_port(world);
        c->records = fdopen(records_fd, "w");
        rc = c->records ? 0 : GP_ENOMEM;
    }
    if (rc == 0) {
        probe(c);
        edge_world_free(world);
        tell_take(c, "done", value_new_bool(true));
        (void)fclose(c->records);
    }
    free(c);
    return rc < 0 ? EXIT_STATUS_FAILED : EXIT_STATUS_OK;
}
