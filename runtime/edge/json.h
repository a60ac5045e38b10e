/*
 * json.h: JSON text to a tree of values.
 */
#ifndef EDGE_JSON_H
#define EDGE_JSON_H

#include "base/error.h"
#include "base/value.h"

/*
 * Parses strictly (RFC 8259): nothing after the value, no duplicate names, no number that is not
 * finite, valid UTF-8, no NUL, not deeper than VALUE_DEPTH_MAX. Whole numbers up to 2^53 become
 * integers, others reals: larger ids travel as text. The caller frees *ret.
 * GP_EPROTO (err says "line:column: what"), GP_ETOOBIG (depth, number of values), GP_ENOMEM.
 * Any thread.
 */
int edge_json_parse(gp_str text, struct value **ret, struct gp_error *err);

#endif
