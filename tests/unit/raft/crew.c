/*
 * A group, its carrier and its rules. Everything is drawn from the seed; a letter is put into the
 * receiver's list by the sender and taken out by the receiver's own timer, in its own loop.
 */
#include "crew.h"

#include <stdlib.h>
#include <string.h>

#include <raft.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "gp_test.h"
#include "raft/consensus_heap.h"

#define FOLDER      "/raft"
#define STATE_BYTES 16u

void crew_break(struct crew *crew, const char *rule, uint64_t at)
{
    if (crew->broken_rule == NULL) {
        crew->broken_rule = rule;
        crew->broken_at = at;
    }
}

/* ---- the state ---- */

static uint64_t chain_on(uint64_t chain, uint64_t index, gp_bytes command)
{
    uint64_t h = chain ^ (index * UINT64_C(0x9e3779b97f4a7c15));

    for (size_t i = 0; i < command.len && i < 64; i++) {
        h = (h ^ ((const unsigned char *)command.ptr)[i]) * UINT64_C(0x100000001b3);
    }
    return h ^ command.len;
}

/* The chain as of an index: barriers and changes of members do not move it. */
static uint64_t chain_at(const struct crew *crew, uint64_t index)
{
    while (index > 0 && crew->truth[index] == 0) {
        index--;
    }
    return index == 0 ? 0 : crew->chains[index];
}

static void learn(struct crew *crew, uint64_t index, uint64_t number, uint64_t chain)
{
    struct crew_command *command = &crew->commands[number];

    if (crew->truth[index] == 0) {
        crew->truth[index] = number + 1;
        crew->chains[index] = chain;
        if (command->index != 0) {
            crew_break(crew, "a command is in the log twice", number);
        }
        command->index = index;
        crew->truth_last = index > crew->truth_last ? index : crew->truth_last;
    } else if (crew->truth[index] != number + 1) {
        crew_break(crew, "two members applied different commands at an index", index);
    } else if (crew->chains[index] != chain) {
        crew_break(crew, "two members got to different states", index);
    }
}

static void on_apply(void *user, uint64_t index, gp_bytes bytes)
{
    struct crew_member *m = user;
    struct crew *crew = m->crew;
    uint64_t number;

    if (!m->has_begun || index <= m->index || index >= CREW_INDEXES_MAX) {
        crew_break(crew, "an index came twice in a life, or before it", index);
        return;
    }
    if (bytes.len < 8 || (number = get_u64_le(bytes.ptr)) >= crew->command_count) {
        crew_break(crew, "a command was made up", index);
        return;
    }
    m->chain = chain_on(m->chain, index, bytes);
    m->index = index;
    learn(crew, index, number, m->chain);
}

static int on_snapshot(void *user, struct buf *out)
{
    struct crew_member *m = user;
    int rc;

    if (m->refuses_snapshots) {
        return GP_EAGAIN;
    }
    m->crew->counts.snapshots++;
    rc = buf_append_u64(out, m->index);
    rc = rc < 0 ? rc : buf_append_u64(out, m->chain);
    return rc < 0 ? rc : buf_append_zero(out, m->padding);
}

static int on_restore(void *user, gp_bytes bytes)
{
    struct crew_member *m = user;

    m->lives++;
    m->has_begun = true;
    m->index = 0;
    m->chain = 0;
    if (bytes.len == 0) {
        return 0;
    }
    if (bytes.len < STATE_BYTES) {
        return GP_EPROTO;
    }
    m->crew->counts.installs++;
    m->index = get_u64_le(bytes.ptr);
    m->chain = get_u64_le((const char *)bytes.ptr + 8);
    if (m->index >= CREW_INDEXES_MAX || m->chain != chain_at(m->crew, m->index)) {
        crew_break(m->crew, "a snapshot is of no state there was", m->index);
    }
    return 0;
}

/* One leader in a term, asked whenever anything might have changed. */
static void check_leader(struct crew_member *m)
{
    struct consensus_status status;
    struct crew *crew = m->crew;

    if (m->c == NULL) {
        return;
    }
    consensus_status(m->c, &status);
    if (status.role != CONSENSUS_LEADER || status.term >= CREW_TERMS_MAX) {
        return;
    }
    if (crew->leaders[status.term] == 0) {
        crew->leaders[status.term] = m->id;
        crew->counts.elections++;
        if (m->index < crew->acknowledged_last) {
            crew_break(crew, "a leader does not know all that was acknowledged", status.term);
        }
    } else if (crew->leaders[status.term] != m->id) {
        crew_break(crew, "two leaders in a term", status.term);
    }
}

static void on_change(void *user)
{
    check_leader(user);
}

/* ---- the carrier ---- */

static void put_letter(struct crew_member *to, struct crew_letter *letter)
{
    struct crew_letter **at = &to->letters;

    while (*at != NULL && (*at)->due_ns <= letter->due_ns) {
        at = &(*at)->next;
    }
    letter->next = *at;
    *at = letter;
    doorbell_ring(to->bell);
}

static void post(struct crew *crew, uint32_t from, struct crew_member *to, gp_bytes bytes)
{
    struct crew_letter *letter = malloc(sizeof(*letter) + bytes.len);
    int64_t delay = rng_between(&crew->rng, MS / 10, 2 * MS);

    ASSERT(letter != NULL);
    if (rng_chance(&crew->rng, crew->carrier.late)) {
        crew->counts.late++;
        delay = rng_between(&crew->rng, MS, 300 * MS);
    }
    letter->due_ns = sim_now_ns(crew->sim) + delay;
    letter->from = from;
    letter->len = bytes.len;
    memcpy(letter->bytes, bytes.ptr, bytes.len);
    put_letter(to, letter);
}

static struct crew_member *member_of(struct crew *crew, const char *address)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        if (strcmp(crew->members[i].address, address) == 0) {
            return &crew->members[i];
        }
    }
    return NULL;
}

static void on_send(void *user, uint64_t member, const char *address, gp_bytes bytes)
{
    struct crew_member *m = user;
    struct crew *crew = m->crew;
    struct crew_member *to = member_of(crew, address);
    uint32_t copies = 1;

    if (crew->spy != NULL) {
        crew->spy(crew, member, bytes);
    }
    if (to == NULL && crew->spy != NULL) {
        return; /* a list of members that was made up */
    }
    if (to == NULL || to == m) {
        crew_break(crew, "a message to nobody", member);
        return;
    }
    if (bytes.len > CONSENSUS_FRAME_MAX) {
        crew_break(crew, "a frame is too big", bytes.len);
    }
    crew->counts.large += bytes.len > CONSENSUS_FRAME_MAX / 2;
    if (crew->cuts[m->number][to->number]) {
        crew->counts.cut++;
        return;
    }
    if (rng_chance(&crew->rng, crew->carrier.lost)) {
        crew->counts.lost++;
        return;
    }
    if (rng_chance(&crew->rng, crew->carrier.doubled)) {
        crew->counts.doubled++;
        copies = 2;
    }
    for (uint32_t i = 0; i < copies && to->c != NULL; i++) {
        post(crew, m->number, to, bytes);
    }
}

static void arm(struct crew_member *m)
{
    if (m->letters != NULL) {
        const int64_t delay = m->letters->due_ns - sim_now_ns(m->crew->sim);

        timer_start(m->timer, delay > 0 ? delay : 0);
    }
}

static void on_bell(void *user)
{
    arm(user);
}

static void on_timer(void *user)
{
    struct crew_member *m = user;
    struct crew *crew = m->crew;

    while (m->letters != NULL && m->letters->due_ns <= sim_now_ns(crew->sim)) {
        struct crew_letter *letter = m->letters;
        struct crew_member *from = &crew->members[letter->from];

        m->letters = letter->next;
        /* As a messenger would: who sent it is proven. */
        consensus_receive(m->c, from->id, from->address, gp_bytes_of(letter->bytes, letter->len));
        free(letter);
        check_leader(m);
    }
    arm(m);
}

/* ---- lives ---- */

static const struct consensus_events events = {
    .send = on_send,
    .apply = on_apply,
    .snapshot = on_snapshot,
    .restore = on_restore,
    .on_change = on_change,
};

static int start(void *ctx, const struct port *port, const char *const *args, void **ret_node,
                 struct gp_error *err)
{
    struct crew *crew = ctx;
    struct crew_member *m = &crew->members[args[1][0] - '0'];
    struct consensus_options options = crew->options;
    int rc;

    m->port = port;
    m->has_begun = false;
    options.port = port;
    options.folder = FOLDER;
    options.events = &events;
    options.user = m;
    ASSERT(timer_new(port->loop, on_timer, m, &m->timer) == 0);
    ASSERT(doorbell_new(port->loop, on_bell, m, &m->bell) == 0);
    rc = consensus_open(&options, &m->c, err);
    if (rc < 0) {
        m->c = NULL;
        timer_free(m->timer);
        doorbell_free(m->bell);
        return rc;
    }
    *ret_node = m;
    return 0;
}

static void stop(void *ctx, void *node)
{
    struct crew_member *m = node;

    (void)ctx;
    consensus_close(m->c);
    m->c = NULL;
    timer_free(m->timer);
    doorbell_free(m->bell);
    while (m->letters != NULL) {
        struct crew_letter *next = m->letters->next;

        free(m->letters);
        m->letters = next;
    }
}

static void on_line(void *ctx, gp_str line)
{
    struct crew *crew = ctx;

    if (crew->logs) {
        (void)fprintf(stderr, "%.*s\n", (int)line.len, line.ptr);
    }
}

void crew_init(struct crew *crew, uint64_t seed, uint32_t count)
{
    struct sim_options options = {.seed = seed, .start = start, .stop = stop, .ctx = crew};

    ASSERT(count <= CREW_MAX);
    memset(crew, 0, sizeof(*crew));
    crew->seed = seed;
    crew->count = count;
    crew->logs = getenv("GP_RAFT_LOG") != NULL;
    crew->commands = calloc(CREW_COMMANDS_MAX, sizeof(*crew->commands));
    crew->truth = calloc(CREW_INDEXES_MAX, sizeof(*crew->truth));
    crew->chains = calloc(CREW_INDEXES_MAX, sizeof(*crew->chains));
    crew->leaders = calloc(CREW_TERMS_MAX, sizeof(*crew->leaders));
    ASSERT(crew->commands && crew->truth && crew->chains && crew->leaders);
    rng_init(&crew->rng, seed ^ UINT64_C(0x63726577));
    options.on_line = on_line;
    options.line_ctx = crew;
    options.log_level = LOG_LEVEL_INFO;
    ASSERT(sim_new(&options, &crew->sim) == 0);
    for (uint32_t i = 0; i < count; i++) {
        struct crew_member *m = &crew->members[i];
        char host[16];

        m->crew = crew;
        m->number = i;
        m->id = 100 + i;
        (void)snprintf(host, sizeof(host), "10.0.0.%u", i + 1);
        (void)snprintf(m->address, sizeof(m->address), "%s:3000", host);
        ASSERT(sim_host_add(crew->sim, host, &m->host) == 0);
    }
}

void crew_deinit(struct crew *crew)
{
    heap_begin();
    sim_free(crew->sim);
    free(crew->commands);
    free(crew->truth);
    free(crew->chains);
    free(crew->leaders);
}

bool crew_start(struct crew *crew, uint32_t number)
{
    struct crew_member *m = &crew->members[number];
    const char digit[] = {(char)('0' + number), 0};
    const char *args[] = {"member", digit, NULL};

    ASSERT(m->c == NULL);
    ASSERT(sim_spawn(m->host, args, &m->proc) == 0);
    for (int i = 0; i < 100 && m->c == NULL; i++) {
        struct proc_exit how;

        ASSERT(sim_run_for(crew->sim, MS, NULL) == 0);
        if (sim_proc_ended(m->proc, &how) == 0) {
            return false;
        }
    }
    return m->c != NULL;
}

void crew_kill(struct crew *crew, uint32_t number)
{
    (void)crew;
    sim_kill(crew->members[number].proc);
    ASSERT(crew->members[number].c == NULL);
}

void crew_form(struct crew *crew, uint32_t count)
{
    struct consensus_member members[CONSENSUS_MEMBERS_MAX] = {0};

    for (uint32_t i = 0; i < count; i++) {
        members[i].id = crew->members[i].id;
        (void)snprintf(members[i].address, sizeof(members[i].address), "%s",
                       crew->members[i].address);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct crew_member *m = &crew->members[i];
        struct gp_error err = {0};

        if (m->c == NULL) {
            ASSERT(crew_start(crew, i));
        }
        if (consensus_form(m->c, "g", m->id, members, count, &err) < 0) {
            GP_TEST_FAIL("form: %s", err.text);
        }
    }
}

void crew_cut(struct crew *crew, uint32_t from, uint32_t to)
{
    crew->cuts[from][to] = true;
}

/* ---- memory ---- */

static void *no_malloc(void *data, size_t size)
{
    (void)data;
    (void)size;
    return NULL;
}

static void *no_calloc(void *data, size_t count, size_t size)
{
    (void)data;
    (void)count;
    (void)size;
    return NULL;
}

static void *no_realloc(void *data, void *ptr, size_t size)
{
    (void)data;
    (void)ptr;
    (void)size;
    return NULL;
}

static void give_back(void *data, void *ptr)
{
    (void)data;
    free(ptr);
}

void crew_famine(struct crew *crew, bool lasts)
{
    static struct raft_heap empty = {
        .malloc = no_malloc, .free = give_back, .calloc = no_calloc, .realloc = no_realloc};

    if (lasts) {
        crew->counts.famines++;
        raft_heap_set(&empty);
    } else {
        heap_begin();
    }
}

void crew_doubt(struct crew *crew, uint32_t number)
{
    struct consensus_status status;

    if (crew->members[number].c == NULL) {
        return;
    }
    consensus_status(crew->members[number].c, &status);
    crew->counts.doubts += status.leader != 0 && status.role == CONSENSUS_FOLLOWER;
    consensus_doubt(crew->members[number].c, status.leader);
}

void crew_heal(struct crew *crew)
{
    memset(crew->cuts, 0, sizeof(crew->cuts));
}

/* ---- time ---- */

static void check_all(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->count; i++) {
        check_leader(&crew->members[i]);
    }
}

void crew_run(struct crew *crew, int64_t span_ns)
{
    const int64_t end = sim_now_ns(crew->sim) + span_ns;

    while (sim_now_ns(crew->sim) < end) {
        const int64_t left = end - sim_now_ns(crew->sim);

        if (sim_run_for(crew->sim, left < 5 * MS ? left : 5 * MS, NULL) < 0) {
            crew_break(crew, "the world does not come to rest", 0);
            return;
        }
        check_all(crew);
    }
}

bool crew_wait(struct crew *crew, bool (*done)(struct crew *crew), int64_t span_ns)
{
    const int64_t end = sim_now_ns(crew->sim) + span_ns;

    while (sim_now_ns(crew->sim) < end && crew->broken_rule == NULL) {
        if (done(crew)) {
            return true;
        }
        crew_run(crew, 5 * MS);
    }
    return done(crew);
}

/* ---- proposals ---- */

static void on_ended(void *user, int code)
{
    struct crew_command *command = user;
    struct crew *crew = command->crew;

    if (command->fate != CREW_OPEN) {
        crew_break(crew, "a proposal ended twice", command->number);
    }
    command->code = code;
    crew->open_count--;
    if (code == 0) {
        command->fate = CREW_ACKNOWLEDGED;
        crew->counts.acknowledged++;
        if (command->index == 0) {
            crew_break(crew, "acknowledged and not applied", command->number);
        }
        if (command->index > crew->acknowledged_last) {
            crew->acknowledged_last = command->index;
        }
    } else if (code == GP_ENOTLEADER || code == GP_ENOMEM) {
        command->fate = CREW_REFUSED;
        crew->counts.refused++;
    } else {
        command->fate = CREW_UNKNOWN;
        crew->counts.unknown++;
    }
}

int crew_propose(struct crew *crew, uint32_t number, size_t len)
{
    struct crew_member *m = &crew->members[number];
    struct crew_command *command = &crew->commands[crew->command_count];
    unsigned char *bytes;
    int rc;

    ASSERT(len >= 8 && crew->command_count < CREW_COMMANDS_MAX);
    if (m->c == NULL) {
        return GP_ECLOSED;
    }
    bytes = malloc(len);
    ASSERT(bytes != NULL);
    memset(bytes, 'x', len);
    put_u64_le(bytes, crew->command_count);
    *command = (struct crew_command){.crew = crew, .number = crew->command_count++};
    crew->counts.proposed++;
    crew->open_count++;
    rc = consensus_propose(m->c, gp_bytes_of(bytes, len), on_ended, command);
    free(bytes);
    if (rc < 0) {
        crew->open_count--;
        command->fate = CREW_REFUSED;
        command->code = rc;
        crew->counts.refused++;
    }
    return rc;
}

/* ---- what is ---- */

struct crew_member *crew_leader(struct crew *crew)
{
    struct crew_member *best = NULL;
    uint64_t term = 0;

    for (uint32_t i = 0; i < crew->count; i++) {
        struct crew_member *m = &crew->members[i];
        struct consensus_status status;

        if (m->c == NULL) {
            continue;
        }
        consensus_status(m->c, &status);
        if (status.role == CONSENSUS_LEADER && (best == NULL || status.term > term)) {
            best = m;
            term = status.term;
        }
    }
    return best;
}

bool crew_has_leader(struct crew *crew)
{
    return crew_leader(crew) != NULL;
}

bool crew_is_answered(struct crew *crew)
{
    return crew->open_count == 0;
}

uint32_t crew_voters(struct crew *crew)
{
    struct consensus_member list[CONSENSUS_MEMBERS_MAX];
    struct crew_member *leader = crew_leader(crew);
    uint32_t voters = 0;

    for (uint32_t i = 0, n = leader == NULL ? 0 : consensus_members(leader->c, list); i < n; i++) {
        voters += list[i].votes;
    }
    return voters;
}

static bool is_member(struct crew *crew, const struct crew_member *m)
{
    struct consensus_member list[CONSENSUS_MEMBERS_MAX];
    struct crew_member *leader = crew_leader(crew);
    const uint32_t n = leader == NULL ? 0 : consensus_members(leader->c, list);

    for (uint32_t i = 0; i < n; i++) {
        if (list[i].id == m->id && list[i].votes) {
            return true;
        }
    }
    return false;
}

static bool all_agree(struct crew *crew)
{
    if (crew_leader(crew) == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < crew->count; i++) {
        struct crew_member *m = &crew->members[i];

        if (m->c != NULL && is_member(crew, m) &&
            (m->index != crew->truth_last || m->chain != chain_at(crew, crew->truth_last))) {
            return false;
        }
    }
    return true;
}

bool crew_agrees(struct crew *crew)
{
    return crew_wait(crew, all_agree, 60000 * MS);
}

const char *crew_judge(struct crew *crew)
{
    for (uint64_t i = 0; i < crew->command_count && crew->broken_rule == NULL; i++) {
        const struct crew_command *command = &crew->commands[i];

        if (command->fate == CREW_ACKNOWLEDGED && command->index == 0) {
            crew_break(crew, "what was acknowledged is lost", i);
        }
        if (command->fate == CREW_REFUSED && command->index != 0) {
            crew_break(crew, "what was refused is applied", i);
        }
        if (command->fate == CREW_OPEN) {
            crew_break(crew, "a proposal never ended", i);
        }
    }
    return crew->broken_rule;
}

void crew_describe(struct crew *crew)
{
    struct consensus_member list[CONSENSUS_MEMBERS_MAX];

    for (uint32_t i = 0; i < crew->count; i++) {
        struct crew_member *m = &crew->members[i];
        struct consensus_status s = {0};

        if (m->c == NULL) {
            (void)fprintf(stderr, "member %u is dead\n", i);
            continue;
        }
        consensus_status(m->c, &s);
        (void)fprintf(stderr,
                      "member %u id %" PRIu64 " role %d term %" PRIu64 " leader %" PRIu64
                      " last %" PRIu64 " committed %" PRIu64 " applied %" PRIu64 " state %" PRIu64
                      " of %" PRIu64 ":",
                      i, m->id, (int)s.role, s.term, s.leader, s.last, s.committed, s.applied,
                      m->index, crew->truth_last);
        for (uint32_t k = 0, n = consensus_members(m->c, list); k < n; k++) {
            (void)fprintf(stderr, " %" PRIu64 "%s%s@%" PRIu64, list[k].id, list[k].votes ? "" : "-",
                          list[k].is_heard ? "" : "?", list[k].match);
        }
        (void)fprintf(stderr, "\n");
    }
}
