/*
 * port/loop.h in every world.
 */
#include "gp_test.h"
#include "port/conformance.h"

#define MS INT64_C(1000000)

struct counter {
    struct timer *timer;
    uint32_t count;
    int64_t at_ns;
    struct loop *loop;
};

static void on_timer(void *user)
{
    struct counter *counter = user;

    counter->count++;
    counter->at_ns = loop_fresh_now_ns(counter->loop);
}

static void counter_begin(struct counter *counter, struct conf *c)
{
    *counter = (struct counter){.loop = c->loop};
    GP_REQUIRE_EQ(timer_new(c->loop, on_timer, counter, &counter->timer), 0);
}

void conf_pass(struct conf *c, int64_t duration_ns)
{
    struct counter counter;

    counter_begin(&counter, c);
    timer_start(counter.timer, duration_ns);
    CONF_WAIT(c, counter.count == 1);
    timer_free(counter.timer);
}

const char *conf_path(const struct conf *c, const char *name, char *out, size_t size)
{
    int len = snprintf(out, size, "%s/%s", c->folder, name);

    GP_REQUIRE(len > 0 && (size_t)len < size);
    return out;
}

void conformance_timer_fires_once_and_not_too_early(struct conf *c)
{
    struct counter counter;
    int64_t start_ns;

    counter_begin(&counter, c);
    start_ns = loop_fresh_now_ns(c->loop);
    timer_start(counter.timer, 5 * MS);
    CONF_WAIT(c, counter.count == 1);
    /* A resolution of 1 ms cuts both ways. */
    GP_CHECK(counter.at_ns - start_ns >= 4 * MS);
    conf_pass(c, 20 * MS);
    GP_CHECK_EQ(counter.count, 1);
    timer_free(counter.timer);
}

/* Not from inside the call that arms it: the caller is not ready for it there. */
void conformance_timer_of_no_delay_fires_later(struct conf *c)
{
    struct counter counter;

    counter_begin(&counter, c);
    timer_start(counter.timer, 0);
    GP_CHECK_EQ(counter.count, 0);
    CONF_WAIT(c, counter.count == 1);
    timer_free(counter.timer);
}

void conformance_timer_started_again_moves(struct conf *c)
{
    struct counter counter;
    int64_t start_ns;

    counter_begin(&counter, c);
    start_ns = loop_fresh_now_ns(c->loop);
    timer_start(counter.timer, 2 * MS);
    timer_start(counter.timer, 20 * MS);
    CONF_WAIT(c, counter.count == 1);
    GP_CHECK(counter.at_ns - start_ns >= 19 * MS);
    timer_start(counter.timer, 1 * MS);
    CONF_WAIT(c, counter.count == 2);
    timer_free(counter.timer);
}

void conformance_timer_stopped_stays_silent(struct conf *c)
{
    struct counter stopped;
    struct counter freed;

    counter_begin(&stopped, c);
    counter_begin(&freed, c);
    timer_start(stopped.timer, 2 * MS);
    timer_start(freed.timer, 2 * MS);
    timer_stop(stopped.timer);
    timer_free(freed.timer);
    conf_pass(c, 20 * MS);
    GP_CHECK_EQ(stopped.count, 0);
    GP_CHECK_EQ(freed.count, 0);
    timer_stop(stopped.timer);
    timer_free(stopped.timer);
    timer_free(NULL);
}

static void on_timer_freeing(void *user)
{
    struct counter *counter = user;

    counter->count++;
    timer_free(counter->timer);
    counter->timer = NULL;
}

void conformance_timer_may_be_freed_in_its_callback(struct conf *c)
{
    struct counter counter = {.loop = c->loop};

    GP_REQUIRE_EQ(timer_new(c->loop, on_timer_freeing, &counter, &counter.timer), 0);
    timer_start(counter.timer, 0);
    CONF_WAIT(c, counter.count == 1);
    conf_pass(c, 2 * MS);
    GP_CHECK_EQ(counter.count, 1);
}

void conformance_clocks_never_go_back(struct conf *c)
{
    int64_t last_ns = loop_fresh_now_ns(c->loop);
    int64_t first_ns = last_ns;

    GP_CHECK(loop_wall_ns(c->loop) > INT64_C(1600000000) * 1000 * MS);
    for (int i = 0; i < 20; i++) {
        conf_pass(c, MS / 4);
        GP_CHECK(loop_now_ns(c->loop) >= last_ns);
        last_ns = loop_fresh_now_ns(c->loop);
        GP_CHECK_EQ(loop_now_ns(c->loop), last_ns);
    }
    GP_CHECK(last_ns > first_ns);
}
