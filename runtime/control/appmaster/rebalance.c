/*
 * rebalance.c: see rebalance.h.
 *
 * Three passes, each greedy, each moving a unit from the host with the most (for its lanes) to the
 * one that would have the least with it:
 *
 *   leave   what must go
 *   even    class by class, while that makes the fuller of the two hosts less full than it was
 *   level   the same for all units together, with those of a class of which the fuller host has more
 *
 * A move of `even` or `level` makes a sum of squares smaller, so they end; one of `level` keeps
 * what `even` reached. Loads are compared as fractions by cross-multiplication. Last, what moved
 * gets the lane with the fewest of its class.
 */
#include "control/appmaster/rebalance.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "control/appmaster/rebalance_work.h"
#include "graph/place.h"

#define WORTH 720720u /* of a lane; can be divided by up to 16 */

/* ---- counting ---- */

static uint32_t *count_at(const struct rebalance_work *w, uint32_t class, uint32_t host)
{
    return &w->count[(size_t) class * w->hosts + host];
}

static uint32_t *free_at(const struct rebalance_work *w, uint32_t class, uint32_t host)
{
    return &w->free[(size_t) class * w->hosts + host];
}

static bool may_move(const struct rebalance_work *w, const struct rebalance_unit *u)
{
    return !u->fixed && (u->keeps == REBALANCE_WHYS || w->wish->force);
}

static void put(struct rebalance_work *w, struct rebalance_unit *u, uint32_t host, int sign)
{
    const struct rebalance_class *c = &w->classes[u->class];
    uint32_t one = sign < 0 ? (uint32_t)-1 : 1;

    *count_at(w, u->class, host) += one;
    *free_at(w, u->class, host) += may_move(w, u) ? one : 0;
    w->total[c->kind * w->hosts + host] += one * c->size;
    w->tasks[host] += one * c->size;
}

static void count_all(struct rebalance_work *w)
{
    for (uint32_t h = 0; h < w->hosts; h++) {
        const struct rebalance_host *host = &w->wish->hosts[h];
        uint32_t beside = 0;
        for (uint32_t i = 0; i < w->hosts; i++) {
            beside += w->wish->hosts[i].worker == host->worker && !w->wish->hosts[i].leave;
        }
        if (!host->leave) {
            w->worth[h] = (uint64_t)host->lanes * WORTH / beside;
            w->worth[w->hosts + h] = (uint64_t)host->blocking * WORTH / beside;
        }
    }
    for (uint32_t i = 0; i < w->unit_count; i++) {
        if (w->units[i].host != REBALANCE_NONE) {
            put(w, &w->units[i], w->units[i].host, 1);
        }
    }
}

/* a of worth a_worth is less than b of b_worth */
static bool is_less(uint64_t a, uint64_t a_worth, uint64_t b, uint64_t b_worth)
{
    return a * b_worth < b * a_worth;
}

/* ---- moving a unit ---- */

static bool is_full(const struct rebalance_work *w, uint32_t size)
{
    return w->moving + size > w->wish->moves_max;
}

static void move_to(struct rebalance_work *w, struct rebalance_unit *u, uint32_t host)
{
    bool was_moving = u->host != u->origin;

    put(w, u, u->host, -1);
    u->host = host;
    put(w, u, host, 1);
    if (was_moving && u->host == u->origin) {
        w->moving -= u->size;
    } else if (!was_moving) {
        w->moving += u->size;
    }
}

static const char *place_of(const struct rebalance_work *w, const struct rebalance_class *c,
                            uint32_t member)
{
    uint32_t processor = w->units[c->first].members[member].processor;
    return plan_place(&w->plan->processors[processor]);
}

/* Whether all members of its units may be there. */
static bool takes(const struct rebalance_work *w, const struct rebalance_class *c, uint32_t host)
{
    const struct rebalance_host *h = &w->wish->hosts[host];

    for (uint32_t i = 0; i < c->size; i++) {
        if (!place_takes(place_of(w, c, i), h->name ? h->name : "", h->labels, h->label_count)) {
            return false;
        }
    }
    return true;
}

static bool is_placed(const struct rebalance_work *w, const struct rebalance_class *c)
{
    for (uint32_t i = 0; i < c->size; i++) {
        if (*place_of(w, c, i) != '\0') {
            return true;
        }
    }
    return false;
}

/* Who has the least with one more of that class; REBALANCE_NONE: nobody has room. Among equals, who
 * has least in all. counts: [host], of that class. */
static uint32_t find_least(const struct rebalance_work *w, const struct rebalance_class *c,
                           const uint32_t *counts)
{
    const uint64_t *worth = &w->worth[c->kind * w->hosts];
    const uint32_t *total = &w->total[c->kind * w->hosts];
    uint32_t best = REBALANCE_NONE;

    for (uint32_t h = 0; h < w->hosts; h++) {
        if (worth[h] == 0 || w->tasks[h] + c->size > w->wish->hosts[h].room || !takes(w, c, h)) {
            continue;
        }
        if (best == REBALANCE_NONE ||
            is_less(counts[h] + 1u, worth[h], counts[best] + 1u, worth[best]) ||
            (!is_less(counts[best] + 1u, worth[best], counts[h] + 1u, worth[h]) &&
             is_less(total[h] + c->size, worth[h], total[best] + c->size, worth[best]))) {
            best = h;
        }
    }
    return best;
}

/* Who has the most of that class, and one that may move. */
static uint32_t find_most(const struct rebalance_work *w, const struct rebalance_class *c,
                          const uint32_t *counts, const uint32_t *movable)
{
    const uint64_t *worth = &w->worth[c->kind * w->hosts];
    const uint32_t *total = &w->total[c->kind * w->hosts];
    uint32_t best = REBALANCE_NONE;

    for (uint32_t h = 0; h < w->hosts; h++) {
        if (worth[h] == 0 || movable[h] == 0) {
            continue;
        }
        if (best == REBALANCE_NONE || is_less(counts[best], worth[best], counts[h], worth[h]) ||
            (!is_less(counts[h], worth[h], counts[best], worth[best]) &&
             is_less(total[best], worth[best], total[h], worth[h]))) {
            best = h;
        }
    }
    return best;
}

/* Of a class on a host: one that is on its way already, or the last one of the fullest lane. */
static struct rebalance_unit *pick(const struct rebalance_work *w, uint32_t class, uint32_t host)
{
    const struct rebalance_class *c = &w->classes[class];
    uint32_t lanes[MSG_LANES_MAX] = {0};
    struct rebalance_unit *best = NULL;

    for (uint32_t i = 0; i < c->count; i++) {
        const struct rebalance_unit *u = &w->units[c->first + i];
        if (u->host == host && u->origin == host) {
            lanes[u->lane % MSG_LANES_MAX]++;
        }
    }
    for (uint32_t i = 0; i < c->count; i++) {
        struct rebalance_unit *u = &w->units[c->first + i];
        if (u->host != host || !may_move(w, u)) {
            continue;
        }
        if (u->origin != host) {
            return u;
        }
        if (!best || lanes[u->lane % MSG_LANES_MAX] >= lanes[best->lane % MSG_LANES_MAX]) {
            best = u;
        }
    }
    return best;
}

/* ---- passes ---- */

static void refuse(struct rebalance_work *w, const struct rebalance_unit *u, enum rebalance_why why,
                   uint32_t units)
{
    for (uint32_t i = 0; i < u->size; i++) {
        w->refused[u->members[i].processor * REBALANCE_WHYS + why] += units;
    }
}

static void leave(struct rebalance_work *w)
{
    for (uint32_t i = 0; i < w->unit_count; i++) {
        struct rebalance_unit *u = &w->units[i];
        const struct rebalance_class *c = &w->classes[u->class];
        uint32_t to;
        if (u->host == REBALANCE_NONE || u->fixed || !w->wish->hosts[u->host].leave) {
            continue;
        }
        if (!may_move(w, u) && !w->wish->hosts[u->host].force) {
            refuse(w, u, u->keeps, 1);
            continue;
        }
        to = find_least(w, c, count_at(w, u->class, 0));
        if (to == REBALANCE_NONE) {
            refuse(w, u, is_placed(w, c) ? REBALANCE_PLACE : REBALANCE_ROOM, 1);
        } else if (!is_full(w, u->size)) {
            move_to(w, u, to);
        }
    }
}

/* None of them may move: how many should? */
static void lament(struct rebalance_work *w, uint32_t class)
{
    const struct rebalance_class *c = &w->classes[class];
    const uint64_t *worth = &w->worth[c->kind * w->hosts];
    const struct rebalance_unit *u = &w->units[c->first];

    memcpy(w->row, count_at(w, class, 0), w->hosts * sizeof *w->row);
    for (;;) {
        uint32_t to = find_least(w, c, w->row);
        uint32_t from = find_most(w, c, w->row, w->row);
        if (to == REBALANCE_NONE || from == REBALANCE_NONE ||
            !is_less(w->row[to] + 1u, worth[to], w->row[from], worth[from])) {
            return;
        }
        w->row[to]++;
        w->row[from]--;
        refuse(w, u, u->keeps, 1);
    }
}

static void even(struct rebalance_work *w, uint32_t class)
{
    const struct rebalance_class *c = &w->classes[class];
    const uint64_t *worth = &w->worth[c->kind * w->hosts];
    const uint32_t *counts = count_at(w, class, 0);

    while (!is_full(w, c->size)) {
        uint32_t to = find_least(w, c, counts);
        uint32_t from = find_most(w, c, counts, free_at(w, class, 0));
        if (to == REBALANCE_NONE || from == REBALANCE_NONE ||
            !is_less(counts[to] + 1u, worth[to], counts[from], worth[from])) {
            return;
        }
        move_to(w, pick(w, class, from), to);
    }
}

/* A class of which one may move from the fuller host to the other; REBALANCE_NONE. */
static uint32_t find_class(const struct rebalance_work *w, uint32_t kind, uint32_t from,
                           uint32_t to)
{
    const uint64_t *worth = &w->worth[kind * w->hosts];
    const uint32_t *total = &w->total[kind * w->hosts];

    for (uint32_t c = 0; c < w->class_count; c++) {
        uint32_t size = w->classes[c].size;
        if (w->classes[c].kind == kind && *free_at(w, c, from) > 0 && !is_full(w, size) &&
            w->tasks[to] + size <= w->wish->hosts[to].room && takes(w, &w->classes[c], to) &&
            is_less(total[to] + size, worth[to], total[from], worth[from]) &&
            !is_less(*count_at(w, c, from), worth[from], *count_at(w, c, to) + 1u, worth[to])) {
            return c;
        }
    }
    return REBALANCE_NONE;
}

/* Among hosts of that kind, who would have the least with one more. REBALANCE_NONE: there is
 * none. */
static uint32_t find_idle(const struct rebalance_work *w, uint32_t kind)
{
    const uint64_t *worth = &w->worth[kind * w->hosts];
    const uint32_t *total = &w->total[kind * w->hosts];
    uint32_t best = REBALANCE_NONE;

    for (uint32_t h = 0; h < w->hosts; h++) {
        if (worth[h] > 0 && (best == REBALANCE_NONE ||
                             is_less(total[h] + 1u, worth[h], total[best] + 1u, worth[best]))) {
            best = h;
        }
    }
    return best;
}

/* One move from a fuller host to a less full one. False: there is none. */
static bool level_once(struct rebalance_work *w, uint32_t kind)
{
    const uint64_t *worth = &w->worth[kind * w->hosts];
    const uint32_t *total = &w->total[kind * w->hosts];
    uint32_t idle = find_idle(w, kind);

    for (uint32_t from = 0; from < w->hosts && idle != REBALANCE_NONE; from++) {
        if (worth[from] == 0 || !is_less(total[idle] + 1u, worth[idle], total[from], worth[from])) {
            continue; /* it has no more than anybody */
        }
        for (uint32_t to = 0; to < w->hosts; to++) {
            uint32_t c =
                worth[to] > 0 && from != to ? find_class(w, kind, from, to) : REBALANCE_NONE;
            if (c != REBALANCE_NONE) {
                move_to(w, pick(w, c, from), to);
                return true;
            }
        }
    }
    return false;
}

static void spread(struct rebalance_work *w)
{
    for (uint32_t c = 0; c < w->class_count; c++) {
        uint32_t movable = 0;
        for (uint32_t h = 0; h < w->hosts; h++) {
            movable += *free_at(w, c, h);
        }
        if (movable > 0) {
            even(w, c);
        } else if (w->units[w->classes[c].first].keeps != REBALANCE_WHYS) {
            lament(w, c);
        }
    }
    for (uint32_t kind = 0; kind < 2; kind++) {
        while (level_once(w, kind)) {
        }
    }
}

/* ---- lanes ---- */

static uint32_t *lane_at(uint32_t *table, uint32_t host, uint32_t lane)
{
    return &table[(size_t)host * MSG_LANES_MAX + lane % MSG_LANES_MAX];
}

static uint32_t find_lane(const struct rebalance_work *w, uint32_t host, uint32_t kind)
{
    const struct rebalance_host *h = &w->wish->hosts[host];
    uint32_t first = kind ? h->lanes : 0;
    uint32_t end = kind ? h->lanes + h->blocking : h->lanes;
    uint32_t best = first;

    for (uint32_t l = first + 1; l < end; l++) {
        uint32_t mine = *lane_at(w->lane_row, host, l);
        uint32_t least = *lane_at(w->lane_row, host, best);
        if (mine < least ||
            (mine == least && *lane_at(w->lane_sum, host, l) < *lane_at(w->lane_sum, host, best))) {
            best = l;
        }
    }
    return best;
}

static void choose_lanes(struct rebalance_work *w)
{
    size_t size = (size_t)w->hosts * MSG_LANES_MAX * sizeof *w->lane_row;

    for (uint32_t i = 0; i < w->unit_count; i++) {
        const struct rebalance_unit *u = &w->units[i];
        if (u->host != REBALANCE_NONE && u->host == u->origin) {
            *lane_at(w->lane_sum, u->host, u->lane) += u->size;
        }
    }
    for (uint32_t k = 0; k < w->class_count && w->moving > 0; k++) {
        const struct rebalance_class *c = &w->classes[k];
        memset(w->lane_row, 0, size);
        for (uint32_t i = 0; i < c->count; i++) {
            const struct rebalance_unit *u = &w->units[c->first + i];
            if (u->host != REBALANCE_NONE && u->host == u->origin) {
                *lane_at(w->lane_row, u->host, u->lane) += 1;
            }
        }
        for (uint32_t i = 0; i < c->count; i++) {
            struct rebalance_unit *u = &w->units[c->first + i];
            if (u->host != u->origin) {
                u->lane = find_lane(w, u->host, c->kind);
                *lane_at(w->lane_row, u->host, u->lane) += 1;
                *lane_at(w->lane_sum, u->host, u->lane) += u->size;
            }
        }
    }
}

/* ---- the plan ---- */

static int compare_moves(const void *x, const void *y)
{
    const struct rebalance_move *a = x;
    const struct rebalance_move *b = y;

    if (a->processor != b->processor) {
        return a->processor < b->processor ? -1 : 1;
    }
    return (a->task > b->task) - (a->task < b->task);
}

static int write_plan(const struct rebalance_work *w, struct rebalance *ret)
{
    uint32_t processors = w->plan->processor_count;
    struct rebalance r = {.moves = calloc(w->moving + 1u, sizeof *r.moves),
                          .refused = calloc(processors * REBALANCE_WHYS + 1u, sizeof *r.refused)};

    if (!r.moves || !r.refused) {
        rebalance_deinit(&r);
        return GP_ENOMEM;
    }
    for (uint32_t i = 0; i < w->unit_count; i++) {
        const struct rebalance_unit *u = &w->units[i];
        for (uint32_t k = 0; k < u->size && u->host != u->origin; k++) {
            r.moves[r.move_count++] = (struct rebalance_move){u->members[k].processor,
                                                              u->members[k].task, u->host, u->lane};
        }
    }
    ASSERT(r.move_count == w->moving);
    qsort(r.moves, r.move_count, sizeof *r.moves, compare_moves);
    for (uint32_t i = 0; i < processors * REBALANCE_WHYS; i++) {
        if (w->refused[i] > 0) {
            r.refused[r.refused_count++] = (struct rebalance_refused){
                i / REBALANCE_WHYS, (enum rebalance_why)(i % REBALANCE_WHYS), w->refused[i]};
        }
    }
    *ret = r;
    return 0;
}

int rebalance_plan(const struct plan *plan, const struct record *record,
                   const struct rebalance_wish *wish, struct rebalance *ret)
{
    struct rebalance_work w;
    int rc;

    *ret = (struct rebalance){0};
    if (wish->host_count == 0 || record->ranges_count == 0) {
        return 0;
    }
    rc = rebalance_work_init(&w, plan, record, wish);
    if (rc >= 0) {
        count_all(&w);
        leave(&w);
        if (wish->spread) {
            spread(&w);
        }
        choose_lanes(&w);
        rc = write_plan(&w, ret);
    }
    rebalance_work_deinit(&w);
    return rc;
}

void rebalance_deinit(struct rebalance *r)
{
    free(r->moves);
    free(r->refused);
    *r = (struct rebalance){0};
}
