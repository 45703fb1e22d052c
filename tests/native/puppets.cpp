#include "tests/native/puppets.hpp"

namespace gemel {

using namespace raw;

namespace {

constexpr u64 stack_bytes = 4 * page_bytes;
constexpr u64 stacks_in_task = 32;
constexpr u64 giga = u64 { 1 } << 30;
constexpr u64 priority = 6; // above our own: a puppet that is told acts at once
constexpr u64 box_bytes = 128;
constexpr u64 first_report_us = 5'000'000;
constexpr u16 read_write = static_cast<u16>(VmFlag::read) | static_cast<u16>(VmFlag::write);
constexpr u16 read_execute = static_cast<u16>(VmFlag::read) | static_cast<u16>(VmFlag::execute);

constexpr u64 window(u64 number)
{
    return number * region_bytes_max;
}

} // namespace

[[gnu::noinline, gnu::section(".text.puppet")]] void puppet(u64 mailbox)
{
    auto& box = *reinterpret_cast<Registers*>(mailbox);
    for (;;) {
        Registers report {};
        report.words[0] = own_fault_port;
        report.number
            = static_cast<u64>(Call::port_receive) | static_cast<u64>(ReceiveFlag::call) << 8;
        arch::system_call(report);
        arch::system_call(box);
    }
}

Puppets::Puppets(Startup const& startup)
    : startup_(startup)
    , task_broker_(capability(startup, "broker-task"))
    , memory_broker_(capability(startup, "broker-mm"))
    , reports_(port_new())
    , boxes_(memory_new(page_bytes))
{
    for (auto& stack : stacks_)
        stack = memory_new(stacks_in_task * stack_bytes);
    for (u64 number = 0; number < puppets_max; ++number)
        badges_[number] = cap(reports_, CapOperation::badge, number + 1, Right::send | Right::call);
}

bool Puppets::map(u64 task, u64 region, u64 address, u16 flags)
{
    Registers registers {};
    registers.words[2] = task;
    registers.words[3] = region;
    registers.words[4] = address;
    registers.words[5] = flags;
    return operate(registers, memory_broker_, Operation::map) == status_ok;
}

bool Puppets::make_task(u64 number)
{
    auto& task = tasks_[number];
    Registers made {};
    made.words[2] = 96;
    made.words[3] = 48;
    made.words[4] = 4;
    made.words[5] = 'A' + number;
    if (operate(made, task_broker_, Operation::task_new) != status_ok)
        return false;
    task.handle = made.words[2];
    task.begin = made.words[4];
    task.end = made.words[5];
    task.base = align_up<u64>(task.begin, giga) + giga;
    task.free_base = task.base + window(8);
    task.spare_stacks = stacks_in_task - puppets_in_task;
    if (code_.entry == 0)
        code_ = puppet_code(task.base);
    return (code_.region == 0 || map(task.handle, code_.region, task.base, read_execute))
        && map(task.handle, stacks_[number].region, task.base + window(1), read_write)
        && map(task.handle, boxes_.region, task.base + window(2), read_write);
}

bool Puppets::make_puppet(u64 number)
{
    auto& made = puppets_[number];
    made = {};
    made.task = number / puppets_in_task;
    auto const& task = tasks_[made.task];
    auto const box = number * box_bytes;
    made.box = reinterpret_cast<Registers*>(boxes_.address + box);
    made.thread = thread_new(task_broker_,
        { .task = task.handle,
            .entry = reinterpret_cast<void (*)(u64)>(code_.entry),
            .stack_top = task.base + window(1) + (number % puppets_in_task + 1) * stack_bytes,
            .argument = task.base + window(2) + box,
            .priority = priority,
            .fault_port = badges_[number] });
    if (made.thread == 0 || thread_run(task_broker_, made.thread) != status_ok)
        return false;
    auto const deadline = now_ns() / 1000 + first_report_us;
    while (made.token == 0)
        if (!collect(deadline))
            return false;
    return true;
}

bool Puppets::begin()
{
    for (u64 number = 0; number < tasks_in_round; ++number)
        if (!make_task(number))
            return false;
    for (u64 number = 0; number < puppets_max; ++number)
        if (!make_puppet(number))
            return false;
    return true;
}

u64 Puppets::give(u64 number, u64 handle, Rights rights)
{
    Registers registers {};
    registers.words[0] = handle;
    registers.words[1] = tasks_[number].handle;
    registers.words[2] = rights;
    return call(registers, Call::cap_move) == status_ok ? registers.words[2] : 0;
}

u64 Puppets::spare_stack(u64 number)
{
    auto& task = tasks_[number];
    if (task.spare_stacks == 0)
        return 0;
    --task.spare_stacks;
    return task.base + window(1) + (stacks_in_task - task.spare_stacks) * stack_bytes;
}

u64 Puppets::spare_box(u64 number) const
{
    return tasks_[number].base + window(2) + puppets_max * box_bytes;
}

void Puppets::tell(Puppet& puppet)
{
    Registers answer {};
    answer.words[0] = puppet.token;
    answer.words[1] = static_cast<u64>(FaultReply::resume);
    puppet.token = 0;
    call(answer, Call::port_send);
}

void Puppets::release(Registers const& message, u64 answer)
{
    Registers registers {};
    registers.words[0] = message.port;
    registers.words[1] = answer;
    call(registers, Call::port_send);
}

bool Puppets::collect(u64 deadline_us)
{
    Registers message {};
    message.port = reports_;
    auto const flags = deadline_us == 0 ? static_cast<u64>(ReceiveFlag::poll) : 0;
    if (call(message, Call::port_receive, flags, deadline_us) != status_ok)
        return false;
    if (message.words[0] == 0 || message.words[0] > puppets_max)
        return true; // a signal of its own making
    auto& puppet = puppets_[message.words[0] - 1];
    auto const id = message.port & 0xFFFF'FFFF;
    auto const tag = message.words[1] & 0xFFFF;
    if (puppet.id == 0)
        puppet.id = id;
    if (tag == static_cast<u64>(KernelTag::foreign_call)) {
        ++foreign_calls_;
        Registers off {};
        off.words[2] = puppet.thread;
        operate(off, task_broker_, Operation::thread_foreign);
        release(message, static_cast<u64>(FaultReply::resume));
    } else if (id != puppet.id || tag == static_cast<u64>(KernelTag::fault)) {
        ++faults_; // its own, or that of a thread it has spawned
        puppet.gone |= id == puppet.id;
    } else {
        puppet.token = message.port;
    }
    return true;
}

bool Puppets::end_task(PuppetTask& task)
{
    Registers end {};
    end.words[0] = task.handle;
    end.words[2] = static_cast<u64>(CapOperation::destroy) << 16;
    auto const status = call(end, Call::cap_move);
    if (status != status_ok && status != status_of(Error::dead)) // a puppet may have done it
        return false;
    Registers step {};
    do {
        step.words[3] = step.words[2];
        step.words[2] = task.handle;
        if (operate(step, task_broker_, Operation::task_reap) != status_ok)
            return false;
    } while (step.words[2] != 0);
    cap(task.handle, CapOperation::close);
    return true;
}

bool Puppets::end()
{
    bool ended = true;
    for (auto& task : tasks_)
        ended = end_task(task) && ended;
    for (auto& puppet : puppets_)
        cap(puppet.thread, CapOperation::close);
    while (collect(0)) { }
    return ended;
}

} // namespace gemel
