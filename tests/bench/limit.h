/*
 * What every limit program needs: clocks, CPU time, pinning, a fixed set of messages, options and
 * the result line. A limit program is the bare machine doing the work of one benchmark row, with no
 * task API and no accounting; each is one file, so that it can be read and doubted at a glance.
 *
 * Failures end the program with a message and status 1: a limit that lost a message is no limit.
 */
#ifndef BENCH_LIMIT_H
#define BENCH_LIMIT_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CACHE_LINE 64
#ifndef MESSAGE_BYTES /* given where a program is built for another size */
#define MESSAGE_BYTES 100
#endif
#define MESSAGE_KINDS                                                                              \
    (MESSAGE_BYTES > 1024 ? 8 : 128) /* powers of two: choosing one costs little */

#define CHECK(condition) ((condition) ? (void)0 : limit_die(#condition, __FILE__, __LINE__))

static inline _Noreturn void limit_die(const char *what, const char *file, int line)
{
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    exit(EXIT_FAILURE);
}

/* ---- time ---- */

static inline uint64_t clock_read_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static inline uint64_t now_ns(void)
{
    return clock_read_ns(CLOCK_MONOTONIC);
}

static inline uint64_t thread_cpu_ns(void)
{
    return clock_read_ns(CLOCK_THREAD_CPUTIME_ID);
}

static inline uint64_t process_cpu_ns(void)
{
    return clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- machine ---- */

/* Puts the calling thread on one CPU; a machine without that CPU leaves it where it is. */
static inline void pin_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    (void)sched_setaffinity(0, sizeof(set), &set); /* an unpinned run is slower, not wrong */
}

static inline void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Zeroed pages, present from the start, shared with children forked later. */
static inline void *pages_new(size_t bytes)
{
    void *pages =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    CHECK(pages != MAP_FAILED);
    return pages;
}

/* ---- processes ---- */

static inline void child_check(pid_t child)
{
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- messages ---- */

/* A small set of different messages, as SOL sends: they stay in the cache, and no two neighbours
 * are equal, so neither copying nor checking can be optimised away. */
struct messages {
    _Alignas(CACHE_LINE) char body[MESSAGE_KINDS][MESSAGE_BYTES];
};

static inline void messages_fill(struct messages *m)
{
    uint64_t state = 1;

    for (size_t kind = 0; kind < MESSAGE_KINDS; kind++) {
        for (size_t i = 0; i < MESSAGE_BYTES; i++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            m->body[kind][i] = (char)('0' + (state >> 33) % 10);
        }
    }
}

static inline const char *message_at(const struct messages *m, uint64_t sequence)
{
    return m->body[sequence % MESSAGE_KINDS];
}

/* The last eight bytes of a message: what a receiver reads of each, so that the far end of every
 * message really has to arrive. */
static inline uint64_t message_tail(const char *body)
{
    uint64_t word;

    memcpy(&word, body + MESSAGE_BYTES - sizeof(word), sizeof(word));
    return word;
}

/* The sum of the tails of messages [0, count): what a receiver of all of them must have. */
static inline uint64_t messages_tail_sum(const struct messages *m, uint64_t count)
{
    uint64_t sum = 0;

    for (uint64_t kind = 0; kind < MESSAGE_KINDS; kind++) {
        uint64_t times = count / MESSAGE_KINDS + (kind < count % MESSAGE_KINDS);
        sum += times * message_tail(m->body[kind]);
    }
    return sum;
}

/* A message as it crosses a boundary: a header of two 64-bit words, then the body, unpadded. */
struct row_header {
    uint32_t length;
    uint32_t sequence;
    uint64_t due_ns; /* when it was due to be sent; 0 where latency is not measured */
};
#define ROW_BYTES (sizeof(struct row_header) + MESSAGE_BYTES)

static inline void row_write(char *to, const struct messages *m, uint64_t sequence, uint64_t due_ns)
{
    struct row_header header = {MESSAGE_BYTES, (uint32_t)sequence, due_ns};

    memcpy(to, &header, sizeof(header));
    memcpy(to + sizeof(header), message_at(m, sequence), MESSAGE_BYTES);
}

/* Checks a row's number and returns its tail. */
static inline uint64_t row_read(const char *from, uint64_t sequence, struct row_header *ret_header)
{
    memcpy(ret_header, from, sizeof(*ret_header));
    CHECK(ret_header->sequence == (uint32_t)sequence && ret_header->length == MESSAGE_BYTES);
    return message_tail(from + sizeof(*ret_header));
}

/* ---- options: "--name value" pairs, each named in the usage line ---- */

static inline void options_check(int argc, char **argv, const char *usage)
{
    char wanted[64];

    for (int i = 1; i < argc; i += 2) {
        int length = snprintf(wanted, sizeof(wanted), "[%s ", argv[i]);
        if (length >= (int)sizeof(wanted) || strstr(usage, wanted) == NULL || i + 1 == argc) {
            fprintf(stderr, "usage: %s %s\n", argv[0], usage);
            exit(2);
        }
    }
}

static inline const char *option_text(int argc, char **argv, const char *name, const char *fallback)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return fallback;
}

static inline double option_number(int argc, char **argv, const char *name, double fallback)
{
    const char *text = option_text(argc, argv, name, NULL);
    char *end = NULL;
    double value = text == NULL ? fallback : strtod(text, &end);

    CHECK(text == NULL || (end != text && *end == '\0' && value > 0));
    return value;
}

/* True for the first choice, false for the second; anything else ends the program. */
static inline int option_is(int argc, char **argv, const char *name, const char *first,
                            const char *second)
{
    const char *text = option_text(argc, argv, name, first);

    CHECK(strcmp(text, first) == 0 || strcmp(text, second) == 0);
    return strcmp(text, first) == 0;
}

/* ---- result: one line of JSON on stdout ---- */

static inline void result_open(const char *name)
{
    printf("{\"name\":\"%s\"", name);
}

static inline void result_number(const char *key, double value)
{
    printf(",\"%s\":%.6g", key, value);
}

static inline void result_close(void)
{
    printf("}\n");
}

static inline void result_count(const char *key, uint64_t value)
{
    printf(",\"%s\":%llu", key, (unsigned long long)value);
}

/* The figures that every row has. cpu_ns is the CPU time of all threads and processes. */
static inline void result_rate(uint64_t messages, uint64_t wall_ns, uint64_t cpu_ns)
{
    CHECK(messages > 0 && wall_ns > 0);
    result_count("messages", messages);
    result_number("seconds", (double)wall_ns * 1e-9);
    result_number("rate_msgs_per_s", (double)messages / (double)wall_ns * 1e9);
    result_number("cpu_ns_per_msg", (double)cpu_ns / (double)messages);
    result_number("bytes_per_s", (double)messages * MESSAGE_BYTES / (double)wall_ns * 1e9);
    result_number("cpu_ns_per_kib", (double)cpu_ns / ((double)messages * MESSAGE_BYTES / 1024));
}

#endif
