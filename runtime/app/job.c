/* job.c: see job.h. */
#include "app/job.h"

#include <stdlib.h>

#include "base/str.h"
#include "control/limits.h"
#include "graph/place.h"

static uint32_t count_of(const struct options *options, const char *flag)
{
    uint32_t count = 0;

    while (options_nth(options, flag, count)) {
        count++;
    }
    return count;
}

static int read_config(struct job *job, const struct options *options, struct gp_error *err)
{
    uint32_t count = count_of(options, "set");

    job->spec.config = calloc(count + 1, sizeof *job->spec.config);
    if (!job->spec.config) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct msg_config *entry = &job->spec.config[i];
        gp_str key;
        gp_str value;
        int rc = options_pair("set", options_nth(options, "set", i), &key, &value, err);

        if (rc < 0) {
            return rc;
        }
        job->spec.config_count = i + 1;
        entry->key = str_dup(key);
        entry->value = str_dup(value);
        if (!entry->key || !entry->value) {
            return gp_error_set(err, GP_ENOMEM, "out of memory");
        }
    }
    return 0;
}

static int read_parallelism(struct job *job, const struct options *options, struct gp_error *err)
{
    uint32_t count = count_of(options, "parallelism");

    job->spec.parallelism = calloc(count + 1, sizeof *job->spec.parallelism);
    if (!job->spec.parallelism) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct msg_parallelism *entry = &job->spec.parallelism[i];
        const char *text = options_nth(options, "parallelism", i);
        gp_str name;
        gp_str number;
        uint64_t tasks;

        if (!str_cut(gp_str_of(text), '=', &name, &number) || name.len == 0 ||
            str_to_u64(number, &tasks) < 0 || tasks == 0 || tasks > GP_PARALLELISM_MAX) {
            return gp_error_set(err, GP_EINVAL,
                                "--parallelism %s: PROCESSOR=N is needed, N from 1 to %u", text,
                                GP_PARALLELISM_MAX);
        }
        job->spec.parallelism_count = i + 1;
        entry->count = (uint32_t)tasks;
        entry->processor = str_dup(name);
        if (!entry->processor) {
            return gp_error_set(err, GP_ENOMEM, "out of memory");
        }
    }
    return 0;
}

static int read_places(struct job *job, const struct options *options, struct gp_error *err)
{
    uint32_t count = count_of(options, "place");

    job->spec.places = calloc(count + 1, sizeof *job->spec.places);
    if (!job->spec.places) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        struct msg_task_place *entry = &job->spec.places[i];
        const char *text = options_nth(options, "place", i);
        gp_str name;
        gp_str place;

        if (!str_cut(gp_str_of(text), '=', &name, &place) || name.len == 0 ||
            !place_is_valid(place)) {
            return gp_error_set(err, GP_EINVAL,
                                "--place %s: PROCESSOR=worker:NAME or PROCESSOR=label:KEY=VALUE is "
                                "needed",
                                text);
        }
        job->spec.places_count = i + 1;
        entry->processor = str_dup(name);
        entry->place = str_dup(place);
        if (!entry->processor || !entry->place) {
            return gp_error_set(err, GP_ENOMEM, "out of memory");
        }
    }
    return 0;
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
        rc = read_config(job, options, err);
    }
    if (rc == 0) {
        rc = read_parallelism(job, options, err);
    }
    if (rc == 0) {
        rc = read_places(job, options, err);
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
