/*
 * words.h: how often each word came: an open-addressing table, and its files.
 *
 * A word of up to 12 bytes stands in its slot, two of which are a line of cache, so that counting
 * it touches one line. Longer ones stand in one growing text.
 *
 * Invariants: the number of slots is a power of two and at most half of them are used, so every
 * search ends; a used slot has count > 0; the text only grows and may move, so slots hold offsets
 * into it. One thread.
 */
#ifndef WORDS_H
#define WORDS_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORDS_SHORT 12
#define WORDS_LINE  64 /* bytes */

struct word {
    uint64_t hash;
    uint64_t count; /* 0: an empty slot */
    uint32_t len;
    union {
        char text[WORDS_SHORT];
        uint32_t at; /* of a longer one: offset in words.text */
    } u;
};

/* Zeroed is empty. */
struct words {
    struct word *slots;
    size_t slots_size; /* 0 or a power of two */
    size_t used;
    char *text;
    size_t text_len;
    size_t text_size;
};

static inline const char *words_text(const struct words *w, const struct word *word)
{
    return word->len <= WORDS_SHORT ? word->u.text : w->text + word->u.at;
}

/* A word of that hash is about to be counted: has its slot come nearer meanwhile. */
static inline void words_expect(const struct words *w, uint64_t hash)
{
    if (w->slots_size > 0) {
        __builtin_prefetch(&w->slots[(size_t)hash & (w->slots_size - 1)], 1);
    }
}

/* The slot of a word, or the empty slot where it belongs. */
static inline struct word *words_find(const struct words *w, const char *ptr, size_t len,
                                      uint64_t hash)
{
    size_t mask = w->slots_size - 1;
    size_t i = (size_t)hash & mask;

    while (w->slots[i].count > 0 && (w->slots[i].hash != hash || w->slots[i].len != len ||
                                     memcmp(words_text(w, &w->slots[i]), ptr, len) != 0)) {
        i = (i + 1) & mask;
    }
    return &w->slots[i];
}

static inline int words_grow_slots(struct words *w)
{
    struct words bigger = *w;

    bigger.slots_size = w->slots_size ? w->slots_size * 2 : 1024;
    bigger.slots = aligned_alloc(WORDS_LINE, bigger.slots_size * sizeof *bigger.slots);
    if (!bigger.slots) {
        return -1;
    }
    memset(bigger.slots, 0, bigger.slots_size * sizeof *bigger.slots);
    for (size_t i = 0; i < w->slots_size; i++) {
        const struct word *old = &w->slots[i];
        if (old->count > 0) {
            *words_find(&bigger, words_text(w, old), old->len, old->hash) = *old;
        }
    }
    free(w->slots);
    *w = bigger;
    return 0;
}

static inline int words_grow_text(struct words *w, size_t len)
{
    size_t size = w->text_size * 2 + len + 4096;
    char *text = size <= UINT32_MAX ? realloc(w->text, size) : NULL;

    if (!text) {
        return -1;
    }
    w->text = text;
    w->text_size = size;
    return 0;
}

static inline int words_keep_text(struct words *w, struct word *slot, const void *ptr, size_t len)
{
    if (len <= WORDS_SHORT) {
        memcpy(slot->u.text, ptr, len);
        return 0;
    }
    if (w->text_size - w->text_len < len && words_grow_text(w, len) < 0) {
        return -1;
    }
    slot->u.at = (uint32_t)w->text_len;
    memcpy(w->text + w->text_len, ptr, len);
    w->text_len += len;
    return 0;
}

/* Counts one word; `hash` is any good hash of it. Returns 0, or -1 without memory. */
static inline int words_add(struct words *w, const void *ptr, size_t len, uint64_t hash)
{
    struct word *slot;

    if (w->used * 2 >= w->slots_size && words_grow_slots(w) < 0) {
        return -1;
    }
    slot = words_find(w, ptr, len, hash);
    if (slot->count++ > 0) {
        return 0;
    }
    if (words_keep_text(w, slot, ptr, len) < 0) {
        slot->count = 0;
        return -1;
    }
    slot->hash = hash;
    slot->len = (uint32_t)len;
    w->used++;
    return 0;
}

/* As many counts as `size` bytes of text hold: " gear=3 pump=2". */
static inline void words_print(const struct words *w, char *ret_text, size_t size)
{
    size_t len = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < w->slots_size && len < size; i++) {
        const struct word *word = &w->slots[i];
        if (word->count > 0) {
            len += (size_t)snprintf(ret_text + len, size - len, " %.*s=%llu", (int)word->len,
                                    words_text(w, word), (unsigned long long)word->count);
        }
    }
}

static inline int words_put(const struct words *w, FILE *file)
{
    for (size_t i = 0; i < w->slots_size; i++) {
        const struct word *word = &w->slots[i];
        if (word->count > 0 && (fwrite(words_text(w, word), 1, word->len, file) != word->len ||
                                fprintf(file, "\t%llu\n", (unsigned long long)word->count) < 0)) {
            return -1;
        }
    }
    return fflush(file) == 0 && fsync(fileno(file)) == 0 ? 0 : -1;
}

/*
 * Writes directory/part-INDEX, first under a name of its own, so that whoever sees the file sees
 * all of it. Returns 0, or -1 and errno.
 */
static inline int words_write(const struct words *w, const char *directory, uint32_t index)
{
    char part[4096];
    char temporary[4096];
    FILE *file;
    int rc;

    (void)snprintf(part, sizeof part, "%s/part-%u", directory, index);
    (void)snprintf(temporary, sizeof temporary, "%s/.part-%u.tmp", directory, index);
    (void)mkdir(directory, 0777); /* if it neither exists nor can be made, fopen says so */
    file = fopen(temporary, "w");
    if (!file) {
        return -1;
    }
    rc = words_put(w, file);
    if (fclose(file) != 0 || rc < 0 || rename(temporary, part) != 0) {
        int cause = errno;
        (void)unlink(temporary);
        errno = cause;
        return -1;
    }
    return 0;
}

static inline void words_deinit(struct words *w)
{
    free(w->slots);
    free(w->text);
}

#endif
