/*
 * entry.h: GP_GO_APP(name, version): the entry of a job whose tables are made in Go.
 */
#ifndef GEARPUMP_GO_ENTRY_H
#define GEARPUMP_GO_ENTRY_H

#define GP_REQUIRED_SERVICES GP_SERVICE_TASK
#include <gearpump/gearpump.h>

const void *gp_go_factory(const char *id); /* gearpump.c */

#define GP_GO_APP(app_name, app_version)                                                           \
    GP_DEFINE_NOTE_(app_name, app_version, GP_NOTE_APP)                                            \
    GP_EXPORT const struct gp_entry gp_entry = {sizeof(struct gp_entry),                           \
                                                GP_ENTRY_MAGIC,                                    \
                                                GP_ABI_MAJOR,                                      \
                                                GP_ABI_MINOR,                                      \
                                                app_name,                                          \
                                                app_version,                                       \
                                                NULL,                                              \
                                                NULL,                                              \
                                                gp_go_factory};

#endif
