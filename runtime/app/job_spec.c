/* job_spec.c: see job_spec.h. */
#include "app/job_spec.h"

#include <stdlib.h>

#include <gearpump/types.h>

#include "base/str.h"
#include "graph/place.h"

static int no_memory(struct gp_error *err)
{
    return gp_error_set(err, GP_ENOMEM, "out of memory");
}

/* At '=', with something before it. */
static bool cut(const char *text, gp_str *ret_name, gp_str *ret_value)
{
    return str_cut(gp_str_of(text), '=', ret_name, ret_value) && ret_name->len > 0;
}

int job_spec_config(struct msg_app_submit *spec, const struct job_texts *from, struct gp_error *err)
{
    spec->config = calloc((size_t)from->count + 1, sizeof *spec->config);
    for (uint32_t i = 0; spec->config && i < from->count; i++) {
        struct msg_config *entry = &spec->config[i];
        gp_str key;
        gp_str value;

        if (!cut(from->texts[i], &key, &value)) {
            return gp_error_set(err, GP_EINVAL, "%s%s: KEY=VALUE is needed", from->what,
                                from->texts[i]);
        }
        spec->config_count = i + 1;
        entry->key = str_dup(key);
        entry->value = str_dup(value);
        if (!entry->key || !entry->value) {
            return no_memory(err);
        }
    }
    return spec->config ? 0 : no_memory(err);
}

int job_spec_parallelism(struct msg_app_submit *spec, const struct job_texts *from,
                         struct gp_error *err)
{
    spec->parallelism = calloc((size_t)from->count + 1, sizeof *spec->parallelism);
    for (uint32_t i = 0; spec->parallelism && i < from->count; i++) {
        struct msg_parallelism *entry = &spec->parallelism[i];
        gp_str name;
        gp_str number;
        uint64_t tasks;

        if (!cut(from->texts[i], &name, &number) || str_to_u64(number, &tasks) < 0 || tasks == 0 ||
            tasks > GP_PARALLELISM_MAX) {
            return gp_error_set(err, GP_EINVAL, "%s%s: PROCESSOR=N is needed, N from 1 to %u",
                                from->what, from->texts[i], GP_PARALLELISM_MAX);
        }
        spec->parallelism_count = i + 1;
        entry->count = (uint32_t)tasks;
        entry->processor = str_dup(name);
        if (!entry->processor) {
            return no_memory(err);
        }
    }
    return spec->parallelism ? 0 : no_memory(err);
}

int job_spec_places(struct msg_app_submit *spec, const struct job_texts *from, struct gp_error *err)
{
    spec->places = calloc((size_t)from->count + 1, sizeof *spec->places);
    for (uint32_t i = 0; spec->places && i < from->count; i++) {
        struct msg_task_place *entry = &spec->places[i];
        gp_str name;
        gp_str place;

        if (!cut(from->texts[i], &name, &place) || !place_is_valid(place)) {
            return gp_error_set(err, GP_EINVAL,
                                "%s%s: PROCESSOR=worker:NAME or PROCESSOR=label:KEY=VALUE is "
                                "needed",
                                from->what, from->texts[i]);
        }
        spec->places_count = i + 1;
        entry->processor = str_dup(name);
        entry->place = str_dup(place);
        if (!entry->processor || !entry->place) {
            return no_memory(err);
        }
    }
    return spec->places ? 0 : no_memory(err);
}
