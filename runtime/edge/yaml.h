/*
 * yaml.h: YAML text, as people write configuration, to a tree of values.
 */
#ifndef EDGE_YAML_H
#define EDGE_YAML_H

#include "base/error.h"
#include "base/value.h"

/*
 * Parses one document. What YAML has beyond trees is refused: anchors, aliases, tags, keys that are
 * no text, a second document. Plain words become null (also "~" and nothing at all), true, false,
 * whole numbers (no leading zero) and reals; everything else, and all that is quoted, is text:
 * 64MiB, 500ms, yes, 0600. A text of blanks and comments is null.
 *
 * Nodes know their place; that of a member of an object is where its key stands. The caller frees
 * *ret. GP_EPROTO (err says "line:column: what"; for a key that stands twice, where it stood
 * first), GP_ETOOBIG (size, depth, number of values), GP_ENOMEM. Any thread.
 */
int edge_yaml_parse(gp_str text, struct value **ret, struct gp_error *err);

#endif
