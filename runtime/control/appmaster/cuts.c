/* cuts.c: see cuts.h. */
#include "control/appmaster/cuts.h"

#include <stdlib.h>

/* How many of those that are left it is cut from. */
static uint32_t degree(const bool *is_cut, uint32_t count, uint32_t i)
{
    uint32_t cut_from = 0;

    for (uint32_t k = 0; k < count; k++) {
        cut_from += is_cut[(size_t)i * count + k];
    }
    return cut_from;
}

/* The one to be given up next; count: nobody is cut from anybody. */
static uint32_t worst(const bool *is_cut, const uint32_t *tasks, uint32_t count)
{
    uint32_t most = 0;
    uint32_t found = count;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t cut_from = degree(is_cut, count, i);
        if (cut_from > most || (cut_from == most && most > 0 && tasks[i] <= tasks[found])) {
            most = cut_from;
            found = i;
        }
    }
    return found;
}

uint32_t cuts_choose(bool *is_cut, const uint32_t *tasks, uint32_t count, bool *ret_given_up)
{
    uint32_t given_up = 0;
    uint32_t i;

    while ((i = worst(is_cut, tasks, count)) < count) {
        ret_given_up[i] = true;
        given_up++;
        for (uint32_t k = 0; k < count; k++) {
            is_cut[(size_t)i * count + k] = false;
            is_cut[(size_t)k * count + i] = false;
        }
    }
    return given_up;
}

static struct shunned *find(const struct shunned_list *list, uint32_t worker)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->items[i].worker == worker) {
            return &list->items[i];
        }
    }
    return NULL;
}

/* One that was shunned so long ago that it does not matter any more. */
static struct shunned *find_forgotten(const struct shunned_list *list, int64_t now_ns)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (now_ns - list->items[i].until_ns > SHUNNED_WAIT_MAX_NS) {
            return &list->items[i];
        }
    }
    return NULL;
}

static struct shunned *find_or_add(struct shunned_list *list, uint32_t worker, int64_t now_ns)
{
    struct shunned *s = find(list, worker);

    if (s) {
        return s;
    }
    s = find_forgotten(list, now_ns);
    if (s) {
        *s = (struct shunned){.worker = worker};
    } else if (list->count < SHUNNED_MAX) {
        struct shunned *grown = realloc(list->items, (list->count + 1) * sizeof *grown);
        if (!grown) {
            return NULL;
        }
        list->items = grown;
        s = &grown[list->count++];
        *s = (struct shunned){.worker = worker};
    }
    return s;
}

void shunned_add(struct shunned_list *list, uint32_t worker, int64_t now_ns)
{
    struct shunned *s = find_or_add(list, worker, now_ns);

    if (!s || s->until_ns > now_ns) {
        return; /* others of the same cut have come to it before */
    }
    /* The network was not whole yet when it was tried; long after that it is another story. */
    if (s->wait_ns == 0 || now_ns - s->until_ns > SHUNNED_WAIT_MAX_NS) {
        s->wait_ns = SHUNNED_WAIT_MIN_NS;
    } else if (s->wait_ns < SHUNNED_WAIT_MAX_NS) {
        s->wait_ns *= 2;
    }
    s->wait_ns = s->wait_ns < SHUNNED_WAIT_MAX_NS ? s->wait_ns : SHUNNED_WAIT_MAX_NS;
    s->until_ns = now_ns + s->wait_ns;
}

bool shunned_has(const struct shunned_list *list, uint32_t worker, int64_t now_ns)
{
    const struct shunned *s = find(list, worker);

    return s && s->until_ns > now_ns;
}

void shunned_deinit(struct shunned_list *list)
{
    free(list->items);
    *list = (struct shunned_list){0};
}
