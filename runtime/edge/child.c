/*
 * child.c: children die with their parent.
 *
 * Two ways, as each has a hole. The kernel kills us when the parent's thread ends (PDEATHSIG),
 * unless it ended before we asked: so the parent's pid is checked after asking. The lifeline also
 * works across programs that clear PDEATHSIG; a thread of its own waits on it, since the main loop
 * may be busy in user code.
 */
#include "edge/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "edge/limits.h"

#define THREAD_STACK_BYTES ((size_t)64 << 10)

static void *watch_lifeline(void *unused)
{
    char byte;
    ssize_t n;

    (void)unused;
    do {
        n = read(EDGE_CHILD_LIFELINE_FD, &byte, 1);
    } while (n > 0 || (n < 0 && errno == EINTR));
    _exit(EXIT_FAILURE);
}

/* 0 or an errno value. */
static int start_watcher(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    int rc = pthread_attr_init(&attr);

    if (rc != 0) {
        return rc;
    }
    (void)pthread_attr_setstacksize(&attr, THREAD_STACK_BYTES); /* the default is fine too */
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    rc = pthread_create(&thread, &attr, watch_lifeline, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return rc;
}

/*
 * Moves the entries with our prefix, without it, from the environment to a list of their own. The
 * strings of the environment are overwritten: they are what /proc/PID/environ shows.
 */
static int take_env(const char *const **ret_env)
{
    const size_t prefix_len = sizeof(EDGE_CHILD_ENV_PREFIX) - 1;
    char **env = calloc(EDGE_CHILD_ENV_MAX + 1, sizeof(*env));
    size_t taken = 0;
    char **kept = environ;
    int rc = env != NULL ? 0 : GP_ENOMEM;

    for (char **at = environ; rc == 0 && *at != NULL; at++) {
        if (taken == EDGE_CHILD_ENV_MAX || strncmp(*at, EDGE_CHILD_ENV_PREFIX, prefix_len) != 0) {
            *kept++ = *at;
            continue;
        }
        env[taken] = strdup(*at + prefix_len);
        rc = env[taken++] != NULL ? 0 : GP_ENOMEM;
        explicit_bzero(*at, strlen(*at));
    }
    if (rc == 0) {
        *kept = NULL;
    }
    *ret_env = (const char *const *)env;
    return rc;
}

void edge_child_end(struct edge_child *child)
{
    char **env = (char **)(uintptr_t)child->env; /* ours: take_env() made it */

    for (char **at = env; at != NULL && *at != NULL; at++) {
        explicit_bzero(*at, strlen(*at));
        free(*at);
    }
    free(env);
    child->env = NULL;
}

int edge_child_begin(struct edge_child *ret, struct gp_error *err)
{
    const char *text = getenv(EDGE_CHILD_PARENT_ENV);
    struct stat lifeline;
    uint64_t parent;
    int rc;

    if (text == NULL || str_to_u64(gp_str_of(text), &parent) < 0 ||
        fstat(EDGE_CHILD_LIFELINE_FD, &lifeline) < 0 || !S_ISFIFO(lifeline.st_mode)) {
        return gp_error_set(err, GP_ESTATE, "this role is started by a worker, not by hand");
    }
    (void)unsetenv(EDGE_CHILD_PARENT_ENV); /* not for our own children */
    /* What the parent itself once inherited without knowing it. */
    (void)close_range(EDGE_CHILD_LIFELINE_FD + 1, ~0U, 0);
    (void)fcntl(EDGE_CHILD_LIFELINE_FD, F_SETFD, FD_CLOEXEC);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail for a valid signal */
    if ((uint64_t)getppid() != parent) {
        _exit(EXIT_FAILURE);
    }
    rc = start_watcher();
    if (rc != 0) {
        return gp_error_set(err, error_from_errno(rc), "cannot watch the parent: %s", strerror(rc));
    }
    rc = take_env(&ret->env);
    if (rc < 0) {
        edge_child_end(ret);
        return gp_error_set(err, rc, "cannot take the environment: out of memory");
    }
    return 0;
}
