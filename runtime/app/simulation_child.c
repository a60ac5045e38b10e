/* simulation_child.c: see simulation_child.h. */
#include "app/simulation_child.h"

#include <string.h>

#include "app/fail.h"
#include "app/simulated.h"
#include "base/str.h"
#include "edge/json.h"
#include "wire/elf.h"

#define STUCK_S 10 /* of real time without a step: user code does not return */

struct hearing {
    const struct simulation_options *options;
    simulation_record_fn fn;
    void *user;
    struct simulation_end *end;
};

/* In the child. */
static int run(void *user, int records_fd, _Atomic uint64_t *counter)
{
    const struct hearing *l = user;
    FILE *records = fdopen(records_fd, "w");
    enum simulation_verdict verdict;

    if (!records) {
        return EXIT_STATUS_FAILED;
    }
    verdict = simulation_run(l->options, records, counter);
    (void)fclose(records);
    return simulation_is_good(verdict) ? EXIT_STATUS_OK : EXIT_STATUS_JOB_FAILED;
}

static void on_record(void *user, gp_str line)
{
    struct hearing *l = user;
    struct value *record = NULL;

    if (edge_json_parse(line, &record, NULL) == 0) {
        l->end->has_result = value_get(record, GP_STR("result")) != NULL;
        l->fn(l->user, record);
    }
    value_free(record);
}

static void on_word(void *user, gp_str line)
{
    struct hearing *l = user;
    struct crash crash = {0};

    if (crash_parse(line, &crash)) {
        l->end->crash = crash;
    } else {
        (void)fprintf(stderr, "%.*s\n", STR_ARG(line));
    }
}

/* The name of the function that crashed, if it is one of the job's own. */
static void find_symbol(const struct simulation_options *options, struct crash *crash)
{
    struct buf file = {0};
    gp_str name;

    if (crash->object[0] != '\0' && strcmp(crash->plugin, options->job->note.elf.note.name) == 0 &&
        simulated_hooks.read_file(options->path, &file, NULL) == 0 &&
        elf_symbol_at(buf_bytes(&file), crash->offset, &name, NULL) >= 0) {
        (void)str_escape(name, crash->symbol, sizeof crash->symbol);
    }
    buf_deinit(&file);
}

int simulation_child_run(const struct simulation_options *options, simulation_record_fn fn,
                         void *user, struct simulation_end *ret, struct gp_error *err)
{
    struct hearing l = {.options = options, .fn = fn, .user = user, .end = ret};
    const struct edge_forked spec = {
        .run = run, .on_record = on_record, .on_word = on_word, .user = &l, .stuck_s = STUCK_S};
    int rc;

    *ret = (struct simulation_end){0};
    rc = edge_forked_run(&spec, &ret->how, err);
    if (rc == 0) {
        find_symbol(options, &ret->crash);
    }
    return rc;
}
