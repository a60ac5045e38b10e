/*
 * An intrusive doubly linked list: the element embeds a list_node.
 *
 *     list ──▶ first ──▶ ... ──▶ last ──▶ (back to list)
 *
 * Invariant: a node is either linked in one list or points at itself. list_node_init it before
 * first use; then list_remove of an unlinked node is harmless. No allocation, one owner, no locks.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

struct list {
    struct list_node head;
};

static inline void list_node_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline void list_init(struct list *list)
{
    list_node_init(&list->head);
}

static inline bool list_is_empty(const struct list *list)
{
    return list->head.next == &list->head;
}

/* Whether the node is in some list. */
static inline bool list_is_linked(const struct list_node *node)
{
    return node->next != node;
}

/* Puts an unlinked node behind `at`, which is a linked node or &list->head. */
static inline void list_insert_after(struct list_node *at, struct list_node *node)
{
    ASSERT(!list_is_linked(node));
    node->prev = at;
    node->next = at->next;
    at->next->prev = node;
    at->next = node;
}

static inline void list_push_front(struct list *list, struct list_node *node)
{
    list_insert_after(&list->head, node);
}

static inline void list_push_back(struct list *list, struct list_node *node)
{
    list_insert_after(list->head.prev, node);
}

/* Takes the node out of its list, if it is in one. */
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_node_init(node);
}

/* The first or last node without removing it; NULL when empty. */
static inline struct list_node *list_first(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.next;
}

static inline struct list_node *list_last(const struct list *list)
{
    return list_is_empty(list) ? NULL : list->head.prev;
}

/* Removes and returns the first node; NULL when empty. */
static inline struct list_node *list_pop_front(struct list *list)
{
    struct list_node *node = list_first(list);

    if (node != NULL) {
        list_remove(node);
    }
    return node;
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_append_all(struct list *to, struct list *from)
{
    if (list_is_empty(from)) {
        return;
    }
    from->head.next->prev = to->head.prev;
    to->head.prev->next = from->head.next;
    from->head.prev->next = &to->head;
    to->head.prev = from->head.prev;
    list_init(from);
}

/* Counts by walking; a hot path keeps its own count. */
static inline size_t list_count(const struct list *list)
{
    size_t count = 0;

    for (const struct list_node *n = list->head.next; n != &list->head; n = n->next) {
        count++;
    }
    return count;
}

/* The element around a node; the node must not be NULL. */
#define LIST_ENTRY(node, type, member) container_of(node, type, member)

/* NOLINTBEGIN(bugprone-macro-parentheses): `node` is declared here, it cannot stand in
 * parentheses */

/* for each `struct list_node *node`; the list must not change meanwhile. */
#define LIST_FOREACH(node, list)                                                                   \
    for (struct list_node *node = (list)->head.next; node != &(list)->head; node = node->next)

/* The same, and the body may remove `node` itself (but not its successor). */
#define LIST_FOREACH_SAFE(node, list)                                                              \
    for (struct list_node *node = (list)->head.next, *node##_next = node->next;                    \
         node != &(list)->head; node = node##_next, node##_next = node->next)

/* NOLINTEND(bugprone-macro-parentheses) */

#endif
