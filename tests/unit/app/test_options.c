/* Command lines by tables. */
#include "app/options.h"
#include "capture.h"

static const struct option_spec flags[] = {
    {"wait", 'w', NULL, "wait for the end", OPTION_FLAG},
    {"name", 0, "NAME", "its name", OPTION_VALUE},
    {"set", 0, "KEY=VALUE", "configure", OPTION_LIST},
    {"timeout", 0, "TIME", "give up", OPTION_VALUE},
    {0},
};
static const struct option_spec common[] = {
    {"master", 'm', "HOST:PORT", "whom to ask", OPTION_VALUE},
    {0},
};
static const struct command_spec commands[] = {
    {.name = "submit",
     .operands = "APP.so",
     .summary = "runs an application",
     .examples = "  $ prog submit app.so\n",
     .options = flags,
     .operands_min = 1,
     .operands_max = 1},
    {.name = "list", .operands = "", .summary = "shows applications"},
    {.name = "secret", .operands = "", .summary = "not shown", .hidden = true},
    {0},
};
static const struct program_spec program = {
    .name = "prog", .summary = "a test", .commands = commands, .common = common};

#define WORDS_MAX 8

/* Parses up to WORDS_MAX words after the program's name. */
static int parse(const char *const *words, const struct command_spec **ret_command,
                 struct options *ret, struct gp_error *err)
{
    char *argv[WORDS_MAX + 1];
    int argc = 0;

    argv[argc++] = (char *)"prog";
    for (; *words; words++) {
        argv[argc++] = (char *)*words;
    }
    gp_error_clear(err);
    return program_parse(&program, argc, argv, ret_command, ret, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

GP_TEST(options, flags_may_stand_anywhere)
{
    const struct command_spec *command;
    struct options o;
    struct gp_error err;

    GP_REQUIRE_EQ(
        parse(WORDS("-m", "a:1", "submit", "--name=x", "app.so", "-w"), &command, &o, &err), 0);
    GP_CHECK(command == &commands[0]);
    GP_CHECK(o.command == command);
    GP_CHECK_STR_EQ(options_text(&o, "master"), "a:1");
    GP_CHECK_STR_EQ(options_text(&o, "name"), "x");
    GP_CHECK(options_has(&o, "wait"));
    GP_CHECK_EQ(o.operand_count, 1);
    GP_CHECK_STR_EQ(o.operands[0], "app.so");
}

GP_TEST(options, two_dashes_end_the_flags)
{
    const struct command_spec *command;
    struct options o;
    struct gp_error err;

    GP_REQUIRE_EQ(parse(WORDS("submit", "--", "--name"), &command, &o, &err), 0);
    GP_CHECK_STR_EQ(o.operands[0], "--name");
    GP_CHECK(!options_has(&o, "name"));
}

GP_TEST(options, a_list_keeps_all_its_values)
{
    const struct command_spec *command;
    struct options o;
    struct gp_error err;
    gp_str key;
    gp_str value;

    GP_REQUIRE_EQ(parse(WORDS("submit", "a", "--set", "x=1", "--set=y=2=3"), &command, &o, &err),
                  0);
    GP_CHECK_STR_EQ(options_nth(&o, "set", 0), "x=1");
    GP_CHECK_STR_EQ(options_nth(&o, "set", 1), "y=2=3");
    GP_CHECK(options_nth(&o, "set", 2) == NULL);
    GP_REQUIRE_EQ(options_pair("set", options_nth(&o, "set", 1), &key, &value, &err), 0);
    GP_CHECK_EQ(key.len, 1);
    GP_CHECK_EQ(value.len, 3);
    GP_CHECK_EQ(options_pair("set", "=1", &key, &value, &err), GP_EINVAL);
    GP_CHECK_EQ(options_pair("set", "x", &key, &value, &err), GP_EINVAL);
}

GP_TEST(options, mistakes_are_named)
{
    static const struct {
        const char *words[4];
        const char *text;
    } cases[] = {
        {{"submit", "a", "--nmae=x"}, "unknown flag --nmae (did you mean --name?)"},
        {{"submit", "a", "--quite-else"}, "unknown flag --quite-else"},
        {{"submit", "a", "-x"}, "unknown flag -x"},
        {{"submit", "a", "--wait=1"}, "--wait takes no value"},
        {{"submit", "a", "--name"}, "--name needs a value: --name NAME"},
        {{"submit"}, "'submit' needs APP.so"},
        {{"submit", "a", "b"}, "'submit': one word too many: b"},
        {{"list", "b"}, "'list': one word too many: b"},
        {{"sumbit", "b"}, "'sumbit' is not a command of prog (did you mean 'submit'?)"},
        {{"--nmae", "x", "submit"}, "unknown flag --nmae"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct command_spec *command;
        struct options o;
        struct gp_error err;

        GP_CHECK_EQ(parse(cases[i].words, &command, &o, &err), GP_EINVAL);
        GP_CHECK_STR_EQ(err.text, cases[i].text);
    }
}

GP_TEST(options, a_flag_given_twice_is_refused)
{
    const struct command_spec *command;
    struct options o;
    struct gp_error err;

    GP_CHECK_EQ(parse(WORDS("submit", "a", "--name=x", "--name=y"), &command, &o, &err), GP_EINVAL);
    GP_CHECK_STR_EQ(err.text, "--name is given twice");
    GP_CHECK_STR_EQ(err.hint, "prog submit --help");
}

GP_TEST(options, help_needs_no_operands)
{
    const struct command_spec *command;
    struct options o;
    struct gp_error err;

    GP_CHECK_EQ(parse(WORDS("submit", "--help"), &command, &o, &err), 0);
    GP_CHECK(o.help);
    GP_CHECK_EQ(parse(WORDS("-h"), &command, &o, &err), 0);
    GP_CHECK(o.help);
    GP_CHECK(command == NULL);
}

GP_TEST(options, numbers_are_bounded)
{
    static const struct option_spec number[] = {{"n", 0, "N", "a number", OPTION_VALUE}, {0}};
    static const struct program_spec counted = {
        .name = "prog", .commands = commands, .common = number};
    static const char *const bad[] = {"", "x", "-1", "11", "1x", "99999999999999999999"};
    const struct command_spec *command;
    struct options o;
    struct gp_error err = {0};
    uint64_t n = 0;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *argv[] = {(char *)"prog", (char *)"--n", (char *)bad[i]};

        GP_REQUIRE_EQ(program_parse(&counted, 3, argv, &command, &o, &err), 0);
        GP_CHECK_EQ(options_u64(&o, "n", 0, 10, 3, &n, &err), GP_EINVAL);
    }
    GP_CHECK(strstr(err.text, "from 0 to 10") != NULL);
    o = (struct options){0};
    GP_CHECK_EQ(options_u64(&o, "n", 0, 10, 3, &n, &err), 0);
    GP_CHECK_EQ(n, 3);
}

GP_TEST(options, a_duration_without_a_unit_is_seconds)
{
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"2", 2000000000}, {"500ms", 500000000}, {"1m", 60000000000}, {"0", 0}};
    static const char *const bad[] = {"", "s", "-1s", "1 s", "99999999999999999999"};
    struct gp_error err;
    struct options o = {.value_count = 1, .values = {{&flags[3], NULL}}};
    int64_t ns;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        o.values[0].text = good[i].text;
        GP_CHECK_EQ(options_duration(&o, "timeout", 1, &ns, &err), 0);
        GP_CHECK_EQ(ns, good[i].ns);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        o.values[0].text = bad[i];
        GP_CHECK_EQ(options_duration(&o, "timeout", 1, &ns, &err), GP_EINVAL);
    }
    o.value_count = 0;
    GP_CHECK_EQ(options_duration(&o, "timeout", 7, &ns, &err), 0);
    GP_CHECK_EQ(ns, 7);
}

GP_TEST(options, help_shows_what_is_in_the_tables)
{
    struct capture c;

    program_help(&program, capture_begin(&c));
    GP_CHECK(strstr(capture_text(&c), "submit APP.so") != NULL);
    GP_CHECK(strstr(capture_text(&c), "secret") == NULL);
    capture_end(&c);
    command_help(&program, &commands[0], capture_begin(&c));
    GP_CHECK(strstr(capture_text(&c), "-w, --wait") != NULL);
    GP_CHECK(strstr(capture_text(&c), "--set KEY=VALUE") != NULL);
    GP_CHECK(strstr(capture_text(&c), "(may be repeated)") != NULL);
    GP_CHECK(strstr(capture_text(&c), "$ prog submit app.so") != NULL);
    capture_end(&c);
}
