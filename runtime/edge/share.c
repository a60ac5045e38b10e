/*
 * share.c: see share.h.
 *
 * Failures: no descriptors, no memory, a kernel that refuses memfd; a peer that gives something
 * else, which is never mapped.
 */
#include "edge/share.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

_Static_assert(2 * sizeof(struct share_lines) <= SHARE_PAGE, "both stand in the first page");

static bool ring_is_sane(size_t ring)
{
    return ring >= SHARE_RING_MIN && ring <= SHARE_RING_MAX && (ring & (ring - 1)) == 0;
}

/* Maps len bytes of the memory, from `offset` on, at `to`. */
static bool map_at(uint8_t *to, size_t len, int fd, size_t offset)
{
    return mmap(to, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == to;
}

static int map(int fd, size_t ring, bool is_giver, struct share_memory *ret)
{
    const size_t len = SHARE_PAGE + 4 * ring;
    uint8_t *ptr = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint8_t *given_data = ptr + SHARE_PAGE;
    uint8_t *taken_data = given_data + 2 * ring;
    struct share_lines *lines = (struct share_lines *)ptr;
    struct share_side given;
    struct share_side taken;

    if (ptr == MAP_FAILED) {
        return error_from_errno(errno);
    }
    if (!map_at(ptr, SHARE_PAGE, fd, 0) || !map_at(given_data, ring, fd, SHARE_PAGE) ||
        !map_at(given_data + ring, ring, fd, SHARE_PAGE) ||
        !map_at(taken_data, ring, fd, SHARE_PAGE + ring) ||
        !map_at(taken_data + ring, ring, fd, SHARE_PAGE + ring)) {
        const int rc = error_from_errno(errno);

        (void)munmap(ptr, len);
        return rc;
    }
    given = (struct share_side){.lines = lines, .data = given_data, .size = ring};
    taken = (struct share_side){.lines = lines + 1, .data = taken_data, .size = ring};
    *ret = (struct share_memory){
        .ptr = ptr, .len = len, .out = is_giver ? given : taken, .in = is_giver ? taken : given};
    return 0;
}

int share_make(size_t ring, struct share_memory *ret, int *ret_fd)
{
    int fd;
    int rc = 0;

    ASSERT(ring_is_sane(ring));
    fd = memfd_create("gearpump-link", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, (off_t)share_len(ring)) < 0 || fcntl(fd, F_ADD_SEALS, SEALS) < 0) {
        rc = error_from_errno(errno);
    }
    if (rc == 0) {
        rc = map(fd, ring, true, ret);
    }
    if (rc < 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int share_map(int fd, size_t len_max, struct share_memory *ret)
{
    const int seals = fcntl(fd, F_GET_SEALS); /* fails on what is no memory */
    struct stat st;
    size_t ring;

    if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 ||
        st.st_size < (off_t)share_len(SHARE_RING_MIN)) {
        return GP_EPROTO;
    }
    if ((uint64_t)st.st_size > len_max) {
        return GP_ETOOBIG;
    }
    /* Nor is it of huge pages, which may run out: such a size is never a multiple of one. */
    ring = ((size_t)st.st_size - SHARE_PAGE) / 2;
    if (!ring_is_sane(ring) || share_len(ring) != (size_t)st.st_size) {
        return GP_EPROTO;
    }
    return map(fd, ring, false, ret);
}

void share_unmap(struct share_memory *m)
{
    if (m->ptr != NULL) {
        (void)munmap(m->ptr, m->len);
        *m = (struct share_memory){0};
    }
}
