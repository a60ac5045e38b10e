/* metrics_now.c: see metrics_now.h. */
#include "app/metrics_now.h"

#include <string.h>

#include "base/str.h"

const char *metrics_now_find(struct metrics_now *now, const char *processor, uint32_t executor,
                             const char *what)
{
    const uint32_t count = now->of->series_count;

    for (uint32_t i = 0; i < count; i++) {
        const uint32_t at = (now->at + i) % count;
        const struct msg_series *s = &now->of->series[at];

        if (s->executor == executor && strcmp(s->metric, what) == 0 &&
            strcmp(s->processor, processor) == 0) {
            now->at = at + 1;
            return s->values;
        }
    }
    return "";
}

double metrics_now_number(const char *figures, const char *name, double otherwise)
{
    gp_str rest = gp_str_of(figures);
    bool more = rest.len > 0;

    while (more) {
        gp_str figure;
        gp_str key;
        gp_str text;
        double value;

        more = str_cut(rest, ',', &figure, &rest);
        if (str_cut(figure, '=', &key, &text) && str_eq(key, gp_str_of(name)) &&
            str_to_double(text, &value) == 0) {
            return value;
        }
    }
    return otherwise;
}
