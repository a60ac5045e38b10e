/*
 * artefacts.c: see artefacts.h.
 *
 * Files go  nowhere -> incoming/SERIAL (open, growing) -> sha256/ab/HASH.
 * Any failure ends with incoming/SERIAL removed.
 */
#include "control/artefacts.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/str.h"
#include "control/file_hash.h"

#define COPY_BLOCK_BYTES 65536u
#define UNSYNCED_BYTES   (8u << 20) /* at most: the end of a large file waits for its rest alone */

bool artefact_sha_is_valid(gp_str sha)
{
    if (sha.len != ARTEFACT_SHA_LEN) {
        return false;
    }
    for (size_t i = 0; i < sha.len; i++) {
        char c = sha.ptr[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
    }
    return true;
}

int artefact_path_format(const char *dir, gp_str sha, char *path, size_t cap)
{
    if (!artefact_sha_is_valid(sha)) {
        return GP_EINVAL;
    }
    return str_format(path, cap, "%s/sha256/%.2s/%.*s", dir, sha.ptr, STR_ARG(sha));
}

int artefacts_open(struct artefacts *store, const struct port *port, const char *dir,
                   uint64_t size_max, struct gp_error *err)
{
    char path[ARTEFACT_PATH_MAX];
    int rc;

    *store = (struct artefacts){.port = port, .size_max = size_max};
    list_init(&store->checks);
    if (str_format(store->dir, sizeof store->dir, "%s", dir) < 0) {
        return gp_error_set(err, GP_EINVAL, "the data directory's name is too long");
    }
    (void)str_format(path, sizeof path, "%s/incoming", dir);
    rc = port->fs->remove_tree(port->world, path, err);
    if (rc >= 0) {
        rc = port->fs->make_dirs(port->world, path, 0700, err);
    }
    return rc;
}

int artefacts_find(const struct artefacts *store, gp_str sha, char *path, size_t cap)
{
    if (artefact_path_format(store->dir, sha, path, cap) < 0) {
        return 0;
    }
    return store->port->fs->exists(store->port->world, path) == 1;
}

static void hash_finish(struct sha256 *hash, char hex[SHA256_HEX_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256_final(hash, digest);
    hex_encode(digest, sizeof digest, hex);
}

typedef int (*block_fn)(void *user, uint64_t offset, gp_bytes block, struct gp_error *err);

/* Reads a whole file block by block. */
static int each_block(const struct port *port, struct file *file, block_fn fn, void *user,
                      struct gp_error *err)
{
    char *block = malloc(COPY_BLOCK_BYTES);
    uint64_t offset = 0;
    int64_t n = 0;
    int rc = 0;

    if (!block) {
        return gp_error_set(err, GP_ENOMEM, "reading a file");
    }
    while (rc >= 0) {
        n = port->fs->read_at(port->world, file, offset, block, COPY_BLOCK_BYTES);
        if (n <= 0) {
            break;
        }
        rc = fn(user, offset, gp_bytes_of(block, (size_t)n), err);
        offset += (uint64_t)n;
    }
    free(block);
    if (rc >= 0 && n < 0) {
        rc = gp_error_set(err, (int)n, "reading at offset %llu: %s", (unsigned long long)offset,
                          error_sentence((int)n));
    }
    return rc;
}

static int hash_file(const struct port *port, const char *path, char hex[SHA256_HEX_SIZE],
                     uint64_t *ret_size, struct gp_error *err)
{
    struct file_hash hash;
    int rc = file_hash_open(&hash, port, path, err);

    if (rc < 0) {
        return rc;
    }
    do {
        rc = file_hash_step(&hash, err);
    } while (rc > 0);
    *ret_size = hash.size;
    file_hash_final(&hash, hex);
    file_hash_close(&hash);
    return rc;
}

int artefact_begin(struct artefacts *store, gp_str sha, uint64_t size, struct artefact_in *ret,
                   struct gp_error *err)
{
    const struct port *port = store->port;
    int rc;

    if (!artefact_sha_is_valid(sha)) {
        return gp_error_set(err, GP_EINVAL, "not a sha256 in 64 lower-case hex digits");
    }
    if (size == 0 || size > store->size_max) {
        return gp_error_set(err, GP_ETOOBIG, "an artefact of %llu bytes; 1 to %llu are possible",
                            (unsigned long long)size, (unsigned long long)store->size_max);
    }
    if (store->incoming == ARTEFACTS_INCOMING_MAX) {
        return gp_error_set(err, GP_EFULL, "%u artefacts are being received already",
                            ARTEFACTS_INCOMING_MAX);
    }
    *ret = (struct artefact_in){.store = store, .size = size};
    (void)str_format(ret->sha256, sizeof ret->sha256, "%.*s", STR_ARG(sha));
    (void)str_format(ret->path, sizeof ret->path, "%s/incoming/%llu", store->dir,
                     (unsigned long long)store->serial++);
    rc = port->fs->open(port->world, ret->path, FS_WRITE | FS_TRUNCATE, 0600, &ret->file, err);
    if (rc >= 0) {
        sha256_init(&ret->hash);
        store->incoming++;
    }
    return rc;
}

int artefact_write(struct artefact_in *in, uint64_t offset, gp_bytes bytes, struct gp_error *err)
{
    const struct port *port = in->store->port;
    int rc;

    ASSERT(in->file);
    if (offset != in->received || bytes.len > in->size - in->received) {
        return gp_error_set(err, GP_EPROTO, "artefact bytes at offset %llu; %llu of %llu are here",
                            (unsigned long long)offset, (unsigned long long)in->received,
                            (unsigned long long)in->size);
    }
    rc = port->fs->write_at(port->world, in->file, offset, bytes.ptr, bytes.len);
    if (rc >= 0 && (offset + bytes.len) / UNSYNCED_BYTES > offset / UNSYNCED_BYTES) {
        rc = port->fs->sync(port->world, in->file);
    }
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: %s", in->path, error_sentence(rc));
    }
    sha256_update(&in->hash, bytes.ptr, bytes.len);
    in->received += bytes.len;
    return 0;
}

/* The last steps of a commit: on disk, then under its name. */
static int settle(struct artefact_in *in, struct gp_error *err)
{
    const struct port *port = in->store->port;
    char path[ARTEFACT_PATH_MAX];
    char dir[ARTEFACT_PATH_MAX];
    gp_str head;
    gp_str tail;
    int rc = port->fs->sync(port->world, in->file);

    if (rc < 0) {
        return gp_error_set(err, rc, "%s: %s", in->path, error_sentence(rc));
    }
    if (artefact_path_format(in->store->dir, gp_str_of(in->sha256), path, sizeof path) < 0) {
        return gp_error_set(err, GP_EINVAL, "the data directory's name is too long");
    }
    (void)str_cut_last(gp_str_of(path), '/', &head, &tail);
    (void)str_format(dir, sizeof dir, "%.*s", STR_ARG(head));
    rc = port->fs->make_dirs(port->world, dir, 0700, err);
    if (rc >= 0) {
        fs_sync_above(port->fs, port->world, dir); /* what is acknowledged is not forgotten */
        rc = port->fs->rename(port->world, in->path, path, err);
    }
    return rc;
}

int artefact_commit(struct artefact_in *in, struct gp_error *err)
{
    char hex[SHA256_HEX_SIZE];
    int rc;

    ASSERT(in->file);
    hash_finish(&in->hash, hex);
    if (in->received != in->size) {
        rc = gp_error_set(err, GP_EPROTO, "the artefact was cut at %llu of %llu bytes",
                          (unsigned long long)in->received, (unsigned long long)in->size);
    } else if (strcmp(hex, in->sha256) != 0) {
        rc = gp_error_set(err, GP_ECHECKSUM, "the artefact was announced as %s but is %s",
                          in->sha256, hex);
        gp_error_hint(err, "it changed while it was sent: send it again");
    } else {
        rc = settle(in, err);
    }
    artefact_drop(in); /* removes the temporary file, if the rename did not */
    return rc;
}

void artefact_drop(struct artefact_in *in)
{
    const struct port *port;

    if (!in->file) {
        return;
    }
    port = in->store->port;
    port->fs->close(port->world, in->file);
    (void)port->fs->remove(port->world, in->path, NULL); /* gone already after a commit */
    in->store->incoming--;
    in->file = NULL;
}

static int copy_block(void *user, uint64_t offset, gp_bytes block, struct gp_error *err)
{
    return artefact_write(user, offset, block, err);
}

int artefacts_add_file(struct artefacts *store, const char *path, char *ret_sha, size_t cap,
                       uint64_t *ret_size, struct gp_error *err)
{
    const struct port *port = store->port;
    struct file *file = NULL;
    struct artefact_in in = {0};
    char hex[SHA256_HEX_SIZE];
    char have[ARTEFACT_PATH_MAX];
    int rc = hash_file(port, path, hex, ret_size, err);

    if (rc >= 0 && !artefacts_find(store, gp_str_of(hex), have, sizeof have)) {
        rc = artefact_begin(store, gp_str_of(hex), *ret_size, &in, err);
        if (rc >= 0) {
            rc = port->fs->open(port->world, path, FS_READ, 0, &file, err);
        }
        if (rc >= 0) {
            rc = each_block(port, file, copy_block, &in, err);
            port->fs->close(port->world, file);
        }
        if (rc >= 0) {
            rc = artefact_commit(&in, err);
        }
        artefact_drop(&in);
    }
    if (rc >= 0) {
        rc = str_format(ret_sha, cap, "%s", hex) < 0 ? GP_EINVAL : 0;
    }
    return rc;
}
