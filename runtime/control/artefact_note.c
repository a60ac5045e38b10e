/*
 * artefact_note.c: what an artefact says of itself, read from the few places of the file where it
 * stands: a large one would hold up the loop, and fill memory.
 *
 * What was read stays until the end, as the reader borrows it; a file whose tables are larger than
 * READ_MAX is none of a linker's. Fails as elf_read() does, or because the disk does: the latter
 * counts.
 */
#include <stdlib.h>

#include "base/str.h"
#include "control/artefacts.h"
#include "wire/elf.h"

#define BLOCK_BYTES 4096u
#define READ_MAX    (16u << 20)

struct block {
    struct block *next;
    uint64_t offset;
    size_t len;
    char bytes[];
};

struct reader {
    const struct port *port;
    struct file *file;
    uint64_t size;
    struct block *blocks; /* the latest first */
    uint64_t taken;
    int rc; /* why a block could not be read */
};

static const void *find(const struct reader *r, uint64_t offset, uint64_t len)
{
    for (const struct block *b = r->blocks; b; b = b->next) {
        if (offset >= b->offset && offset - b->offset <= b->len &&
            len <= b->len - (offset - b->offset)) {
            return b->bytes + (offset - b->offset);
        }
    }
    return NULL;
}

static int read_block(struct reader *r, uint64_t offset, uint64_t len)
{
    struct block *b;
    int64_t n;

    if (r->taken + len > READ_MAX) {
        return GP_ETOOBIG;
    }
    b = malloc(sizeof *b + (size_t)len);
    if (!b) {
        return GP_ENOMEM;
    }
    n = r->port->fs->read_at(r->port->world, r->file, offset, b->bytes, (size_t)len);
    if (n < 0 || (uint64_t)n < len) {
        free(b);
        return n < 0 ? (int)n : GP_EPROTO;
    }
    *b = (struct block){.next = r->blocks, .offset = offset, .len = (size_t)len};
    r->blocks = b;
    r->taken += len;
    return 0;
}

/* Records are small and stand together: more is read than is asked for. */
static const void *at(void *user, uint64_t offset, uint64_t len)
{
    struct reader *r = user;
    const void *known = find(r, offset, len);
    uint64_t begin = offset - offset % BLOCK_BYTES;
    uint64_t end = offset + len;

    if (known || r->rc < 0) {
        return known;
    }
    end += BLOCK_BYTES - end % BLOCK_BYTES;
    end = end < r->size ? end : r->size;
    r->rc = read_block(r, begin, end - begin);
    return r->rc < 0 ? NULL : find(r, offset, len);
}

int artefact_note_of(const struct port *port, const char *path, struct gp_note *ret,
                     struct gp_error *err)
{
    struct reader reader = {.port = port};
    struct elf_info info;
    int64_t size;
    int rc = port->fs->open(port->world, path, FS_READ, 0, &reader.file, err);

    if (rc < 0) {
        return rc;
    }
    size = port->fs->size(port->world, reader.file);
    reader.rc = size < 0 ? (int)size : 0;
    reader.size = size < 0 ? 0 : (uint64_t)size;
    rc = elf_read_from((struct elf_source){.size = reader.size, .at = at, .user = &reader}, &info,
                       err);
    if (rc >= 0) {
        *ret = info.note;
        elf_info_deinit(&info);
    } else if (reader.rc < 0) {
        rc = gp_error_set(err, reader.rc, "reading %s: %s", path, error_sentence(reader.rc));
    }
    port->fs->close(port->world, reader.file);
    while (reader.blocks) {
        struct block *next = reader.blocks->next;

        free(reader.blocks);
        reader.blocks = next;
    }
    return rc;
}

int artefacts_note(const struct artefacts *store, gp_str sha, struct gp_note *ret,
                   struct gp_error *err)
{
    char path[ARTEFACT_PATH_MAX];

    if (!artefacts_find(store, sha, path, sizeof path)) {
        return gp_error_set(err, GP_ENOENT, "artefact %.*s is not here: upload it first",
                            STR_ARG(sha));
    }
    return artefact_note_of(store->port, path, ret, err);
}
