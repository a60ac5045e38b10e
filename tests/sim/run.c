/* run.c: what all scenarios share. See seeds.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "seeds.h"

#define JOB_LIMIT_MS 120000

int run_fail(struct run *run, const char *format, ...)
{
    va_list args;

    if (run->wrong[0] == '\0') {
        va_start(args, format);
        (void)vsnprintf(run->wrong, sizeof run->wrong, format, args);
        va_end(args);
    }
    return -1;
}

int run_begin(struct run *run, struct cluster *c)
{
    c->is_varied = true;
    if (realm_begin(c, run->seed, run->is_verbose) < 0) {
        return run_fail(run, "the workers did not find their master");
    }
    coverage_note(run->coverage, c->lanes == 1 ? "shape.one_lane" : "shape.many_lanes");
    if (c->worker_hosts < CLUSTER_WORKERS) {
        coverage_note(run->coverage, "shape.shared_host");
    }
    if (c->was_master_late) {
        coverage_note(run->coverage, "shape.master_late");
    }
    return 0;
}

/* Where a job stands that does not come to its end. */
static void explain(struct run *run, struct cluster *c)
{
    if (!run->is_verbose || cluster_describe(c) < 0) {
        return;
    }
    for (uint32_t i = 0; i < c->described.live.processors_count; i++) {
        const struct msg_processor_stats *p = &c->described.live.processors[i];

        fprintf(stderr, "processor %u: %u tasks run, %u ended, %" PRIu64 " in, %" PRIu64 " out\n",
                p->processor, p->tasks_running, p->tasks_ended, p->in, p->out);
    }
}

static void show(const char *const *texts)
{
    for (; texts && *texts; texts++) {
        fprintf(stderr, " %s", *texts);
    }
}

int run_job(struct run *run, struct cluster *c, const struct cluster_job *job)
{
    int rc;

    if (run->is_verbose) {
        fprintf(stderr, "%s, %u executors:", job->plugin, job->executors);
        show(job->config);
        show(job->parallelism);
        fprintf(stderr, "\n");
    }
    rc = cluster_submit(c, job);

    if (rc < 0) {
        return run_fail(run, "submitting failed: %s", c->err.text);
    }
    rc = cluster_wait_end(c, JOB_LIMIT_MS);
    if (rc < 0) {
        explain(run, c);
        return run_fail(run, "waiting failed: %s: %s", error_name(rc), c->err.text);
    }
    coverage_note(run->coverage,
                  c->summary.executors == 1 ? "shape.one_executor" : "shape.many_executors");
    return rc == APP_FINISHED ? 0 : run_fail(run, "the job %s: %s", app_state_names[rc], c->error);
}

int run_end(struct run *run, struct cluster *c)
{
    int rc = run->wrong[0] == '\0' ? cluster_rest(c) : 0;

    if (rc == GP_ETIMEOUT) {
        (void)run_fail(run, "a process of the job is left");
    } else if (rc < 0) {
        (void)run_fail(run, "slots of the job are still taken (%s)", error_name(rc));
    }
    coverage_add(run->coverage, c->sim);
    run->trace_hash = sim_trace_hash(c->sim);
    run->events = sim_events(c->sim);
    run->took_ns = sim_now_ns(c->sim);
    rc = cluster_end(c);
    if (rc < 0) {
        return run_fail(run, "a daemon did not end when it was told to");
    }
    return rc == 0 ? 0 : run_fail(run, "%d things were not given back", rc);
}

void params_add(struct params *params, const char *format, ...)
{
    char *text = params->texts[params->count];
    va_list args;
    int len;

    ASSERT(params->count < CLUSTER_PAIRS);
    va_start(args, format);
    len = vsnprintf(text, sizeof params->texts[0], format, args);
    va_end(args);
    ASSERT(len > 0 && (size_t)len < sizeof params->texts[0]);
    params->list[params->count++] = text;
}

void params_add_data(struct params *params, struct rng *rng)
{
    static const char *const edges[] = {"auto", "auto", "unix", "tcp"};

    if (rng_below(rng, 2) == 0) {
        return;
    }
    params_add(params, "data.window_bytes=%u", 1024u << rng_below(rng, 6));
    params_add(params, "data.batch_bytes=%u", 1024u << rng_below(rng, 6));
    params_add(params, "data.slice_rows=%u", 1u << rng_below(rng, 8));
    params_add(params, "data.linger=%uus", 1u << rng_below(rng, 11));
    params_add(params, "data.edge=%s", edges[rng_below(rng, 4)]);
}
