/*
 * version.h: what this build is called; GP_VERSION comes from the build.
 */
#ifndef APP_VERSION_H
#define APP_VERSION_H

#include <gearpump/types.h>

#define VERSION_TEXT     GP_VERSION
#define VERSION_ABI_TEXT "0.1"
_Static_assert(GP_ABI_MAJOR == 0u && GP_ABI_MINOR == 1u, "VERSION_ABI_TEXT follows the SDK");

#endif
