// processor.hpp: a gp_processor table made from a class.
//
//     struct Relay : Processor {
//         explicit Relay(const gp_task *task) : Processor(task) {}
//         int32_t process(uint32_t port, const gp_batch *in, uint32_t *consumed, gp_out *out) override;
//     };
//     static const gp_processor relay = processor_table<Relay>("relay");
//
// Exceptions do not cross the border: they fail the task, with what() as the reason.
#pragma once

#include <exception>

#include <gearpump/gearpump.h>

struct Processor {
    explicit Processor(const gp_task *its_task) : task(its_task) {}
    virtual ~Processor() = default;
    Processor(const Processor &) = delete;
    Processor &operator=(const Processor &) = delete;

    // What they mean and answer stands in <gearpump/processor.h>.
    virtual int32_t process(uint32_t, const gp_batch *, uint32_t *, gp_out *) { return GP_FAIL; }
    virtual int32_t poll(gp_out *, uint32_t) { return GP_END; }
    virtual int32_t on_end(gp_out *) { return GP_OK; }
    virtual int32_t snapshot(gp_snapshot *) { return GP_OK; }
    virtual int32_t restore(gp_restore *) { return GP_OK; }

    const gp_task *const task;
};

template <class Call> int32_t guarded(const gp_task *task, Call call) noexcept
{
    try {
        return call();
    } catch (const std::exception &e) {
        return gp_fail(task, e.what());
    } catch (...) {
        return gp_fail(task, "an exception of no known kind");
    }
}

inline int32_t processor_process(void *self, uint32_t port, const gp_batch *in, uint32_t *consumed,
                                 gp_out *out)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->process(port, in, consumed, out); });
}

inline int32_t processor_poll(void *self, gp_out *out, uint32_t budget)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->poll(out, budget); });
}

inline int32_t processor_on_end(void *self, gp_out *out)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->on_end(out); });
}

inline int32_t processor_snapshot(void *self, gp_snapshot *snapshot)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->snapshot(snapshot); });
}

inline int32_t processor_restore(void *self, gp_restore *restore)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->restore(restore); });
}

inline void processor_close(void *self, uint32_t)
{
    delete static_cast<Processor *>(self);
}

template <class T> int32_t processor_open(const gp_task *task, void **ret_self)
{
    return guarded(task, [&] {
        *ret_self = static_cast<Processor *>(new T(task));
        return GP_OK;
    });
}

enum class Role { source, processor };

template <class T>
gp_processor processor_table(const char *type, Role role = Role::processor, uint32_t flags = 0)
{
    gp_processor table{};
    table.size = sizeof table;
    table.kind = GP_KIND_PROCESSOR;
    table.type = type;
    table.flags = flags;
    table.open = processor_open<T>;
    table.close = processor_close;
    if (role == Role::source) {
        table.poll = processor_poll;
    } else {
        table.process = processor_process;
        table.on_end = processor_on_end;
    }
    if (flags & GP_PROCESSOR_STATEFUL) {
        table.snapshot = processor_snapshot;
        table.restore = processor_restore;
    }
    return table;
}
