/*
 * What a plugin says of itself. elf_image.c does the checked reading, elf_symbols.c the symbols.
 *
 * Happy path: header, machine, note, ABI, dynamic section, gp_entry, what it needs. The first thing
 * that is wrong is told, in the order in which an author would put it right. Failures: GP_EABI for
 * what a healthy file of another kind is, GP_EPROTO for a damaged one, GP_ENOMEM.
 */
#include "wire/elf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/str.h"
#include "wire/elf_image.h"

#define NOTE_HEADER_SIZE 12
#define VERSIONS_MAX     4096 /* names of needed versions that are looked at */

_Static_assert(sizeof(Elf64_Nhdr) == NOTE_HEADER_SIZE, "a note begins with three words");

/* ---- machines ---- */

uint16_t elf_own_machine(void)
{
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#elif defined(__riscv)
    return EM_RISCV;
#elif defined(__powerpc64__)
    return EM_PPC64;
#elif defined(__s390x__)
    return EM_S390;
#else
#error "which machine is this?"
#endif
}

const char *elf_machine_name(uint16_t machine, char *out, size_t out_size)
{
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "aarch64";
    case EM_386:
        return "i386";
    case EM_ARM:
        return "arm";
    case EM_RISCV:
        return "riscv";
    case EM_PPC64:
        return "ppc64";
    case EM_S390:
        return "s390x";
    default:
        (void)snprintf(out, out_size, "machine %u", machine);
        return out;
    }
}

static int check_machine(const struct elf_image *image, struct gp_error *err)
{
    const uint16_t machine = image->header.e_machine;
    char its[24];
    char own[24];

    if (machine == elf_own_machine()) {
        return 0;
    }
    return gp_error_set(err, GP_EABI, "built for %s, this is %s",
                        elf_machine_name(machine, its, sizeof(its)),
                        elf_machine_name(elf_own_machine(), own, sizeof(own)));
}

/* ---- the note ---- */

/* Looks through one run of notes, aligned to 4 or 8 as its segment says. */
static bool find_note(const char *notes, uint64_t size, uint64_t align, struct gp_note *ret)
{
    const uint64_t mask = (align == 8 ? 8 : 4) - 1;
    uint64_t at = 0;

    while (size - at >= NOTE_HEADER_SIZE) {
        const uint64_t name_size = get_u32_le(notes + at);
        const uint64_t desc_size = get_u32_le(notes + at + 4);
        const uint32_t type = get_u32_le(notes + at + 8);
        const uint64_t name = at + NOTE_HEADER_SIZE;
        const uint64_t desc = (name + name_size + mask) & ~mask;
        const uint64_t end = desc + desc_size; /* sums of 32-bit numbers: they cannot wrap */

        if (end > size) {
            return false;
        }
        if (type == GP_NOTE_TYPE && name_size == sizeof(GP_NOTE_OWNER) &&
            memcmp(notes + name, GP_NOTE_OWNER, sizeof(GP_NOTE_OWNER)) == 0 &&
            desc_size >= sizeof(*ret)) {
            memcpy(ret, notes + desc, sizeof(*ret));
            return true;
        }
        at = (end + mask) & ~mask;
        if (at > size) {
            return false;
        }
    }
    return false;
}

static bool note_in_segments(const struct elf_image *image, struct gp_note *ret)
{
    Elf64_Phdr segment;

    for (uint32_t i = 0; elf_segment(image, i, &segment); i++) {
        const char *notes = segment.p_type == PT_NOTE
                                ? elf_at_offset(image, segment.p_offset, segment.p_filesz)
                                : NULL;

        if (notes != NULL && find_note(notes, segment.p_filesz, segment.p_align, ret)) {
            return true;
        }
    }
    return false;
}

/* Where an assembler took the section for plain data, it is still there under its name. */
static bool note_in_sections(const struct elf_image *image, struct gp_note *ret)
{
    const struct elf_strings names = elf_section_strings(image, image->header.e_shstrndx);
    Elf64_Shdr section;

    for (uint32_t i = 0; elf_section(image, i, &section); i++) {
        const char *notes = NULL;

        if (section.sh_type != SHT_NOBITS &&
            str_eq(elf_string(&names, section.sh_name), GP_STR(GP_NOTE_SECTION))) {
            notes = elf_at_offset(image, section.sh_offset, section.sh_size);
        }
        if (notes != NULL && find_note(notes, section.sh_size, section.sh_addralign, ret)) {
            return true;
        }
    }
    return false;
}

/* The texts of a note go into paths, logs and terminals. */
static bool text_is_plain(const char *text, size_t size)
{
    const size_t len = strnlen(text, size);

    for (size_t i = 0; i < len; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '/' || text[i] == '"') {
            return false;
        }
    }
    return len < size;
}

static int check_note(const struct gp_note *note, struct gp_error *err)
{
    /* A draft breaks with each minor number; later ones only add. */
    if (note->abi_major != GP_ABI_MAJOR || note->abi_minor > GP_ABI_MINOR ||
        (GP_ABI_MAJOR == 0 && note->abi_minor != GP_ABI_MINOR)) {
        gp_error_set(err, GP_EABI, "built for plugin ABI %u.%u, this is %u.%u", note->abi_major,
                     note->abi_minor, GP_ABI_MAJOR, GP_ABI_MINOR);
        gp_error_hint(err, "build the plugin again with the SDK of this version");
        return GP_EABI;
    }
    if (note->name[0] == '\0' || note->name[0] == '.' ||
        !text_is_plain(note->name, sizeof(note->name)) ||
        !text_is_plain(note->version, sizeof(note->version))) {
        return gp_error_set(err, GP_EABI, "its note has no proper name and version");
    }
    if (strnlen(note->services, sizeof(note->services)) == sizeof(note->services)) {
        return gp_error_set(err, GP_EABI, "the services in its note have no end");
    }
    return 0;
}

static int read_note(const struct elf_image *image, struct gp_note *ret, struct gp_error *err)
{
    if (!note_in_segments(image, ret) && !note_in_sections(image, ret)) {
        gp_error_set(err, GP_EABI, "no " GP_NOTE_SECTION ": not a Gearpump plugin");
        gp_error_hint(err, "a plugin ends with GP_APP(...) or GP_PLUGIN(...)");
        return GP_EABI;
    }
    return check_note(ret, err);
}

/* ---- what it needs ---- */

static int read_needed(const struct elf_image *image, const struct elf_dynamic *dynamic,
                       struct elf_info *info, struct gp_error *err)
{
    Elf64_Dyn entry;

    info->needed = calloc(ELF_NEEDED_MAX, sizeof(*info->needed));
    info->soname = str_dup(elf_string(&dynamic->strings, dynamic->soname));
    if (info->needed == NULL || info->soname == NULL) {
        return gp_error_set(err, GP_ENOMEM, "out of memory");
    }
    for (uint32_t i = 0; elf_dynamic_at(image, i, &entry); i++) {
        gp_str name;

        if (entry.d_tag != DT_NEEDED) {
            continue;
        }
        name = elf_string(&dynamic->strings, entry.d_un.d_val);
        if (name.len == 0 || info->needed_count == ELF_NEEDED_MAX) {
            return gp_error_set(err, GP_EPROTO, "damaged ELF file: the libraries it needs");
        }
        info->needed[info->needed_count] = str_dup(name);
        if (info->needed[info->needed_count] == NULL) {
            return gp_error_set(err, GP_ENOMEM, "out of memory");
        }
        info->needed_count++;
    }
    return 0;
}

/* "GLIBC_2.34": takes it if it is the highest so far. */
static void take_version(gp_str name, struct elf_info *info)
{
    const gp_str prefix = GP_STR("GLIBC_");
    uint64_t major;
    uint64_t minor;
    gp_str rest;
    gp_str part;

    if (!str_starts_with(name, prefix)) {
        return;
    }
    (void)str_cut((gp_str){name.ptr + prefix.len, name.len - prefix.len}, '.', &part, &rest);
    if (str_to_u64(part, &major) < 0) {
        return; /* GLIBC_PRIVATE */
    }
    (void)str_cut(rest, '.', &part, &rest);
    if (str_to_u64(part, &minor) < 0 || major > UINT32_MAX || minor > UINT32_MAX) {
        return;
    }
    if (major > info->glibc_major || (major == info->glibc_major && minor > info->glibc_minor)) {
        info->glibc_major = (uint32_t)major;
        info->glibc_minor = (uint32_t)minor;
    }
}

/* .gnu.version_r: for each library a chain of versions, linked by distances. */
static void read_versions(const struct elf_image *image, const struct elf_dynamic *dynamic,
                          struct elf_info *info)
{
    uint64_t at = dynamic->verneed;
    uint32_t looked_at = 0;
    Elf64_Verneed library;
    Elf64_Vernaux version;

    for (uint64_t i = 0; i < dynamic->verneed_count && i < VERSIONS_MAX; i++) {
        const void *from = elf_at_address(image, at, sizeof(library));
        uint64_t aux;

        if (from == NULL) {
            return;
        }
        memcpy(&library, from, sizeof(library));
        aux = at + library.vn_aux;
        for (uint32_t j = 0; j < library.vn_cnt && looked_at < VERSIONS_MAX; j++, looked_at++) {
            from = elf_at_address(image, aux, sizeof(version));
            if (from == NULL) {
                return;
            }
            memcpy(&version, from, sizeof(version));
            take_version(elf_string(&dynamic->strings, version.vna_name), info);
            aux += version.vna_next;
        }
        if (library.vn_next == 0) {
            return;
        }
        at += library.vn_next;
    }
}

static bool exports_entry(const struct elf_image *image, const struct elf_dynamic *dynamic)
{
    Elf64_Sym symbol;

    return elf_symbol_find(image, dynamic, GP_ENTRY_SYMBOL, &symbol) &&
           symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT &&
           ELF64_ST_BIND(symbol.st_info) != STB_LOCAL;
}

/* ---- all of it ---- */

static int read_all(const struct elf_image *image, struct elf_info *info, struct gp_error *err)
{
    struct elf_dynamic dynamic;
    int rc = read_note(image, &info->note, err);

    if (rc == 0) {
        rc = elf_dynamic_read(image, &dynamic, err);
    }
    if (rc < 0) {
        return rc;
    }
    info->exports_entry = exports_entry(image, &dynamic);
    if (!info->exports_entry) {
        gp_error_set(err, GP_EABI, "does not export " GP_ENTRY_SYMBOL);
        gp_error_hint(err, "is it hidden by a linker script or stripped away?");
        return GP_EABI;
    }
    read_versions(image, &dynamic, info);
    return read_needed(image, &dynamic, info, err);
}

int elf_read(gp_bytes file, struct elf_info *ret, struct gp_error *err)
{
    return elf_read_from(elf_source_of(&file), ret, err);
}

int elf_read_from(struct elf_source file, struct elf_info *ret, struct gp_error *err)
{
    struct elf_info info = {0};
    struct elf_image image;
    int rc = elf_image_open(file, &image, err);

    if (rc == 0) {
        rc = check_machine(&image, err);
    }
    if (rc < 0) {
        return rc;
    }
    info.machine = image.header.e_machine;
    rc = read_all(&image, &info, err);
    if (rc < 0) {
        elf_info_deinit(&info);
        return rc;
    }
    *ret = info;
    return 0;
}

void elf_info_deinit(struct elf_info *info)
{
    if (info == NULL) {
        return;
    }
    for (uint32_t i = 0; i < info->needed_count; i++) {
        free(info->needed[i]);
    }
    free(info->needed);
    free(info->soname);
    memset(info, 0, sizeof(*info));
}
