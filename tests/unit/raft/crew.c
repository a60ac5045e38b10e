/*
 * A group: lives and deaths of its members, what is proposed, and the rules of the end. What a
 * member does while it lives is in crew_member.c.
 */
#include <stdlib.h>
#include <string.h>

#include <raft.h>

#include "base/assert.h"
#include "base/endian.h"
#include "crew_internal.h"
#include "gp_test.h"
#include "raft/consensus_heap.h"

#define FOLDER "/raft"

void crew_break(struct crew *crew, const char *rule, uint64_t at)
{
    if (crew->broken_rule == NULL) {
        crew->broken_rule = rule;
        crew->broken_at = at;
    }
}

/* ---- lives ---- */

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
    options.events = &crew_events;
    options.user = m;
    ASSERT(timer_new(port->loop, crew_on_timer, m, &m->timer) == 0);
    ASSERT(doorbell_new(port->loop, crew_on_bell, m, &m->bell) == 0);
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
        crew_check_leader(&crew->members[i]);
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
            (m->index != crew->truth_last || m->chain != crew_chain_at(crew, crew->truth_last))) {
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
