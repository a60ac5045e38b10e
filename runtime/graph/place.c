/* place.c: see place.h. */
#include "graph/place.h"

#include <string.h>

#include "base/str.h"

#define WORKER   GP_STR("worker:")
#define LABEL    GP_STR("label:")
#define WORD_MAX 63u

static bool is_word(gp_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    (c != '\0' && strchr("._/:-", c));
        if (!fine) {
            return false;
        }
    }
    return text.len > 0 && text.len <= WORD_MAX;
}

bool place_is_label(gp_str text)
{
    gp_str key;
    gp_str value;

    return str_cut(text, '=', &key, &value) && is_word(key) && is_word(value);
}

static gp_str behind(gp_str text, gp_str prefix)
{
    return (gp_str){text.ptr + prefix.len, text.len - prefix.len};
}

bool place_is_valid(gp_str text)
{
    if (str_starts_with(text, LABEL)) {
        return place_is_label(behind(text, LABEL));
    }
    return text.len == 0 ||
           (str_starts_with(text, WORKER) && text.len > WORKER.len && text.len < PLACE_TEXT_MAX);
}

bool place_takes(const char *place, const char *name, char *const *labels, uint32_t label_count)
{
    gp_str text = gp_str_of(place);

    if (text.len == 0) {
        return true;
    }
    if (str_starts_with(text, WORKER)) {
        return str_eq(behind(text, WORKER), gp_str_of(name));
    }
    for (uint32_t i = 0; i < label_count && str_starts_with(text, LABEL); i++) {
        if (str_eq(behind(text, LABEL), gp_str_of(labels[i]))) {
            return true;
        }
    }
    return false;
}
