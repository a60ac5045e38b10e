/*
 * The limit of keyed WordCount on two cores in ordinary C: split text at white space, hash each
 * word once, let the word cross to the thread that owns its hash, count it there in an open
 * addressing table. No intrinsics: the plugins of a job are ordinary C too.
 *
 *   --shape keyed   thread 0 splits everything, thread 1 counts everything
 *   --shape sym     each thread splits half of the text and counts half of the words; its own ones
 *                   without a detour
 *
 * Words cross in blocks, each a slot of a ring: records of hash, length and bytes, back to back.
 * The text is read again and again until the time is over.
 *
 * Checked: words and hashes summed where they were split and again over both tables.
 */
#include <pthread.h>

#include "limit_ring.h"
#define XXH_INLINE_ALL
#include <xxhash.h>

#define USAGE          "[--input FILE] [--seconds S] [--shape keyed|sym]"
#define THREADS        2
#define BLOCK_BYTES    65536
#define BLOCKS         64
#define TABLE_SLOTS    (1U << 17)
#define WORD_BYTES_MAX 20
#define PIECE_BYTES    65536 /* of text between two looks at the clock */

struct record {
    uint64_t hash;
    uint32_t length;
};
#define RECORD_HEADER_BYTES 12 /* without the padding that a C array would need */

struct block {
    uint32_t used;
    char records[BLOCK_BYTES - sizeof(uint32_t)];
};

struct entry {
    uint64_t hash;
    uint64_t count; /* 0: free */
    uint32_t length;
    char word[WORD_BYTES_MAX];
};

struct table {
    uint32_t used;
    struct entry entries[TABLE_SLOTS];
};

struct totals {
    uint64_t words;
    uint64_t hashes;
};

struct thread {
    struct run *run;
    unsigned index;
    pthread_t handle;
    const char *text; /* its share, ends in a newline */
    size_t text_bytes;
    struct ring *in;
    struct ring *out;
    struct block *block; /* being filled: the next slot of out */
    struct table *table;
    struct totals split;
    uint64_t start_ns;
    uint64_t end_ns;
    uint64_t cpu_ns;
    struct doorbell bell;
};

struct run {
    bool keyed;
    uint64_t duration_ns;
    _Alignas(CACHE_LINE) _Atomic uint32_t started;
    _Alignas(CACHE_LINE) struct thread threads[THREADS];
};

/* ---- counting ---- */

static void table_add(struct table *t, uint64_t hash, const char *word, uint32_t length)
{
    for (uint64_t i = hash % TABLE_SLOTS;; i = (i + 1) % TABLE_SLOTS) {
        struct entry *e = &t->entries[i];
        if (e->hash == hash && e->length == length && memcmp(e->word, word, length) == 0) {
            e->count++;
            return;
        }
        if (e->count == 0) {
            CHECK(++t->used <= TABLE_SLOTS / 2 && length <= WORD_BYTES_MAX);
            e->hash = hash;
            e->count = 1;
            e->length = length;
            memcpy(e->word, word, length);
            return;
        }
    }
}

static void count_block(struct table *t, const struct block *b)
{
    struct record r;

    for (uint32_t at = 0; at < b->used; at += RECORD_HEADER_BYTES + r.length) {
        memcpy(&r, b->records + at, RECORD_HEADER_BYTES);
        table_add(t, r.hash, b->records + at + RECORD_HEADER_BYTES, r.length);
    }
}

static bool count_what_came(struct thread *t)
{
    bool any = false;

    while (ring_ready(t->in) > 0) {
        count_block(t->table, (const struct block *)(void *)ring_slot(t->in, t->in->taken));
        t->in->taken++;
        ring_release(t->in);
        doorbell_ring(&t->run->threads[!t->index].bell);
        any = true;
    }
    return any;
}

/* ---- splitting ---- */

static bool has_room(struct thread *t)
{
    return ring_has_room(t->out, 1);
}

static bool in_is_drained(struct thread *t)
{
    return ring_drained(t->in);
}

/* Counts what comes until the condition holds; spins a little, then sleeps, while nothing does. */
static void count_until(struct thread *t, bool (*holds)(struct thread *))
{
    int idle_turns = 0;

    while (!holds(t)) {
        if (count_what_came(t)) {
            idle_turns = 0;
        } else if (++idle_turns < RING_SPINS) {
            cpu_relax();
        } else {
            doorbell_announce(&t->bell);
            if (ring_ready(t->in) > 0 || holds(t)) {
                doorbell_cancel(&t->bell);
            } else {
                doorbell_sleep(&t->bell);
            }
            idle_turns = 0;
        }
    }
}

static void block_open(struct thread *t)
{
    count_until(t, has_room);
    t->block = (struct block *)(void *)ring_slot(t->out, t->out->next);
    t->block->used = 0;
}

static void block_send(struct thread *t)
{
    t->out->next++;
    ring_publish(t->out);
    doorbell_ring(&t->run->threads[!t->index].bell);
    (void)count_what_came(t);
}

static void block_add(struct thread *t, uint64_t hash, const char *word, uint32_t length)
{
    struct record r = {hash, length};
    char *to;

    if (t->block->used + RECORD_HEADER_BYTES + length > sizeof(t->block->records)) {
        block_send(t);
        block_open(t);
    }
    to = t->block->records + t->block->used;
    memcpy(to, &r, RECORD_HEADER_BYTES);
    memcpy(to + RECORD_HEADER_BYTES, word, length);
    t->block->used += RECORD_HEADER_BYTES + length;
}

static bool is_space(char c)
{
    return (unsigned char)c <= ' ';
}

/* The bytes end in a white space, so a word needs no look at the end. */
static void split_piece(struct thread *t, const char *at, const char *end)
{
    struct totals totals = t->split;
    bool keyed = t->run->keyed;

    while (at < end) {
        const char *word = at;
        while (!is_space(*at)) {
            at++;
        }
        if (at > word) {
            uint32_t length = (uint32_t)(at - word);
            uint64_t hash = XXH3_64bits(word, length);
            totals.words++;
            totals.hashes += hash;
            if (keyed || hash >> 63 != t->index) {
                block_add(t, hash, word, length);
            } else {
                table_add(t->table, hash, word, length);
            }
        }
        at++;
    }
    t->split = totals;
}

static void split_until_the_end(struct thread *t)
{
    const char *end = t->text + t->text_bytes;
    const char *at = t->text;

    while (now_ns() - t->start_ns < t->run->duration_ns) {
        const char *stop = end - at < PIECE_BYTES ? end : at + PIECE_BYTES;
        while (!is_space(stop[-1])) {
            stop--;
        }
        CHECK(stop > at);
        split_piece(t, at, stop);
        at = stop == end ? t->text : stop;
    }
}

/* ---- threads ---- */

static void *thread_main(void *argument)
{
    struct thread *t = argument;
    uint64_t cpu_ns;

    pin_to_cpu((int)t->index);
    atomic_fetch_add(&t->run->started, 1);
    while (atomic_load(&t->run->started) < THREADS) {
        sched_yield();
    }
    cpu_ns = thread_cpu_ns();
    t->start_ns = now_ns();
    block_open(t);
    if (t->text_bytes > 0) {
        split_until_the_end(t);
    }
    block_send(t);
    ring_close(t->out);
    doorbell_ring(&t->run->threads[!t->index].bell);
    count_until(t, in_is_drained);
    t->end_ns = now_ns();
    t->cpu_ns = thread_cpu_ns() - cpu_ns;
    return NULL;
}

static char *text_read(const char *path, size_t *ret_bytes)
{
    FILE *file = fopen(path, "r");
    char *text;
    long bytes;

    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    bytes = ftell(file);
    CHECK(bytes > 0 && fseek(file, 0, SEEK_SET) == 0);
    text = pages_new((size_t)bytes + 1);
    CHECK(fread(text, 1, (size_t)bytes, file) == (size_t)bytes);
    (void)fclose(file); /* only read */
    text[bytes] = '\n';
    *ret_bytes = (size_t)bytes + 1;
    return text;
}

static void run_start(struct run *run, const char *text, size_t text_bytes)
{
    struct thread *t = run->threads;
    const char *cut = text + (run->keyed ? text_bytes : text_bytes / 2);

    while (!is_space(cut[-1])) {
        cut++;
    }
    t[0].text = text;
    t[0].text_bytes = (size_t)(cut - text);
    t[1].text = cut;
    t[1].text_bytes = text_bytes - t[0].text_bytes;
    for (unsigned i = 0; i < THREADS; i++) {
        t[i].run = run;
        t[i].index = i;
        t[i].table = pages_new(sizeof(struct table));
        t[i].out = ring_new(BLOCKS, BLOCK_BYTES);
        t[!i].in = t[i].out;
    }
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&t[i].handle, NULL, thread_main, &t[i]) == 0);
    }
}

static struct totals tables_sum(const struct run *run)
{
    struct totals sum = {0, 0};

    for (unsigned i = 0; i < THREADS; i++) {
        for (uint32_t slot = 0; slot < TABLE_SLOTS; slot++) {
            const struct entry *e = &run->threads[i].table->entries[slot];
            sum.words += e->count;
            sum.hashes += e->count * e->hash;
        }
    }
    return sum;
}

int main(int argc, char **argv)
{
    struct run *run = pages_new(sizeof(*run));
    struct thread *t = run->threads;
    struct totals counted;
    size_t text_bytes;
    char *text;
    uint64_t end_ns;

    options_check(argc, argv, USAGE);
    run->keyed = option_is(argc, argv, "--shape", "keyed", "sym");
    run->duration_ns = (uint64_t)(option_number(argc, argv, "--seconds", 1) * 1e9);
    text = text_read(option_text(argc, argv, "--input", "text.txt"), &text_bytes);
    run_start(run, text, text_bytes);
    for (unsigned i = 0; i < THREADS; i++) {
        CHECK(pthread_join(t[i].handle, NULL) == 0);
    }
    counted = tables_sum(run);
    CHECK(counted.words == t[0].split.words + t[1].split.words);
    CHECK(counted.hashes == t[0].split.hashes + t[1].split.hashes);
    end_ns = t[0].end_ns > t[1].end_ns ? t[0].end_ns : t[1].end_ns;

    result_open(run->keyed ? "wordcount" : "wordcount_sym");
    result_rate(counted.words, end_ns - t[0].start_ns, t[0].cpu_ns + t[1].cpu_ns);
    result_count("distinct", t[0].table->used + t[1].table->used);
    result_close();
    return 0;
}
