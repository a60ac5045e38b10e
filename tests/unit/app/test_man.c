/* Manual pages from tables: nothing of a text is taken for an order of roff. */
#include "app/fail.h"
#include "app/man.h"
#include "capture.h"

static const struct option_spec flags[] = {
    {"wait", 'w', NULL, "wait for `it`", OPTION_FLAG},
    {"set", 0, "KEY=VALUE", ".so evil", OPTION_LIST},
    {0},
};
static const struct command_spec commands[] = {
    {.name = "start",
     .operands = "APP.so",
     .summary = "starts it",
     .details = "First.\n.ig\n\n'Second' \\fB.",
     .examples = "  $ prog start a.so\n  .sh\n",
     .options = flags},
    {.name = "secret", .operands = "", .summary = "not shown", .hidden = true},
    {0},
};
static const struct program_spec program = {
    .name = "prog", .summary = "a test", .commands = commands};

/* Valid until capture_end(). */
static const char *page_of(struct capture *out, const char *what)
{
    char *argv[] = {(char *)what};

    GP_CHECK_EQ(man_main(&program, 1, argv, capture_begin(out)), EXIT_STATUS_OK);
    return capture_text(out);
}

static void expect_in(const char *page, const char *part)
{
    if (!strstr(page, part)) {
        GP_CHECK_STR_EQ(page, part);
    }
}

GP_TEST(man, says_all_that_help_says)
{
    struct capture out;
    const char *page = page_of(&out, "8");

    expect_in(page, ".TH PROG 8 ");
    expect_in(page, "prog \\- a test\n");
    expect_in(
        page,
        ".SS prog start\n\\fBprog start\\fR [\\fIFLAGS\\fR] \\fIAPP.so\\fR\n.PP\nStarts it.\n");
    expect_in(page, ".TP\n\\fB\\-w\\fR, \\fB\\-\\-wait\\fR\nwait for \\fBit\\fR\n");
    expect_in(page, "\\fIKEY=VALUE\\fR\n");
    expect_in(page, "(may be repeated)\n");
    expect_in(page, "Exit codes: 0 ok");
    expect_in(page, ".B not_found\nWhat was named is not there.\n");
    GP_CHECK(strstr(page, "secret ") == NULL);
    capture_end(&out);
}

GP_TEST(man, escapes_what_roff_would_obey)
{
    struct capture out;
    const char *page = page_of(&out, "1");

    expect_in(page, "First.\n\\&.ig\n.PP\n\\(aqSecond\\(aq \\efB.\n");
    expect_in(page, "\n\\&.so evil\n");
    expect_in(page, ".EX\n\\&$ prog start a.so\n\\&.sh\n.EE\n");
    capture_end(&out);
}

GP_TEST(man, describes_every_key_of_the_configuration)
{
    struct capture out;
    const char *page = page_of(&out, "config");

    expect_in(page, ".TH GEARPUMP.YAML 5 ");
    expect_in(page, ".SS log\n");
    expect_in(page, ".TP\n.B log.level\n");
    expect_in(page, "default\n\\fB127.0.0.1:3000\\fR; environment\n.B GEARPUMP_CLUSTER__MASTERS\n");
    expect_in(page, ".SS metrics.graphite\n");
    capture_end(&out);
}

GP_TEST(man, wants_one_page_at_a_time)
{
    struct capture out;

    GP_CHECK_EQ(man_main(&program, 0, NULL, capture_begin(&out)), EXIT_STATUS_USAGE);
    GP_CHECK_STR_EQ(capture_text(&out), "");
    capture_end(&out);
}
