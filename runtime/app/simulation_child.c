/* simulation_child.c: see simulation_child.h. One thread, blocking: there is no loop here. */
#include "app/simulation_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/fail.h"
#include "app/simulated.h"
#include "base/str.h"
#include "edge/crash.h"
#include "edge/json.h"
#include "wire/elf.h"

#define STUCK_S    10
#define LINE_MAX_B (64u << 20) /* the result holds a whole description */
#define READ_BYTES 65536u

enum { RECORDS, WORDS, STREAMS };

/* Lines of one descriptor of the child. */
struct lines {
    int fd;
    struct buf text;
};

struct watch {
    struct lines lines[STREAMS];
    pid_t pid;
    _Atomic uint64_t *counter;
    uint64_t seen; /* of the counter */
    int quiet_s;   /* since it moved */
    simulation_record_fn fn;
    void *user;
    struct simulation_end *end;
};

/* ---- what the child says ---- */

static void take_record(struct watch *w, gp_str line)
{
    struct value *record = NULL;

    if (edge_json_parse(line, &record, NULL) == 0) {
        w->end->has_result = w->end->has_result || value_get(record, GP_STR("result")) != NULL;
        w->fn(w->user, record);
    }
    value_free(record);
}

static void take_line(struct watch *w, int stream, gp_str line)
{
    struct crash crash = {0};

    if (stream == RECORDS) {
        take_record(w, line);
    } else if (crash_parse(line, &crash)) {
        w->end->crash = crash;
    } else {
        (void)fprintf(stderr, "%.*s\n", STR_ARG(line));
    }
}

static void take_lines(struct watch *w, int stream)
{
    struct buf *text = &w->lines[stream].text;
    gp_str all = buf_str(text);
    const char *end;

    while (all.len > 0 && (end = memchr(all.ptr, '\n', all.len)) != NULL) {
        gp_str line = {.ptr = all.ptr, .len = (size_t)(end - all.ptr)};

        take_line(w, stream, line);
        all.ptr += line.len + 1;
        all.len -= line.len + 1;
    }
    buf_consume(text, buf_len(text) - all.len);
}

/* Reads what is there; closes at the end. */
static void read_some(struct watch *w, int stream)
{
    struct lines *l = &w->lines[stream];
    void *space;
    ssize_t n = -1;

    if (buf_reserve(&l->text, READ_BYTES, &space) == 0) {
        n = read(l->fd, space, READ_BYTES);
    }
    if (n > 0) {
        buf_commit(&l->text, (size_t)n);
        take_lines(w, stream);
    } else if (n == 0 || errno != EINTR) {
        (void)close(l->fd);
        l->fd = -1;
    }
}

/* A second has passed in silence. */
static void check_stuck(struct watch *w)
{
    uint64_t now = atomic_load_explicit(w->counter, memory_order_relaxed);

    w->quiet_s = now == w->seen ? w->quiet_s + 1 : 0;
    w->seen = now;
    if (w->quiet_s >= STUCK_S && !w->end->is_stuck) {
        w->end->is_stuck = true;
        (void)kill(w->pid, SIGABRT); /* its last words say where it is */
    } else if (w->quiet_s >= 2 * STUCK_S) {
        (void)kill(w->pid, SIGKILL);
    }
}

static void listen_to(struct watch *w)
{
    while (w->lines[RECORDS].fd >= 0 || w->lines[WORDS].fd >= 0) {
        struct pollfd fds[STREAMS] = {{.fd = w->lines[RECORDS].fd, .events = POLLIN},
                                      {.fd = w->lines[WORDS].fd, .events = POLLIN}};
        int n = poll(fds, STREAMS, 1000);

        if (n == 0) {
            check_stuck(w);
        }
        for (int i = 0; i < STREAMS && n > 0; i++) {
            if (fds[i].revents != 0) {
                read_some(w, i);
            }
        }
    }
}

/* ---- the child ---- */

static _Noreturn void be_child(const struct simulation_options *options, int records, int words)
{
    struct edge_crash_stack stack;
    FILE *out = fdopen(records, "w");
    enum simulation_verdict verdict;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!out || dup2(words, STDERR_FILENO) < 0 || dup2(words, STDOUT_FILENO) < 0) {
        _exit(EXIT_STATUS_FAILED);
    }
    (void)close(words);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    edge_crash_thread_begin(&stack, NULL);
    verdict = simulation_run(options, out);
    (void)fclose(out);
    (void)fflush(stdout);
    _exit(simulation_is_good(verdict) ? EXIT_STATUS_OK : EXIT_STATUS_JOB_FAILED);
}

/* The name of the function that crashed, from the file it came from. */
static void find_symbol(const struct job *job, const char *path, struct crash *crash)
{
    struct buf file = {0};
    gp_str name;

    if (strcmp(crash->plugin, job->note.elf.note.name) == 0 && crash->object[0] != '\0' &&
        simulated_hooks.read_file(path, &file, NULL) == 0 &&
        elf_symbol_at(buf_bytes(&file), crash->offset, &name, NULL) >= 0) {
        (void)str_escape(name, crash->symbol, sizeof crash->symbol);
    }
    buf_deinit(&file);
}

static void note_status(struct simulation_end *end, int status)
{
    end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* ---- from outside ---- */

static void close_both(int fds[2])
{
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* Forks; what the parent reads is in the watch. */
static int start(struct watch *w, const struct simulation_options *options, struct gp_error *err)
{
    int records[2];
    int words[2];

    if (pipe(records) < 0) {
        return gp_error_set(err, error_from_errno(errno), "pipe: %s", strerror(errno));
    }
    if (pipe(words) < 0) {
        close_both(records);
        return gp_error_set(err, error_from_errno(errno), "pipe: %s", strerror(errno));
    }
    (void)fflush(NULL);
    w->pid = fork();
    if (w->pid < 0) {
        close_both(records);
        close_both(words);
        return gp_error_set(err, error_from_errno(errno), "fork: %s", strerror(errno));
    }
    if (w->pid == 0) {
        (void)close(records[0]);
        (void)close(words[0]);
        be_child(options, records[1], words[1]);
    }
    (void)close(records[1]);
    (void)close(words[1]);
    w->lines[RECORDS].fd = records[0];
    w->lines[WORDS].fd = words[0];
    return 0;
}

int simulation_child_run(struct simulation_options *options, simulation_record_fn fn, void *user,
                         struct simulation_end *ret, struct gp_error *err)
{
    void *shared =
        mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct watch w = {.counter = shared, .fn = fn, .user = user, .end = ret};
    int status = 0;
    int rc;

    *ret = (struct simulation_end){0};
    if (shared == MAP_FAILED) {
        return gp_error_set(err, GP_ENOMEM, "no memory to share with a child");
    }
    options->counter = shared;
    for (int i = 0; i < STREAMS; i++) {
        buf_init(&w.lines[i].text, LINE_MAX_B);
    }
    rc = start(&w, options, err);
    if (rc == 0) {
        listen_to(&w);
        while (waitpid(w.pid, &status, 0) < 0 && errno == EINTR) {
        }
        note_status(ret, status);
        find_symbol(options->job, options->path, &ret->crash);
    }
    for (int i = 0; i < STREAMS; i++) {
        buf_deinit(&w.lines[i].text);
    }
    (void)munmap(shared, sizeof(uint64_t));
    return rc;
}
