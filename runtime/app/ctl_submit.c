/*
 * ctl_submit.c: gpctl submit: upload, start, see that it begins, perhaps wait for the end.
 *
 * What is wrong with a graph or its parameters is known some 20 ms after the id, so we wait for
 * that (not with --detach): the id is on stdout, the mistakes are on stderr and in the exit code.
 * Waiting ends early at an interrupt or --timeout: the job runs on, and the error says how to
 * follow it.
 */
#include <unistd.h>

#include "app/ctl.h"
#include "app/follow.h"
#include "app/job.h"
#include "app/show.h"
#include "app/upload.h"
#include "base/str.h"

struct submitting {
    struct ctl *ctl;
    struct job job;
    struct gp_error err;
    uint32_t id;
    bool wait;
    bool detach;
    int64_t deadline_ns; /* INT64_MAX: none */
};

static int print_id(const struct submitting *s)
{
    if (!s->ctl->json) {
        (void)printf("%u\n", s->id);
        return EXIT_STATUS_OK;
    }
    return ctl_print_take(s->ctl, show_submitted(s->id, job_name(&s->job)));
}

/* The job goes on without us. */
static void explain_leaving(struct submitting *s, int code)
{
    char why[64] = "interrupted";

    if (code == GP_ETIMEOUT) {
        (void)str_format(why, sizeof why, "it has not ended within %s",
                         options_text(s->ctl->options, "timeout"));
    }
    follow_explain_leaving(s->id, code, why, &s->err);
}

static int wait_and_print(struct submitting *s)
{
    char hint[32];
    int status = EXIT_STATUS_OK;
    int rc;

    if (isatty(STDERR_FILENO) != 0) { /* for who waits in front of it */
        ctl_say(s->ctl, "%s runs as application %u", job_name(&s->job), s->id);
    }
    (void)str_format(hint, sizeof hint, "gpctl logs %u", s->id);
    rc = follow_to_end(s->ctl, s->id, s->deadline_ns, &s->err);
    if (rc == 0) {
        rc = follow_print_end(s->ctl, s->id, hint, &status, &s->err);
    }
    if (rc == GP_ETIMEOUT || rc == GP_ECANCELED) {
        explain_leaving(s, rc);
    }
    return rc == 0 ? status
                   : ctl_fail(s->ctl, &s->err, "stopped waiting for %s (id %u)", job_name(&s->job),
                              s->id);
}

static int print_id_and_wait_for_start(const struct submitting *s)
{
    int status = print_id(s);

    (void)fflush(stdout); /* whoever reads it need not wait */
    return status != EXIT_STATUS_OK || s->detach ? status : follow_print_start(s->ctl, s->id);
}

static int read_flags(struct submitting *s, const struct options *options)
{
    const char *request_id = NULL;
    int rc = options_duration(options, "timeout", INT64_MAX, &s->deadline_ns, &s->err);

    s->wait = options_has(options, "wait");
    s->detach = options_has(options, "detach");
    if (rc == 0 && options_has(options, "timeout") && !s->wait) {
        rc = gp_error_set(&s->err, GP_EINVAL, "--timeout is for --wait");
    }
    if (rc == 0 && s->detach && s->wait) {
        rc = gp_error_set(&s->err, GP_EINVAL, "--wait and --detach exclude each other");
    }
    rc = rc < 0 ? rc : ctl_request_id(options, &request_id, &s->err);
    rc = rc < 0 ? rc : job_init(&s->job, options, &s->err);
    s->job.spec.request_id = (char *)(uintptr_t)request_id; /* borrowed from argv */
    return rc;
}

static int begin(struct submitting *s)
{
    int rc = ctl_connect(s->ctl, &s->err);

    if (rc == 0) {
        rc = ctl_watch_interrupts(s->ctl, &s->err);
    }
    if (rc == 0 && s->deadline_ns < INT64_MAX / 2) { /* longer than a century is never */
        s->deadline_ns += loop_fresh_now_ns(edge_port(s->ctl->world)->loop);
    }
    return rc;
}

int ctl_submit(const struct command_spec *spec, const struct options *options, void *context)
{
    struct submitting s = {.ctl = context};
    int rc = read_flags(&s, options);
    int status;

    (void)spec;
    if (rc == 0) {
        rc = begin(&s);
    }
    if (rc == 0) {
        rc = upload_job(s.ctl, &s.job, true, &s.id, &s.err);
    }
    if (rc < 0) {
        status = ctl_fail(s.ctl, &s.err, "cannot submit %s", options->operands[0]);
    } else {
        status = s.wait ? wait_and_print(&s) : print_id_and_wait_for_start(&s);
    }
    job_deinit(&s.job);
    return status;
}
