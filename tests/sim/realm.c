/* realm.c: see realm.h. */
#include "realm.h"

#include <stdio.h>
#include <stdlib.h>

#include "app/simulated.h"

static void on_line(void *ctx, gp_str line)
{
    (void)ctx;
    (void)fwrite(line.ptr, 1, line.len, stderr);
}

int realm_begin(struct cluster *c, uint64_t seed, bool is_verbose)
{
    static const char *const plugins[] = {GP_FILE_PLUGIN, NULL};

    c->hooks = &simulated_hooks;
    c->plugins = plugins;
    c->log_level = LOG_LEVEL_DEBUG;
    c->on_line = is_verbose || getenv("GP_SIM_VERBOSE") ? on_line : NULL;
    return cluster_begin(c, seed);
}
