/*
 * Targets of requests, Last-Event-ID and Host: whatever comes, it is routed to one endpoint or
 * refused with a reason, and its parameters become a struct or an error.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "app/api.h"
#include "base/assert.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_params(const struct api_endpoint *endpoint, const struct api_target *target)
{
    struct api_params params;
    struct gp_error err = {0};
    int rc = api_read_params(endpoint, target, &params, &err);

    if (rc == 0) {
        fields_deinit(api_params_all(), &params);
    } else {
        ASSERT(rc == GP_ENOMEM || err.text[0] != '\0');
    }
}

static void check_target(gp_str text)
{
    static struct api_target target;
    static const char *const methods[] = {"GET", "HEAD", "POST", "DELETE", "PATCH"};
    const struct api_endpoint *endpoint;
    struct gp_error err = {0};
    char allow[64];
    size_t bytes = 0;

    if (api_target_parse(text, &target, &err) < 0) {
        ASSERT(err.text[0] != '\0');
        return;
    }
    for (uint32_t i = 0; i < target.part_count; i++) {
        bytes += target.parts[i].len;
        ASSERT(str_is_utf8(target.parts[i]));
    }
    for (uint32_t i = 0; i < target.pair_count; i++) {
        bytes += target.pairs[i].name.len + target.pairs[i].value.len;
        ASSERT(memchr(target.pairs[i].value.ptr, '\0', target.pairs[i].value.len) == NULL);
    }
    ASSERT(bytes <= text.len);
    for (size_t i = 0; i < 2 * ARRAY_LEN(methods); i++) {
        int rc =
            api_route(&target, methods[i / 2], i % 2 == 1, &endpoint, allow, sizeof allow, &err);

        ASSERT(rc == 0 || rc == GP_ENOENT || (rc == GP_EUNSUPPORTED && allow[0] != '\0'));
        if (rc == 0) {
            check_params(endpoint, &target);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct edge_secret token = {.text = "0123456789abcdef", .len = 16};
    char text[API_TARGET_MAX + 64];
    uint64_t term;
    uint64_t seq;

    if (size >= sizeof text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = '\0';
    check_target((gp_str){text, size});
    (void)api_event_id_parse((gp_str){text, size}, &term, &seq);
    (void)api_origin_is_ours(text, "127.0.0.1:8090");
    if (api_token_matches(&token, text)) {
        ASSERT(strstr(text, token.text) != NULL);
    }
    return 0;
}
