/*
 * coverage.h: what has happened over all seeds of a campaign. Simulated worlds that never meet a
 * full batch, a cut upload or an exhausted account prove nothing about them; so each of the names
 * in coverage.c must have been seen, or the campaign fails.
 *
 * A name is an event that was logged, at any level and by any process ("account.exhausted"), a
 * counter of the world ("sim.write_partial", see sim/trace.h), or something that a scenario noted
 * by itself ("shape.one_lane").
 */
#ifndef TESTS_SIM_COVERAGE_H
#define TESTS_SIM_COVERAGE_H

#include "sim/sim.h"

#define COVERAGE_MAX 128u

struct coverage {
    uint64_t counts[COVERAGE_MAX]; /* by the place of the name in the table */
};

/* Adds what happened in a world. */
void coverage_add(struct coverage *coverage, const struct sim *sim);

/* Adds what a scenario saw. The name must be in the table. */
void coverage_note(struct coverage *coverage, const char *name);

/* Prints every name and count; returns how many never happened. */
uint32_t coverage_report(const struct coverage *coverage);

#endif
