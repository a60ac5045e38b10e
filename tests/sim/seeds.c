/*
 * seeds.c: runs the campaign.
 *
 *     seeds [--scenario NAME] [--first SEED] [--seeds N] [--part K/N] [--verbose]
 *
 * Without a scenario each of them runs, as often as the table says. --part K/N takes each N-th
 * seed, so that several can run at once. GP_SIM_SEEDS sets how many seeds there are when --seeds
 * does not. A failure prints the command that repeats it; after FAILURES_MAX of them the campaign
 * ends.
 */
#include "seeds.h"

#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

#define SEEDS          1000u
#define SEEDS_COVERING 100u /* a campaign of fewer cannot be blamed for what it did not see */
#define FAILURES_MAX   3u

static const struct scenario {
    const char *name;
    uint64_t stride; /* runs for each stride-th seed */
    void (*run)(struct run *run);
} scenarios[] = {
    {"wordcount", 1, wordcount_run}, {"mixed", 4, mixed_run}, {"faults", 4, faults_run},
    {"restarts", 4, restarts_run},   {"chaos", 1, chaos_run}, {"moves", 2, moves_run},
    {"late", 8, late_run},
};

struct campaign {
    const char *program;
    const char *scenario; /* NULL: all */
    uint64_t first;
    uint64_t seeds;
    uint64_t part; /* 1 .. parts */
    uint64_t parts;
    bool is_verbose;
    char folder[256];
    struct coverage coverage;
    uint64_t runs;
    uint64_t run_events;
    uint32_t failures;
};

/* ---- crashes ---- */

/* The command that repeats what is being run, for the handler of a crash. */
static char repeat[512];

static void on_crash(int number)
{
    ssize_t n = write(STDERR_FILENO, repeat, strlen(repeat));

    (void)n; /* nothing can be done about it */
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void note_repeat(const struct campaign *c, const struct scenario *s, uint64_t seed)
{
    (void)snprintf(repeat, sizeof repeat,
                   "crashed; to repeat: %s --scenario %s --first %" PRIu64 " --seeds 1 --verbose\n",
                   c->program, s->name, seed);
}

static void watch_crashes(void)
{
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

    for (size_t i = 0; i < ARRAY_LEN(fatal); i++) {
        (void)signal(fatal[i], on_crash);
    }
}

/* ---- running ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    return at->level > 0 ? remove(path) : 0;
}

/* Removes all that is in the folder. */
static void clean(const struct campaign *c)
{
    (void)nftw(c->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void run_once(struct campaign *c, const struct scenario *s, uint64_t seed, bool is_verbose,
                     struct run *ret)
{
    *ret = (struct run){
        .seed = seed, .folder = c->folder, .is_verbose = is_verbose, .coverage = &c->coverage};
    rng_init(&ret->rng, ~seed);
    note_repeat(c, s, seed);
    s->run(ret);
    clean(c);
    c->runs++;
    c->run_events += ret->events;
}

static void fail(struct campaign *c, const struct scenario *s, uint64_t seed, const char *wrong)
{
    fprintf(stderr, "%s, seed %" PRIu64 ": %s\n", s->name, seed, wrong);
    fprintf(stderr, "  to repeat: %s --scenario %s --first %" PRIu64 " --seeds 1 --verbose\n",
            c->program, s->name, seed);
    c->failures++;
}

static void run_seed(struct campaign *c, const struct scenario *s, uint64_t seed)
{
    struct run first;
    struct run second;

    run_once(c, s, seed, c->is_verbose, &first);
    if (first.wrong[0] != '\0') {
        fail(c, s, seed, first.wrong);
        return;
    }
    run_once(c, s, seed, false, &second);
    if (first.trace_hash != second.trace_hash || first.events != second.events) {
        fail(c, s, seed, "two runs of this seed differ");
    }
}

static void run_all(struct campaign *c)
{
    for (uint64_t i = c->part - 1; i < c->seeds; i += c->parts) {
        for (size_t k = 0; k < ARRAY_LEN(scenarios); k++) {
            const struct scenario *s = &scenarios[k];
            bool is_due =
                c->scenario ? strcmp(s->name, c->scenario) == 0 : (i / c->parts) % s->stride == 0;

            if (is_due) {
                run_seed(c, s, c->first + i);
            }
            if (c->failures == FAILURES_MAX) {
                return;
            }
        }
    }
}

static int report(struct campaign *c)
{
    uint32_t missing = coverage_report(&c->coverage);

    printf("%" PRIu64 " runs of %" PRIu64 " events, %u failed\n", c->runs, c->run_events,
           c->failures);
    if (c->failures == 0 && missing > 0 && !c->scenario && c->seeds / c->parts >= SEEDS_COVERING) {
        fprintf(stderr, "%u things of the list never happened: these seeds do not test them\n",
                missing);
        return 1;
    }
    return c->failures > 0;
}

static int parse(struct campaign *c, int argc, char **argv)
{
    const char *seeds = getenv("GP_SIM_SEEDS");

    *c = (struct campaign){.program = argv[0], .first = 1, .part = 1, .parts = 1};
    c->seeds = seeds ? strtoull(seeds, NULL, 10) : GP_SIM_SEEDS;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--verbose") == 0) {
            c->is_verbose = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--scenario") == 0) {
            c->scenario = value;
        } else if (strcmp(argv[i - 1], "--first") == 0) {
            c->first = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--seeds") == 0) {
            c->seeds = strtoull(value, NULL, 10);
        } else if (strcmp(argv[i - 1], "--part") != 0 ||
                   sscanf(value, "%" SCNu64 "/%" SCNu64, &c->part, &c->parts) != 2 || c->part < 1 ||
                   c->part > c->parts) {
            return -1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    struct campaign c;
    int rc;

    if (parse(&c, argc, argv) < 0) {
        fprintf(stderr,
                "usage: %s [--scenario NAME] [--first SEED] [--seeds N] [--part K/N] "
                "[--verbose]\n",
                argv[0]);
        return 2;
    }
    (void)snprintf(c.folder, sizeof c.folder, "%s/gearpump-sim-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(c.folder)) {
        perror(c.folder);
        return 1;
    }
    watch_crashes();
    run_all(&c);
    rc = report(&c);
    (void)rmdir(c.folder);
    return rc;
}
