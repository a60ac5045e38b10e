/*
 * Lists of members of a group of masters, from the disk or another master. Libraft believes its
 * input: what is let through is a list that it reads and writes again as it was.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "raft/consensus_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gp_bytes bytes = gp_bytes_of(data, size);
    struct raft_configuration members;
    struct buf out = {0};
    int rc = members_decode(bytes, &members);

    ASSERT((rc == 0) == (members_check(bytes) == 0));
    if (rc == 0) {
        ASSERT(members.n > 0 && members.n <= CONSENSUS_MEMBERS_MAX);
        ASSERT(members_voters(&members) > 0);
        ASSERT(members_encode(&members, &out) == 0);
        /* The padding may be anything. */
        ASSERT(buf_len(&out) <= size && members_check(buf_bytes(&out)) == 0);
        buf_deinit(&out);
    }
    raft_configuration_close(&members);
    return 0;
}
