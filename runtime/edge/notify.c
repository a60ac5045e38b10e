/* notify.c: see notify.h. One datagram to a Unix socket; a name that begins with @ is an abstract
 * one. */
#include "edge/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/str.h"

#define NS_PER_US INT64_C(1000)

void edge_notify(const char *state)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    size_t len = path ? strlen(path) : 0;
    int fd;

    if (len < 2 || len >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    memcpy(to.sun_path, path, len);
    if (path[0] == '@') {
        to.sun_path[0] = '\0';
    }
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
                     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
        (void)close(fd);
    }
}

int64_t edge_notify_watchdog_ns(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    const char *pid_text = getenv("WATCHDOG_PID");
    uint64_t us = 0;
    uint64_t pid = 0;

    if (!text || str_to_u64(gp_str_of(text), &us) < 0 || us > (uint64_t)(INT64_MAX / NS_PER_US)) {
        return 0;
    }
    if (pid_text && (str_to_u64(gp_str_of(pid_text), &pid) < 0 || pid != (uint64_t)getpid())) {
        return 0; /* meant for another process */
    }
    return (int64_t)us * NS_PER_US;
}
