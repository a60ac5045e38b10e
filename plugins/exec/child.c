/*
 * Child processes: see child.h.
 *
 * Between fork and exec the child of a process with many threads may only do what a signal handler
 * may: plain system calls. It undoes what the host set for itself (SIGPIPE is ignored there,
 * signals may be blocked, and a lane may be bound to a CPU or kept from one, which the process is
 * not) and closes every descriptor but its three. PDEATHSIG kills it when the thread dies that made
 * it, so also when the executor is killed; the check of the parent closes the gap before.
 * Grandchildren see the end of their stdin then.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHELL "/bin/sh"

static void close_pipe(int ends[2])
{
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            (void)close(ends[i]);
        }
    }
}

static void close_end(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

__attribute__((noreturn)) static void become(const char *command, pid_t parent, int in, int out,
                                             int err)
{
    sigset_t none;
    cpu_set_t all;

    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(127);
    }
    /* Above the first three, so that none is overwritten before it was copied. */
    in = fcntl(in, F_DUPFD, 3);
    out = fcntl(out, F_DUPFD, 3);
    err = fcntl(err, F_DUPFD, 3);
    if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0) {
        _exit(127);
    }
    (void)close_range(3, ~0U, 0);
    if (sched_getaffinity(parent, sizeof all, &all) == 0) { /* of its first thread, no lane */
        (void)sched_setaffinity(0, sizeof all, &all);
    }
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)execl(SHELL, "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int set_nonblocking(int fd)
{
    return fcntl(fd, F_SETFL, O_NONBLOCK);
}

int child_start(struct child *c, const char *command)
{
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    int err[2] = {-1, -1};
    const pid_t parent = getpid();
    pid_t pid;
    int reason;

    *c = (struct child){.in = -1, .out = -1, .err = -1};
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 ||
        set_nonblocking(in[1]) != 0 || set_nonblocking(out[0]) != 0 ||
        set_nonblocking(err[0]) != 0 || (pid = fork()) < 0) {
        reason = errno;
        close_pipe(in);
        close_pipe(out);
        close_pipe(err);
        errno = reason;
        return -1;
    }
    if (pid == 0) {
        become(command, parent, in[0], out[1], err[1]);
    }
    (void)setpgid(pid, pid); /* whoever is first; it may have done so and gone on */
    (void)close(in[0]);
    (void)close(out[1]);
    (void)close(err[1]);
    *c = (struct child){.pid = pid, .in = in[1], .out = out[0], .err = err[0]};
    return 0;
}

void child_close_in(struct child *c)
{
    close_end(&c->in);
}

bool child_has_ended(struct child *c, int *ret_status)
{
    siginfo_t info = {0};

    /* Left as a zombie until child_end(): its number, and so its group's, stays taken. */
    if (c->pid == 0 || waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
        info.si_pid == 0) {
        return false;
    }
    *ret_status =
        info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
    return true;
}

void child_end(struct child *c)
{
    if (c->pid == 0) {
        return;
    }
    (void)kill(-c->pid, SIGKILL);
    while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR) {
    }
    close_end(&c->in);
    close_end(&c->out);
    close_end(&c->err);
    c->pid = 0;
}

const char *child_reason(int status, char text[CHILD_REASON_BYTES])
{
    if (WIFEXITED(status)) {
        (void)snprintf(text, CHILD_REASON_BYTES, "exited with %d", WEXITSTATUS(status));
    } else {
        (void)snprintf(text, CHILD_REASON_BYTES, "was killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    }
    return text;
}
