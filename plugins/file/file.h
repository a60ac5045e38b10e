/*
 * file.h: what the parts of the file plugin share.
 */
#ifndef FILE_H
#define FILE_H

#include <stddef.h>
#include <stdint.h>

#include <gearpump/gearpump.h>

#define FILE_PATH_MAX_BYTES 4000u  /* of a path given; names are appended to it */
#define FILE_RANGES_MAX     65536u /* files in one `path`, ranges of one task */

/* Lines that begin at an offset in [begin, end) of a file of `size` bytes. */
struct range {
    char *path;
    uint64_t begin;
    uint64_t end;
    uint64_t size;
    uint32_t at_line; /* begin is known to begin a line; else the line over it belongs to others */
};

struct ranges {
    struct range *items;
    size_t count;
    size_t size;
};

/* Appends; path is copied. GP_OK, or GP_FAIL without memory or beyond FILE_RANGES_MAX. */
int32_t ranges_add(struct ranges *ranges, const char *path, size_t path_len, struct range range);
void ranges_deinit(struct ranges *ranges);

/*
 * The share of task->index of task->parallelism in `path`: a file, a directory (its regular files,
 * by name, without hidden ones) or several of these separated by commas. The shares of all tasks
 * cover every byte once, if nobody changes the files. GP_OK, or GP_FAIL with the reason given to
 * the task; *ret is then to be freed, too.
 */
int32_t ranges_find(const struct gp_task *task, const char *path, struct ranges *ret);

extern const struct gp_processor file_source;
extern const struct gp_processor file_follow;
extern const struct gp_processor file_sink;

#endif
