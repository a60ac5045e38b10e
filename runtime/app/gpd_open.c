/*
 * gpd_open.c: beginning and end of a daemon; see gpd.h.
 *
 * Flags are put into the environment once they are read, so that the children of a worker have the
 * same settings as their parent without another word.
 *
 * Fails when: settings are wrong, the secret cannot be read or made, descriptors or memory are
 * short.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/api.h"
#include "app/gpd.h"
#include "app/logs.h"
#include "app/process_dir.h"
#include "app/tree.h"
#include "base/assert.h"
#include "base/str.h"

#define KEY_MAX 128

/* Flags that are short for a key. */
static const struct {
    const char *flag;
    const char *key;
} flag_keys[] = {
    {"host", "bind"},           {"data", "data_dir"},         {"masters", "cluster.masters"},
    {"slots", "worker.slots"},  {"name", "worker.name"},      {"lanes", "worker.lanes"},
    {"log-level", "log.level"}, {"log-format", "log.format"},
};

/* ---- settings ---- */

struct overrides {
    struct config_override list[CONFIG_OVERRIDES_MAX];
    char keys[CONFIG_OVERRIDES_MAX][KEY_MAX];
    char origins[CONFIG_OVERRIDES_MAX][KEY_MAX];
    uint32_t count;
};

static void add(struct overrides *o, gp_str key, const char *text, const char *flag)
{
    struct config_override *override = &o->list[o->count];

    (void)str_format(o->keys[o->count], KEY_MAX, "%.*s", STR_ARG(key));
    (void)str_format(o->origins[o->count], KEY_MAX, "--%s", flag);
    *override = (struct config_override){o->keys[o->count], text, o->origins[o->count]};
    o->count++;
}

static int gather(struct overrides *o, const struct options *options, struct gp_error *err)
{
    const char *text;

    o->count = 0;
    for (size_t i = 0; i < ARRAY_LEN(flag_keys); i++) {
        text = options_text(options, flag_keys[i].flag);
        if (text) {
            add(o, gp_str_of(flag_keys[i].key), text, flag_keys[i].flag);
        }
    }
    for (uint32_t i = 0; (text = options_nth(options, "set", i)) != NULL; i++) {
        gp_str key;
        gp_str value;
        int rc = options_pair("set", text, &key, &value, err);

        if (rc < 0) {
            return rc;
        }
        if (o->count == CONFIG_OVERRIDES_MAX) {
            return gp_error_set(err, GP_EINVAL, "more than %u settings", CONFIG_OVERRIDES_MAX);
        }
        add(o, key, value.ptr, "set");
    }
    return 0;
}

static int export(const char *key, const char *text)
{
    char name[CONFIG_KEY_MAX];

    return setenv(config_variable(key, name), text, 1) == 0 ? 0 : GP_ENOMEM;
}

static int export_all(const struct overrides *o, const char *path)
{
    char *absolute;
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < o->count; i++) {
        rc = export(o->list[i].key, o->list[i].text);
    }
    if (rc == 0 && path) {
        absolute = realpath(path, NULL);
        rc = absolute && setenv(CONFIG_PATH_ENV, absolute, 1) == 0 ? 0 : GP_ENOMEM;
        free(absolute);
    }
    return rc;
}

int gpd_configure(struct gpd *g, const struct options *options, struct gp_error *err)
{
    struct overrides overrides;
    struct config_sources from = {.path = options_text(options, "config"),
                                  .environment = (const char *const *)environ,
                                  .overrides = overrides.list};
    struct buf mistakes = {0};
    int rc = gather(&overrides, options, err);

    *g = (struct gpd){.options = options};
    if (rc < 0) {
        return rc;
    }
    from.override_count = overrides.count;
    rc = config_load(&from, &g->config, &mistakes, err);
    if (rc == GP_EINVAL) {
        rc = gp_error_set(err, rc, "%s", buf_c(&mistakes));
        gp_error_hint(err, "gpd help config");
    }
    buf_deinit(&mistakes);
    if (rc < 0) {
        return rc;
    }
    g->is_configured = true;
    rc = export_all(&overrides, from.path);
    return rc < 0 ? gp_error_set(err, rc, "%s", error_sentence(rc)) : 0;
}

/* ---- beginning ---- */

static void on_stop(void *user, int signal, int count)
{
    struct gpd *g = user;

    if (count > 1) {
        _exit(128 + signal); /* a person will not wait; children die with us */
    }
    LOG_INFO(&g->log, "gpd.stopping", KV_I64("signal", signal));
    g->stop_signal = signal;
    gpd_notify_stopping(g);
    edge_stop(g->world);
}

int gpd_open(struct gpd *g, const char *node, struct gp_error *err)
{
    struct edge_options options = {.log = &g->log};
    char runtime[EDGE_PATH_MAX];
    int rc;

    logs_init(&g->log, (enum log_level)g->config.log.level, (enum log_format)g->config.log.format,
              node);
    rc = config_read_secret(&g->config, &g->secret, err);
    if (rc == 0) {
        rc = edge_world_new(&options, &g->world, err);
    }
    if (rc == 0) {
        rc = edge_signals_new(g->world, on_stop, g, &g->signals, err);
    }
    if (rc == 0) {
        rc = edge_runtime_dir(runtime, err);
    }
    return rc < 0 ? rc : process_dir_make(edge_port(g->world), runtime, "", g->sockets, err);
}

void gpd_close(struct gpd *g)
{
    if (g->world) {
        process_dir_remove(edge_port(g->world), g->sockets);
    }
    api_free(g->api);
    timer_free(g->watchdog);
    edge_signals_free(g->signals);
    edge_world_free(g->world);
    if (g->is_configured) {
        config_deinit(&g->config);
    }
    explicit_bzero(&g->secret, sizeof g->secret);
    *g = (struct gpd){0};
}

/* ---- running ---- */

bool gpd_run_until(struct gpd *g, bool (*is_ready)(void *user), void *user)
{
    while (g->stop_signal == 0) {
        if (is_ready(user)) {
            return true;
        }
        edge_step(g->world, true);
    }
    return false;
}

void gpd_run(struct gpd *g)
{
    if (g->stop_signal == 0) {
        edge_run(g->world);
    }
}

static int write_ready_file(const struct gpd *g, const char *path, const struct value *tree,
                            struct gp_error *err)
{
    const struct port *port = edge_port(g->world);
    char absolute[2 * EDGE_PATH_MAX];
    char folder[EDGE_PATH_MAX] = "";
    struct buf text = {0};
    int rc = value_print_json(tree, &text, VALUE_COMPACT);

    if (path[0] != '/' && !getcwd(folder, sizeof folder)) {
        folder[0] = '\0';
    }
    if (rc == 0) {
        rc = buf_append(&text, "\n", 1);
    }
    if (rc == 0) {
        rc = str_format(absolute, sizeof absolute, "%s%s%s", folder, *folder ? "/" : "", path);
    }
    if (rc < 0) {
        rc = gp_error_set(err, rc, "--ready-file %s: %s", path, error_sentence(rc));
    } else {
        rc = port->fs->write_file(port->world, absolute, buf_bytes(&text), 0644, err);
    }
    buf_deinit(&text);
    return rc;
}

int gpd_announce_take(struct gpd *g, const char *line, struct value *tree, struct gp_error *err)
{
    const char *path = options_text(g->options, "ready-file");
    struct tree t = {tree};
    int rc = 0;

    if (g->api) {
        tree_text(&t, "http", api_url(g->api));
        tree_text(&t, "http_token_file", api_token_path(g->api));
    }
    tree_i64(&t, "pid", getpid());
    tree = tree_end(&t);
    if (!tree) {
        rc = gp_error_set(err, GP_ENOMEM, "out of memory");
    } else if (path) {
        rc = write_ready_file(g, path, tree, err);
    }
    value_free(tree);
    if (rc == 0) {
        (void)printf("%s%s%s\n", line, g->api ? " http=" : "", g->api ? api_url(g->api) : "");
        (void)fflush(stdout); /* whoever does not listen does not matter */
        gpd_notify_ready(g);
    }
    return rc;
}

int gpd_fail(const struct gp_error *err, const char *what, ...)
{
    char text[256];
    va_list args;

    va_start(args, what);
    (void)str_vformat(text, sizeof text, what, args);
    va_end(args);
    return fail_print(stderr, FAIL_PLAIN, text, err, "gpd help");
}
