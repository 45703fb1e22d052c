// One pipe, and its two ends as Files.
#pragma once

#include "servers/protocols/file.hpp"
#include "servers/protocols/pipe.hpp"
#include "servers/protocols/refused.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/region.hpp"

#include <deque>
#include <string>

namespace gemel::pipe {

inline constexpr usize pipe_bytes_default = 64 * 1024;
inline constexpr usize pipe_bytes_max = 16 * 1024 * 1024;
inline constexpr usize waiters_max = 256; // of each kind, on one pipe

enum class End : u8 { reader, writer };

class Pipe {
public:
    using Read = Deferred<protocol::File, protocol::File::Read>;
    using Write = Deferred<protocol::File, protocol::File::Write>;

    Pipe(usize bytes_max, protocol::PipeFull full)
        : bytes_max_(bytes_max)
        , full_(full)
    {
    }

    void opened(End end) { ++(end == End::reader ? readers_ : writers_); }
    // Who still waits through the end's region is forgotten: its program has ended, and its memory
    // with it.
    void closed(End end, Ref<SharedRegion> const& region);
    void read(Ref<SharedRegion> region, Span span, Read deferred);
    void write(Ref<SharedRegion> region, Span span, Write deferred);
    usize buffered() const { return buffer_.size() - taken_; }

private:
    template <typename Reply>
    struct Waiting {
        Ref<SharedRegion> region;
        Span span;
        Reply deferred;
    };

    void settle();
    bool give(Waiting<Read>& reader);
    bool take(Waiting<Write>& writer);

    usize bytes_max_;
    protocol::PipeFull full_;
    std::string buffer_;
    usize taken_ = 0; // of buffer_, by readers
    u32 readers_ = 0; // ends that are open
    u32 writers_ = 0;
    std::deque<Waiting<Read>> waiting_readers_;
    std::deque<Waiting<Write>> waiting_writers_;
};

class PipeEnd : public RefusedFileRequests {
public:
    using RefusedFileRequests::on;

    PipeEnd(Ref<Pipe> pipe, End end, ObjectServer& server, SharedRegion region);
    ~PipeEnd() { pipe_->closed(end_, region_); }
    PipeEnd(PipeEnd const&) = delete;

    static Result<Handle> publish(Ref<Pipe> pipe, End end, ObjectServer& server, Handle region);

    void on(protocol::File::Read request, Pipe::Read deferred);
    void on(protocol::File::Write request, Pipe::Write deferred);
    Result<protocol::File::Close::Reply> on(protocol::File::Close const&)
    {
        return protocol::File::Close::Reply {};
    }
    Result<protocol::File::Sync::Reply> on(protocol::File::Sync const&)
    {
        return protocol::File::Sync::Reply {};
    }
    Result<protocol::File::Stat::Reply> on(protocol::File::Stat const& request);
    Result<protocol::File::Resize::Reply> on(protocol::File::Resize const&)
    {
        return Error::unsupported;
    }
    Result<protocol::File::Attach::Reply> on(protocol::File::Attach request);

private:
    Ref<Pipe> pipe_;
    End end_;
    ObjectServer& server_;
    Ref<SharedRegion> region_;
};

class PipeRoot {
public:
    explicit PipeRoot(ObjectServer& server)
        : server_(server)
    {
    }
    Result<protocol::Pipes::Create::Reply> on(protocol::Pipes::Create const& request);

private:
    ObjectServer& server_;
};

} // namespace gemel::pipe
