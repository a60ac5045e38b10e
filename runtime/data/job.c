/* job.c: see job.h. */
#include "data/job.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "data/service.h"

/* Parameters of one processor: its own first, then those of the application; but who says in a
 * table what it can be told is told nothing that was meant for others. */
struct job_config {
    struct gp_config view;
    const struct plan *plan;
    const struct plan_processor *processor; /* NULL: the application's only */
    bool own_only;
};

struct job {
    const struct port *port;
    struct plan *plan;
    struct data_options options;
    struct gp_host host;
    struct plugin *plugins;     /* [plan plugin] */
    struct job_config *configs; /* [processor], and the application's behind them */
    struct lane_processor *processors;
    const struct gp_partitioner **partitioners; /* [edge] */
};

static gp_str find(const struct plan_config *config, uint32_t count, const char *key)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(config[i].key, key) == 0) {
            return gp_str_of(config[i].value);
        }
    }
    return (gp_str){0};
}

static gp_str config_get(const struct gp_config *config, const char *key)
{
    const struct job_config *c = config->host;
    gp_str value = {0};

    if (c->processor) {
        value = find(c->processor->config, c->processor->config_count, key);
    }
    return value.ptr || c->own_only ? value : find(c->plan->config, c->plan->config_count, key);
}

static int plugin_path(const char *artefacts, const char *sha, char *path, size_t cap)
{
    /* The store's own layout; a name that is no hash must not become a path. */
    if (strlen(sha) != 64 || strspn(sha, "0123456789abcdef") != 64) {
        return GP_EINVAL;
    }
    return str_format(path, cap, "%s/sha256/%.2s/%s", artefacts, sha, sha);
}

static int load_plugins(struct job *job, const char *artefacts, struct gp_error *err)
{
    char path[4096];

    job->plugins = calloc(job->plan->plugin_count, sizeof *job->plugins);
    if (!job->plugins) {
        return gp_error_set(err, GP_ENOMEM, "loading plugins");
    }
    for (uint32_t i = 0; i < job->plan->plugin_count; i++) {
        const struct plan_plugin *plugin = &job->plan->plugins[i];
        int rc = plugin_path(artefacts, plugin->sha256, path, sizeof path);
        if (rc < 0) {
            return gp_error_set(err, rc, "plugin '%s': '%s' is no sha256", plugin->name,
                                plugin->sha256);
        }
        rc = plugin_load(job->port, path, &job->host, &job->plugins[i], err);
        if (rc < 0) {
            gp_error_prefix(err, "plugin '%s'", plugin->name);
            return rc;
        }
    }
    return 0;
}

static void set_config(struct job *job, uint32_t at, const struct plan_processor *processor)
{
    struct job_config *c = &job->configs[at];

    *c = (struct job_config){.plan = job->plan, .processor = processor};
    c->view = (struct gp_config){.size = sizeof c->view, .get = config_get, .host = c};
}

static int find_tables(struct job *job, struct gp_error *err)
{
    const struct plan *plan = job->plan;

    job->configs = calloc(plan->processor_count + 1, sizeof *job->configs);
    job->processors = calloc(plan->processor_count, sizeof *job->processors);
    job->partitioners = calloc(plan->edge_count + 1, sizeof *job->partitioners);
    if (!job->configs || !job->processors || !job->partitioners) {
        return gp_error_set(err, GP_ENOMEM, "finding processors");
    }
    set_config(job, plan->processor_count, NULL);
    for (uint32_t i = 0; i < plan->processor_count; i++) {
        const struct plan_processor *p = &plan->processors[i];
        const struct plugin *plugin = &job->plugins[p->plugin];
        set_config(job, i, p);
        job->processors[i] = (struct lane_processor){.table = plugin_processor(plugin, p->type),
                                                     .plugin = plugin->entry->name,
                                                     .host = &job->host,
                                                     .config = &job->configs[i].view};
        job->configs[i].own_only =
            job->processors[i].table && gp_processor_parameter_count(job->processors[i].table) > 0;
        if (!job->processors[i].table) {
            return gp_error_set(err, GP_ENOENT, "plugin '%s' has no processor '%s'",
                                plugin->entry->name, p->type);
        }
    }
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct plan_edge *e = &plan->edges[i];
        if (e->partitioner == PLAN_CUSTOM) {
            job->partitioners[i] = plugin_partitioner(&job->plugins[e->custom_plugin], e->custom);
            if (!job->partitioners[i]) {
                return gp_error_set(err, GP_ENOENT, "plugin '%s' has no partitioner '%s'",
                                    plan->plugins[e->custom_plugin].name, e->custom);
            }
        }
    }
    return 0;
}

int job_new(const struct port *port, const struct msg_executor_assign *msg, const char *artefacts,
            const struct data_options *otherwise, struct job **ret, struct gp_error *err)
{
    struct job *job = calloc(1, sizeof *job);
    int rc;

    if (!job) {
        return gp_error_set(err, GP_ENOMEM, "taking an assignment");
    }
    job->port = port;
    job->host = (struct gp_host){.size = sizeof job->host,
                                 .abi_major = GP_ABI_MAJOR,
                                 .abi_minor = GP_ABI_MINOR,
                                 .version = GP_VERSION,
                                 .service = service_find};
    rc = plan_decode(msg->plan, &job->plan, err);
    rc = rc < 0 ? rc : data_options_from_plan(job->plan, otherwise, &job->options, err);
    rc = rc < 0 ? rc : load_plugins(job, artefacts, err);
    rc = rc < 0 ? rc : find_tables(job, err);
    if (rc < 0) {
        job_free(job);
        return rc;
    }
    *ret = job;
    return 0;
}

void job_free(struct job *job)
{
    if (!job) {
        return;
    }
    for (uint32_t i = 0; job->plugins && i < job->plan->plugin_count; i++) {
        plugin_unload(job->port, &job->plugins[i]);
    }
    free(job->plugins);
    free(job->configs);
    free(job->processors);
    free(job->partitioners);
    plan_free(job->plan);
    free(job);
}

const struct plan *job_plan(const struct job *job)
{
    return job->plan;
}

void job_describe(const struct job *job, struct engine_job *ret)
{
    *ret = (struct engine_job){.plan = job->plan,
                               .options = &job->options,
                               .processors = job->processors,
                               .partitioners = job->partitioners,
                               .config = &job->configs[job->plan->processor_count].view};
}
