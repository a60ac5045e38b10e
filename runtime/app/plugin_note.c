/* plugin_note.c: see plugin_note.h. */
#include "app/plugin_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/str.h"
#include "control/artefacts.h"

static int failed(struct gp_error *err, const char *path)
{
    return gp_error_set(err, error_from_errno(errno), "%s: %s", path, strerror(errno));
}

static int read_open_file(int fd, const char *path, struct buf *out, struct gp_error *err)
{
    struct stat info;
    void *space;
    int rc;

    if (fstat(fd, &info) < 0) {
        return failed(err, path);
    }
    if (!S_ISREG(info.st_mode)) {
        return gp_error_set(err, GP_EABI, "%s: not a regular file", path);
    }
    if (info.st_size == 0) {
        return gp_error_set(err, GP_EABI, "%s: the file is empty", path);
    }
    rc = buf_reserve(out, (size_t)info.st_size, &space);
    if (rc < 0) {
        return gp_error_set(err, rc, "%s: the file is larger than %u MiB", path,
                            ARTEFACT_SIZE_MAX_BYTES >> 20);
    }
    for (size_t left = (size_t)info.st_size; left > 0;) {
        ssize_t n = read(fd, space, left);

        if (n <= 0) {
            return n < 0 ? failed(err, path)
                         : gp_error_set(err, GP_EIO, "%s: it has become shorter", path);
        }
        buf_commit(out, (size_t)n);
        left -= (size_t)n;
        space = (char *)space + n;
    }
    return 0;
}

static int read_file(const char *path, struct buf *out, struct gp_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a fifo must not hold us */
    int rc = fd < 0 ? failed(err, path) : read_open_file(fd, path, out, err);

    if (fd >= 0) {
        (void)close(fd);
    }
    return rc;
}

int plugin_note_read(const char *path, struct plugin_note *ret, struct gp_error *err)
{
    struct plugin_note note = {0};
    uint8_t digest[SHA256_SIZE];
    struct buf file;
    int rc;

    buf_init(&file, ARTEFACT_SIZE_MAX_BYTES);
    rc = read_file(path, &file, err);
    if (rc < 0) {
        buf_deinit(&file);
        return rc;
    }
    note.size = buf_len(&file);
    note.path = realpath(path, NULL);
    rc = note.path ? elf_read(buf_bytes(&file), &note.elf, err) : failed(err, path);
    if (rc < 0) {
        gp_error_prefix(err, "%s", path);
        free(note.path);
    } else {
        sha256(buf_bytes(&file), digest);
        hex_encode(digest, sizeof digest, note.sha256);
        *ret = note;
    }
    buf_deinit(&file);
    return rc;
}

void plugin_note_deinit(struct plugin_note *note)
{
    elf_info_deinit(&note->elf);
    free(note->path);
    *note = (struct plugin_note){0};
}

const char *plugin_note_glibc(const struct plugin_note *note, char out[64])
{
    out[0] = '\0';
    if (note->elf.glibc_major > 0) {
        (void)str_format(out, 64, "%u.%u", note->elf.glibc_major, note->elf.glibc_minor);
    }
    return out;
}
