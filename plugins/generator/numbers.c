/*
 * Numbers by chance that can be asked for again, and keys by Zipf's law.
 *
 * number_of() is the finalizer of splitmix64 (Steele, Lea, Flood 2014) over a counter: no state but
 * n.
 *
 * The i-th of K keys comes with probability i^-s / (1^-s + ... + K^-s): a table of the sums,
 * searched by halves. Powers are worked out here, because plugins link with nothing but libc, and
 * libm is another library.
 */
#include <math.h>
#include <stdlib.h>

#include "generator.h"

#define LN2 0.693147180559945309417

uint64_t number_of(uint64_t seed, uint64_t n)
{
    uint64_t z = seed * UINT64_C(0xd1342543de82ef95) + (n + 1) * UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* x > 0: the mantissa's by the series of the inverse hyperbolic tangent, the exponent's exactly. */
static double natural_log(double x)
{
    int exponent;
    double m = frexp(x, &exponent);
    double z = (m - 1) / (m + 1); /* in (-1/3, 0) */
    double power = z;
    double sum = 0;

    for (int k = 1; k < 40; k += 2) {
        sum += power / k;
        power *= z * z;
    }
    return 2 * sum + exponent * LN2;
}

static double exponential(double x)
{
    int halves = (int)(x / LN2);
    double rest = x - halves * LN2; /* in (-ln 2, ln 2) */
    double term = 1;
    double sum = 1;

    for (int k = 1; k < 24; k++) {
        term *= rest / k;
        sum += term;
    }
    return ldexp(sum, halves);
}

int32_t zipf_init(struct zipf *z, uint64_t keys, double skew)
{
    double sum = 0;

    *z = (struct zipf){.keys = keys};
    if (keys == 0 || skew <= 0) {
        return GP_OK;
    }
    z->upto = calloc(keys, sizeof *z->upto);
    if (!z->upto) {
        return GP_FAIL;
    }
    for (uint64_t i = 0; i < keys; i++) {
        sum += exponential(-skew * natural_log((double)(i + 1)));
        z->upto[i] = sum;
    }
    for (uint64_t i = 0; i < keys; i++) {
        z->upto[i] /= sum;
    }
    return GP_OK;
}

void zipf_deinit(struct zipf *z)
{
    free(z->upto);
    z->upto = NULL;
}

uint64_t zipf_key(const struct zipf *z, uint64_t number)
{
    double want = (double)(number >> 11) / (double)(UINT64_C(1) << 53); /* in [0, 1) */
    uint64_t low = 0;
    uint64_t high = z->keys - 1;

    if (!z->upto) {
        return number % z->keys;
    }
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (z->upto[middle] > want) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}
