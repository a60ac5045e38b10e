/*
 * ctl_watch.h: --watch: a command that shows something, again and again until it is interrupted, or
 * what it shows has ended.
 */
#ifndef APP_CTL_WATCH_H
#define APP_CTL_WATCH_H

#include "app/ctl.h"

#define CTL_WATCH_OPTION                                                                           \
    {                                                                                              \
        "watch", 0, "TIME", "again each second, or so often, until it is interrupted",             \
            OPTION_MAYBE                                                                           \
    }

/*
 * Runs the command in turns: on a terminal each takes the screen from the top, else they follow
 * one another, an empty line between. A turn that sets ctl->is_last ends it. So does the first
 * turn that fails, and later ones unless that may pass: the cluster away for a while. Answers the
 * exit code, 0 after an interrupt.
 */
int ctl_watch(const struct command_spec *spec, const struct options *options, struct ctl *ctl);

#endif
