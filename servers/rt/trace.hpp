// The trace: one line for each message a server answered, made from the protocol's declaration:
// `file.read(offset=0, span=0+4096) -> ok(bytes=2)`. Switched on by GEMEL_TRACE=1 in a task's
// variables, or for a test by a sink of its own.
#pragma once

#include "servers/rt/lock.hpp"
#include "servers/rt/protocol.hpp"

#include <string>
#include <vector>

namespace gemel {

class TraceSink {
public:
    virtual ~TraceSink() = default;
    // `line` has no newline. Called by any thread of the task.
    virtual void line(std::string_view line) = 0;
};

// To the debug output, as `trace: LINE`.
class DebugTrace final : public TraceSink {
public:
    void line(std::string_view line) override;
};

// Into memory, for tests.
class TraceBuffer final : public TraceSink {
public:
    void line(std::string_view line) override { lines_.lock()->emplace_back(line); }
    std::vector<std::string> take() { return std::exchange(*lines_.lock(), {}); }

private:
    Guarded<std::vector<std::string>> lines_;
};

// The calling task's sink, or null. Setting returns the one before.
TraceSink* trace_sink();
TraceSink* set_trace_sink(TraceSink* sink);

template <typename P, typename M>
std::string trace_request(typename M::RequestType const& request)
{
    std::string line { P::name };
    line += '.';
    line += M::name;
    line += '(';
    M::RequestCodec::print(line, request);
    line += ')';
    return line;
}

template <typename M>
void trace_result(std::string& line, Result<typename M::ReplyType> const& result)
{
    line += " -> ";
    if (!result) {
        line += name_of(result.error());
        return;
    }
    line += "ok";
    std::string fields;
    M::ReplyCodec::print(fields, *result);
    if (!fields.empty())
        line += '(' + fields + ')';
}

} // namespace gemel
