#include "servers/rt/system.hpp"

#include <gemel/arch/user.hpp>

#include <cstring>

namespace gemel {

Deadline Deadline::after_ns(u64 ns)
{
    auto const now = system::time_ns();
    return at_ns(ns > ~now ? ~u64 { 0 } : now + ns);
}

namespace system {
namespace {

constexpr usize print_bytes_max = 48; // debug_print's own bound

u64 number_of(Call call, unsigned flags = 0, Deadline deadline = Deadline::none())
{
    return static_cast<u64>(call) | u64 { flags } << 8 | deadline.us() << 16;
}

Error error_of(u64 status)
{
    return static_cast<Error>(status & 0xFF);
}

void load(arch::Registers& registers, u64 to, Message const& message)
{
    registers.words[0] = to;
    registers.words[1] = message.tag;
    std::memcpy(&registers.words[2], message.words.data(), sizeof(message.words));
}

Message message_in(arch::Registers const& registers)
{
    Message message { .tag = registers.words[1], .words = {} };
    std::memcpy(message.words.data(), &registers.words[2], sizeof(message.words));
    return message;
}

Result<Received> received_in(arch::Registers const& registers)
{
    if (registers.number != status_ok)
        return error_of(registers.number);
    return Received { registers.words[0], registers.port, message_in(registers) };
}

constexpr unsigned flag_of(ReceiveFlag flag)
{
    return static_cast<unsigned>(flag);
}

} // namespace

Result<u64> port_allocate()
{
    arch::Registers registers {};
    registers.number = number_of(Call::port_allocate);
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return registers.words[2];
}

Result<void> port_send(u64 port_or_token, Message const& message)
{
    arch::Registers registers {};
    registers.number = number_of(Call::port_send);
    load(registers, port_or_token, message);
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return {};
}

Result<Received> port_receive(u64 port, Deadline deadline)
{
    arch::Registers registers {};
    registers.port = port;
    registers.number = number_of(Call::port_receive, 0, deadline);
    arch::system_call(registers);
    return received_in(registers);
}

Result<Received> port_poll(u64 port)
{
    arch::Registers registers {};
    registers.port = port;
    registers.number = number_of(Call::port_receive, flag_of(ReceiveFlag::poll));
    arch::system_call(registers);
    return received_in(registers);
}

Result<Message> port_call(u64 port, Message const& message, Deadline deadline)
{
    arch::Registers registers {};
    registers.number = number_of(Call::port_receive, flag_of(ReceiveFlag::call), deadline);
    load(registers, port, message);
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return message_in(registers);
}

Result<Received> port_reply_receive(u64 token, Message const& reply, u64 port, Deadline deadline)
{
    arch::Registers registers {};
    registers.port = port;
    registers.number = number_of(Call::port_receive, flag_of(ReceiveFlag::send_first), deadline);
    load(registers, token, reply);
    arch::system_call(registers);
    return received_in(registers);
}

namespace {

Result<Mapping> allocate(u64 address, u64 bytes_or_region, u16 flags)
{
    arch::Registers registers {};
    registers.number = number_of(Call::vm_allocate);
    registers.words[0] = address;
    registers.words[1] = bytes_or_region;
    registers.words[2] = flags;
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return Mapping { registers.words[2], registers.words[3], registers.words[4] };
}

} // namespace

Result<Mapping> vm_allocate(u64 address, u64 bytes, u16 flags)
{
    return allocate(address, bytes, flags);
}

Result<Mapping> vm_map(u64 address, u64 region, u16 flags)
{
    auto const mapping = TRY(allocate(address, region, flags | static_cast<u16>(VmFlag::region)));
    return Mapping { mapping.address, 0, mapping.bytes };
}

Result<void> vm_deallocate(u64 address, u64 bytes)
{
    arch::Registers registers {};
    registers.number = number_of(Call::vm_deallocate);
    registers.words[0] = address;
    registers.words[1] = bytes;
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return {};
}

Result<CapResult> cap_move(
    u64 source, u64 task, CapOperation operation, Rights rights, u64 operand, u64 operand2)
{
    arch::Registers registers {};
    registers.number = number_of(Call::cap_move);
    registers.words[0] = source;
    registers.words[1] = task;
    registers.words[2] = rights | static_cast<u64>(operation) << 16;
    registers.words[3] = operand;
    registers.words[4] = operand2;
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    auto const& words = registers.words;
    return CapResult { words[2], words[3], words[4], words[5] };
}

Result<u64> sched_spawn(u64 entry, u64 stack_top, u64 argument, std::string_view name)
{
    arch::Registers registers {};
    registers.number = number_of(Call::sched_spawn);
    auto const named = name_words(name);
    registers.words[0] = entry;
    registers.words[1] = stack_top;
    registers.words[2] = argument;
    registers.words[3] = named[0];
    registers.words[4] = named[1];
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return registers.words[2];
}

void sched_yield()
{
    arch::Registers registers {};
    registers.number = number_of(Call::sched_yield);
    arch::system_call(registers);
}

Result<void> sched_switch(u64 thread, u64 budget_ticks)
{
    arch::Registers registers {};
    registers.number = number_of(Call::sched_switch);
    registers.words[0] = thread;
    registers.words[1] = budget_ticks;
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return {};
}

u64 time_ns()
{
    arch::Registers registers {};
    registers.number = number_of(Call::time);
    arch::system_call(registers);
    return registers.words[2];
}

void debug_print(std::string_view text)
{
    while (!text.empty()) {
        auto const bytes = std::min(text.size(), print_bytes_max);
        arch::Registers registers {};
        registers.number = number_of(Call::debug_print);
        registers.words[0] = bytes;
        std::memcpy(&registers.words[2], text.data(), bytes);
        arch::system_call(registers);
        text.remove_prefix(bytes);
    }
}

Result<void> signal(u64 port, u64 bits)
{
    arch::Registers registers {};
    registers.number = number_of(Call::signal);
    registers.words[0] = port;
    registers.words[1] = bits;
    arch::system_call(registers);
    if (registers.number != status_ok)
        return error_of(registers.number);
    return {};
}

void exit(u64 status, u64 error)
{
    // Without a fault port the kernel has nobody to tell and refuses; there is nothing else to do.
    for (;;) {
        (void)port_call(own_fault_port, Message { .tag = 0, .words = { status, error } });
        sched_yield();
    }
}

Result<Words> broker(u64 broker, Operation operation, Words const& arguments)
{
    auto const answer = TRY(port_call(
        broker, Message { .tag = tag_of(static_cast<u16>(operation)), .words = arguments }));
    return answer.words;
}

std::array<u64, 2> name_words(std::string_view name)
{
    std::array<u64, 2> words {};
    std::memcpy(words.data(), name.data(), std::min(name.size(), sizeof(words)));
    return words;
}

} // namespace system
} // namespace gemel
