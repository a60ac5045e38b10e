/* Errors in three lines, and exit codes. */
#include "app/fail.h"
#include "capture.h"
#include "edge/json.h"

static const struct gp_error not_found = {GP_ENOENT, "no application is named \"wrodcount\"",
                                          "did you mean wordcount?"};

GP_TEST(fail, says_what_why_and_what_to_try)
{
    struct capture c;

    GP_CHECK_EQ(
        fail_print(capture_begin(&c), FAIL_PLAIN, "cannot describe wrodcount", &not_found, NULL),
        3);
    GP_CHECK_STR_EQ(capture_text(&c), "error[not_found]: cannot describe wrodcount\n"
                                      "cause: no application is named \"wrodcount\"\n"
                                      "hint: did you mean wordcount?\n");
    capture_end(&c);
}

GP_TEST(fail, indents_a_cause_of_several_lines)
{
    struct gp_error err = {GP_EINVAL, "edge a -> b twice\nno source", ""};
    struct capture c;

    GP_CHECK_EQ(fail_print(capture_begin(&c), FAIL_PLAIN, "cannot submit", &err, "gpctl help"), 2);
    GP_CHECK_STR_EQ(capture_text(&c), "error[invalid]: cannot submit\n"
                                      "cause: edge a -> b twice\n"
                                      "       no source\n"
                                      "hint: gpctl help\n");
    capture_end(&c);
}

GP_TEST(fail, without_a_text_the_code_speaks)
{
    struct gp_error err = {.code = GP_ETIMEOUT};
    struct capture c;

    GP_CHECK_EQ(fail_print(capture_begin(&c), FAIL_PLAIN, "cannot list", &err, NULL), 7);
    GP_CHECK_STR_EQ(capture_text(&c), "error[timeout]: cannot list\ncause: no answer in time\n");
    capture_end(&c);
}

GP_TEST(fail, keeps_escapes_off_the_terminal)
{
    struct gp_error err = {GP_EINVAL, "bad \x1b[31m", ""};
    struct capture c;

    (void)fail_print(capture_begin(&c), FAIL_PLAIN, "x", &err, NULL);
    GP_CHECK(strchr(capture_text(&c), '\x1b') == NULL);
    capture_end(&c);
}

GP_TEST(fail, speaks_json_to_programs)
{
    struct capture c;
    struct value *tree = NULL;
    struct value *error;

    GP_CHECK_EQ(fail_print(capture_begin(&c), FAIL_JSON, "cannot describe", &not_found, NULL), 3);
    GP_REQUIRE_EQ(edge_json_parse(gp_str_of(capture_text(&c)), &tree, NULL), 0);
    error = value_get(tree, GP_STR("error"));
    GP_REQUIRE(error != NULL);
    GP_CHECK_EQ(value_count(error), 4);
    GP_CHECK(strncmp(value_as_str(value_get(error, GP_STR("code"))).ptr, "GP_ENOENT", 9) == 0);
    GP_CHECK_EQ(value_as_str(value_get(error, GP_STR("hint"))).len, strlen(not_found.hint));
    value_free(tree);
    capture_end(&c);
}

/* Scripts depend on these. */
GP_TEST(fail, exit_codes_are_as_promised)
{
    GP_CHECK_EQ(exit_status_of(0), 0);
    GP_CHECK_EQ(exit_status_of(GP_EIO), 1);
    GP_CHECK_EQ(exit_status_of(GP_EABI), 1);
    GP_CHECK_EQ(exit_status_of(GP_EADDRINUSE), 1);
    GP_CHECK_EQ(exit_status_of(GP_EINVAL), 2);
    GP_CHECK_EQ(exit_status_of(GP_ENOENT), 3);
    GP_CHECK_EQ(exit_status_of(GP_EEXIST), 4);
    GP_CHECK_EQ(exit_status_of(GP_EUNREACH), 5);
    GP_CHECK_EQ(exit_status_of(GP_EACCES), 6);
    GP_CHECK_EQ(exit_status_of(GP_ETIMEOUT), 7);
    GP_CHECK_EQ(exit_status_of(GP_EJOB), 8);
}
