#include <fcntl.h>
#include <pthread.h>
#include <time.h>

#include "edge/loop.h"
#include "rig.h"

static int64_t clock_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

struct count {
    struct rig *rig;
    struct timer *timer;
    int calls;
    int64_t at_ns;
};

static void on_count(void *user)
{
    struct count *c = user;

    c->calls++;
    c->at_ns = clock_ns();
}

GP_TEST(loop, timer_fires_once_and_never_early)
{
    static const int64_t delays_ns[] = {0, 1, 999999, 1000000, 1000001, 3500000, 20000000};
    struct rig rig;
    struct count c = {0};

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count, &c, &c.timer), 0);
    for (size_t i = 0; i < sizeof(delays_ns) / sizeof(delays_ns[0]); i++) {
        int64_t start_ns = loop_fresh_now_ns(rig.loop);

        c.calls = 0;
        timer_start(c.timer, delays_ns[i]);
        GP_CHECK_EQ(c.calls, 0); /* not from inside the call */
        RIG_PUMP_UNTIL(&rig, c.calls > 0);
        GP_CHECK(c.at_ns - start_ns >= delays_ns[i]);
        edge_step(rig.world, false);
        GP_CHECK_EQ(c.calls, 1);
    }
    timer_free(c.timer);
    rig_end(&rig);
}

static void on_count_on(void *user)
{
    struct count *c = user;

    on_count(c);
    timer_start(c->timer, 0);
}

/* Without waiting for the clock, and yet the loop has its turn in between. */
GP_TEST(loop, timer_of_no_delay_fires_once_a_step)
{
    struct rig rig;
    struct count c = {0};

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count_on, &c, &c.timer), 0);
    timer_start(c.timer, 0);
    for (int i = 1; i <= 3; i++) {
        edge_step(rig.world, true);
        GP_CHECK_EQ(c.calls, i);
    }
    timer_start(c.timer, INT64_MAX); /* moves it */
    edge_step(rig.world, false);
    GP_CHECK_EQ(c.calls, 3);
    timer_free(c.timer);
    rig_end(&rig);
}

GP_TEST(loop, timer_started_again_moves)
{
    struct rig rig;
    struct count moved = {0};
    struct count probe = {0};

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count, &moved, &moved.timer), 0);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count, &probe, &probe.timer), 0);
    timer_start(moved.timer, 1000000);
    timer_start(moved.timer, INT64_MAX); /* saturates, and never comes */
    timer_start(probe.timer, 10000000);
    RIG_PUMP_UNTIL(&rig, probe.calls == 1);
    GP_CHECK_EQ(moved.calls, 0);
    timer_start(moved.timer, 0);
    RIG_PUMP_UNTIL(&rig, moved.calls == 1);
    timer_free(moved.timer);
    timer_free(probe.timer);
    rig_end(&rig);
}

GP_TEST(loop, stopped_and_freed_timers_stay_silent)
{
    struct rig rig;
    struct count stopped = {0};
    struct count freed = {0};
    struct count probe = {0};

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count, &stopped, &stopped.timer), 0);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count, &freed, &freed.timer), 0);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_count, &probe, &probe.timer), 0);
    timer_start(stopped.timer, 0);
    timer_start(freed.timer, 0);
    timer_start(probe.timer, 2000000);
    timer_stop(stopped.timer);
    timer_free(freed.timer);
    RIG_PUMP_UNTIL(&rig, probe.calls == 1);
    GP_CHECK_EQ(stopped.calls, 0);
    GP_CHECK_EQ(freed.calls, 0);
    timer_free(stopped.timer);
    timer_free(probe.timer);
    rig_end(&rig);
}

static void on_free_self(void *user)
{
    struct count *c = user;

    c->calls++;
    timer_free(c->timer);
}

GP_TEST(loop, timer_can_free_itself)
{
    struct rig rig;
    struct count c = {0};

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_free_self, &c, &c.timer), 0);
    timer_start(c.timer, 0);
    RIG_PUMP_UNTIL(&rig, c.calls == 1);
    rig_end(&rig);
}

/* The cached time must be that of the event, not that of falling asleep before it. */
static void on_check_now(void *user)
{
    struct count *c = user;

    c->calls++;
    c->at_ns = clock_ns() - loop_now_ns(c->rig->loop);
}

GP_TEST(loop, now_is_read_again_after_a_sleep)
{
    struct rig rig;
    struct count c = {.rig = &rig};
    int64_t before_ns;

    rig_begin(&rig, NULL);
    before_ns = loop_now_ns(rig.loop);
    GP_CHECK_EQ(loop_now_ns(rig.loop), before_ns);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_check_now, &c, &c.timer), 0);
    timer_start(c.timer, 30000000);
    RIG_PUMP_UNTIL(&rig, c.calls == 1);
    GP_CHECK(c.at_ns >= 0 && c.at_ns < 20000000);
    GP_CHECK(loop_now_ns(rig.loop) >= before_ns + 30000000);
    GP_CHECK(loop_fresh_now_ns(rig.loop) >= loop_now_ns(rig.loop));
    GP_CHECK(loop_wall_ns(rig.loop) > INT64_C(1500000000) * 1000000000);
    timer_free(c.timer);
    rig_end(&rig);
}

/* ---- descriptors ---- */

struct watcher {
    struct fd_watch *watch;
    int calls;
    int events;
};

static void on_watched(void *user, int events)
{
    struct watcher *w = user;

    w->calls++;
    w->events = events;
}

struct late {
    struct rig *rig;
    struct timer *timer;
    int64_t due_ns;
    int64_t now_ns; /* as the timer saw it */
};

static void on_long_call(void *user)
{
    struct late *late = user;

    late->due_ns = loop_now_ns(late->rig->loop) + 1000000;
    timer_start(late->timer, 1000000);
    while (clock_ns() <= late->due_ns + 2000000) {
    }
}

static void on_late(void *user)
{
    struct late *late = user;

    late->now_ns = loop_now_ns(late->rig->loop);
}

/* A timer that is due by the clock but not by the cached time would be started again and again by
 * its owner, and never come to an end. */
GP_TEST(loop, now_is_past_the_deadline_of_a_timer_that_fires)
{
    struct rig rig;
    struct late late = {.rig = &rig};
    struct doorbell *bell;

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(doorbell_new(rig.loop, on_long_call, &late, &bell), 0);
    GP_REQUIRE_EQ(timer_new(rig.loop, on_late, &late, &late.timer), 0);
    doorbell_ring(bell);
    RIG_PUMP_UNTIL(&rig, late.now_ns > 0);
    GP_CHECK(late.now_ns >= late.due_ns);
    timer_free(late.timer);
    doorbell_free(bell);
    rig_end(&rig);
}

GP_TEST(loop, watch_tells_what_was_asked)
{
    struct rig rig;
    struct watcher in = {0};
    struct watcher out = {0};
    int fds[2];
    char byte = 'x';

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(pipe2(fds, O_CLOEXEC), 0);
    GP_REQUIRE_EQ(fd_watch_new(rig.loop, fds[0], on_watched, &in, &in.watch), 0);
    GP_REQUIRE_EQ(fd_watch_new(rig.loop, fds[1], on_watched, &out, &out.watch), 0);
    GP_CHECK_EQ(fd_watch_set(in.watch, LOOP_READABLE), 0);
    GP_CHECK_EQ(fd_watch_set(out.watch, LOOP_WRITABLE), 0);
    RIG_PUMP_UNTIL(&rig, out.calls > 0);
    GP_CHECK_EQ(out.events, LOOP_WRITABLE);
    GP_CHECK_EQ(in.calls, 0);
    GP_CHECK_EQ(fd_watch_set(out.watch, 0), 0);

    GP_REQUIRE_EQ(write(fds[1], &byte, 1), 1);
    RIG_PUMP_UNTIL(&rig, in.calls > 1); /* level-triggered: told again while it is so */
    GP_CHECK_EQ(in.events, LOOP_READABLE);

    GP_CHECK_EQ(fd_watch_set(in.watch, 0), 0);
    in.calls = 0;
    edge_step(rig.world, false);
    GP_CHECK_EQ(in.calls, 0);

    fd_watch_free(in.watch);
    GP_CHECK_EQ(fd_watch_set(out.watch, LOOP_WRITABLE), 0);
    (void)close(fds[0]);
    RIG_PUMP_UNTIL(&rig, out.events < 0); /* nobody can ever read it */
    GP_CHECK_EQ(out.events, GP_EIO);
    fd_watch_free(out.watch);
    (void)close(fds[1]);
    rig_end(&rig);
}

GP_TEST(loop, watch_refuses_what_cannot_be_polled)
{
    struct rig rig;
    struct fd_watch *watch = NULL;
    int fd;

    rig_begin(&rig, NULL);
    fd = open(rig_path(&rig, "file"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    GP_REQUIRE(fd >= 0);
    GP_CHECK_EQ(fd_watch_new(rig.loop, fd, on_watched, NULL, &watch), GP_EINVAL);
    (void)close(fd);
    GP_CHECK_EQ(fd_watch_new(rig.loop, fd, on_watched, NULL, &watch), GP_EINVAL);
    GP_CHECK(watch == NULL);
    fd_watch_free(NULL);
    rig_end(&rig);
}

/* ---- other threads ---- */

static void *stop_from_elsewhere(void *arg)
{
    edge_stop(arg);
    return NULL;
}

GP_TEST(loop, another_thread_can_stop_it)
{
    struct rig rig;
    pthread_t thread;

    rig_begin(&rig, NULL);
    for (int i = 0; i < 50; i++) {
        GP_REQUIRE_EQ(pthread_create(&thread, NULL, stop_from_elsewhere, rig.world), 0);
        edge_run(rig.world);
        GP_REQUIRE_EQ(pthread_join(thread, NULL), 0);
    }
    rig_end(&rig);
}

struct posted {
    struct edge_task task;
    int *runs;
};

static void on_posted(struct edge_task *task)
{
    ++*((struct posted *)task)->runs;
}

struct poster {
    struct edge_loop *loop;
    struct posted tasks[100];
};

static void *post_all(void *arg)
{
    struct poster *p = arg;

    for (size_t i = 0; i < 100; i++) {
        edge_loop_post(p->loop, &p->tasks[i].task);
    }
    return NULL;
}

GP_TEST(loop, posts_of_all_threads_arrive)
{
    static struct poster posters[4];
    struct rig rig;
    pthread_t threads[4];
    int runs = 0;

    rig_begin(&rig, NULL);
    for (size_t i = 0; i < 4; i++) {
        posters[i].loop = edge_loop_of(rig.loop);
        for (size_t j = 0; j < 100; j++) {
            list_node_init(&posters[i].tasks[j].task.node);
            posters[i].tasks[j].task.fn = on_posted;
            posters[i].tasks[j].runs = &runs;
        }
        GP_REQUIRE_EQ(pthread_create(&threads[i], NULL, post_all, &posters[i]), 0);
    }
    RIG_PUMP_UNTIL(&rig, runs == 400);
    for (size_t i = 0; i < 4; i++) {
        GP_REQUIRE_EQ(pthread_join(threads[i], NULL), 0);
    }
    rig_end(&rig);
}
