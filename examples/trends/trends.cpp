/*
 * trends: the words that come most often now, in C++17.
 *
 *     lines (file or built in) --> split --hash--> count --shuffle--> top, a line each second
 *
 * count forgets: each second all counts shrink by a tenth, and words that hardly come any more go. It
 * tells its best ones to top, which keeps the best of all.
 */
#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include <gearpump/processor.hpp>

namespace {

constexpr int64_t second_ns = 1000000000;
constexpr size_t best_max = 10;
constexpr double decay = 0.9;
constexpr double forgotten = 0.5;

std::string text_of(const void *ptr, size_t len)
{
    return {static_cast<const char *>(ptr), len};
}

/* A text over and over, where no file is given. */
struct Lines : gearpump::Processor {
    using Processor::Processor;
    uint64_t sent = 0;

    int32_t poll(gp_out *out, uint32_t budget) override
    {
        static const std::string text[] = {"the gear turns the pump", "the pump moves the stream",
                                           "and the stream turns the gear"};

        for (; budget > 0 && !gp_out_full(out); budget--, sent++) {
            const std::string &line = text[sent % 3];
            if (gp_emit(out, gp_wall_ns(task), line.data(), line.size()) != GP_OK) {
                return GP_FAIL;
            }
        }
        return GP_MORE;
    }
};

struct Split : gearpump::Processor {
    using Processor::Processor;

    int32_t process(uint32_t, const gp_batch *in, uint32_t *consumed, gp_out *out) override
    {
        GP_EACH (line, in, consumed, out) {
            const auto *at = static_cast<const char *>(line->value);
            const auto *end = at + line->value_len;
            const auto is_letter = [](unsigned char c) { return std::isalpha(c) != 0 || c >= 0x80; };
            while ((at = std::find_if(at, end, is_letter)) != end) {
                const auto *word = at;
                at = std::find_if_not(at, end, is_letter);
                const auto len = std::min<size_t>(static_cast<size_t>(at - word), GP_KEY_MAX_BYTES);
                if (gp_emit_keyed(out, line->time_ns, word, len, nullptr, 0) != GP_OK) {
                    return GP_FAIL;
                }
            }
        }
        return GP_OK;
    }
};

/* A word and its weight, as it goes from count to top: 8 bytes of weight, then the word. */
struct Weighed {
    double weight;
    std::string word;

    bool operator<(const Weighed &other) const
    {
        return weight != other.weight ? weight > other.weight : word < other.word;
    }
};

struct Count : gearpump::Processor {
    struct Word {
        uint64_t hash;
        double weight;
    };
    std::unordered_map<std::string, Word> words;

    explicit Count(const gp_task *its_task) : Processor(its_task)
    {
        (void)gp_timer_set(task, GP_TIMER_PROCESSING, 0, gp_now_ns(task) + second_ns);
    }

    int32_t process(uint32_t, const gp_batch *in, uint32_t *consumed, gp_out *out) override
    {
        GP_EACH (row, in, consumed, out) {
            Word &word = words[text_of(row->key, row->key_len)];
            word.hash = row->key_hash;
            word.weight += 1;
        }
        return GP_OK;
    }

    int32_t tell(gp_out *out) const
    {
        std::vector<Weighed> best;

        for (const auto &[text, word] : words) {
            best.push_back({word.weight, text});
        }
        const auto count = std::min(best.size(), best_max);
        std::partial_sort(best.begin(), best.begin() + static_cast<std::ptrdiff_t>(count), best.end());
        best.resize(count);
        for (const auto &b : best) {
            std::string bytes(sizeof b.weight, '\0');
            std::memcpy(bytes.data(), &b.weight, sizeof b.weight);
            bytes += b.word;
            if (gp_emit(out, gp_wall_ns(task), bytes.data(), bytes.size()) != GP_OK) {
                return GP_FAIL;
            }
        }
        return GP_OK;
    }

    int32_t on_timer(uint32_t clock, uint64_t id, int64_t at_ns, gp_out *out) override
    {
        if (tell(out) != GP_OK) {
            return GP_FAIL;
        }
        for (auto at = words.begin(); at != words.end();) {
            at->second.weight *= decay;
            at = at->second.weight < forgotten ? words.erase(at) : std::next(at);
        }
        return gp_timer_set(task, clock, id, at_ns + second_ns);
    }

    int32_t on_end(gp_out *out) override { return tell(out); }

    int32_t snapshot(gp_snapshot *to) override
    {
        for (const auto &[text, word] : words) {
            if (to->put(to, gp_key_group(word.hash), GP_STR("word"),
                        gp_bytes_of(saved(text, word).data(), sizeof word + text.size())) != GP_OK) {
                return GP_FAIL;
            }
        }
        return GP_OK;
    }

    int32_t restore(gp_restore *from) override
    {
        gp_entry_view entry{};
        int32_t rc;

        entry.size = sizeof entry;
        words.clear();
        while ((rc = from->next(from, &entry)) > 0) {
            Word word;
            if (entry.bytes.len < sizeof word) {
                return gp_fail(task, "a saved word is damaged");
            }
            const auto *bytes = static_cast<const char *>(entry.bytes.ptr);
            std::memcpy(&word, bytes, sizeof word);
            words[text_of(bytes + sizeof word, entry.bytes.len - sizeof word)] = word;
        }
        return rc < 0 ? GP_FAIL : GP_OK;
    }

  private:
    static std::string saved(const std::string &text, const Word &word)
    {
        std::string bytes(sizeof word, '\0');

        std::memcpy(bytes.data(), &word, sizeof word);
        return bytes + text;
    }
};

/* The best of what all counting tasks told: the latest weight of each word. */
struct Top : gearpump::Processor {
    std::unordered_map<std::string, double> weights;

    explicit Top(const gp_task *its_task) : Processor(its_task)
    {
        (void)gp_timer_set(task, GP_TIMER_PROCESSING, 0, gp_now_ns(task) + second_ns);
    }

    int32_t process(uint32_t, const gp_batch *in, uint32_t *consumed, gp_out *out) override
    {
        GP_EACH (row, in, consumed, out) {
            double weight;
            if (row->value_len <= sizeof weight) {
                return gp_reject(task, "this is no word");
            }
            const auto *bytes = static_cast<const char *>(row->value);
            std::memcpy(&weight, bytes, sizeof weight);
            weights[text_of(bytes + sizeof weight, row->value_len - sizeof weight)] = weight;
        }
        return GP_OK;
    }

    void print()
    {
        std::vector<Weighed> best;
        std::string line;

        for (const auto &[word, weight] : weights) {
            best.push_back({weight, word});
        }
        std::sort(best.begin(), best.end());
        best.resize(std::min(best.size(), best_max));
        weights.clear();
        for (const auto &b : best) {
            line += (line.empty() ? "" : ", ") + b.word + " " + std::to_string(static_cast<long long>(b.weight));
        }
        gp_log(task, GP_LOG_INFO, gp_str{line.data(), line.size()});
    }

    int32_t on_timer(uint32_t clock, uint64_t id, int64_t at_ns, gp_out *) override
    {
        if (!weights.empty()) {
            print();
        }
        return gp_timer_set(task, clock, id, at_ns + second_ns);
    }

    int32_t on_end(gp_out *) override
    {
        print();
        return GP_OK;
    }
};

using gearpump::Role;
const gp_processor lines = gearpump::table<Lines>("lines", Role::source);
const gp_processor split = gearpump::table<Split>("split");
const gp_processor count = gearpump::table<Count>("count", Role::processor, GP_PROCESSOR_STATEFUL);
const gp_processor top = gearpump::table<Top>("top");

int32_t build(const gp_build *b)
{
    const char *input = gp_config_text(b->config, "input", nullptr);
    const gp_node from = input ? gp_add_plugin(b, "lines", "file", "source", 1) : gp_add(b, "lines", &lines, 1);
    const gp_node words = gp_add(b, "split", &split, 1);
    const gp_node counts = gp_add(b, "count", &count, 2);
    const gp_node best = gp_add(b, "top", &top, 1);

    if (input) {
        gp_set(b, from, "path", input);
    }
    gp_connect(b, from, words, GP_SHUFFLE);
    gp_connect(b, words, counts, GP_HASH);
    gp_connect(b, counts, best, GP_SHUFFLE);
    return GP_OK;
}

} // namespace

GP_APP("trends", "1.0.0", build, &lines, &split, &count, &top)
