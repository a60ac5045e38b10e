/*
 * api_guard.c: who may ask: see api.h.
 *
 * Host: a page of a foreign site, whose name was made to lead here, must not be answered. Addresses
 * are nobody's names, so they are all right. Origin: a page of another site must not change
 * anything, should it ever get hold of a token. The token goes into a header that no page can be
 * made to send by itself, and into no cookie.
 */
#include <string.h>
#include <strings.h>

#include "app/api.h"
#include "base/str.h"

static bool is_same_name(gp_str a, const char *b)
{
    return b && a.len == strlen(b) && strncasecmp(a.ptr, b, a.len) == 0;
}

/* The host of "host:port", brackets gone. */
static gp_str host_of(const char *host)
{
    gp_str text = gp_str_of(host);
    gp_str name;
    gp_str port;

    if (text.len > 0 && text.ptr[0] == '[') {
        text = (gp_str){text.ptr + 1, text.len - 1};
        (void)str_cut(text, ']', &name, &port);
        return name;
    }
    return str_cut_last(text, ':', &name, &port) ? name : text;
}

static bool is_literal(gp_str name)
{
    bool has_colon = memchr(name.ptr, ':', name.len) != NULL;

    for (size_t i = 0; i < name.len; i++) {
        if (strchr(has_colon ? "0123456789abcdefABCDEF:." : "0123456789.", name.ptr[i]) == NULL) {
            return false;
        }
    }
    return name.len > 0;
}

bool api_host_is_ours(const struct config *config, const char *host_name, const char *host)
{
    gp_str name = host ? host_of(host) : GP_STR("");

    return name.len > 0 &&
           (is_literal(name) || config_host_is_loopback(name) || is_same_name(name, host_name) ||
            is_same_name(name, config->http.bind) || is_same_name(name, config->advertise));
}

bool api_origin_is_ours(const char *origin, const char *host)
{
    gp_str text;

    if (!origin) {
        return true; /* no page */
    }
    text = gp_str_of(origin);
    if (!host || !str_starts_with(text, GP_STR("http://"))) {
        return false;
    }
    return is_same_name((gp_str){text.ptr + 7, text.len - 7}, host);
}

/* In the same time wherever the first difference is; its length is no secret. */
bool api_token_matches(const struct edge_secret *token, const char *authorization)
{
    gp_str text = gp_str_of(authorization ? authorization : "");
    unsigned char difference = 0;

    if (text.len < 7 || strncasecmp(text.ptr, "Bearer ", 7) != 0) {
        return false;
    }
    text = str_trim((gp_str){text.ptr + 7, text.len - 7});
    if (text.len != token->len) {
        return false;
    }
    for (size_t i = 0; i < token->len; i++) {
        difference |= (unsigned char)(token->text[i] ^ text.ptr[i]);
    }
    return difference == 0;
}

int api_token_load(const struct config *config, struct edge_secret *ret,
                   char ret_path[EDGE_PATH_MAX], struct gp_error *err)
{
    char secret[EDGE_PATH_MAX];
    const char *beside = config->cluster.secret_file;
    int rc = 0;

    if (*config->http.token_file) {
        rc = str_format(ret_path, EDGE_PATH_MAX, "%s", config->http.token_file);
    } else {
        if (!*beside) {
            rc = edge_secret_path(secret, err);
            beside = secret;
        }
        rc = rc < 0 ? rc : str_format(ret_path, EDGE_PATH_MAX, "%s.http-token", beside);
    }
    if (rc == GP_ETOOBIG) {
        return gp_error_set(err, GP_EINVAL, "http.token_file: the path is too long");
    }
    return rc < 0 ? rc : edge_secret_read_or_make(ret_path, ret, err);
}
