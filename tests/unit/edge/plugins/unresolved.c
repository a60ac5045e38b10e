/* A plugin that calls a function nobody has. */
#include <gearpump/gearpump.h>

int32_t nobody_defines_this(const struct gp_host *host);

#undef GP_PLUGIN_INIT
#define GP_PLUGIN_INIT nobody_defines_this

GP_PLUGIN("unresolved", "1.0.0", NULL)
