/*
 * job_spec.h: the lists that say how a job is to run, from texts that a person wrote, as flags or
 * as parameters of a request: the same rules for both.
 *
 * `what` is how the text is named in errors, with what stands between the two: "--set ". What is
 * made belongs to the spec, which fields_deinit(&msg_app_submit_fields, spec) frees, also after a
 * failure. GP_EINVAL names the text; GP_ENOMEM.
 */
#ifndef APP_JOB_SPEC_H
#define APP_JOB_SPEC_H

#include "base/error.h"
#include "wire/messages_client.h"

struct job_texts {
    const char *what;
    const char *const *texts;
    uint32_t count;
};

/* KEY=VALUE */
int job_spec_config(struct msg_app_submit *spec, const struct job_texts *from,
                    struct gp_error *err);
/* PROCESSOR=N */
int job_spec_parallelism(struct msg_app_submit *spec, const struct job_texts *from,
                         struct gp_error *err);
/* PROCESSOR=worker:NAME or PROCESSOR=label:KEY=VALUE */
int job_spec_places(struct msg_app_submit *spec, const struct job_texts *from,
                    struct gp_error *err);

#endif
