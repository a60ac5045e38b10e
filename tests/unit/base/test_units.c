/* Numbers for people, at the places where a digit more or another unit begins. */
#include "base/units.h"
#include "gp_test.h"

GP_TEST(units, bytes)
{
    char out[UNITS_TEXT_MAX];

    GP_CHECK_STR_EQ(units_bytes(0, out), "0 B");
    GP_CHECK_STR_EQ(units_bytes(1023, out), "1023 B");
    GP_CHECK_STR_EQ(units_bytes(1024, out), "1.00 KiB");
    GP_CHECK_STR_EQ(units_bytes(1536, out), "1.50 KiB");
    GP_CHECK_STR_EQ(units_bytes(16 << 20, out), "16.0 MiB");
    GP_CHECK_STR_EQ(units_bytes((1 << 20) - 1, out), "1.00 MiB");
    GP_CHECK_STR_EQ(units_bytes(UINT64_MAX, out), "16.0 EiB");
}

GP_TEST(units, counts_and_rates)
{
    char out[UNITS_TEXT_MAX];

    GP_CHECK_STR_EQ(units_rate(999, out), "999/s");
    GP_CHECK_STR_EQ(units_rate(1000, out), "1.00 k/s");
    GP_CHECK_STR_EQ(units_rate(99949, out), "99.9 k/s");
    GP_CHECK_STR_EQ(units_rate(99950, out), "100 k/s");
    GP_CHECK_STR_EQ(units_rate(999999, out), "1.00 M/s");
    GP_CHECK_STR_EQ(units_rate(1.84e19, out), "18.4 E/s");
    GP_CHECK_STR_EQ(units_rate(2040000, out), "2.04 M/s");
    GP_CHECK_STR_EQ(units_rate(0.5, out), "0.50/s");
    GP_CHECK_STR_EQ(units_rate(0, out), "0/s");
    GP_CHECK_STR_EQ(units_rate(-1, out), "0/s");
    GP_CHECK_STR_EQ(units_rate(1e300, out), "999 E/s");
}

GP_TEST(units, durations)
{
    char out[UNITS_TEXT_MAX];

    GP_CHECK_STR_EQ(units_duration(0, out), "0 ns");
    GP_CHECK_STR_EQ(units_duration(999, out), "999 ns");
    GP_CHECK_STR_EQ(units_duration(350000, out), "350 us");
    GP_CHECK_STR_EQ(units_duration(1200000, out), "1.20 ms");
    GP_CHECK_STR_EQ(units_duration(-1200000, out), "-1.20 ms");
    GP_CHECK_STR_EQ(units_duration(INT64_C(59900000000), out), "59.9 s");
    GP_CHECK_STR_EQ(units_duration(INT64_C(59990000000), out), "1m 00s");
    GP_CHECK_STR_EQ(units_duration(INT64_C(100000000000), out), "1m 40s");
    GP_CHECK_STR_EQ(units_duration(INT64_C(11100000000000), out), "3h 05m");
    GP_CHECK_STR_EQ(units_duration(INT64_C(187200000000000), out), "2d 04h");
    GP_CHECK_STR_EQ(units_duration(INT64_MIN, out), "-106751d 23h");
}
