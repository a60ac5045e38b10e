/*
 * elf_image.h: a shared object's bytes behind checked reads. What elf.c and elf_symbols.c share.
 *
 * Three kinds of numbers name a place in such a file: offsets in the file, addresses as loaded, and
 * indices in tables of text; each function here takes one kind and answers NULL when it leads out.
 */
#ifndef WIRE_ELF_IMAGE_H
#define WIRE_ELF_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "wire/elf.h"

/* A table of zero-terminated texts. */
struct elf_strings {
    const char *ptr;
    uint64_t size;
};

/* Where the dynamic section points; addresses, 0 when it does not. */
struct elf_dynamic {
    uint64_t symbols;
    uint64_t gnu_hash;
    uint64_t hash;
    uint64_t verneed;
    uint64_t verneed_count;
    uint64_t soname; /* index in strings */
    struct elf_strings strings;
};

struct elf_image {
    struct elf_source file;
    Elf64_Ehdr header;
};

/* One that is in memory; borrows the slice itself, too. */
struct elf_source elf_source_of(const gp_bytes *file);

/* Checks the header: a 64-bit little-endian shared object. GP_EABI in words. */
int elf_image_open(struct elf_source file, struct elf_image *ret, struct gp_error *err);

/* len bytes at an offset of the file. */
const void *elf_at_offset(const struct elf_image *image, uint64_t offset, uint64_t len);

/* len bytes at an address, all within what one segment takes from the file. */
const void *elf_at_address(const struct elf_image *image, uint64_t address, uint64_t len);

/* The index-th program or section header. False: beyond the table, or the file. */
bool elf_segment(const struct elf_image *image, uint32_t index, Elf64_Phdr *ret);
bool elf_section(const struct elf_image *image, uint32_t index, Elf64_Shdr *ret);

/* Text number `index` of a table; ptr NULL: it leads out, or is not terminated. */
gp_str elf_string(const struct elf_strings *strings, uint64_t index);

/* The table of texts that a section is. Empty when it leads out. */
struct elf_strings elf_section_strings(const struct elf_image *image, uint32_t index);

/* The index-th entry of the dynamic section; false at its end. */
bool elf_dynamic_at(const struct elf_image *image, uint32_t index, Elf64_Dyn *ret);

/* GP_EPROTO: there is none, or its tables lead out. */
int elf_dynamic_read(const struct elf_image *image, struct elf_dynamic *ret, struct gp_error *err);

/* Finds a symbol as the loader would, by the hash tables. False: it is not there. */
bool elf_symbol_find(const struct elf_image *image, const struct elf_dynamic *dynamic,
                     const char *name, Elf64_Sym *ret);

#endif
