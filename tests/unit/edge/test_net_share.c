/*
 * Streams through shared memory: they are streams as before, and nothing that the peer does to the
 * memory, or gives in its place, reaches beyond its own stream.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "edge/share.h"
#include "edge/share_loan.h"
#include "net_pair.h"

#define RING     ((size_t)16 << 10)
#define WORD     gp_bytes_of("S", 1)
#define LONG_LEN ((size_t)900 << 10)

/* ---- two ends of one process ---- */

static void go_over(struct pair *p, struct end *from, struct end *to)
{
    const size_t got = to->got;

    GP_REQUIRE_EQ(write_text(from, "A"), 0);
    stream_share_writes(from->stream);
    RIG_PUMP_UNTIL(p->rig, to->got == got + 1);
    stream_share_reads(to->stream);
}

/* Memory with such rings and no larger one. */
static int take(struct stream *stream, size_t ring)
{
    size_t bytes = 0;
    const int rc = stream_share_take(stream, share_len(ring), &bytes);

    GP_CHECK_EQ(bytes, rc == 0 ? share_len(ring) : 0);
    return rc;
}

/* Both ends speak through memory; their inboxes are empty. */
static void share(struct pair *p, size_t ring)
{
    GP_REQUIRE(stream_can_share(p->near.stream));
    GP_REQUIRE_EQ(stream_share_offer(p->near.stream, ring, WORD), 0);
    RIG_PUMP_UNTIL(p->rig, p->far.got == 1);
    GP_REQUIRE_EQ(take(p->far.stream, ring), 0);
    go_over(p, &p->far, &p->near);
    go_over(p, &p->near, &p->far);
    p->near.got = 0;
    p->far.got = 0;
}

static void share_begin(struct pair *p, struct rig *rig, size_t ring)
{
    struct net_addr addr;

    rig_begin(rig, NULL);
    addr = unix_addr(rig, "s");
    pair_begin(p, rig, &addr);
    share(p, ring);
}

static void share_end(struct pair *p, struct rig *rig)
{
    pair_end(p);
    rig_end(rig);
}

static char *pattern(size_t len)
{
    char *bytes = malloc(len);

    GP_REQUIRE(bytes != NULL);
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (char)(i * 31 + i / 255);
    }
    return bytes;
}

static void write_bytes(struct end *e, const char *bytes, size_t len)
{
    const struct net_buf parts[] = {{bytes, len / 3}, {bytes, 0}, {bytes + len / 3, len - len / 3}};

    GP_REQUIRE_EQ(stream_write(e->stream, parts, 3, on_written, e), 0);
}

/* Writes of every size around that of the ring; the reader takes pieces of 1000 bytes. */
GP_TEST(net_share, bytes_travel_both_ways_in_order)
{
    char *bytes = pattern(LONG_LEN);
    struct rig rig;
    struct pair p;
    size_t at = 0;
    int writes = 0;

    share_begin(&p, &rig, RING);
    for (size_t len = 1; at < LONG_LEN; len = len * 2 + 1, writes++) {
        const size_t n = len < LONG_LEN - at ? len : LONG_LEN - at;

        write_bytes(&p.near, bytes + at, n);
        write_bytes(&p.far, bytes + at, n);
        at += n;
    }
    GP_CHECK(stream_write_queue_bytes(p.near.stream) > 0);
    RIG_PUMP_UNTIL(&rig, p.near.got == LONG_LEN && p.far.got == LONG_LEN);
    GP_CHECK_MEM_EQ(p.near.inbox, bytes, LONG_LEN);
    GP_CHECK_MEM_EQ(p.far.inbox, bytes, LONG_LEN);
    RIG_PUMP_UNTIL(&rig, p.near.written == writes + 1 && p.far.written == writes + 1);
    GP_CHECK_EQ(p.near.write_status, 0);
    GP_CHECK_EQ(stream_write_queue_bytes(p.near.stream), 0);
    share_end(&p, &rig);
    free(bytes);
}

/* A stream that nobody has touched for long wakes a loop that sleeps. */
GP_TEST(net_share, a_sleeper_is_called)
{
    struct rig rig;
    struct pair p;

    share_begin(&p, &rig, RING);
    for (size_t round = 1; round <= 50; round++) {
        struct timer *pause;

        GP_REQUIRE_EQ(timer_new(rig.loop, rig_on_expired, &rig, &pause), 0);
        timer_start(pause, 1000000);
        while (!rig.expired) {
            edge_step(rig.world, true);
        }
        rig.expired = false;
        timer_free(pause);
        GP_REQUIRE_EQ(write_text(&p.near, "ping"), 0);
        RIG_PUMP_UNTIL(&rig, p.far.got == 4 * round);
    }
    share_end(&p, &rig);
}

GP_TEST(net_share, a_reader_pauses_and_resumes)
{
    char *bytes = pattern(8 * RING);
    struct rig rig;
    struct pair p;

    share_begin(&p, &rig, RING);
    p.far.limit = 100;
    write_bytes(&p.near, bytes, 8 * RING);
    RIG_PUMP_UNTIL(&rig, p.far.got == 100);
    GP_CHECK_EQ(write_text(&p.far, "x"), 0);
    RIG_PUMP_UNTIL(&rig, p.near.got == 1);
    GP_CHECK_EQ(p.far.got, 100);
    p.far.limit = INBOX_SIZE;
    stream_read_resume(p.far.stream);
    RIG_PUMP_UNTIL(&rig, p.far.got == 8 * RING);
    GP_CHECK_MEM_EQ(p.far.inbox, bytes, 8 * RING);
    share_end(&p, &rig);
    free(bytes);
}

GP_TEST(net_share, ending_writes_what_is_queued_and_the_end_comes_last)
{
    char *bytes = pattern(LONG_LEN);
    struct rig rig;
    struct pair p;

    share_begin(&p, &rig, RING);
    write_bytes(&p.near, bytes, LONG_LEN);
    stream_end(p.near.stream);
    p.near.stream = NULL;
    RIG_PUMP_UNTIL(&rig, p.far.over != 0);
    GP_CHECK_EQ(p.far.over, GP_ECLOSED);
    GP_CHECK_EQ(p.far.got, LONG_LEN);
    GP_CHECK_MEM_EQ(p.far.inbox, bytes, LONG_LEN);
    GP_CHECK_EQ(p.near.write_status, 0);
    share_end(&p, &rig);
    free(bytes);
}

GP_TEST(net_share, freeing_cancels_what_is_queued_and_the_peer_reads_what_was_told)
{
    char *bytes = pattern(4 * RING);
    struct rig rig;
    struct pair p;

    share_begin(&p, &rig, RING);
    write_bytes(&p.near, bytes, 4 * RING);
    stream_free(p.near.stream);
    p.near.stream = NULL;
    RIG_PUMP_UNTIL(&rig, p.far.over != 0 && p.near.written == 2);
    GP_CHECK_EQ(p.near.write_status, GP_ECANCELED);
    GP_CHECK_EQ(p.far.got, RING);
    GP_CHECK_MEM_EQ(p.far.inbox, bytes, RING);
    share_end(&p, &rig);
    free(bytes);
}

/* Nothing was sent then, and the stream goes on as it was. */
GP_TEST(net_share, an_offer_that_the_system_refuses_changes_nothing)
{
    struct rlimit before;
    struct rlimit none;
    struct net_addr addr;
    struct rig rig;
    struct pair p;

    rig_begin(&rig, NULL);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    GP_REQUIRE_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    GP_REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    GP_CHECK_EQ(stream_share_offer(p.near.stream, RING, WORD), GP_EFULL);
    GP_REQUIRE_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    GP_CHECK_EQ(write_text(&p.near, "as before"), 0);
    RIG_PUMP_UNTIL(&rig, p.far.got == 9);
    GP_CHECK_MEM_EQ(p.far.inbox, "as before", 9);
    share_end(&p, &rig);
}

GP_TEST(net_share, is_for_unix_sockets_and_once)
{
    struct net_addr addr = {"127.0.0.1:0"};
    struct rig rig;
    struct pair p;

    rig_begin(&rig, NULL);
    pair_begin(&p, &rig, &addr);
    GP_CHECK_EQ(stream_share_offer(p.near.stream, RING, WORD), GP_EUNSUPPORTED);
    pair_end(&p);
    addr = unix_addr(&rig, "s");
    pair_begin(&p, &rig, &addr);
    GP_CHECK_EQ(take(p.far.stream, RING), GP_ENOENT);
    share(&p, RING);
    GP_CHECK_EQ(stream_share_offer(p.near.stream, RING, WORD), GP_ESTATE);
    share_end(&p, &rig);
}

/* ---- a peer of bare hands ---- */

struct attacker {
    struct rig rig;
    struct pair p; /* far is ours */
    int socket;
    struct share_memory memory; /* as the peer has it mapped */
    int fd;
};

static void attacker_begin(struct attacker *a)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    struct net_addr addr;

    memset(a, 0, sizeof(*a));
    a->fd = -1;
    rig_begin(&a->rig, NULL);
    addr = unix_addr(&a->rig, "s");
    pair_listen(&a->p, &a->rig, &addr);
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", rig_path(&a->rig, "s"));
    a->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    GP_REQUIRE_EQ(connect(a->socket, (struct sockaddr *)&to, sizeof(to)), 0);
    RIG_PUMP_UNTIL(&a->rig, a->p.far.stream != NULL);
}

static void attacker_end(struct attacker *a)
{
    share_unmap(&a->memory);
    if (a->fd >= 0) {
        (void)close(a->fd);
    }
    (void)close(a->socket);
    pair_end(&a->p);
    rig_end(&a->rig);
}

/* Sends a word with `count` times the descriptor; our side reads it. */
static void give(struct attacker *a, int fd, int count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(64 * sizeof(int))];
    } space;
    struct iovec iov = {.iov_base = (char[]){'S'}, .iov_len = 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = space.bytes,
                         .msg_controllen = CMSG_SPACE((size_t)count * sizeof(int))};
    const size_t got = a->p.far.got;
    struct cmsghdr *cmsg;

    memset(&space, 0, sizeof(space));
    cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
    for (int i = 0; i < count; i++) {
        memcpy(CMSG_DATA(cmsg) + (size_t)i * sizeof(int), &fd, sizeof(int));
    }
    GP_REQUIRE_EQ(sendmsg(a->socket, &msg, 0), 1);
    RIG_PUMP_UNTIL(&a->rig, a->p.far.got == got + 1);
}

static void attacker_share(struct attacker *a, size_t ring)
{
    attacker_begin(a);
    GP_REQUIRE_EQ(share_make(ring, &a->memory, &a->fd), 0);
    give(a, a->fd, 1);
    GP_REQUIRE_EQ(take(a->p.far.stream, ring), 0);
    stream_share_writes(a->p.far.stream);
    stream_share_reads(a->p.far.stream);
}

static int memory_of(size_t len, unsigned seals)
{
    const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    GP_REQUIRE(fd >= 0);
    GP_REQUIRE_EQ(ftruncate(fd, (off_t)len), 0);
    GP_REQUIRE_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void refused(struct attacker *a, int fd, int code)
{
    give(a, fd, 1);
    GP_CHECK_EQ(take(a->p.far.stream, RING), code);
    (void)close(fd);
}

#define GOOD_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

GP_TEST(net_share, takes_nothing_but_sealed_memory_of_a_known_size)
{
    struct attacker a;
    int fds[2];

    attacker_begin(&a);
    refused(&a, memory_of(share_len(RING), F_SEAL_GROW), GP_EPROTO);
    refused(&a, memory_of(share_len(RING), F_SEAL_SHRINK | F_SEAL_GROW), GP_EPROTO);
    refused(&a, memory_of(share_len(RING), F_SEAL_SHRINK | F_SEAL_SEAL), GP_EPROTO);
    refused(&a, memory_of(share_len(RING), GOOD_SEALS | F_SEAL_WRITE), GP_EACCES);
    refused(&a, memory_of(share_len(RING) + 1, GOOD_SEALS), GP_ETOOBIG);
    refused(&a, memory_of(share_len(RING) - 1, GOOD_SEALS), GP_EPROTO);
    refused(&a, memory_of(share_len(RING / 4) + 8, GOOD_SEALS), GP_EPROTO);
    refused(&a, memory_of(2 * RING, GOOD_SEALS), GP_EPROTO);
    refused(&a, memory_of(share_len(RING / 8), GOOD_SEALS), GP_EPROTO);
    refused(&a, memory_of(0, GOOD_SEALS), GP_EPROTO);
    refused(&a, memory_of(share_len(2 * RING), GOOD_SEALS), GP_ETOOBIG);
    refused(&a, open("/dev/zero", O_RDWR | O_CLOEXEC), GP_EPROTO);
    GP_REQUIRE_EQ(pipe(fds), 0);
    (void)close(fds[1]);
    refused(&a, fds[0], GP_EPROTO);
    give(&a, a.socket, 1);
    GP_CHECK_EQ(take(a.p.far.stream, RING), GP_EPROTO);
    GP_CHECK_EQ(a.p.far.over, 0); /* the stream goes on */
    attacker_end(&a);
}

static int open_fds(void)
{
    int count = 0;

    for (int fd = 0; fd < 512; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

GP_TEST(net_share, descriptors_in_masses_are_closed)
{
    struct attacker a;
    int fd;
    int before;

    attacker_begin(&a);
    fd = memory_of(share_len(RING), GOOD_SEALS);
    before = open_fds();
    for (int i = 0; i < 20; i++) {
        give(&a, fd, 64);
    }
    edge_step(a.rig.world, false); /* handles are closed later */
    GP_CHECK_EQ(open_fds(), before + 1);
    GP_CHECK_EQ(take(a.p.far.stream, RING), 0);
    GP_CHECK_EQ(take(a.p.far.stream, RING), GP_ESTATE);
    GP_CHECK_EQ(open_fds(), before);
    (void)close(fd);
    attacker_end(&a);
}

static void call_other(struct attacker *a)
{
    GP_REQUIRE_EQ(send(a->socket, "", 1, MSG_NOSIGNAL), 1);
}

/* More than the ring holds, or less than was read. */
GP_TEST(net_share, a_tail_that_cannot_be_ends_the_stream)
{
    const uint64_t tails[] = {10 + RING + 1, UINT64_MAX, 9, UINT64_C(1) << 63};

    for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
        struct attacker a;

        attacker_share(&a, RING);
        share_writer_put(&a.memory.out, "0123456789", 10);
        share_writer_tell(&a.memory.out);
        call_other(&a);
        RIG_PUMP_UNTIL(&a.rig, a.p.far.got == 1 + 10);
        GP_CHECK_MEM_EQ(a.p.far.inbox + 1, "0123456789", 10);
        atomic_store(&a.memory.out.lines->tail, tails[i]);
        call_other(&a);
        RIG_PUMP_UNTIL(&a.rig, a.p.far.over != 0);
        GP_CHECK_EQ(a.p.far.over, GP_EPROTO);
        GP_CHECK_EQ(a.p.far.got, 11);
        attacker_end(&a);
    }
}

GP_TEST(net_share, a_head_that_cannot_be_ends_the_stream)
{
    const uint64_t heads[] = {5, UINT64_MAX - RING, UINT64_C(1) << 63};

    for (size_t i = 0; i < sizeof(heads) / sizeof(*heads); i++) {
        struct attacker a;

        attacker_share(&a, RING);
        GP_REQUIRE_EQ(write_text(&a.p.far, "four"), 0);
        atomic_store(&a.memory.in.lines->head, heads[i]);
        GP_REQUIRE_EQ(write_text(&a.p.far, "five"), 0);
        RIG_PUMP_UNTIL(&a.rig, a.p.far.over != 0);
        GP_CHECK_EQ(a.p.far.over, GP_EPROTO);
        attacker_end(&a);
    }
}

/* After its end nothing is read for ever: only what stood there then. */
GP_TEST(net_share, a_dead_peer_cannot_go_on_writing)
{
    struct attacker a;

    attacker_share(&a, RING);
    a.p.far.limit = 5;
    share_writer_put(&a.memory.out, "0123456789", 10);
    share_writer_tell(&a.memory.out);
    call_other(&a);
    RIG_PUMP_UNTIL(&a.rig, a.p.far.got == 5);
    GP_REQUIRE_EQ(shutdown(a.socket, SHUT_RDWR), 0);
    for (int i = 0; i < 20; i++) {
        edge_step(a.rig.world, false);
    }
    share_writer_put(&a.memory.out, "more", 4);
    share_writer_tell(&a.memory.out);
    a.p.far.limit = INBOX_SIZE;
    stream_read_resume(a.p.far.stream);
    RIG_PUMP_UNTIL(&a.rig, a.p.far.over != 0);
    GP_CHECK_EQ(a.p.far.over, GP_ECLOSED);
    GP_CHECK_EQ(a.p.far.got, 1 + 10);
    attacker_end(&a);
}

struct scribbler {
    struct attacker *a;
    atomic_bool stop;
    uint64_t state;
};

static uint64_t any(struct scribbler *s)
{
    s->state = s->state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return s->state >> 20;
}

/* Writes anything anywhere, now and then something that can be. */
static void *scribble(void *user)
{
    struct scribbler *s = user;
    struct share_memory *m = &s->a->memory;

    while (!atomic_load(&s->stop)) {
        struct share_lines *lines = any(s) % 2 ? m->in.lines : m->out.lines;
        const uint64_t small = any(s) % (RING + 2);

        switch (any(s) % 8) {
        case 0:
            atomic_store(&lines->tail, any(s) % 64 ? atomic_load(&lines->head) + small : any(s));
            break;
        case 1:
            atomic_store(&lines->head, any(s) % 64 ? atomic_load(&lines->tail) - small : any(s));
            break;
        case 2:
            atomic_store(&lines->reader_rests, (uint32_t)any(s));
            break;
        case 3:
            atomic_store(&lines->writer_rests, (uint32_t)any(s));
            break;
        case 4:
            (void)send(s->a->socket, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
            break;
        default:
            memset(m->out.data + any(s) % RING, (int)small, 1);
            break;
        }
    }
    return NULL;
}

GP_TEST(net_share, garbage_while_it_runs_ends_one_stream_at_most)
{
    char *bytes = pattern(RING);

    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct scribbler s = {.state = seed};
        struct attacker a;
        pthread_t thread;

        attacker_share(&a, RING);
        s.a = &a;
        GP_REQUIRE_EQ(pthread_create(&thread, NULL, scribble, &s), 0);
        for (int i = 0; i < 300 && a.p.far.over == 0; i++) {
            if (stream_write_queue_bytes(a.p.far.stream) < 4 * RING) {
                write_bytes(&a.p.far, bytes, RING / 3);
            }
            edge_step(a.rig.world, false);
            a.p.far.got = 0; /* the inbox is as large as it is */
        }
        atomic_store(&s.stop, true);
        (void)pthread_join(thread, NULL);
        GP_CHECK(a.p.far.over == 0 || a.p.far.over == GP_EPROTO);
        attacker_end(&a);
    }
    free(bytes);
}

/* ---- keeping what came where it lies ---- */

/* The peer writes pieces, each of which comes by itself. */
static void write_pieces(struct attacker *a, const char *bytes, size_t len, uint32_t count)
{
    const size_t got = a->p.far.got;

    for (uint32_t i = 0; i < count; i++) {
        share_writer_put(&a->memory.out, bytes + i * len, len);
        share_writer_tell(&a->memory.out);
        call_other(a);
        RIG_PUMP_UNTIL(&a->rig, a->p.far.got == got + (i + 1) * len);
    }
}

static size_t used_of(const struct attacker *a)
{
    return RING - (size_t)share_writer_room(&a->memory.out);
}

GP_TEST(net_share, room_of_what_is_kept_comes_back_from_the_oldest_on)
{
    char *bytes = pattern(2 * RING);
    struct attacker a;
    struct end *e = &a.p.far;

    attacker_share(&a, RING);
    write_pieces(&a, bytes, 1000, 12); /* so that what is kept goes round the end of the ring */
    GP_CHECK_EQ(used_of(&a), 0);
    e->keeps = true;
    write_pieces(&a, bytes, 1000, 8);
    e->keeps = false;
    write_pieces(&a, bytes, 500, 1); /* has room with the last of them */
    GP_CHECK_EQ(used_of(&a), 8500);
    GP_CHECK(stream_is_cramped(e->stream));
    for (uint32_t i = 0; i < 8; i++) {
        GP_CHECK_MEM_EQ(e->kept[i].ptr, bytes + i * 1000, 1000);
    }
    end_give_back(e, 1);
    end_give_back(e, 7);
    GP_CHECK_EQ(used_of(&a), 8500);
    end_give_back(e, 0);
    GP_CHECK_EQ(used_of(&a), 6500);
    GP_CHECK(!stream_is_cramped(e->stream));
    for (uint32_t i = 2; i < 7; i++) {
        end_give_back(e, i);
    }
    GP_CHECK_EQ(used_of(&a), 0);
    write_pieces(&a, bytes, 1000, 2);
    GP_CHECK_EQ(used_of(&a), 0);
    attacker_end(&a);
    free(bytes);
}

/* It counts as read only afterwards. */
GP_TEST(net_share, giving_back_while_it_is_shown_cramps_nobody)
{
    char *bytes = pattern(RING);
    struct attacker a;
    struct end *e = &a.p.far;

    attacker_share(&a, RING);
    e->halves = true;
    write_pieces(&a, bytes, 1000, 1);
    GP_CHECK(!e->was_cramped);
    GP_CHECK_EQ(used_of(&a), 500);
    end_give_back(e, 1);
    GP_CHECK_EQ(used_of(&a), 0);
    attacker_end(&a);
    free(bytes);
}

GP_TEST(net_share, no_more_is_kept_than_there_are_places)
{
    char *bytes = pattern(RING);
    struct attacker a;
    struct end *e = &a.p.far;

    attacker_share(&a, RING);
    e->keeps = true;
    write_pieces(&a, bytes, 100, SHARE_LOANS_MAX + 6);
    GP_CHECK_EQ(e->kept_count, SHARE_LOANS_MAX);
    GP_CHECK_EQ(e->refused, 6);
    for (uint32_t i = 0; i < e->kept_count; i++) {
        end_give_back(e, i);
    }
    GP_CHECK_EQ(used_of(&a), 0);
    attacker_end(&a);
    free(bytes);
}

/* A writer without room is called when the reader gives some back, whenever that is. */
GP_TEST(net_share, giving_back_calls_who_waits_for_room)
{
    char *bytes = pattern(2 * RING);
    struct rig rig;
    struct pair p;

    share_begin(&p, &rig, RING);
    p.far.keeps = true;
    write_bytes(&p.near, bytes, 2 * RING);
    RIG_PUMP_UNTIL(&rig, p.far.got == RING);
    for (int i = 0; i < 100; i++) { /* both rest */
        edge_step(rig.world, false);
    }
    GP_CHECK_EQ(p.far.got, RING);
    p.far.keeps = false;
    for (uint32_t i = 0; i < p.far.kept_count; i++) {
        end_give_back(&p.far, i);
    }
    RIG_PUMP_UNTIL(&rig, p.far.got == 2 * RING);
    GP_CHECK_MEM_EQ(p.far.inbox, bytes, 2 * RING);
    share_end(&p, &rig);
    free(bytes);
}

GP_TEST(net_share, what_is_kept_outlives_the_stream)
{
    char *bytes = pattern(RING);
    struct attacker a;
    struct end *e = &a.p.far;

    attacker_share(&a, RING);
    e->keeps = true;
    write_pieces(&a, bytes, 1000, 5);
    stream_free(e->stream);
    e->stream = NULL;
    edge_step(a.rig.world, false);
    for (uint32_t i = 5; i-- > 0;) {
        GP_CHECK_MEM_EQ(e->kept[i].ptr, bytes + i * 1000, 1000);
        end_give_back(e, i);
    }
    attacker_end(&a);
    free(bytes);
}

/* ---- waking ---- */

GP_TEST(net_share, calls_a_writer_when_half_of_the_ring_is_free)
{
    struct share_memory giver;
    struct share_memory taker;
    char *bytes = pattern(RING);
    int fd;

    GP_REQUIRE_EQ(share_make(RING, &giver, &fd), 0);
    GP_REQUIRE_EQ(share_map(fd, share_len(RING), &taker), 0);
    share_writer_put(&giver.out, bytes, RING);
    share_writer_tell(&giver.out);
    GP_CHECK(share_writer_rest(&giver.out, 1));
    share_reader_give(&taker.in, RING / 2 - 1);
    GP_CHECK(!share_writer_called(&taker.in));
    GP_CHECK(!share_writer_rest(&giver.out, 1)); /* there is room all the same */
    GP_CHECK(share_writer_rest(&giver.out, RING / 2));
    share_reader_give(&taker.in, RING / 2);
    GP_CHECK(share_writer_called(&taker.in));
    GP_CHECK(!share_writer_called(&taker.in)); /* once */
    GP_CHECK(!share_writer_rest(&giver.out, RING / 2));
    share_unmap(&giver);
    share_unmap(&taker);
    (void)close(fd);
    free(bytes);
}

/* ---- a peer that is killed ---- */

/* The child writes a pattern until it is killed, at whatever it is just doing. */
static void write_for_ever(struct share_memory *m, int socket)
{
    uint64_t at = 0;

    for (;;) {
        uint8_t bytes[777];
        const int64_t room = share_writer_room(&m->out);

        if (room < (int64_t)sizeof(bytes)) {
            continue;
        }
        for (size_t i = 0; i < sizeof(bytes); i++) {
            bytes[i] = (uint8_t)((at + i) * 31 + (at + i) / 255);
        }
        share_writer_put(&m->out, bytes, sizeof(bytes));
        at += sizeof(bytes);
        share_writer_tell(&m->out);
        if (share_reader_called(&m->out)) {
            (void)send(socket, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}

GP_TEST(net_share, a_killed_writer_leaves_whole_writes_and_an_end)
{
    char *bytes = pattern(INBOX_SIZE);

    for (int round = 0; round < 20; round++) {
        struct attacker a;
        pid_t child;

        attacker_share(&a, RING);
        child = fork();
        GP_REQUIRE(child >= 0);
        if (child == 0) {
            write_for_ever(&a.memory, a.socket);
        }
        (void)close(a.socket); /* the child has it alone */
        RIG_PUMP_UNTIL(&a.rig, a.p.far.got > (size_t)(round + 1) * 5000);
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        RIG_PUMP_UNTIL(&a.rig, a.p.far.over != 0);
        GP_CHECK(a.p.far.over != GP_EPROTO);
        GP_CHECK_EQ((a.p.far.got - 1) % 777, 0);
        GP_CHECK_MEM_EQ(a.p.far.inbox + 1, bytes, a.p.far.got - 1);
        a.socket = -1;
        attacker_end(&a);
    }
    free(bytes);
}
