/*
 * settings.h: which settings hold in a process, and who said so: for gpctl config and GET /config.
 */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include "app/config.h"

/*
 * A list of {key, value, origin, default, kind, variable, doc}, one of each key in the order of the
 * table; a secret value is masked. NULL: no memory.
 */
struct value *settings_list(const struct config *config);

#endif
