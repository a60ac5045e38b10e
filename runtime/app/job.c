/* job.c: see job.h. */
#include "app/job.h"

#include <stdlib.h>

#include "app/job_spec.h"
#include "base/str.h"
#include "control/limits.h"

typedef int (*spec_fn)(struct msg_app_submit *spec, const struct job_texts *from,
                       struct gp_error *err);

/* The values of a flag that may be repeated. */
static int read_texts(struct job *job, const struct options *options, const char *flag, spec_fn fn,
                      struct gp_error *err)
{
    const char *texts[OPTIONS_REPEAT_MAX];
    char what[32];
    struct job_texts from = {what, texts, 0};

    (void)str_format(what, sizeof what, "--%s ", flag);
    while (from.count < OPTIONS_REPEAT_MAX && options_nth(options, flag, from.count)) {
        texts[from.count] = options_nth(options, flag, from.count);
        from.count++;
    }
    return fn(&job->spec, &from, err);
}

static int read_priority(struct job *job, const struct options *options, struct gp_error *err)
{
    const char *text = options_text(options, "priority");

    job->spec.no_wait = options_has(options, "no-wait-for-slots");
    for (uint32_t i = 0; text && app_priority_names[i]; i++) {
        if (strcmp(text, app_priority_names[i]) == 0) {
            job->spec.priority = i;
            return 0;
        }
    }
    return text ? gp_error_set(err, GP_EINVAL, "--priority %s: low, normal or high is needed", text)
                : 0;
}

static int read_name(struct job *job, const struct options *options, struct gp_error *err)
{
    const char *name = options_text(options, "name");

    if (name && (!*name || gp_str_of(name).len > MSG_APP_NAME_MAX)) {
        return gp_error_set(err, GP_EINVAL, "--name %s: 1 to %u bytes are needed", name,
                            MSG_APP_NAME_MAX);
    }
    job->spec.name = str_dup(gp_str_of(name));
    return job->spec.name ? 0 : gp_error_set(err, GP_ENOMEM, "out of memory");
}

int job_init_flags(struct job *job, const struct options *options, struct gp_error *err)
{
    uint64_t executors = 0;
    int rc;

    *job = (struct job){0};
    rc = options_u64(options, "executors", 1, EXECUTORS_MAX, 0, &executors, err);
    if (rc == 0) {
        rc = read_name(job, options, err);
    }
    if (rc == 0) {
        rc = read_texts(job, options, "set", job_spec_config, err);
    }
    if (rc == 0) {
        rc = read_texts(job, options, "parallelism", job_spec_parallelism, err);
    }
    if (rc == 0) {
        rc = read_texts(job, options, "place", job_spec_places, err);
    }
    if (rc == 0) {
        rc = read_priority(job, options, err);
    }
    if (rc < 0) {
        job_deinit(job);
        return rc;
    }
    job->spec.executors = (uint32_t)executors;
    return 0;
}

int job_init(struct job *job, const struct options *options, struct gp_error *err)
{
    int rc = job_init_flags(job, options, err);

    if (rc < 0) {
        return rc;
    }
    rc = plugin_note_read(options->operands[0], &job->note, err);
    if (rc == 0 && (job->note.elf.note.flags & GP_NOTE_APP) == 0) {
        rc = gp_error_set(err, GP_EABI,
                          "%s is a plugin without a build function, not an application",
                          options->operands[0]);
    }
    if (rc < 0) {
        job_deinit(job);
    }
    return rc;
}

void job_deinit(struct job *job)
{
    for (uint32_t i = 0; i < job->spec.config_count; i++) {
        free(job->spec.config[i].key);
        free(job->spec.config[i].value);
    }
    for (uint32_t i = 0; i < job->spec.parallelism_count; i++) {
        free(job->spec.parallelism[i].processor);
    }
    for (uint32_t i = 0; i < job->spec.places_count; i++) {
        free(job->spec.places[i].processor);
        free(job->spec.places[i].place);
    }
    free(job->spec.places);
    free(job->spec.config);
    free(job->spec.parallelism);
    free(job->spec.name);
    plugin_note_deinit(&job->note);
    *job = (struct job){0};
}

const char *job_name(const struct job *job)
{
    return *job->spec.name ? job->spec.name : job->note.elf.note.name;
}
