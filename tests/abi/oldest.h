/*
 * The ABI as of 0.1, the oldest that this runtime supports, written down apart from the headers:
 * what a plugin compiled then holds in its bytes. It stays as it is while 0.1 is supported.
 */
#ifndef TESTS_ABI_OLDEST_H
#define TESTS_ABI_OLDEST_H

#include <stddef.h>
#include <stdint.h>

struct old_text {
    const void *ptr;
    size_t len;
};

struct old_row {
    int64_t time_ns;
    uint64_t key_hash;
    const void *key;
    const void *value;
    uint32_t key_len;
    uint32_t value_len;
    uint32_t flags;
    uint32_t source;
};

struct old_batch {
    uint32_t size;
    uint32_t count;
    uint32_t stride;
    uint32_t reserved;
    const char *rows;
};

struct old_msg {
    uint32_t size;
    uint32_t flags;
    int64_t time_ns;
    uint64_t key_hash;
    const void *key;
    const void *value;
    uint32_t key_len;
    uint32_t value_len;
};

struct old_out {
    uint32_t size;
    volatile uint32_t full;
    int32_t (*emit)(struct old_out *out, uint32_t port, const struct old_msg *msg);
    void *(*reserve)(struct old_out *out, uint32_t port, const struct old_msg *msg, uint32_t len);
    int32_t (*commit)(struct old_out *out, uint32_t len);
    int32_t (*watermark)(struct old_out *out, int64_t time_ns);
};

struct old_config {
    uint32_t size;
    uint32_t reserved;
    struct old_text (*get)(const struct old_config *config, const char *key);
};

struct old_task;

struct old_task_service {
    uint32_t size;
    uint32_t reserved;
    void (*log)(const struct old_task *task, int32_t level, struct old_text text);
    void (*fail)(const struct old_task *task, struct old_text text);
    int64_t (*now_ns)(const struct old_task *task);
    int64_t (*wall_ns)(const struct old_task *task);
    int64_t (*watermark_ns)(const struct old_task *task);
    int32_t (*timer_set)(const struct old_task *task, uint32_t clock, uint64_t id, int64_t at_ns);
    void (*timer_cancel)(const struct old_task *task, uint32_t clock, uint64_t id);
    int32_t (*send)(const struct old_task *task, struct old_text processor, uint32_t index,
                    const struct old_msg *msg);
    void (*count)(const struct old_task *task, struct old_text name, int64_t delta);
};

struct old_task {
    uint32_t size;
    uint32_t index;
    uint32_t parallelism;
    uint32_t inputs;
    uint32_t outputs;
    uint32_t reserved;
    uint64_t app_id;
    const char *app_name;
    const char *processor;
    const void *host;
    const struct old_config *config;
    const struct old_task_service *service;
    const void *io;
};

struct old_snapshot {
    uint32_t size;
    uint32_t reserved;
    int32_t (*put)(struct old_snapshot *snapshot, uint32_t group, struct old_text name,
                   struct old_text bytes);
};

struct old_entry_view {
    uint32_t size;
    uint32_t group;
    struct old_text name;
    struct old_text bytes;
};

struct old_restore {
    uint32_t size;
    uint32_t reserved;
    int32_t (*next)(struct old_restore *restore, struct old_entry_view *ret);
};

struct old_processor {
    uint32_t size;
    uint32_t kind;
    const char *type;
    uint32_t flags;
    uint32_t reserved;
    int32_t (*open)(const struct old_task *task, void **ret_self);
    int32_t (*process)(void *self, uint32_t port, const struct old_batch *in, uint32_t *consumed,
                       struct old_out *out);
    int32_t (*poll)(void *self, struct old_out *out, uint32_t budget);
    int32_t (*on_watermark)(void *self, int64_t time_ns, struct old_out *out);
    int32_t (*on_timer)(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                        struct old_out *out);
    int32_t (*on_message)(void *self, const struct old_row *row, struct old_out *out);
    int32_t (*on_end)(void *self, struct old_out *out);
    void (*close)(void *self, uint32_t ended);
    int32_t (*snapshot)(void *self, struct old_snapshot *snapshot);
    int32_t (*restore)(void *self, struct old_restore *restore);
    int32_t (*prepare)(void *self, uint64_t checkpoint);
    int32_t (*commit)(void *self, uint64_t checkpoint);
    int32_t (*abort)(void *self, uint64_t checkpoint);
};

struct old_catalog {
    uint32_t size;
    uint32_t count;
    const void *const *tables;
};

struct old_entry {
    uint32_t size;
    uint32_t magic;
    uint32_t abi_major;
    uint32_t abi_minor;
    const char *name;
    const char *version;
    int32_t (*init)(const void *host);
    void (*deinit)(void);
    const void *(*get_factory)(const char *id);
};

struct old_note {
    uint32_t owner_size;
    uint32_t desc_size;
    uint32_t type;
    char owner[12];
    uint32_t abi_major;
    uint32_t abi_minor;
    uint32_t flags;
    uint32_t reserved;
    char name[64];
    char version[32];
    char services[144];
};

#endif
