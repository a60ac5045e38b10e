#include <signal.h>

#include "edge/crash.h"
#include "rig.h"

/* The thread sanitizer does not let a handler crash in its turn. */
#if defined(__SANITIZE_THREAD__)
#define NESTED_CRASHES false
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NESTED_CRASHES false
#endif
#endif
#ifndef NESTED_CRASHES
#define NESTED_CRASHES true
#endif

/* What a helper that crashes left behind. */
struct last_words {
    char text[4096];
    size_t len;
    bool ended;
    struct proc_exit how;
};

static void on_output(void *user, const char *ptr, size_t len)
{
    struct last_words *w = user;

    if (len < sizeof(w->text) - w->len) {
        memcpy(w->text + w->len, ptr, len);
        w->len += len;
    }
}

static void on_exit_seen(void *user, const struct proc_exit *how)
{
    struct last_words *w = user;

    w->ended = true;
    w->how = *how;
}

static const char *crash_line(struct last_words *w, const char *how)
{
    static const struct edge_options options = {.program = GP_TEST_HELPER};
    const char *const args[] = {"crash", how, NULL};
    struct proc_spec spec = {
        .args = args, .on_output = on_output, .on_exit = on_exit_seen, .user = w};
    struct proc *proc = NULL;
    struct gp_error err = {0};
    struct rig rig;
    const char *line;

    memset(w, 0, sizeof(*w));
    rig_begin(&rig, &options);
    GP_REQUIRE_EQ(port_spawn(rig.port, &spec, &proc, &err), 0);
    RIG_PUMP_UNTIL(&rig, w->ended);
    proc_free(rig.port, proc);
    rig_end(&rig);
    line = strstr(w->text, EDGE_CRASH_PREFIX);
    if (line == NULL) {
        GP_TEST_FAIL("no last words in '%s'", w->text);
        return "";
    }
    GP_CHECK(strchr(line, '\n') != NULL);
    return line;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

GP_TEST(crash, names_signal_and_place)
{
    struct last_words w;
    const char *line = crash_line(&w, "null");
    const char *offset_at = strstr(line, " offset=0x");
    unsigned long place = 0;
    unsigned long offset = 0;

    GP_CHECK_EQ(w.how.signal, SIGSEGV); /* it still dies of it */
    GP_CHECK(starts_with(line, "gearpump: crash signal=11 name=SIGSEGV object=/"));
    GP_CHECK(strstr(line, "/edge_helper offset=") != NULL);
    GP_CHECK(strstr(line, "plugin=") == NULL);
    GP_REQUIRE(offset_at != NULL);
    GP_CHECK_EQ(sscanf(offset_at, " offset=%lx", &offset), 1);
    GP_CHECK_EQ(sscanf(strstr(w.text, "place="), "place=%lx", &place), 1);
    GP_CHECK(offset >= place && offset < place + 4096); /* inside the function */
}

GP_TEST(crash, names_the_user_code_of_the_thread)
{
    struct last_words w;

    GP_CHECK(starts_with(crash_line(&w, "runner"),
                         "gearpump: crash signal=11 name=SIGSEGV plugin=word_count "
                         "processor=split function=process task=42 object="));
    GP_CHECK_EQ(w.how.signal, SIGSEGV);
}

GP_TEST(crash, speaks_when_the_stack_is_used_up)
{
    struct last_words w;

    GP_CHECK(strstr(crash_line(&w, "overflow"), " function=process task=42") != NULL);
    GP_CHECK_EQ(w.how.signal, SIGSEGV);
}

GP_TEST(crash, abort_counts_as_one)
{
    struct last_words w;

    GP_CHECK(starts_with(crash_line(&w, "abort"), "gearpump: crash signal=6 name=SIGABRT"));
    GP_CHECK_EQ(w.how.signal, SIGABRT);
}

GP_TEST(crash, a_note_that_points_nowhere_is_left_out)
{
    struct last_words w;

    if (!NESTED_CRASHES) {
        GP_SKIP("not under this sanitizer");
    }
    GP_CHECK(starts_with(crash_line(&w, "bad-note"), "gearpump: crash signal=11 name=SIGSEGV\n"));
    GP_CHECK_EQ(w.how.signal, SIGSEGV);
}

GP_TEST(crash, finds_the_file_of_an_address)
{
    char path[256];
    char few[5];
    uintptr_t offset = 0;

    GP_REQUIRE_EQ(edge_crash_find_object((uintptr_t)crash_line, path, sizeof(path), &offset), 0);
    GP_CHECK(strstr(path, "/test_edge_crash") != NULL);
    GP_CHECK(offset > 0 && offset < (uintptr_t)crash_line);
    GP_REQUIRE_EQ(edge_crash_find_object((uintptr_t)sysconf, path, sizeof(path), &offset), 0);
    GP_CHECK(strstr(path, ".so") != NULL);
    GP_REQUIRE_EQ(edge_crash_find_object((uintptr_t)crash_line, few, sizeof(few), &offset), 0);
    GP_CHECK_EQ(strlen(few), 4);
    GP_CHECK(edge_crash_find_object(16, path, sizeof(path), &offset) < 0);
}
