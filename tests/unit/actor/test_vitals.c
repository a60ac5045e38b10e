/* How a process is doing, as others are told. */
#include "actor/vitals.h"
#include "fake_port.h"
#include "gp_test.h"

#define S_NS INT64_C(1000000000)

static void use_nothing(void *world, struct port_usage *ret)
{
    (void)world;
    *ret = (struct port_usage){0};
}

static int64_t be_nobody(void *world)
{
    (void)world;
    return 1;
}

static const struct world_ops nobody = {.usage = use_nothing, .self_pid = be_nobody};

static uint64_t told_us(struct vitals *v)
{
    struct msg_vitals told;

    vitals_tell(v, NULL, &told);
    return told.loop_lag_us;
}

/* Two who look one after the other see the same, whoever comes first; it is forgotten a minute
 * later. */
GP_TEST(vitals, show_a_peak_to_all_for_a_minute)
{
    struct vitals v;
    struct fake f;

    fake_init(&f);
    f.port.ops = &nobody;
    fake_advance(&f, 7 * S_NS);
    vitals_init(&v, &f.port);
    vitals_await(&v, S_NS);
    fake_advance(&f, S_NS + 5000000);
    vitals_came(&v);
    GP_CHECK_EQ(told_us(&v), 5000);
    GP_CHECK_EQ(told_us(&v), 5000);
    for (int i = 0; i < 44; i++) {
        vitals_await(&v, S_NS);
        fake_advance(&f, S_NS);
        vitals_came(&v);
        GP_CHECK_EQ(told_us(&v), 5000);
    }
    fake_advance(&f, 16 * S_NS);
    GP_CHECK_EQ(told_us(&v), 0);
    vitals_await(&v, S_NS);
    fake_advance(&f, S_NS + 3000000);
    vitals_came(&v);
    fake_advance(&f, 3600 * S_NS);
    GP_CHECK_EQ(told_us(&v), 0);
    fake_deinit(&f);
}
