/*
 * Writes a text to count: words of 2 to 12 letters, ten to a line, their frequencies after Zipf
 * (the k-th word has weight 1/k), the same bytes for the same options on every machine.
 */
#include "limit.h"

#define USAGE          "[--output FILE] [--mib SIZE] [--vocabulary WORDS] [--seed N]"
#define WORD_BYTES_MIN 2
#define WORD_BYTES_MAX 12
#define WORDS_PER_LINE 10
#define VOCABULARY_MAX 65536

struct vocabulary {
    uint32_t count;
    char words[VOCABULARY_MAX][WORD_BYTES_MAX + 1];
    double reach[VOCABULARY_MAX]; /* the weights of all words up to this one */
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15U);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31);
}

static void vocabulary_fill(struct vocabulary *v, uint64_t *state)
{
    double reach = 0;

    for (uint32_t i = 0; i < v->count; i++) {
        uint64_t length =
            WORD_BYTES_MIN + random_next(state) % (WORD_BYTES_MAX - WORD_BYTES_MIN + 1);
        for (uint64_t j = 0; j < length; j++) {
            v->words[i][j] = (char)('a' + random_next(state) % 26);
        }
        reach += 1.0 / (i + 1);
        v->reach[i] = reach;
    }
}

/* The first word whose reach is above a random share of the whole. */
static const char *vocabulary_draw(const struct vocabulary *v, uint64_t *state)
{
    double share = (double)(random_next(state) >> 11) / 9007199254740992.0; /* 2^53 */
    double wanted = share * v->reach[v->count - 1];
    uint32_t low = 0;
    uint32_t high = v->count - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (v->reach[middle] > wanted) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return v->words[low];
}

int main(int argc, char **argv)
{
    struct vocabulary *v = pages_new(sizeof(*v));
    uint64_t wanted_bytes;
    uint64_t bytes = 0;
    uint64_t words = 0;
    uint64_t state;
    FILE *file;

    options_check(argc, argv, USAGE);
    wanted_bytes = (uint64_t)(option_number(argc, argv, "--mib", 64) * 1048576);
    v->count = (uint32_t)option_number(argc, argv, "--vocabulary", 50000);
    state = (uint64_t)option_number(argc, argv, "--seed", 1);
    CHECK(v->count <= VOCABULARY_MAX);
    vocabulary_fill(v, &state);

    file = fopen(option_text(argc, argv, "--output", "text.txt"), "w");
    CHECK(file != NULL);
    while (bytes < wanted_bytes || words % WORDS_PER_LINE != 0) {
        char separator = ++words % WORDS_PER_LINE == 0 ? '\n' : ' ';
        int length = fprintf(file, "%s%c", vocabulary_draw(v, &state), separator);
        CHECK(length > 0);
        bytes += (uint64_t)length;
    }
    CHECK(fclose(file) == 0);

    result_open("text");
    result_count("words", words);
    result_count("bytes", bytes);
    result_close();
    return 0;
}
