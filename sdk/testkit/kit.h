/*
 * kit.h: what the parts of the testkit share: the task under test and all that is known of it.
 *
 * Invariants: a row is one block, freed by whoever holds it; queue[queue_head, queue_count) is what
 * the task has not seen; once failed is set, nothing of the task is called but close.
 */
#ifndef TESTKIT_KIT_H
#define TESTKIT_KIT_H

#include <stdatomic.h>

#include <gearpump/cursor.h>
#include <gearpump/testkit.h>

#define KIT_TEXT_BYTES   513u /* the host keeps 512 of a reason */
#define KIT_PAIRS_MAX    64u
#define KIT_COUNTERS_MAX 64u
#define KIT_SENDS_MAX    1024u
#define KIT_MAY(answer)  (1u << (answer))
#define KIT_TEXT(s)      (int)(s).len, (s).ptr /* for %.*s */

/* Rows in the order they came; items are blocks with key and value behind the row. */
struct kit_rows {
    struct gp_row **items;
    uint32_t count;
    uint32_t size;
};

enum kit_kind { KIT_ROW, KIT_WATERMARK, KIT_END };

struct kit_element {
    enum kit_kind kind;
    uint32_t port;
    int64_t time_ns;
    struct gp_row *row;
};

struct kit_pair {
    char key[GP_NAME_MAX_BYTES + 1];
    char *value;
};

struct kit_timer {
    uint32_t clock;
    uint64_t id;
    int64_t at_ns;
};

struct kit_counter {
    char name[GP_NAME_MAX_BYTES + 1];
    int64_t value;
};

struct kit_log {
    int32_t level;
    char text[KIT_TEXT_BYTES];
};

struct kit_send {
    char processor[GP_NAME_MAX_BYTES + 1];
    uint32_t index;
};

struct kit_reason {
    char text[KIT_TEXT_BYTES];
};

struct gp_waker {
    atomic_uint wakes;
};

struct gp_kit {
    struct gp_processor table;
    void *self;
    int opened;
    int closed;
    int ended;
    int failed;
    char reason[KIT_TEXT_BYTES]; /* what the task said last */
    char failure[KIT_TEXT_BYTES];

    /* what the task is given */
    struct gp_task task;
    struct gp_host host;
    struct gp_config config;
    struct kit_pair pairs[KIT_PAIRS_MAX];
    uint32_t pairs_count;
    int64_t now_ns;
    int64_t wall_ns;
    int64_t watermark_ns;

    /* what waits */
    struct kit_element *queue;
    uint32_t queue_head;
    uint32_t queue_count;
    uint32_t queue_size;
    uint32_t batch_max;
    int end_queued;
    int passing; /* watermark_ns has come, on_watermark is not done with it */
    int ending;  /* the end has come, on_end is not done with it */
    int waiting; /* process or on_end answered GP_AGAIN */
    int ready;   /* the watched fd is, and on_ready does not know */
    uint32_t wakes_seen;
    struct kit_timer *timers;
    uint32_t timers_count;
    uint32_t timers_size;

    /* what came out */
    struct gp_out out;
    struct kit_rows rows[GP_KIT_PORTS_MAX];
    struct gp_row *reserved; /* between reserve and commit */
    uint32_t reserved_port;
    struct gp_cursor cursors[GP_KIT_PORTS_MAX + 1]; /* the last is for ports beyond */
    struct gp_cursor *lent;                         /* whose rows the task may write, or NULL */
    unsigned char *lent_room;
    uint32_t lent_bytes;
    uint32_t lends;  /* and refusals to */
    uint32_t credit; /* 0: without limit */
    uint32_t spent;
    uint64_t overdraft_bytes;
    int64_t out_watermark_ns;
    struct kit_rows rejects;
    struct kit_reason *reject_reasons;
    struct kit_log *logs;
    uint32_t logs_count;
    struct kit_counter counters[KIT_COUNTERS_MAX];
    uint32_t counters_count;
    struct kit_rows sends;
    struct kit_send sends_to[KIT_SENDS_MAX];
    int32_t send_answer;
    int32_t watched_fd;
    uint32_t watched_events;
    struct gp_waker waker;
};

/* Fails the task for a reason of the kit's; the first reason stays. Answers GP_FAIL. */
int32_t kit_fail(struct gp_kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/*
 * Around every call of the task. `allowed` has a bit for each answer allowed besides GP_FAIL.
 * kit_after answers rc, or GP_FAIL if the call failed in any way.
 */
void kit_before(struct gp_kit *kit);
int32_t kit_after(struct gp_kit *kit, const char *function, int32_t rc, uint32_t allowed);

/* A row with room for value_len bytes, filled from msg; its value too unless that is NULL. */
struct gp_row *kit_row_new(const struct gp_msg *msg, uint32_t value_len);
/* NULL, or what the ABI says against this message. */
const char *kit_msg_wrong(const struct gp_msg *msg, uint32_t value_len);
/* Appends; takes the row, also on failure. */
int32_t kit_rows_add_take(struct kit_rows *rows, struct gp_row *row, uint32_t max);
void kit_rows_clear(struct kit_rows *rows);
void kit_rows_deinit(struct kit_rows *rows);
const struct gp_row *kit_rows_at(const struct kit_rows *rows, uint32_t i);

void kit_out_init(struct gp_out *out, struct gp_kit *kit);

/* cursor.c */
extern const struct gp_cursor_service kit_cursor_service;
void kit_cursors_init(struct gp_kit *kit);
/* Rows written at a cursor come out, and what was lent is no more. GP_OK or GP_FAIL. */
int32_t kit_cursor_take_back(struct gp_kit *kit);
/* A row has come out: credit, and beyond it the overdraft of one row's work. Takes the row. */
int32_t kit_out_keep_take(struct gp_kit *kit, uint32_t port, struct gp_row *row);

void kit_services_init(struct gp_kit *kit);
/* One timer, the earliest timer of a clock; or NULL. */
struct kit_timer *kit_timer_find(const struct gp_kit *kit, uint32_t clock, uint64_t id);
struct kit_timer *kit_timer_first(const struct gp_kit *kit, uint32_t clock);
void kit_timer_remove(struct gp_kit *kit, struct kit_timer *timer);

#endif
