/*
 * usage.h: what this process and its host need, from getrusage() and /proc.
 */
#ifndef EDGE_USAGE_H
#define EDGE_USAGE_H

#include "port/proc.h"

/* What cannot be read is 0. Some system calls, and one for each few hundred open descriptors. */
void edge_usage(struct port_usage *ret);

#endif
