/*
 * Checked reads of a shared object. Everything is copied out by memcpy, for nothing in a stranger's
 * file need be aligned.
 */
#include "wire/elf_image.h"

#include <string.h>

/* So that work stays in proportion to the file: none of these is near what linkers make. */
#define SEGMENTS_MAX 128
#define STRING_MAX   4096

static const void *bytes_at(void *user, uint64_t offset, uint64_t len)
{
    const gp_bytes *file = user;

    (void)len;
    return (const char *)file->ptr + offset;
}

struct elf_source elf_source_of(const gp_bytes *file)
{
    return (struct elf_source){.size = file->len, .at = bytes_at, .user = (void *)(uintptr_t)file};
}

static bool is_within(const struct elf_image *image, uint64_t offset, uint64_t len)
{
    return offset <= image->file.size && len <= image->file.size - offset;
}

static bool has_magic(const struct elf_image *image)
{
    const void *magic = elf_at_offset(image, 0, SELFMAG);

    return magic && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static const char *type_name(uint16_t type)
{
    switch (type) {
    case ET_REL:
        return "an object file";
    case ET_EXEC:
        return "an executable";
    case ET_CORE:
        return "a core dump";
    default:
        return "another kind of ELF file";
    }
}

/* Whether all that will be loaded is there: touching what is mapped beyond the end of a file
 * kills. */
static bool is_whole(const struct elf_image *image)
{
    Elf64_Phdr segment;

    for (uint32_t i = 0; i < image->header.e_phnum; i++) {
        if (!elf_segment(image, i, &segment) ||
            (segment.p_type == PT_LOAD && !is_within(image, segment.p_offset, segment.p_filesz))) {
            return false;
        }
    }
    return true;
}

int elf_image_open(struct elf_source file, struct elf_image *ret, struct gp_error *err)
{
    struct elf_image image = {.file = file};
    const void *header;

    if (!has_magic(&image)) {
        return gp_error_set(err, GP_EABI, "not an ELF file");
    }
    header = elf_at_offset(&image, 0, sizeof(image.header));
    if (header == NULL) {
        return gp_error_set(err, GP_EABI, "an ELF file cut short");
    }
    memcpy(&image.header, header, sizeof(image.header));
    if (image.header.e_ident[EI_CLASS] != ELFCLASS64) {
        return gp_error_set(err, GP_EABI, "not a 64-bit ELF file");
    }
    if (image.header.e_ident[EI_DATA] != ELFDATA2LSB) {
        return gp_error_set(err, GP_EABI, "not a little-endian ELF file");
    }
    if (image.header.e_type != ET_DYN) {
        gp_error_set(err, GP_EABI, "%s, not a shared object", type_name(image.header.e_type));
        gp_error_hint(err, "build it with -shared -fPIC");
        return GP_EABI;
    }
    if (image.header.e_phentsize != sizeof(Elf64_Phdr) || image.header.e_phnum == 0 ||
        image.header.e_phnum > SEGMENTS_MAX) {
        return gp_error_set(err, GP_EPROTO, "damaged ELF file: no program headers");
    }
    if (!is_whole(&image)) {
        return gp_error_set(err, GP_EPROTO, "damaged ELF file: cut short");
    }
    *ret = image;
    return 0;
}

const void *elf_at_offset(const struct elf_image *image, uint64_t offset, uint64_t len)
{
    return is_within(image, offset, len) ? image->file.at(image->file.user, offset, len) : NULL;
}

/* The index-th of a table of equal records; offsets may wrap, so each step is checked. */
static bool record_at(const struct elf_image *image, uint64_t table, uint64_t index, size_t size,
                      void *ret)
{
    const uint64_t at = table + index * size; /* index is below 2^32 and size below 2^8 */
    const void *from = at >= table ? elf_at_offset(image, at, size) : NULL;

    if (from == NULL) {
        return false;
    }
    memcpy(ret, from, size);
    return true;
}

bool elf_segment(const struct elf_image *image, uint32_t index, Elf64_Phdr *ret)
{
    return index < image->header.e_phnum &&
           record_at(image, image->header.e_phoff, index, sizeof(*ret), ret);
}

bool elf_section(const struct elf_image *image, uint32_t index, Elf64_Shdr *ret)
{
    return index < image->header.e_shnum && image->header.e_shentsize == sizeof(*ret) &&
           record_at(image, image->header.e_shoff, index, sizeof(*ret), ret);
}

const void *elf_at_address(const struct elf_image *image, uint64_t address, uint64_t len)
{
    Elf64_Phdr segment;

    for (uint32_t i = 0; elf_segment(image, i, &segment); i++) {
        const uint64_t delta = address - segment.p_vaddr;

        if (segment.p_type != PT_LOAD || address < segment.p_vaddr || delta > segment.p_filesz ||
            len > segment.p_filesz - delta || segment.p_offset > UINT64_MAX - delta) {
            continue;
        }
        return elf_at_offset(image, segment.p_offset + delta, len);
    }
    return NULL;
}

gp_str elf_string(const struct elf_strings *strings, uint64_t index)
{
    const char *begin;
    const char *end;
    uint64_t room;

    if (strings->ptr == NULL || index >= strings->size) {
        return (gp_str){NULL, 0};
    }
    begin = strings->ptr + index;
    room = strings->size - index;
    end = memchr(begin, '\0', room < STRING_MAX ? (size_t)room : STRING_MAX);
    return end != NULL ? (gp_str){begin, (size_t)(end - begin)} : (gp_str){NULL, 0};
}

struct elf_strings elf_section_strings(const struct elf_image *image, uint32_t index)
{
    struct elf_strings strings = {0};
    Elf64_Shdr section;

    if (elf_section(image, index, &section) && section.sh_type == SHT_STRTAB) {
        strings.ptr = elf_at_offset(image, section.sh_offset, section.sh_size);
        strings.size = strings.ptr != NULL ? section.sh_size : 0;
    }
    return strings;
}

/* ---- the dynamic section ---- */

static bool dynamic_segment(const struct elf_image *image, Elf64_Phdr *ret)
{
    for (uint32_t i = 0; elf_segment(image, i, ret); i++) {
        if (ret->p_type == PT_DYNAMIC) {
            return true;
        }
    }
    return false;
}

bool elf_dynamic_at(const struct elf_image *image, uint32_t index, Elf64_Dyn *ret)
{
    Elf64_Phdr segment;

    return dynamic_segment(image, &segment) && index < segment.p_filesz / sizeof(*ret) &&
           record_at(image, segment.p_offset, index, sizeof(*ret), ret) && ret->d_tag != DT_NULL;
}

static void take_entry(const Elf64_Dyn *entry, struct elf_dynamic *ret, uint64_t *ret_strings)
{
    switch (entry->d_tag) {
    case DT_STRTAB:
        *ret_strings = entry->d_un.d_ptr;
        break;
    case DT_STRSZ:
        ret->strings.size = entry->d_un.d_val;
        break;
    case DT_SYMTAB:
        ret->symbols = entry->d_un.d_ptr;
        break;
    case DT_GNU_HASH:
        ret->gnu_hash = entry->d_un.d_ptr;
        break;
    case DT_HASH:
        ret->hash = entry->d_un.d_ptr;
        break;
    case DT_VERNEED:
        ret->verneed = entry->d_un.d_ptr;
        break;
    case DT_VERNEEDNUM:
        ret->verneed_count = entry->d_un.d_val;
        break;
    case DT_SONAME:
        ret->soname = entry->d_un.d_val;
        break;
    default:
        break;
    }
}

int elf_dynamic_read(const struct elf_image *image, struct elf_dynamic *ret, struct gp_error *err)
{
    struct elf_dynamic dynamic = {0};
    uint64_t strings = 0;
    Elf64_Dyn entry;
    uint32_t count = 0;

    for (; elf_dynamic_at(image, count, &entry); count++) {
        take_entry(&entry, &dynamic, &strings);
    }
    dynamic.strings.ptr = elf_at_address(image, strings, dynamic.strings.size);
    if (count == 0 || dynamic.strings.ptr == NULL) {
        return gp_error_set(err, GP_EPROTO, "damaged ELF file: no dynamic section");
    }
    *ret = dynamic;
    return 0;
}
