/*
 * journal_format.h: the bytes of a journal's files, and nothing else: pure, any thread, nothing
 * allocated but by the buf that is given. Private to raft (and its tests).
 *
 * Numbers are little-endian. Indexes, numbers of files and the serial are below NUMBER_MAX, so that
 * they can be counted up for ever. A decoder takes bytes of any content, of exactly the given
 * length, and answers 0, GP_ECHECKSUM, GP_EPROTO (too short, or a field that cannot be) or
 * GP_EUNSUPPORTED (a later version); the checksum is looked at first.
 *
 * state-1, state-2: 256 bytes, so that one sector holds them
 *
 *     offset size
 *          0    4  magic "GpSt"
 *          4    4  version, 1
 *          8    8  serial: the newer of the two files has the larger one
 *         16    8  member: id of who owns this folder, not 0
 *         24    8  term
 *         32    8  vote in it, 0: nobody
 *         40    8  snapshot: index in the name of the one that counts, 0: none
 *         48    8  first: index of the first entry that counts
 *         56    8  log_begin: number of the oldest log file that counts
 *         64    8  log_end: number of the newest; log_begin - 1: none
 *         72    8  log_bytes: so many of the newest were durable when this was written
 *         80  128  group, padded with zeros, the last byte is one
 *        208   44  zeros
 *        252    4  CRC32C of the bytes before
 *
 * log-NUMBER: a header, then records, each at a multiple of 8
 *
 *          0    4  magic "GpLg"
 *          4    4  version, 1
 *          8    8  member
 *         16    8  number, as in the name
 *         24    8  next: index of the entry that would come first here
 *         32    8  before: bytes of log-(NUMBER-1) that count, all of them records; 0: nothing
 *                  before counts, an installed snapshot stands instead
 *         40    4  zeros
 *         44    4  CRC32C of the bytes before; also the seed of the records' checksums
 *
 *   record
 *          0    4  CRC32C of: the seed, the record's offset in the file (8 bytes), bytes 4 to 39; so
 *                  it holds in this file and this place only
 *          4    4  CRC32C of data and padding
 *          8    4  length of data, at most JOURNAL_ENTRY_MAX
 *         12    2  kind: 1 entry, 2 truncation, 3 mark
 *         14    2  type of the entry, libraft's; else 0
 *         16    8  index: of the entry; the first that a truncation forgets; the next one of a mark
 *         24    8  term of the entry; else 0
 *         32    8  synced: so many bytes of this file were durable before this record was written
 *         40       data, padded with zeros to a multiple of 8
 *
 * snapshot-INDEX: a header, then the configuration, then the data, then the end of the file
 *
 *          0    4  magic "GpSn"
 *          4    4  version, 1
 *          8    8  member
 *         16    8  index of the last entry in it
 *         24    8  its term
 *         32    8  members_index
 *         40    8  length of the configuration, at most JOURNAL_MEMBERS_MAX
 *         48    8  length of the data, at most JOURNAL_SNAPSHOT_MAX
 *         56    4  CRC32C of configuration and data
 *         60    4  CRC32C of the bytes before
 */
#ifndef RAFT_JOURNAL_FORMAT_H
#define RAFT_JOURNAL_FORMAT_H

#include "raft/journal.h"

#define NUMBER_MAX            (UINT64_C(1) << 62)
#define STATE_BYTES           256u
#define LOG_HEADER_BYTES      48u
#define RECORD_HEADER_BYTES   40u
#define SNAPSHOT_HEADER_BYTES 64u

struct state_file {
    uint64_t serial;
    uint64_t member;
    uint64_t term;
    uint64_t vote;
    uint64_t snapshot;
    uint64_t first;
    uint64_t log_begin;
    uint64_t log_end;
    uint64_t log_bytes;
    char group[JOURNAL_GROUP_MAX];
};

void state_file_encode(const struct state_file *state, unsigned char ret[STATE_BYTES]);
int state_file_decode(gp_bytes bytes, struct state_file *ret);

struct log_header {
    uint64_t member;
    uint64_t number;
    uint64_t next;
    uint64_t before;
};

/* Both give the seed of the file's records. decode takes a whole file and looks at its
 * beginning. */
uint32_t log_header_encode(const struct log_header *header, unsigned char ret[LOG_HEADER_BYTES]);
int log_header_decode(gp_bytes file, struct log_header *ret, uint32_t *ret_seed);

enum record_kind {
    RECORD_ENTRY = 1,
    RECORD_TRUNCATION,
    RECORD_MARK,
};

struct record {
    enum record_kind kind;
    uint16_t type;
    uint32_t data_crc; /* set by record_append() */
    uint64_t offset;   /* in the file */
    uint64_t index;
    uint64_t term;
    uint64_t synced;
    gp_bytes data;
};

/* Of the record as a whole: a multiple of 8. */
static inline uint64_t record_bytes(size_t data_len)
{
    return RECORD_HEADER_BYTES + (((uint64_t)data_len + 7) & ~UINT64_C(7));
}

/* Appends a record that will stand at its offset. GP_ENOMEM, GP_ETOOBIG. */
int record_append(struct buf *buf, uint32_t seed, struct record *record);

/* The record at offset of a file; ret->data lies in it. */
int record_read(gp_bytes file, uint32_t seed, uint64_t offset, struct record *ret);

/*
 * The largest `synced` in a header that holds, at offset or behind. Behind a record that does not
 * hold, it tells whether that one had ever been acknowledged. 0: nothing is known.
 */
uint64_t record_synced_behind(gp_bytes file, uint32_t seed, uint64_t offset);

/* Lengths are within their limits. */
void snapshot_encode_header(uint64_t member, const struct journal_snapshot *snapshot,
                            unsigned char ret[SNAPSHOT_HEADER_BYTES]);
/* A whole file; slices of ret lie in it. */
int snapshot_decode(gp_bytes file, uint64_t *ret_member, struct journal_snapshot *ret);

#endif
