/* Reading plugins without running them: real ones, and damaged in every way. */
#include <elf.h>

#include "gp_test.h"
#include "wire/elf.h"

struct file {
    unsigned char *ptr;
    size_t len;
};

static struct file load(const char *name)
{
    char path[4096];
    struct file file = {0};
    FILE *stream;
    long len;

    (void)snprintf(path, sizeof(path), "%s/%s.so", GP_TEST_PLUGINS, name);
    stream = fopen(path, "rb");
    GP_REQUIRE(stream != NULL);
    GP_REQUIRE(fseek(stream, 0, SEEK_END) == 0);
    len = ftell(stream);
    GP_REQUIRE(len > 0);
    rewind(stream);
    file.ptr = malloc((size_t)len);
    file.len = (size_t)len;
    GP_REQUIRE(file.ptr != NULL);
    GP_REQUIRE(fread(file.ptr, 1, file.len, stream) == file.len);
    (void)fclose(stream);
    return file;
}

static gp_bytes bytes(const struct file *file)
{
    return gp_bytes_of(file->ptr, file->len);
}

static void check_good(const char *name)
{
    struct file file = load(name);
    struct elf_info info;
    struct gp_error err = {0};

    if (elf_read(bytes(&file), &info, &err) < 0) {
        GP_TEST_FAIL("%s: %s", name, err.text);
        free(file.ptr);
        return;
    }
    GP_CHECK_STR_EQ(info.note.name, "elf-test");
    GP_CHECK_STR_EQ(info.note.version, "1.2.3");
    GP_CHECK_EQ(info.note.abi_major, GP_ABI_MAJOR);
    GP_CHECK_EQ(info.note.flags, GP_NOTE_APP);
    GP_CHECK_STR_EQ(info.note.services, GP_SERVICE_TASK);
    GP_CHECK_EQ(info.machine, elf_own_machine());
    GP_CHECK(info.exports_entry);
    GP_CHECK(info.glibc_major == 2 && info.glibc_minor > 0);
    GP_CHECK_EQ(info.needed_count, 1);
    GP_CHECK_STR_EQ(info.needed[0], "libc.so.6");
    GP_CHECK_STR_EQ(info.soname, strcmp(name, "soname") == 0 ? "libnamed.so.1" : "");
    elf_info_deinit(&info);
    GP_CHECK(info.needed == NULL);
    free(file.ptr);
}

GP_TEST(elf, reads_plugins_as_linkers_make_them)
{
    check_good("plain");
    check_good("sysv"); /* the old hash table alone */
    check_good("soname");
    check_good("stripped");
}

static void check_refused(const struct file *file, int code, const char *text)
{
    struct elf_info info = {.machine = 4711};
    struct gp_error err = {0};

    GP_CHECK_EQ(elf_read(bytes(file), &info, &err), code);
    GP_CHECK_EQ(info.machine, 4711); /* untouched */
    if (strstr(err.text, text) == NULL) {
        GP_TEST_FAIL("\"%s\" is not in \"%s\"", text, err.text);
    }
}

GP_TEST(elf, says_what_is_wrong)
{
    struct file file = load("plain");
    Elf64_Ehdr header;
    struct file text = {(unsigned char *)"#!/bin/sh\nexit 0\n", 17};
    struct file empty = {NULL, 0};

    check_refused(&text, GP_EABI, "not an ELF file");
    check_refused(&empty, GP_EABI, "not an ELF file");
    memcpy(&header, file.ptr, sizeof(header));
    header.e_machine = EM_AARCH64 == elf_own_machine() ? EM_X86_64 : EM_AARCH64;
    memcpy(file.ptr, &header, sizeof(header));
    check_refused(&file, GP_EABI, "built for ");
    memcpy(&header, file.ptr, sizeof(header));
    header.e_machine = elf_own_machine();
    header.e_type = ET_EXEC;
    memcpy(file.ptr, &header, sizeof(header));
    check_refused(&file, GP_EABI, "an executable, not a shared object");
    header.e_type = ET_REL;
    memcpy(file.ptr, &header, sizeof(header));
    check_refused(&file, GP_EABI, "an object file, not a shared object");
    file.ptr[EI_CLASS] = ELFCLASS32;
    check_refused(&file, GP_EABI, "not a 64-bit ELF file");
    free(file.ptr);
    file = load("plain");
    file.ptr[EI_DATA] = ELFDATA2MSB;
    check_refused(&file, GP_EABI, "not a little-endian ELF file");
    free(file.ptr);
}

static void check_plugin_refused(const char *name, const char *text)
{
    struct file file = load(name);

    check_refused(&file, GP_EABI, text);
    free(file.ptr);
}

GP_TEST(elf, tells_plugins_from_other_libraries)
{
    check_plugin_refused("foreign", "no .note.gearpump: not a Gearpump plugin");
    check_plugin_refused("hidden", "does not export gp_entry");
    check_plugin_refused("old_abi", "built for plugin ABI 99.7, this is");
    check_plugin_refused("bad_name", "no proper name");
}

/* A name as the crash handler needs it. */
GP_TEST(elf, names_the_function_at_an_address)
{
    struct file file = load("plain");
    gp_str name = {0};
    uint64_t delta = 0;
    bool found = false;

    for (uint64_t at = 0; at < file.len && !found; at++) {
        found = elf_symbol_at(bytes(&file), at, &name, &delta) == 0 && name.len == 10 &&
                memcmp(name.ptr, "elf_marker", 10) == 0;
        GP_CHECK(!found || delta == 0); /* the first address of it that is met */
    }
    GP_CHECK(found);
    GP_CHECK_EQ(elf_symbol_at(bytes(&file), UINT64_MAX, &name, NULL), GP_ENOENT);
    GP_CHECK_EQ(elf_symbol_at(gp_bytes_of("x", 1), 0, &name, NULL), GP_EPROTO);
    free(file.ptr);
}

/* Behind the last byte that is loaded. */
static size_t loaded_end(const struct file *file)
{
    Elf64_Ehdr header;
    size_t end = 0;

    memcpy(&header, file->ptr, sizeof(header));
    for (size_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;

        memcpy(&segment, file->ptr + header.e_phoff + i * sizeof(segment), sizeof(segment));
        if (segment.p_type == PT_LOAD && segment.p_offset + segment.p_filesz > end) {
            end = segment.p_offset + segment.p_filesz;
        }
    }
    return end;
}

/* The loader would map pages that are not there, and whoever touches them dies. */
GP_TEST(elf, refuses_a_file_whose_segments_are_cut)
{
    struct file file = load("plain");
    struct elf_info info;

    file.len = loaded_end(&file);
    GP_CHECK_EQ(elf_read(bytes(&file), &info, NULL), 0);
    elf_info_deinit(&info);
    file.len--;
    check_refused(&file, GP_EPROTO, "cut short");
    free(file.ptr);
}

/* Read past the end is what the address sanitizer sees: each prefix is a block of its own. */
GP_TEST(elf, survives_being_cut_anywhere)
{
    struct file file = load("plain");
    const size_t step = file.len / 700 + 1;

    for (size_t len = 0; len < file.len; len += len < 256 ? 1 : step) {
        unsigned char *copy = malloc(len + 1);
        struct elf_info info;
        gp_str name;

        GP_REQUIRE(copy != NULL);
        memcpy(copy, file.ptr, len);
        if (elf_read(gp_bytes_of(copy, len), &info, NULL) == 0) {
            elf_info_deinit(&info); /* only sections at the end are missing */
        }
        (void)elf_symbol_at(gp_bytes_of(copy, len), 0x1100, &name, NULL);
        free(copy);
    }
    free(file.ptr);
}

GP_TEST(elf, survives_any_damaged_byte)
{
    struct file file = load("plain");

    for (size_t at = 0; at < file.len; at += at < 1024 ? 1 : 13) {
        const unsigned char before = file.ptr[at];
        struct elf_info info;

        file.ptr[at] = (unsigned char)(before ^ 0xff);
        if (elf_read(bytes(&file), &info, NULL) == 0) {
            elf_info_deinit(&info);
        }
        file.ptr[at] = before;
    }
    free(file.ptr);
}

GP_TEST(elf, knows_machines_by_name)
{
    char out[24];

    GP_CHECK_STR_EQ(elf_machine_name(EM_X86_64, out, sizeof(out)), "x86-64");
    GP_CHECK_STR_EQ(elf_machine_name(EM_AARCH64, out, sizeof(out)), "aarch64");
    GP_CHECK_STR_EQ(elf_machine_name(12345, out, sizeof(out)), "machine 12345");
}
