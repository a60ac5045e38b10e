/*
 * A small seeded generator of pseudo-random numbers (xoshiro256**, Blackman and Vigna 2018).
 * The same seed gives the same numbers for ever: simulations are replayed from it. Not for secrets.
 * The state belongs to the caller; one owner.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rng {
    uint64_t s[4]; /* private, never all zero */
};

/* Any seed is good, 0 too. */
void rng_init(struct rng *rng, uint64_t seed);

/* A generator of its own stream, drawn from this one: so that one part's draws do not shift
 * another's. */
struct rng rng_fork(struct rng *rng);

uint64_t rng_u64(struct rng *rng);

/* Uniform in 0 .. n-1 without bias; n >= 1. */
uint64_t rng_below(struct rng *rng, uint64_t n);

/* Uniform in min .. max, both included; min <= max. */
int64_t rng_between(struct rng *rng, int64_t min, int64_t max);

/* Uniform in [0, 1). */
double rng_double(struct rng *rng);

/* True with probability p: never at 0 or below, always at 1 or above. Draws one number. */
bool rng_chance(struct rng *rng, double p);

void rng_fill(struct rng *rng, void *out, size_t len);

#endif
