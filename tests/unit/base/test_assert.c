/* The small macros, and how a process ends whose promise is broken. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "gp_test.h"

GP_TEST(assert, a_true_condition_goes_on_and_is_evaluated_once)
{
    int evaluated = 0;

    ASSERT(++evaluated > 0);
    GP_CHECK_EQ(evaluated, 1);
}

GP_TEST(assert, container_of_finds_the_struct_around_a_member)
{
    struct outer {
        char first;
        uint64_t inner;
    } outer;

    GP_CHECK(container_of(&outer.inner, struct outer, inner) == &outer);
}

GP_TEST(assert, align_up_reaches_the_next_multiple)
{
    GP_CHECK_EQ(ALIGN_UP(0u, 8u), 0);
    GP_CHECK_EQ(ALIGN_UP(1u, 8u), 8);
    GP_CHECK_EQ(ALIGN_UP(8u, 8u), 8);
    GP_CHECK_EQ(ALIGN_UP((size_t)65, (size_t)CACHE_LINE), 128);
}

/* In the child of a fork: breaks a promise with stderr going to fd. */
static void break_a_promise(int fd)
{
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0}); /* no core file of a wanted crash */
    (void)signal(SIGABRT, SIG_DFL);
    if (dup2(fd, STDERR_FILENO) >= 0) {
        ASSERT(fd == -1);
    }
    _exit(1);
}

GP_TEST(assert, a_false_condition_names_itself_and_aborts)
{
    char text[512] = "";
    int fds[2];
    int status = 0;
    pid_t child;

    GP_REQUIRE_EQ(pipe(fds), 0);
    child = fork();
    GP_REQUIRE(child >= 0);
    if (child == 0) {
        break_a_promise(fds[1]);
    }
    (void)close(fds[1]);
    GP_CHECK(read(fds[0], text, sizeof(text) - 1) > 0);
    (void)close(fds[0]);
    GP_REQUIRE(waitpid(child, &status, 0) == child);
    GP_CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    GP_CHECK(strstr(text, "test_assert.c:") != NULL);
    GP_CHECK(strstr(text, ": assertion failed: fd == -1\n") != NULL);
}
