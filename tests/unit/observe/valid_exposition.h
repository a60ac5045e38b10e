/*
 * valid_exposition.h: our own reading of the exposition format, for tests: strict where Prometheus
 * is. Answers NULL when a text holds, else the line that does not.
 */
#ifndef TESTS_OBSERVE_VALID_EXPOSITION_H
#define TESTS_OBSERVE_VALID_EXPOSITION_H

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct family_seen {
    char name[128];
    char kind[16];
    double last_bucket; /* of the series before; < 0: none */
};

static inline size_t name_len(const char *at)
{
    size_t len = 0;

    while (isalnum((unsigned char)at[len]) || at[len] == '_' || at[len] == ':') {
        len++;
    }
    return len;
}

/* {a="b",c="d"} ; returns what follows, NULL when it does not hold. *le: of the label le, or -1. */
static inline const char *skip_labels(const char *at, double *le)
{
    *le = -1;
    if (*at != '{') {
        return at;
    }
    do {
        const char *label = ++at;
        const size_t len = name_len(at);

        at += len;
        if (len == 0 || at[0] != '=' || at[1] != '"') {
            return NULL;
        }
        if (len == 2 && memcmp(label, "le", 2) == 0) {
            *le = strtod(at + 2, NULL);
        }
        for (at += 2; *at != '"'; at++) {
            if (*at == '\n' || *at == '\0' || (*at == '\\' && !strchr("\\\"n", *++at))) {
                return NULL;
            }
        }
        at++;
    } while (*at == ',');
    return *at == '}' ? at + 1 : NULL;
}

static inline bool valid_sample(struct family_seen *f, const char *line)
{
    const size_t len = name_len(line);
    const size_t own = strlen(f->name);
    const bool is_bucket = len == own + 7 && memcmp(line + own, "_bucket", 7) == 0;
    double le;
    double value;
    const char *at = skip_labels(line + len, &le);
    char *end = NULL;

    if (len == 0 || !at || *at != ' ' || strncmp(line, f->name, own) != 0) {
        return false;
    }
    value = strtod(at + 1, &end);
    if (end == at + 1 || *end != '\n') {
        return false;
    }
    if (strcmp(f->kind, "histogram") == 0) {
        const bool falls = is_bucket && f->last_bucket >= 0 && value < f->last_bucket && le > 1e-6;

        f->last_bucket = is_bucket ? value : -1;
        return !falls && (is_bucket || len == own + 4 || len == own + 6);
    }
    return len == own && (strcmp(f->kind, "counter") != 0 || value >= 0);
}

static inline const char *invalid_exposition(const char *text)
{
    static char names[256][128];
    struct family_seen f = {{0}, {0}, -1};
    char help[128] = "";
    int seen = 0;

    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        if (!strchr(line, '\n')) {
            return line;
        }
        if (strncmp(line, "# HELP ", 7) == 0) {
            const size_t len = name_len(line + 7);

            if (len == 0 || len >= sizeof help || line[7 + len] != ' ' || line[8 + len] == '\n') {
                return line;
            }
            memcpy(help, line + 7, len);
            help[len] = '\0';
            for (int i = 0; i < seen && i < 256; i++) {
                if (strcmp(names[i], help) == 0) {
                    return line; /* a family stands together */
                }
            }
            strcpy(names[seen++ % 256], help);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            const size_t len = name_len(line + 7);

            f = (struct family_seen){.last_bucket = -1};
            if (len >= sizeof f.name || strncmp(line + 7, help, len) != 0) {
                return line;
            }
            memcpy(f.name, line + 7, len);
            memcpy(f.kind, line + 8 + len, strcspn(line + 8 + len, "\n") % sizeof f.kind);
            if (strcmp(f.kind, "counter") == 0 &&
                (len < 6 || strcmp(f.name + len - 6, "_total") != 0)) {
                return line;
            }
        } else if (f.name[0] == '\0' || !valid_sample(&f, line)) {
            return line;
        }
    }
    return NULL;
}

#endif
