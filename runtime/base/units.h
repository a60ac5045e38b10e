/*
 * Numbers for people: "1.5 MiB", "2.04 M/s", "350 us". Three significant digits, no locale.
 * Each writes to out, always terminated, and returns out.
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdint.h>

#define UNITS_TEXT_MAX 24 /* bytes that out holds */

/* Powers of 1024: "0 B", "999 B", "1.50 KiB", "16.0 MiB". */
const char *units_bytes(uint64_t bytes, char out[UNITS_TEXT_MAX]);

/* A rate per second, in powers of 1000: "2.04 M/s". Negative and not-a-number show as "0/s". */
const char *units_rate(double per_second, char out[UNITS_TEXT_MAX]);

/* "0 ns", "350 us", "1.20 ms", "59.9 s", then "1m 40s", "3h 05m", "2d 04h". Negative with '-'. */
const char *units_duration(int64_t ns, char out[UNITS_TEXT_MAX]);

#endif
