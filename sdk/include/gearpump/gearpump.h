/* gearpump.h: everything a plugin needs. See sdk/README.md for the guide. */
#ifndef GEARPUMP_GEARPUMP_H
#define GEARPUMP_GEARPUMP_H

#include <gearpump/cursor.h>
#include <gearpump/format.h>
#include <gearpump/graph.h>
#include <gearpump/host.h>
#include <gearpump/message.h>
#include <gearpump/parameter.h>
#include <gearpump/plugin.h>
#include <gearpump/processor.h>
#include <gearpump/state.h>
#include <gearpump/types.h>

#endif
