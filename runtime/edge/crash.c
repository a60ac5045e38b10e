/*
 * crash.c: see crash.h.
 *
 * The handler calls only what is safe in a signal: open, read, write, raise, sigaction. The object
 * of the faulting code is looked up in /proc/self/maps rather than with dladdr(), which takes the
 * loader's lock, perhaps held by the very code that crashed.
 *
 * Two threads may crash at once: the first writes, the others wait for the end. A crash inside the
 * handler (a note that points nowhere) is answered with a line that names the signal alone.
 */
#include "edge/crash.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"

#define STACK_SIZE_BYTES ((size_t)64 << 10)
#define LINE_MAX_BYTES   768
#define VALUE_MAX_BYTES  256

/* Not in a struct: a handler has no argument of ours. globals.txt lists them. */
static _Thread_local const struct crash_note *crash_note __attribute__((tls_model("initial-exec")));
static atomic_int crash_thread; /* the one that writes the last words; 0: none yet */

static const struct {
    int number;
    const char *name;
} fatal_signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},
    {SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"}, {SIGSYS, "SIGSYS"},
};

/* ---- a line, built without stdio ---- */

struct line {
    char text[LINE_MAX_BYTES];
    size_t len;
};

static void put_char(struct line *line, char c)
{
    if (line->len < sizeof(line->text) - 1) { /* one for the newline */
        line->text[line->len++] = c;
    }
}

static void put(struct line *line, const char *text)
{
    while (*text != '\0') {
        put_char(line, *text++);
    }
}

static void put_value(struct line *line, const char *key, const char *value)
{
    put(line, key);
    for (size_t i = 0; i < VALUE_MAX_BYTES && value[i] != '\0'; i++) {
        unsigned char c = (unsigned char)value[i];

        put_char(line, c <= ' ' || c == 0x7f ? '_' : (char)c);
    }
}

static void put_number(struct line *line, const char *key, uint64_t value, unsigned base)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value > 0);
    put(line, key);
    while (n > 0) {
        put_char(line, digits[--n]);
    }
}

/* ---- /proc/self/maps ---- */

/* "start-end perms offset dev inode   path"; fields of one line. */
struct mapping {
    uintptr_t start;
    uintptr_t end;
    uintptr_t file_offset;
    const char *path; /* empty for anonymous memory */
};

static uintptr_t parse_hex(const char **at)
{
    uintptr_t value = 0;

    for (;; (*at)++) {
        char c = **at;

        if (c >= '0' && c <= '9') {
            value = value * 16 + (uintptr_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value * 16 + (uintptr_t)(c - 'a' + 10);
        } else {
            return value;
        }
    }
}

static void skip_field(const char **at)
{
    while (**at != '\0' && **at != ' ') {
        (*at)++;
    }
    while (**at == ' ') {
        (*at)++;
    }
}

static void parse_mapping(const char *line, struct mapping *ret)
{
    ret->start = parse_hex(&line);
    line += *line == '-' ? 1 : 0;
    ret->end = parse_hex(&line);
    skip_field(&line);
    skip_field(&line); /* perms */
    ret->file_offset = parse_hex(&line);
    skip_field(&line);
    skip_field(&line); /* dev */
    skip_field(&line); /* inode */
    ret->path = line;
}

struct finder {
    uintptr_t address;
    char path[VALUE_MAX_BYTES]; /* of the file whose mappings are passing by */
    uintptr_t base;             /* where it begins */
    bool found;
};

static void see_mapping(struct finder *f, const char *line)
{
    struct mapping m;

    parse_mapping(line, &m);
    if (m.file_offset == 0 || strncmp(m.path, f->path, sizeof(f->path) - 1) != 0) {
        size_t len = strnlen(m.path, sizeof(f->path) - 1);

        memcpy(f->path, m.path, len);
        f->path[len] = '\0';
        f->base = m.start - m.file_offset;
    }
    f->found = f->address >= m.start && f->address < m.end && m.path[0] != '\0';
}

int edge_crash_find_object(uintptr_t address, char *ret_path, size_t cap, uintptr_t *ret_offset)
{
    struct finder f = {.address = address};
    char chunk[512];
    char line[512];
    size_t len = 0;
    ssize_t n;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return GP_ENOENT;
    }
    while (!f.found && (n = read(fd, chunk, sizeof(chunk))) > 0) {
        for (ssize_t i = 0; i < n && !f.found; i++) {
            if (chunk[i] != '\n') {
                line[len] = chunk[i];
                len += len < sizeof(line) - 1 ? 1 : 0; /* a longer path is cut */
                continue;
            }
            line[len] = '\0';
            len = 0;
            see_mapping(&f, line);
        }
    }
    (void)close(fd);
    if (!f.found) {
        return GP_ENOENT;
    }
    for (size_t i = 0; i < cap; i++) {
        ret_path[i] = i + 1 < cap ? f.path[i] : '\0';
        if (ret_path[i] == '\0') {
            break;
        }
    }
    *ret_offset = address - f.base;
    return 0;
}

/* ---- the handler ---- */

static uintptr_t code_address(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.pc;
#else
    (void)context;
    return 0;
#endif
}

static void put_note(struct line *line)
{
    const struct crash_note *note = crash_note;

    const char *plugin;
    const char *processor;

    if (note == NULL || CRASH_NOTE_GET(note, function) == NULL) {
        return;
    }
    plugin = CRASH_NOTE_GET(note, plugin);
    processor = CRASH_NOTE_GET(note, processor);
    put_value(line, " plugin=", plugin != NULL ? plugin : "?");
    put_value(line, " processor=", processor != NULL ? processor : "?");
    put_value(line, " function=", CRASH_NOTE_GET(note, function));
    put_number(line, " task=", CRASH_NOTE_GET(note, task), 10);
}

static void write_last_words(int number, const ucontext_t *context)
{
    struct line line = {.len = 0};
    char path[VALUE_MAX_BYTES];
    uintptr_t offset;
    const char *name = "?";

    for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++) {
        name = fatal_signals[i].number == number ? fatal_signals[i].name : name;
    }
    put_number(&line, EDGE_CRASH_PREFIX "signal=", (uint64_t)number, 10);
    put_value(&line, " name=", name);
    if (context != NULL) {
        put_note(&line);
    }
    if (context != NULL &&
        edge_crash_find_object(code_address(context), path, sizeof(path), &offset) == 0) {
        put_value(&line, " object=", path);
        put_number(&line, " offset=0x", offset, 16);
    }
    line.text[line.len++] = '\n';
    (void)!write(STDERR_FILENO, line.text, line.len); /* nobody is left to be told */
}

static void on_fatal_signal(int number, siginfo_t *info, void *context)
{
    int self = (int)syscall(SYS_gettid);
    int first = 0;

    (void)info;
    if (atomic_compare_exchange_strong(&crash_thread, &first, self)) {
        write_last_words(number, context);
    } else if (first == self) {
        write_last_words(number, NULL);
    } else {
        for (;;) {
            (void)pause();
        }
    }
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

void edge_crash_begin(void)
{
    struct sigaction action = {.sa_sigaction = on_fatal_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ARRAY_LEN(fatal_signals); i++) {
        int rc = sigaction(fatal_signals[i].number, &action, NULL);

        ASSERT(rc == 0);
    }
}

void edge_crash_thread_begin(struct edge_crash_stack *stack, const struct crash_note *note)
{
    stack_t ours = {.ss_size = STACK_SIZE_BYTES};

    *stack = (struct edge_crash_stack){.memory = malloc(STACK_SIZE_BYTES)};
    ours.ss_sp = stack->memory;
    if (stack->memory != NULL && sigaltstack(&ours, &stack->before) < 0) {
        free(stack->memory);
        stack->memory = NULL;
    }
    crash_note = note;
}

void edge_crash_thread_note(const struct crash_note *note)
{
    crash_note = note;
}

void edge_crash_thread_end(struct edge_crash_stack *stack)
{
    crash_note = NULL;
    if (stack->memory != NULL) {
        (void)sigaltstack(&stack->before, NULL); /* nothing runs on ours */
        free(stack->memory);
    }
}
