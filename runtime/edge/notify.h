/*
 * notify.h: telling the supervisor of this process (systemd, or whoever set $NOTIFY_SOCKET) how it
 * is. Without one nothing happens, and a supervisor that does not listen does not matter.
 */
#ifndef EDGE_NOTIFY_H
#define EDGE_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "WATCHDOG=1". Never blocks. */
void edge_notify(const char *state);

/* Within which time WATCHDOG=1 is expected again and again; 0: it is not. */
int64_t edge_notify_watchdog_ns(void);

#endif
