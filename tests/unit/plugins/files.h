/*
 * files.h: a directory of its own for each test of a plugin that touches files.
 */
#ifndef TESTS_PLUGINS_FILES_H
#define TESTS_PLUGINS_FILES_H

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gp_test.h"

struct folder {
    char path[64];
    char name[192]; /* of the last file named */
};

static inline struct folder folder_new(void)
{
    struct folder f = {.path = "/tmp/gp-test-XXXXXX"};

    GP_REQUIRE(mkdtemp(f.path) != NULL);
    return f;
}

static inline int folder_remove_entry(const char *path, const struct stat *status, int type,
                                      struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static inline void folder_remove(const struct folder *f)
{
    (void)nftw(f->path, folder_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a file in the folder; valid until the next call. */
static inline const char *folder_file(struct folder *f, const char *name)
{
    (void)snprintf(f->name, sizeof f->name, "%s/%s", f->path, name);
    return f->name;
}

static inline void folder_write_bytes(struct folder *f, const char *name, const void *bytes,
                                      size_t len)
{
    FILE *file = fopen(folder_file(f, name), "w");

    GP_REQUIRE(file != NULL);
    GP_REQUIRE_EQ(fwrite(bytes, 1, len, file), len);
    GP_REQUIRE_EQ(fclose(file), 0);
}

static inline void folder_write(struct folder *f, const char *name, const char *text)
{
    folder_write_bytes(f, name, text, strlen(text));
}

/* The content of a file, at most 64 KiB, NUL-terminated; NULL when there is none. Free it. */
static inline char *folder_read(struct folder *f, const char *name)
{
    FILE *file = fopen(folder_file(f, name), "r");
    char *text = calloc(1, 65537);

    if (!file || !text) {
        free(text);
        return NULL;
    }
    (void)!fread(text, 1, 65536, file);
    (void)fclose(file);
    return text;
}

static inline void folder_check(struct folder *f, const char *name, const char *text)
{
    char *is = folder_read(f, name);

    GP_CHECK_STR_EQ(is, text);
    free(is);
}

/* Files in it, hidden ones too. */
static inline uint32_t folder_count(const struct folder *f)
{
    DIR *directory = opendir(f->path);
    const struct dirent *entry;
    uint32_t count = 0;

    while (directory && (entry = readdir(directory)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (directory) {
        (void)closedir(directory);
    }
    return count;
}

#endif
