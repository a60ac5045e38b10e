/* exposition.c: see exposition.h. */
#include "observe/exposition.h"

#include <math.h>
#include <string.h>

#include "base/str.h"

#define NS_PER_S 1e9

#define US        UINT64_C(1000)
#define DECADE(n) 1 * (n), 2 * (n), 5 * (n)
const uint64_t exposition_bounds_ns[EXPOSITION_BOUNDS] = {
    DECADE(US),           DECADE(10 * US),       DECADE(100 * US),
    DECADE(1000 * US),    DECADE(10000 * US),    DECADE(100000 * US),
    DECADE(1000000 * US), DECADE(10000000 * US), 100000000 * US,
};
static const char *const bound_texts[EXPOSITION_BOUNDS] = {
    "1e-06", "2e-06", "5e-06", "1e-05", "2e-05", "5e-05", "0.0001", "0.0002", "0.0005",
    "0.001", "0.002", "0.005", "0.01",  "0.02",  "0.05",  "0.1",    "0.2",    "0.5",
    "1",     "2",     "5",     "10",    "20",    "50",    "100",
};

static void put(struct exposition *e, const char *text)
{
    if (e->rc >= 0) {
        e->rc = buf_append_c(e->out, text);
    }
}

static void put_bytes(struct exposition *e, const char *ptr, size_t len)
{
    if (e->rc >= 0 && len > 0) {
        e->rc = buf_append(e->out, ptr, len);
    }
}

/* Backslash and newline, and in labels the quote. What is not UTF-8 becomes a question mark. */
static void put_escaped(struct exposition *e, const char *text, bool quotes)
{
    gp_str rest = gp_str_of(text);

    while (rest.len > 0) {
        const size_t len = str_utf8_len(rest);
        const char c = rest.ptr[0];

        if (c == '\n') {
            put(e, "\\n");
        } else if (c == '\\' || (quotes && c == '"')) {
            put_bytes(e, "\\", 1);
            put_bytes(e, &c, 1);
        } else if (len == 0) {
            put(e, "?");
        } else {
            put_bytes(e, rest.ptr, len);
        }
        rest = (gp_str){rest.ptr + (len > 0 ? len : 1), rest.len - (len > 0 ? len : 1)};
    }
}

void exposition_family(struct exposition *e, const char *name, enum exposition_kind kind,
                       const char *help)
{
    static const char *const kinds[] = {"counter", "gauge", "histogram"};

    e->name = name;
    put(e, "# HELP ");
    put(e, name);
    put(e, " ");
    put_escaped(e, help, false);
    put(e, "\n# TYPE ");
    put(e, name);
    put(e, " ");
    put(e, kinds[kind]);
    put(e, "\n");
}

/* le is one label more; NULL: none. */
static void put_series(struct exposition *e, const char *suffix, const struct label *labels,
                       uint32_t count, const char *le)
{
    const char *before = "{";

    put(e, e->name);
    put(e, suffix);
    for (uint32_t i = 0; i <= count; i++) {
        const struct label label = i < count ? labels[i] : (struct label){"le", le};

        if (!label.value || label.value[0] == '\0') {
            continue;
        }
        put(e, before);
        put(e, label.name);
        put(e, "=\"");
        put_escaped(e, label.value, true);
        put(e, "\"");
        before = ",";
    }
    put(e, before[0] == ',' ? "} " : " ");
}

static void put_value(struct exposition *e, double value)
{
    char text[STR_DOUBLE_MAX];

    if (isnan(value)) {
        put(e, "NaN");
    } else if (isinf(value)) {
        put(e, value > 0 ? "+Inf" : "-Inf");
    } else if (fabs(value) < 9e15 && floor(value) >= value) { /* every digit of a counter */
        (void)str_format(text, sizeof text, "%lld", (long long)value);
        put(e, text);
    } else {
        put(e, str_put_double(value, text));
    }
    put(e, "\n");
}

void exposition_number(struct exposition *e, const struct label *labels, uint32_t count,
                       double value)
{
    put_series(e, "", labels, count, NULL);
    put_value(e, value);
}

void exposition_histogram(struct exposition *e, const struct label *labels, uint32_t count,
                          const struct hist *hist)
{
    uint64_t up_to[EXPOSITION_BOUNDS];

    hist_count_up_to(hist, exposition_bounds_ns, EXPOSITION_BOUNDS, up_to);
    for (uint32_t i = 0; i < EXPOSITION_BOUNDS; i++) {
        put_series(e, "_bucket", labels, count, bound_texts[i]);
        put_value(e, (double)up_to[i]);
    }
    put_series(e, "_bucket", labels, count, "+Inf");
    put_value(e, (double)hist_count(hist));
    put_series(e, "_sum", labels, count, NULL);
    put_value(e, hist_sum(hist) / NS_PER_S);
    put_series(e, "_count", labels, count, NULL);
    put_value(e, (double)hist_count(hist));
}
