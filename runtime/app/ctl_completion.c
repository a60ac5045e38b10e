/*
 * ctl_completion.c: gpctl completion, and what only a cluster can complete: its applications,
 * workers and masters.
 *
 * A person waits at a prompt: there is one ask, of LOOKUP_TIMEOUT_NS at most, and whatever fails
 * fails silently and offers less. Nothing is made on the way, as a first secret would be.
 */
#include <string.h>
#include <unistd.h>

#include "app/completion.h"
#include "app/ctl.h"
#include "app/show.h"
#include "app/text.h"
#include "base/str.h"

#define LOOKUP_TIMEOUT_NS INT64_C(800000000)
#define WHAT_MAX          192

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
    }
}

void ctl_completion_lookup(struct completion *c, enum completion_kind kind,
                           const struct options *options)
{
    struct ctl ctl;

    ctl_open(&ctl, options);
    if (is_known_here(&ctl)) {
        ask_cluster(c, &ctl, kind);
    }
    ctl_close(&ctl);
}
