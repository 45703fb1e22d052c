// The storm: takes every capability of services.toml, reads its seed from the disk, and says in the
// log what came of it.
#include "servers/fskit/client.hpp"
#include "servers/rt/rt.hpp"
#include "tests/storm/storm.hpp"

#include <charconv>

namespace gemel::storm {

namespace {

constexpr std::string_view services[] = { "scheduler", "devices", "console", "block", "vfs", "ext4",
    "bundlefs", "tmpfs", "devfs", "procfs", "pipe", "pager", "init", "process", "log-tail" };
constexpr usize region_bytes = 32 * 1024;
constexpr u64 answer_ms = 2000;

struct Plan {
    u64 seed = 0;
    u64 messages = 0;
};

// "/etc/storm" holds two numbers: the seed and how many messages.
Result<Plan> read_plan(Handle const& vfs)
{
    auto files = TRY(
        fskit::Files::create(Client<protocol::Vfs>(TRY(vfs.derive(Right::call | Right::derive)))));
    auto const text = TRY(files.read_all("/etc/storm", 100));
    Plan plan;
    auto const* const end = text.data() + text.size();
    auto const seed = std::from_chars(text.data(), end, plan.seed);
    if (seed.ec != std::errc {} || seed.ptr == end)
        return Error::invalid;
    auto const messages = std::from_chars(seed.ptr + 1, end, plan.messages);
    if (messages.ec != std::errc {})
        return Error::invalid;
    return plan;
}

// A server that lives answers what it cannot know with bad_call.
bool answers(Handle const& server)
{
    constexpr u16 no_operation = 0xFE00;
    auto const answer = system::port_call(
        server.value(), { .tag = tag_of(no_operation) }, Deadline::after_ms(answer_ms));
    return answer && static_cast<u16>(answer->tag) == static_cast<u16>(Error::bad_call);
}

} // namespace

Result<void> server_main(Env& env)
{
    Targets targets;
    Plan plan;
    for (auto const service : services) {
        auto handle = TRY(env.take_handle(service));
        if (service == "vfs")
            plan = TRY(read_plan(handle));
        targets.add_root(service, std::move(handle));
    }
    auto const region = TRY(SharedRegion::create(region_bytes));
    Storm storm(targets, region, plan.seed);
    storm.run(plan.messages);
    auto const& tally = storm.tally();
    env.log().info("seed ", plan.seed, ": ", tally.carried_out, " carried out, ", tally.refused,
        " refused, ", tally.unanswered, " unanswered, ", tally.not_sent, " not sent");
    usize silent = 0;
    for (auto const& root : targets.roots())
        if (!answers(root.handle)) {
            ++silent;
            env.log().error(root.service, " does not answer");
        }
    env.log().info(targets.roots().size() - silent, " of ", targets.roots().size(), " answer");
    return {};
}

} // namespace gemel::storm
