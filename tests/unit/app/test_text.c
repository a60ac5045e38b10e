/* Text from elsewhere on a terminal. */
#include "app/text.h"
#include "capture.h"

static void check_shown(const char *text, const char *wanted)
{
    char out[64];
    struct capture c;

    GP_CHECK_EQ(text_show(gp_str_of(text), out, sizeof out), strlen(wanted));
    GP_CHECK_STR_EQ(out, wanted);
    text_print(capture_begin(&c), gp_str_of(text));
    GP_CHECK_STR_EQ(capture_text(&c), wanted);
    capture_end(&c);
}

GP_TEST(text, is_shown_as_it_is)
{
    check_shown("the \"gear\" \\ turns\tthe größte pump", "the \"gear\" \\ turns\tthe größte pump");
}

GP_TEST(text, cannot_command_a_terminal)
{
    check_shown("a\x1b]0;title\a", "a\\x1b]0;title\\x07");
    check_shown("over\rwritten", "over\\rwritten");
    check_shown("\xff\xfe", "\\xff\\xfe");
}

GP_TEST(text, is_cut_at_a_whole_character)
{
    char out[8];

    GP_CHECK_EQ(text_show(GP_STR("abcdef\xc3\xb6"), out, sizeof out), 6);
    GP_CHECK_STR_EQ(out, "abcdef");
    GP_CHECK_EQ(text_show(GP_STR("abcdefghij"), out, sizeof out), 7);
}

GP_TEST(text, is_as_wide_as_it_has_characters)
{
    GP_CHECK_EQ(text_width(GP_STR("")), 0);
    GP_CHECK_EQ(text_width(GP_STR("abc")), 3);
    GP_CHECK_EQ(text_width(GP_STR("gr\xc3\xb6\xc3\x9f"
                                  "e")),
                5);
}
