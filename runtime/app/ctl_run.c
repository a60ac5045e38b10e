/*
 * ctl_run.c: gpctl run: a job with no cluster, every role inside this process.
 *
 * The same actors, messages and files as on a cluster, and the same client; only children are
 * hosted (inside.h). An interrupt kills the job and waits for its end; a second one ends the
 * process at once.
 */
#include <unistd.h>

#include "app/ctl.h"
#include "app/follow.h"
#include "app/inside.h"
#include "app/job.h"
#include "app/upload.h"
#include "base/str.h"

#define EXECUTORS_MAX_INSIDE 64u
#define LANES_MAX            64u
#define KILL_NS              INT64_C(10000000000)

struct running {
    struct ctl *ctl;
    struct job job;
    struct inside *inside;
    struct gp_error err;
    uint32_t id;
};

/* Nothing of this machine's configuration that concerns a cluster counts here. */
static int configure(struct running *r, const struct options *options)
{
    const char *lanes = options_text(options, "lanes");
    const struct config_override overrides[] = {
        {"bind", "127.0.0.1", "run"},
        {"advertise", "", "run"},
        {"worker.name", "", "run"},
        {"worker.slots", "100000", "run"},
        {"log.format", r->ctl->json ? "json" : "text", "run"},
        {"worker.lanes", lanes ? lanes : "0", "--lanes"},
    };

    return ctl_configure(r->ctl, overrides, sizeof overrides / sizeof overrides[0], &r->err);
}

static int read_flags(struct running *r, const struct options *options)
{
    uint64_t lanes;
    int rc = options_u64(options, "lanes", 1, LANES_MAX, 1, &lanes, &r->err);

    if (rc == 0) {
        rc = job_init(&r->job, options, &r->err);
    }
    if (rc == 0 && r->job.spec.executors > EXECUTORS_MAX_INSIDE) {
        rc = gp_error_set(&r->err, GP_EINVAL, "--executors %u: at most %u in one process",
                          r->job.spec.executors, EXECUTORS_MAX_INSIDE);
    }
    return rc < 0 ? rc : configure(r, options);
}

static int start(struct running *r)
{
    enum log_level level =
        options_has(r->ctl->options, "verbose") ? LOG_LEVEL_DEBUG : LOG_LEVEL_OFF;
    int rc = inside_new(&r->ctl->config, level, &r->inside, &r->err);

    if (rc == 0) {
        r->ctl->world = inside_world(r->inside);
        rc = ctl_watch_interrupts(r->ctl, &r->err);
    }
    if (rc == 0) {
        rc =
            inside_start(r->inside, r->job.spec.executors > 0 ? r->job.spec.executors : 1, &r->err);
    }
    if (rc == 0) {
        rc = ctl_connect_to(r->ctl, inside_master(r->inside), inside_secret(r->inside), &r->err);
    }
    return rc;
}

/* The interrupted wait took the client with it. */
static int kill_job(struct running *r)
{
    char id_text[16];
    struct msg_app_ref ask = {.app = id_text};
    int rc;

    (void)str_format(id_text, sizeof id_text, "%u", r->id);
    rc = ctl_connect_to(r->ctl, inside_master(r->inside), inside_secret(r->inside), &r->err);
    if (rc == 0) {
        rc = ctl_ask_for(r->ctl, MSG_APP_KILL, &ask, KILL_NS, NULL, NULL, &r->err);
    }
    (void)rc; /* the end of the process ends the rest */
    ctl_say(r->ctl, "interrupted");
    return EXIT_STATUS_INTERRUPTED;
}

static int run(struct running *r)
{
    int status = EXIT_STATUS_OK;
    int rc = upload_job(r->ctl, &r->job, false, &r->id, &r->err);

    if (rc == 0) {
        rc = follow_to_end(r->ctl, r->id, INT64_MAX, &r->err);
        if (rc == GP_ECANCELED) {
            return kill_job(r);
        }
    }
    if (rc == 0) {
        rc = follow_print_end(r->ctl, r->id, "what its tasks said stands above", &status, &r->err);
    }
    return rc < 0 ? rc : status;
}

int ctl_run(const struct command_spec *spec, const struct options *options, void *context)
{
    struct running r = {.ctl = context};
    int rc = read_flags(&r, options);

    (void)spec;
    if (rc == 0) {
        rc = start(&r);
    }
    if (rc == 0) {
        rc = run(&r);
    }
    if (rc < 0) {
        rc = ctl_fail(r.ctl, &r.err, "cannot run %s", options->operands[0]);
    }
    ctl_disconnect(r.ctl);
    inside_free(r.inside);
    job_deinit(&r.job);
    return rc;
}
