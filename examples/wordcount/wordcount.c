/*
 * WordCount: lines -> split on white space -> hash -> count.
 *
 * Parameters: `input` (what the file plugin's source takes as its path) and `output`, a directory:
 * each counting task writes part-N there at the end, lines of word<TAB>count. Without `input` the
 * job runs for ever on a few built-in lines; without `output` the counts are logged every second.
 */
#include <gearpump/gearpump.h>

#include "words.h"

#define SECOND_NS 1000000000

/* lines: the built-in text, over and over. */
static int32_t lines_poll(void *self, struct gp_out *out, uint32_t budget)
{
    static const char *const text[] = {"the gear turns the pump", "the pump moves the stream",
                                       "and the stream turns the gear"};
    int64_t now_ns = gp_wall_ns(self);

    for (uint32_t i = 0; i < budget && !gp_out_full(out); i++) {
        const char *line = text[i % (sizeof text / sizeof text[0])];
        if (gp_emit(out, now_ns, line, strlen(line)) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_MORE;
}

/* Most are none, and that takes one look. */
static inline int is_space(char c)
{
    unsigned char u = (unsigned char)c;

    return u <= ' ' && (u == ' ' || (u >= '\t' && u <= '\r'));
}

/* split: a message for each word, with the word as its key. */
static int32_t split_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    (void)self, (void)port;
    GP_EACH (line, in, consumed, out) {
        const char *at = line->value;
        const char *end = at + line->value_len;
        for (;;) {
            while (at < end && is_space(*at)) {
                at++;
            }
            const char *word = at;
            while (at < end && !is_space(*at)) {
                at++;
            }
            if (at == word) {
                break;
            }
            if (gp_emit_keyed(out, line->time_ns, word, (size_t)(at - word), NULL, 0) != GP_OK) {
                return GP_FAIL;
            }
        }
    }
    return GP_OK;
}

struct counter {
    const struct gp_task *task;
    const char *output; /* NULL: log instead */
    struct words words;
};

/* count: behind a hash edge, so each word is counted by one task. */
static int32_t count_open(const struct gp_task *task, void **ret_self)
{
    struct counter *c = calloc(1, sizeof *c);

    if (!c) {
        return gp_fail(task, "no memory for the counts");
    }
    c->task = task;
    c->output = gp_config_text(task->config, "output", NULL);
    if (!c->output) { /* the only timer of the task, so there is room for it */
        (void)gp_timer_set(task, GP_TIMER_PROCESSING, 0, gp_now_ns(task) + SECOND_NS);
    }
    *ret_self = c;
    return GP_OK;
}

static int32_t count_process(void *self, uint32_t port, const struct gp_batch *in,
                             uint32_t *consumed, struct gp_out *out)
{
    struct counter *c = self;

    (void)port;
    for (uint32_t i = 0; i < in->count; i++) {
        words_expect(&c->words, gp_batch_row(in, i)->key_hash);
    }
    GP_EACH (word, in, consumed, out) {
        if (words_add(&c->words, word->key, word->key_len, word->key_hash) < 0) {
            return gp_fail(c->task, "no memory for the counts");
        }
    }
    return GP_OK;
}

static void count_log(const struct counter *c)
{
    char text[GP_TEXT_MAX_BYTES];

    words_print(&c->words, text, sizeof text);
    gp_logf(c->task, GP_LOG_INFO, "counts:%s", text);
}

static int32_t count_on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns,
                              struct gp_out *out)
{
    const struct counter *c = self;

    (void)out;
    count_log(c);
    return gp_timer_set(c->task, clock, id, at_ns + SECOND_NS);
}

static int32_t count_on_end(void *self, struct gp_out *out)
{
    const struct counter *c = self;

    (void)out;
    if (!c->output) {
        count_log(c);
    } else if (words_write(&c->words, c->output, c->task->index) < 0) {
        return gp_failf(c->task, "cannot write '%s/part-%u': %m", c->output, c->task->index);
    }
    return GP_OK;
}

static void count_close(void *self, uint32_t ended)
{
    struct counter *c = self;

    (void)ended;
    words_deinit(&c->words);
    free(c);
}

static const struct gp_processor lines = {.size = sizeof lines,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "lines",
                                          .open = gp_open_stateless,
                                          .poll = lines_poll};

static const struct gp_processor split = {.size = sizeof split,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "split",
                                          .open = gp_open_stateless,
                                          .process = split_process};

static const struct gp_parameter count_parameters[] = {
    {.name = "output",
     .type = GP_PARAMETER_TEXT,
     .help = "a directory for the counts; else they are logged once a second"},
};

static const struct gp_processor count = {.size = sizeof count,
                                          .kind = GP_KIND_PROCESSOR,
                                          .type = "count",
                                          .flags = GP_PROCESSOR_STATEFUL,
                                          .open = count_open,
                                          .process = count_process,
                                          .on_timer = count_on_timer,
                                          .on_end = count_on_end,
                                          .close = count_close,
                                          GP_PARAMETERS(count_parameters)};

static int32_t build(const struct gp_build *b)
{
    const char *input = gp_config_text(b->config, "input", NULL);
    const char *output = gp_config_text(b->config, "output", NULL);
    gp_node from =
        input ? gp_add_plugin(b, "source", "file", "source", 1) : gp_add(b, "source", &lines, 1);
    gp_node words = gp_add(b, "split", &split, 2);
    gp_node counts = gp_add(b, "count", &count, 2);

    if (input) {
        gp_set(b, from, "path", input);
    }
    if (output) {
        gp_set(b, counts, "output", output);
    }
    gp_connect(b, from, words, GP_SHUFFLE);
    gp_connect(b, words, counts, GP_HASH);
    return GP_OK;
}

GP_APP("wordcount", "1.0.0", build, &lines, &split, &count)
