/*
 * net_pair.h: two ends of a connection on the loop of a rig, for the tests of net.
 */
#ifndef TESTS_EDGE_NET_PAIR_H
#define TESTS_EDGE_NET_PAIR_H

#include "rig.h"

#define INBOX_SIZE (1u << 20)

#define KEPT_MAX 100

/* Bytes of shared memory that are kept where they lie. */
struct kept {
    struct stream_loan *loan;
    const char *ptr;
    size_t len;
};

/* One end of a connection, reading into its inbox. */
struct end {
    struct stream *stream;
    int connected; /* calls of on_connected */
    int status;    /* of the last of them */
    int written;   /* completed writes */
    int write_status;
    char *inbox;
    size_t got;
    size_t limit; /* reading pauses when so much has come */
    int64_t over; /* the code that ended reading */
    bool keeps;   /* what comes through shared memory, in pieces */
    bool halves;  /* the same in two halves, and gives the first back while it is shown */
    bool was_cramped;
    struct kept kept[KEPT_MAX];
    uint32_t kept_count;
    uint32_t refused; /* pieces that could not be kept */
};

struct pair {
    struct rig *rig;
    struct listener *listener;
    struct end near;
    struct end far;
    int accepted;
};

static inline void *end_alloc(void *user, size_t *ret_len)
{
    struct end *e = user;

    if (e->got >= e->limit) {
        return NULL;
    }
    *ret_len = e->limit - e->got < 1000 ? e->limit - e->got : 1000;
    return e->inbox + e->got;
}

static inline void end_on_read(void *user, int64_t n)
{
    struct end *e = user;

    if (n > 0) {
        e->got += (size_t)n;
    } else {
        GP_CHECK_EQ(e->over, 0); /* the end is told once */
        e->over = n;
    }
}

static inline void end_keep(struct end *e, const char *ptr, size_t len)
{
    struct stream_loan *loan = stream_lend(e->stream, len);

    e->refused += loan == NULL;
    if (loan != NULL) {
        GP_REQUIRE(e->kept_count < KEPT_MAX);
        e->kept[e->kept_count++] = (struct kept){loan, ptr, len};
    }
}

static inline void end_give_back(struct end *e, uint32_t index)
{
    struct stream_loan *loan = e->kept[index].loan;

    e->kept[index].loan = NULL;
    loan->end(loan);
}

static inline size_t end_on_lent(void *user, const void *ptr, size_t len)
{
    struct end *e = user;
    size_t room = 0;
    void *to = end_alloc(e, &room);

    len = len < room ? len : room;
    if (to != NULL) {
        memcpy(to, ptr, len);
        e->got += len;
    }
    if (e->halves && len > 0) {
        end_keep(e, ptr, len / 2);
        end_keep(e, ptr, len);
        end_give_back(e, e->kept_count - 2);
        e->was_cramped = e->was_cramped || stream_is_cramped(e->stream);
    } else if (e->keeps && len > 0) {
        end_keep(e, ptr, len);
    }
    return len;
}

static const struct stream_reader end_reader = {
    .alloc = end_alloc, .on_read = end_on_read, .on_lent = end_on_lent};

static inline void end_init(struct end *e)
{
    *e = (struct end){.inbox = malloc(INBOX_SIZE), .limit = INBOX_SIZE};
    GP_REQUIRE(e->inbox != NULL);
}

static inline void end_deinit(struct end *e)
{
    stream_free(e->stream);
    free(e->inbox);
}

static inline void on_accepted(void *user, struct stream *stream)
{
    struct pair *p = user;

    p->accepted++;
    GP_CHECK(p->far.stream == NULL);
    p->far.stream = stream;
    GP_CHECK_EQ(stream_read_start(stream, &end_reader, &p->far), 0);
}

static inline void on_connected(void *user, int status)
{
    struct end *e = user;

    e->connected++;
    e->status = status;
}

static inline void on_written(void *user, int status)
{
    struct end *e = user;

    e->written++;
    e->write_status = status;
}

static inline struct net_addr addr_of(const char *text)
{
    struct net_addr addr = {0};

    (void)snprintf(addr.text, sizeof(addr.text), "%s", text);
    return addr;
}

static inline struct net_addr unix_addr(struct rig *rig, const char *name)
{
    struct net_addr addr = {0};

    (void)snprintf(addr.text, sizeof(addr.text), "unix:%s", rig_path(rig, name));
    return addr;
}

static inline void pair_listen(struct pair *p, struct rig *rig, const struct net_addr *addr)
{
    struct gp_error err = {0};

    memset(p, 0, sizeof(*p));
    p->rig = rig;
    end_init(&p->near);
    end_init(&p->far);
    GP_REQUIRE_EQ(net_listen(rig->loop, addr, on_accepted, p, &p->listener, &err), 0);
}

static inline void pair_begin(struct pair *p, struct rig *rig, const struct net_addr *addr)
{
    struct net_addr real;

    pair_listen(p, rig, addr);
    net_listener_addr(p->listener, &real);
    GP_REQUIRE_EQ(net_connect(rig->loop, &real, on_connected, &p->near, &p->near.stream), 0);
    GP_CHECK_EQ(p->near.connected, 0); /* not from inside the call */
    RIG_PUMP_UNTIL(rig, p->near.connected > 0 && p->far.stream != NULL);
    GP_REQUIRE_EQ(p->near.status, 0);
    GP_REQUIRE_EQ(stream_read_start(p->near.stream, &end_reader, &p->near), 0);
}

static inline void pair_end(struct pair *p)
{
    end_deinit(&p->near);
    end_deinit(&p->far);
    net_listener_free(p->listener);
}

static inline int write_text(struct end *e, const char *text)
{
    struct net_buf buf = {.ptr = text, .len = strlen(text)};

    return stream_write(e->stream, &buf, 1, on_written, e);
}

static inline void check_both_ways(struct rig *rig, const struct net_addr *addr)
{
    struct net_buf parts[] = {{"one ", 4}, {"two ", 4}, {"", 0}, {"three", 5}};
    struct pair p;

    pair_begin(&p, rig, addr);
    GP_CHECK_EQ(stream_write(p.near.stream, parts, 4, on_written, &p.near), 0);
    GP_CHECK_EQ(p.near.written, 0); /* not from inside the call */
    GP_CHECK_EQ(write_text(&p.far, "back"), 0);
    RIG_PUMP_UNTIL(rig, p.far.got == 13 && p.near.got == 4);
    RIG_PUMP_UNTIL(rig, p.near.written == 1 && p.far.written == 1);
    GP_CHECK_EQ(p.near.write_status, 0);
    GP_CHECK_MEM_EQ(p.far.inbox, "one two three", 13);
    GP_CHECK_MEM_EQ(p.near.inbox, "back", 4);
    GP_CHECK_EQ(stream_write_queue_bytes(p.near.stream), 0);

    stream_free(p.near.stream);
    p.near.stream = NULL;
    RIG_PUMP_UNTIL(rig, p.far.over != 0);
    GP_CHECK_EQ(p.far.over, GP_ECLOSED);
    pair_end(&p);
}

#endif
