/* exec: rows through a child process and back, and what is said when it does wrong. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <gearpump/testkit.h>

#include "gp_test.h"

#define PATIENCE_MS 60000

extern const struct gp_processor exec_process;

static struct gp_kit *exec_new(const char *command, const char *format)
{
    struct gp_kit *kit = gp_kit_new(&exec_process, 0, 1);

    GP_REQUIRE(kit != NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* as hosts do */
    GP_CHECK_EQ(gp_kit_set(kit, "command", command), GP_OK);
    GP_CHECK_EQ(gp_kit_set(kit, "format", format), GP_OK);
    return kit;
}

/* Runs until it has ended or failed, taking what comes out into text. */
static int32_t run_to_end(struct gp_kit *kit, char *text, size_t size)
{
    size_t len = 0;

    GP_CHECK_EQ(gp_kit_end(kit), GP_OK);
    text[0] = '\0';
    for (;;) {
        int32_t rc = gp_kit_run(kit);
        for (uint32_t i = 0; i < gp_kit_count(kit, 0); i++) {
            const struct gp_row *row = gp_kit_row(kit, 0, i);
            int more = snprintf(text + len, size - len, "%.*s|", (int)row->value_len,
                                (const char *)row->value);
            len += (size_t)more < size - len ? (size_t)more : 0;
        }
        gp_kit_clear(kit);
        if (rc == GP_AGAIN) {
            struct pollfd watched = {.fd = gp_kit_watched(kit, NULL), .events = POLLIN};
            (void)poll(&watched, 1, 10); /* its end alone makes nothing readable */
            gp_kit_advance(kit, 10000000);
            gp_kit_ready(kit);
        } else if (rc != GP_YIELD) {
            return rc;
        }
    }
}

GP_TEST(exec, passes_lines_through_a_child)
{
    struct gp_kit *kit = exec_new("tr a-z A-Z; echo end", "lines");
    char text[256];

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "gear", 7), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "", 8), GP_OK);
    GP_CHECK_EQ(run_to_end(kit, text, sizeof text), GP_OK);
    GP_CHECK_STR_EQ(text, "GEAR||end|");
    gp_kit_free(kit);
}

GP_TEST(exec, passes_keys_and_any_bytes_by_length)
{
    struct gp_kit *kit = exec_new("cat", "length");
    const struct gp_row *row;

    GP_CHECK_EQ(gp_kit_set(kit, "key", "true"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, "k", "two\nlines", 5), GP_OK);
    while (gp_kit_count(kit, 0) == 0) {
        struct pollfd watched = {.fd = gp_kit_watched(kit, NULL), .events = POLLIN};
        GP_REQUIRE(gp_kit_run(kit) != GP_FAIL);
        if (gp_kit_count(kit, 0) == 0) {
            GP_REQUIRE_EQ(poll(&watched, 1, PATIENCE_MS), 1);
            gp_kit_ready(kit);
        }
    }
    GP_CHECK(gp_kit_row_is(kit, 0, 0, "k", "two\nlines"));
    row = gp_kit_row(kit, 0, 0);
    GP_CHECK_EQ(row->time_ns, 5);
    gp_kit_free(kit); /* and with it the child, which has not ended */
}

GP_TEST(exec, rejects_a_newline_where_lines_are_spoken)
{
    struct gp_kit *kit = exec_new("cat", "lines");
    char text[64];

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "a\nb", 0), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "c", 0), GP_OK);
    GP_CHECK_EQ(run_to_end(kit, text, sizeof text), GP_OK);
    GP_CHECK_STR_EQ(text, "c|");
    GP_CHECK_EQ(gp_kit_rejects(kit), 1);
    gp_kit_free(kit);
}

/* With one row of credit and small buffers, nothing is lost and nothing is held for ever. */
GP_TEST(exec, holds_back_in_both_directions)
{
    struct gp_kit *kit = exec_new("cat", "lines");
    static char text[200000];
    char line[16];
    size_t wanted = 0;

    GP_CHECK_EQ(gp_kit_set(kit, "buffer", "100"), GP_OK);
    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    gp_kit_set_credit(kit, 10);
    for (int i = 0; i < 20000; i++) {
        wanted += (size_t)snprintf(line, sizeof line, "%d", i) + 1;
        GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, line, 0), GP_OK);
    }
    GP_CHECK_EQ(run_to_end(kit, text, sizeof text), GP_OK);
    GP_CHECK_EQ(strlen(text), wanted);
    GP_CHECK(strncmp(text, "0|1|2|3|4|5|6|7|8|9|10|11|", 25) == 0);
    gp_kit_free(kit);
}

static void expect_failure(const char *command, const char *format, const char *says)
{
    struct gp_kit *kit = exec_new(command, format);
    char text[256];

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "row", 0), GP_OK);
    GP_CHECK_EQ(run_to_end(kit, text, sizeof text), GP_FAIL);
    GP_CHECK_STR_EQ(gp_kit_failure(kit), says);
    gp_kit_free(kit);
}

GP_TEST(exec, says_how_a_child_died_and_what_it_said)
{
    expect_failure("cat; echo no cheese >&2; exit 3", "lines",
                   "'cat; echo no cheese >&2; exit 3' exited with 3: no cheese");
    expect_failure("cat >/dev/null; kill -9 $$", "lines",
                   "'cat >/dev/null; kill -9 $$' was killed by signal 9 (Killed)");
    expect_failure("cat >/dev/null; printf abc", "length",
                   "'cat >/dev/null; printf abc' ended within a record");
}

/* What was read while outputs were full comes out when they are not, though the child says nothing
 * more. */
GP_TEST(exec, gives_what_it_read_without_being_told_of_more)
{
    struct gp_kit *kit = exec_new("while read n; do seq $n; done", "lines");
    uint32_t count = 0;

    GP_REQUIRE_EQ(gp_kit_open(kit), GP_OK);
    gp_kit_set_credit(kit, 100);
    GP_CHECK_EQ(gp_kit_push(kit, 0, NULL, "3000", 0), GP_OK);
    while (count < 3000) {
        int32_t rc = gp_kit_run(kit);

        GP_REQUIRE(rc != GP_FAIL);
        count += gp_kit_count(kit, 0);
        gp_kit_clear(kit);
        if (rc != GP_YIELD && count < 3000) {
            struct pollfd watched = {.fd = gp_kit_watched(kit, NULL), .events = POLLIN};

            GP_REQUIRE_EQ(poll(&watched, 1, PATIENCE_MS), 1);
            gp_kit_ready(kit);
        }
    }
    GP_CHECK_EQ(count, 3000);
    gp_kit_free(kit);
}

static void *run_bound(void *user)
{
    char *text = user;
    const int here = sched_getcpu();
    struct gp_kit *kit =
        exec_new("cat >/dev/null; grep Cpus_allowed_list /proc/self/status", "lines");
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET((size_t)here, &one);
    GP_CHECK_EQ(sched_setaffinity(0, sizeof one, &one), 0);
    GP_CHECK_EQ(gp_kit_open(kit), GP_OK);
    GP_CHECK_EQ(run_to_end(kit, text, 256), GP_OK);
    gp_kit_free(kit);
    return NULL;
}

/* A lane may be bound to a CPU; a child that inherited that would compete with it for ever. */
GP_TEST(exec, lets_children_use_all_cpus_of_the_process)
{
    char text[256];
    char own[256] = "";
    FILE *status = fopen("/proc/self/status", "r");
    pthread_t lane;

    GP_REQUIRE(status != NULL);
    while (fgets(own, sizeof own, status) && strncmp(own, "Cpus_allowed_list", 17) != 0) {
    }
    (void)fclose(status);
    GP_REQUIRE_EQ(pthread_create(&lane, NULL, run_bound, text), 0);
    GP_CHECK_EQ(pthread_join(lane, NULL), 0);
    own[strcspn(own, "\n")] = '|';
    GP_CHECK_STR_EQ(text, own);
}
