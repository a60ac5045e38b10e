/*
 * api_target.h: the target of a request, "/api/v1/apps/7?all=true", taken apart. Pure.
 *
 * Percent signs are undone after everything was cut, so that "%2F" never cuts. Refused are targets
 * that are too long, too many parts, broken escapes, NUL, and text that is not UTF-8.
 */
#ifndef APP_API_TARGET_H
#define APP_API_TARGET_H

#include <stdint.h>

#include <gearpump/types.h>

#include "base/error.h"

#define API_TARGET_MAX 8192u
#define API_PARTS_MAX  16u
#define API_PAIRS_MAX  300u /* a job may have many parameters */

struct api_pair {
    gp_str name;
    gp_str value; /* empty without '=' */
};

struct api_target {
    gp_str parts[API_PARTS_MAX]; /* of the path: "api", "v1", "apps", "7"; none for "/" */
    uint32_t part_count;
    struct api_pair pairs[API_PAIRS_MAX];
    uint32_t pair_count;
    /* private: what the texts above borrow from */
    char text[API_TARGET_MAX + 1];
};

/* GP_EINVAL, GP_ETOOBIG with the reason. */
int api_target_parse(gp_str target, struct api_target *ret, struct gp_error *err);

/* "3.17" of Last-Event-ID: term and number. GP_EINVAL. */
int api_event_id_parse(gp_str text, uint64_t *ret_term, uint64_t *ret_seq);

#endif
