/*
 * ctl_completion.c: gpctl completion, and what only a cluster can complete: its applications,
 * workers and masters; and what only a job's file can: its parameters and processors.
 *
 * A person waits at a prompt: there is one ask, of LOOKUP_TIMEOUT_NS at most, or one file is loaded
 * in a process of its own, for PROBE_TAB_SECONDS at most, and whatever fails fails silently and
 * offers less. Nothing is made on the way, as a first secret would be.
 */
#include <string.h>
#include <unistd.h>

#include "app/completion.h"
#include "app/ctl.h"
#include "app/job.h"
#include "app/plugin_search.h"
#include "app/probe.h"
#include "app/show.h"
#include "app/text.h"
#include "app/tree.h"
#include "base/str.h"
#include "control/plugin_files.h"
#include "edge/fs.h"

#define LOOKUP_TIMEOUT_NS INT64_C(800000000)
#define PROBE_TAB_SECONDS 5
#define WHAT_MAX          512

int ctl_completion(const struct command_spec *spec, const struct options *options, void *context)
{
    struct ctl *ctl = context;
    const char *shell = options->operands[0];
    const char *script = completion_script(shell);
    struct gp_error err = {0};

    (void)spec;
    if (!script) {
        (void)gp_error_set(&err, GP_EINVAL, "bash, zsh and fish are known");
        gp_error_hint(&err, "gpctl completion --help");
        return ctl_fail(ctl, &err, "there is no completion for '%s'", shell);
    }
    (void)fputs(script, stdout);
    return EXIT_STATUS_OK;
}

/* ---- what the cluster has ---- */

/* Under its name and under its id; each says the other. */
static void offer_both(struct completion *c, uint32_t id, const char *name, const char *what)
{
    char id_text[16];
    char text[WHAT_MAX];

    (void)str_format(id_text, sizeof id_text, "%u", id);
    (void)str_format(text, sizeof text, "%s, id %s", what, id_text);
    completion_offer(c, name, text);
    (void)text_show(gp_str_of(name), text, sizeof text);
    completion_offer(c, id_text, text);
}

static int on_apps(void *user, const void *msg)
{
    const struct msg_app_page *page = msg;

    for (uint32_t i = 0; i < page->apps_count; i++) {
        offer_both(user, page->apps[i].id, page->apps[i].name, show_state(page->apps[i].state));
    }
    return 0;
}

static int on_workers(void *user, const void *msg)
{
    const struct msg_worker_page *page = msg;

    for (uint32_t i = 0; i < page->workers_count; i++) {
        offer_both(user, page->workers[i].id, page->workers[i].name,
                   show_worker_state(page->workers[i].state));
    }
    return 0;
}

static int on_masters(void *user, const void *msg)
{
    const struct msg_cluster_info *info = msg;

    for (uint32_t i = 0; i < info->masters_count; i++) {
        completion_offer(user, info->masters[i].address, "a master");
    }
    return 0;
}

/* worker:NAME and label:KEY=VALUE, for the processor that is typed already. */
static int on_places(void *user, const void *msg)
{
    const struct msg_worker_page *page = msg;
    struct completion *c = user;
    char text[WHAT_MAX];
    gp_str processor;
    gp_str rest;

    (void)str_cut(completion_typed(c), '=', &processor, &rest);
    for (uint32_t i = 0; i < page->workers_count; i++) {
        const struct msg_worker_info *worker = &page->workers[i];

        if (str_format(text, sizeof text, "%.*s=worker:%s", STR_ARG(processor), worker->name) > 0) {
            completion_offer(c, text, "this worker alone");
        }
        for (uint32_t k = 0; k < worker->labels_count; k++) {
            if (str_format(text, sizeof text, "%.*s=label:%s", STR_ARG(processor),
                           worker->labels[k]) > 0) {
                completion_offer(c, text, "workers with this label");
            }
        }
    }
    return 0;
}

static void offer_executor(struct completion *c, const struct msg_executor_info *executor)
{
    char id[16];
    char what[WHAT_MAX];
    char shown[WHAT_MAX];

    (void)str_format(what, sizeof what, "%s on worker %u", executor->state, executor->worker);
    (void)str_format(id, sizeof id, "%u", executor->id);
    (void)text_show(gp_str_of(what), shown, sizeof shown);
    completion_offer(c, id, shown);
}

static int on_executors(void *user, const void *msg)
{
    const struct msg_app_description *app = msg;

    completion_offer(user, "0", "the appmaster");
    for (uint32_t i = 0; i < app->live.executors_count; i++) {
        offer_executor(user, &app->live.executors[i]);
    }
    return 0;
}

/* Settings and a secret that are there already; then nobody is asked in vain. */
static bool is_known_here(struct ctl *ctl)
{
    const char *masters = options_text(ctl->options, "master");
    const struct config_override override = {"cluster.masters", masters, "--master"};
    struct gp_error err = {0};
    char own[EDGE_PATH_MAX];
    const char *path;

    if (ctl_configure(ctl, &override, masters ? 1 : 0, &err) < 0) {
        return false;
    }
    path = ctl->config.cluster.secret_file;
    if (!*path) {
        path = edge_secret_path(own, &err) == 0 ? own : "/";
    }
    return access(path, R_OK) == 0;
}

static void ask_cluster(struct completion *c, struct ctl *ctl, enum completion_kind kind)
{
    const struct msg_app_list apps = {.all = true};
    const struct msg_worker_list workers = {0};
    struct msg_app_ref app;
    struct gp_error err = {0};

    if (ctl_connect(ctl, &err) < 0) {
        return;
    }
    switch (kind) {
    case COMPLETION_APP:
        (void)ctl_ask_for(ctl, MSG_APP_LIST, &apps, LOOKUP_TIMEOUT_NS, on_apps, c, &err);
        break;
    case COMPLETION_WORKER:
        (void)ctl_ask_for(ctl, MSG_WORKER_LIST, &workers, LOOKUP_TIMEOUT_NS, on_workers, c, &err);
        break;
    case COMPLETION_MASTER:
        (void)ctl_ask_for(ctl, MSG_CLUSTER_INFO, NULL, LOOKUP_TIMEOUT_NS, on_masters, c, &err);
        break;
    case COMPLETION_PLACE:
        (void)ctl_ask_for(ctl, MSG_WORKER_LIST, &workers, LOOKUP_TIMEOUT_NS, on_places, c, &err);
        break;
    case COMPLETION_EXECUTOR:
        if (ctl->options->operand_count > 0 && ctl_app_ref(ctl->options, &app, &err) == 0) {
            (void)ctl_ask_for(ctl, MSG_APP_DESCRIBE, &app, LOOKUP_TIMEOUT_NS, on_executors, c,
                              &err);
        }
        break;
    default: /* not of a cluster */
        break;
    }
}

/* ---- what stands in files here ---- */

static void offer_plugins(struct completion *c, struct ctl *ctl)
{
    struct plugin_files files = {.count = 0};
    struct plugin_search search;
    struct gp_error err = {0};

    if (plugin_search_find(&search, ctl, &err) < 0) {
        return;
    }
    for (uint32_t d = 0; d < search.count; d++) {
        (void)plugin_files_read(&files, &edge_fs_ops, NULL, search.list[d]);
        for (uint32_t i = 0; i < files.count; i++) {
            completion_offer(c, files.names[i], "a plugin");
        }
    }
    plugin_files_deinit(&files);
}

static void offer_text(struct completion *c, gp_str name, const char *end, gp_str help)
{
    char text[WHAT_MAX];
    char shown[WHAT_MAX];

    (void)text_show(help, shown, sizeof shown);
    if (str_format(text, sizeof text, "%.*s%s", STR_ARG(name), end) > 0) {
        completion_offer(c, text, shown);
    }
}

/* "input=", or once that is typed what it may be: "mode=listen". */
static void offer_parameter(struct completion *c, const struct value *parameter)
{
    const gp_str name = tree_text_of(parameter, "name");
    gp_str choices = tree_text_of(parameter, "choices");
    gp_str typed = completion_typed(c);
    char end[WHAT_MAX];
    gp_str one;

    if (!memchr(typed.ptr, '=', typed.len)) {
        offer_text(c, name, "=", tree_text_of(parameter, "help"));
        return;
    }
    while (choices.len > 0) {
        (void)str_cut(choices, '|', &one, &choices);
        (void)str_format(end, sizeof end, "=%.*s", STR_ARG(one));
        offer_text(c, name, end, GP_STR(""));
    }
}

/* A job's file is loaded, in a process of its own, for what it can be told. */
static void offer_of_job(struct completion *c, struct ctl *ctl, enum completion_kind kind)
{
    struct job job;
    struct probe_spec spec = {.job = &job.spec, .seconds = PROBE_TAB_SECONDS};
    struct probe probe = {0};
    struct plugin_search search;
    struct gp_error err = {0};
    const struct value *list;

    if (ctl->options->operand_count == 0 || plugin_search_find(&search, ctl, &err) < 0 ||
        job_init(&job, ctl->options, &err) < 0) {
        return;
    }
    spec.path = job.note.path;
    spec.dirs = search.list;
    spec.dir_count = search.count;
    if (probe_run(&spec, &probe, &err) == 0) {
        list = kind == COMPLETION_PARAMETER ? probe.parameters
                                            : value_get(probe.plan, GP_STR("processors"));
        for (size_t i = 0; list && i < value_count(list); i++) {
            if (kind == COMPLETION_PARAMETER) {
                offer_parameter(c, value_at(list, i));
            } else {
                offer_text(c, tree_text_of(value_at(list, i), "name"), "=",
                           tree_text_of(value_at(list, i), "type"));
            }
        }
        probe_deinit(&probe);
    }
    job_deinit(&job);
}

/* ---- the lookup ---- */

void ctl_completion_lookup(struct completion *c, enum completion_kind kind,
                           const struct options *options)
{
    const gp_str typed = completion_typed(c);
    const bool has_value = memchr(typed.ptr, '=', typed.len) != NULL;
    struct ctl ctl;

    ctl_open(&ctl, options);
    if (kind == COMPLETION_PLUGIN) {
        offer_plugins(c, &ctl);
    } else if (kind == COMPLETION_PARAMETER || (kind == COMPLETION_PLACE && !has_value) ||
               (kind == COMPLETION_PROCESSOR && !has_value)) {
        offer_of_job(c, &ctl, kind);
    } else if (is_known_here(&ctl)) {
        ask_cluster(c, &ctl, kind);
    }
    ctl_close(&ctl);
}
