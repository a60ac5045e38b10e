/*
 * Histogram queries, merging, and the compact form.
 *
 * Compact form, little-endian:
 *     u8 version (1), u64 min, u64 max, u64 sum (bits of a double), u16 n, then n times
 *     varint step (how far the bucket is from the one before, the first from -1; so at least 1),
 *     varint count (at least 1).
 * A varint is 7 bits a byte, lowest first, high bit: more follows. An empty histogram has zeros and
 * n 0.
 *
 * Decoding believes nothing: indices rise within bounds, the counts' sum is bounded, min and max
 * lie in the first and last bucket. It walks the bytes twice, checking and then storing, so that
 * the output stays untouched by a failure without a second histogram on the stack.
 */
#include "base/hist.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/sha256.h"

#define HIST_VERSION 1
#define HIST_COUNT_MAX                                                                             \
    (UINT64_C(1) << 56) /* of one decoded histogram, so that merging 255 is safe */

void hist_init(struct hist *h)
{
    memset(h, 0, sizeof(*h));
}

void hist_merge(struct hist *h, const struct hist *from)
{
    if (from->count == 0) {
        return;
    }
    h->min = h->count == 0 || from->min < h->min ? from->min : h->min;
    h->max = from->max > h->max ? from->max : h->max;
    h->count += from->count;
    h->sum += from->sum;
    for (uint32_t i = 0; i < HIST_BUCKET_COUNT; i++) {
        h->buckets[i] += from->buckets[i];
    }
}

/* The middle of what falls into a bucket. */
static uint64_t bucket_middle(uint32_t bucket)
{
    uint32_t shift;
    uint64_t low;

    if (bucket < 2u << HIST_SUB_BITS) {
        return bucket;
    }
    shift = (bucket >> HIST_SUB_BITS) - 1;
    low = (uint64_t)((1u << HIST_SUB_BITS) + (bucket & ((1u << HIST_SUB_BITS) - 1))) << shift;
    return low + (UINT64_C(1) << shift) / 2;
}

static uint64_t clamp(uint64_t value, uint64_t min, uint64_t max)
{
    if (value < min) {
        return min;
    }
    return value > max ? max : value;
}

/* How many values must lie at or below the percentile: 1 .. count. */
static uint64_t percentile_rank(uint64_t count, double percent)
{
    double rank = ceil(percent / 100.0 * (double)count);

    if (!(rank >= 1.0)) {
        return 1; /* not-a-number too */
    }
    return rank >= (double)count ? count : (uint64_t)rank;
}

uint64_t hist_percentile(const struct hist *h, double percent)
{
    uint64_t rank = percentile_rank(h->count, percent);
    uint64_t seen = 0;

    if (h->count == 0) {
        return 0;
    }
    if (rank == h->count) {
        return h->max;
    }
    for (uint32_t i = 0; i < HIST_BUCKET_COUNT; i++) {
        seen += h->buckets[i];
        if (seen >= rank) {
            return clamp(bucket_middle(i), h->min, h->max);
        }
    }
    UNREACHABLE();
}

void hist_count_up_to(const struct hist *h, const uint64_t *bounds, uint32_t count,
                      uint64_t *ret_counts)
{
    uint64_t seen = 0;
    uint32_t at = 0;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t last = hist_bucket(bounds[i]);

        while (at <= last) {
            seen += h->buckets[at++];
        }
        ret_counts[i] = seen;
    }
}

uint64_t hist_count(const struct hist *h)
{
    return h->count;
}

uint64_t hist_min(const struct hist *h)
{
    return h->count > 0 ? h->min : 0;
}

uint64_t hist_max(const struct hist *h)
{
    return h->max;
}

double hist_sum(const struct hist *h)
{
    return h->sum;
}

double hist_mean(const struct hist *h)
{
    return h->count > 0 ? h->sum / (double)h->count : 0.0;
}

static int append_varint(struct buf *out, uint64_t v)
{
    while (v >= 0x80) {
        int rc = buf_append_u8(out, (uint8_t)(v | 0x80));

        if (rc < 0) {
            return rc;
        }
        v >>= 7;
    }
    return buf_append_u8(out, (uint8_t)v);
}

static int append_header(struct buf *out, const struct hist *h)
{
    unsigned char header[27];
    uint64_t sum_bits;
    uint32_t used = 0;

    for (uint32_t i = 0; i < HIST_BUCKET_COUNT; i++) {
        used += h->buckets[i] > 0 ? 1 : 0;
    }
    memcpy(&sum_bits, &h->sum, sizeof(sum_bits));
    header[0] = HIST_VERSION;
    put_u64_le(header + 1, hist_min(h));
    put_u64_le(header + 9, h->max);
    put_u64_le(header + 17, sum_bits);
    put_u16_le(header + 25, (uint16_t)used);
    return buf_append(out, header, sizeof(header));
}

int hist_encode(const struct hist *h, struct buf *out)
{
    size_t before = buf_len(out);
    uint32_t end = 0; /* one past the bucket written last */
    int rc = append_header(out, h);

    for (uint32_t i = 0; i < HIST_BUCKET_COUNT && rc == 0; i++) {
        if (h->buckets[i] == 0) {
            continue;
        }
        rc = append_varint(out, i + 1 - end);
        rc = rc == 0 ? append_varint(out, h->buckets[i]) : rc;
        end = i + 1;
    }
    if (rc < 0) {
        buf_truncate(out, before);
    }
    return rc;
}

static uint64_t read_varint(struct reader *r)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = reader_u8(r);

        if (shift == 63 && byte > 1) {
            break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            return v;
        }
    }
    reader_fail(r);
    return 0;
}

/* What a walk over the buckets found. */
struct walk {
    uint64_t count;
    uint64_t first; /* index of the first bucket */
    uint64_t end;   /* one past the index of the last */
};

/* Reads n buckets; adds them to `buckets` unless that is NULL. */
static struct walk read_buckets(struct reader *r, uint32_t n, uint64_t *buckets)
{
    struct walk walk = {0};

    for (uint32_t i = 0; i < n; i++) {
        uint64_t step = read_varint(r);
        uint64_t count = read_varint(r);

        if (step == 0 || step > HIST_BUCKET_COUNT - walk.end || count == 0 ||
            count > HIST_COUNT_MAX - walk.count) {
            reader_fail(r);
            break;
        }
        walk.end += step;
        walk.first = i == 0 ? walk.end - 1 : walk.first;
        walk.count += count;
        if (buckets != NULL) {
            buckets[walk.end - 1] += count;
        }
    }
    return walk;
}

/* Whether the header's figures can be true of the buckets. */
static bool is_plausible(uint64_t min, uint64_t max, double sum, struct walk walk)
{
    if (!isfinite(sum) || sum < 0.0) {
        return false;
    }
    if (walk.count == 0) {
        return min == 0 && max == 0 && sum <= 0.0;
    }
    return min <= max && hist_bucket(min) == walk.first && hist_bucket(max) + 1 == walk.end;
}

/* The compact form, once it is known to hold. */
struct compact {
    uint64_t min;
    uint64_t max;
    double sum;
    struct walk walk;
    uint32_t n;
    struct reader buckets; /* stands before them */
};

static int read_compact(gp_bytes bytes, struct compact *ret)
{
    struct reader r = reader_of(bytes);
    uint8_t version = reader_u8(&r);
    uint64_t sum_bits;

    ret->min = reader_u64(&r);
    ret->max = reader_u64(&r);
    sum_bits = reader_u64(&r);
    memcpy(&ret->sum, &sum_bits, sizeof(ret->sum));
    ret->n = reader_u16(&r);
    ret->buckets = r;
    ret->walk = read_buckets(&r, ret->n, NULL);
    if (version != HIST_VERSION || reader_finish(&r) < 0 ||
        !is_plausible(ret->min, ret->max, ret->sum, ret->walk)) {
        return GP_EPROTO;
    }
    return 0;
}

static void add_compact(struct hist *h, struct compact *from)
{
    if (from->walk.count > 0) {
        h->min = h->count == 0 || from->min < h->min ? from->min : h->min;
        h->max = from->max > h->max ? from->max : h->max;
        h->count += from->walk.count;
        h->sum += from->sum;
        (void)read_buckets(&from->buckets, from->n, h->buckets); /* checked before */
    }
}

int hist_merge_encoded(struct hist *h, gp_bytes bytes)
{
    struct compact compact;
    int rc = read_compact(bytes, &compact);

    if (rc == 0) {
        add_compact(h, &compact);
    }
    return rc;
}

int hist_to_text(const struct hist *h, char **ret_text)
{
    struct buf bytes = {0};
    int rc = h->count > 0 ? hist_encode(h, &bytes) : 0;
    char *text = rc == 0 ? malloc(2 * buf_len(&bytes) + 1) : NULL;

    if (text != NULL) {
        hex_encode(buf_bytes(&bytes).ptr, buf_len(&bytes), text);
        *ret_text = text;
    }
    buf_deinit(&bytes);
    return text != NULL ? 0 : GP_ENOMEM;
}

int hist_merge_text(struct hist *h, const char *text)
{
    const size_t len = strlen(text) / 2;
    unsigned char *bytes;
    int rc;

    if (len == 0 || len > HIST_ENCODED_MAX) {
        return text[0] == '\0' ? 0 : GP_EPROTO;
    }
    bytes = malloc(len);
    if (bytes == NULL) {
        return GP_ENOMEM;
    }
    rc = hex_decode(gp_str_of(text), bytes, len);
    rc = rc < 0 ? GP_EPROTO : hist_merge_encoded(h, (gp_bytes){.ptr = bytes, .len = len});
    free(bytes);
    return rc;
}

/* Those of the buckets that are left, not beyond what they were. */
static void set_bounds(struct hist *h)
{
    uint32_t first = 0;
    uint32_t last = HIST_BUCKET_COUNT - 1;

    while (first < last && h->buckets[first] == 0) {
        first++;
    }
    while (last > first && h->buckets[last] == 0) {
        last--;
    }
    h->min = clamp(bucket_middle(first), h->min, h->max);
    h->max = clamp(bucket_middle(last), h->min, h->max);
}

bool hist_since(struct hist *h, const struct hist *before)
{
    for (uint32_t i = 0; i < HIST_BUCKET_COUNT; i++) {
        if (h->buckets[i] < before->buckets[i]) {
            return false;
        }
    }
    if (h->count == before->count) {
        hist_init(h);
        return true;
    }
    for (uint32_t i = 0; i < HIST_BUCKET_COUNT; i++) {
        h->buckets[i] -= before->buckets[i];
    }
    h->count -= before->count;
    h->sum = h->sum > before->sum ? h->sum - before->sum : 0.0;
    set_bounds(h);
    return true;
}
