/*
 * Runs the tests of one executable in this process, one after the other.
 *
 * Invariants: a test runs at most once and on the main thread; checks may fail on any thread.
 * Happy path: constructors register the tests, main() calls those that match the filter and
 * prints one summary line. Failures: a failed check is printed and counted; a failed requirement
 * jumps back here; a crash ends the run, which the exit status shows. Exit: 0 all passed, 1 a
 * test failed, 2 usage or nothing to run (a filter that matches nothing must not look like
 * success).
 */
#include <fnmatch.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "gp_test.h"

#define NAME_SIZE 256

enum { RETURN_FAILED = 1, RETURN_SKIPPED };

static struct gp_test_case *tests;
static atomic_int checks_failed;
static jmp_buf test_end;
static pthread_t main_thread;

void gp_test_register(struct gp_test_case *test)
{
    struct gp_test_case **at = &tests;

    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = test;
}

void gp_test_failed(const char *file, int line, bool fatal, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    fprintf(stderr, "%s:%d: %s\n", file, line, text);
    atomic_fetch_add(&checks_failed, 1);
    if (!fatal) {
        return;
    }
    if (!pthread_equal(pthread_self(), main_thread)) {
        fprintf(stderr, "GP_REQUIRE failed outside the test's own thread\n");
        abort();
    }
    longjmp(test_end, RETURN_FAILED);
}

void gp_test_skip(const char *reason)
{
    fprintf(stderr, "skipped: %s\n", reason);
    longjmp(test_end, RETURN_SKIPPED);
}

static bool run_test(const struct gp_test_case *test)
{
    int end;

    atomic_store(&checks_failed, 0);
    end = setjmp(test_end);
    if (end == 0) {
        test->body();
    }
    if (atomic_load(&checks_failed) == 0) {
        return true;
    }
    fprintf(stderr, "FAIL: %s/%s\n", test->suite, test->claim);
    return false;
}

static bool matches(const struct gp_test_case *test, const char *filter)
{
    char name[NAME_SIZE];

    (void)snprintf(name, sizeof name, "%s/%s", test->suite, test->claim);
    return fnmatch(filter, name, 0) == 0;
}

static int run_all(const char *filter, bool list_only)
{
    int run = 0;
    int failed = 0;

    for (const struct gp_test_case *test = tests; test != NULL; test = test->next) {
        if (!matches(test, filter)) {
            continue;
        }
        run++;
        if (list_only) {
            printf("%s/%s\n", test->suite, test->claim);
        } else if (!run_test(test)) {
            failed++;
        }
    }
    if (!list_only) {
        fprintf(stderr, "%d tests, %d failed\n", run, failed);
    }
    return run == 0 ? 2 : failed > 0;
}

int main(int argc, char **argv)
{
    const char *filter = "*";
    bool list_only = false;

    main_thread = pthread_self();
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--list") == 0) {
            list_only = true;
        } else if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else if (strncmp(argv[i], "--filter=", 9) == 0) {
            filter = argv[i] + 9;
        } else {
            fprintf(stderr, "usage: %s [--list] [--filter 'suite/claim']\n", argv[0]);
            return 2;
        }
    }
    return run_all(filter, list_only);
}
