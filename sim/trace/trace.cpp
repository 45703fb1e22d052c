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
    if ((++count_ - begun_) % digest_events == 0)
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

template <typename Visitor>
void Trace::visit_words(Visitor& visit)
{
    visit(count_);
    visit(hash_);
    visit(recent_);
}

void Trace::save(hosted::StateWriter& to)
{
    visit_words(to);
}

bool Trace::load(hosted::StateReader& from)
{
    visit_words(from);
    begun_ = count_;
    return from.ok();
}

} // namespace gemel::sim
