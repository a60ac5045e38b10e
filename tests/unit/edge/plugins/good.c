/* A plugin that loads. */
#include <gearpump/gearpump.h>

GP_PLUGIN("good", "1.2.3", NULL)
