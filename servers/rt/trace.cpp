#include "servers/rt/trace.hpp"

#include "servers/rt/thread.hpp"

namespace gemel {

void DebugTrace::line(std::string_view line)
{
    std::string out { "trace: " };
    out += line;
    out += '\n';
    system::debug_print(out);
}

TraceSink* trace_sink()
{
    auto const* const thread = self();
    return thread ? thread->task->trace.load(std::memory_order_acquire) : nullptr;
}

TraceSink* set_trace_sink(TraceSink* sink)
{
    auto const* const thread = self();
    ASSERT(thread);
    return thread->task->trace.exchange(sink, std::memory_order_acq_rel);
}

} // namespace gemel
