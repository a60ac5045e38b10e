/*
 * What a power cut leaves of a disk, and bits that turn.
 *
 * The writes since the last sync of a file are undone from the newest to the oldest. Three ways are
 * drawn for each file: all had reached the disk, none had, or some sectors of each had. An append
 * that is torn may leave any length, with zeroes where sectors are missing: that is what file
 * systems leave which allocate first and write later. What was synced is never touched.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/str.h"
#include "sim/disk.h"
#include "sim/limits.h"

enum outcome { KEPT, LOST, TORN };

struct crash {
    struct sim_disk *disk;
    struct rng *rng;
    struct sim_disk_damage damage;
};

/* The bytes of one sector as they were before the write. */
static void restore(struct sim_inode *inode, const struct sim_unsynced *u, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        inode->bytes[at] = at - u->offset < u->old_len ? u->old[at - u->offset] : 0;
    }
}

static void lose(struct sim_inode *inode, const struct sim_unsynced *u)
{
    if (u->old_len > 0) {
        memcpy(inode->bytes + u->offset, u->old, u->old_len);
    }
    inode->size = u->size_before;
}

static void tear(struct crash *crash, struct sim_inode *inode, const struct sim_unsynced *u)
{
    size_t end = u->offset + u->len;
    size_t next;

    if (u->len == 0) {
        if (rng_below(crash->rng, 2) == 0) {
            lose(inode, u);
        }
        return;
    }
    for (size_t at = u->offset; at < end; at = next) {
        next = (at / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;
        next = next < end ? next : end;
        if (rng_below(crash->rng, 4) == 0) {
            restore(inode, u, at, next);
        }
    }
    if (end > u->size_before && inode->size <= end) {
        inode->size = u->size_before + (size_t)rng_below(crash->rng, end - u->size_before + 1);
    }
}

static void crash_file(struct crash *crash, struct sim_inode *inode)
{
    enum outcome outcome = (enum outcome)rng_below(crash->rng, 3);
    struct list_node *node;

    crash->damage.torn += outcome != KEPT;
    while (outcome != KEPT && (node = list_last(&inode->unsynced)) != NULL) {
        struct sim_unsynced *u = LIST_ENTRY(node, struct sim_unsynced, node);

        if (outcome == LOST) {
            lose(inode, u);
        } else {
            tear(crash, inode, u);
        }
        list_remove(node);
        free(u);
    }
    sim_inode_sync(inode);
}

/* Names whose removal had not reached the disk. */
static void crash_names(struct crash *crash, struct sim_inode *folder)
{
    struct list_node *node;

    while ((node = list_pop_front(&folder->removed)) != NULL) {
        struct sim_inode *inode = LIST_ENTRY(node, struct sim_inode, node);
        bool is_taken = sim_inode_child(folder, gp_str_of(inode->name)) != NULL;

        if (is_taken || rng_below(crash->rng, 2) == 0) {
            sim_inode_unref(inode);
        } else {
            sim_inode_attach(folder, inode);
            crash->damage.returned++;
        }
    }
}

static void crash_inode(struct crash *crash, struct sim_inode *inode)
{
    crash_names(crash, inode);
    if (inode->kind == SIM_INODE_FILE && !list_is_empty(&inode->unsynced)) {
        crash_file(crash, inode);
    }
    LIST_FOREACH_SAFE(node, &inode->children)
    {
        struct sim_inode *child = LIST_ENTRY(node, struct sim_inode, node);

        if (child->is_fresh && rng_below(crash->rng, 2) == 0) {
            sim_disk_unlink_tree(crash->disk, child);
            crash->damage.lost++;
        } else {
            child->is_fresh = false;
            crash_inode(crash, child);
        }
    }
}

void sim_disk_crash(struct sim_disk *disk, struct rng *rng, struct sim_disk_damage *ret)
{
    struct crash crash = {.disk = disk, .rng = rng};

    crash_inode(&crash, disk->root);
    *ret = crash.damage;
}

/* ---- bits that turn ---- */

/* The n-th file with a byte in it, or NULL; *n is less by those that were passed. */
static struct sim_inode *nth_file(struct sim_inode *inode, uint64_t *n)
{
    struct sim_inode *found = NULL;

    if (inode->kind == SIM_INODE_FILE && inode->size > 0 && (*n)-- == 0) {
        return inode;
    }
    LIST_FOREACH (node, &inode->children) {
        found = nth_file(LIST_ENTRY(node, struct sim_inode, node), n);
        if (found != NULL) {
            break;
        }
    }
    return found;
}

static uint64_t count_files(struct sim_inode *inode)
{
    uint64_t n = UINT64_MAX;

    (void)nth_file(inode, &n); /* for the count alone */
    return UINT64_MAX - n;
}

int sim_disk_flip(struct sim_disk *disk, const char *path, uint32_t bits, struct rng *rng,
                  struct sim_inode **ret)
{
    struct sim_inode *inode;
    uint64_t count;
    uint64_t n;
    int rc = sim_disk_find(disk, path, &inode);

    if (rc < 0) {
        return rc;
    }
    count = count_files(inode);
    if (count == 0) {
        return GP_ENOENT;
    }
    n = rng_below(rng, count);
    inode = nth_file(inode, &n);
    for (uint32_t i = 0; i < bits; i++) {
        inode->bytes[rng_below(rng, inode->size)] ^= (unsigned char)(1u << rng_below(rng, 8));
    }
    *ret = inode;
    return 0;
}

int sim_inode_path(const struct sim_inode *inode, struct buf *out)
{
    int rc;

    if (inode->parent == NULL) {
        return 0;
    }
    rc = sim_inode_path(inode->parent, out);
    return rc < 0 ? rc : buf_append_fmt(out, "/%s", inode->name);
}
