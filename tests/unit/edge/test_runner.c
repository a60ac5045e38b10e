#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "edge/limits.h"
#include "rig.h"

/* A runner that takes work from a counter, sleeps when there is none, and is told by `quit`. */
struct lane {
    struct loop *loop;
    struct timer *timer;
    atomic_int work;
    atomic_int sleeping;
    atomic_bool quit;
    atomic_int done;
    int turns;
    int slept;
    int inits;
    int finis;
    int exits;
    int init_answer;
    int pinned; /* core, from 1 */
    cpu_set_t cpus;
    pthread_t thread;
    char name[16];
    struct rig *rig;
    struct runner *runner;
};

static int lane_init(void *user, struct loop *loop)
{
    struct lane *l = user;

    l->inits++;
    l->loop = loop;
    l->thread = pthread_self();
    (void)pthread_getname_np(pthread_self(), l->name, sizeof(l->name));
    (void)sched_getaffinity(0, sizeof(l->cpus), &l->cpus);
    return l->init_answer;
}

static enum runner_state lane_turn(void *user)
{
    struct lane *l = user;

    atomic_store(&l->sleeping, 0);
    GP_CHECK(pthread_equal(pthread_self(), l->thread));
    l->turns++;
    if (atomic_load(&l->work) > 0) {
        atomic_fetch_sub(&l->work, 1);
        atomic_fetch_add(&l->done, 1);
        return RUNNER_MORE;
    }
    return atomic_load(&l->quit) ? RUNNER_DONE : RUNNER_IDLE;
}

static int lane_may_sleep(void *user)
{
    struct lane *l = user;

    atomic_store(&l->sleeping, 1);
    if (atomic_load(&l->work) > 0 || atomic_load(&l->quit)) {
        return 0;
    }
    l->slept++;
    return 1;
}

static void lane_fini(void *user)
{
    ((struct lane *)user)->finis++;
}

static void lane_on_exit(void *user)
{
    struct lane *l = user;

    l->exits++;
    port_runner_free(l->rig->port, l->runner);
    l->runner = NULL;
}

static void lane_start(struct lane *l, struct rig *rig)
{
    struct gp_error err = {0};
    struct runner_spec spec = {
        .name = "lane-7",
        .init = lane_init,
        .turn = lane_turn,
        .may_sleep = lane_may_sleep,
        .fini = lane_fini,
        .on_exit = lane_on_exit,
        .user = l,
        .cpu = l->pinned - 1,
    };

    l->rig = rig;
    GP_REQUIRE_EQ(port_runner_start(rig->port, &spec, &l->runner, &err), 0);
}

/* As a producer does: publish, then wake only one who said that it sleeps. */
static void lane_give(struct lane *l, int n)
{
    atomic_fetch_add(&l->work, n);
    if (atomic_exchange(&l->sleeping, 0) != 0) {
        loop_wake(l->loop);
    }
}

static void lane_quit(struct lane *l)
{
    atomic_store(&l->quit, true);
    if (atomic_exchange(&l->sleeping, 0) != 0) {
        loop_wake(l->loop);
    }
}

GP_TEST(runner, runs_its_life_in_its_own_thread)
{
    struct rig rig;
    struct lane lane = {0};

    rig_begin(&rig, NULL);
    atomic_store(&lane.work, 100);
    atomic_store(&lane.quit, true);
    lane_start(&lane, &rig);
    RIG_PUMP_UNTIL(&rig, lane.exits > 0);
    GP_CHECK_EQ(lane.inits, 1);
    GP_CHECK_EQ(lane.finis, 1);
    GP_CHECK_EQ(lane.exits, 1);
    GP_CHECK_EQ(lane.turns, 101);
    GP_CHECK(!pthread_equal(lane.thread, pthread_self()));
    GP_CHECK_STR_EQ(lane.name, "lane-7");
    rig_end(&rig);
}

static int allowed(const cpu_set_t *cpus, int number)
{
    int cpu = 0;

    while (!CPU_ISSET((size_t)cpu, cpus) || number-- > 0) {
        cpu++;
    }
    return cpu;
}

/* The cores of this process may be any: they are counted, and after the last comes the first. */
GP_TEST(runner, is_bound_to_one_of_the_cores_there_are)
{
    cpu_set_t may;

    GP_REQUIRE_EQ(sched_getaffinity(0, sizeof(may), &may), 0);
    for (int i = 0; i <= CPU_COUNT(&may); i++) {
        struct rig rig;
        struct lane lane = {.pinned = i + 1};

        rig_begin(&rig, NULL);
        atomic_store(&lane.quit, true);
        lane_start(&lane, &rig);
        RIG_PUMP_UNTIL(&rig, lane.exits > 0);
        GP_CHECK_EQ(CPU_COUNT(&lane.cpus), 1);
        GP_CHECK(CPU_ISSET((size_t)allowed(&may, i % CPU_COUNT(&may)), &lane.cpus));
        rig_end(&rig);
    }
}

GP_TEST(runner, that_refuses_to_begin_only_exits)
{
    struct rig rig;
    struct lane lane = {.init_answer = GP_ENOMEM};

    rig_begin(&rig, NULL);
    lane_start(&lane, &rig);
    RIG_PUMP_UNTIL(&rig, lane.exits > 0);
    GP_CHECK_EQ(lane.turns, 0);
    GP_CHECK_EQ(lane.finis, 0);
    rig_end(&rig);
}

/* A wake that comes between the last look and the sleep must not be lost: then `done` stalls. */
GP_TEST(runner, no_wake_is_lost)
{
    enum { ROUNDS = 20000 };
    struct rig rig;
    struct lane lane = {0};

    rig_begin(&rig, NULL);
    lane_start(&lane, &rig);
    for (int i = 1; i <= ROUNDS; i++) {
        int64_t end_ns = loop_fresh_now_ns(rig.loop) + RIG_PATIENCE_NS;

        lane_give(&lane, 1);
        if (i % 3 == 0) {
            continue; /* sometimes a burst */
        }
        while (atomic_load(&lane.done) < i) {
            GP_REQUIRE(i % 64 != 0 || loop_fresh_now_ns(rig.loop) < end_ns);
        }
    }
    lane_quit(&lane);
    RIG_PUMP_UNTIL(&rig, lane.exits > 0);
    GP_CHECK_EQ(atomic_load(&lane.done), ROUNDS);
    rig_end(&rig);
}

/* ---- events while busy, and objects on the runner's loop ---- */

struct busy {
    struct rig *rig;
    struct runner *runner;
    struct timer *timer;
    struct loop *loop;
    int64_t now_ns;
    int turns;
    bool went_back;
    bool fired;
    bool ended;
};

static void busy_on_timer(void *user)
{
    ((struct busy *)user)->fired = true;
}

static int busy_init(void *user, struct loop *loop)
{
    struct busy *b = user;

    b->loop = loop;
    if (timer_new(loop, busy_on_timer, b, &b->timer) < 0) {
        return GP_ENOMEM;
    }
    timer_start(b->timer, 5000000);
    return 0;
}

static enum runner_state busy_turn(void *user)
{
    struct busy *b = user;

    b->turns++;
    b->went_back |= loop_now_ns(b->loop) < b->now_ns;
    b->now_ns = loop_now_ns(b->loop);
    return b->fired ? RUNNER_DONE : RUNNER_MORE;
}

static int busy_may_sleep(void *user)
{
    (void)user;
    GP_TEST_FAIL("asked although it never idles");
    return 0;
}

static void busy_fini(void *user)
{
    timer_free(((struct busy *)user)->timer);
}

static void busy_on_exit(void *user)
{
    ((struct busy *)user)->ended = true;
}

GP_TEST(runner, a_busy_one_still_sees_events)
{
    struct rig rig;
    struct busy b = {.rig = &rig};
    struct gp_error err = {0};
    struct runner_spec spec = {
        .name = "a-name-too-long-for-a-thread",
        .init = busy_init,
        .turn = busy_turn,
        .may_sleep = busy_may_sleep,
        .fini = busy_fini,
        .on_exit = busy_on_exit,
        .user = &b,
        .cpu = 0,
    };

    rig_begin(&rig, NULL);
    GP_REQUIRE_EQ(port_runner_start(rig.port, &spec, &b.runner, &err), 0);
    RIG_PUMP_UNTIL(&rig, b.ended);
    GP_CHECK(b.fired);
    GP_CHECK(b.turns > 8);
    GP_CHECK(!b.went_back);
    port_runner_free(rig.port, b.runner);
    rig_end(&rig);
}

/* ---- looking for more before sleeping ---- */

#define BYTES_MAX 64u

/* Reads bytes that it sends to itself: just before it would sleep, or `early` turns after the
 * last. */
struct reader {
    struct net_addr to;
    struct stream *stream;
    struct runner *runner;
    int listening_fd;
    int fd;
    char place[16];
    uint32_t bytes;
    uint32_t early_at;         /* the byte that comes early */
    uint32_t turns[BYTES_MAX]; /* from one byte to the next */
    bool ended;
};

static void reader_send(struct reader *r)
{
    GP_CHECK_EQ(write(r->fd, "x", 1), 1);
}

static void *reader_alloc(void *user, size_t *ret_len)
{
    struct reader *r = user;

    *ret_len = sizeof(r->place);
    return r->place;
}

static void reader_on_read(void *user, int64_t n)
{
    struct reader *r = user;

    GP_CHECK_EQ(n, 1);
    r->bytes++;
}

static void reader_on_connected(void *user, int status)
{
    static const struct stream_reader reader = {.alloc = reader_alloc, .on_read = reader_on_read};
    struct reader *r = user;

    GP_CHECK_EQ(status, 0);
    r->fd = accept(r->listening_fd, NULL, NULL);
    GP_CHECK(r->fd >= 0);
    GP_CHECK_EQ(stream_read_start(r->stream, &reader, r), 0);
}

static int reader_init(void *user, struct loop *loop)
{
    struct reader *r = user;

    return net_connect(loop, &r->to, reader_on_connected, r, &r->stream);
}

static enum runner_state reader_turn(void *user)
{
    struct reader *r = user;

    if (r->bytes == BYTES_MAX) {
        return RUNNER_DONE;
    }
    r->turns[r->bytes]++;
    if (r->bytes == r->early_at && r->turns[r->bytes] == 3) {
        reader_send(r);
    }
    return RUNNER_IDLE;
}

static int reader_may_sleep(void *user)
{
    struct reader *r = user;

    if (r->fd >= 0) {
        reader_send(r);
    }
    return 1;
}

static void reader_fini(void *user)
{
    stream_free(((struct reader *)user)->stream);
}

static void reader_on_exit(void *user)
{
    ((struct reader *)user)->ended = true;
}

static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
    GP_CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    GP_CHECK_EQ(listen(fd, 1), 0);
    return fd;
}

static void check_turns(const struct reader *r, uint32_t first, uint32_t end, bool looked)
{
    for (uint32_t i = first; i < end; i++) {
        GP_CHECK_EQ(r->turns[i] > EDGE_LOOKS_AFTER_READ, looked);
    }
}

/* Looks cost as much as what they are to spare. */
GP_TEST(runner, looks_for_more_bytes_while_some_come)
{
    struct rig rig;
    struct gp_error err = {0};
    struct reader r = {.fd = -1, .early_at = 2 * EDGE_LOOKS_RETRY + 1};
    struct runner_spec spec = {
        .name = "reader",
        .init = reader_init,
        .turn = reader_turn,
        .may_sleep = reader_may_sleep,
        .fini = reader_fini,
        .on_exit = reader_on_exit,
        .user = &r,
        .cpu = -1,
    };

    rig_begin(&rig, NULL);
    r.listening_fd = listen_at(rig_path(&rig, "s"));
    (void)snprintf(r.to.text, sizeof(r.to.text), "unix:%s", rig_path(&rig, "s"));
    GP_REQUIRE_EQ(port_runner_start(rig.port, &spec, &r.runner, &err), 0);
    RIG_PUMP_UNTIL(&rig, r.ended);
    /* Before bytes[i + 1] it has seen i come to nothing. */
    check_turns(&r, 1, 1 + EDGE_LOOKS_VAIN_MAX, true);
    check_turns(&r, 1 + EDGE_LOOKS_VAIN_MAX, 1 + EDGE_LOOKS_RETRY, false);
    check_turns(&r, 1 + EDGE_LOOKS_RETRY, 2 + EDGE_LOOKS_RETRY, true);
    check_turns(&r, 2 + EDGE_LOOKS_RETRY, 1 + 2 * EDGE_LOOKS_RETRY, false);
    GP_CHECK_EQ(r.turns[r.early_at], 3);
    /* One look has found something: they are worth it again. */
    check_turns(&r, r.early_at + 1, r.early_at + 1 + EDGE_LOOKS_VAIN_MAX, true);
    check_turns(&r, r.early_at + 1 + EDGE_LOOKS_VAIN_MAX, r.early_at + 1 + EDGE_LOOKS_RETRY, false);
    port_runner_free(rig.port, r.runner);
    (void)close(r.fd);
    (void)close(r.listening_fd);
    rig_end(&rig);
}

/* ---- what a runner's loop still owes when it is done ---- */

struct speaker {
    struct rig *rig;
    struct runner *runner;
    struct net_addr to;
    struct stream *stream;
    struct loop *loop;
    int connected;
    int written;
    atomic_bool silent; /* fini was called */
    bool ended;
};

#define SPEECH_SIZE (4u << 20) /* more than a Unix socket takes at once */

static char speech[SPEECH_SIZE];

static void speaker_on_written(void *user, int status)
{
    GP_CHECK_EQ(status, 0);
    ((struct speaker *)user)->written++;
}

static void speaker_on_connected(void *user, int status)
{
    struct speaker *s = user;
    struct net_buf buf = {speech, SPEECH_SIZE};

    GP_CHECK_EQ(status, 0);
    s->connected++;
    GP_CHECK_EQ(stream_write(s->stream, &buf, 1, speaker_on_written, s), 0);
}

static int speaker_init(void *user, struct loop *loop)
{
    struct speaker *s = user;

    s->loop = loop;
    return net_connect(loop, &s->to, speaker_on_connected, s, &s->stream);
}

static enum runner_state speaker_turn(void *user)
{
    return ((struct speaker *)user)->connected > 0 ? RUNNER_DONE : RUNNER_IDLE;
}

static int speaker_may_sleep(void *user)
{
    (void)user;
    return 1;
}

static void speaker_fini(void *user)
{
    struct speaker *s = user;

    GP_CHECK_EQ(s->written, 0); /* nobody has read yet */
    stream_end(s->stream);
    atomic_store(&s->silent, true);
    loop_wake(s->rig->loop);
}

static void speaker_on_exit(void *user)
{
    struct speaker *s = user;

    GP_CHECK_EQ(s->written, 1);
    s->ended = true;
    loop_wake(s->loop); /* allowed until it is freed */
    port_runner_free(s->rig->port, s->runner);
}

struct listening {
    struct stream *stream;
    char place[65536];
    size_t got;
    int64_t over;
};

static void *listening_alloc(void *user, size_t *ret_len)
{
    struct listening *l = user;

    *ret_len = sizeof(l->place);
    return l->place;
}

static void listening_on_read(void *user, int64_t n)
{
    struct listening *l = user;

    if (n > 0) {
        l->got += (size_t)n;
    } else {
        l->over = n;
        stream_free(l->stream);
    }
}

static void listening_on_accepted(void *user, struct stream *stream)
{
    ((struct listening *)user)->stream = stream;
}

GP_TEST(runner, last_words_leave_after_fini)
{
    static const struct stream_reader reader = {.alloc = listening_alloc,
                                                .on_read = listening_on_read};
    static struct listening l;
    struct rig rig;
    struct speaker s = {.rig = &rig};
    struct listener *listener = NULL;
    struct gp_error err = {0};
    struct runner_spec spec = {
        .name = "speaker",
        .init = speaker_init,
        .turn = speaker_turn,
        .may_sleep = speaker_may_sleep,
        .fini = speaker_fini,
        .on_exit = speaker_on_exit,
        .user = &s,
        .cpu = -1,
    };

    memset(&l, 0, sizeof(l));
    rig_begin(&rig, NULL);
    (void)snprintf(s.to.text, sizeof(s.to.text), "unix:%s", rig_path(&rig, "s"));
    GP_REQUIRE_EQ(net_listen(rig.loop, &s.to, listening_on_accepted, &l, &listener, &err), 0);
    GP_REQUIRE_EQ(port_runner_start(rig.port, &spec, &s.runner, &err), 0);
    RIG_PUMP_UNTIL(&rig, l.stream != NULL && atomic_load(&s.silent));
    GP_CHECK_EQ(stream_read_start(l.stream, &reader, &l), 0);
    RIG_PUMP_UNTIL(&rig, s.ended && l.over != 0);
    GP_CHECK_EQ(l.got, SPEECH_SIZE);
    GP_CHECK_EQ(l.over, GP_ECLOSED);
    net_listener_free(listener);
    rig_end(&rig);
}

GP_TEST(runner, many_come_and_go)
{
    enum { COUNT = 8 };
    static struct lane lanes[COUNT];
    struct rig rig;
    int exits;

    rig_begin(&rig, NULL);
    for (int round = 0; round < 5; round++) {
        memset(lanes, 0, sizeof(lanes));
        for (int i = 0; i < COUNT; i++) {
            atomic_store(&lanes[i].work, 50 * i);
            atomic_store(&lanes[i].quit, true);
            lane_start(&lanes[i], &rig);
        }
        do {
            edge_step(rig.world, true);
            exits = 0;
            for (int i = 0; i < COUNT; i++) {
                exits += lanes[i].exits;
            }
        } while (exits < COUNT);
        for (int i = 0; i < COUNT; i++) {
            GP_CHECK_EQ(atomic_load(&lanes[i].done), 50 * i);
        }
    }
    rig_end(&rig);
}
