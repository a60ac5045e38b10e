#include "gp_test.h"
#include "graph/place.h"

GP_TEST(place, is_a_worker_or_a_label_or_nothing)
{
    static const char *const good[] = {"", "worker:a", "worker:127.0.0.1:3000", "label:zone=a",
                                       "label:disk/kind=nvme-2"};
    static const char *const bad[] = {"a",           "worker:",        "label:zone", "label:=a",
                                      "label:zone=", "label:zone=a b", "zone=a",     "worker"};

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        GP_CHECK(place_is_valid(gp_str_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        GP_CHECK(!place_is_valid(gp_str_of(bad[i])));
    }
}

GP_TEST(place, takes_workers_by_name_and_by_label)
{
    char zone[] = "zone=a";
    char disk[] = "disk=ssd";
    char *labels[] = {zone, disk};

    GP_CHECK(place_takes("", "one", labels, 2));
    GP_CHECK(place_takes("worker:one", "one", NULL, 0));
    GP_CHECK(!place_takes("worker:one", "one1", labels, 2));
    GP_CHECK(place_takes("label:disk=ssd", "one", labels, 2));
    GP_CHECK(!place_takes("label:disk=ssd", "one", labels, 1));
    GP_CHECK(!place_takes("label:disk=ss", "one", labels, 2));
}
