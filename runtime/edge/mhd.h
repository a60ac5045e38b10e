/*
 * mhd.h: libmicrohttpd, loaded by whoever serves HTTP.
 *
 * It brings gnutls and eight more libraries: several MiB and a millisecond of each process that is
 * linked with it, also of those that never serve anything, as executors and clients. So nobody is
 * linked with it; a server loads it when it starts, and calls it through this table.
 */
#ifndef EDGE_MHD_H
#define EDGE_MHD_H

#include <microhttpd.h>

#include <gearpump/types.h>

#include "base/error.h"

#define MHD_CALLS(X)                                                                               \
    X(add_response_header)                                                                         \
    X(create_response_from_buffer)                                                                 \
    X(create_response_from_callback)                                                               \
    X(destroy_response)                                                                            \
    X(get_connection_info)                                                                         \
    X(get_connection_values)                                                                       \
    X(get_daemon_info)                                                                             \
    X(get_timeout)                                                                                 \
    X(lookup_connection_value)                                                                     \
    X(queue_response)                                                                              \
    X(resume_connection)                                                                           \
    X(run)                                                                                         \
    X(start_daemon)                                                                                \
    X(stop_daemon)                                                                                 \
    X(suspend_connection)

/* Each as microhttpd.h declares it, without its prefix. */
struct mhd {
#define MHD_CALL(name) __typeof__(MHD_##name) *name;
    MHD_CALLS(MHD_CALL)
#undef MHD_CALL
};

/* The library then stays until the process ends: it and gnutls were not made to be unloaded.
 * GP_ENOENT: it is not installed, or not the one that we know. */
int mhd_load(struct mhd *ret, struct gp_error *err);

#endif
