/*
 * raft.h: what masters tell each other to agree, as bytes: the payload of a raft frame.
 *
 * Every payload begins with the same 32 bytes:
 *
 * | offset | type | meaning                                                    |
 * |      0 | u8   | version of this layout, 1                                  |
 * |      1 | u8   | kind, see enum raft_kind                                   |
 * |      2 | u16  | flags, see RAFT_FLAG_...; others 0                         |
 * |      4 | u32  | count of entries (append) or size of members (install), else 0 |
 * |      8 | u64  | group: the first 8 bytes of the SHA-256 of its name          |
 * |     16 | u64  | from: id of the sending member                             |
 * |     24 | u64  | to: id of the member meant                                 |
 *
 * and goes on with these, all u64:
 *
 *     append         term, previous index, term of that, committed, then the entries:
 *                    u64 term, u32 size, u16 type, u16 0, bytes
 *     append-result  term, rejected index (0: taken), last index
 *     vote           term, last index, term of that
 *     vote-result    term
 *     install        term, last index, term of that, index of members, then members, then the data
 *     timeout-now    term, last index, term of that
 *     fragment       term, parcel, total size, offset, then bytes
 *     fragment-ack   term, parcel, bytes that arrived
 *
 * A payload of more than RAFT_FRAME_MAX travels in fragments, bytes of one parcel in order; the
 * receiver says how many it has. Little-endian. Decoded bytes are borrowed. Pure.
 *
 * What decodes is in its bounds: ids, terms and indexes are possible ones and sums of them do not
 * overflow, terms of entries do not fall, and none is of a later term than its message. What the
 * entries and members say inside is not looked at.
 */
#ifndef WIRE_RAFT_H
#define WIRE_RAFT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/reader.h"

#define RAFT_FRAME_VERSION      1u
#define RAFT_FRAME_HEADER_SIZE  32u
#define RAFT_FRAME_MAX          (256u << 10)        /* bytes of a payload as it travels */
#define RAFT_FRAME_NUMBER_MAX   (UINT64_C(1) << 56) /* of terms and indexes */
#define RAFT_FRAME_ENTRIES_MAX  (16u << 10)         /* in one message */
#define RAFT_FRAME_ENTRY_MAX    (2u << 20)          /* bytes of one */
#define RAFT_FRAME_MEMBERS_MAX  (8u << 10)          /* bytes of the list of members */
#define RAFT_FRAME_DATA_MAX     (64u << 20)         /* bytes of a snapshot */
#define RAFT_FRAME_PARCEL_MAX   (RAFT_FRAME_DATA_MAX + (1u << 20))
#define RAFT_FRAME_FRAGMENT_MAX (RAFT_FRAME_MAX - 64u) /* bytes in a fragment */

#define RAFT_FLAG_DISRUPT  1u /* vote: the leader asked for it */
#define RAFT_FLAG_PRE_VOTE 2u /* vote, vote-result: would you? */
#define RAFT_FLAG_GRANTED  4u /* vote-result */

enum raft_kind {
    RAFT_KIND_APPEND = 1,
    RAFT_KIND_APPEND_RESULT,
    RAFT_KIND_VOTE,
    RAFT_KIND_VOTE_RESULT,
    RAFT_KIND_INSTALL,
    RAFT_KIND_TIMEOUT_NOW,
    RAFT_KIND_FRAGMENT,
    RAFT_KIND_FRAGMENT_ACK,
};

enum raft_entry_type {
    RAFT_ENTRY_COMMAND = 1,
    RAFT_ENTRY_BARRIER,
    RAFT_ENTRY_CHANGE, /* of members */
};

struct raft_frame_entry {
    uint64_t term;
    uint16_t type; /* enum raft_entry_type */
    gp_bytes bytes;
};

/* Fields that a kind does not have are 0. */
struct raft_frame {
    uint8_t kind;
    uint16_t flags;
    uint64_t group;
    uint64_t from;
    uint64_t to;
    uint64_t term;
    uint64_t index;         /* append: previous; append-result, vote, install, timeout-now: last */
    uint64_t index_term;    /* of that entry */
    uint64_t committed;     /* append */
    uint64_t rejected;      /* append-result */
    uint64_t members_index; /* install: where its list of members stood in the log */
    uint64_t parcel;        /* fragments */
    uint64_t total;         /* fragment: size of the parcel */
    uint64_t offset;        /* fragment: of bytes; fragment-ack: what arrived */
    uint32_t entry_count;   /* append */
    gp_bytes entries;       /* append: see raft_frame_entry_next() */
    gp_bytes members;       /* install */
    gp_bytes bytes;         /* install: the snapshot; fragment: a piece */
};

/* Appends header and fields; what is borrowed in the frame too. Entries of an append come behind it
 * with raft_frame_put_entry(), entry_count times. GP_ETOOBIG, GP_ENOMEM. */
int raft_frame_encode(const struct raft_frame *frame, struct buf *out);
int raft_frame_put_entry(const struct raft_frame_entry *entry, struct buf *out);

/* What raft_frame_put_entry() appends. */
size_t raft_frame_entry_size(size_t len);

/* GP_EPROTO: too short, too long, or not possible. */
int raft_frame_decode(gp_bytes payload, struct raft_frame *ret);

/* For a frame that decoded: the next of its entries; call it entry_count times with the same
 * reader, begun with reader_of(frame->entries). */
struct raft_frame_entry raft_frame_entry_next(struct reader *r);

#endif
