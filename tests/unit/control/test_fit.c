/* What fits where (fit.c). */
#include <stdlib.h>

#include "base/str.h"
#include "control/master/fit.h"
#include "gp_test.h"

static void add(struct workers *w, uint32_t id, const char *name, uint32_t slots, const char *label)
{
    struct msg_worker_register info = {.name = str_dup(gp_str_of(name)), .slots = slots};
    struct worker_entry *entry;

    info.labels = calloc(1, sizeof(char *));
    GP_REQUIRE(info.name && info.labels);
    info.labels[0] = str_dup(gp_str_of(label));
    info.labels_count = 1;
    GP_REQUIRE_EQ(workers_add(w, id, id, &info, 0, &entry), 0);
}

static void begin(struct workers *w)
{
    workers_init(w);
    add(w, 1, "one", 4, "zone=a");
    add(w, 2, "two", 4, "zone=a");
    add(w, 3, "three", 4, "zone=b");
}

GP_TEST(fit, puts_those_with_a_place_there_and_the_rest_anywhere)
{
    struct msg_slots_place places[] = {{"label:zone=a", 4}, {"worker:one", 3}};
    const struct fit_need need = {.slots = 9, .places = places, .place_count = 2};
    struct fit_room room;
    struct workers w;

    begin(&w);
    fit_now(&w, &room);
    GP_REQUIRE_EQ(fit_take(&w, &room, &need, NULL), 0);
    GP_CHECK(room.of[0].granted >= 3);
    GP_CHECK(room.of[0].granted + room.of[1].granted >= 7);
    GP_CHECK_EQ(room.of[0].granted + room.of[1].granted + room.of[2].granted, 9);
    GP_CHECK_EQ(fit_free(&room), 3);
    workers_deinit(&w);
}

/* What is kept for one is not granted to the next. */
GP_TEST(fit, grants_what_was_asked_for_last)
{
    const struct fit_need first = {.slots = 5};
    const struct fit_need second = {.slots = 4};
    struct fit_room room;
    struct workers w;
    uint32_t granted = 0;

    begin(&w);
    fit_now(&w, &room);
    GP_REQUIRE_EQ(fit_take(&w, &room, &first, NULL), 0);
    GP_REQUIRE_EQ(fit_take(&w, &room, &second, NULL), 0);
    for (uint32_t i = 0; i < room.count; i++) {
        granted += room.of[i].granted;
    }
    GP_CHECK_EQ(granted, 4);
    GP_CHECK_EQ(fit_free(&room), 3);
    GP_CHECK_EQ(fit_take(&w, &room, &second, NULL), GP_EFULL);
    GP_CHECK_EQ(fit_free(&room), 3); /* nothing was taken */
    workers_deinit(&w);
}

GP_TEST(fit, says_where_it_lacks)
{
    struct msg_slots_place nowhere[] = {{"worker:four", 1}};
    struct msg_slots_place full[] = {{"label:zone=b", 5}};
    struct fit_need need = {.slots = 6, .places = nowhere, .place_count = 1};
    struct gp_error err = {0};
    struct fit_room room;
    struct workers w;

    begin(&w);
    fit_now(&w, &room);
    GP_CHECK_EQ(fit_take(&w, &room, &need, &err), GP_EFULL);
    GP_CHECK_STR_EQ(err.text, "no worker is worker:four");
    need.places = full;
    GP_CHECK_EQ(fit_take(&w, &room, &need, &err), GP_EFULL);
    GP_CHECK_STR_EQ(err.text, "label:zone=b: not enough slots: 5 needed, 4 free on 1 worker");
    workers_deinit(&w);
}

GP_TEST(fit, alone_leaves_out_what_others_have)
{
    struct fit_room room;
    struct workers w;

    begin(&w);
    GP_REQUIRE_EQ(workers_grant(&w, 7, 1, 3), 0);
    GP_REQUIRE_EQ(workers_grant(&w, 8, 2, 2), 0);
    w.entries[2]->is_draining = true;
    fit_now(&w, &room);
    GP_CHECK_EQ(fit_free(&room), 3);
    fit_alone(&w, 7, &room);
    GP_CHECK_EQ(fit_free(&room), 5);
    fit_alone(&w, 0, &room);
    GP_CHECK_EQ(fit_free(&room), 8);
    GP_CHECK_EQ(fit_take_one(&w, &room, 1), 1); /* the other one first */
    workers_deinit(&w);
}
