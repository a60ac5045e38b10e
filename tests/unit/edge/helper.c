/*
 * helper.c: the children of test_proc.c and test_crash.c. The first argument says what to be.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "edge/child.h"
#include "edge/crash.h"
#include "edge/signals.h"
#include "edge/world.h"

#define UNCHECKED __attribute__((no_sanitize("undefined"), noinline))

static int fail(const struct gp_error *err)
{
    printf("error: %s\n", err->text);
    return 9;
}

static _Noreturn void be_ready_and_sleep(void)
{
    printf("ready\n");
    (void)fflush(stdout);
    for (;;) {
        (void)pause();
    }
}

static int sleeper(void)
{
    struct edge_child child;
    struct gp_error err = {0};

    if (edge_child_begin(&child, &err) < 0) {
        return fail(&err);
    }
    be_ready_and_sleep();
}

/* Only the lifeline is left to tell it that the parent died. */
static int lifeline_only(void)
{
    struct edge_child child;
    struct gp_error err = {0};

    if (edge_child_begin(&child, &err) < 0) {
        return fail(&err);
    }
    (void)prctl(PR_SET_PDEATHSIG, 0);
    be_ready_and_sleep();
}

/* What it was handed, and whether that still stands where others could read it. */
static int handed(void)
{
    static char environment[1 << 20];
    struct edge_child child;
    struct edge_options options = {0};
    struct edge_world *world;
    struct gp_error err = {0};
    const char *secret;
    FILE *file;
    size_t len;

    if (edge_child_begin(&child, &err) < 0) {
        return fail(&err);
    }
    options.env = child.env;
    if (edge_world_new(&options, &world, &err) < 0) {
        return fail(&err);
    }
    secret = port_env(edge_port(world), "GEARPUMP_SECRET");
    printf("secret=%s other=%s", secret, port_env(edge_port(world), "GEARPUMP_OTHER"));
    file = fopen("/proc/self/environ", "r");
    len = fread(environment, 1, sizeof(environment), file);
    (void)fclose(file);
    printf(" getenv=%d proc=%d parent=%d home=%d\n",
           getenv("GEARPUMP_CHILD_GEARPUMP_SECRET") != NULL,
           memmem(environment, len, secret, strlen(secret)) != NULL,
           getenv(EDGE_CHILD_PARENT_ENV) != NULL, getenv("HOME") != NULL);
    edge_world_free(world);
    edge_child_end(&child);
    edge_child_end(&child); /* harmless */
    return 0;
}

static int stubborn(void)
{
    (void)signal(SIGTERM, SIG_IGN);
    be_ready_and_sleep();
}

/* Leaves a process behind that holds the output open. */
static int leaver(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        for (;;) {
            (void)pause();
        }
    }
    printf("left %ld\n", (long)pid);
    return 0;
}

static int facts(void)
{
    struct sigaction pipe_action;
    sigset_t blocked;
    struct dirent *entry;
    DIR *dir = opendir("/proc/self/fd");
    int fds = 0;
    int mask = 0;

    while ((entry = readdir(dir)) != NULL) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] != '.' && fd != dirfd(dir)) {
            fds++;
            mask |= fd < 31 ? 1 << fd : 0;
        }
    }
    (void)closedir(dir);
    (void)sigprocmask(SIG_BLOCK, NULL, &blocked);
    (void)sigaction(SIGPIPE, NULL, &pipe_action);
    printf("fds=%d mask=%d leader=%d blocked=%d pipe_ignored=%d stdin_empty=%d\n", fds, mask,
           getsid(0) == getpid(), sigisemptyset(&blocked) == 0, pipe_action.sa_handler == SIG_IGN,
           getchar() == EOF);
    return 0;
}

static int flood(const char *count_text)
{
    for (long i = 0, n = atol(count_text); i < n; i++) {
        putchar('a' + (int)(i % 26));
    }
    return 0;
}

/* ---- a parent ---- */

static void print_output(void *user, const char *ptr, size_t len)
{
    const struct port *port = edge_port(user);
    struct proc **proc = (struct proc **)port->log; /* see parent() */

    (void)ptr;
    (void)len;
    printf("child %lld\n", (long long)proc_pid(port, *proc));
    (void)fflush(stdout);
}

static void ignore_exit(void *user, const struct proc_exit *how)
{
    (void)user;
    (void)how;
}

/* Starts a child of its own and tells its pid once that one is ready. */
static int parent(const char *role)
{
    struct proc *proc = NULL;
    struct edge_options options = {.log = (struct log *)&proc}; /* a place to find it again */
    struct edge_world *world;
    struct gp_error err = {0};
    const char *const args[] = {role, NULL};
    struct proc_spec spec = {.args = args, .on_output = print_output, .on_exit = ignore_exit};

    if (edge_world_new(&options, &world, &err) < 0) {
        return fail(&err);
    }
    spec.user = world;
    if (port_spawn(edge_port(world), &spec, &proc, &err) < 0) {
        return fail(&err);
    }
    edge_run(world);
    return 0;
}

/* ---- crashes ---- */

static struct crash_note note = {"word count", "split", "process", 42, 0};
static volatile int depth;

static UNCHECKED void touch_nothing(void)
{
    *(volatile int *)(uintptr_t)depth = 1; /* depth is 0 here */
}

static UNCHECKED int recurse(volatile char *above)
{
    volatile char space[4096];

    space[0] = above[0];
    return ++depth > 0 ? recurse(space) + space[0] : 0;
}

static void tell_place(void)
{
    Dl_info info;

    if (dladdr((void *)(uintptr_t)touch_nothing, &info) != 0) {
        printf("place=0x%lx\n",
               (unsigned long)((uintptr_t)touch_nothing - (uintptr_t)info.dli_fbase));
        (void)fflush(stdout);
    }
}

static int crash_init(void *user, struct loop *loop)
{
    (void)user;
    (void)loop;
    return 0;
}

static enum runner_state crash_turn(void *user)
{
    volatile char begin = 0;

    if (strcmp(user, "overflow") == 0) {
        return (enum runner_state)recurse(&begin);
    }
    touch_nothing();
    return RUNNER_DONE;
}

static int crash_in_runner(char *how)
{
    struct edge_world *world;
    struct gp_error err = {0};
    struct runner *runner;
    struct runner_spec spec = {
        .name = "lane",
        .init = crash_init,
        .turn = crash_turn,
        .user = how,
        .crash_note = &note,
        .cpu = -1,
    };

    if (edge_world_new(NULL, &world, &err) < 0 ||
        port_runner_start(edge_port(world), &spec, &runner, &err) < 0) {
        return fail(&err);
    }
    edge_run(world);
    return 0;
}

static int crash(char *how)
{
    tell_place();
    if (strcmp(how, "null") == 0) {
        touch_nothing();
    } else if (strcmp(how, "abort") == 0) {
        abort();
    } else if (strcmp(how, "bad-note") == 0) {
        struct edge_crash_stack stack;
        static struct crash_note bad = {(const char *)16, (const char *)16, (const char *)16, 1, 0};

        edge_crash_thread_begin(&stack, &bad);
        touch_nothing();
    }
    return crash_in_runner(how);
}

int main(int argc, char **argv)
{
    const char *role = argc > 1 ? argv[1] : "";
    char *arg = argc > 2 ? argv[2] : argv[0];

    if (strcmp(role, "facts") == 0) {
        return facts();
    }
    edge_process_begin();
    if (strcmp(role, "exit") == 0) {
        return atoi(arg);
    }
    if (strcmp(role, "say") == 0) {
        fprintf(stdout, "out:%s ", arg);
        (void)fflush(stdout);
        fprintf(stderr, "err:%s", arg);
        return 0;
    }
    if (strcmp(role, "flood") == 0) {
        return flood(arg);
    }
    if (strcmp(role, "sleeper") == 0) {
        return sleeper();
    }
    if (strcmp(role, "lifeline") == 0) {
        return lifeline_only();
    }
    if (strcmp(role, "handed") == 0) {
        return handed();
    }
    if (strcmp(role, "stubborn") == 0) {
        return stubborn();
    }
    if (strcmp(role, "leaver") == 0) {
        return leaver();
    }
    if (strcmp(role, "parent") == 0) {
        return parent(arg);
    }
    return strcmp(role, "crash") == 0 ? crash(arg) : 8;
}
