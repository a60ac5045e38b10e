/* What TAB offers, by tables alone. The lines are those that the scripts of the shells read. */
#include "app/completion.h"
#include "capture.h"

static const struct option_spec flags[] = {
    {"wait", 'w', NULL, "wait for the end", OPTION_FLAG},
    {"level", 'l', "debug|info", "how much", OPTION_VALUE},
    {"faults", 0, "kill|pause|disk[,..]", "which", OPTION_VALUE},
    {"set", 0, "SETTING=VALUE", "configure", OPTION_LIST},
    {"file", 0, "FILE", "read it", OPTION_VALUE},
    {"place", 0, "PROCESSOR=WHERE", "where", OPTION_LIST},
    {"tell", 0, "KEY=VALUE", "parameter", OPTION_LIST},
    {0},
};
static const struct option_spec common[] = {
    {"master", 'm', "HOST:PORT[,..]", "whom to ask", OPTION_VALUE},
    {0},
};
static const struct command_spec commands[] = {
    {.name = "submit",
     .operands = "APP.so",
     .summary = "runs it",
     .options = flags,
     .operands_min = 1,
     .operands_max = 1},
    {.name = "kill",
     .operands = "ID|NAME",
     .summary = "ends it",
     .operands_min = 1,
     .operands_max = 1},
    {.name = "members",
     .operands = "[add|remove HOST:PORT]",
     .summary = "changes them",
     .operands_max = 2},
    {.name = "help", .operands = "[COMMAND|config]", .summary = "helps", .operands_max = 1},
    {.name = "explain", .operands = "[CODE]", .summary = "explains", .operands_max = 1},
    {.name = "secret", .operands = "", .summary = "not shown", .hidden = true},
    {0},
};
static const struct program_spec program = {
    .name = "prog", .summary = "a test", .commands = commands, .common = common};

/* A cluster with one of each, one with a name that no shell leaves alone. */
static void look_up(struct completion *c, enum completion_kind kind, const struct options *options)
{
    const char *master = options_text(options, "master");

    switch (kind) {
    case COMPLETION_APP:
        completion_offer(c, "words", master ? master : "here");
        completion_offer(c, "two words", "quoted");
        completion_offer(c, "$(reboot)", "evil");
        completion_offer(c,
                         "w\xc2\x9b"
                         "2J",
                         "clears the screen"); /* CSI of 8 bits */
        completion_offer(c,
                         "w\x9b"
                         "2J",
                         "the same");
        break;
    case COMPLETION_WORKER:
        completion_offer(c, "w1", "");
        break;
    case COMPLETION_MASTER:
        completion_offer(c, "10.0.0.1:3000", "leads");
        break;
    case COMPLETION_PLACE:
        completion_offer(c, "count=", "");
        completion_offer(c, "count=worker:w1", "");
        GP_CHECK(options->operand_count == 1);
        break;
    case COMPLETION_PARAMETER:
        completion_offer(c, "input=", options->operands[0]);
        break;
    case COMPLETION_EXECUTOR:
    case COMPLETION_PLUGIN:
    case COMPLETION_PROCESSOR:
        break;
    }
}

#define WORDS_MAX 8

static void expect(const char *const *words, const char *lines)
{
    char *argv[WORDS_MAX + 2] = {(char *)"prog"};
    struct capture out;
    int count = 0;

    for (; words[count]; count++) {
        argv[count + 1] = (char *)words[count];
    }
    completion_answer(&program, count, argv + 1, look_up, capture_begin(&out));
    GP_CHECK_STR_EQ(capture_text(&out), lines);
    capture_end(&out);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

GP_TEST(completion, offers_commands_that_go_on_from_what_is_typed)
{
    expect(WORDS(""), "submit\truns it\nkill\tends it\nmembers\tchanges them\nhelp\thelps\n"
                      "explain\texplains\n:\n");
    expect(WORDS("su"), "submit\truns it\n:\n");
    expect(WORDS("--master", "a:1", "ki"), "kill\tends it\n:\n");
    expect(WORDS("secret", ""), ":\n");
    expect(WORDS("nosuch", ""), ":\n");
}

GP_TEST(completion, offers_flags_once_unless_they_may_be_repeated)
{
    expect(WORDS("submit", "--wait", "--set", "a=b", "-"),
           "--level\thow much\n--faults\twhich\n--set\tconfigure\n--file\tread it\n"
           "--place\twhere\n--tell\tparameter\n"
           "--master\twhom to ask\n--help\tshow its flags and examples\n:\n");
    expect(WORDS("submit", "--", "--w"), ":files .so\n");
}

GP_TEST(completion, offers_the_values_that_a_flag_names)
{
    expect(WORDS("submit", "--level", ""), "debug\t\ninfo\t\n:\n");
    expect(WORDS("submit", "-l", "i"), "info\t\n:\n");
    expect(WORDS("submit", "--level=d"), "--level=debug\t\n:\n");
    expect(WORDS("submit", "--faults", "kill,p"), "kill,pause\t\n:\n");
    expect(WORDS("submit", "--faults=kill,p"), "--faults=kill,pause\t\n:\n");
    expect(WORDS("submit", "--wait=x"), ":\n");
    expect(WORDS("submit", "--file", "x"), ":files\n");
}

GP_TEST(completion, offers_settings_and_their_values)
{
    expect(WORDS("submit", "--set", "log.l"), "log.level=\ta key of the configuration\n:\n");
    expect(WORDS("submit", "--set", "insecure="), "insecure=true\t\ninsecure=false\t\n:\n");
}

GP_TEST(completion, offers_what_the_file_of_the_job_says)
{
    expect(WORDS("submit", "a.so", "--tell", "in"), "input=\ta.so\n:\n");
    expect(WORDS("submit", "a.so", "--place", "count=w"), "count=worker:w1\t\n:\n");
    expect(WORDS("submit", "a.so", "--place=count="),
           "--place=count=\t\n--place=count=worker:w1\t\n:\n");
}

GP_TEST(completion, offers_operands_by_their_place)
{
    expect(WORDS("submit", ""), ":files .so\n");
    expect(WORDS("submit", "a.so", ""), ":\n");
    expect(WORDS("members", ""), "add\t\nremove\t\n:\n");
    expect(WORDS("members", "add", ""), "10.0.0.1:3000\tleads\n:\n");
    expect(WORDS("help", "k"), "kill\tends it\n:\n");
    expect(WORDS("help", "c"), "config\t\n:\n");
    expect(WORDS("explain", "not_f"), "not_found\tWhat was named is not there.\n:\n");
}

GP_TEST(completion, offers_what_the_cluster_has_that_was_named)
{
    expect(WORDS("kill", "w"), "words\there\n:\n");
    expect(WORDS("-m", "a:1", "kill", "w"), "words\ta:1\n:\n");
    expect(WORDS("--master=b:1", "kill", ""), "words\tb:1\n:\n");
    expect(WORDS("kill", "--master", "a:1,10"), "a:1,10.0.0.1:3000\tleads\n:\n");
}

/* A name comes from whoever submitted it, and a shell puts candidates into a command line. */
GP_TEST(completion, offers_nothing_that_a_shell_would_run)
{
    expect(WORDS("kill", "two"), ":\n");
    expect(WORDS("kill", "$"), ":\n");
}

GP_TEST(completion, has_a_script_for_each_shell)
{
    GP_CHECK(strstr(completion_script("bash"), "complete -F") != NULL);
    GP_CHECK(strstr(completion_script("zsh"), "#compdef gpctl gpd\n") != NULL);
    GP_CHECK(strstr(completion_script("fish"), "complete -c $program") != NULL);
    GP_CHECK(completion_script("tcsh") == NULL);
}
