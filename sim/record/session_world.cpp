#include "sim/record/session_world.hpp"

#include "sim/world/boundary.hpp"

#include <cstdio>

namespace gemel::sim {

void SessionWorld::note(Event event, Thread const* thread)
{
    if (!tracing_)
        return;
    event.time_ns = time_ns_;
    if (thread) {
        event.thread = thread->id;
        event.task = thread->task->index;
        trace_.name(event.task, thread->task->name);
    }
    trace_.add(event);
    if (event_hook_)
        event_hook_();
}

void SessionWorld::console(char byte)
{
    Event event;
    event.kind = EventKind::console;
    event.a = static_cast<u8>(byte);
    note(event, nullptr);
}

void SessionWorld::time_has_moved()
{
    time_moves();
    reading_is_free_ = true;
}

u64 SessionWorld::now_ns() noexcept
{
    if (time_is_known_)
        return time_ns_;
    time_is_known_ = true;
    if (reading_is_free_ || budget_.take())
        time_ns_ = read_clock();
    else
        ++time_ns_;
    if (reading_is_free_)
        budget_.refill(time_ns_);
    reading_is_free_ = false;
    return time_ns_;
}

hosted::Fate SessionWorld::entering(Thread& thread)
{
    ++entries_;
    time_moves();
    if (tracing_)
        note(entry_event(system_.kernel(), thread), &thread);
    if (ends_by_assertion(thread))
        failed({ "assertion", "a task ended with a failed assertion", thread.task->name, time_ns_,
            trace_.count() });
    return hosted::Fate::goes_on;
}

void SessionWorld::choosing(Kernel& kernel)
{
    auto* chosen = kernel.cpu().current;
    Event event;
    event.kind = EventKind::resume;
    event.cpu = static_cast<u8>(kernel.cpu_number());
    event.a = chosen->frame.status();
    note(event, chosen);
}

void SessionWorld::interrupted(u32 line) noexcept
{
    Event event;
    event.kind = EventKind::interrupt;
    event.a = line;
    note(event, nullptr);
}

// An entry like a call: ticks have their places between entries.
void SessionWorld::touched(Thread& thread)
{
    ++entries_;
    time_moves();
    Event event;
    event.kind = EventKind::fault;
    note(event, &thread);
}

void SessionWorld::faulted(Thread& thread, u64 address)
{
    touched(thread);
    char text[64];
    std::snprintf(text, sizeof text, "it faulted at address 0x%llx",
        static_cast<unsigned long long>(address));
    failed({ "crash", text, thread.task->name, time_ns_, trace_.count() });
}

void SessionWorld::broke(char const* what) noexcept
{
    auto const* current = system_.kernel().cpu().current;
    failed({ "assertion", what, current ? current->task->name : "", time_ns_, trace_.count() });
    dies();
}

template <typename Visitor>
void SessionWorld::visit_words(Visitor& visit)
{
    visit(entries_);
    visit(position_);
    visit(time_ns_);
    visit(time_is_known_);
    visit(reading_is_free_);
    visit(budget_);
}

void SessionWorld::save(hosted::StateWriter& to)
{
    visit_words(to);
}

bool SessionWorld::load(hosted::StateReader& from)
{
    visit_words(from);
    return from.ok();
}

} // namespace gemel::sim
