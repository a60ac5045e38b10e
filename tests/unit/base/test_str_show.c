/* What strangers wrote, made safe to show. */
#include "base/str.h"
#include "gp_test.h"

GP_TEST(str_show, utf8_is_checked_to_the_letter)
{
    GP_CHECK(str_is_utf8(GP_STR("")));
    GP_CHECK(str_is_utf8(gp_str_of("plain")));
    GP_CHECK(str_is_utf8(gp_str_of("\xc3\xa9")));         /* U+00E9 */
    GP_CHECK(str_is_utf8(gp_str_of("\xe2\x82\xac")));     /* U+20AC */
    GP_CHECK(str_is_utf8(gp_str_of("\xf0\x9f\x98\x80"))); /* U+1F600 */
    GP_CHECK(str_is_utf8(gp_str_of("\xf4\x8f\xbf\xbf"))); /* U+10FFFF, the last */
    GP_CHECK(str_is_utf8(gp_str_of("\xed\x9f\xbf")));     /* U+D7FF, before the surrogates */
    GP_CHECK(!str_is_utf8(gp_str_of("\xc0\x80")));        /* overlong */
    GP_CHECK(!str_is_utf8(gp_str_of("\xc1\xbf")));
    GP_CHECK(!str_is_utf8(gp_str_of("\xe0\x9f\xbf")));
    GP_CHECK(!str_is_utf8(gp_str_of("\xf0\x8f\xbf\xbf")));
    GP_CHECK(!str_is_utf8(gp_str_of("\xed\xa0\x80")));     /* surrogate */
    GP_CHECK(!str_is_utf8(gp_str_of("\xf4\x90\x80\x80"))); /* above U+10FFFF */
    GP_CHECK(!str_is_utf8(gp_str_of("\xf5\x80\x80\x80")));
    GP_CHECK(!str_is_utf8(gp_str_of("\x80")));        /* continuation first */
    GP_CHECK(!str_is_utf8(gp_str_of("\xe2\x82")));    /* too short */
    GP_CHECK(!str_is_utf8(gp_str_of("a\xe2\x82 b"))); /* too short in the middle */
    GP_CHECK(!str_is_utf8(gp_str_of("\xff")));
}

GP_TEST(str_show, a_character_is_not_read_beyond_the_slice)
{
    GP_CHECK_EQ(str_utf8_len((gp_str){.ptr = "\xe2\x82\xac", .len = 3}), 3);
    GP_CHECK_EQ(str_utf8_len((gp_str){.ptr = "\xe2\x82\xac", .len = 2}), 0);
    GP_CHECK_EQ(str_utf8_len((gp_str){0}), 0);
}

static const char *escaped(gp_str s, size_t out_size)
{
    static char out[64];
    size_t len = str_escape(s, out, out_size);

    return len == strlen(out) && len < out_size ? out : "(wrong length)";
}

GP_TEST(str_show, escape_disarms_what_moves_the_cursor)
{
    GP_CHECK_STR_EQ(escaped(GP_STR("plain \xc3\xa9"), 64), "plain \xc3\xa9");
    GP_CHECK_STR_EQ(escaped(GP_STR("a\n\t\r\"\\"), 64), "a\\n\\t\\r\\\"\\\\");
    GP_CHECK_STR_EQ(escaped(GP_STR("\x1b[2J\x7f"), 64), "\\x1b[2J\\x7f");
    GP_CHECK_STR_EQ(escaped(GP_STR("\xc2\x9b"), 64), "\\xc2\\x9b"); /* a C1 control */
    GP_CHECK_STR_EQ(escaped(GP_STR("a\xff"
                                   "b"),
                            64),
                    "a\\xffb");
    GP_CHECK_STR_EQ(escaped((gp_str){.ptr = "a\0b", .len = 3}, 64), "a\\x00b");
    GP_CHECK_STR_EQ(escaped((gp_str){0}, 64), "");
}

GP_TEST(str_show, escape_cuts_at_a_whole_character)
{
    GP_CHECK_STR_EQ(escaped(GP_STR("1234567"), 8), "1234567");
    GP_CHECK_STR_EQ(escaped(GP_STR("12345678"), 8), "1234...");
    GP_CHECK_STR_EQ(escaped(GP_STR("123\xe2\x82\xac"
                                   "5"),
                            8),
                    "123\xe2\x82\xac"
                    "5");
    GP_CHECK_STR_EQ(escaped(GP_STR("123\xe2\x82\xac"
                                   "56"),
                            8),
                    "123...");
    GP_CHECK_STR_EQ(escaped(GP_STR("\x01\x01\x01"), 8), "\\x01...");
}

/* Whatever the bytes and the size: terminated, within bounds, printable. */
GP_TEST(str_show, escape_holds_for_all_bytes_and_sizes)
{
    char all[256];
    char out[1100];

    for (int i = 0; i < 256; i++) {
        all[i] = (char)i;
    }
    for (size_t size = 8; size < sizeof(out); size++) {
        size_t len = str_escape((gp_str){.ptr = all, .len = sizeof(all)}, out, size);

        GP_REQUIRE(len < size);
        GP_REQUIRE(out[len] == '\0');
        for (size_t i = 0; i < len; i++) {
            GP_REQUIRE(out[i] >= ' ' && out[i] < 0x7f);
        }
    }
}

GP_TEST(str_show, json_escapes_what_rfc_8259_asks_for)
{
    gp_str s = {.ptr = "\"\\\n\x01\xff"
                       "a\xc3\xa9",
                .len = 8};
    char joined[64];
    size_t len = 0;

    while (s.len > 0) {
        len += str_json_next(&s, joined + len);
    }
    joined[len] = '\0';
    GP_CHECK_STR_EQ(joined, "\\\"\\\\\\n\\u0001\xef\xbf\xbd"
                            "a\xc3\xa9");
}
