/*
 * ctl_validate.c: gpctl validate: all that is wrong with a plugin or an application, and its graph.
 *
 * The file is read, then loaded and built in a process of its own (probe.h). Exit code 0: nothing
 * was found; 1: something was; as usual for what concerns the command line.
 */
#include <stdlib.h>
#include <string.h>

#include "app/ctl.h"
#include "app/job.h"
#include "app/plugin_search.h"
#include "app/probe.h"
#include "app/table.h"
#include "app/text.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define NS_PER_S    INT64_C(1000000000)
#define SECONDS_MAX 3600

struct validating {
    struct ctl *ctl;
    const char *path; /* as it was given */
    struct job job;
    struct plugin_search search;
    struct probe probe;
    int seconds;
};

/* ---- finding out ---- */

static void on_word(void *user, gp_str line)
{
    const struct validating *v = user;

    if (!v->ctl->json && !v->ctl->is_quiet) {
        (void)fputs("it says: ", stderr);
        text_print(stderr, line);
        (void)fputc('\n', stderr);
    }
}

/* The file itself is no plugin: the one finding, for nothing of it can run. */
static int add_file_finding(struct validating *v, const struct gp_error *why)
{
    struct tree t;

    v->probe.findings = value_new_list();
    tree_begin(&t);
    tree_text(&t, "place", "file");
    tree_text(&t, "what", why->text);
    tree_text(&t, "try", why->hint[0] ? why->hint : "gpctl explain not_runnable");
    tree_push_take(&v->probe.findings, tree_end(&t));
    return v->probe.findings ? 0 : GP_ENOMEM;
}

static int find_out(struct validating *v, struct gp_error *err)
{
    struct probe_spec spec = {.dirs = v->search.list,
                              .dir_count = v->search.count,
                              .job = &v->job.spec,
                              .seconds = v->seconds,
                              .on_word = on_word,
                              .user = v};
    int rc = plugin_note_read(v->path, &v->job.note, err);

    if (rc == GP_EABI || rc == GP_EPROTO || rc == GP_ETOOBIG) {
        return add_file_finding(v, err);
    }
    spec.path = v->job.note.path;
    return rc < 0 ? rc : probe_run(&spec, &v->probe, err);
}

static int read_flags(struct validating *v, const struct options *options, struct gp_error *err)
{
    int64_t ns;
    int rc = options_duration(options, "timeout", PROBE_SECONDS * NS_PER_S, &ns, err);

    if (rc == 0 && (ns < NS_PER_S || ns > SECONDS_MAX * NS_PER_S)) {
        rc = gp_error_set(err, GP_EINVAL, "--timeout %s: 1s to 1h are possible",
                          options_text(options, "timeout"));
    }
    v->seconds = (int)(ns / NS_PER_S);
    if (rc == 0) {
        rc = job_init_flags(&v->job, options, err);
    }
    return rc < 0 ? rc : plugin_search_find(&v->search, v->ctl, err);
}

/* ---- saying it ---- */

static int print_processors(const struct value *plan)
{
    static const struct table_column columns[] = {{"PROCESSOR", TABLE_LEFT},
                                                  {"TYPE", TABLE_LEFT},
                                                  {"PLUGIN", TABLE_LEFT},
                                                  {"TASKS", TABLE_RIGHT}};
    const struct value *list = value_get(plan, GP_STR("processors"));
    const struct value *plugins = value_get(plan, GP_STR("plugins"));
    struct table t;
    int rc;

    table_init(&t, columns, ARRAY_LEN(columns));
    for (size_t i = 0; list && i < value_count(list); i++) {
        const struct value *p = value_at(list, i);
        size_t plugin = (size_t)tree_i64_of(p, "plugin");

        table_cell(&t, "%.*s", STR_ARG(tree_text_of(p, "name")));
        table_cell(&t, "%.*s", STR_ARG(tree_text_of(p, "type")));
        if (plugins && plugin < value_count(plugins)) {
            table_cell(&t, "%.*s", STR_ARG(tree_text_of(value_at(plugins, plugin), "name")));
        } else {
            table_cell(&t, "%s", "");
        }
        table_cell(&t, "%lld", (long long)tree_i64_of(p, "parallelism"));
    }
    rc = table_print(&t, stdout, 0);
    table_deinit(&t);
    return rc;
}

static void print_findings(const struct validating *v)
{
    const size_t count = value_count(v->probe.findings);

    for (size_t i = 0; i < count; i++) {
        const struct value *finding = value_at(v->probe.findings, i);

        (void)printf("%zu. %.*s: ", i + 1, STR_ARG(tree_text_of(finding, "place")));
        text_print(stdout, tree_text_of(finding, "what"));
        (void)fputs("\n   try: ", stdout);
        text_print(stdout, tree_text_of(finding, "try"));
        (void)fputc('\n', stdout);
    }
    if (count > 0) {
        (void)printf("%s: %zu finding%s\n", v->path, count, count == 1 ? "" : "s");
    } else {
        (void)printf("%s: OK\n", v->path);
    }
}

static int say(struct validating *v)
{
    const bool is_good = value_count(v->probe.findings) == 0;
    int status = EXIT_STATUS_OK;
    struct tree t;

    if (v->ctl->json) {
        tree_begin(&t);
        tree_text(&t, "file", v->path);
        tree_bool(&t, "valid", is_good);
        tree_take(&t, "findings", v->probe.findings);
        tree_take(&t, "plugin", v->probe.plugin ? v->probe.plugin : value_new_null());
        tree_take(&t, "plan", v->probe.plan ? v->probe.plan : value_new_null());
        tree_take(&t, "parameters", v->probe.parameters ? v->probe.parameters : value_new_list());
        v->probe = (struct probe){0};
        status = ctl_print_take(v->ctl, tree_end(&t));
    } else {
        if (v->probe.plan && !v->ctl->is_quiet && print_processors(v->probe.plan) < 0) {
            status = EXIT_STATUS_FAILED;
        }
        print_findings(v);
    }
    return is_good ? status : EXIT_STATUS_FAILED;
}

int ctl_validate(const struct command_spec *spec, const struct options *options, void *context)
{
    struct validating *v = calloc(1, sizeof *v); /* large */
    struct gp_error err = {0};
    int status;
    int rc;

    (void)spec;
    if (!v) {
        (void)gp_error_set(&err, GP_ENOMEM, "out of memory");
        return ctl_fail(context, &err, "cannot validate %s", options->operands[0]);
    }
    v->ctl = context;
    v->path = options->operands[0];
    rc = read_flags(v, options, &err);
    if (rc == 0) {
        rc = find_out(v, &err);
    }
    status = rc < 0 ? ctl_fail(v->ctl, &err, "cannot validate %s", v->path) : say(v);
    probe_deinit(&v->probe);
    job_deinit(&v->job);
    free(v);
    return status;
}
