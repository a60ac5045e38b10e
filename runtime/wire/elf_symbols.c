/*
 * Symbols of a shared object: one by its name, as the loader finds it, and one by an address, to
 * name the place of a crash. Hash tables of a stranger may be cyclic or lead nowhere, so each walk
 * is bounded.
 */
#include <string.h>

#include "base/endian.h"
#include "base/str.h"
#include "wire/elf.h"
#include "wire/elf_image.h"

#define CHAIN_MAX 65536 /* symbols of one hash that are looked at */

/* The hash of DT_GNU_HASH (Bernstein's), and that of DT_HASH (System V ABI). */
static uint32_t gnu_hash(const char *name)
{
    uint32_t h = 5381;

    for (; *name != '\0'; name++) {
        h = h * 33 + (unsigned char)*name;
    }
    return h;
}

static uint32_t sysv_hash(const char *name)
{
    uint32_t h = 0;

    for (; *name != '\0'; name++) {
        h = (h << 4) + (unsigned char)*name;
        h ^= h >> 24 & 0xf0;
        h &= 0x0fffffff;
    }
    return h;
}

static bool word_at(const struct elf_image *image, uint64_t address, uint64_t index, uint32_t *ret)
{
    const void *at = elf_at_address(image, address + 4 * index, 4);

    if (at == NULL) {
        return false;
    }
    *ret = get_u32_le(at);
    return true;
}

/* The symbol with this number, if it has this name. */
static bool symbol_is(const struct elf_image *image, const struct elf_dynamic *dynamic,
                      uint32_t number, const char *name, Elf64_Sym *ret)
{
    const void *at =
        elf_at_address(image, dynamic->symbols + (uint64_t)number * sizeof(*ret), sizeof(*ret));
    Elf64_Sym symbol;

    if (at == NULL) {
        return false;
    }
    memcpy(&symbol, at, sizeof(symbol));
    if (!str_eq(elf_string(&dynamic->strings, symbol.st_name), gp_str_of(name))) {
        return false;
    }
    *ret = symbol;
    return true;
}

static bool find_gnu(const struct elf_image *image, const struct elf_dynamic *dynamic,
                     const char *name, Elf64_Sym *ret)
{
    const uint32_t hash = gnu_hash(name);
    uint32_t head[4]; /* buckets, first symbol, words of the filter (8 bytes each), its shift */
    uint64_t buckets;
    uint32_t number;
    uint32_t seen;

    for (uint32_t i = 0; i < 4; i++) {
        if (!word_at(image, dynamic->gnu_hash, i, &head[i])) {
            return false;
        }
    }
    buckets = dynamic->gnu_hash + sizeof(head) + (uint64_t)head[2] * 8;
    if (head[0] == 0 || !word_at(image, buckets, hash % head[0], &number) || number < head[1]) {
        return false;
    }
    for (uint32_t steps = 0; steps < CHAIN_MAX; steps++, number++) {
        if (!word_at(image, buckets + (uint64_t)head[0] * 4, number - head[1], &seen)) {
            return false;
        }
        if ((seen | 1) == (hash | 1) && symbol_is(image, dynamic, number, name, ret)) {
            return true;
        }
        if ((seen & 1) != 0) {
            return false; /* the last of its chain */
        }
    }
    return false;
}

static bool find_sysv(const struct elf_image *image, const struct elf_dynamic *dynamic,
                      const char *name, Elf64_Sym *ret)
{
    uint32_t bucket_count;
    uint32_t chain_count;
    uint32_t number;

    if (!word_at(image, dynamic->hash, 0, &bucket_count) ||
        !word_at(image, dynamic->hash, 1, &chain_count) || bucket_count == 0 ||
        !word_at(image, dynamic->hash, 2 + sysv_hash(name) % bucket_count, &number)) {
        return false;
    }
    for (uint32_t steps = 0; number != STN_UNDEF && steps < CHAIN_MAX; steps++) {
        if (symbol_is(image, dynamic, number, name, ret)) {
            return true;
        }
        if (!word_at(image, dynamic->hash, 2 + (uint64_t)bucket_count + number, &number)) {
            return false;
        }
    }
    return false;
}

bool elf_symbol_find(const struct elf_image *image, const struct elf_dynamic *dynamic,
                     const char *name, Elf64_Sym *ret)
{
    if (dynamic->symbols == 0) {
        return false;
    }
    if (dynamic->gnu_hash != 0) {
        return find_gnu(image, dynamic, name, ret);
    }
    return dynamic->hash != 0 && find_sysv(image, dynamic, name, ret);
}

/* ---- by address ---- */

/* The section of symbols that tells most: the full table, or, stripped, that of the loader. */
static bool symbol_section(const struct elf_image *image, Elf64_Shdr *ret)
{
    bool found = false;
    Elf64_Shdr section;

    for (uint32_t i = 0; elf_section(image, i, &section); i++) {
        if (section.sh_type == SHT_SYMTAB || (section.sh_type == SHT_DYNSYM && !found)) {
            *ret = section;
            found = true;
        }
        if (section.sh_type == SHT_SYMTAB) {
            break;
        }
    }
    return found;
}

/* Whether the function holds the address. One without a size (start-up code) could hold
 * anything. */
static bool function_holds(const Elf64_Sym *symbol, uint64_t address)
{
    return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
           symbol->st_value <= address && address - symbol->st_value < symbol->st_size;
}

int elf_symbol_at(gp_bytes file, uint64_t offset, gp_str *ret_name, uint64_t *ret_delta)
{
    struct elf_strings strings;
    struct elf_image image;
    Elf64_Shdr section;
    const char *table;
    gp_str name;
    uint64_t best = 0;
    uint64_t best_delta = UINT64_MAX;

    if (elf_image_open(elf_source_of(&file), &image, NULL) < 0) {
        return GP_EPROTO;
    }
    if (!symbol_section(&image, &section)) {
        return GP_ENOENT;
    }
    strings = elf_section_strings(&image, section.sh_link);
    table = elf_at_offset(&image, section.sh_offset, section.sh_size);
    if (table == NULL || strings.ptr == NULL) {
        return GP_EPROTO;
    }
    for (uint64_t at = 0; section.sh_size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;

        memcpy(&symbol, table + at, sizeof(symbol));
        if (function_holds(&symbol, offset) && offset - symbol.st_value < best_delta) {
            best = symbol.st_name;
            best_delta = offset - symbol.st_value;
        }
    }
    name = elf_string(&strings, best);
    if (best_delta == UINT64_MAX || name.len == 0) {
        return GP_ENOENT;
    }
    *ret_name = name;
    if (ret_delta != NULL) {
        *ret_delta = best_delta;
    }
    return 0;
}
