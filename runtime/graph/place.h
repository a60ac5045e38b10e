/*
 * place.h: on which workers the tasks of a processor may be.
 *
 *     ""                   anywhere
 *     "worker:NAME"        on the worker of that name alone
 *     "label:KEY=VALUE"    on workers that have this label
 *
 * The text is what people write, what the plan keeps and what master and appmaster go by. Pure.
 */
#ifndef GRAPH_PLACE_H
#define GRAPH_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <gearpump/types.h>

#define PLACE_TEXT_MAX 136u /* the longest of these */

/* KEY=VALUE, each 1 to 63 of letters, digits and . _ / : - */
bool place_is_label(gp_str text);

/* Whether it is one of the three above. */
bool place_is_valid(gp_str text);

/* Whether tasks of this place may be on a worker of this name with these labels. */
bool place_takes(const char *place, const char *name, char *const *labels, uint32_t label_count);

#endif
