/*
 * usage.h: what this process and its host need, from getrusage() and /proc.
 */
#ifndef EDGE_USAGE_H
#define EDGE_USAGE_H

#include "port/proc.h"

/* What cannot be read is 0. Some system calls; before Linux 6.2 one more for each few hundred open
 * descriptors. */
void edge_usage(struct port_usage *ret);
void edge_host_usage(struct port_host_usage *ret);

#endif
