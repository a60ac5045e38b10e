/*
 * wordcount.c: WordCount on a simulated cluster of three workers, seed by seed.
 *
 *     wordcount [--seeds N] [--first SEED] [--verbose]
 *
 * Each seed must give the counts that a plain loop gives, twice with the identical trace. Over all
 * seeds, events that show that the seeds differ must have happened: one that never did fails the
 * run. A failure prints the command that repeats it.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/map.h"
#include "base/rng.h"
#include "base/str.h"
#include "cluster.h"

#define TEXT_MAX  40000
#define WORDS_MAX 4096

/* What must have happened at least once over all seeds. */
static const char *const must_happen[] = {
    "worker.registered",   "artefact.stored", "artefact.fetched",
    "executor.registered", "app.finished",
};

struct seen {
    const char *name;
    uint64_t count;
};

static char work[256]; /* folder of this run */
static char text[TEXT_MAX];
static size_t text_len;

static void make_text(uint64_t seed)
{
    struct rng rng;
    size_t target;

    rng_init(&rng, seed ^ 0x7e87);
    text_len = 0;
    target = 200 + (size_t)rng_below(&rng, seed % 5 == 0 ? TEXT_MAX - 400 : 4000);
    while (text_len < target) {
        size_t len = 1 + (size_t)rng_below(&rng, 7);
        for (size_t i = 0; i < len; i++) {
            text[text_len++] = (char)('a' + rng_below(&rng, 3));
        }
        text[text_len++] = rng_below(&rng, 9) == 0 ? '\n' : ' ';
    }
}

/* ---- counts ---- */

static void count_expected(struct map_str *counts)
{
    size_t at = 0;

    while (at < text_len) {
        size_t end = at;
        while (end < text_len && !isspace((unsigned char)text[end])) {
            end++;
        }
        if (end > at) {
            gp_str word = {text + at, end - at};
            uintptr_t n = (uintptr_t)map_str_get(counts, word);
            (void)map_str_set(counts, word, (void *)(n + 1), NULL);
        }
        at = end + 1;
    }
}

/* Takes each line of the part files off the expected counts; returns how many lines do not fit. */
static int check_parts(const char *dir, struct map_str *counts)
{
    char path[512];
    char line[256];
    int wrong = 0;
    DIR *folder = opendir(dir);
    struct dirent *entry;

    while (folder && (entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, "part-", 5) != 0) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        FILE *file = fopen(path, "r");
        while (file && fgets(line, sizeof line, file)) {
            char *tab = strchr(line, '\t');
            if (!tab) {
                wrong++;
                continue;
            }
            uintptr_t n = (uintptr_t)map_str_remove(counts, (gp_str){line, (size_t)(tab - line)});
            wrong += n == 0 || n != strtoull(tab + 1, NULL, 10);
        }
        if (file) {
            (void)fclose(file);
        }
        (void)unlink(path);
    }
    if (folder) {
        (void)closedir(folder);
    }
    return wrong + (int)map_str_count(counts);
}

/* ---- one seed ---- */

static int fail(uint64_t seed, const char *what)
{
    fprintf(stderr,
            "seed %llu: %s\n  to repeat: tests/sim/wordcount --first %llu --seeds 1 --verbose\n",
            (unsigned long long)seed, what, (unsigned long long)seed);
    return 1;
}

static void add_seen(void *user, gp_str name, uint64_t count)
{
    struct seen *seen = user;
    for (size_t i = 0; i < sizeof must_happen / sizeof must_happen[0]; i++) {
        if (str_eq(name, gp_str_of(must_happen[i]))) {
            seen[i].count += count;
        }
    }
}

static int run_once(uint64_t seed, bool verbose, struct seen *seen, struct cluster_result *result)
{
    char input[300];
    char output[300];
    struct rng rng;
    struct cluster_job job = {.plugin = GP_WORDCOUNT_PLUGIN};
    struct cluster_options options = {.seed = seed, .workers = 3, .job = &job, .verbose = verbose};
    struct cluster *cluster = NULL;
    struct gp_error err = {0};
    struct map_str counts;
    int rc;

    (void)snprintf(input, sizeof input, "%s/input", work);
    (void)snprintf(output, sizeof output, "%s/output", work);
    (void)mkdir(output, 0700);
    rng_init(&rng, seed * 3 + 1);
    job.config[job.config_count++] = (struct msg_config){(char *)(uintptr_t) "input", input};
    job.config[job.config_count++] = (struct msg_config){(char *)(uintptr_t) "output", output};
    if (rng_below(&rng, 2)) { /* small windows and batches: credit runs out, batches are many */
        job.config[job.config_count++] = (struct msg_config){
            (char *)(uintptr_t) "data.window_bytes", (char *)(uintptr_t) "4096"};
    }
    job.parallelism[job.parallelism_count++] =
        (struct msg_parallelism){(char *)(uintptr_t) "split", 1 + (uint32_t)rng_below(&rng, 5)};
    job.parallelism[job.parallelism_count++] =
        (struct msg_parallelism){(char *)(uintptr_t) "count", 1 + (uint32_t)rng_below(&rng, 6)};
    job.executors = (uint32_t)rng_below(&rng, 4);
    rc = cluster_run(&options, &cluster, result, &err);
    if (rc >= 0 && result->state != APP_FINISHED) {
        rc = gp_error_set(&err, GP_EJOB, "the job %s: %s", app_state_names[result->state],
                          result->error);
    }
    sim_event_each(cluster_sim(cluster), add_seen, seen);
    cluster_free(cluster);
    if (rc < 0) {
        return fail(seed, err.text);
    }
    map_str_init(&counts, WORDS_MAX, 1, MAP_KEYS_OWNED);
    count_expected(&counts);
    rc = check_parts(output, &counts);
    map_str_deinit(&counts);
    return rc ? fail(seed, "the counts are wrong") : 0;
}

static int run_seed(uint64_t seed, bool verbose, struct seen *seen)
{
    struct cluster_result first;
    struct cluster_result second;
    char input[300];
    FILE *file;

    make_text(seed);
    (void)snprintf(input, sizeof input, "%s/input", work);
    file = fopen(input, "w");
    if (!file || fwrite(text, 1, text_len, file) != text_len || fclose(file) != 0) {
        return fail(seed, "the input file cannot be written");
    }
    if (run_once(seed, verbose, seen, &first)) {
        return 1;
    }
    if (first.leaks > 0) {
        return fail(seed, "something was not freed");
    }
    if (seed % 10 != 0) {
        return 0; /* one in ten is run twice */
    }
    if (run_once(seed, false, seen, &second)) {
        return 1;
    }
    return first.trace_hash == second.trace_hash && first.events == second.events
               ? 0
               : fail(seed, "two runs of one seed differ");
}

int main(int argc, char **argv)
{
    struct seen seen[sizeof must_happen / sizeof must_happen[0]] = {{0}};
    uint64_t seeds = 20;
    uint64_t first = 1;
    bool verbose = false;
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc) {
            first = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: wordcount [--seeds N] [--first SEED] [--verbose]\n");
            return 2;
        }
    }
    (void)snprintf(work, sizeof work, "%s/gearpump-sim-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    if (!mkdtemp(work)) {
        perror(work);
        return 1;
    }
    for (uint64_t seed = first; seed < first + seeds && failed < 3; seed++) {
        failed += run_seed(seed, verbose, seen);
    }
    for (size_t i = 0; i < sizeof must_happen / sizeof must_happen[0]; i++) {
        printf("%-28s %llu\n", must_happen[i], (unsigned long long)seen[i].count);
        if (seen[i].count == 0 && seeds >= 100) {
            fprintf(stderr, "%s never happened: these seeds do not test it\n", must_happen[i]);
            failed++;
        }
    }
    char path[300];
    (void)snprintf(path, sizeof path, "%s/input", work);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/output", work);
    (void)rmdir(path);
    (void)rmdir(work);
    printf("%llu seeds from %llu: %s\n", (unsigned long long)seeds, (unsigned long long)first,
           failed ? "FAILED" : "passed");
    return failed != 0;
}
