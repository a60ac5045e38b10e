/*
 * api_words.c: what to try, for who asks by HTTP. Whoever answers a request knows gpctl; here its
 * commands become endpoints, and its flags parameters.
 */
#include <string.h>

#include "app/api.h"
#include "base/str.h"

/* '@' is one word, on both sides the same; behind "--" it is a parameter. The first that fits
 * counts. */
static const char *const words[][2] = {
    {"gpctl drain --undo @", "POST /api/v1/workers/{worker}/drain?undo on @"},
    {"gpctl masters add HOST:PORT", "POST /api/v1/masters?address=HOST:PORT"},
    {"gpctl masters add", "POST /api/v1/masters"},
    {"gpctl masters", "GET /api/v1/masters"},
    {"gpctl workers", "GET /api/v1/workers"},
    {"gpctl list -a", "GET /api/v1/apps?all"},
    {"gpctl list", "GET /api/v1/apps"},
    {"gpctl describe @", "GET /api/v1/apps/@"},
    {"gpctl kill @", "POST /api/v1/apps/@/kill"},
    {"with --@", "with the parameter @"},
    {"--@", "the parameter @"},
};

static size_t word_len(const char *text)
{
    return strcspn(text, " ,;:()");
}

static bool is_parameter(gp_str word)
{
    const struct fields *params = api_params_all();

    for (size_t i = 0; i < params->count; i++) {
        if (str_eq(word, gp_str_of(params->items[i].name))) {
            return true;
        }
    }
    return false;
}

/* The length of what fits at the beginning of text; 0: it does not. */
static size_t fits(const char *pattern, const char *text, gp_str *ret_word)
{
    size_t len = strcspn(pattern, "@");

    *ret_word = GP_STR("");
    if (strncmp(text, pattern, len) != 0) {
        return 0;
    }
    if (pattern[len] != '@') {
        return len;
    }
    *ret_word = (gp_str){text + len, word_len(text + len)};
    if (len >= 2 && pattern[len - 1] == '-' && !is_parameter(*ret_word)) {
        return 0;
    }
    return ret_word->len > 0 ? len + ret_word->len : 0;
}

static size_t append(char *out, size_t at, size_t size, gp_str text)
{
    size_t room = size - 1 - at;
    size_t len = text.len < room ? text.len : room;

    memcpy(out + at, text.ptr, len);
    return at + len;
}

static size_t append_words(char *out, size_t at, size_t size, const char *pattern, gp_str word)
{
    size_t len = strcspn(pattern, "@");

    at = append(out, at, size, (gp_str){pattern, len});
    if (pattern[len] == '@') {
        at = append(out, at, size, word);
        at = append(out, at, size, gp_str_of(pattern + len + 1));
    }
    return at;
}

void api_words(const char *text, char *out, size_t size)
{
    size_t at = 0;

    while (*text) {
        size_t len = 0;
        gp_str word;

        for (size_t i = 0; len == 0 && i < ARRAY_LEN(words); i++) {
            len = fits(words[i][0], text, &word);
            if (len > 0) {
                at = append_words(out, at, size, words[i][1], word);
            }
        }
        if (len == 0) {
            at = append(out, at, size, (gp_str){text, 1});
        }
        text += len > 0 ? len : 1;
    }
    out[at] = '\0';
}
