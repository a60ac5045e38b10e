/*
 * fields.h: control messages, configuration and `-o json` described as data.
 *
 * A table names the fields of a C struct: what each is called outside, where it stands, what it may
 * hold. From the same table come decoding with the path of the bad field, encoding, freeing, the
 * tables of PROTOCOL.md, the reference of the configuration.
 *
 *     struct grant { uint32_t worker; char *address; };
 *     static const struct field grant_items[] = {
 *         FIELD_COUNT(struct grant, worker, FIELD_REQUIRED, 0, "which worker"),
 *         FIELD_TEXT(struct grant, address, FIELD_REQUIRED, 128, "where it listens"),
 *     };
 *     const struct fields grant_fields = FIELDS("grant", struct grant, grant_items);
 *
 * The struct owns what hangs from it: text (never NULL after decoding), lists, trees;
 * fields_deinit() frees it. Whoever wants to keep a part takes the pointer and leaves NULL behind
 * (and count 0 for a list). A zeroed struct can be encoded and deinited. Pure, any thread.
 */
#ifndef WIRE_FIELDS_H
#define WIRE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gearpump/types.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/value.h"

/* Kind, the C type of the member, and how it looks outside. */
enum field_kind {
    FIELD_KIND_BOOL,     /* bool              true */
    FIELD_KIND_U32,      /* uint32_t          7 */
    FIELD_KIND_U64,      /* uint64_t          "7"; 7 is taken too */
    FIELD_KIND_I64,      /* int64_t           -7; "-7" is taken too; text beyond 2^53 */
    FIELD_KIND_DOUBLE,   /* double            0.5 */
    FIELD_KIND_TEXT,     /* char *            "abc", no NUL inside */
    FIELD_KIND_ENUM,     /* uint32_t          the name at that index of .names */
    FIELD_KIND_DURATION, /* int64_t, ns       "1500ms" */
    FIELD_KIND_SIZE,     /* uint64_t, bytes   "16MiB"; 4096 is taken too */
    FIELD_KIND_TREE,     /* struct value *    anything */
    FIELD_KIND_OBJECT,   /* a struct, inside  {...} as .sub says */
    FIELD_KIND_LIST, /* T *x, uint32_t x_count   [{...}, ...] as .sub says; "1,2;,3;": FIELD_ROWS */
    FIELD_KIND_TEXTS, /* char **x, uint32_t x_count   ["a", "b"] */
};

#define FIELD_OPTIONAL 0u
#define FIELD_REQUIRED 1u
#define FIELD_NONEMPTY 2u /* text or list: not "" and not [] */
#define FIELD_ROWS     8u /* list of numbers and flags: written as one text, read either way */
#define FIELD_SECRET   4u /* never in logs, errors or `-o json` of configuration */

#define FIELD_TEXT_MAX_DEFAULT 65536u
#define FIELD_LIST_MAX_DEFAULT 4096u
#define FIELD_PATH_MAX         256u

struct fields;

struct field {
    const char *name;
    enum field_kind kind;
    uint32_t flags;
    size_t offset;
    size_t count_offset; /* LIST, TEXTS: of the uint32_t */
    /* Smallest and largest number, length of a text in bytes, count of a list; max 0: as far as the
     * type goes, or the defaults above. In DOUBLE both are whole numbers. */
    int64_t min;
    uint64_t max;
    uint64_t text_max;        /* TEXTS: length of each */
    const char *const *names; /* ENUM: NULL-terminated */
    const struct fields *sub; /* OBJECT, LIST */
    const char *otherwise;    /* the default, as a person would write it; NULL: 0, "", [] */
    const char *doc;
};

struct fields {
    const char *name; /* what one such thing is called */
    const char *doc;
    size_t size; /* of the struct */
    const struct field *items;
    size_t count;
};

#define FIELDS(name_, type, items_)                                                                \
    {                                                                                              \
        .name = (name_), .size = sizeof(type), .items = (items_),                                  \
        .count = sizeof(items_) / sizeof((items_)[0])                                              \
    }

/* Offset of a member, refused by the compiler when it is not of the C type. */
#define FIELD_AT_(type, member, ctype)                                                             \
    (offsetof(type, member) + 0 * sizeof(_Generic(((type *)0)->member, ctype : 1)))
#define FIELD_(type, member, kind_, ctype, flags_, ...)                                            \
    {                                                                                              \
        .name = #member, .kind = (kind_), .flags = (flags_),                                       \
        .offset = FIELD_AT_(type, member, ctype), __VA_ARGS__                                      \
    }

#define FIELD_BOOL(type, member, flags, doc_)                                                      \
    FIELD_(type, member, FIELD_KIND_BOOL, bool, flags, .doc = (doc_))
/* A 32-bit number; max 0: all of them. */
#define FIELD_COUNT(type, member, flags, max_, doc_)                                               \
    FIELD_(type, member, FIELD_KIND_U32, uint32_t, flags, .max = (max_), .doc = (doc_))
#define FIELD_U64(type, member, flags, doc_)                                                       \
    FIELD_(type, member, FIELD_KIND_U64, uint64_t, flags, .doc = (doc_))
#define FIELD_I64(type, member, flags, doc_)                                                       \
    FIELD_(type, member, FIELD_KIND_I64, int64_t, flags, .doc = (doc_))
#define FIELD_DOUBLE(type, member, flags, doc_)                                                    \
    FIELD_(type, member, FIELD_KIND_DOUBLE, double, flags, .doc = (doc_))
#define FIELD_TEXT(type, member, flags, max_, doc_)                                                \
    FIELD_(type, member, FIELD_KIND_TEXT, char *, flags, .max = (max_), .doc = (doc_))
#define FIELD_ENUM(type, member, flags, names_, doc_)                                              \
    FIELD_(type, member, FIELD_KIND_ENUM, uint32_t, flags, .names = (names_), .doc = (doc_))
#define FIELD_TREE(type, member, flags, doc_)                                                      \
    FIELD_(type, member, FIELD_KIND_TREE, struct value *, flags, .doc = (doc_))
#define FIELD_OBJECT(type, member, sub_, doc_)                                                     \
    {                                                                                              \
        .name = #member, .kind = FIELD_KIND_OBJECT, .offset = offsetof(type, member),              \
        .sub = (sub_), .doc = (doc_)                                                               \
    }
#define FIELD_LIST(type, member, flags_, max_, sub_, doc_)                                         \
    {                                                                                              \
        .name = #member, .kind = FIELD_KIND_LIST, .flags = (flags_),                               \
        .offset = offsetof(type, member),                                                          \
        .count_offset = FIELD_AT_(type, member##_count, uint32_t), .max = (max_), .sub = (sub_),   \
        .doc = (doc_)                                                                              \
    }
#define FIELD_TEXTS(type, member, flags, max_, text_max_, doc_)                                    \
    FIELD_(type, member, FIELD_KIND_TEXTS, char **, flags,                                         \
           .count_offset = FIELD_AT_(type, member##_count, uint32_t), .max = (max_),               \
           .text_max = (text_max_), .doc = (doc_))

/*
 * Fills the struct at `ret` (of table->size bytes, content ignored) from a tree. A missing or null
 * field takes its default; a missing object is read as {}; unknown names are ignored.
 * GP_EPROTO with "grants[2].slots: ..." in err; GP_ENOMEM. On failure the struct is zeroed.
 */
int fields_decode(const struct fields *table, const struct value *tree, void *ret,
                  struct gp_error *err);

/*
 * The same for configuration: an unknown name is an error too, with the nearest known one as hint.
 * *ret_where (may be NULL) is the node at fault, borrowed from tree, for its line and column; NULL
 * when there is none.
 */
int fields_decode_strict(const struct fields *table, const struct value *tree, void *ret,
                         const struct value **ret_where, struct gp_error *err);

/* A tree of every field, in the order of the table; the caller frees it. GP_ENOMEM, GP_ETOOBIG. */
int fields_encode(const struct fields *table, const void *from, struct value **ret);

/* Appends the struct as JSON text. GP_ENOMEM, GP_ETOOBIG (the limit of out, which is unchanged). */
int fields_print_json(const struct fields *table, const void *from, struct buf *out);

/* Frees what the struct owns and zeroes it. NULL and zeroed are fine. */
void fields_deinit(const struct fields *table, void *s);

/* "a number from 1 to 10", "text of at most 63 bytes", "one of leader, follower": for documents
 * and errors. Always terminated; returns out. */
const char *field_describe(const struct field *field, char *out, size_t out_size);

#endif
