/*
 * counted.h: every byte that is allocated, but for the simulated disks.
 *
 * The linker sends malloc and its kin here, and what the disks are changed with; libraft is given the
 * same (counted_begin). For one test program: CMakeLists.txt has the list for the linker.
 */
#ifndef TESTS_CONTROL_COUNTED_H
#define TESTS_CONTROL_COUNTED_H

#include <stdint.h>

/* Before any member of a group is opened. */
void counted_begin(void);

/* Now in use. */
int64_t counted_bytes(void);

/* The most at once since the last call of this. */
int64_t counted_peak(void);

#endif
