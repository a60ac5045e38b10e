/*
 * messages_master.h: between the masters of one cluster, and where they all can be asked.
 */
#ifndef WIRE_MESSAGES_MASTER_H
#define WIRE_MESSAGES_MASTER_H

#include "wire/messages_client.h"

/* A member of the group, or one that wants to be. */
struct msg_member {
    uint64_t id;
    char *address;
};

/* First thing on each connection between masters, and after every change of it. Both sides say the
 * same: the asker in the ask, the other in the reply. */
struct msg_master_hello {
    uint64_t id; /* drawn at random for an empty disk */
    char *address;
    char *group;    /* "": not formed yet */
    char **masters; /* as configured */
    uint32_t masters_count;
    bool stranger; /* said by a leader: who hears this is no member of the group it names */
};

/* The group begins: every listed master had an empty disk and the same list. */
struct msg_master_found {
    char *group;
    struct msg_member *members;
    uint32_t members_count;
};

/* You are in the group's configuration, or will be: wait for what its leader sends. */
struct msg_master_join {
    char *group;
    uint64_t id;
    char *address;
};

/* Have this artefact in your store; the asker has it. Answered when it is on disk. */
struct msg_master_fetch {
    char *sha256;
    uint64_t size;
};

extern const struct fields msg_master_hello_fields;
extern const struct fields msg_master_found_fields;
extern const struct fields msg_master_join_fields;
extern const struct fields msg_master_fetch_fields;

#endif
