/*
 * joblog.h: what one child process wrote to stdout and stderr, kept in two bounded files.
 *
 * Bytes have offsets that count from the child's first and never restart. The current file is PATH;
 * when it has grown to the limit it becomes PATH.old (the old one before it is gone) and a new one
 * begins, so the last limit..2*limit bytes are there.
 */
#ifndef CONTROL_WORKER_JOBLOG_H
#define CONTROL_WORKER_JOBLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "port/port.h"

#define JOBLOG_FILE_MAX_BYTES (8u << 20)
#define JOBLOG_PATH_MAX       4096u

struct joblog {
    const struct port *port;
    struct file *file;
    struct file *old; /* open for reading, or NULL */
    bool is_resting;  /* both are closed and will be opened when needed */
    bool has_old;
    uint64_t file_max;
    uint64_t old_start; /* offset of the first byte of .old */
    uint64_t start;     /* offset of the first byte of the current file */
    uint64_t end;       /* one past the last byte */
    char path[JOBLOG_PATH_MAX - 8];
};

/* Begins at offset 0; what stood under these names is replaced. */
int joblog_open(struct joblog *log, const struct port *port, const char *path, uint64_t file_max,
                struct gp_error *err);

/* Closes; the files stay. Zeroed is fine. */
void joblog_close(struct joblog *log);

/* Gives the descriptors back until the next append or read. */
void joblog_rest(struct joblog *log);

/* Adds bytes; when the disk refuses, they are lost and that is all (negative is returned). */
int joblog_append(struct joblog *log, const char *ptr, size_t len);

/*
 * Appends to out up to max bytes from *offset on, and moves *offset behind them. An offset before
 * what is kept is moved up first: *ret_skipped tells by how much. Returns 0 or negative.
 */
int joblog_read(struct joblog *log, uint64_t *offset, size_t max, struct buf *out,
                uint64_t *ret_skipped);

#endif
