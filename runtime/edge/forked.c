/*
 * forked.c: see forked.h.
 *
 * Happy path: pipes and a shared counter → fork → lines until both pipes are closed → its status.
 */
#include "edge/forked.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "edge/crash.h"

#define LINE_MAX_BYTES (64u << 20)
#define READ_BYTES     65536u
#define LOOK_MS        1000 /* between two looks at the counter */
#define GRACE_MS       3000 /* for the last words of one that is stuck, or gone */

/* Of one that is contained. Memory is what malloc can get; a sanitizer's own is far more. */
#define MEMORY_BYTES ((rlim_t)2 << 30)
#define FILE_BYTES   ((rlim_t)64 << 20)
#if !defined(__has_feature) /* of clang */
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_MEMORY_LIMIT 0
#else
#define HAS_MEMORY_LIMIT 1
#endif

enum { RECORDS, WORDS, STREAMS };

struct lines {
    int fd; /* -1: at its end */
    struct buf text;
};

struct forked {
    const struct edge_forked *spec;
    struct edge_forked_end *end;
    struct lines lines[STREAMS];
    pid_t pid;
    _Atomic uint64_t *counter;
    uint64_t seen;    /* of the counter */
    int64_t moved_ms; /* when it was seen to move */
    int64_t looked_ms;
    bool is_gone; /* and its status known */
    int64_t gone_ms;
};

/* ---- what the child says ---- */

static void take_line(struct forked *f, int stream, gp_str line)
{
    if (stream == RECORDS) {
        f->spec->on_record(f->spec->user, line);
    } else {
        f->spec->on_word(f->spec->user, line);
    }
}

static void take_lines(struct forked *f, int stream)
{
    struct buf *text = &f->lines[stream].text;
    gp_str rest = buf_str(text);
    const char *end;

    while (rest.len > 0 && (end = memchr(rest.ptr, '\n', rest.len)) != NULL) {
        gp_str line = {.ptr = rest.ptr, .len = (size_t)(end - rest.ptr)};

        take_line(f, stream, line);
        rest.ptr += line.len + 1;
        rest.len -= line.len + 1;
    }
    buf_consume(text, buf_len(text) - rest.len);
}

/* The last line may have no end. */
static void finish(struct forked *f, int stream)
{
    struct lines *l = &f->lines[stream];

    if (buf_len(&l->text) > 0) {
        take_line(f, stream, buf_str(&l->text));
    }
    (void)close(l->fd);
    l->fd = -1;
}

static void read_some(struct forked *f, int stream)
{
    struct lines *l = &f->lines[stream];
    void *space;
    ssize_t n;

    if (buf_reserve(&l->text, READ_BYTES, &space) < 0) {
        finish(f, stream); /* a line without an end: nobody can want it */
        return;
    }
    n = read(l->fd, space, READ_BYTES);
    if (n > 0) {
        buf_commit(&l->text, (size_t)n);
        take_lines(f, stream);
    } else if (n == 0 || errno != EINTR) {
        finish(f, stream);
    }
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void kill_all(const struct forked *f)
{
    (void)kill(f->spec->is_contained ? -f->pid : f->pid, SIGKILL);
}

static void take_status(struct forked *f, int status)
{
    f->is_gone = true;
    f->gone_ms = now_ms();
    f->end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    f->end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (f->spec->is_contained) {
        kill_all(f); /* its children may hold the pipes */
    }
}

/* From time to time, however much it says. */
static void look(struct forked *f)
{
    uint64_t count = atomic_load_explicit(f->counter, memory_order_relaxed);
    int64_t stuck_ms = (int64_t)f->spec->stuck_s * 1000;
    int64_t now = now_ms();
    int status;

    if (now - f->looked_ms < LOOK_MS || f->is_gone) {
        return;
    }
    f->looked_ms = now;
    if (waitpid(f->pid, &status, WNOHANG) == f->pid) {
        take_status(f, status);
        return;
    }
    f->moved_ms = count == f->seen ? f->moved_ms : now;
    f->seen = count;
    if (now - f->moved_ms >= stuck_ms && !f->end->is_stuck) {
        f->end->is_stuck = true;
        (void)kill(f->pid, SIGABRT); /* its last words say where it is */
    } else if (now - f->moved_ms >= stuck_ms + GRACE_MS) {
        kill_all(f);
    }
}

/* Whoever holds the pipes now is another process, which left the group, and may live for ever. */
static bool is_over(const struct forked *f)
{
    return (f->lines[RECORDS].fd < 0 && f->lines[WORDS].fd < 0) ||
           (f->is_gone && now_ms() - f->gone_ms >= GRACE_MS);
}

static void listen_to(struct forked *f)
{
    while (!is_over(f)) {
        struct pollfd fds[STREAMS] = {{.fd = f->lines[RECORDS].fd, .events = POLLIN},
                                      {.fd = f->lines[WORDS].fd, .events = POLLIN}};
        int n = poll(fds, STREAMS, LOOK_MS);

        look(f);
        for (int i = 0; i < STREAMS && n > 0; i++) {
            if (fds[i].revents != 0) {
                read_some(f, i);
            }
        }
    }
    for (int i = 0; i < STREAMS; i++) {
        if (f->lines[i].fd >= 0) {
            finish(f, i);
        }
    }
}

/* ---- the child ---- */

/* What cannot be bounded is not: it is a precaution. */
static void contain(void)
{
    const struct rlimit memory = {MEMORY_BYTES, MEMORY_BYTES};
    const struct rlimit file = {FILE_BYTES, FILE_BYTES};
    const struct rlimit none = {0, 0};
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)setpgid(0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)setrlimit(RLIMIT_FSIZE, &file);
    if (HAS_MEMORY_LIMIT) {
        (void)setrlimit(RLIMIT_DATA, &memory);
    }
    if (fd >= 0) {
        (void)dup2(fd, STDIN_FILENO);
        (void)close(fd);
    }
}

static _Noreturn void be_child(const struct forked *f, pid_t parent, int records, int words)
{
    struct edge_crash_stack stack;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(words, STDERR_FILENO) < 0 || dup2(words, STDOUT_FILENO) < 0) {
        _exit(EXIT_FAILURE);
    }
    (void)close(words);
    if (f->spec->is_contained) {
        contain();
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    edge_crash_thread_begin(&stack, NULL);
    exit(f->spec->run(f->spec->user, records, f->counter));
}

static void close_both(const int fds[2])
{
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static int failed(struct gp_error *err, const char *doing)
{
    return gp_error_set(err, error_from_errno(errno), "%s: %s", doing, strerror(errno));
}

static int start(struct forked *f, struct gp_error *err)
{
    pid_t parent = getpid();
    int records[2];
    int words[2];
    int rc;

    if (pipe(records) < 0) {
        return failed(err, "no pipe to a child");
    }
    if (pipe(words) < 0) {
        rc = failed(err, "no pipe to a child");
        close_both(records);
        return rc;
    }
    (void)fflush(NULL); /* lest the child says it again */
    f->pid = fork();
    if (f->pid < 0) {
        rc = failed(err, "no child");
        close_both(records);
        close_both(words);
        return rc;
    }
    if (f->pid == 0) {
        (void)close(records[0]);
        (void)close(words[0]);
        be_child(f, parent, records[1], words[1]);
    }
    (void)close(records[1]);
    (void)close(words[1]);
    f->lines[RECORDS].fd = records[0];
    f->lines[WORDS].fd = words[0];
    return 0;
}

/* It may have closed its pipes and go on. */
static void wait_for(struct forked *f)
{
    int status = 0;

    while (!f->is_gone) {
        const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};
        pid_t pid = waitpid(f->pid, &status, WNOHANG);

        if (pid == f->pid) {
            take_status(f, status);
        } else if (pid == 0) {
            look(f);
            (void)nanosleep(&moment, NULL);
        } else if (errno != EINTR) {
            return;
        }
    }
}

int edge_forked_run(const struct edge_forked *spec, struct edge_forked_end *ret,
                    struct gp_error *err)
{
    void *shared =
        mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct forked f = {.spec = spec, .end = ret, .counter = shared};
    int rc;

    *ret = (struct edge_forked_end){0};
    if (shared == MAP_FAILED) {
        return failed(err, "no memory to share with a child");
    }
    buf_init(&f.lines[RECORDS].text, LINE_MAX_BYTES);
    buf_init(&f.lines[WORDS].text, LINE_MAX_BYTES);
    rc = start(&f, err);
    f.moved_ms = f.looked_ms = now_ms();
    if (rc == 0) {
        listen_to(&f);
        wait_for(&f);
    }
    buf_deinit(&f.lines[RECORDS].text);
    buf_deinit(&f.lines[WORDS].text);
    (void)munmap(shared, sizeof(uint64_t));
    return rc;
}
