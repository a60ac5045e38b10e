/*
 * The tables of messages_master.h.
 */
#include "wire/messages_master.h"

#define TEXT FIELD_TEXT
#define MUST FIELD_REQUIRED
#define MAY  FIELD_OPTIONAL
#define FULL (FIELD_REQUIRED | FIELD_NONEMPTY)

static const struct field member_items[] = {
    FIELD_U64(struct msg_member, id, MUST, "drawn at random by its first disk"),
    TEXT(struct msg_member, address, FULL, MSG_ADDRESS_MAX, "where it listens"),
};
static const struct fields member_fields = FIELDS("member", struct msg_member, member_items);

static const struct field master_hello_items[] = {
    FIELD_U64(struct msg_master_hello, id, MUST, "of the member"),
    TEXT(struct msg_master_hello, address, FULL, MSG_ADDRESS_MAX, "where it listens"),
    TEXT(struct msg_master_hello, group, MAY, 64, "it belongs to; \"\": none yet"),
    FIELD_TEXTS(struct msg_master_hello, masters, MAY, MSG_MASTERS_MAX, MSG_ADDRESS_MAX,
                "as it was configured"),
    FIELD_BOOL(struct msg_master_hello, stranger, MAY,
               "said by a leader: who hears this is none of its group"),
};
const struct fields msg_master_hello_fields =
    FIELDS("master_hello", struct msg_master_hello, master_hello_items);

static const struct field master_found_items[] = {
    TEXT(struct msg_master_found, group, FULL, 64, "id of the group, and of the cluster"),
    FIELD_LIST(struct msg_master_found, members, FULL, MSG_MASTERS_MAX, &member_fields,
               "all of them"),
};
const struct fields msg_master_found_fields =
    FIELDS("master_found", struct msg_master_found, master_found_items);

static const struct field master_join_items[] = {
    TEXT(struct msg_master_join, group, FULL, 64, "id of the group"),
    FIELD_U64(struct msg_master_join, id, MUST, "of the one who joins"),
    TEXT(struct msg_master_join, address, FULL, MSG_ADDRESS_MAX, "where it listens"),
};
const struct fields msg_master_join_fields =
    FIELDS("master_join", struct msg_master_join, master_join_items);

static const struct field master_fetch_items[] = {
    TEXT(struct msg_master_fetch, sha256, FULL, MSG_SHA256_HEX, "of the file"),
    FIELD_U64(struct msg_master_fetch, size, MAY, "its bytes"),
};
const struct fields msg_master_fetch_fields =
    FIELDS("master_fetch", struct msg_master_fetch, master_fetch_items);
