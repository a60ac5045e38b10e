// @name@: readings of sensors -> average of each sensor -> the log.
//
// Parameters: count, the readings to send (100000). Tasks can move to other workers while the job
// runs, for they give away their state (snapshot) and take it back (restore).
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <gearpump/processor.hpp>

namespace {

// A source: how many readings to send, and how many were, where a restored task goes on.
struct Readings : gearpump::Processor {
    static constexpr uint64_t sensors = 8;
    uint64_t count = 0;
    uint64_t sent = 0;

    explicit Readings(const gp_task *its_task) : Processor(its_task)
    {
        (void)gp_config_u64(task->config, "count", 100000, &count); // the host has checked it
    }

    int32_t poll(gp_out *out, uint32_t budget) override
    {
        for (; budget > 0 && sent < count && !gp_out_full(out); budget--, sent++) {
            const std::string sensor = "sensor-" + std::to_string(sent % sensors);
            const auto value = static_cast<int64_t>(sent / sensors % 100);
            if (gp_emit_keyed(out, static_cast<int64_t>(sent), sensor.data(), sensor.size(), &value,
                              sizeof value) != GP_OK) {
                return GP_FAIL; // the host knows why
            }
        }
        return sent == count ? GP_END : GP_MORE;
    }

    int32_t snapshot(gp_snapshot *s) override
    {
        return s->put(s, GP_GROUP_NONE, GP_STR("sent"), gp_bytes_of(&sent, sizeof sent));
    }

    int32_t restore(gp_restore *r) override
    {
        gp_entry_view entry{};
        int32_t rc;

        entry.size = sizeof entry;
        while ((rc = r->next(r, &entry)) > 0) {
            if (entry.bytes.len != sizeof sent) {
                throw std::runtime_error("the saved position is damaged");
            }
            std::memcpy(&sent, entry.bytes.ptr, sizeof sent);
        }
        return rc < 0 ? GP_FAIL : GP_OK;
    }
};

// Behind a hash edge, so that one task sees all readings of a sensor.
struct Average : gearpump::Processor {
    struct Sums {
        uint64_t hash;
        uint64_t count;
        int64_t sum;
    };
    std::unordered_map<std::string, Sums> sensors;
    std::vector<std::string> lines; // made at the end, from the last to the first
    bool is_over = false;

    explicit Average(const gp_task *its_task) : Processor(its_task) {}

    int32_t process(uint32_t, const gp_batch *in, uint32_t *consumed, gp_out *out) override
    {
        GP_EACH (row, in, consumed, out) {
            int64_t value;
            if (row->value_len != sizeof value) {
                return gp_reject(task, "a reading is 8 bytes"); // to the dead letters
            }
            std::memcpy(&value, row->value, sizeof value);
            auto &s = sensors[std::string(static_cast<const char *>(row->key), row->key_len)];
            s.hash = row->key_hash;
            s.count++;
            s.sum += value;
        }
        return GP_OK;
    }

    int32_t on_end(gp_out *out) override
    {
        if (!is_over) {
            for (const auto &[name, s] : sensors) {
                char line[256];
                std::snprintf(line, sizeof line, "%s %.2f (%llu readings)", name.c_str(),
                              static_cast<double>(s.sum) / static_cast<double>(s.count),
                              static_cast<unsigned long long>(s.count));
                lines.emplace_back(line);
            }
            is_over = true;
        }
        for (; !lines.empty(); lines.pop_back()) {
            if (gp_out_full(out)) {
                return GP_YIELD; // called again when there is room
            }
            if (gp_emit(out, 0, lines.back().data(), lines.back().size()) != GP_OK) {
                return GP_FAIL;
            }
        }
        return GP_OK;
    }

    int32_t snapshot(gp_snapshot *snapshot) override
    {
        for (const auto &[name, s] : sensors) {
            if (snapshot->put(snapshot, gp_key_group(s.hash), gp_str{name.data(), name.size()},
                              gp_bytes_of(&s, sizeof s)) != GP_OK) {
                return GP_FAIL;
            }
        }
        return GP_OK;
    }

    int32_t restore(gp_restore *r) override
    {
        gp_entry_view entry{};
        int32_t rc;

        entry.size = sizeof entry;
        sensors.clear();
        while ((rc = r->next(r, &entry)) > 0) {
            Sums s;
            if (entry.bytes.len != sizeof s) {
                throw std::runtime_error("a saved sensor is damaged");
            }
            std::memcpy(&s, entry.bytes.ptr, sizeof s);
            sensors[std::string(entry.name.ptr, entry.name.len)] = s;
        }
        return rc < 0 ? GP_FAIL : GP_OK;
    }
};

struct Report : gearpump::Processor {
    explicit Report(const gp_task *its_task) : Processor(its_task) {}

    int32_t process(uint32_t, const gp_batch *in, uint32_t *consumed, gp_out *out) override
    {
        GP_EACH (row, in, consumed, out) {
            gp_log(task, GP_LOG_INFO, gp_str{static_cast<const char *>(row->value), row->value_len});
        }
        return GP_OK;
    }
};

const gp_parameter readings_parameters[] = {
    {"count", GP_PARAMETER_U64, 0, "100000", nullptr, nullptr, nullptr, "readings to send"},
};
const gp_processor readings = gearpump::with_parameters(
    gearpump::table<Readings>("readings", gearpump::Role::source, GP_PROCESSOR_STATEFUL), readings_parameters);
const gp_processor average = gearpump::table<Average>("average", gearpump::Role::processor, GP_PROCESSOR_STATEFUL);
const gp_processor report = gearpump::table<Report>("report");

int32_t build(const gp_build *b)
{
    const gp_node from = gp_add(b, "readings", &readings, 1);
    const gp_node averages = gp_add(b, "average", &average, 2);
    const gp_node to = gp_add(b, "report", &report, 1);

    gp_set(b, from, "count", gp_config_text(b->config, "count", "100000"));
    gp_connect(b, from, averages, GP_HASH);
    gp_connect(b, averages, to, GP_SHUFFLE);
    return GP_OK;
}

} // namespace

GP_APP("@name@", "0.1.0", build, &readings, &average, &report)
