/* file_hash.c: see file_hash.h. */
#include "control/file_hash.h"

#include <stdlib.h>

int file_hash_open(struct file_hash *h, const struct port *port, const char *path,
                   struct gp_error *err)
{
    *h = (struct file_hash){.port = port};
    sha256_init(&h->sha);
    return port->fs->open(port->world, path, FS_READ, 0, &h->file, err);
}

int file_hash_step(struct file_hash *h, struct gp_error *err)
{
    char *slice = malloc(FILE_HASH_SLICE_BYTES);
    size_t left = FILE_HASH_SLICE_BYTES;
    int64_t n = 1;

    if (!slice) {
        return gp_error_set(err, GP_ENOMEM, "reading a file");
    }
    while (n > 0 && left > 0) {
        n = h->port->fs->read_at(h->port->world, h->file, h->size, slice, left);
        if (n > 0) {
            sha256_update(&h->sha, slice, (size_t)n);
            h->size += (uint64_t)n;
            left -= (size_t)n;
        }
    }
    free(slice);
    return n < 0 ? gp_error_set(err, (int)n, "reading at offset %llu: %s",
                                (unsigned long long)h->size, error_sentence((int)n))
                 : n > 0;
}

void file_hash_final(struct file_hash *h, char ret_hex[SHA256_HEX_SIZE])
{
    uint8_t digest[SHA256_SIZE];

    sha256_final(&h->sha, digest);
    hex_encode(digest, sizeof digest, ret_hex);
}

void file_hash_close(struct file_hash *h)
{
    if (h->file) {
        h->port->fs->close(h->port->world, h->file);
        h->file = NULL;
    }
}
