/*
 * Hash maps from a 64-bit number, or from text, to a non-NULL pointer.
 *
 * Open addressing with linear probing, at most 3/4 full; removal shifts the following entries back,
 * so there are no tombstones and lookups do not slow down with age. The seed keeps strangers
 * from choosing keys that collide; take it from the port's randomness. The order of iteration
 * depends on seed and history only, so it is the same in a replayed simulation.
 * Bounded: at most count_max entries. The map does not own the values. One owner, no locks.
 * A zeroed map can be asked and deinited; it is full at once.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

/* ---- number -> pointer ---- */

struct map_u64_slot {
    uint64_t key;
    void *value; /* NULL marks an empty slot */
};

struct map_u64 {
    /* private */
    struct map_u64_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
    size_t count_max;
    size_t pop_from; /* slots below are empty while only map_u64_pop runs */
    uint64_t seed;
};

/* Empty; allocates nothing yet. */
void map_u64_init(struct map_u64 *m, size_t count_max, uint64_t seed);
void map_u64_deinit(struct map_u64 *m);

/* Adds a new key. Returns 0, GP_EEXIST, GP_EFULL or GP_ENOMEM; unchanged on failure. */
int map_u64_add(struct map_u64 *m, uint64_t key, void *value);

/* Adds or replaces; *ret_old (may be NULL) gets the replaced value or NULL. 0, GP_EFULL, GP_ENOMEM.
 */
int map_u64_set(struct map_u64 *m, uint64_t key, void *value, void **ret_old);

/* The value, or NULL. */
void *map_u64_get(const struct map_u64 *m, uint64_t key);

/* Removes the key and returns its value; NULL if it was not there. Never fails, never allocates. */
void *map_u64_remove(struct map_u64 *m, uint64_t key);

/* Removes some entry and returns its value, NULL when empty: the loop that tears a map down. */
void *map_u64_pop(struct map_u64 *m);

static inline size_t map_u64_count(const struct map_u64 *m)
{
    return m->count;
}

/* ---- text -> pointer ---- */

enum map_keys {
    MAP_KEYS_BORROWED, /* the caller keeps each key's bytes alive and unchanged while it is in */
    MAP_KEYS_OWNED,    /* the map copies each key */
};

struct map_str_slot {
    gp_str key;
    uint64_t hash;
    void *value; /* NULL marks an empty slot */
};

struct map_str {
    /* private */
    struct map_str_slot *slots;
    size_t capacity; /* 0 or a power of two */
    size_t count;
    size_t count_max;
    size_t pop_from;
    uint64_t seed;
    enum map_keys keys;
};

void map_str_init(struct map_str *m, size_t count_max, uint64_t seed, enum map_keys keys);
void map_str_deinit(struct map_str *m);

/* As map_u64_*. Replacing a value keeps the key that is in the map. */
int map_str_add(struct map_str *m, gp_str key, void *value);
int map_str_set(struct map_str *m, gp_str key, void *value, void **ret_old);
void *map_str_get(const struct map_str *m, gp_str key);
void *map_str_remove(struct map_str *m, gp_str key);

/*
 * Iterates: size_t cursor = 0; while (map_str_next(m, &cursor, &key, &value)) { ... } The map must
 * not change meanwhile. key and value may be NULL when not wanted; *ret_key borrows from the map
 * until the entry is removed.
 */
bool map_str_next(const struct map_str *m, size_t *cursor, gp_str *ret_key, void **ret_value);
void *map_str_pop(struct map_str *m);

static inline size_t map_str_count(const struct map_str *m)
{
    return m->count;
}

#endif
