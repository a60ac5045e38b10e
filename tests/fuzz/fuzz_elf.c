/*
 * Plugin files: whatever the bytes, reading them ends, and what it says is text.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "wire/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gp_bytes file = gp_bytes_of(data, size);
    struct elf_info info;
    struct gp_error err = {0};
    gp_str name;

    if (elf_read(file, &info, &err) == 0) {
        ASSERT(info.exports_entry && info.soname != NULL && info.needed_count <= ELF_NEEDED_MAX);
        ASSERT(strnlen(info.note.name, sizeof(info.note.name)) < sizeof(info.note.name));
        ASSERT(strnlen(info.note.version, sizeof(info.note.version)) < sizeof(info.note.version));
        elf_info_deinit(&info);
    } else {
        ASSERT(err.code < 0 && err.text[0] != '\0');
    }
    for (uint64_t at = 0; at < 0x4000; at += 0x155) {
        if (elf_symbol_at(file, at, &name, NULL) == 0) {
            ASSERT(name.len > 0 && name.ptr >= (const char *)data &&
                   name.ptr + name.len < (const char *)data + size);
        }
    }
    return 0;
}
