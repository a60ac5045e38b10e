/*
 * counted.h: every byte that is allocated, but for the simulated disks.
 *
 * The linker sends malloc and its kin here, and what the disks are changed with. For one test
 * program: CMakeLists.txt has the list for the linker.
 */
#ifndef TESTS_CONTROL_COUNTED_H
#define TESTS_CONTROL_COUNTED_H

#include <stdint.h>

/* Now in use. */
int64_t counted_bytes(void);

#endif
