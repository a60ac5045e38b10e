/* terminal.c: see terminal.h. */
#include "edge/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/str.h"

#define WORDS_MAX_BYTES ((size_t)64 << 10) /* of the child's stderr that are passed on */
#define ROWS_USUAL      24
#define COLUMNS_USUAL   80

/* The alternate screen, no cursor, no wrapping; and back. */
static const char enter_sequence[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
static const char leave_sequence[] = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?1049l";

static void write_all(int fd, const char *ptr, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, ptr, len);

        if (n < 0 && errno == EAGAIN) { /* a loop that reads the terminal has made it so */
            struct pollfd ready = {.fd = fd, .events = POLLOUT};

            (void)poll(&ready, 1, -1);
        } else if (n < 0 && errno != EINTR) {
            return; /* nobody looks */
        }
        ptr += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
}

bool edge_terminal_is_possible(void)
{
    const char *term = getenv("TERM");

    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* ---- the guardian ---- */

struct guardian {
    struct termios before;
    int flags; /* of stdin, as they were */
    pid_t child;
    int words; /* the child's stderr: memory */
    sigset_t watched;
    sigset_t mask; /* as it was */
};

/* Keys one by one and unseen; the signals of ^C, ^\ and ^Z stay. */
static void enter(const struct guardian *g)
{
    struct termios raw = g->before;

    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
    raw.c_iflag &= ~(tcflag_t)(IXON | ICRNL | INLCR);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    write_all(STDOUT_FILENO, enter_sequence, sizeof enter_sequence - 1);
}

/* The old screen comes last: who types once it is there types for the shell, and loses nothing. */
static void leave(const struct guardian *g)
{
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &g->before);
    (void)fcntl(STDIN_FILENO, F_SETFL, g->flags);
    write_all(STDOUT_FILENO, leave_sequence, sizeof leave_sequence - 1);
}

/* The child was stopped, and so are we, with a terminal as it was. */
static void stop_along(const struct guardian *g)
{
    leave(g);
    (void)raise(SIGSTOP);
    enter(g);
    (void)kill(g->child, SIGCONT);
    (void)kill(g->child, SIGWINCH); /* draws again */
}

/* Until the child has ended; its status as waitpid() has it. */
static int guard(const struct guardian *g)
{
    int status = 0;

    for (;;) {
        pid_t pid = waitpid(g->child, &status, WNOHANG | WUNTRACED);
        int number;

        if (pid < 0 && errno != EINTR) {
            return 0;
        }
        if (pid == g->child && !WIFSTOPPED(status)) {
            return status;
        }
        if (pid == g->child) {
            stop_along(g);
            continue;
        }
        number = sigwaitinfo(&g->watched, NULL);
        if (number == SIGTERM || number == SIGHUP) {
            (void)kill(g->child, number);
        }
    }
}

static void pass_words(int words)
{
    char *text = malloc(WORDS_MAX_BYTES);
    ssize_t len = text ? pread(words, text, WORDS_MAX_BYTES, 0) : 0;

    if (len > 0) {
        write_all(STDERR_FILENO, text, (size_t)len);
    }
    free(text);
}

static int be_guardian(struct guardian *g)
{
    int status = guard(g);

    leave(g);
    pass_words(g->words);
    (void)close(g->words);
    (void)sigprocmask(SIG_SETMASK, &g->mask, NULL);
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "ended by signal %d\n", WTERMSIG(status));
        return 128 + WTERMSIG(status);
    }
    return WEXITSTATUS(status);
}

static void be_child(const struct guardian *g, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) {
        _exit(1);
    }
    if (isatty(STDERR_FILENO)) {
        (void)dup2(g->words, STDERR_FILENO);
    }
    (void)close(g->words);
    (void)sigprocmask(SIG_SETMASK, &g->mask, NULL);
}

int edge_terminal_begin(int *ret_status, struct gp_error *err)
{
    static const int watched[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGTTOU};
    struct guardian g = {.words = memfd_create("words", MFD_CLOEXEC)};
    pid_t parent = getpid();
    int rc;

    (void)fflush(NULL);
    (void)sigemptyset(&g.watched);
    for (size_t i = 0; i < sizeof watched / sizeof watched[0]; i++) {
        (void)sigaddset(&g.watched, watched[i]);
    }
    g.flags = fcntl(STDIN_FILENO, F_GETFL);
    if (g.words < 0 || g.flags < 0 || tcgetattr(STDIN_FILENO, &g.before) < 0 ||
        sigprocmask(SIG_BLOCK, &g.watched, &g.mask) < 0) {
        rc = gp_error_set(err, GP_EIO, "cannot set up the terminal: %m");
        (void)close(g.words);
        return rc;
    }
    enter(&g);
    g.child = fork();
    if (g.child == 0) {
        be_child(&g, parent);
        return 0;
    }
    if (g.child < 0) {
        rc = gp_error_set(err, GP_EIO, "cannot fork: %m");
        leave(&g);
        (void)close(g.words);
        (void)sigprocmask(SIG_SETMASK, &g.mask, NULL);
        return rc;
    }
    *ret_status = be_guardian(&g);
    return 1;
}

/* ---- the child ---- */

struct edge_terminal {
    void (*on_keys)(void *user, gp_str sent);
    void (*on_resized)(void *user);
    void *user;
    struct fd_watch *keys;
    struct fd_watch *sizes;
    int size_fd; /* signals of a new size */
};

static void on_readable(void *user, int events)
{
    struct edge_terminal *t = user;
    char sent[256];
    ssize_t len = read(STDIN_FILENO, sent, sizeof sent);

    (void)events;
    if (len < 0 && (errno == EINTR || errno == EAGAIN)) {
        return;
    }
    if (len <= 0) {
        (void)fd_watch_set(t->keys, 0);
    }
    t->on_keys(t->user, (gp_str){sent, len > 0 ? (size_t)len : 0});
}

static void on_size_signal(void *user, int events)
{
    struct edge_terminal *t = user;
    struct signalfd_siginfo info;

    (void)events;
    if (read(t->size_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        t->on_resized(t->user);
    }
}

static int watch_size(struct edge_terminal *t, struct loop *loop)
{
    sigset_t sizes;

    (void)sigemptyset(&sizes);
    (void)sigaddset(&sizes, SIGWINCH);
    if (sigprocmask(SIG_BLOCK, &sizes, NULL) < 0) {
        return GP_EIO;
    }
    t->size_fd = signalfd(-1, &sizes, SFD_NONBLOCK | SFD_CLOEXEC);
    return t->size_fd < 0 ? GP_EIO : fd_watch_new(loop, t->size_fd, on_size_signal, t, &t->sizes);
}

int edge_terminal_new(struct loop *loop, void (*on_keys)(void *user, gp_str sent),
                      void (*on_resized)(void *user), void *user, struct edge_terminal **ret,
                      struct gp_error *err)
{
    struct edge_terminal *t = calloc(1, sizeof *t);
    int rc = t ? 0 : GP_ENOMEM;

    if (rc == 0) {
        *t = (struct edge_terminal){
            .on_keys = on_keys, .on_resized = on_resized, .user = user, .size_fd = -1};
        rc = watch_size(t, loop);
    }
    if (rc == 0) {
        rc = fd_watch_new(loop, STDIN_FILENO, on_readable, t, &t->keys);
    }
    if (rc == 0) {
        rc = fd_watch_set(t->keys, LOOP_READABLE);
    }
    if (rc == 0) {
        rc = fd_watch_set(t->sizes, LOOP_READABLE);
    }
    if (rc < 0) {
        edge_terminal_free(t);
        return gp_error_set(err, rc, "cannot use the terminal: %s", error_sentence(rc));
    }
    *ret = t;
    return 0;
}

void edge_terminal_free(struct edge_terminal *t)
{
    if (t) {
        fd_watch_free(t->keys);
        fd_watch_free(t->sizes);
        if (t->size_fd >= 0) {
            (void)close(t->size_fd);
        }
        free(t);
    }
}

void edge_terminal_size(uint32_t *ret_rows, uint32_t *ret_columns)
{
    struct winsize size = {0};

    (void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
    *ret_rows = size.ws_row > 0 ? size.ws_row : ROWS_USUAL;
    *ret_columns = size.ws_col > 0 ? size.ws_col : COLUMNS_USUAL;
}

void edge_terminal_write(gp_str text)
{
    write_all(STDOUT_FILENO, text.ptr, text.len);
}
