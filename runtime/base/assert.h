/*
 * Assertions and the few macros every room needs.
 *
 * ASSERT states what our own code promises; it stays on in release builds, because a process that
 * stops is safer than one that goes on with a broken promise. Anything that comes from outside
 * (peer, disk, user, plugin, clock) is an error (base/error.h), never an assertion.
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include <stddef.h>

#define LIKELY(cond)   __builtin_expect(!!(cond), 1)
#define UNLIKELY(cond) __builtin_expect(!!(cond), 0)

/* Prints "file:line: assertion failed: cond" to stderr and aborts. Any thread. */
_Noreturn void assert_failed(const char *cond, const char *file, int line);

#define ASSERT(cond) (LIKELY(cond) ? (void)0 : assert_failed(#cond, __FILE__, __LINE__))

/* For the branch that our own logic excludes, such as the default of a complete switch. */
#define UNREACHABLE() assert_failed("unreachable", __FILE__, __LINE__)

/* Elements of an array (not of a pointer). */
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that embeds `member` at address `ptr`. In lower case, as it is known everywhere. */
/* NOLINTNEXTLINE(readability-identifier-naming): for that name */
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* Rounds n up to a multiple of align, a power of two; n must not be within align of overflow. */
#define ALIGN_UP(n, align) (((n) + ((align)-1)) & ~((align)-1))

/* Bytes that two threads must keep apart lest they take turns with one line of cache. */
#define CACHE_LINE 64

#endif
