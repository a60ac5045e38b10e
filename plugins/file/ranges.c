/*
 * Which bytes of which files a task reads.
 *
 * All files stand in a row, in the order given; the bytes of the row are dealt to the tasks in
 * equal shares. Every task works this out for itself, so all must see the same files: a file that
 * changes meanwhile may lose or repeat lines, as with any splitter.
 *
 * Fails when something cannot be opened or is neither file nor directory: at open, before anything
 * flows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

int32_t ranges_add(struct ranges *ranges, const char *path, size_t path_len, struct range range)
{
    if (ranges->count == FILE_RANGES_MAX) {
        return GP_FAIL;
    }
    if (ranges->count == ranges->size) {
        size_t size = ranges->size ? ranges->size * 2 : 16;
        struct range *items = realloc(ranges->items, size * sizeof *items);
        if (!items) {
            return GP_FAIL;
        }
        ranges->items = items;
        ranges->size = size;
    }
    range.path = strndup(path, path_len);
    if (!range.path) {
        return GP_FAIL;
    }
    ranges->items[ranges->count++] = range;
    return GP_OK;
}

void ranges_deinit(struct ranges *ranges)
{
    for (size_t i = 0; i < ranges->count; i++) {
        free(ranges->items[i].path);
    }
    free(ranges->items);
    *ranges = (struct ranges){0};
}

/* A whole file, once it is known to be readable. */
static int32_t add_file(const struct gp_task *task, const char *path, struct ranges *files)
{
    struct stat status;
    uint64_t size;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0) {
        return gp_failf(task, "cannot open '%s': %m", path);
    }
    if (fstat(fd, &status) < 0) {
        int32_t rc = gp_failf(task, "cannot read '%s': %m", path);
        (void)close(fd);
        return rc;
    }
    (void)close(fd);
    if (!S_ISREG(status.st_mode)) {
        return gp_failf(task, "cannot read '%s': neither a file nor a directory", path);
    }
    size = (uint64_t)status.st_size;
    if (ranges_add(files, path, strlen(path), (struct range){NULL, 0, size, size, 1}) != GP_OK) {
        return gp_failf(task, "'%s' is one file too many", path);
    }
    return GP_OK;
}

static int is_regular(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int32_t add_directory(const struct gp_task *task, const char *path, struct ranges *files)
{
    char name[FILE_PATH_MAX_BYTES + sizeof((struct dirent *)0)->d_name + 2];
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, is_visible, by_name);
    int32_t rc = GP_OK;

    if (count < 0) {
        return gp_failf(task, "cannot read directory '%s': %m", path);
    }
    for (int i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
        if (rc == GP_OK && is_regular(name)) {
            rc = add_file(task, name, files);
        }
        free(entries[i]);
    }
    free(entries);
    return rc;
}

static int32_t add_item(const struct gp_task *task, const char *item, size_t len,
                        struct ranges *files)
{
    char path[FILE_PATH_MAX_BYTES + 1];
    struct stat status;

    if (len > FILE_PATH_MAX_BYTES) {
        return gp_failf(task, "a path is longer than %u bytes", FILE_PATH_MAX_BYTES);
    }
    memcpy(path, item, len);
    path[len] = '\0';
    if (stat(path, &status) < 0) {
        return gp_failf(task, "cannot open '%s': %m", path);
    }
    return S_ISDIR(status.st_mode) ? add_directory(task, path, files) : add_file(task, path, files);
}

static int32_t find_files(const struct gp_task *task, const char *path, struct ranges *files)
{
    while (*path != '\0') {
        size_t len = strcspn(path, ",");
        if (len > 0) {
            int32_t rc = add_item(task, path, len, files);
            if (rc != GP_OK) {
                return rc;
            }
        }
        path += len + (path[len] == ',');
    }
    return GP_OK;
}

/* total * part / parts, without overflow. */
static uint64_t share(uint64_t total, uint32_t part, uint32_t parts)
{
    return total / parts * part + total % parts * part / parts;
}

/* The overlap of every file with [begin, end) of the row of all. */
static int32_t cut(const struct ranges *files, uint64_t begin, uint64_t end, struct ranges *ret)
{
    uint64_t at = 0;

    for (size_t i = 0; i < files->count; i++) {
        const struct range *file = &files->items[i];
        uint64_t from = begin > at ? begin - at : 0;
        uint64_t to = end > at ? end - at : 0;
        to = to < file->size ? to : file->size;
        if (from < to) {
            struct range range = {NULL, from, to, file->size, from == 0};
            if (ranges_add(ret, file->path, strlen(file->path), range) != GP_OK) {
                return GP_FAIL;
            }
        }
        at += file->size;
    }
    return GP_OK;
}

int32_t ranges_find(const struct gp_task *task, const char *path, struct ranges *ret)
{
    struct ranges files = {0};
    uint64_t total = 0;
    int32_t rc = find_files(task, path, &files);

    if (rc != GP_OK) {
        goto cleanup;
    }
    for (size_t i = 0; i < files.count; i++) {
        total += files.items[i].size;
    }
    rc = cut(&files, share(total, task->index, task->parallelism),
             share(total, task->index + 1, task->parallelism), ret);
    if (rc != GP_OK) {
        (void)gp_fail(task, "no memory for the list of files");
    }
cleanup:
    ranges_deinit(&files);
    return rc;
}
