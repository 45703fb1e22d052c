#include "tests/model/kernel_fixture.hpp"

#include <cstring>

namespace gemel {

KernelFixture::KernelFixture(u64 memory_bytes, u32 cpus, arch::Isolation isolation)
    : machine(memory_bytes, isolation)
    , kernel(machine)
{
    machine.use_virtual_time(now_ns);
    MemoryRange const memory[] = { { arch::Machine::first_physical, memory_bytes } };
    BootInfo info;
    info.memory = memory;
    info.init_entry = 1;
    info.cpus = cpus;
    if (!kernel.boot(info))
        return;
    startup = reinterpret_cast<Startup const*>(current().frame.argument());
    if (machine.isolated())
        machine.show(current().root, current().frame.argument(), arch::Access::read);
}

void KernelFixture::on_processor(u32 number)
{
    machine.turn_to(number);
    kernel.cpu_ = &kernel.cpus_[number];
}

void KernelFixture::load(u64 const* words, u64 number, u64 port)
{
    auto& frame = current().frame;
    std::memcpy(frame.words(), words, 8 * sizeof(u64));
    frame.port() = port;
    frame.status() = number;
}

// Who meets a dead capability tells its watcher; a send before a receive stands when the receive
// ends in time.
bool KernelFixture::may_change(u64 number)
{
    if (status() == status_of(Error::revoked) || status() == status_of(Error::dead))
        return true;
    return status() == status_of(Error::timed_out)
        && (number >> 8 & static_cast<u8>(ReceiveFlag::send_first)) != 0;
}

void KernelFixture::enter()
{
    auto const checked = is_checked_next();
    ++calls_;
    for (u32 i = 1; checked && i < kernel.row_count_; ++i)
        if (kernel.rows_[i].owner != 0)
            kernel.alive(kernel.rows_[i]);
    auto const before = checked ? facts() : Facts {};
    auto const number = status();
    auto const* caller = &current();
    kernel.on_system_call();
    if (checked && kernel.cpu().current == caller && status() >> 32 == 0xFFFF'FFFF
        && !may_change(number)) {
        auto const changed = difference(before, facts());
        if (!changed.empty())
            changed_by_failure_ = changed + " was changed by a call that failed, number "
                + std::to_string(number) + ", status " + std::to_string(status() & 0xFF);
    }
    while (machine.interrupt_pending())
        kernel.on_interrupt(machine.take_interrupt());
}

void KernelFixture::trap(u64 const* words, u64 number, u64 port)
{
    load(words, number, port);
    enter();
}

void KernelFixture::load(std::initializer_list<u64> words, u64 number, u64 port)
{
    u64 all[8] = {};
    unsigned i = 0;
    for (auto const word : words)
        all[i++] = word;
    load(all, number, port);
}

void KernelFixture::trap(std::initializer_list<u64> words, u64 number, u64 port)
{
    load(words, number, port);
    enter();
}

void KernelFixture::load(u64 broker, Operation operation, std::initializer_list<u64> arguments)
{
    u64 all[8] = { broker, static_cast<u64>(operation) };
    unsigned i = 2;
    for (auto const word : arguments)
        all[i++] = word;
    load(all, static_cast<u64>(Call::port_receive) | static_cast<u64>(ReceiveFlag::call) << 8);
}

void KernelFixture::operate(u64 broker, Operation operation, std::initializer_list<u64> arguments)
{
    load(broker, operation, arguments);
    enter();
}

u64 KernelFixture::capability(char const* name)
{
    for (u32 i = 0; i < startup->capability_count; ++i)
        if (std::strcmp(startup->capabilities[i].name, name) == 0)
            return startup->capabilities[i].handle;
    return 0;
}

} // namespace gemel
