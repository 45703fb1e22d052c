// Three threads, three files, one vfs: whose answer is whose.
#include "servers/fskit/client.hpp"
#include "servers/rt/lock.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "servers/rt/thread.hpp"

namespace gemel::vfs_race {

namespace {

constexpr std::string_view paths[] = { "/srv/greeting", "/srv/lines.txt", "/srv" };
constexpr u32 asker_count = 3;
constexpr u32 rounds = 12;
constexpr usize stack_bytes = 32 * 1024;

struct Asker {
    fskit::Files files;
    std::string_view path;
    u64 inode = 0;
    Notification const* finished = nullptr;
    u64 bit = 0;
};

void ask(void* argument)
{
    auto& asker = *static_cast<Asker*>(argument);
    for (u32 i = 0; i < rounds; ++i) {
        auto const status = asker.files.status(asker.path);
        if (status && status->inode != asker.inode)
            system::debug_print("FAIL vfs-race: one file was asked for, another answered\n");
    }
    (void)asker.finished->signal(asker.bit);
    for (;;)
        sleep_until(Deadline::none());
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const vfs = TRY(env.take_handle("vfs"));
    auto const finished = TRY(Notification::create());
    std::vector<Asker> askers;
    for (u32 i = 0; i < asker_count; ++i) {
        auto files = TRY(fskit::Files::create(
            Client<protocol::Vfs>(TRY(vfs.derive(Right::call | Right::derive)))));
        auto const inode = TRY(files.status(paths[i])).inode;
        askers.push_back({ std::move(files), paths[i], inode, &finished, u64 { 1 } << i });
    }
    u64 waited_for = 0;
    for (auto& asker : askers)
        if (spawn_thread(ask, &asker, stack_bytes, "asker"))
            waited_for |= asker.bit; // the others ask all the same
    for (u64 done = 0; done != waited_for;)
        done |= TRY(finished.wait());
    return {};
}

} // namespace gemel::vfs_race
