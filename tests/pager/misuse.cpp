#include "tests/pager/misuse.hpp"

#include "servers/protocols/init.hpp"
#include "servers/protocols/refused.hpp"
#include "servers/rt/object_server.hpp"
#include "servers/rt/thread.hpp"

#include <functional>

namespace gemel::paged {

namespace {

constexpr u64 some_pages = 10;

void touch(std::byte* at)
{
    *reinterpret_cast<std::byte volatile*>(at) = std::byte { 1 };
}

// --- a file that this program serves itself ---

// Asked to read, it does what `when_read` says and answers with an error.
class OwnFile : public RefusedFileRequests {
public:
    using RefusedFileRequests::on;

    OwnFile(ObjectServer& server, std::function<void()> when_read)
        : server_(server)
        , when_read_(std::move(when_read))
    {
    }
    Result<File::Read::Reply> on(File::Read const&)
    {
        when_read_();
        return Error::io;
    }
    Result<File::Write::Reply> on(File::Write const&) { return Error::unsupported; }
    Result<File::Close::Reply> on(File::Close const&) { return File::Close::Reply {}; }
    Result<File::Sync::Reply> on(File::Sync const&) { return File::Sync::Reply {}; }
    Result<File::Resize::Reply> on(File::Resize const&) { return Error::unsupported; }
    Result<File::Stat::Reply> on(File::Stat const& request)
    {
        FileStatus const status { .inode = 1, .size = some_pages * page_bytes };
        auto const answer = TRY(memory_.at(request.answer));
        std::memcpy(answer.data(), &status, sizeof(status));
        return File::Stat::Reply {};
    }
    Result<File::Attach::Reply> on(File::Attach request)
    {
        memory_ = TRY(SharedRegion::map(std::move(request.region)));
        return File::Attach::Reply { TRY(
            server_.publish<File>(std::make_unique<OwnFile>(*this, std::move(memory_)))) };
    }
    OwnFile(OwnFile const& other, SharedRegion memory)
        : server_(other.server_)
        , when_read_(other.when_read_)
        , memory_(std::move(memory))
    {
    }

private:
    ObjectServer& server_;
    std::function<void()> when_read_;
    SharedRegion memory_;
};

struct FileServer {
    Handle port;
    ObjectServer server;

    explicit FileServer(Handle own)
        : port(std::move(own))
        , server(port)
    {
    }
};

void serve_files(void* argument)
{
    (void)static_cast<FileServer*>(argument)->server.run();
    for (;;)
        sleep_until(Deadline::none());
}

// Touches a file whose server does that when it is read. Only an error comes back: the touch does
// not.
Result<void> touch_own_file(Cast& cast, std::function<void()> when_read)
{
    FileServer files { Handle(TRY(system::port_allocate())) };
    Client<File> const file(TRY(
        files.server.publish<File>(std::make_unique<OwnFile>(files.server, std::move(when_read)))));
    auto thread = TRY(spawn_thread(serve_files, &files, 16 * page_bytes, "files"));
    thread.release();
    auto const mapped = TRY(cast.memory.file(file, 0, some_pages * page_bytes));
    TRY(cast.say("mapped"));
    touch(mapped.data());
    return Error::invalid;
}

using protocol::Init;

Result<void> wait_until_it_runs_again(Client<Init> const& init, u32 restarts)
{
    for (;;) {
        auto const now = TRY(init.call(Init::QueryService { "pager" }));
        if (now.restarts != restarts && now.state == protocol::ServiceState::running)
            return {};
        sleep_until(Deadline::after_ms(1));
    }
}

template <typename T>
Result<void> tell(Cast& cast, std::string_view what, Result<T> const& outcome)
{
    return cast.say(what, ": ", outcome ? "done" : name_of(outcome.error()));
}

} // namespace

Result<void> touch_before(Cast& cast)
{
    auto const region = TRY(cast.memory.zeros(some_pages * page_bytes));
    touch(region.data());
    touch(region.data() - 1);
    return cast.say("the page before can be written");
}

Result<void> touch_behind(Cast& cast)
{
    auto const region = TRY(cast.memory.zeros(some_pages * page_bytes));
    touch(region.data() + region.size() - 1);
    touch(region.data() + region.size());
    return cast.say("the page behind can be written");
}

Result<void> touch_unmapped(Cast& cast)
{
    auto const region = TRY(cast.memory.zeros(some_pages * page_bytes));
    touch(region.data());
    TRY(cast.memory.unmap(region));
    touch(region.data());
    return cast.say("what was unmapped can be written");
}

Result<void> touch_too_much(Cast& cast)
{
    auto const region = TRY(cast.memory.zeros(u64 { 1 } << 30));
    for (u64 at = 0; at < region.size(); at += page_bytes)
        touch(region.data() + at);
    return cast.say("all of it can be written");
}

Result<void> ask_nonsense(Cast& cast)
{
    auto const& memory = cast.memory;
    using Memory = PagedMemory::Protocol;
    TRY(tell(cast, "no bytes", memory.zeros(0)));
    TRY(tell(cast, "2^63 bytes", memory.zeros(u64 { 1 } << 63)));
    TRY(tell(cast, "2^64 - 1 bytes", memory.zeros(~u64 { 0 })));
    TRY(tell(cast, "2^34 bytes", memory.zeros(u64 { 1 } << 34)));
    TRY(tell(cast, "a file without one",
        memory.client().call(Memory::Map { protocol::MapKind::file, page_bytes, 0, Handle() })));
    TRY(tell(cast, "what is no kind",
        memory.client().call(
            Memory::Map { static_cast<protocol::MapKind>(9), page_bytes, 0, Handle() })));
    TRY(tell(cast, "a port nobody serves, ended", memory.file(Client<File>(), 0, page_bytes)));
    auto const region = TRY(memory.zeros(some_pages * page_bytes));
    TRY(tell(cast, "unmap nothing", memory.unmap({})));
    TRY(tell(cast, "unmap the stack", memory.unmap({ reinterpret_cast<std::byte*>(&cast), 1 })));
    TRY(tell(cast, "unmap a part", memory.unmap(region.subspan(page_bytes))));
    TRY(tell(cast, "copy nothing", memory.snapshot({})));
    usize mapped = 1;
    auto more = memory.zeros(page_bytes);
    for (; more && mapped < 1000; more = memory.zeros(page_bytes))
        ++mapped;
    TRY(tell(cast, concatenate("a thousand, after ", mapped), more));
    touch(region.data());
    return cast.say("and the first works");
}

Result<void> use_a_broken_file(Cast& cast)
{
    return touch_own_file(cast, [] {});
}

// It answers only when nobody reads our standard output any more: a pipe to a program that uses the
// pager meanwhile.
Result<void> use_a_silent_file(Cast& cast)
{
    return touch_own_file(cast, [&cast] {
        while (cast.say("still waiting")) { }
    });
}

// What is there stays; what is not cannot be had any more.
Result<void> kill_the_pager(Cast& cast)
{
    auto const init = TRY(cast.env.take<Init>("init"));
    auto const region = TRY(cast.memory.zeros(some_pages * page_bytes));
    word(region, 0) = 77;
    auto const restarts = TRY(init.call(Init::QueryService { "pager" })).restarts;
    TRY(init.call(Init::KillService { "pager" }));
    TRY(wait_until_it_runs_again(init, restarts));
    TRY(tell(cast, "the session", cast.memory.usage()));
    TRY(cast.say("what was written is there: ", word(region, 0) == 77 ? "yes" : "NO"));
    word(region, 0) = 78;
    word(region, 1) = 79;
    return cast.say("a new page is there");
}

Result<void> kill_the_pager_amid_a_fault(Cast& cast)
{
    auto const init = TRY(cast.env.take<Init>("init"));
    return touch_own_file(cast, [&] { (void)init.call(Init::KillService { "pager" }); });
}

Result<void> show_place(Cast& cast)
{
    auto const region = TRY(cast.memory.zeros(page_bytes));
    return cast.say(Hexadecimal { reinterpret_cast<u64>(region.data()) });
}

} // namespace gemel::paged
