/*
 * Lists of members: checked before libraft reads them (its decoder believes its input), and
 * remembered with their place in the log.
 *
 * Libraft's encoding, in entries and snapshots: u8 1, u64 count, then for each u64 id, address with
 * a zero behind it, u8 role; filled up to a multiple of 8.
 */

#include "raft/consensus_internal.h"

#define FORMAT      1u
#define HISTORY_MAX (64u << 10) /* lists remembered; each is an entry of the log */

struct member_view {
    uint64_t id;
    gp_str address;
    uint8_t role;
};

static gp_str read_address(struct reader *r)
{
    const unsigned char *start = r->at;
    size_t len = 0;

    while (len < r->left && start[len] != 0) {
        len++;
    }
    if (len == 0 || len >= CONSENSUS_ADDRESS_MAX || len == r->left) {
        reader_fail(r);
        return (gp_str){0};
    }
    reader_skip(r, len + 1);
    return (gp_str){(const char *)start, len};
}

/* How many there are, or GP_EPROTO. */
static int read_members(gp_bytes bytes, struct member_view views[CONSENSUS_MEMBERS_MAX])
{
    struct reader r = reader_of(bytes);
    const uint8_t format = reader_u8(&r);
    const uint64_t count = reader_u64(&r);

    if (reader_status(&r) < 0 || format != FORMAT || count == 0 || count > CONSENSUS_MEMBERS_MAX) {
        return GP_EPROTO;
    }
    for (uint64_t i = 0; i < count; i++) {
        views[i].id = reader_u64(&r);
        views[i].address = read_address(&r);
        views[i].role = reader_u8(&r);
    }
    if (reader_status(&r) < 0 || reader_left(&r) >= 8 || bytes.len % 8 != 0) {
        return GP_EPROTO;
    }
    return (int)count;
}

static bool is_good(const struct member_view *views, int count)
{
    bool has_voter = false;

    for (int i = 0; i < count; i++) {
        if (views[i].id == 0 || views[i].role > RAFT_SPARE) {
            return false;
        }
        has_voter = has_voter || views[i].role == RAFT_VOTER;
        for (int k = 0; k < i; k++) {
            if (views[k].id == views[i].id || str_eq(views[k].address, views[i].address)) {
                return false;
            }
        }
    }
    return has_voter;
}

int members_check(gp_bytes bytes)
{
    struct member_view views[CONSENSUS_MEMBERS_MAX];
    const int count = read_members(bytes, views);

    return count > 0 && is_good(views, count) ? 0 : GP_EPROTO;
}

int members_decode(gp_bytes bytes, struct raft_configuration *ret)
{
    struct member_view views[CONSENSUS_MEMBERS_MAX];
    const int count = read_members(bytes, views);

    raft_configuration_init(ret);
    if (count <= 0 || !is_good(views, count)) {
        return GP_EPROTO;
    }
    for (int i = 0; i < count; i++) {
        /* The zero behind the address was seen. */
        if (raft_configuration_add(ret, views[i].id, views[i].address.ptr, views[i].role) != 0) {
            return GP_ENOMEM;
        }
    }
    return 0;
}

int members_encode(const struct raft_configuration *members, struct buf *out)
{
    const size_t before = buf_len(out);
    int rc = buf_append_u8(out, FORMAT);

    rc = rc < 0 ? rc : buf_append_u64(out, members->n);
    for (unsigned i = 0; i < members->n; i++) {
        const struct raft_server *server = &members->servers[i];

        rc = rc < 0 ? rc : buf_append_u64(out, server->id);
        rc = rc < 0 ? rc : buf_append(out, server->address, strlen(server->address) + 1);
        rc = rc < 0 ? rc : buf_append_u8(out, (uint8_t)server->role);
    }
    rc = rc < 0 ? rc : buf_append_zero(out, (8 - (buf_len(out) - before) % 8) % 8);
    return rc;
}

void members_tidy(void *ptr, size_t len)
{
    struct reader r = reader_of(gp_bytes_of(ptr, len));
    const uint8_t format = reader_u8(&r);
    const uint64_t count = reader_u64(&r);

    for (uint64_t i = 0; i < count && format == FORMAT && reader_status(&r) == 0; i++) {
        (void)reader_u64(&r);
        (void)read_address(&r);
        (void)reader_u8(&r);
    }
    if (reader_status(&r) == 0 && reader_left(&r) < 8) {
        memset((char *)ptr + (len - reader_left(&r)), 0, reader_left(&r));
    }
}

const struct raft_server *members_find(const struct raft_configuration *members, uint64_t id)
{
    for (unsigned i = 0; i < members->n; i++) {
        if (members->servers[i].id == id) {
            return &members->servers[i];
        }
    }
    return NULL;
}

uint32_t members_voters(const struct raft_configuration *members)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < members->n; i++) {
        count += members->servers[i].role == RAFT_VOTER;
    }
    return count;
}

/* ---- remembered ---- */

int members_log_add(struct members_log *log, uint64_t index, gp_bytes bytes)
{
    struct members_entry entry = {.index = index};

    ASSERT(log->count == 0 || log->entries[log->count - 1].index < index);
    if (log->count == HISTORY_MAX) {
        return GP_EFULL;
    }
    if (log->count == log->capacity) {
        const uint32_t capacity = log->capacity == 0 ? 4 : 2 * log->capacity;
        struct members_entry *entries = realloc(log->entries, capacity * sizeof(*entries));

        if (entries == NULL) {
            return GP_ENOMEM;
        }
        log->entries = entries;
        log->capacity = capacity;
    }
    if (buf_append_bytes(&entry.bytes, bytes) < 0) {
        return GP_ENOMEM;
    }
    log->entries[log->count++] = entry;
    return 0;
}

const struct members_entry *members_log_at(const struct members_log *log, uint64_t index)
{
    for (uint32_t i = log->count; i > 0; i--) {
        if (log->entries[i - 1].index <= index) {
            return &log->entries[i - 1];
        }
    }
    return NULL;
}

uint64_t members_log_last(const struct members_log *log)
{
    return log->count == 0 ? 0 : log->entries[log->count - 1].index;
}

void members_log_cut(struct members_log *log, uint64_t from)
{
    while (log->count > 0 && log->entries[log->count - 1].index >= from) {
        buf_deinit(&log->entries[--log->count].bytes);
    }
}

void members_log_trim(struct members_log *log, uint64_t index)
{
    uint32_t drop = 0;

    while (drop + 1 < log->count && log->entries[drop + 1].index <= index) {
        buf_deinit(&log->entries[drop++].bytes);
    }
    if (drop > 0) {
        log->count -= drop;
        memmove(log->entries, log->entries + drop, log->count * sizeof(*log->entries));
    }
}

void members_log_clear(struct members_log *log)
{
    members_log_cut(log, 0);
    free(log->entries);
    *log = (struct members_log){0};
}
