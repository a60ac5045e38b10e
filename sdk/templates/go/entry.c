/* What the cluster reads from the file without running it, and where it enters. */
#include "gearpump/entry.h"

GP_GO_APP("@name@", "0.1.0")
