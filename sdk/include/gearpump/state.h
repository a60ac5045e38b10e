/*
 * state.h: how a task hands its state to the runtime and gets it back. Drafts: the layout stands so
 * that checkpoints, exactly-once and rescaling will not change the ABI; today the testkit drives
 * them.
 *
 * The unit of state is an entry: (key group, name, bytes). State of keys belongs to the key group
 * of its key, so that it can move to another task; what belongs to the task as a whole (a source's
 * offset) goes to GP_GROUP_NONE.
 */
#ifndef GEARPUMP_STATE_H
#define GEARPUMP_STATE_H

#include <gearpump/types.h>

#define GP_GROUP_NONE 0xffffffffu /* operator-level entry, not tied to keys */

/* The key group of gp_row.key_hash. The runtime uses the same rule to choose tasks behind `hash`
 * edges. */
static inline uint32_t gp_key_group(uint64_t key_hash)
{
    return (uint32_t)(key_hash >> 52);
}

/* The task, of `parallelism`, that owns a key group: contiguous ranges, as even as can be. */
static inline uint32_t gp_key_group_task(uint32_t group, uint32_t parallelism)
{
    return (uint32_t)(((uint64_t)group * parallelism) / GP_KEY_GROUPS);
}

/* A number of an entry, in 8 bytes that mean the same on every machine. */
static inline void gp_put_u64(void *to, uint64_t value)
{
    unsigned char *bytes = (unsigned char *)to;
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(value >> (8 * i));
    }
}

static inline uint64_t gp_get_u64(const void *from)
{
    const unsigned char *bytes = (const unsigned char *)from;
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | bytes[i];
    }
    return value;
}

struct gp_snapshot {
    uint32_t size;
    uint32_t reserved;
    /* Adds an entry; bytes are copied before return. group 0..4095 or GP_GROUP_NONE. GP_OK or
     * GP_FAIL (too large). */
    int32_t (*put)(struct gp_snapshot *snapshot, uint32_t group, gp_str name, gp_bytes bytes);
    void *host;
};

struct gp_entry_view {
    uint32_t size;
    uint32_t group;
    gp_str name;
    gp_bytes bytes; /* borrowed until the next call of next() */
};

struct gp_restore {
    uint32_t size;
    uint32_t reserved;
    /* The next entry into *ret: 1 when there was one, 0 at the end, negative when the snapshot is
     * damaged. Any set of groups. */
    int32_t (*next)(struct gp_restore *restore, struct gp_entry_view *ret);
    void *host;
};

#endif
