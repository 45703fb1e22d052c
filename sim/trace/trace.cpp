#include "sim/trace/trace.hpp"

namespace gemel::sim {

void Trace::add(Event const& event)
{
    hash_.add(event.time_ns);
    hash_.add(static_cast<u64>(event.kind) | u64 { event.cpu } << 8 | u64 { event.thread } << 16
        | u64 { event.task } << 32 | u64 { event.call } << 48);
    hash_.add(event.a);
    hash_.add(event.b);
    recent_[count_ % recent_events] = event;
    if (++count_ % digest_events == 0)
        digests_.push_back(hash_);
    if (keep_ == Keep::events)
        events_.push_back(event);
}

void Trace::name(u32 task, char const* text)
{
    if (keep_ != Keep::events)
        return;
    auto& known = named_[task];
    if (known == text)
        return;
    known = text;
    TaskName name { count_, task, {} };
    known.copy(name.text, sizeof name.text - 1);
    names_.push_back(name);
}

} // namespace gemel::sim
