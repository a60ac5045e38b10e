/*
 * generator.h: what the parts of the generator plugin share.
 */
#ifndef GENERATOR_H
#define GENERATOR_H

#include <gearpump/gearpump.h>

#define GENERATOR_KEYS_MAX 1048576u /* with a skew: a table of them is kept */

/* Numbers that depend on seed and n alone: the n-th message is the same in every life and task. */
uint64_t number_of(uint64_t seed, uint64_t n);

/* Which of `keys` keys a number chooses, each as often as Zipf's law with exponent skew says. */
struct zipf {
    uint64_t keys;
    double *upto; /* [keys]: the share of keys 0..i; NULL without skew */
};

/* GP_OK, or GP_FAIL without memory. keys <= GENERATOR_KEYS_MAX unless skew is 0. */
int32_t zipf_init(struct zipf *z, uint64_t keys, double skew);
void zipf_deinit(struct zipf *z);
uint64_t zipf_key(const struct zipf *z, uint64_t number);

extern const struct gp_processor generator_source;

#endif
