/* Numbers, sizes and durations from text: what is taken, what is refused, where it overflows. */
#include <locale.h>

#include "base/error.h"
#include "base/str.h"
#include "gp_test.h"

GP_TEST(str_parse, u64_takes_digits_and_nothing_else)
{
    uint64_t v = 7;

    GP_CHECK_EQ(str_to_u64(GP_STR("18446744073709551615"), &v), 0);
    GP_CHECK(v == UINT64_MAX);
    GP_CHECK_EQ(str_to_u64(GP_STR("007"), &v), 0);
    GP_CHECK_EQ(v, 7);
    GP_CHECK_EQ(str_to_u64(GP_STR("18446744073709551616"), &v), GP_ETOOBIG);
    GP_CHECK_EQ(str_to_u64(GP_STR("99999999999999999999999"), &v), GP_ETOOBIG);
    GP_CHECK_EQ(str_to_u64(GP_STR(""), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_u64(GP_STR("+1"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_u64(GP_STR("-1"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_u64(GP_STR(" 1"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_u64(GP_STR("1 "), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_u64(GP_STR("0x10"), &v), GP_EINVAL);
    GP_CHECK_EQ(v, 7); /* untouched by failures */
}

GP_TEST(str_parse, i64_reaches_both_ends)
{
    int64_t v = 0;

    GP_CHECK_EQ(str_to_i64(GP_STR("-9223372036854775808"), &v), 0);
    GP_CHECK(v == INT64_MIN);
    GP_CHECK_EQ(str_to_i64(GP_STR("9223372036854775807"), &v), 0);
    GP_CHECK(v == INT64_MAX);
    GP_CHECK_EQ(str_to_i64(GP_STR("9223372036854775808"), &v), GP_ETOOBIG);
    GP_CHECK_EQ(str_to_i64(GP_STR("-9223372036854775809"), &v), GP_ETOOBIG);
    GP_CHECK_EQ(str_to_i64(GP_STR("-"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_i64(GP_STR("--1"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_i64(GP_STR(""), &v), GP_EINVAL);
}

GP_TEST(str_parse, double_takes_finite_decimals_only)
{
    static const char *const bad[] = {"",   ".5", "5.",  "1e", "1e+", "inf", "nan",  "0x1p3",
                                      " 1", "1 ", "1,5", "+1", "--1", "-",   "1.2.3"};
    double v = 0;

    GP_CHECK_EQ(str_to_double(GP_STR("-0.25"), &v), 0);
    GP_CHECK(v == -0.25);
    GP_CHECK_EQ(str_to_double(GP_STR("1e3"), &v), 0);
    GP_CHECK(v == 1000.0);
    GP_CHECK_EQ(str_to_double(GP_STR("25E-2"), &v), 0);
    GP_CHECK(v == 0.25);
    GP_CHECK_EQ(str_to_double(GP_STR("1e999"), &v), GP_ETOOBIG);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        GP_CHECK_EQ(str_to_double(gp_str_of(bad[i]), &v), GP_EINVAL);
    }
    GP_CHECK_EQ(str_to_double((gp_str){.ptr = "1\0002", .len = 3}, &v), GP_EINVAL);
    GP_CHECK(v == 0.25);
}

GP_TEST(str_parse, double_refuses_endless_text)
{
    char digits[200];
    double v;

    memset(digits, '1', sizeof(digits));
    GP_CHECK_EQ(str_to_double((gp_str){.ptr = digits, .len = 127}, &v), 0);
    GP_CHECK_EQ(str_to_double((gp_str){.ptr = digits, .len = 128}, &v), GP_ETOOBIG);
}

GP_TEST(str_parse, doubles_are_written_short_and_read_back_the_same)
{
    static const double values[] = {0.0,
                                    1.0,
                                    -1.5,
                                    0.1,
                                    1.0 / 3.0,
                                    1e300,
                                    5e-324,
                                    1e15,
                                    1e16,
                                    123456789,
                                    2.2250738585072014e-308,
                                    1.7976931348623157e308};
    char out[STR_DOUBLE_MAX];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        double back = -1;

        GP_CHECK_EQ(str_to_double(gp_str_of(str_put_double(values[i], out)), &back), 0);
        GP_CHECK(back == values[i]);
    }
    GP_CHECK_STR_EQ(str_put_double(0.1, out), "0.1");
    GP_CHECK_STR_EQ(str_put_double(1.0, out), "1.0");
    GP_CHECK_STR_EQ(str_put_double(-0.0, out), "-0.0");
    GP_CHECK_STR_EQ(str_put_double(1e300, out), "1e+300");
}

/* A plugin may set a locale with another decimal point; files and messages must not notice. */
GP_TEST(str_parse, doubles_do_not_depend_on_the_locale)
{
    char out[STR_DOUBLE_MAX];
    double v = 0;

    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) {
        GP_SKIP("no locale with a decimal comma here");
    }
    GP_CHECK_EQ(str_to_double(GP_STR("1.5"), &v), 0);
    GP_CHECK(v == 1.5);
    GP_CHECK_STR_EQ(str_put_double(1.5, out), "1.5");
    (void)setlocale(LC_NUMERIC, "C");
}

GP_TEST(str_parse, bool_has_six_words)
{
    bool v = false;

    GP_CHECK_EQ(str_to_bool(GP_STR("yes"), &v), 0);
    GP_CHECK(v);
    GP_CHECK_EQ(str_to_bool(GP_STR("off"), &v), 0);
    GP_CHECK(!v);
    GP_CHECK_EQ(str_to_bool(GP_STR("1"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_bool(GP_STR("True"), &v), GP_EINVAL);
    GP_CHECK_EQ(str_to_bool(GP_STR(""), &v), GP_EINVAL);
}

static int64_t size_of(const char *text)
{
    uint64_t bytes = 0;
    int rc = str_to_size_bytes(gp_str_of(text), &bytes);

    return rc < 0 ? rc : (int64_t)bytes;
}

GP_TEST(str_parse, sizes_know_binary_and_decimal_units)
{
    GP_CHECK_EQ(size_of("0"), 0);
    GP_CHECK_EQ(size_of("17"), 17);
    GP_CHECK_EQ(size_of("17B"), 17);
    GP_CHECK_EQ(size_of("1k"), 1024);
    GP_CHECK_EQ(size_of("1kB"), 1000);
    GP_CHECK_EQ(size_of("64MiB"), 64 << 20);
    GP_CHECK_EQ(size_of("2GB"), 2000000000);
    GP_CHECK_EQ(size_of("1t"), INT64_C(1) << 40);
    GP_CHECK_EQ(size_of("1 k"), GP_EINVAL);
    GP_CHECK_EQ(size_of("k"), GP_EINVAL);
    GP_CHECK_EQ(size_of(""), GP_EINVAL);
    GP_CHECK_EQ(size_of("1.5k"), GP_EINVAL);
    GP_CHECK_EQ(size_of("1x"), GP_EINVAL);
    GP_CHECK_EQ(size_of("16777216t"), GP_ETOOBIG);
}

static int64_t duration_of(const char *text)
{
    int64_t ns = 0;
    int rc = str_to_duration_ns(gp_str_of(text), &ns);

    return rc < 0 ? rc : ns;
}

GP_TEST(str_parse, durations_need_a_unit)
{
    GP_CHECK_EQ(duration_of("0"), 0);
    GP_CHECK_EQ(duration_of("3ns"), 3);
    GP_CHECK_EQ(duration_of("500ms"), 500000000);
    GP_CHECK_EQ(duration_of("2s"), 2000000000);
    GP_CHECK_EQ(duration_of("1m"), INT64_C(60000000000));
    GP_CHECK_EQ(duration_of("1d"), INT64_C(86400000000000));
    GP_CHECK_EQ(duration_of("5"), GP_EINVAL);
    GP_CHECK_EQ(duration_of("5S"), GP_EINVAL);
    GP_CHECK_EQ(duration_of("-5s"), GP_EINVAL);
    GP_CHECK_EQ(duration_of("5 s"), GP_EINVAL);
    GP_CHECK_EQ(duration_of("9223372036854775807ns"), INT64_MAX);
    GP_CHECK_EQ(duration_of("9223372036854775808ns"), GP_ETOOBIG);
    GP_CHECK_EQ(duration_of("999999999d"), GP_ETOOBIG);
}
