/* nomem.c: see nomem.h. */
#include "nomem.h"

#include <stddef.h>

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

static long countdown = -1; /* allocations that pass before the next refusal; -1: all do */
static long left;           /* to be refused in a row */
static bool was_refused;
static unsigned pauses;
static bool (*spared)(void);

static bool refuse(void)
{
    if (countdown < 0 || pauses > 0 || (spared && spared())) {
        return false;
    }
    if (countdown > 0) {
        countdown--;
        return false;
    }
    countdown = --left > 0 ? 0 : -1;
    was_refused = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return refuse() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return refuse() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *ptr, size_t size)
{
    return refuse() ? NULL : __real_realloc(ptr, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return refuse() ? NULL : __real_aligned_alloc(align, size);
}

/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */

void nomem_arm(long n, long count)
{
    countdown = n;
    left = count;
    was_refused = false;
}

bool nomem_disarm(void)
{
    countdown = -1;
    return was_refused;
}

void nomem_pause(void)
{
    pauses++;
}

void nomem_resume(void)
{
    pauses--;
}

void nomem_spare(bool (*is_spared)(void))
{
    spared = is_spared;
}
