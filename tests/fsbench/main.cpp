// fsbench DIRECTORY FILES CLIENTS: what programs reach of the file system, per second. Each client
// is a thread with a session and a directory of its own.
#include "servers/fskit/client.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

#include <charconv>
#include <cstring>
#include <deque>
#include <vector>

namespace gemel::fsbench {

namespace {

constexpr usize read_bytes = 256 * 1024; // stays in the file system's cache
constexpr u32 read_rounds = 100;
constexpr u64 ns_per_second = 1'000'000'000;

constexpr u32 clients_max = 8;
constexpr usize stack_bytes = 64 * 1024;

// What one client did of each kind, and when the phase ended for all.
struct Worker {
    fskit::Files files;
    std::string directory;
    u64 count;
    Notification start;
    Notification const& done;
    u64 bit;
    Result<void> outcome {};

    std::string path(u64 number) const { return directory + "/f" + std::to_string(number); }
};

template <typename Step>
Result<void> each(Worker const& client, Step step)
{
    for (u64 number = 0; number < client.count; ++number)
        TRY(step(client.path(number)));
    return {};
}

Result<void> read_again(Worker& client)
{
    auto file = TRY(
        client.files.open(client.directory + "/read", static_cast<OpenFlags>(OpenFlag::read)));
    for (u32 round = 0; round < read_rounds; ++round) {
        file.seek(0);
        while (!TRY(file.read_piece()).empty()) { }
    }
    return {};
}

Result<void> fill(Worker& client)
{
    std::vector<std::byte> const block(fskit::io_area_bytes, std::byte { 'r' });
    auto const flags = OpenFlag::read | OpenFlag::write | OpenFlag::create;
    auto file = TRY(client.files.open(client.directory + "/read", flags));
    for (usize done = 0; done < read_bytes; done += block.size())
        TRY(file.write(block));
    return {};
}

constexpr std::string_view phases[] = { "create", "stat", "unlink", "fill", "read" };

Result<void> carry_out(Worker& client, std::string_view phase)
{
    auto const flags = OpenFlag::read | OpenFlag::write | OpenFlag::create | OpenFlag::exclusive;
    if (phase == "create") {
        return each(client, [&](std::string const& path) -> Result<void> {
            TRY(client.files.open(path, flags));
            return {};
        });
    }
    if (phase == "stat") {
        return each(client, [&](std::string const& path) -> Result<void> {
            TRY(client.files.status(path));
            return {};
        });
    }
    if (phase == "unlink")
        return each(client, [&](std::string const& path) { return client.files.remove(path); });
    return phase == "fill" ? fill(client) : read_again(client);
}

void work(void* argument)
{
    auto& client = *static_cast<Worker*>(argument);
    for (auto const phase : phases) {
        client.outcome = client.start.wait() ? carry_out(client, phase) : Error::dead;
        (void)client.done.signal(client.bit);
        if (!client.outcome)
            break;
    }
    for (;;)
        sleep_until(Deadline::none());
}

struct Clients {
    std::deque<Worker> all;
    Notification done;
    fskit::OpenFile out;
};

Result<void> start(
    Clients& clients, Handle const& vfs, std::string_view directory, u64 files, u32 count)
{
    for (u32 number = 0; number < count; ++number) {
        auto session = Client<protocol::Vfs>(TRY(vfs.derive(Right::call | Right::derive)));
        auto own = std::string(directory) + "/client" + std::to_string(number);
        auto opened = TRY(fskit::Files::create(std::move(session)));
        TRY(opened.make_directory(own));
        clients.all.push_back(Worker { std::move(opened), std::move(own), files / count,
            TRY(Notification::create()), clients.done, u64 { 1 } << number });
        if (number == 0)
            continue; // the first thread is a client itself
        TRY(spawn_thread(work, &clients.all.back(), stack_bytes, "client")).release();
    }
    return {};
}

Result<void> say(Clients& clients, std::string_view what, u64 amount, u64 taken_ns)
{
    auto const rate = amount * ns_per_second / std::max<u64>(taken_ns, 1);
    return clients.out.write(std::string(what) + " " + std::to_string(rate) + "\n");
}

// All clients at once, until the last is done.
Result<void> run_phase(Clients& clients, std::string_view phase)
{
    auto const began = system::time_ns();
    for (auto const& client : clients.all)
        TRY(client.start.signal(1));
    clients.all.front().outcome = carry_out(clients.all.front(), phase);
    for (u64 waiting = (u64 { 1 } << clients.all.size()) - 2; waiting != 0;)
        waiting &= ~TRY(clients.done.wait());
    auto const taken = system::time_ns() - began;
    u64 amount = 0;
    for (auto const& client : clients.all) {
        TRY(client.outcome);
        amount += phase == "read" ? read_rounds * read_bytes : client.count;
    }
    return phase == "fill" ? Result<void>() : say(clients, phase, amount, taken);
}

// As many bytes as the file has, and as many at a time as a read gives.
Result<void> copying(Clients& clients)
{
    std::vector<std::byte> from(read_bytes);
    std::vector<std::byte> into(fskit::io_area_bytes);
    auto const began = system::time_ns();
    for (usize done = 0; done < read_rounds * read_bytes; done += into.size()) {
        std::memcpy(into.data(), from.data() + done % read_bytes, into.size());
        asm volatile("" : : "r"(into.data()), "r"(from.data()) : "memory");
    }
    return say(clients, "memcpy", read_rounds * read_bytes, system::time_ns() - began);
}

Result<u64> number_in(std::string_view word)
{
    u64 number = 0;
    auto const* const end = word.data() + word.size();
    auto const read = std::from_chars(word.data(), end, number);
    if (read.ec != std::errc {} || read.ptr != end || number == 0)
        return Error::invalid;
    return number;
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const words = env.arguments();
    if (words.size() != 4)
        return Error::invalid;
    auto const files = TRY(number_in(words[2]));
    auto const count = TRY(number_in(words[3]));
    if (count > clients_max)
        return Error::invalid;
    auto const vfs = TRY(env.take_handle("vfs"));
    auto session = TRY(
        fskit::Files::create(Client<protocol::Vfs>(TRY(vfs.derive(Right::call | Right::derive)))));
    auto out = TRY(session.attach(TRY(env.take<protocol::File>("stdout"))));
    Clients clients { {}, TRY(Notification::create()), std::move(out) };
    TRY(start(clients, vfs, words[1], files, static_cast<u32>(count)));
    for (auto const phase : phases)
        TRY(run_phase(clients, phase));
    return copying(clients);
}

} // namespace gemel::fsbench
