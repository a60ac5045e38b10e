/*
 * Numbers for people. Three significant digits are what a reader compares; more would be noise.
 */
#include "base/units.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"

static const char *const binary_units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"};
static const char *const decimal_units[] = {"", " k", " M", " G", " T", " P", " E"};

/* Three digits and a suffix. The limits are where printf would round up to one digit more. */
static void put_scaled(double v, const char *suffix, char out[UNITS_TEXT_MAX])
{
    int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
    int rc = str_format(out, UNITS_TEXT_MAX, "%.*f%s", decimals, v, suffix);

    ASSERT(rc > 0);
}

/* The largest unit in which v is 1 or more, after rounding. Whole numbers below the first step. */
static void put_in_units(double v, double step, const char *const *units, size_t count,
                         char out[UNITS_TEXT_MAX])
{
    size_t unit = 0;

    if (v < step && v == floor(v)) {
        int rc = str_format(out, UNITS_TEXT_MAX, "%.0f%s", v, units[0]);
        ASSERT(rc > 0);
        return;
    }
    while (v >= step - 0.5 && unit + 1 < count) {
        v /= step;
        unit++;
    }
    put_scaled(v, units[unit], out);
}

const char *units_bytes(uint64_t bytes, char out[UNITS_TEXT_MAX])
{
    put_in_units((double)bytes, 1024.0, binary_units, ARRAY_LEN(binary_units), out);
    return out;
}

const char *units_rate(double per_second, char out[UNITS_TEXT_MAX])
{
    if (!(per_second > 0.0)) {
        per_second = 0.0; /* negative, and not-a-number */
    }
    put_in_units(fmin(per_second, 9.99e20), 1000.0, decimal_units, ARRAY_LEN(decimal_units), out);
    strcat(out, "/s"); /* at most "999 E": room enough */
    return out;
}

/* From a minute on, in two whole units: "1m 40s". */
static void put_long_duration(uint64_t seconds, const char *sign, char out[UNITS_TEXT_MAX])
{
    static const struct {
        uint64_t large;
        uint64_t small;
        char large_name;
        char small_name;
    } steps[] = {
        {86400, 3600, 'd', 'h'},
        {3600, 60, 'h', 'm'},
        {60, 1, 'm', 's'},
    };
    size_t i = 0;
    int rc;

    while (i + 1 < ARRAY_LEN(steps) && seconds < steps[i].large) {
        i++;
    }
    rc = str_format(out, UNITS_TEXT_MAX, "%s%llu%c %02llu%c", sign,
                    (unsigned long long)(seconds / steps[i].large), steps[i].large_name,
                    (unsigned long long)(seconds % steps[i].large / steps[i].small),
                    steps[i].small_name);
    ASSERT(rc > 0);
}

const char *units_duration(int64_t ns, char out[UNITS_TEXT_MAX])
{
    static const char *const units[] = {" ns", " us", " ms", " s"};
    const char *sign = ns < 0 ? "-" : "";
    uint64_t magnitude = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    char text[UNITS_TEXT_MAX];
    int rc;

    if (magnitude >= UINT64_C(59950000000)) { /* where seconds would round to "60.0 s" */
        put_long_duration((magnitude + 500000000) / 1000000000, sign, out);
        return out;
    }
    put_in_units((double)magnitude, 1000.0, units, ARRAY_LEN(units), text);
    rc = str_format(out, UNITS_TEXT_MAX, "%s%s", sign, text);
    ASSERT(rc > 0);
    return out;
}
