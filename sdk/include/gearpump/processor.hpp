/*
 * processor.hpp: a gp_processor table made from a class, in C++17.
 *
 *     struct Relay : gearpump::Processor {
 *         explicit Relay(const gp_task *task) : Processor(task) {}
 *         int32_t process(uint32_t port, const gp_batch *in, uint32_t *consumed, gp_out *out) override;
 *     };
 *     static const gp_processor relay = gearpump::table<Relay>("relay");
 *
 * The constructor opens the task, the destructor closes it. Exceptions do not cross the border: they
 * fail the task, with what() as the reason. What calls mean and answer stands in processor.h.
 */
#ifndef GEARPUMP_PROCESSOR_HPP
#define GEARPUMP_PROCESSOR_HPP

#include <exception>

#include <gearpump/gearpump.h>

namespace gearpump {

struct Processor {
    explicit Processor(const gp_task *its_task) : task(its_task) {}
    virtual ~Processor() = default;
    Processor(const Processor &) = delete;
    Processor &operator=(const Processor &) = delete;

    virtual int32_t process(uint32_t, const gp_batch *, uint32_t *, gp_out *) { return GP_FAIL; }
    virtual int32_t poll(gp_out *, uint32_t) { return GP_END; }
    virtual int32_t on_watermark(int64_t, gp_out *) { return GP_OK; }
    virtual int32_t on_timer(uint32_t, uint64_t, int64_t, gp_out *) { return GP_OK; }
    virtual int32_t on_end(gp_out *) { return GP_OK; }
    virtual int32_t snapshot(gp_snapshot *) { return GP_OK; }
    virtual int32_t restore(gp_restore *) { return GP_OK; }

    const gp_task *const task;
};

namespace detail {

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

inline int32_t process(void *self, uint32_t port, const gp_batch *in, uint32_t *consumed,
                       gp_out *out)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->process(port, in, consumed, out); });
}

inline int32_t poll(void *self, gp_out *out, uint32_t budget)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->poll(out, budget); });
}

inline int32_t on_watermark(void *self, int64_t time_ns, gp_out *out)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->on_watermark(time_ns, out); });
}

inline int32_t on_timer(void *self, uint32_t clock, uint64_t id, int64_t at_ns, gp_out *out)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->on_timer(clock, id, at_ns, out); });
}

inline int32_t on_end(void *self, gp_out *out)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->on_end(out); });
}

inline int32_t snapshot(void *self, gp_snapshot *snapshot)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->snapshot(snapshot); });
}

inline int32_t restore(void *self, gp_restore *restore)
{
    auto *p = static_cast<Processor *>(self);
    return guarded(p->task, [&] { return p->restore(restore); });
}

inline void close(void *self, uint32_t)
{
    delete static_cast<Processor *>(self);
}

template <class T> int32_t open(const gp_task *task, void **ret_self)
{
    return guarded(task, [&] {
        *ret_self = static_cast<Processor *>(new T(task));
        return GP_OK;
    });
}

} // namespace detail

enum class Role { source, processor };

template <class T>
gp_processor table(const char *type, Role role = Role::processor, uint32_t flags = 0)
{
    gp_processor t{};
    t.size = sizeof t;
    t.kind = GP_KIND_PROCESSOR;
    t.type = type;
    t.flags = flags;
    t.open = detail::open<T>;
    t.on_timer = detail::on_timer;
    t.close = detail::close;
    if (role == Role::source) {
        t.poll = detail::poll;
    } else {
        t.process = detail::process;
        t.on_watermark = detail::on_watermark;
        t.on_end = detail::on_end;
    }
    if (flags & GP_PROCESSOR_STATEFUL) {
        t.snapshot = detail::snapshot;
        t.restore = detail::restore;
    }
    return t;
}

/* The same with its parameters, as in parameter.h. */
template <size_t n> gp_processor with_parameters(gp_processor t, const gp_parameter (&parameters)[n])
{
    t.parameters = parameters;
    t.parameter_count = n;
    t.parameter_stride = sizeof parameters[0];
    return t;
}

} // namespace gearpump

#endif
