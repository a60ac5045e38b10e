/*
 * wordcount.c: the example WordCount over drawn text, with a drawn parallelism, number of executors
 * and data plane. Its part files must hold what a plain loop counts.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/map.h"
#include "seeds.h"

#define TEXT_MAX  40000u
#define WORDS_MAX 4096u
#define PATH_SIZE 300u

static size_t make_text(struct rng *rng, char *text)
{
    size_t target = 200 + (size_t)rng_below(rng, rng_below(rng, 5) == 0 ? TEXT_MAX - 400 : 4000);
    size_t len = 0;

    while (len < target) {
        size_t word = 1 + (size_t)rng_below(rng, 7);

        for (size_t i = 0; i < word; i++) {
            text[len++] = (char)('a' + rng_below(rng, 3));
        }
        text[len++] = rng_below(rng, 9) == 0 ? '\n' : ' ';
    }
    return len;
}

static void write_file(const char *path, const char *text, size_t len)
{
    FILE *file = fopen(path, "w");

    ASSERT(file && fwrite(text, 1, len, file) == len && fclose(file) == 0);
}

/* ---- counts ---- */

static void count_words(const char *text, size_t len, struct map_str *counts)
{
    for (size_t at = 0; at < len; at++) {
        size_t end = at;

        while (end < len && !isspace((unsigned char)text[end])) {
            end++;
        }
        if (end > at) {
            gp_str word = {text + at, end - at};
            uintptr_t n = (uintptr_t)map_str_get(counts, word);

            ASSERT(map_str_set(counts, word, (void *)(n + 1), NULL) >= 0);
        }
        at = end;
    }
}

/* Takes the lines of a part file off the counts; returns how many do not fit. */
static uint32_t take_part(const char *path, struct map_str *counts)
{
    char line[256];
    uint32_t wrong = 0;
    FILE *file = fopen(path, "r");

    ASSERT(file);
    while (fgets(line, sizeof line, file)) {
        char *tab = strchr(line, '\t');
        gp_str word = {line, tab ? (size_t)(tab - line) : 0};
        uintptr_t n = (uintptr_t)map_str_remove(counts, word);

        wrong += !tab || n == 0 || n != strtoull(tab + 1, NULL, 10);
    }
    (void)fclose(file);
    return wrong;
}

static uint32_t take_parts(const char *folder, struct map_str *counts)
{
    char path[PATH_SIZE];
    uint32_t wrong = 0;
    DIR *dir = opendir(folder);
    struct dirent *entry;

    ASSERT(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (strncmp(entry->d_name, "part-", 5) == 0) {
            ASSERT((size_t)snprintf(path, sizeof path, "%s/%.64s", folder, entry->d_name) <
                   sizeof path);
            wrong += take_part(path, counts);
        }
    }
    (void)closedir(dir);
    return wrong;
}

static void check_counts(struct run *run, const char *text, size_t len, const char *folder)
{
    struct map_str counts;
    uint32_t wrong;

    map_str_init(&counts, WORDS_MAX, 1, MAP_KEYS_OWNED);
    count_words(text, len, &counts);
    wrong = take_parts(folder, &counts);
    if (wrong > 0 || map_str_count(&counts) > 0) {
        (void)run_fail(run, "%u counts are wrong, %zu words are missing", wrong,
                       (size_t)map_str_count(&counts));
    }
    map_str_deinit(&counts);
}

/* ---- the scenario ---- */

static void draw_job(struct run *run, struct params *config, struct params *parallelism,
                     struct cluster_job *ret)
{
    struct rng *rng = &run->rng;

    params_add(config, "input=%s/input", run->folder);
    params_add(config, "output=%s/output", run->folder);
    params_add_data(config, rng);
    params_add(parallelism, "split=%u", 1 + (uint32_t)rng_below(rng, 5));
    params_add(parallelism, "count=%u", 1 + (uint32_t)rng_below(rng, 6));
    *ret = (struct cluster_job){.plugin = GP_WORDCOUNT_PLUGIN,
                                .executors = (uint32_t)rng_below(rng, 4),
                                .config = config->list,
                                .parallelism = parallelism->list};
}

void wordcount_run(struct run *run)
{
    struct params parallelism = {0};
    struct params config = {0};
    struct cluster_job job;
    struct cluster c = {0};
    char path[PATH_SIZE];
    char text[TEXT_MAX];
    size_t len = make_text(&run->rng, text);

    (void)snprintf(path, sizeof path, "%s/input", run->folder);
    write_file(path, text, len);
    (void)snprintf(path, sizeof path, "%s/output", run->folder);
    ASSERT(mkdir(path, 0700) == 0);
    draw_job(run, &config, &parallelism, &job);
    if (run_begin(run, &c) == 0 && run_job(run, &c, &job) == 0) {
        check_counts(run, text, len, path);
    }
    (void)run_end(run, &c); /* has noted what was wrong */
}
