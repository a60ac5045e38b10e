/*
 * The map from text; see map.h. Built as map_u64.c is, with its invariants, and keeps each key's
 * hash so that growing and removing do not look at the keys.
 *
 * Invariant: with MAP_KEYS_OWNED every key in a slot is the map's own allocation.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/str.h"

#define MAP_CAPACITY_MIN 8

void map_str_init(struct map_str *m, size_t count_max, uint64_t seed, enum map_keys keys)
{
    ASSERT(count_max <= SIZE_MAX / sizeof(struct map_str_slot) / 4);
    *m = (struct map_str){.count_max = count_max, .seed = seed, .keys = keys};
}

/* Gives up a key that the map no longer needs. */
static void drop_key(const struct map_str *m, gp_str key)
{
    if (m->keys == MAP_KEYS_OWNED) {
        free((char *)key.ptr);
    }
}

void map_str_deinit(struct map_str *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->capacity; i++) {
        if (m->slots[i].value != NULL) {
            drop_key(m, m->slots[i].key);
        }
    }
    free(m->slots);
    *m = (struct map_str){.count_max = m->count_max, .seed = m->seed, .keys = m->keys};
}

/* The slot that holds key, or the empty slot where it belongs; capacity is not 0. */
static struct map_str_slot *locate(const struct map_str *m, gp_str key, uint64_t hash)
{
    size_t i = (size_t)hash & (m->capacity - 1);

    while (m->slots[i].value != NULL &&
           !(m->slots[i].hash == hash && str_eq(m->slots[i].key, key))) {
        i = (i + 1) & (m->capacity - 1);
    }
    return &m->slots[i];
}

/* The slot that holds key, or NULL. */
static struct map_str_slot *find(const struct map_str *m, gp_str key)
{
    struct map_str_slot *slot;

    if (m->count == 0) {
        return NULL;
    }
    slot = locate(m, key, hash_bytes(key.ptr, key.len, m->seed));
    return slot->value != NULL ? slot : NULL;
}

/* Moves all entries to twice as many slots. */
static int grow(struct map_str *m)
{
    struct map_str larger = *m;

    larger.capacity = m->capacity > 0 ? m->capacity * 2 : MAP_CAPACITY_MIN;
    larger.slots = (struct map_str_slot *)calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return GP_ENOMEM;
    }
    for (size_t i = 0; i < m->capacity; i++) {
        if (m->slots[i].value != NULL) {
            *locate(&larger, m->slots[i].key, m->slots[i].hash) = m->slots[i];
        }
    }
    free(m->slots);
    *m = larger;
    return 0;
}

/* Puts a key that is not in the map. */
static int insert(struct map_str *m, gp_str key, void *value)
{
    uint64_t hash = hash_bytes(key.ptr, key.len, m->seed);
    int rc;

    if (m->count >= m->count_max) {
        return GP_EFULL;
    }
    if ((m->count + 1) * 4 > m->capacity * 3) {
        rc = grow(m);
        if (rc < 0) {
            return rc;
        }
    }
    if (m->keys == MAP_KEYS_OWNED) {
        key.ptr = str_dup(key);
        if (key.ptr == NULL) {
            return GP_ENOMEM;
        }
    }
    *locate(m, key, hash) = (struct map_str_slot){.key = key, .hash = hash, .value = value};
    m->count++;
    m->pop_from = 0;
    return 0;
}

int map_str_add(struct map_str *m, gp_str key, void *value)
{
    ASSERT(value != NULL);
    return find(m, key) != NULL ? GP_EEXIST : insert(m, key, value);
}

int map_str_set(struct map_str *m, gp_str key, void *value, void **ret_old)
{
    struct map_str_slot *slot = find(m, key);
    void *old = slot != NULL ? slot->value : NULL;
    int rc = 0;

    ASSERT(value != NULL);
    if (slot != NULL) {
        slot->value = value;
    } else {
        rc = insert(m, key, value);
    }
    if (rc == 0 && ret_old != NULL) {
        *ret_old = old;
    }
    return rc;
}

void *map_str_get(const struct map_str *m, gp_str key)
{
    const struct map_str_slot *slot = find(m, key);

    return slot != NULL ? slot->value : NULL;
}

/* Empties a slot and closes the gap, as in map_u64.c. */
static void remove_slot(struct map_str *m, size_t gap)
{
    size_t mask = m->capacity - 1;

    drop_key(m, m->slots[gap].key);
    for (size_t i = (gap + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t from_home = (i - (size_t)m->slots[i].hash) & mask;
        size_t from_gap = (i - gap) & mask;

        if (from_home >= from_gap) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (struct map_str_slot){0};
    m->count--;
}

void *map_str_remove(struct map_str *m, gp_str key)
{
    struct map_str_slot *slot = find(m, key);
    void *value;

    if (slot == NULL) {
        return NULL;
    }
    value = slot->value;
    remove_slot(m, (size_t)(slot - m->slots));
    return value;
}

bool map_str_next(const struct map_str *m, size_t *cursor, gp_str *ret_key, void **ret_value)
{
    while (*cursor < m->capacity) {
        const struct map_str_slot *slot = &m->slots[(*cursor)++];

        if (slot->value != NULL) {
            if (ret_key != NULL) {
                *ret_key = slot->key;
            }
            if (ret_value != NULL) {
                *ret_value = slot->value;
            }
            return true;
        }
    }
    return false;
}

void *map_str_pop(struct map_str *m)
{
    for (; m->pop_from < m->capacity; m->pop_from++) {
        void *value = m->slots[m->pop_from].value;

        if (value != NULL) {
            remove_slot(m, m->pop_from);
            return value;
        }
    }
    return NULL;
}
