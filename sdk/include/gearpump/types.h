/*
 * types.h: the small words every other header uses.
 *
 * Part of the plugin ABI: fixed-width fields only, no enum, bool, long or bit-field in any layout,
 * times are int64_t nanoseconds, and nobody frees the other side's memory. Structs that may grow
 * start with `uint32_t size`, set by whoever fills them to sizeof the struct as it knew it; readers
 * look at no field beyond it.
 */
#ifndef GEARPUMP_TYPES_H
#define GEARPUMP_TYPES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
#define GP_EXTERN_C                  extern "C"
#define GP_EXTERN_C_BEGIN            extern "C" {
#define GP_EXTERN_C_END              }
#define GP_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define GP_EXTERN_C
#define GP_EXTERN_C_BEGIN
#define GP_EXTERN_C_END
#define GP_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define GP_EXPORT __attribute__((visibility("default")))

/* Drafts: until 1.0 the major number is 0 and a minor step may break plugins; they are refused by
 * name, never crashed. */
#define GP_ABI_MAJOR 0u
#define GP_ABI_MINOR 1u

/* Text: borrowed, not NUL-terminated. Print it with "%.*s". */
typedef struct {
    const char *ptr;
    size_t len;
} gp_str;

/* Bytes: borrowed. */
typedef struct {
    const void *ptr;
    size_t len;
} gp_bytes;

#define GP_STR_INIT(literal)                                                                       \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }
#ifdef __cplusplus
#define GP_STR(literal) (gp_str GP_STR_INIT(literal))
#else
#define GP_STR(literal) ((gp_str)GP_STR_INIT(literal))
#endif

static inline gp_str gp_str_of(const char *text)
{
    gp_str s;
    s.ptr = text;
    s.len = text ? strlen(text) : 0;
    return s;
}

static inline gp_bytes gp_bytes_of(const void *ptr, size_t len)
{
    gp_bytes b;
    b.ptr = ptr;
    b.len = len;
    return b;
}

/* Event times. GP_TIME_MIN is "nothing known yet", GP_TIME_MAX is "nothing more will come". */
#define GP_TIME_MIN INT64_MIN
#define GP_TIME_MAX INT64_MAX

/* What a callback answers. All are int32_t. */
#define GP_OK    0 /* done as far as *consumed (process), or done at all */
#define GP_YIELD 1 /* enough for now; call me again soon with the rest */
#define GP_AGAIN 2 /* I wait for a token: call me again after a wake or a timer */
#define GP_REJECT                                                                                  \
    3 /* row *consumed is bad: to the dead letters, counted and logged; go on after it */
#define GP_FAIL 4 /* this task cannot go on; say why with gp_fail() */
#define GP_MORE 5 /* poll: there is more to read */
#define GP_IDLE 6 /* poll: nothing now; wake me by a waker, fd or timer */
#define GP_END  7 /* poll: nothing will ever come again */

/* Levels for gp_log(). */
#define GP_LOG_DEBUG 0
#define GP_LOG_INFO  1
#define GP_LOG_WARN  2
#define GP_LOG_ERROR 3

/* Limits a plugin can rely on. */
#define GP_KEY_MAX_BYTES 65535u /* of one key */
#define GP_MESSAGE_MAX_BYTES                                                                       \
    (16u << 20)                /* of one message, key and value together, unless configured lower */
#define GP_NAME_MAX_BYTES  63u /* of a processor, plugin, parameter or state name */
#define GP_PARALLELISM_MAX 65536u /* tasks of one processor */
#define GP_KEY_GROUPS      4096u  /* slices of the key space */

#endif
