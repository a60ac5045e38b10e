/*
 * sol.h: what source and sink agree on: how a message looks.
 *
 *   offset  0  u64  source task << 48 | sequence number, from 0
 *   offset  8  u64  the time the message was due, monotonic, nanoseconds
 *   offset 16       filler: one of 128, by sequence number
 */
#ifndef SOL_H
#define SOL_H

#include <stdlib.h>

#define GP_REQUIRED_SERVICES GP_SERVICE_TASK " " GP_SERVICE_CURSOR
#include <gearpump/gearpump.h>

#define SECOND_NS     1000000000
#define HEADER_BYTES  16u
#define SEQUENCE_BITS 48u
#define SEQUENCE_MASK ((UINT64_C(1) << SEQUENCE_BITS) - 1)
#define DEFAULT_BYTES 100u
#define FILLERS       128u
#define FILLER_STRIDE 4096u /* of large messages */
#define FILLER_STEP   9u    /* of small ones: they overlap, so that all take little memory */
#define SMALL_BYTES   1024u
#define PACE_TIMER    "timer"
#define PACE_BUSY     "busy"

extern const struct gp_processor sol_source;
extern const struct gp_processor sol_sink;

/* Filler i is the bytes from i * stride on. */
struct fillers {
    char *text;
    size_t stride;
    uint32_t bytes;
};

static inline int fillers_init(struct fillers *f, uint64_t message_bytes)
{
    uint32_t x = 12345;
    size_t size;

    f->bytes = (uint32_t)message_bytes - HEADER_BYTES;
    f->stride = f->bytes <= SMALL_BYTES ? FILLER_STEP : FILLER_STRIDE;
    size = (FILLERS - 1) * f->stride + f->bytes + 1;
    f->text = malloc(size);
    if (!f->text) {
        return -1;
    }
    for (size_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        f->text[i] = (char)('0' + (x >> 16) % 10);
    }
    return 0;
}

static inline const char *fillers_at(const struct fillers *f, uint64_t sequence)
{
    return f->text + (size_t)(sequence % FILLERS) * f->stride;
}

#endif
