/* A plugin to be read, never loaded. PLUGIN_NAME and ABI may be bent from outside. */
#include <stdio.h>

#ifdef OLD_ABI
#include <gearpump/types.h>
#undef GP_ABI_MAJOR
#undef GP_ABI_MINOR
#define GP_ABI_MAJOR 99u
#define GP_ABI_MINOR 7u
#endif
#include <gearpump/gearpump.h>

#ifndef PLUGIN_NAME
#define PLUGIN_NAME "elf-test"
#endif

void elf_marker(void);

/* Asks for a versioned function of libc, and is found by its name. */
__attribute__((noinline)) void elf_marker(void)
{
    printf("%d\n", 1);
}

static int32_t build(const struct gp_build *b)
{
    (void)b;
    elf_marker();
    return GP_OK;
}

GP_APP(PLUGIN_NAME, "1.2.3", build, NULL)
