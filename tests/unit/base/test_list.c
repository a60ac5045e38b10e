/* The intrusive list: order, removal anywhere, joining. */
#include "base/list.h"
#include "gp_test.h"

struct item {
    int number;
    struct list_node node;
};

static void make(struct item *items, int count)
{
    for (int i = 0; i < count; i++) {
        items[i].number = i;
        list_node_init(&items[i].node);
    }
}

/* The numbers in order as one decimal number. */
static int digits(const struct list *list)
{
    int all = 0;

    LIST_FOREACH (node, list) {
        all = all * 10 + LIST_ENTRY(node, struct item, node)->number;
    }
    return all;
}

GP_TEST(list, keeps_the_order_of_pushing)
{
    struct item items[4];
    struct list list;

    make(items, 4);
    list_init(&list);
    GP_CHECK(list_is_empty(&list));
    GP_CHECK(list_first(&list) == NULL && list_last(&list) == NULL);
    GP_CHECK(list_pop_front(&list) == NULL);
    list_push_back(&list, &items[2].node);
    list_push_back(&list, &items[3].node);
    list_push_front(&list, &items[1].node);
    list_insert_after(&items[1].node, &items[0].node);
    GP_CHECK_EQ(digits(&list), 1023);
    GP_CHECK_EQ(list_count(&list), 4);
    GP_CHECK(list_first(&list) == &items[1].node);
    GP_CHECK(list_last(&list) == &items[3].node);
}

GP_TEST(list, removes_anywhere_and_twice)
{
    struct item items[4];
    struct list list;

    make(items, 4);
    list_init(&list);
    for (int i = 1; i < 4; i++) {
        list_push_back(&list, &items[i].node);
    }
    list_remove(&items[2].node);
    GP_CHECK(!list_is_linked(&items[2].node));
    GP_CHECK(list_is_linked(&items[1].node));
    list_remove(&items[2].node);
    GP_CHECK_EQ(digits(&list), 13);
    GP_CHECK(list_pop_front(&list) == &items[1].node);
    list_remove(&items[3].node);
    GP_CHECK(list_is_empty(&list));
}

GP_TEST(list, the_body_of_a_safe_walk_may_remove_its_node)
{
    struct item items[5];
    struct list list;

    make(items, 5);
    list_init(&list);
    for (int i = 0; i < 5; i++) {
        list_push_back(&list, &items[i].node);
    }
    LIST_FOREACH_SAFE(node, &list)
    {
        if (LIST_ENTRY(node, struct item, node)->number % 2 == 0) {
            list_remove(node);
        }
    }
    GP_CHECK_EQ(digits(&list), 13);
}

GP_TEST(list, append_all_moves_and_empties)
{
    struct item items[4];
    struct list to;
    struct list from;

    make(items, 4);
    list_init(&to);
    list_init(&from);
    list_append_all(&to, &from);
    GP_CHECK(list_is_empty(&to));
    list_push_back(&from, &items[1].node);
    list_push_back(&from, &items[2].node);
    list_append_all(&to, &from);
    GP_CHECK(list_is_empty(&from));
    list_push_back(&from, &items[3].node);
    list_append_all(&to, &from);
    GP_CHECK_EQ(digits(&to), 123);
    list_remove(&items[3].node);
    GP_CHECK(list_last(&to) == &items[2].node);
}
