/*
 * The map from numbers; see map.h.
 *
 * Invariants: between the home slot of an entry (its hash modulo capacity) and the slot it is in,
 * no slot is empty, so a lookup stops at the first empty one; at least a quarter of the slots are
 * empty.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"

#define MAP_CAPACITY_MIN 8

void map_u64_init(struct map_u64 *m, size_t count_max, uint64_t seed)
{
    ASSERT(count_max <= SIZE_MAX / sizeof(struct map_u64_slot) / 4);
    *m = (struct map_u64){.count_max = count_max, .seed = seed};
}

void map_u64_deinit(struct map_u64 *m)
{
    if (m != NULL) {
        free(m->slots);
        *m = (struct map_u64){.count_max = m->count_max, .seed = m->seed};
    }
}

static size_t home(const struct map_u64 *m, uint64_t key)
{
    return (size_t)hash_u64(key, m->seed) & (m->capacity - 1);
}

/* The slot that holds key, or the empty slot where it belongs; capacity is not 0. */
static struct map_u64_slot *locate(const struct map_u64 *m, uint64_t key)
{
    size_t i = home(m, key);

    while (m->slots[i].value != NULL && m->slots[i].key != key) {
        i = (i + 1) & (m->capacity - 1);
    }
    return &m->slots[i];
}

/* Moves all entries to twice as many slots. */
static int grow(struct map_u64 *m)
{
    struct map_u64 larger = *m;

    larger.capacity = m->capacity > 0 ? m->capacity * 2 : MAP_CAPACITY_MIN;
    larger.slots = (struct map_u64_slot *)calloc(larger.capacity, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return GP_ENOMEM;
    }
    for (size_t i = 0; i < m->capacity; i++) {
        if (m->slots[i].value != NULL) {
            *locate(&larger, m->slots[i].key) = m->slots[i];
        }
    }
    free(m->slots);
    *m = larger;
    return 0;
}

/* Puts a key that is not in the map. */
static int insert(struct map_u64 *m, uint64_t key, void *value)
{
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
    *locate(m, key) = (struct map_u64_slot){.key = key, .value = value};
    m->count++;
    m->pop_from = 0;
    return 0;
}

int map_u64_add(struct map_u64 *m, uint64_t key, void *value)
{
    ASSERT(value != NULL);
    return map_u64_get(m, key) != NULL ? GP_EEXIST : insert(m, key, value);
}

int map_u64_set(struct map_u64 *m, uint64_t key, void *value, void **ret_old)
{
    void *old = map_u64_get(m, key);
    int rc = 0;

    ASSERT(value != NULL);
    if (old != NULL) {
        locate(m, key)->value = value;
    } else {
        rc = insert(m, key, value);
    }
    if (rc == 0 && ret_old != NULL) {
        *ret_old = old;
    }
    return rc;
}

void *map_u64_get(const struct map_u64 *m, uint64_t key)
{
    return m->count > 0 ? locate(m, key)->value : NULL;
}

/*
 * Empties a slot and closes the gap: a following entry whose home is not between the gap and
 * itself would be cut off from its home, so it moves into the gap and leaves a new one.
 */
static void remove_slot(struct map_u64 *m, size_t gap)
{
    size_t mask = m->capacity - 1;

    for (size_t i = (gap + 1) & mask; m->slots[i].value != NULL; i = (i + 1) & mask) {
        size_t from_home = (i - home(m, m->slots[i].key)) & mask;
        size_t from_gap = (i - gap) & mask;

        if (from_home >= from_gap) {
            m->slots[gap] = m->slots[i];
            gap = i;
        }
    }
    m->slots[gap] = (struct map_u64_slot){0};
    m->count--;
}

void *map_u64_remove(struct map_u64 *m, uint64_t key)
{
    void *value = map_u64_get(m, key);

    if (value != NULL) {
        remove_slot(m, (size_t)(locate(m, key) - m->slots));
    }
    return value;
}

void *map_u64_pop(struct map_u64 *m)
{
    /* Removal fills gaps only from behind, so what lies before pop_from stays empty. */
    for (; m->pop_from < m->capacity; m->pop_from++) {
        void *value = m->slots[m->pop_from].value;

        if (value != NULL) {
            remove_slot(m, m->pop_from);
            return value;
        }
    }
    return NULL;
}
