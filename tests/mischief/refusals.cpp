#include "tests/mischief/refusals.hpp"

#include "servers/rt/rt.hpp"
#include "servers/rt/thread.hpp"

#include <atomic>
#include <vector>

namespace gemel::mischief {

namespace {

template <typename T>
std::string line(std::string_view what, Result<T> const& result)
{
    return concatenate(what, ": ", result ? "done" : name_of(result.error()), "\n");
}

constexpr u64 many = 1'000'000; // no quota is larger

// Takes until it is refused; says with what, and that at least one was had.
template <typename Take>
std::string exhaust(std::string_view what, Take take)
{
    u64 taken = 0;
    while (taken < many) {
        auto const refused = take();
        if (refused)
            return concatenate(what, ": ", taken == 0 ? "none, " : "", name_of(*refused), "\n");
        ++taken;
    }
    return concatenate(what, ": never refused\n");
}

void sleep_for_ever(void*)
{
    auto const port = system::port_allocate();
    while (port)
        (void)system::port_receive(*port);
    system::exit(0);
}

} // namespace

std::string try_handles()
{
    constexpr u64 rows = 1 << 15;
    std::string said;
    usize working = 0;
    for (u64 row = 0; row < rows; ++row) // every row, with a generation that was never given
        working += system::port_send(row | 0x7FFF'FFF0ull << 32, {}).has_value();
    said += concatenate("forged: ", working, " of ", rows, " worked\n");
    auto port = system::port_allocate();
    if (!port)
        return line("port", port);
    auto const stale = *port;
    Handle(stale).close();
    said += line("stale", system::port_send(stale, {}));
    said += line("closed twice", system::cap_move(stale, 0, CapOperation::close));
    auto const region = SharedRegion::create(page_bytes);
    if (region)
        said += line("a region as a port", system::port_send(region->handle().value(), {}));
    said += line("a reply token of nobody", system::port_send(reply_token_bit | 77, {}));
    return said;
}

std::string try_dead_port()
{
    auto const made = system::port_allocate();
    if (!made)
        return line("port", made);
    Handle port(*made);
    auto const client = port.derive(Right::call | Right::send);
    if (!client)
        return line("derive", client);
    (void)port.destroy();
    return line("send", system::port_send(client->value(), {}))
        + line("call", system::port_call(client->value(), {}));
}

std::string try_memory()
{
    std::vector<u64> addresses;
    addresses.reserve(4096);
    constexpr u64 piece = 16 * page_bytes;
    auto const said = exhaust("memory", [&]() -> std::optional<Error> {
        auto const mapping = system::vm_allocate(0, piece, VmFlag::read | VmFlag::write);
        if (!mapping)
            return mapping.error();
        Handle(mapping->region).release();
        addresses.push_back(mapping->address);
        return std::nullopt;
    });
    return said;
}

std::string try_ports()
{
    return exhaust("ports", []() -> std::optional<Error> {
        auto const port = system::port_allocate();
        return port ? std::nullopt : std::optional(port.error());
    });
}

std::string try_threads()
{
    return exhaust("threads", []() -> std::optional<Error> {
        auto thread = spawn_thread(sleep_for_ever, nullptr, page_bytes * 4, "sleeper");
        if (!thread)
            return thread.error();
        thread->release();
        return std::nullopt;
    });
}

std::string show_places()
{
    int const here = 0;
    std::atomic<u64> there { 0 };
    constexpr usize stack_bytes = 16 * 1024;
    auto thread = spawn_thread(
        [](void* argument) {
            *static_cast<std::atomic<u64>*>(argument) = reinterpret_cast<u64>(&argument);
            sleep_until(Deadline::none());
        },
        &there, stack_bytes, "second");
    while (thread && there == 0)
        sleep_until(Deadline::after_ms(1));
    std::vector<std::byte> const small(1);
    constexpr usize more_than_a_region = region_bytes_max + 1;
    std::vector<std::byte> const large(more_than_a_region);
    auto shared = SharedRegion::create(page_bytes);
    auto const line = [](std::string_view name, void const* place) {
        return concatenate(name, ' ', Hexadecimal { reinterpret_cast<u64>(place) }, '\n');
    };
    return line("text", reinterpret_cast<void const*>(&show_places)) + line("first", &here)
        + line("second", reinterpret_cast<void*>(there.load())) + line("heap", small.data())
        + line("large", large.data()) + line("shared", shared ? shared->span().data() : nullptr);
}

} // namespace gemel::mischief
