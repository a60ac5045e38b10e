#include "counted.h"

#include <malloc.h>
#include <stdlib.h>

#include "sim/disk.h"

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-identifier-naming): the linker's names */

static int64_t in_use;
static uint32_t in_disk; /* what a disk holds is not in anybody's memory */

static void count(int64_t bytes)
{
    if (in_disk == 0) {
        in_use += bytes;
    }
}

static int64_t size_of(void *ptr)
{
    return ptr ? (int64_t)malloc_usable_size(ptr) : 0;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__real_reallocarray(void *ptr, size_t n, size_t size);
void __real_free(void *ptr);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *ptr, size_t size);
void *__wrap_reallocarray(void *ptr, size_t n, size_t size);
void __wrap_free(void *ptr);

void *__wrap_malloc(size_t size)
{
    void *ptr = __real_malloc(size);

    count(size_of(ptr));
    return ptr;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *ptr = __real_calloc(n, size);

    count(size_of(ptr));
    return ptr;
}

void *__wrap_realloc(void *ptr, size_t size)
{
    const int64_t before = size_of(ptr);
    void *moved = __real_realloc(ptr, size);

    count(moved ? size_of(moved) - before : 0);
    return moved;
}

void *__wrap_reallocarray(void *ptr, size_t n, size_t size)
{
    const int64_t before = size_of(ptr);
    void *moved = __real_reallocarray(ptr, n, size);

    count(moved ? size_of(moved) - before : 0);
    return moved;
}

void __wrap_free(void *ptr)
{
    count(-size_of(ptr));
    __real_free(ptr);
}

#define DISK_INT(name, declared, given)                                                            \
    int __real_##name declared;                                                                    \
    int __wrap_##name declared;                                                                    \
    int __wrap_##name declared                                                                     \
    {                                                                                              \
        int rc;                                                                                    \
                                                                                                   \
        in_disk++;                                                                                 \
        rc = __real_##name given;                                                                  \
        in_disk--;                                                                                 \
        return rc;                                                                                 \
    }

#define DISK_VOID(name, declared, given)                                                           \
    void __real_##name declared;                                                                   \
    void __wrap_##name declared;                                                                   \
    void __wrap_##name declared                                                                    \
    {                                                                                              \
        in_disk++;                                                                                 \
        __real_##name given;                                                                       \
        in_disk--;                                                                                 \
    }

DISK_INT(sim_disk_make,
         (struct sim_disk * disk, const char *path, enum sim_inode_kind kind, uint32_t mode,
          struct sim_inode **ret),
         (disk, path, kind, mode, ret))
DISK_INT(sim_disk_make_folders, (struct sim_disk * disk, const char *path, uint32_t mode),
         (disk, path, mode))
DISK_INT(sim_disk_unlink, (struct sim_disk * disk, struct sim_inode *inode), (disk, inode))
DISK_INT(sim_disk_rename, (struct sim_disk * disk, const char *from, const char *to),
         (disk, from, to))
DISK_INT(sim_inode_write, (struct sim_inode * inode, uint64_t offset, const void *ptr, size_t len),
         (inode, offset, ptr, len))
DISK_VOID(sim_disk_unlink_unsynced, (struct sim_inode * inode), (inode))
DISK_VOID(sim_disk_unlink_tree, (struct sim_disk * disk, struct sim_inode *inode), (disk, inode))
DISK_VOID(sim_folder_sync, (struct sim_inode * folder), (folder))
DISK_VOID(sim_inode_truncate, (struct sim_inode * inode), (inode))
DISK_VOID(sim_inode_sync, (struct sim_inode * inode), (inode))
DISK_VOID(sim_inode_unref, (struct sim_inode * inode), (inode))

/* NOLINTEND(bugprone-reserved-identifier,readability-identifier-naming) */

int64_t counted_bytes(void)
{
    return in_use;
}
