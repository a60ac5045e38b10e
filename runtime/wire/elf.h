/*
 * elf.h: what a plugin says of itself, read from its bytes without running any of them.
 *
 * The file comes from a stranger: every offset and length in it is checked against its size, and
 * work is bounded by it. Only what is asked of a plugin is read: that it is a shared object for
 * this machine, its note, whether it exports gp_entry, what it needs at load. Pure, any thread.
 */
#ifndef WIRE_ELF_H
#define WIRE_ELF_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/plugin.h>

#include "base/error.h"

#define ELF_NEEDED_MAX 64u

struct elf_info {
    struct gp_note note;  /* its texts are terminated */
    uint16_t machine;     /* e_machine */
    bool exports_entry;   /* gp_entry is a defined, global data symbol */
    uint32_t glibc_major; /* highest GLIBC_x.y asked for; 0.0: none */
    uint32_t glibc_minor;
    char *soname;  /* "" when it has none */
    char **needed; /* libraries it loads */
    uint32_t needed_count;
};

/* A file that need not be in memory. at() is called for what lies within size; what it returns is
 * valid until the reading ends. NULL: it cannot be had. */
struct elf_source {
    uint64_t size;
    const void *(*at)(void *user, uint64_t offset, uint64_t len);
    void *user;
};

/*
 * Reads a shared object. GP_EABI with the reason in words (not an ELF file; not a shared object;
 * built for another machine; no note: not a plugin; another ABI; does not export gp_entry), or
 * GP_EPROTO when it is damaged, GP_ENOMEM. Bytes are borrowed until return.
 */
int elf_read(gp_bytes file, struct elf_info *ret, struct gp_error *err);
/* The same, of which only tables and texts are looked at, wherever they lie. */
int elf_read_from(struct elf_source file, struct elf_info *ret, struct gp_error *err);
void elf_info_deinit(struct elf_info *info);

/* "x86-64", "aarch64", ... or "machine 243". Static or in `out` (at least 24 bytes). */
const char *elf_machine_name(uint16_t machine, char *out, size_t out_size);

/* The machine this code is built for. */
uint16_t elf_own_machine(void);

/*
 * The function that holds an address, given as its offset from where the file was loaded: for
 * naming the place of a crash. *ret_name borrows from the file; *ret_delta (may be NULL) is the
 * distance from its start. GP_ENOENT, GP_EPROTO.
 */
int elf_symbol_at(gp_bytes file, uint64_t offset, gp_str *ret_name, uint64_t *ret_delta);

#endif
