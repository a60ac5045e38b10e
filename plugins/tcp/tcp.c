/*
 * The tcp plugin: lines from connections, lines to connections. See README.md.
 */
#include "tcp.h"

GP_PLUGIN("tcp", "1.0.0", &tcp_source, &tcp_sink)
