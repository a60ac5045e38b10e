/*
 * nomem.h: refuses allocations, for tests of what happens then. The linker sends malloc() and its
 * kin here (the target gp_test_nomem), where they pass until the countdown has come to its end.
 */
#ifndef TESTS_NOMEM_H
#define TESTS_NOMEM_H

#include <stdbool.h>

/* From now on the nth allocation, counted from 0, and the `count` - 1 behind it are refused. */
void nomem_arm(long n, long count);
/* All pass again; whether any was refused since. */
bool nomem_disarm(void);

/* All pass for a while, uncounted. */
void nomem_pause(void);
void nomem_resume(void);

/* Those for which it answers true pass, uncounted; NULL: none do. */
void nomem_spare(bool (*is_spared)(void));

#endif
