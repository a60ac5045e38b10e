/*
 * mixed.h: what the two sides of the job `mixed` agree on: how a row looks, and how it is checked.
 *
 * A row's value is a head that says who made it and its number, and a body that follows from both;
 * so a receiver knows every byte. Numbers of one origin grow, whatever way they came.
 */
#ifndef TESTS_SIM_JOBS_MIXED_H
#define TESTS_SIM_JOBS_MIXED_H

#include <gearpump/gearpump.h>

#define ORIGINS_MAX  8u /* tasks of numbers, and of what stands before a taker */
#define KEYS         97u
#define TIME_STEP_NS 1000
#define REJECT_EACH  50u /* picked rejects each 50th number */
#define TIMER_EACH   16u
#define TOTALS       3u /* rows of each task of keyed at its end */

#define HEAD_LATE  1u /* was sent behind the watermark */
#define HEAD_TOTAL 2u /* made by keyed at its end */

struct head {
    uint32_t origin; /* task of numbers (or of keyed, for totals) */
    uint32_t number;
    uint32_t body_bytes;
    uint32_t flags;
};

static inline uint64_t body_word(const struct head *h, uint32_t i)
{
    return (((uint64_t)h->origin << 32 | h->number) + i) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Writes the value of a row: sizeof(struct head) + body_bytes. */
static inline void fill_value(void *to, const struct head *h)
{
    char *at = (char *)to;
    uint32_t left = h->body_bytes;

    memcpy(at, h, sizeof *h);
    at += sizeof *h;
    for (uint32_t i = 0; left > 0; i++) {
        uint64_t word = body_word(h, i);
        uint32_t n = left < sizeof word ? left : (uint32_t)sizeof word;

        memcpy(at, &word, n);
        at += n;
        left -= n;
    }
}

/* Whether these are the bytes that were sent. */
static inline int value_is_right(const void *value, uint32_t len, struct head *ret)
{
    const char *at = (const char *)value + sizeof *ret;
    uint32_t left;

    if (len < sizeof *ret) {
        return 0;
    }
    memcpy(ret, value, sizeof *ret);
    if (len != sizeof *ret + ret->body_bytes) {
        return 0;
    }
    left = ret->body_bytes;
    for (uint32_t i = 0; left > 0; i++) {
        uint64_t word = body_word(ret, i);
        uint32_t n = left < sizeof word ? left : (uint32_t)sizeof word;

        if (memcmp(at, &word, n) != 0) {
            return 0;
        }
        at += n;
        left -= n;
    }
    return 1;
}

extern const struct gp_processor keyed;
extern const struct gp_processor slow;
extern const struct gp_processor all;
extern const struct gp_processor pair;
extern const struct gp_processor near_by;
extern const struct gp_processor turn;
extern const struct gp_processor picked;

#endif
