/*
 * Bytes as a histogram's compact form. What decodes has counts that agree with its buckets, and
 * encodes to a form that decodes to the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/hist.h"

/* NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hist *first = calloc(2, sizeof(*first));
    struct hist *second = first + 1;
    struct buf encoded = {0};
    uint64_t count = 0;

    ASSERT(first != NULL);
    hist_init(first);
    hist_init(second);
    if (hist_merge_encoded(first, (gp_bytes){.ptr = data, .len = size}) == 0) {
        for (uint32_t i = 0; i < HIST_BUCKET_COUNT; i++) {
            count += first->buckets[i];
        }
        ASSERT(count == hist_count(first));
        ASSERT(hist_percentile(first, 50) <= hist_max(first));
        ASSERT(hist_encode(first, &encoded) == 0);
        ASSERT(hist_merge_encoded(second, buf_bytes(&encoded)) == 0);
        /* Bit for bit, the sum too. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison) */
        ASSERT(memcmp(first, second, sizeof(*first)) == 0);
    }
    buf_deinit(&encoded);
    free(first);
    return 0;
}
