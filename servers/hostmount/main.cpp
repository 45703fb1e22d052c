// The FUSE gate: serves a mount of the host from the file system it was given ("volume").
#include "servers/hostmount/gate.hpp"
#include "servers/rt/rt.hpp"

#include <charconv>

namespace gemel::hostmount {

namespace {

constexpr u64 device_bit = 1;
constexpr u64 work_bit = 2;
constexpr unsigned threads = 8;
constexpr usize stack_bytes = 128 * 1024;

// How many MiB the names may take that the host knows: the first argument. Its quota holds them and
// 16 MiB more.
usize names_bytes_max(Env const& env)
{
    usize mebibytes = 16;
    if (env.arguments().size() > 1) {
        auto const text = env.arguments()[1];
        std::from_chars(text.data(), text.data() + text.size(), mebibytes);
    }
    return mebibytes << 20;
}

struct Pool {
    Channel const& channel;
    Gate& gate;
    Handle const& port;
    Handle wake; // for each other
};

// Takes what waits; where more does, another thread is woken for it first, so that a request that
// has to wait keeps nobody else.
void work_off(Pool const& pool)
{
    while (auto const taken = pool.channel.take()) {
        if (taken->more)
            (void)system::signal(pool.wake.value(), work_bit);
        pool.gate.serve(taken->slot);
        pool.channel.answer(taken->slot);
    }
}

void work(void* argument)
{
    auto const& pool = *static_cast<Pool*>(argument);
    while (pool.gate.outlook() == Gate::Outlook::serving) {
        auto const received = system::port_receive(pool.port.value());
        if (!received)
            return;
        if (received->message.words[0] & device_bit)
            pool.channel.acknowledge_interrupt();
        work_off(pool);
    }
    (void)system::signal(pool.wake.value(), work_bit); // the others leave too
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const volume = TRY(env.take<protocol::Directory>("volume"));
    auto const devices = TRY(env.take<protocol::Devices>("devices"));
    auto const channel = TRY(Channel::open(devices, env.port(), device_bit));
    NodeTable::Options const names { names_bytes_max(env), env.startup().chance };
    auto const gate = TRY(Gate::create(channel, volume, names));
    Pool pool { channel, *gate, env.port(), TRY(env.port().derive(Right::send | Right::derive)) };
    channel.say(gate->read_only() ? DriverState::serving_read_only : DriverState::serving);
    for (unsigned i = 1; i < threads; ++i) {
        auto thread = spawn_thread(work, &pool, stack_bytes, "gate");
        if (!thread)
            break; // fewer serve as well
        thread->release(); // it lives as long as the task
    }
    work(&pool);
    if (gate->outlook() == Gate::Outlook::stopped && gate->failed()) {
        env.log().error("the volume could not be unmounted cleanly");
        return Error::io;
    }
    if (gate->outlook() == Gate::Outlook::stopped)
        return {};
    env.log().error("the file system's server is gone");
    return Error::dead;
}

} // namespace gemel::hostmount
