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

} // namespace gemel::sim
