/*
 * plugin_note.h: what a plugin file says of itself, read without running it.
 */
#ifndef APP_PLUGIN_NOTE_H
#define APP_PLUGIN_NOTE_H

#include "base/sha256.h"
#include "wire/elf.h"

struct plugin_note {
    struct elf_info elf;
    uint64_t size;
    char sha256[SHA256_HEX_SIZE];
    char *path; /* absolute */
};

/* GP_ENOENT, GP_EACCES, GP_EIO: the file; GP_EABI, GP_EPROTO: no plugin for us, in words;
 * GP_ETOOBIG; GP_ENOMEM. */
int plugin_note_read(const char *path, struct plugin_note *ret, struct gp_error *err);
void plugin_note_deinit(struct plugin_note *note);

/* "2.17", or "" when it needs none. Returns out. */
const char *plugin_note_glibc(const struct plugin_note *note, char out[64]);

#endif
