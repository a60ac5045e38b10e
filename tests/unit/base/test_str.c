/* Slices: comparing and cutting, empty and NULL ones included. */
#include "base/error.h"
#include "base/str.h"
#include "gp_test.h"

static const gp_str empty = {0};

GP_TEST(str, equality_and_order_are_bytewise)
{
    GP_CHECK(str_eq(empty, GP_STR("")));
    GP_CHECK(!str_eq(GP_STR("a"), GP_STR("A")));
    GP_CHECK(!str_eq(GP_STR("a"), GP_STR("ab")));
    GP_CHECK(str_eq_nocase(GP_STR("KiB"), GP_STR("kib")));
    GP_CHECK(!str_eq_nocase(GP_STR("@"), GP_STR("`")));
    GP_CHECK_EQ(str_cmp(empty, empty), 0);
    GP_CHECK(str_cmp(empty, GP_STR("a")) < 0);
    GP_CHECK(str_cmp(GP_STR("ab"), GP_STR("a")) > 0);
    GP_CHECK(str_cmp(GP_STR("a"), GP_STR("b")) < 0);
    GP_CHECK(str_cmp(GP_STR("\x80"), GP_STR("a")) > 0);
}

GP_TEST(str, prefix_and_suffix)
{
    GP_CHECK(str_starts_with(GP_STR("worker/3"), GP_STR("worker/")));
    GP_CHECK(!str_starts_with(GP_STR("work"), GP_STR("worker/")));
    GP_CHECK(str_starts_with(GP_STR("x"), empty));
    GP_CHECK(str_starts_with(empty, empty));
    GP_CHECK(str_ends_with(GP_STR("app.so"), GP_STR(".so")));
    GP_CHECK(!str_ends_with(GP_STR("so"), GP_STR(".so")));
    GP_CHECK(str_ends_with(empty, empty));
}

GP_TEST(str, trim_takes_blanks_from_both_ends_only)
{
    GP_CHECK(str_eq(str_trim(GP_STR(" \t a b\r\n")), GP_STR("a b")));
    GP_CHECK_EQ(str_trim(GP_STR(" \n ")).len, 0);
    GP_CHECK_EQ(str_trim(empty).len, 0);
}

GP_TEST(str, cut_splits_at_the_first_and_cut_last_at_the_last)
{
    gp_str head;
    gp_str tail;

    GP_CHECK(str_cut(GP_STR("a:b:c"), ':', &head, &tail));
    GP_CHECK(str_eq(head, GP_STR("a")) && str_eq(tail, GP_STR("b:c")));
    GP_CHECK(str_cut_last(GP_STR("a:b:c"), ':', &head, &tail));
    GP_CHECK(str_eq(head, GP_STR("a:b")) && str_eq(tail, GP_STR("c")));
    GP_CHECK(str_cut(GP_STR(":"), ':', &head, &tail));
    GP_CHECK_EQ(head.len, 0);
    GP_CHECK_EQ(tail.len, 0);
    GP_CHECK(!str_cut(GP_STR("abc"), ':', &head, &tail));
    GP_CHECK(str_eq(head, GP_STR("abc")));
    GP_CHECK_EQ(tail.len, 0);
    GP_CHECK(!str_cut_last(empty, ':', &head, &tail));
    GP_CHECK_EQ(head.len, 0);
}

GP_TEST(str, cut_walks_a_list_in_place)
{
    gp_str rest = GP_STR("a,,b");
    gp_str item;
    char seen[16] = "";

    while (rest.len > 0) {
        (void)str_cut(rest, ',', &item, &rest);
        strncat(seen, item.ptr, item.len);
        strcat(seen, ";");
    }
    GP_CHECK_STR_EQ(seen, "a;;b;");
}

GP_TEST(str, dup_terminates)
{
    char *copy = str_dup((gp_str){.ptr = "abc", .len = 2});
    char *nothing = str_dup(empty);

    GP_CHECK_STR_EQ(copy, "ab");
    GP_CHECK_STR_EQ(nothing, "");
    free(copy);
    free(nothing);
}

GP_TEST(str, format_tells_when_it_cuts)
{
    char out[6];

    GP_CHECK_EQ(str_format(out, sizeof(out), "%d", 12345), 5);
    GP_CHECK_STR_EQ(out, "12345");
    GP_CHECK_EQ(str_format(out, sizeof(out), "%d", 123456), GP_ETOOBIG);
    GP_CHECK_STR_EQ(out, "12345");
    GP_CHECK_EQ(str_format(out, 1, "%s", ""), 0);
    GP_CHECK_EQ(str_format(out, 1, "a"), GP_ETOOBIG);
    GP_CHECK_STR_EQ(out, "");
}

GP_TEST(str, closest_names_the_word_that_was_meant)
{
    const gp_str words[] = {GP_STR("submit"), GP_STR("list"), GP_STR("describe"), GP_STR("lost")};

    GP_CHECK(str_closest(GP_STR("submti"), words, 4) == &words[0]);
    GP_CHECK(str_closest(GP_STR("lsit"), words, 4) == &words[1]); /* a swap is one edit, not two */
    GP_CHECK(str_closest(GP_STR("decribe"), words, 4) == &words[2]); /* one left out */
    GP_CHECK(str_closest(GP_STR("listt"), words, 4) == &words[1]);   /* one too many */
    GP_CHECK(str_closest(GP_STR("lxst"), words, 4) == &words[1]);    /* the first of equals */
    GP_CHECK(str_closest(GP_STR("kill"), words, 4) == NULL);
    GP_CHECK(str_closest(GP_STR("x"), words, 4) == NULL);
    GP_CHECK(str_closest(GP_STR("list"), words, 0) == NULL);
    GP_CHECK(str_closest(empty, words, 4) == NULL);
}

GP_TEST(str, closest_ignores_words_beyond_its_bound)
{
    char longest[66];
    gp_str word;
    gp_str needle;

    memset(longest, 'a', sizeof(longest));
    word = (gp_str){.ptr = longest, .len = 64};
    needle = (gp_str){.ptr = longest, .len = 63};
    GP_CHECK(str_closest(needle, &word, 1) == &word);
    word.len = 65;
    GP_CHECK(str_closest(needle, &word, 1) == NULL);
    needle.len = 65;
    word.len = 64;
    GP_CHECK(str_closest(needle, &word, 1) == NULL);
}

GP_TEST(str, text_and_bytes_are_the_same_slice)
{
    GP_CHECK_EQ(str_bytes(GP_STR("abc")).len, 3);
    GP_CHECK(str_eq(str_from_bytes(str_bytes(GP_STR("abc"))), GP_STR("abc")));
    GP_CHECK(str_eq(gp_str_of(NULL), empty));
}
