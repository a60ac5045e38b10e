/*
 * One member among two that are not there: what is said to it in their names. Anything may be said;
 * what cannot be true changes nothing.
 */
#include "crew.h"
#include "gp_test.h"
#include "wire/raft.h"

#define VOTER 1u /* roles, as libraft counts them */
#define SPARE 2u
#define SELF  100u
#define OTHER 101u
#define THIRD 102u

struct room {
    struct crew crew;
    struct consensus *c;
    uint64_t group;
    struct raft_frame said; /* the last answer; its bytes are gone */
    uint32_t said_count;
};

static void on_said(struct crew *crew, uint64_t to, gp_bytes bytes)
{
    struct room *room = crew->spy_ctx;
    struct raft_frame frame;

    (void)to;
    GP_REQUIRE_EQ(raft_frame_decode(bytes, &frame), 0);
    room->group = frame.group;
    if (frame.kind != RAFT_KIND_VOTE) { /* its own elections */
        room->said = frame;
        room->said_count++;
    }
}

static struct consensus_status status_of(const struct room *room)
{
    struct consensus_status status;

    consensus_status(room->c, &status);
    return status;
}

static void begin(struct room *room, uint64_t seed)
{
    memset(room, 0, sizeof(*room));
    crew_init(&room->crew, seed, 3);
    room->crew.options.snapshot_threshold = 10;
    room->crew.options.snapshot_trailing = 2;
    room->crew.spy = on_said;
    room->crew.spy_ctx = room;
    crew_form(&room->crew, 3);
    crew_kill(&room->crew, 1);
    crew_kill(&room->crew, 2);
    room->c = room->crew.members[0].c;
    while (room->group == 0) {
        crew_run(&room->crew, 50 * MS); /* its own candidacy tells what the group is called */
    }
}

static void end(struct room *room)
{
    GP_CHECK(room->crew.broken_rule == NULL);
    crew_deinit(&room->crew);
}

static void hear(struct room *room, uint64_t from, struct raft_frame frame,
                 const struct raft_frame_entry *entries, uint32_t count)
{
    struct buf out = {0};

    frame.group = frame.group == 0 ? room->group : frame.group;
    frame.from = frame.from == 0 ? from : frame.from;
    frame.to = frame.to == 0 ? SELF : frame.to;
    frame.entry_count = count;
    GP_REQUIRE_EQ(raft_frame_encode(&frame, &out), 0);
    for (uint32_t i = 0; i < count; i++) {
        GP_REQUIRE_EQ(raft_frame_put_entry(&entries[i], &out), 0);
    }
    room->said_count = 0;
    consensus_receive(room->c, from, from == THIRD ? "10.0.0.3:3000" : "10.0.0.2:3000",
                      buf_bytes(&out));
    buf_deinit(&out);
}

static struct raft_frame append(uint64_t term, uint64_t index, uint64_t index_term,
                                uint64_t committed)
{
    return (struct raft_frame){.kind = RAFT_KIND_APPEND,
                               .term = term,
                               .index = index,
                               .index_term = index_term,
                               .committed = committed};
}

/* Commands as the crew knows them, of one term, from `index` on. */
static void append_commands(struct room *room, uint64_t term, uint64_t index, uint64_t index_term,
                            uint32_t count, uint64_t committed)
{
    struct raft_frame_entry entries[64];
    unsigned char bytes[64][8];

    for (uint32_t i = 0; i < count; i++) {
        struct crew *crew = &room->crew;
        const uint64_t number = index + i; /* the same command at the same index each time */

        while (crew->command_count <= number) {
            crew->commands[crew->command_count] =
                (struct crew_command){.crew = crew, .number = crew->command_count};
            crew->command_count++;
        }
        for (int k = 0; k < 8; k++) {
            bytes[i][k] = (unsigned char)(number >> (8 * k));
        }
        entries[i] = (struct raft_frame_entry){term, RAFT_ENTRY_COMMAND, {bytes[i], 8}};
    }
    hear(room, OTHER, append(term, index, index_term, committed), entries, count);
}

static void vote(struct room *room, uint64_t from, uint64_t term, uint64_t index,
                 uint64_t index_term, uint16_t flags)
{
    hear(room, from,
         (struct raft_frame){.kind = RAFT_KIND_VOTE,
                             .flags = flags,
                             .term = term,
                             .index = index,
                             .index_term = index_term},
         NULL, 0);
}

static bool is_granted(const struct room *room)
{
    return room->said_count > 0 && room->said.kind == RAFT_KIND_VOTE_RESULT &&
           (room->said.flags & RAFT_FLAG_GRANTED) != 0;
}

/* ---- votes ---- */

GP_TEST(consensus_receive, votes_once_in_a_term_and_remembers_it)
{
    struct room room;

    begin(&room, 1);
    vote(&room, OTHER, 50, 9, 9, 0);
    GP_CHECK(is_granted(&room));
    GP_CHECK_EQ(status_of(&room).term, 50);
    vote(&room, THIRD, 50, 9, 9, 0);
    GP_CHECK(!is_granted(&room));
    crew_kill(&room.crew, 0);
    GP_REQUIRE(crew_start(&room.crew, 0));
    room.c = room.crew.members[0].c;
    GP_CHECK_EQ(status_of(&room).term, 50);
    vote(&room, THIRD, 50, 9, 9, 0);
    GP_CHECK(!is_granted(&room));
    vote(&room, OTHER, 50, 9, 9, 0); /* the same again */
    GP_CHECK(is_granted(&room));
    vote(&room, THIRD, 51, 9, 9, 0);
    GP_CHECK(is_granted(&room));
    end(&room);
}

GP_TEST(consensus_receive, does_not_vote_for_older_logs)
{
    struct room room;

    begin(&room, 2);
    append_commands(&room, 10, 1, 1, 5, 1);
    crew_run(&room.crew, 1000 * MS); /* nobody leads any more */
    vote(&room, THIRD, 50, 9, 9, 0);
    GP_CHECK(!is_granted(&room));
    vote(&room, THIRD, 51, 5, 10, 0);
    GP_CHECK(!is_granted(&room));
    vote(&room, THIRD, 52, 6, 10, 0);
    GP_CHECK(is_granted(&room));
    end(&room);
}

/* A candidate that is needed but behind has to learn the term. */
GP_TEST(consensus_receive, tells_its_term_to_who_asks_with_an_old_one)
{
    struct room room;

    begin(&room, 3);
    vote(&room, OTHER, 50, 9, 9, 0);
    crew_run(&room.crew, 1000 * MS);
    vote(&room, THIRD, 20, 30, 19, RAFT_FLAG_PRE_VOTE);
    GP_REQUIRE_EQ(room.said_count, 1);
    GP_CHECK_EQ(room.said.kind, RAFT_KIND_VOTE_RESULT);
    GP_CHECK(!is_granted(&room));
    GP_CHECK(room.said.term >= 50);
    end(&room);
}

/* ---- entries ---- */

GP_TEST(consensus_receive, claims_only_what_was_proven)
{
    struct room room;

    begin(&room, 4);
    append_commands(&room, 10, 1, 1, 8, 1); /* 2 .. 9, of a leader that is gone */
    GP_CHECK_EQ(room.said.index, 9);
    hear(&room, THIRD, append(11, 1, 1, 9), NULL, 0);
    GP_REQUIRE_EQ(room.said.kind, RAFT_KIND_APPEND_RESULT);
    GP_CHECK_EQ(room.said.rejected, 0);
    GP_CHECK_EQ(room.said.index, 1); /* the new leader's log may differ from 2 on */
    GP_CHECK_EQ(status_of(&room).committed, 1);
    GP_CHECK_EQ(status_of(&room).last, 9);
    end(&room);
}

GP_TEST(consensus_receive, takes_late_messages_about_what_it_compacted)
{
    struct room room;
    uint64_t last;

    begin(&room, 5);
    for (uint64_t i = 1; i < 61; i += 10) {
        append_commands(&room, 10, i, i == 1 ? 1 : 10, 10, i + 10);
    }
    GP_CHECK(sim_event_count(room.crew.sim, "consensus.snapshot") > 0);
    last = status_of(&room).last;
    GP_CHECK_EQ(last, 61);
    GP_CHECK_EQ(status_of(&room).committed, 61);
    append_commands(&room, 10, 21, 10, 10, 30); /* from the middle of what is gone */
    GP_CHECK_EQ(room.said.rejected, 0);
    GP_CHECK_EQ(room.said.index, 61);
    {
        /* From the beginning: libraft would append it all at the end. */
        struct raft_frame_entry entries[2] = {{1, RAFT_ENTRY_CHANGE, {NULL, 0}}};
        static const unsigned char list[] = {
            1,   1,   0,   0, 0, 0, 0, 0, 0, /* one member */
            7,   0,   0,   0, 0, 0, 0, 0,    /* its id */
            'x', ':', '1', 0, 1, 0, 0,       /* address, role, padding */
        };

        entries[0].bytes = gp_bytes_of(list, sizeof(list));
        hear(&room, OTHER, append(10, 0, 0, 1), entries, 1);
    }
    GP_CHECK_EQ(status_of(&room).last, 61);
    append_commands(&room, 10, 55, 10, 10, 65); /* across what is there and what is new */
    GP_CHECK_EQ(status_of(&room).last, 65);
    GP_CHECK_EQ(status_of(&room).committed, 65);
    GP_CHECK_EQ(room.said.index, 65);
    end(&room);
}

static size_t put_list(unsigned char out[64], uint64_t id, uint8_t role)
{
    memset(out, 0, 64);
    out[0] = 1;
    out[1] = 3;
    for (uint64_t i = 0, at = 9; i < 3; i++, at += 13) {
        out[at] = (unsigned char)(i == 0 ? SELF : i == 1 ? OTHER : id);
        memcpy(out + at + 8, "a:", 2);
        out[at + 10] = (unsigned char)('1' + i);
        out[at + 12] = role;
    }
    return 48;
}

/* libraft would look for the list before in a log that was compacted. */
GP_TEST(consensus_receive, takes_back_a_change_of_members_that_was_undone)
{
    struct consensus_member list[CONSENSUS_MEMBERS_MAX];
    struct raft_frame_entry change = {11, RAFT_ENTRY_CHANGE, {NULL, 0}};
    unsigned char bytes[64];
    struct room room;

    begin(&room, 6);
    for (uint64_t i = 1; i < 61; i += 10) {
        append_commands(&room, 10, i, i == 1 ? 1 : 10, 10, i + 10);
    }
    change.bytes = gp_bytes_of(bytes, put_list(bytes, 77, VOTER));
    hear(&room, OTHER, append(11, 61, 10, 61), &change, 1);
    GP_CHECK_EQ(status_of(&room).last, 62);
    GP_REQUIRE_EQ(consensus_members(room.c, list), 3);
    GP_CHECK_EQ(list[2].id, 77);
    append_commands(&room, 12, 61, 10, 3, 61); /* another leader never had it */
    GP_REQUIRE_EQ(consensus_members(room.c, list), 3);
    GP_CHECK_EQ(list[2].id, THIRD);
    append_commands(&room, 12, 61, 10, 3, 64); /* the sender tries again */
    GP_CHECK_EQ(status_of(&room).last, 64);
    GP_CHECK_EQ(status_of(&room).committed, 64);
    GP_CHECK_EQ(room.crew.members[0].index, 64);
    end(&room);
}

GP_TEST(consensus_receive, refuses_lists_of_members_that_do_not_hold)
{
    struct raft_frame_entry change = {10, RAFT_ENTRY_CHANGE, {NULL, 0}};
    unsigned char bytes[64];
    struct room room;
    uint64_t malformed;

    begin(&room, 7);
    malformed = status_of(&room).malformed;
    change.bytes = gp_bytes_of(bytes, put_list(bytes, OTHER, VOTER)); /* twice the same */
    hear(&room, OTHER, append(10, 1, 1, 1), &change, 1);
    change.bytes = gp_bytes_of(bytes, put_list(bytes, 77, SPARE)); /* nobody votes */
    hear(&room, OTHER, append(10, 1, 1, 1), &change, 1);
    change.bytes = gp_bytes_of(bytes, put_list(bytes, 77, 9)); /* no role */
    hear(&room, OTHER, append(10, 1, 1, 1), &change, 1);
    (void)put_list(bytes, 77, VOTER);
    bytes[4] = 200; /* a count that goes far beyond */
    hear(&room, OTHER, append(10, 1, 1, 1), &change, 1);
    (void)put_list(bytes, 77, VOTER);
    memset(bytes + 43, 'x', 5); /* an address without an end */
    hear(&room, OTHER, append(10, 1, 1, 1), &change, 1);
    GP_CHECK_EQ(status_of(&room).malformed, malformed + 5);
    GP_CHECK_EQ(status_of(&room).last, 1);
    end(&room);
}

/* ---- who says it ---- */

GP_TEST(consensus_receive, drops_strangers_and_counts_them)
{
    struct room room;
    uint64_t before;
    struct raft_frame frame = append(10, 1, 1, 1);

    begin(&room, 8);
    before = status_of(&room).strangers;
    vote(&room, 999, 1000001, 5, 1, 0); /* a far term */
    frame.from = 77;                    /* says it is another */
    hear(&room, OTHER, frame, NULL, 0);
    frame = append(10, 1, 1, 1);
    frame.to = 5; /* was meant for another life */
    hear(&room, OTHER, frame, NULL, 0);
    frame = append(10, 1, 1, 1);
    frame.group = 5;
    hear(&room, OTHER, frame, NULL, 0);
    hear(&room, 999, (struct raft_frame){.kind = RAFT_KIND_APPEND_RESULT, .term = 10, .index = 1},
         NULL, 0);
    hear(&room, SELF, append(10, 1, 1, 1), NULL, 0); /* ourselves */
    GP_CHECK_EQ(status_of(&room).strangers, before + 6);
    GP_CHECK(status_of(&room).term < 10);
    /* While somebody known leads, no unknown one does. */
    hear(&room, OTHER, append(10, 1, 1, 1), NULL, 0);
    GP_CHECK_EQ(status_of(&room).leader, OTHER);
    hear(&room, 999, append(11, 1, 1, 1), NULL, 0);
    vote(&room, 999, 11, 5, 10, 0);
    GP_CHECK_EQ(status_of(&room).strangers, before + 8);
    GP_CHECK_EQ(status_of(&room).term, 10);
    end(&room);
}

GP_TEST(consensus_receive, believes_in_one_leader_of_a_term)
{
    struct room room;
    uint64_t malformed;

    begin(&room, 9);
    malformed = status_of(&room).malformed;
    hear(&room, OTHER, append(10, 1, 1, 1), NULL, 0);
    hear(&room, THIRD, append(10, 1, 1, 1), NULL, 0);
    GP_CHECK_EQ(status_of(&room).leader, OTHER);
    GP_CHECK_EQ(status_of(&room).malformed, malformed + 1);
    hear(&room, THIRD, append(11, 1, 1, 1), NULL, 0);
    GP_CHECK_EQ(status_of(&room).leader, THIRD);
    end(&room);
}

/* ---- anything ---- */

static uint64_t number(struct rng *rng)
{
    static const uint64_t odd[] = {
        0, 1, 2, 10, 61, 62, UINT64_C(1) << 40, UINT64_C(1) << 56, UINT64_MAX};

    return rng_below(rng, 3) == 0 ? odd[rng_below(rng, sizeof(odd) / sizeof(odd[0]))]
                                  : rng_below(rng, 80);
}

static void say_anything(struct room *room, struct rng *rng)
{
    unsigned char bytes[64];
    struct raft_frame_entry entries[4];
    struct raft_frame frame = {.kind = (uint8_t)rng_between(rng, 1, 8),
                               .flags = (uint16_t)rng_below(rng, 8),
                               .term = rng_below(rng, 20) == 0 ? number(rng) : rng_below(rng, 80),
                               .index = number(rng),
                               .index_term = number(rng),
                               .committed = number(rng),
                               .rejected = number(rng),
                               .members_index = number(rng),
                               .parcel = rng_below(rng, 3),
                               .total = number(rng),
                               .offset = number(rng)};
    const uint32_t count = frame.kind == RAFT_KIND_APPEND ? (uint32_t)rng_below(rng, 5) : 0;

    memset(bytes, 0, sizeof(bytes));
    (void)put_list(bytes, 70 + rng_below(rng, 9), (uint8_t)rng_below(rng, 4));
    bytes[rng_below(rng, 64)] ^= (unsigned char)(rng_below(rng, 4) == 0 ? rng_u64(rng) : 0);
    if (frame.kind == RAFT_KIND_INSTALL) {
        frame.members = gp_bytes_of(bytes, 48);
    }
    if (frame.kind == RAFT_KIND_INSTALL || frame.kind == RAFT_KIND_FRAGMENT) {
        frame.bytes = gp_bytes_of(bytes, rng_below(rng, 16));
    }
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = (struct raft_frame_entry){
            rng_below(rng, 30), (uint16_t)rng_below(rng, 5), {bytes, rng_below(rng, 49)}};
    }
    hear(room, rng_below(rng, 2) == 0 ? OTHER : THIRD, frame, entries, count);
}

/* The crew's rules do not hold for what liars say; that nothing crashes does. */
static int restore_anything(void *user, gp_bytes bytes)
{
    (void)user;
    return bytes.len % 5 == 4 ? GP_EPROTO : 0;
}

static void apply_anything(void *user, uint64_t index, gp_bytes bytes)
{
    (void)user;
    (void)index;
    (void)bytes;
}

static int snapshot_anything(void *user, struct buf *out)
{
    (void)user;
    return buf_append_c(out, "state");
}

static void send_nowhere(void *user, uint64_t member, const char *address, gp_bytes bytes)
{
    struct raft_frame frame;

    (void)member;
    (void)address;
    GP_CHECK_EQ(raft_frame_decode(bytes, &frame), 0);
    ((struct room *)user)->group = frame.group;
}

static void change_nothing(void *user)
{
    (void)user;
}

static const struct consensus_events anything = {
    .send = send_nowhere,
    .apply = apply_anything,
    .snapshot = snapshot_anything,
    .restore = restore_anything,
    .on_change = change_nothing,
};

GP_TEST(consensus_receive, survives_whatever_is_said)
{
    static const struct consensus_member members[] = {
        {.id = SELF, .address = "10.0.0.1:3000"},
        {.id = OTHER, .address = "10.0.0.2:3000"},
        {.id = THIRD, .address = "10.0.0.3:3000"},
    };

    for (uint64_t seed = 0; seed < 60; seed++) {
        struct room room = {0};
        struct consensus_options options = {.folder = "/r",
                                            .snapshot_threshold = 10,
                                            .snapshot_trailing = 2,
                                            .events = &anything,
                                            .user = &room};
        const char *args[] = {"x", NULL};
        struct sim_options world = {.seed = seed};
        struct sim_host *host;
        struct sim_proc *proc;
        struct sim *sim;
        struct rng rng;

        rng_init(&rng, seed);
        GP_REQUIRE_EQ(sim_new(&world, &sim), 0);
        GP_REQUIRE_EQ(sim_host_add(sim, "10.0.0.1", &host), 0);
        GP_REQUIRE_EQ(sim_spawn(host, args, &proc), 0);
        GP_REQUIRE_EQ(sim_run_for(sim, MS, NULL), 0);
        options.port = sim_proc_port(proc);
        GP_REQUIRE_EQ(consensus_open(&options, &room.c, NULL), 0);
        GP_REQUIRE_EQ(consensus_form(room.c, "g", SELF, members, 3, NULL), 0);
        for (int i = 0; i < 400; i++) {
            if (room.group != 0) {
                say_anything(&room, &rng);
            }
            if (i % 3 == 0) {
                GP_REQUIRE_EQ(sim_run_for(sim, rng_between(&rng, 1, 100) * MS, NULL), 0);
            }
        }
        consensus_close(room.c);
        sim_free(sim);
    }
}
