/*
 * Frames of rows as they cross a stream: writing and reading them, and what a reader checks.
 *
 * A frame is a header and rows, back to back. At 65,408 bytes with its header it fits a loopback
 * segment; 65,536 is a fifth slower. A frame without rows says the end. Checked by a reader: that
 * frames follow each other, the number of every row, the sum of the rows' tails and, if asked for,
 * the checksum of a frame: the CRC32C of each row, folded together. One chain over the frame would
 * wait for its own latency; those of rows overlap.
 */
#ifndef BENCH_LIMIT_FRAME_H
#define BENCH_LIMIT_FRAME_H

#include <stdbool.h>

#include "limit.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#define CRC_WORD(crc, word) ((uint32_t)_mm_crc32_u64((crc), (word)))
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define CRC_WORD(crc, word) __crc32cd((crc), (word))
#endif

#define FRAME_BYTES     65408
#define FRAME_BYTES_MAX (256 * 1024)

struct frame_header {
    uint32_t length; /* of the rows behind it; 0 is the end */
    uint32_t check;
    uint64_t first; /* sequence number of its first row */
};

static inline uint32_t frame_rows(uint32_t frame_bytes)
{
    CHECK(frame_bytes <= FRAME_BYTES_MAX && frame_bytes >= sizeof(struct frame_header) + ROW_BYTES);
    return (uint32_t)((frame_bytes - sizeof(struct frame_header)) / ROW_BYTES);
}

#ifdef CRC_WORD
/* The CRC32C of a message, begun with its number, so that folding them by exclusive or loses no
 * order. Its last word is taken twice in part. */
static inline uint32_t row_checksum(const char *body, uint64_t sequence)
{
    uint32_t crc = ~(uint32_t)sequence;
    uint64_t word;

    for (size_t at = 0; at + sizeof(word) <= MESSAGE_BYTES; at += sizeof(word)) {
        memcpy(&word, body + at, sizeof(word));
        crc = CRC_WORD(crc, word);
    }
    return CRC_WORD(crc, message_tail(body));
}
#else
static inline uint32_t row_checksum(const char *body, uint64_t sequence)
{
    (void)body;
    (void)sequence;
    fprintf(stderr, "--check crc needs a CPU with CRC32C instructions\n");
    exit(EXIT_FAILURE);
}
#endif

/* ---- writing; each returns the bytes of the frame ---- */

static inline size_t frame_end(char *frame, uint64_t first)
{
    struct frame_header header = {.length = 0, .first = first};

    memcpy(frame, &header, sizeof(header));
    return sizeof(header);
}

/* Rows from number `first` on and, if kept is given, as many there: one here, one there, as a
 * strict shuffle over two sinks deals them. */
static inline size_t frame_fill(char *frame, const struct messages *messages, uint64_t first,
                                uint32_t count, bool crc, char *kept)
{
    struct frame_header header = {.length = count * (uint32_t)ROW_BYTES, .first = first};
    char *rows = frame + sizeof(header);

    for (uint64_t sequence = first; sequence < first + count; sequence++) {
        row_write(rows, messages, sequence, 0);
        header.check ^= crc ? row_checksum(message_at(messages, sequence), sequence) : 0;
        rows += ROW_BYTES;
        if (kept != NULL) {
            row_write(kept, messages, sequence, 0);
            kept += ROW_BYTES;
        }
    }
    memcpy(frame, &header, sizeof(header));
    return sizeof(header) + header.length;
}

/* ---- reading ---- */

/* What is known of one sender. */
struct reader {
    uint64_t next;
    uint64_t tail_sum;
    bool ended;
};

/* Returns the rows' checksum, or 0 if not asked for it. */
static inline uint32_t reader_take_rows(struct reader *r, const char *rows, size_t length, bool crc)
{
    const char *end = rows + length;
    uint64_t next = r->next;
    uint64_t sum = 0;
    uint32_t check = 0;
    struct row_header header;

    while (rows < end) {
        sum += row_read(rows, next, &header);
        check ^= crc ? row_checksum(rows + sizeof(header), next) : 0;
        next++;
        rows += sizeof(header) + header.length;
    }
    CHECK(rows == end);
    r->next = next;
    r->tail_sum += sum;
    return check;
}

/* Takes every whole frame; returns the bytes used. */
static inline size_t reader_take_frames(struct reader *r, const char *bytes, size_t length,
                                        bool crc)
{
    struct frame_header header;
    size_t used = 0;

    while (length - used >= sizeof(header)) {
        const char *rows = bytes + used + sizeof(header);

        memcpy(&header, bytes + used, sizeof(header));
        CHECK(header.length <= FRAME_BYTES_MAX && !r->ended && header.first == r->next);
        if (length - used - sizeof(header) < header.length) {
            break;
        }
        r->ended = header.length == 0;
        CHECK(reader_take_rows(r, rows, header.length, crc) == header.check);
        used += sizeof(header) + header.length;
    }
    return used;
}

static inline void reader_check(const struct reader *r, const struct messages *messages)
{
    CHECK(r->tail_sum == messages_tail_sum(messages, r->next));
}

#endif
