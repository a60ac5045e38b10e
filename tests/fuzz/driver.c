/*
 * Drives a fuzz target where libFuzzer is absent (gcc): first every corpus file as it is, then
 * seeded mutations of them. Short and the same each time, so it stands in the ordinary suite.
 *
 * Invariants: the input of run N depends on (seed, N) and the corpus alone, so a failure is
 * replayed by the line it prints. Each input is a heap block of its exact size, so that the address
 * sanitizer sees the first byte read beyond it. Files are taken in the order of their names.
 * Failure modes: a crash leaves the input in `crash-input`; a corpus that cannot be read ends the
 * run with status 2.
 *
 * usage: fuzz_NAME [corpus file or directory]...
 *   GP_FUZZ_SEED   default 1
 *   GP_FUZZ_RUNS   mutations, default 20000
 *   GP_FUZZ_RUN    only this one
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_SIZE_MAX   ((size_t)1 << 20)
#define GROWTH_SIZE_MAX  ((size_t)4096)
#define CORPUS_COUNT_MAX 4096
#define MUTATIONS_MAX    8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*on_death)(void)) __attribute__((weak));

struct input {
    uint8_t *data;
    size_t size;
};

static struct input corpus[CORPUS_COUNT_MAX];
static size_t corpus_count;
static struct input current;
static uint64_t seed;
static uint64_t run;

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static size_t rng_below(uint64_t *state, size_t bound)
{
    return (size_t)(rng_next(state) % bound);
}

/* Overwrites up to eight bytes with a power of two or one less, where lengths and counts go wrong.
 */
static void put_boundary(struct input *in, uint64_t *rng)
{
    const uint64_t value = (UINT64_C(1) << rng_below(rng, 64)) - rng_below(rng, 2);
    const size_t at = rng_below(rng, in->size);
    size_t width = (size_t)1 << rng_below(rng, 4);

    if (width > in->size - at) {
        width = in->size - at;
    }
    memcpy(in->data + at, &value, width);
}

/* Copies a stretch of any corpus file over this input. */
static void overwrite(struct input *in, uint64_t *rng)
{
    const struct input *from = &corpus[rng_below(rng, corpus_count)];
    size_t size;
    size_t at;

    if (from->size == 0) {
        return;
    }
    at = rng_below(rng, in->size);
    size = 1 + rng_below(rng, from->size);
    if (size > in->size - at) {
        size = in->size - at;
    }
    memcpy(in->data + at, from->data + rng_below(rng, from->size - size + 1), size);
}

static void insert(struct input *in, uint64_t *rng)
{
    const size_t at = rng_below(rng, in->size + 1);
    const size_t size = 1 + rng_below(rng, 16);

    memmove(in->data + at + size, in->data + at, in->size - at);
    for (size_t i = 0; i < size; i++) {
        in->data[at + i] = (uint8_t)rng_next(rng);
    }
    in->size += size;
}

static void erase(struct input *in, uint64_t *rng)
{
    const size_t at = rng_below(rng, in->size);
    const size_t size = 1 + rng_below(rng, in->size - at);

    memmove(in->data + at, in->data + at + size, in->size - at - size);
    in->size -= size;
}

/* in has room for MUTATIONS_MAX insertions. */
static void mutate(struct input *in, uint64_t *rng)
{
    const size_t count = 1 + rng_below(rng, MUTATIONS_MAX);

    for (size_t i = 0; i < count; i++) {
        const size_t act = in->size == 0 ? 0 : rng_below(rng, 7);

        switch (act) {
        case 0:
            insert(in, rng);
            break;
        case 1:
            erase(in, rng);
            break;
        case 2:
            in->size = rng_below(rng, in->size + 1);
            break;
        case 3:
            overwrite(in, rng);
            break;
        case 4:
            put_boundary(in, rng);
            break;
        default:
            in->data[rng_below(rng, in->size)] ^= (uint8_t)(1U << rng_below(rng, 8));
            break;
        }
    }
}

static void *must_alloc(size_t size)
{
    void *memory = malloc(size);

    if (memory == NULL) {
        fprintf(stderr, "fuzz: out of memory\n");
        exit(2);
    }
    return memory;
}

static void feed(const uint8_t *data, size_t size)
{
    current.data = must_alloc(size);
    current.size = size;
    memcpy(current.data, data, size);
    (void)LLVMFuzzerTestOneInput(current.data, current.size);
    free(current.data);
    current.data = NULL;
}

static void run_mutation(void)
{
    uint64_t rng = seed ^ (run * UINT64_C(0x9e3779b97f4a7c15));
    const struct input *from = &corpus[rng_below(&rng, corpus_count)];
    struct input in = {must_alloc(from->size + GROWTH_SIZE_MAX), from->size};

    memcpy(in.data, from->data, from->size);
    mutate(&in, &rng);
    feed(in.data, in.size);
    free(in.data);
}

/* Also within a signal: only what is safe there. */
static void save_input(void)
{
    const int fd = open("crash-input", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    char line[128];
    int length;

    if (fd >= 0 && current.data != NULL) {
        (void)!write(fd, current.data, current.size);
    }
    length = snprintf(line, sizeof line,
                      "fuzz: died on the input saved as crash-input; again: GP_FUZZ_SEED=%" PRIu64
                      " GP_FUZZ_RUN=%" PRIu64 "\n",
                      seed, run);
    (void)!write(STDERR_FILENO, line, (size_t)length);
}

static void on_signal(int number)
{
    save_input();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_for_death(void)
{
    static const int fatal[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM, SIGTERM};

    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(save_input);
    }
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        (void)signal(fatal[i], on_signal);
    }
}

static void load_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct input *in;

    if (file == NULL || corpus_count == CORPUS_COUNT_MAX) {
        fprintf(stderr, "fuzz: %s: %s\n", path, file == NULL ? strerror(errno) : "too many files");
        exit(2);
    }
    in = &corpus[corpus_count++];
    in->data = must_alloc(INPUT_SIZE_MAX);
    in->size = fread(in->data, 1, INPUT_SIZE_MAX, file);
    (void)fclose(file);
}

static void load(const char *path)
{
    struct dirent **names;
    struct stat info;
    int count;

    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode)) {
        load_file(path);
        return;
    }
    count = scandir(path, &names, NULL, alphasort);
    if (count < 0) {
        fprintf(stderr, "fuzz: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    for (int i = 0; i < count; i++) {
        char file[4096];

        if (names[i]->d_name[0] != '.') {
            (void)snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
            load_file(file);
        }
        free(names[i]);
    }
    free(names);
}

static uint64_t knob(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    uint64_t run_end = knob("GP_FUZZ_RUNS", 20000);

    seed = knob("GP_FUZZ_SEED", 1);
    for (int i = 1; i < argc; i++) {
        load(argv[i]);
    }
    printf("fuzz: %zu corpus files, %" PRIu64 " mutations, GP_FUZZ_SEED=%" PRIu64 "\n",
           corpus_count, run_end, seed);
    (void)fflush(stdout);
    watch_for_death();
    for (size_t i = 0; i < corpus_count; i++) {
        feed(corpus[i].data, corpus[i].size);
    }
    if (corpus_count == 0) {
        corpus[corpus_count++] = (struct input){must_alloc(1), 0};
    }
    if (getenv("GP_FUZZ_RUN") != NULL) {
        run = knob("GP_FUZZ_RUN", 0);
        run_end = run + 1;
    }
    for (; run < run_end; run++) {
        run_mutation();
    }
    for (size_t i = 0; i < corpus_count; i++) {
        free(corpus[i].data);
    }
    return 0;
}
