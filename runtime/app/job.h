/*
 * job.h: what a command line says about an application to run: `gpctl submit` and `gpctl run`.
 */
#ifndef APP_JOB_H
#define APP_JOB_H

#include "app/options.h"
#include "app/plugin_note.h"
#include "wire/messages.h"

struct job {
    struct plugin_note note;
    /* Name, parameters, parallelism, executors; the texts belong to the job. */
    struct msg_app_submit spec;
};

/*
 * Reads the file of operand 0 and the flags --name, --set, --parallelism, --executors, --place,
 * --priority and --no-wait-for-slots. GP_EINVAL: flags; and as plugin_note_read(), also for a
 * plugin that is no application.
 */
int job_init(struct job *job, const struct options *options, struct gp_error *err);

/* The flags alone. GP_EINVAL. */
int job_init_flags(struct job *job, const struct options *options, struct gp_error *err);

/* Zeroed is fine. */
void job_deinit(struct job *job);

/* As --name says, or as the plugin is called. */
const char *job_name(const struct job *job);

#endif
