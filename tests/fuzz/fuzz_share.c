/*
 * What a peer may do to the memory it shares with us (edge/share_ring.h): it writes whatever it
 * likes wherever it likes, between any two of our own steps. We stay within the ring, and what we
 * tell of our own positions is ours.
 *
 * Input: pairs of a step and an argument, the argument being a byte or, where a position is
 * written, eight.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "edge/share.h"
#include "edge/share_loan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct bytes {
    const uint8_t *at;
    size_t left;
};

static uint8_t next_u8(struct bytes *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

static uint64_t next_u64(struct bytes *in)
{
    uint8_t word[8];

    for (size_t i = 0; i < sizeof(word); i++) {
        word[i] = next_u8(in);
    }
    return get_u64_le(word);
}

/* Each ring on its own in the heap, so that a sanitizer sees a byte beside it. */
static struct share_side side_new(uint64_t ring)
{
    struct share_side side = {.lines = aligned_alloc(SHARE_LINE, sizeof(struct share_lines)),
                              .data = malloc(2 * ring), /* as mapped twice */
                              .size = ring};

    ASSERT(side.lines != NULL && side.data != NULL);
    memset(side.lines, 0, sizeof(*side.lines));
    memset(side.data, 0, 2 * ring);
    return side;
}

static void side_free(struct share_side *side)
{
    free(side->lines);
    free(side->data);
}

static void give_back(struct share_side *in, struct share_loans *loans)
{
    const uint64_t given = share_loans_settle(loans, in->given, in->position);

    ASSERT(given - in->given <= in->position - in->given);
    ASSERT(loans->count > 0 || given == in->position);
    share_reader_give(in, given);
}

/* Reads, and keeps what it reads if `keeps`. */
static void read_some(struct share_side *in, struct share_loans *loans, uint8_t *scratch,
                      size_t want, bool keeps)
{
    const int64_t news = share_reader_news(in);
    size_t n;

    ASSERT(news == GP_EPROTO || (news >= 0 && (uint64_t)news <= in->size));
    if (news <= 0) {
        return;
    }
    n = want < (size_t)news ? want : (size_t)news;
    memcpy(scratch, share_reader_at(in), n);
    if (keeps) {
        (void)share_loans_add(loans, in->position + n);
    }
    in->position += n;
    give_back(in, loans);
}

static void write_some(struct share_side *out, const uint8_t *scratch, size_t want)
{
    const int64_t room = share_writer_room(out);
    size_t n;

    ASSERT(room == GP_EPROTO || (room >= 0 && (uint64_t)room <= out->size));
    if (room <= 0) {
        return;
    }
    n = want < (size_t)room ? want : (size_t)room;
    share_writer_put(out, scratch, n);
    share_writer_tell(out);
    ASSERT(atomic_load(&out->lines->tail) == out->position);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = {data, size};
    const uint64_t ring = SHARE_RING_MIN << (next_u8(&bytes) % 3);
    struct share_side in = side_new(ring);
    struct share_side out = side_new(ring);
    struct share_loans loans = {0};
    uint8_t *scratch = calloc(1, ring);

    ASSERT(scratch != NULL);
    while (bytes.left > 0) {
        const uint8_t step = next_u8(&bytes) % 12;

        switch (step) {
        case 0: /* the peer */
            atomic_store(&in.lines->tail, next_u64(&bytes));
            break;
        case 1:
            atomic_store(&out.lines->head, next_u64(&bytes));
            break;
        case 2:
            (void)atomic_fetch_add(&in.lines->tail, (uint64_t)next_u8(&bytes) * 64);
            break;
        case 3:
            (void)atomic_fetch_add(&out.lines->head, (uint64_t)next_u8(&bytes) * 64);
            break;
        case 4: /* ... where it has nothing to write */
            atomic_store(&in.lines->head, next_u64(&bytes));
            atomic_store(&out.lines->tail, next_u64(&bytes));
            break;
        case 5:
            atomic_store(&in.lines->writer_rests, next_u8(&bytes));
            atomic_store(&out.lines->reader_rests, next_u8(&bytes));
            break;
        case 6: /* we */
        case 10:
            read_some(&in, &loans, scratch, (size_t)next_u8(&bytes) * ring / 255, step == 10);
            break;
        case 11:
            loans.loans[next_u8(&bytes) % SHARE_LOANS_MAX].is_over = true;
            give_back(&in, &loans);
            break;
        case 7:
            write_some(&out, scratch, (size_t)next_u8(&bytes) * ring / 255);
            break;
        case 8:
            if (share_reader_rest(&in)) {
                ASSERT(atomic_load(&in.lines->reader_rests) == 1);
                ASSERT(share_reader_news(&in) == 0);
            }
            (void)share_writer_called(&in);
            break;
        default:
            if (share_writer_rest(&out, ring / 2)) {
                ASSERT(share_writer_room(&out) < (int64_t)(ring / 2));
            }
            (void)share_reader_called(&out);
            break;
        }
    }
    free(scratch);
    side_free(&in);
    side_free(&out);
    return 0;
}
