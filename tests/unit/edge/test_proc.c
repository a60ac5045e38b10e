#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "edge/child.h"
#include "edge/inproc.h"
#include "rig.h"

/* GP_TEST_HELPER is the program made from helper.c. */
static const struct edge_options options = {.program = GP_TEST_HELPER};

struct kid {
    struct rig *rig;
    struct proc *proc;
    char output[4096];
    size_t output_len;
    size_t output_total;
    int exits;
    struct proc_exit how;
    bool free_on_output;
    bool free_on_exit;
};

static void kid_on_output(void *user, const char *ptr, size_t len)
{
    struct kid *k = user;
    size_t room = sizeof(k->output) - 1 - k->output_len;

    GP_CHECK_EQ(k->exits, 0); /* the exit comes last */
    GP_CHECK(len > 0 && len <= 65536);
    memcpy(k->output + k->output_len, ptr, len < room ? len : room);
    k->output_len += len < room ? len : room;
    k->output_total += len;
    if (k->free_on_output) {
        proc_free(k->rig->port, k->proc);
        k->proc = NULL;
    }
}

static void kid_on_exit(void *user, const struct proc_exit *how)
{
    struct kid *k = user;

    k->exits++;
    if (k->free_on_exit) {
        proc_free(k->rig->port, k->proc);
        k->proc = NULL;
    }
    k->how = *how; /* readable still */
}

static int kid_try(struct kid *k, struct rig *rig, const char *role, const char *arg,
                   struct gp_error *err)
{
    const char *const args[] = {role, arg, NULL};
    struct proc_spec spec = {
        .args = args, .on_output = kid_on_output, .on_exit = kid_on_exit, .user = k};

    memset(k, 0, sizeof(*k));
    k->rig = rig;
    return port_spawn(rig->port, &spec, &k->proc, err);
}

static void kid_start(struct kid *k, struct rig *rig, const char *role, const char *arg)
{
    struct gp_error err = {0};

    GP_REQUIRE_EQ(kid_try(k, rig, role, arg, &err), 0);
}

static void kid_run(struct kid *k, struct rig *rig, const char *role, const char *arg)
{
    kid_start(k, rig, role, arg);
    RIG_PUMP_UNTIL(rig, k->exits > 0);
    proc_free(rig->port, k->proc);
    k->proc = NULL;
    GP_CHECK_EQ(k->exits, 1);
}

GP_TEST(proc, exit_code_is_told)
{
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &options);
    kid_run(&k, &rig, "exit", "7");
    GP_CHECK_EQ(k.how.code, 7);
    GP_CHECK_EQ(k.how.signal, 0);
    rig_end(&rig);
}

GP_TEST(proc, output_and_errors_arrive_before_the_exit)
{
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &options);
    kid_run(&k, &rig, "say", "hello");
    GP_CHECK_STR_EQ(k.output, "out:hello err:hello");
    GP_CHECK_EQ(k.how.code, 0);
    kid_run(&k, &rig, "flood", "1000000");
    GP_CHECK_EQ(k.output_total, 1000000);
    rig_end(&rig);
}

GP_TEST(proc, a_program_that_is_not_there_is_an_error)
{
    const struct edge_options none = {.program = "/nowhere/gpd"};
    struct rig rig;
    struct kid k;
    struct gp_error err = {0};

    rig_begin(&rig, &none);
    GP_CHECK_EQ(kid_try(&k, &rig, "executor", NULL, &err), GP_ENOENT);
    GP_CHECK(strstr(err.text, "executor") != NULL && strstr(err.text, "/nowhere/gpd") != NULL);
    GP_CHECK_EQ(k.exits, 0);
    rig_end(&rig);
}

/* 0, 1, 2 and the lifeline; a session of its own; no blocked signals. */
GP_TEST(proc, a_child_inherits_nothing_else)
{
    struct rig rig;
    struct kid other;
    struct kid k;
    int fd;

    /* What the test's own runner left open is not our affair. */
    GP_REQUIRE_EQ(close_range(3, ~0U, CLOSE_RANGE_CLOEXEC), 0);
    rig_begin(&rig, &options);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    kid_start(&other, &rig, "sleeper", NULL);
    kid_run(&k, &rig, "facts", NULL);
    GP_CHECK_STR_EQ(k.output, "fds=4 mask=15 leader=1 blocked=0 pipe_ignored=0 stdin_empty=1\n");
    proc_free(rig.port, other.proc);
    (void)close(fd);
    rig_end(&rig);
}

GP_TEST(proc, what_it_is_handed_is_seen_by_the_child_alone)
{
    const char *const args[] = {"handed", NULL};
    const char *const env[] = {"GEARPUMP_SECRET=xyzzy=1", "GEARPUMP_OTHER=", NULL};
    struct rig rig;
    struct kid k = {.rig = &rig};
    struct proc_spec spec = {
        .args = args, .env = env, .on_output = kid_on_output, .on_exit = kid_on_exit, .user = &k};

    (void)setenv("HOME", "/", 1);
    rig_begin(&rig, &options);
    GP_REQUIRE_EQ(port_spawn(rig.port, &spec, &k.proc, NULL), 0);
    RIG_PUMP_UNTIL(&rig, k.exits > 0);
    GP_CHECK_STR_EQ(k.output, "secret=xyzzy=1 other= getenv=0 proc=0 parent=0 home=1\n");
    GP_CHECK(getenv("GEARPUMP_SECRET") == NULL);
    proc_free(rig.port, k.proc);
    rig_end(&rig);
}

GP_TEST(proc, kill_delivers_a_signal)
{
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &options);
    kid_start(&k, &rig, "stubborn", NULL);
    RIG_PUMP_UNTIL(&rig, k.output_len > 0);
    GP_CHECK_EQ(kill((pid_t)proc_pid(rig.port, k.proc), 0), 0);
    proc_kill(rig.port, k.proc, SIGTERM); /* it does not listen */
    proc_kill(rig.port, k.proc, SIGKILL);
    RIG_PUMP_UNTIL(&rig, k.exits > 0);
    GP_CHECK_EQ(k.how.code, -1);
    GP_CHECK_EQ(k.how.signal, SIGKILL);
    proc_kill(rig.port, k.proc, SIGKILL); /* harmless now */
    proc_free(rig.port, k.proc);
    rig_end(&rig);
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

GP_TEST(proc, freeing_kills_and_reaps_without_a_word)
{
    struct rig rig;
    struct kid k;
    pid_t pid;

    rig_begin(&rig, &options);
    kid_start(&k, &rig, "stubborn", NULL);
    pid = (pid_t)proc_pid(rig.port, k.proc);
    RIG_PUMP_UNTIL(&rig, k.output_len > 0);
    proc_free(rig.port, k.proc);
    rig_end(&rig); /* waits for the end of the child */
    GP_CHECK(is_gone(pid));
    GP_CHECK_EQ(k.exits, 0);
}

GP_TEST(proc, it_can_be_freed_inside_its_callback)
{
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &options);
    kid_start(&k, &rig, "stubborn", NULL);
    k.free_on_output = true;
    RIG_PUMP_UNTIL(&rig, k.proc == NULL);
    rig_end(&rig);
    GP_CHECK_EQ(k.exits, 0);
}

/* A pidfd is readable when its process has ended, whoever its parent is by now. */
static bool ends_soon(long pid, int pidfd)
{
    struct pollfd wait = {.fd = pidfd, .events = POLLIN};
    int rc;

    if (pidfd < 0) {
        return is_gone((pid_t)pid);
    }
    do {
        rc = poll(&wait, 1, 20000);
    } while (rc < 0 && errno == EINTR); /* SIGCHLD of others */
    return rc == 1;
}

static int pidfd_of(long pid)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

GP_TEST(proc, what_a_child_leaves_in_its_session_is_killed)
{
    struct rig rig;
    struct kid k;
    long left;

    rig_begin(&rig, &options);
    kid_start(&k, &rig, "leaver", NULL);
    RIG_PUMP_UNTIL(&rig, strchr(k.output, '\n') != NULL);
    GP_REQUIRE_EQ(sscanf(k.output, "left %ld", &left), 1);
    RIG_PUMP_UNTIL(&rig, k.exits > 0);
    GP_CHECK_EQ(k.how.code, 0);
    GP_CHECK(ends_soon(left, pidfd_of(left)));
    proc_free(rig.port, k.proc);
    rig_end(&rig);
}

/* kill -9 of the parent of a child that sleeps for ever. */
static void check_dies_with_parent(const char *role)
{
    struct rig rig;
    struct kid k;
    long pid;
    int pidfd;

    rig_begin(&rig, &options);
    kid_start(&k, &rig, "parent", role);
    RIG_PUMP_UNTIL(&rig, strchr(k.output, '\n') != NULL);
    GP_REQUIRE_EQ(sscanf(k.output, "child %ld", &pid), 1);
    pidfd = pidfd_of(pid);
    GP_REQUIRE(pidfd >= 0);
    proc_kill(rig.port, k.proc, SIGKILL);
    GP_CHECK(ends_soon(pid, pidfd));
    RIG_PUMP_UNTIL(&rig, k.exits > 0);
    GP_CHECK_EQ(k.how.signal, SIGKILL);
    proc_free(rig.port, k.proc);
    (void)close(pidfd);
    rig_end(&rig);
}

GP_TEST(proc, a_child_dies_with_its_parent)
{
    check_dies_with_parent("sleeper");
}

GP_TEST(proc, the_lifeline_alone_is_enough)
{
    check_dies_with_parent("lifeline");
}

/* Runs the helper as somebody else than proc.c would: with this parent's pid in the environment. */
static int run_by_hand(const char *parent, bool lifeline)
{
    int fds[2];
    int status = -1;
    pid_t pid;

    GP_REQUIRE_EQ(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        if (parent != NULL) {
            (void)setenv(EDGE_CHILD_PARENT_ENV, parent, 1);
        } else {
            (void)unsetenv(EDGE_CHILD_PARENT_ENV);
        }
        if (lifeline && fds[0] != EDGE_CHILD_LIFELINE_FD) {
            (void)dup2(fds[0], EDGE_CHILD_LIFELINE_FD);
        } else if (!lifeline) {
            (void)close(EDGE_CHILD_LIFELINE_FD);
        }
        (void)execl(GP_TEST_HELPER, GP_TEST_HELPER, "sleeper", (char *)NULL);
        _exit(99);
    }
    GP_REQUIRE_EQ(waitpid(pid, &status, 0), pid);
    (void)close(fds[0]);
    (void)close(fds[1]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

GP_TEST(proc, a_child_whose_parent_is_another_already_ends)
{
    GP_CHECK_EQ(run_by_hand("1", true), EXIT_FAILURE);
    GP_CHECK_EQ(run_by_hand(NULL, true), 9); /* not started as a child: an error */
    GP_CHECK_EQ(run_by_hand("x", true), 9);
    GP_CHECK_EQ(run_by_hand("1", false), 9);
}

/* ---- hosted in this process ---- */

struct host {
    struct edge_inproc *child;
    int starts;
    int kills;
    int last_signal;
    int answer; /* of start */
    bool obeys;
    char role[32];
};

static int host_start(void *user, const struct proc_spec *spec, struct edge_inproc *child,
                      void **ret_node, struct gp_error *err)
{
    struct host *h = user;

    if (h->answer < 0) {
        return gp_error_set(err, h->answer, "no room");
    }
    h->starts++;
    h->child = child;
    (void)snprintf(h->role, sizeof(h->role), "%s", spec->args[0]);
    *ret_node = h;
    return 0;
}

static void host_kill(void *user, void *node, int32_t signal)
{
    const struct proc_exit how = {.code = -1, .signal = signal};
    struct host *h = user;

    GP_CHECK(node == h);
    h->kills++;
    h->last_signal = signal;
    if (h->obeys) {
        edge_inproc_exited(h->child, &how);
    }
}

static const struct edge_inproc_ops host_ops = {.start = host_start, .kill = host_kill};

GP_TEST(inproc, a_hosted_child_looks_like_a_process)
{
    const struct proc_exit how = {.code = 3};
    struct host h = {0};
    const struct edge_options hosted = {.inproc = &host_ops, .inproc_host = &h};
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &hosted);
    kid_start(&k, &rig, "executor", NULL);
    GP_CHECK_STR_EQ(h.role, "executor");
    GP_CHECK_EQ(proc_pid(rig.port, k.proc), getpid());
    edge_inproc_exited(h.child, &how);
    GP_CHECK_EQ(k.exits, 0); /* from the loop, as always */
    proc_kill(rig.port, k.proc, SIGTERM);
    GP_CHECK_EQ(h.kills, 0);
    RIG_PUMP_UNTIL(&rig, k.exits > 0);
    GP_CHECK_EQ(k.how.code, 3);
    proc_free(rig.port, k.proc);
    rig_end(&rig);
}

GP_TEST(inproc, a_hosted_child_may_be_freed_while_its_end_is_told)
{
    const struct proc_exit how = {.code = 3};
    struct host h = {0};
    const struct edge_options hosted = {.inproc = &host_ops, .inproc_host = &h};
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &hosted);
    kid_start(&k, &rig, "executor", NULL);
    k.free_on_exit = true;
    edge_inproc_exited(h.child, &how);
    RIG_PUMP_UNTIL(&rig, k.exits > 0);
    GP_CHECK_EQ(k.how.code, 3);
    rig_end(&rig);
}

GP_TEST(inproc, killing_and_freeing_reach_the_host)
{
    struct host h = {0};
    const struct edge_options hosted = {.inproc = &host_ops, .inproc_host = &h};
    struct rig rig;
    struct kid k;

    rig_begin(&rig, &hosted);
    kid_start(&k, &rig, "executor", NULL);
    proc_kill(rig.port, k.proc, SIGTERM);
    GP_CHECK_EQ(h.last_signal, SIGTERM);
    h.obeys = true;
    proc_free(rig.port, k.proc);
    GP_CHECK_EQ(h.last_signal, SIGKILL);
    edge_step(rig.world, false);
    GP_CHECK_EQ(k.exits, 0);

    h.answer = GP_EFULL;
    GP_CHECK_EQ(kid_try(&k, &rig, "executor", NULL, NULL), GP_EFULL);
    rig_end(&rig);
}
