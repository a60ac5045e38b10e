/* mhd.c: see mhd.h. */
#include "edge/mhd.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libmicrohttpd.so.12" /* packages depend on it by name: GpInstall.cmake */

struct call {
    const char *name;
    size_t at; /* in struct mhd */
};

#define MHD_CALL(name) {"MHD_" #name, offsetof(struct mhd, name)},
static const struct call calls[] = {MHD_CALLS(MHD_CALL)};
#undef MHD_CALL

#define CALLS (sizeof calls / sizeof calls[0])

_Static_assert(sizeof(struct mhd) == CALLS * sizeof(void *), "nothing else is in the table");

int mhd_load(struct mhd *ret, struct gp_error *err)
{
    struct mhd found;
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

    if (library == NULL) {
        (void)gp_error_set(err, GP_ENOENT, "the web server needs a library: %s", dlerror());
        gp_error_hint(err, "install it (Debian: libmicrohttpd12), or set http.enabled to false");
        return GP_ENOENT;
    }
    for (size_t i = 0; i < CALLS; i++) {
        void *symbol = dlsym(library, calls[i].name);

        if (symbol == NULL) {
            return gp_error_set(err, GP_ENOENT, "the web server needs a newer %s: %s", LIBRARY,
                                dlerror());
        }
        memcpy((char *)&found + calls[i].at, &symbol, sizeof symbol);
    }
    *ret = found;
    return 0;
}
