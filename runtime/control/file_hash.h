/*
 * file_hash.h: the sha256 of a file, a slice at a time: what is on a loop does not hold it up for
 * longer than a slice takes (1 to 2 ms).
 *
 *     open -> step, while it says that there is more -> final -> close
 */
#ifndef CONTROL_FILE_HASH_H
#define CONTROL_FILE_HASH_H

#include "base/sha256.h"
#include "port/port.h"

#define FILE_HASH_SLICE_BYTES (256u << 10)

/* Read-only. Zeroed: closed. */
struct file_hash {
    const struct port *port;
    struct file *file;
    uint64_t size; /* bytes so far */
    struct sha256 sha;
};

int file_hash_open(struct file_hash *h, const struct port *port, const char *path,
                   struct gp_error *err);
/* 1: there may be more; 0: that was all of it; negative: it cannot be read. */
int file_hash_step(struct file_hash *h, struct gp_error *err);
void file_hash_final(struct file_hash *h, char ret_hex[SHA256_HEX_SIZE]);
void file_hash_close(struct file_hash *h); /* twice is fine */

#endif
