/*
 * "Did you mean ...?": which of the known words is nearest to a mistyped one.
 *
 * Distance: optimal string alignment (Levenshtein's edits plus swapping two neighbours), in three
 * rows of a table over both words. Bounded by WORD_MAX, so the rows stand on the stack.
 */
#include <string.h>

#include "base/str.h"

#define WORD_MAX 64 /* bytes */

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

/* Row i of the table, from the two rows above. row[j]: edits from a[0..i) to b[0..j). */
static void fill_row(gp_str a, gp_str b, size_t i, const size_t *above2, const size_t *above,
                     size_t *row)
{
    row[0] = i;
    for (size_t j = 1; j <= b.len; j++) {
        size_t replace = above[j - 1] + (a.ptr[i - 1] != b.ptr[j - 1] ? 1 : 0);

        row[j] = min3(above[j] + 1, row[j - 1] + 1, replace);
        if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1] &&
            above2[j - 2] + 1 < row[j]) {
            row[j] = above2[j - 2] + 1;
        }
    }
}

static size_t edit_distance(gp_str a, gp_str b)
{
    size_t rows[3][WORD_MAX + 1];

    for (size_t j = 0; j <= b.len; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        fill_row(a, b, i, rows[(i + 1) % 3], rows[(i + 2) % 3], rows[i % 3]);
    }
    return rows[a.len % 3][b.len];
}

const gp_str *str_closest(gp_str needle, const gp_str *candidates, size_t count)
{
    const gp_str *best = NULL;
    size_t best_distance = SIZE_MAX;

    if (needle.len > WORD_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        gp_str word = candidates[i];
        size_t longer = word.len > needle.len ? word.len : needle.len;
        size_t distance;

        if (word.len > WORD_MAX) {
            continue;
        }
        distance = edit_distance(needle, word);
        if (distance < best_distance && distance * 3 <= longer) {
            best = &candidates[i];
            best_distance = distance;
        }
    }
    return best;
}

const char *str_meant(gp_str needle, const gp_str *candidates, size_t count,
                      char out[STR_MEANT_MAX])
{
    const gp_str *near = str_closest(needle, candidates, count);

    out[0] = '\0';
    if (near) {
        (void)str_format(out, STR_MEANT_MAX, " (did you mean '%.*s'?)", STR_ARG(*near));
    }
    return out;
}
