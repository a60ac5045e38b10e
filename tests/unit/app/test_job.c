/* An application as a command line describes it. */
#include "app/job.h"
#include "gp_test.h"

static const struct option_spec flags[] = {{"name", 0, "NAME", "", OPTION_VALUE},
                                           {"set", 0, "K=V", "", OPTION_LIST},
                                           {"parallelism", 0, "P=N", "", OPTION_LIST},
                                           {"executors", 0, "N", "", OPTION_VALUE},
                                           {0}};
static const struct command_spec commands[] = {{.name = "submit",
                                                .operands = "APP.so",
                                                .options = flags,
                                                .operands_min = 1,
                                                .operands_max = 1},
                                               {0}};
static const struct program_spec program = {.name = "prog", .commands = commands};

#define WORDS_MAX 12

/* Reads up to WORDS_MAX words. */
static int read_job(const char *const *words, struct job *ret, struct gp_error *err)
{
    const struct command_spec *command;
    struct options options;
    char *argv[WORDS_MAX + 2] = {(char *)"prog", (char *)"submit"};
    int argc = 2;

    gp_error_clear(err);
    for (; *words && argc < WORDS_MAX + 2; words++) {
        argv[argc++] = (char *)*words;
    }
    GP_REQUIRE_EQ(program_parse(&program, argc, argv, &command, &options, err), 0);
    return job_init(ret, &options, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

GP_TEST(job, holds_what_the_flags_say)
{
    struct job job;
    struct gp_error err;

    GP_REQUIRE_EQ(read_job(WORDS(GP_TEST_APP, "--name", "words", "--set", "input=/a=b", "--set",
                                 "count.x=", "--parallelism", "count=8", "--executors", "2"),
                           &job, &err),
                  0);
    GP_CHECK_STR_EQ(job_name(&job), "words");
    GP_CHECK_EQ(job.spec.executors, 2);
    GP_REQUIRE_EQ(job.spec.config_count, 2);
    GP_CHECK_STR_EQ(job.spec.config[0].key, "input");
    GP_CHECK_STR_EQ(job.spec.config[0].value, "/a=b");
    GP_CHECK_STR_EQ(job.spec.config[1].value, "");
    GP_REQUIRE_EQ(job.spec.parallelism_count, 1);
    GP_CHECK_STR_EQ(job.spec.parallelism[0].processor, "count");
    GP_CHECK_EQ(job.spec.parallelism[0].count, 8);
    GP_CHECK_EQ(job.note.path[0], '/');
    GP_CHECK_EQ(strlen(job.note.sha256), 64);
    job_deinit(&job);
}

GP_TEST(job, is_called_as_its_plugin_unless_named)
{
    struct job job;
    struct gp_error err;

    GP_REQUIRE_EQ(read_job(WORDS(GP_TEST_APP), &job, &err), 0);
    GP_CHECK_STR_EQ(job_name(&job), "wordcount");
    GP_CHECK_STR_EQ(job.spec.name, "");
    GP_CHECK_EQ(job.spec.executors, 0);
    job_deinit(&job);
}

/* Nothing is asked of a cluster for what can be seen here. */
GP_TEST(job, mistakes_are_found_before_anything_is_sent)
{
    static const struct {
        const char *words[4];
        int code;
        const char *said;
    } cases[] = {
        {{GP_TEST_APP, "--executors", "0"}, GP_EINVAL, "--executors 0"},
        {{GP_TEST_APP, "--set", "novalue"}, GP_EINVAL, "novalue"},
        {{GP_TEST_APP, "--parallelism", "count"}, GP_EINVAL, "count"},
        {{GP_TEST_APP, "--parallelism", "count=0"}, GP_EINVAL, "count=0"},
        {{GP_TEST_APP, "--parallelism", "=3"}, GP_EINVAL, "=3"},
        {{GP_TEST_APP, "--parallelism", "count=65537"}, GP_EINVAL, "65536"},
        {{GP_TEST_APP, "--name="}, GP_EINVAL, "--name"},
        {{"/nowhere.so"}, GP_ENOENT, "/nowhere.so"},
        {{"/"}, GP_EABI, "regular file"},
        {{"/dev/null"}, GP_EABI, "regular file"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct job job;
        struct gp_error err;

        GP_CHECK_EQ(read_job(cases[i].words, &job, &err), cases[i].code);
        if (strstr(err.text, cases[i].said) == NULL) {
            GP_TEST_FAIL("\"%s\" does not say \"%s\"", err.text, cases[i].said);
        }
    }
}
