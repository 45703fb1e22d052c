#include "tests/support/in_system.hpp"

#include "core/base/assert.hpp"

#include <cstring>

namespace gemel::test {

namespace {

std::function<void(Init const&)> current_body;

void init_entry(u64 startup)
{
    Init const init { *reinterpret_cast<Startup const*>(startup) };
    current_body(init);
    operate(init.capability("broker-machine"), Operation::power_off, { 0 });
}

} // namespace

Registers call(Call call, std::initializer_list<u64> words, u64 port, u64 flags, u64 deadline_us)
{
    Registers registers;
    unsigned i = 0;
    for (auto const word : words)
        registers.words[i++] = word;
    registers.port = port;
    registers.number = static_cast<u64>(call) | flags << 8 | deadline_us << 16;
    arch::system_call(registers);
    return registers;
}

Registers operate(u64 broker, Operation operation, std::initializer_list<u64> arguments)
{
    Registers registers;
    registers.words[0] = broker;
    registers.words[1] = static_cast<u64>(operation);
    unsigned i = 2;
    for (auto const word : arguments)
        registers.words[i++] = word;
    registers.number = static_cast<u64>(Call::port_receive) | receive_flags(ReceiveFlag::call) << 8;
    arch::system_call(registers);
    return registers;
}

u64 Init::capability(std::string_view name) const
{
    for (u32 i = 0; i < startup.capability_count; ++i)
        if (name == startup.capabilities[i].name)
            return startup.capabilities[i].handle;
    return 0;
}

u64 Init::spawn(void (*entry)(u64), u64 argument) const
{
    constexpr u64 stack_bytes = 256 * 1024;
    auto const stack = call(Call::vm_allocate, { 0, stack_bytes, 3 });
    ASSERT(stack.number == 0);
    auto const thread = call(Call::sched_spawn,
        { reinterpret_cast<u64>(entry), stack.words[2] + stack_bytes, argument });
    ASSERT(thread.number == 0);
    return thread.words[2];
}

u64 Init::port() const
{
    auto const port = call(Call::port_allocate, {});
    ASSERT(port.number == 0);
    return port.words[2];
}

int in_system(std::function<void(Init const&)> body, u64 memory_bytes,
    std::function<void(hosted::System&)> const& prepare, u32 cpus, arch::Isolation isolation,
    hosted::HostThreads host_threads)
{
    current_body = std::move(body);
    hosted::Options options;
    options.memory_bytes = memory_bytes;
    options.cpus = cpus;
    options.isolation = isolation;
    options.host_threads = host_threads;
    options.init_entry = reinterpret_cast<u64>(&init_entry);
    hosted::System system { options };
    if (prepare)
        prepare(system);
    return system.run();
}

} // namespace gemel::test
