/* Codes have names, texts are bounded, layers add what they were doing. */
#include <errno.h>

#include "base/error.h"
#include "gp_test.h"

GP_TEST(error, codes_have_their_numbers_names_and_sentences)
{
    /* The numbers travel in frames; renumbering must fail here. */
    GP_CHECK_EQ(GP_EINVAL, -1);
    GP_CHECK_EQ(GP_EJOB, -22);
    GP_CHECK_STR_EQ(error_name(GP_ENOENT), "GP_ENOENT");
    GP_CHECK_STR_EQ(error_sentence(GP_ENOENT), "not found");
    GP_CHECK_STR_EQ(error_name(0), "GP_OK");
    GP_CHECK_STR_EQ(error_sentence(0), "success");
    GP_CHECK_STR_EQ(error_name(17), "GP_OK");
    GP_CHECK_STR_EQ(error_name(-9999), "GP_EUNKNOWN");
    GP_CHECK_STR_EQ(error_sentence(-9999), "unknown error");
}

GP_TEST(error, numbers_are_unique_and_without_gaps)
{
    static const int codes[] = {
#define CODE(name, value, sentence) (value),
        ERROR_LIST(CODE)
#undef CODE
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        GP_CHECK_EQ(codes[i], -(int)i - 1);
    }
}

GP_TEST(error, set_returns_the_code_and_tolerates_null)
{
    struct gp_error err = {.hint = "old"};

    GP_CHECK_EQ(gp_error_set(NULL, GP_EIO, "x"), GP_EIO);
    GP_CHECK_EQ(gp_error_set(&err, GP_ENOENT, "no plugin named %s", "kafka"), GP_ENOENT);
    GP_CHECK_EQ(err.code, GP_ENOENT);
    GP_CHECK_STR_EQ(err.text, "no plugin named kafka");
    GP_CHECK_STR_EQ(err.hint, "");
    gp_error_prefix(NULL, "x");
    gp_error_hint(NULL, "x");
    gp_error_clear(NULL);
}

GP_TEST(error, layers_prefix_and_hint)
{
    struct gp_error err = {0};

    (void)gp_error_set(&err, GP_EPROTO, "bad magic");
    gp_error_hint(&err, "try gpctl %s", "inspect");
    gp_error_prefix(&err, "load %s", "a.so");
    gp_error_prefix(&err, "submit");
    GP_CHECK_STR_EQ(err.text, "submit: load a.so: bad magic");
    GP_CHECK_STR_EQ(err.hint, "try gpctl inspect");
    GP_CHECK_EQ(err.code, GP_EPROTO);
    gp_error_clear(&err);
    GP_CHECK_EQ(err.code, 0);
    GP_CHECK_STR_EQ(err.text, "");
}

GP_TEST(error, text_may_be_made_from_itself)
{
    struct gp_error err = {0};

    (void)gp_error_set(&err, GP_EIO, "disk");
    (void)gp_error_set(&err, GP_EIO, "[%s]", err.text);
    gp_error_prefix(&err, "(%s)", err.text);
    GP_CHECK_STR_EQ(err.text, "([disk]): [disk]");
}

GP_TEST(error, long_text_is_cut_and_terminated)
{
    struct gp_error err = {0};
    char word[2 * ERROR_TEXT_MAX];

    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    (void)gp_error_set(&err, GP_EIO, "%s", word);
    GP_CHECK_EQ(strlen(err.text), ERROR_TEXT_MAX - 1);
    gp_error_hint(&err, "%s", word);
    GP_CHECK_EQ(strlen(err.hint), ERROR_HINT_MAX - 1);
    gp_error_prefix(&err, "open");
    GP_CHECK_EQ(strlen(err.text), ERROR_TEXT_MAX - 1);
    GP_CHECK(strncmp(err.text, "open: xxx", 9) == 0);
    gp_error_prefix(&err, "%s", word);
    GP_CHECK_EQ(strlen(err.text), ERROR_TEXT_MAX - 1);
}

GP_TEST(error, errno_maps_to_the_nearest_code)
{
    GP_CHECK_EQ(error_from_errno(ENOENT), GP_ENOENT);
    GP_CHECK_EQ(error_from_errno(ECONNREFUSED), GP_EUNREACH);
    GP_CHECK_EQ(error_from_errno(EPIPE), GP_ECLOSED);
    GP_CHECK_EQ(error_from_errno(EADDRINUSE), GP_EADDRINUSE);
    GP_CHECK_EQ(error_from_errno(123456), GP_EIO);
    GP_CHECK_EQ(error_from_errno(0), GP_EIO);
}
