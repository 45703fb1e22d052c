#include "tests/native/fuzz_call.hpp"

#include "core/object/task.hpp"

namespace gemel {

using raw::Registers;

namespace {

constexpr u64 kernel_half = 0xFFFF'8000'0020'0000;

constexpr u64 number_of(Call call, u64 flags = 0)
{
    return static_cast<u64>(call) | flags << 8;
}

} // namespace

u64 Handles::find(u64 handle) const
{
    for (u64 i = count_; i-- > 0;)
        if (known_[i].handle == handle)
            return i;
    return ~u64 { 0 };
}

u64 Handles::learn(u64 handle, u64 task, ObjectType type)
{
    auto const known = find(handle);
    if (known != ~u64 { 0 })
        return known;
    if (count_ == handles_max)
        return known;
    known_[count_] = { handle, task, type };
    return count_++;
}

ObjectType Handles::type_of(u64 handle) const
{
    auto const known = find(handle);
    return known == ~u64 { 0 } ? ObjectType::none : known_[known].type;
}

u64 Handles::any(storm::Chooser& random, u64 task, ObjectType type) const
{
    constexpr u64 tries_max = 32;
    for (u64 tries = 0; count_ != 0 && tries < tries_max; ++tries) {
        // The last ones more often: they are more likely to live.
        auto const back
            = random.one_in(2) ? random.below(count_) : random.below(count_ < 12 ? count_ : 12);
        auto const& known = known_[count_ - 1 - back];
        if (known.task == task && (type == ObjectType::none || type == known.type))
            return known.handle;
    }
    return 0;
}

u64 Generator::handle(u64 task, ObjectType type)
{
    auto const own = handles_.any(random_, task, type);
    if (!wrong())
        return own;
    switch (random_.below(10)) {
    case 9:
        return handles_.any(random_, task); // of another type
    case 0:
        return 0;
    case 1:
        return handles_.any(random_, 1 - task); // foreign
    case 2:
        return own ^ u64 { 1 } << 32; // of another time
    case 3:
        return own | reply_token_bit;
    case 4:
        return own | 0xFFFF'0000; // beyond the table
    case 5:
        return kernel_half + random_.below(1 << 20) * 8;
    case 6:
        return ~u64 { 0 };
    case 7:
        return random_.next() | 0xF000'0000;
    default:
        return u64 { 1 } << random_.below(64) | 0xF000'0000;
    }
}

u64 Generator::address(u64 task)
{
    auto const& of = puppets_.task(task);
    auto const good = of.free_base + random_.below(12) * region_bytes_max;
    if (!wrong())
        return random_.one_in(3) ? 0 : good;
    switch (random_.below(7)) {
    case 0:
        return good + (u64 { 1 } << random_.below(21));
    case 1:
        return page_bytes;
    case 2:
        return align_up<u64>(of.end, region_bytes_max);
    case 3:
        return kernel_half;
    case 4:
        return ~u64 { 0 } << 21;
    case 5:
        return good + (u64 { 1 } << 34); // free, and without tables
    default:
        return u64 { 1 } << 47;
    }
}

u64 Generator::bytes()
{
    if (!wrong())
        return 1 + random_.below(4) * page_bytes;
    constexpr u64 sizes[] = { 0, region_bytes_max, region_bytes_max + 1, u64 { 1 } << 36,
        (u64 { 1 } << 36) + 1, ~u64 { 0 }, u64 { 1 } << 63 };
    return sizes[random_.below(sizeof sizes / sizeof sizes[0])];
}

u64 Generator::number_in(u64 bound)
{
    return wrong() ? bound + (random_.one_in(2) ? random_.below(2) : random_.next() >> 8)
                   : random_.below(bound);
}

u64 Generator::rights()
{
    return random_.one_in(3) ? random_.below(1 << 11) : u64 { rights_all };
}

// Almost never in the future: that is for tests that have a clock.
u64 Generator::deadline()
{
    return (random_.one_in(3) ? u64 { 1 } : 0) << 16;
}

void Generator::message(Registers& box, u64 task)
{
    box.words[0] = handle(task, ObjectType::port);
    if (random_.one_in(3))
        box.words[0] = handles_.any(random_, tokens_of(random_.one_in(6) ? 1 - task : task));
    else if (random_.one_in(12)) // whose answer is the tests' own to give
        box.words[0] = puppets_.puppet(random_.below(puppets_max)).token;
    auto const count = random_.one_in(4) ? random_.below(4) : 0;
    box.words[1] = tag_of(static_cast<u16>(random_.below(100)), static_cast<unsigned>(count));
    if (random_.one_in(20))
        box.words[1] ^= u64 { 1 } << random_.below(32);
    for (unsigned i = 2; i < 8; ++i)
        box.words[i] = random_.below(1000);
    for (u64 i = 0; i < (box.words[1] >> tag_capabilities_shift & 3); ++i)
        box.words[7 - i] = handle(task);
}

void Generator::receive(Registers& box, u64 task)
{
    message(box, task);
    if (box.words[0] == own_fault_port)
        box.words[0] = 0; // that is the report itself
    box.port = handle(task, ObjectType::port);
    auto const poll = random_.one_in(2) ? static_cast<u64>(ReceiveFlag::poll) : 0;
    constexpr auto send_first = static_cast<u64>(ReceiveFlag::send_first);
    constexpr auto call = static_cast<u64>(ReceiveFlag::call);
    u64 const all_flags[] = { poll, poll | send_first, call, random_.below(256) };
    auto const flags = all_flags[random_.below(4)];
    // A call that waits would end at a tick, whenever that comes.
    auto const waits = scope_ == Scope::portable && (flags & call) != 0;
    box.number = number_of(Call::port_receive, flags) | (waits ? 0 : deadline());
}

void Generator::memory(Registers& box, u64 task)
{
    if (random_.one_in(3)) {
        box.number = number_of(Call::vm_deallocate);
        box.words[0] = address(task);
        box.words[1] = bytes();
        return;
    }
    box.number = number_of(Call::vm_allocate);
    auto const old = random_.one_in(2);
    box.words[0] = address(task);
    box.words[1] = old ? handle(task, ObjectType::region) : bytes();
    box.words[2] = (wrong() ? random_.below(64) : random_.one_in(2) ? 1 : 3) & ~u64 { 8 };
    box.words[2] |= old ? static_cast<u64>(VmFlag::region) : 0;
}

void Generator::capability(Registers& box, u64 task)
{
    constexpr CapOperation often[] = { CapOperation::derive, CapOperation::derive,
        CapOperation::badge, CapOperation::inspect, CapOperation::watch, CapOperation::move };
    box.number = number_of(Call::cap_move);
    if (recent_[task].child != 0 && random_.one_in(8)) {
        box.words[0] = recent_[task].child;
        box.words[2] = static_cast<u64>(CapOperation::destroy) << 16;
        return;
    }
    box.words[0] = handle(task);
    box.words[1] = random_.one_in(3) ? handle(task, ObjectType::task) : 0;
    auto const operation = random_.one_in(3) ? random_.below(10)
                                             : static_cast<u64>(often[random_.below(sizeof often)]);
    box.words[2] = rights() | operation << 16;
    box.words[3] = operation == static_cast<u64>(CapOperation::watch)
        ? handle(task, ObjectType::port)
        : operation == static_cast<u64>(CapOperation::time_to_live)
        ? (random_.one_in(3) ? 0 : u64 { 1 } << (50 + random_.below(6))) // at once, or never
        : random_.below(6);
    box.words[4] = random_.one_in(4) ? random_.next() : u64 { 1 } << random_.below(64);
}

void Generator::operation(Registers& box, u64 task)
{
    // Those take more than luck.
    constexpr Operation hard[] = { Operation::map, Operation::unmap, Operation::fill,
        Operation::thread_new, Operation::thread_run, Operation::thread_run, Operation::task_reap,
        Operation::task_new, Operation::protect, Operation::region_address,
        Operation::scheduler_register };
    auto const* info = &operations[random_.below(operations.size())];
    if (random_.one_in(3))
        while (info->operation != hard[random_.below(sizeof hard)])
            info = &operations[random_.below(operations.size())];
    box.number = number_of(Call::port_receive, static_cast<u64>(ReceiveFlag::call));
    box.words[0] = handles_.any(random_, broker_of(task, info->broker));
    box.words[1] = static_cast<u64>(info->operation);
    if (random_.one_in(16))
        box.words[1] = random_.below(0x70) == 0x50 ? 0x51 : random_.below(0x10);
    for (unsigned i = 2; i < 8; ++i)
        box.words[i] = number_in(8);
    arguments(box, task, *info);
    if (scope_ == Scope::portable)
        portable_arguments(box, *info);
    for (auto const& wanted : { info->first, info->second })
        if (wanted.word != 0)
            box.words[wanted.word] = handle(task, wanted.type);
    if (random_.one_in(2))
        likely_arguments(box, task, *info);
    // Whether an address is another task's depends on the machine.
    if (scope_ == Scope::portable && info->broker == Broker::mm
        && info->first.type == ObjectType::task)
        box.words[2] = own_task_[task];
}

void Generator::likely_arguments(Registers& box, u64 task, OperationInfo const& info)
{
    auto const& recent = recent_[task];
    switch (info.operation) {
    case Operation::thread_run:
        box.words[2] = recent.thread;
        return;
    case Operation::task_reap: // how many steps it takes depends on the machine
        box.words[2] = recent.child;
        box.words[3] = scope_ == Scope::portable ? 0 : recent.cursor;
        return;
    case Operation::map:
        box.words[2] = own_task_[task];
        box.words[4] = puppets_.task(task).free_base + random_.below(64) * region_bytes_max;
        box.words[5] = 1;
        return;
    case Operation::unmap:
        box.words[2] = own_task_[task];
        box.words[3] = recent.address;
        return;
    case Operation::fill:
        box.words[3] = box.words[5] = 0;
        return;
    case Operation::audit_port:
        if (scope_ == Scope::everything)
            box.words[2] = recent.object;
        return;
    default:
        return;
    }
}

// Where the answer depends on the machine or on time: what is the same everywhere, which for some
// is a refusal.
void Generator::portable_arguments(Registers& box, OperationInfo const& info)
{
    switch (info.operation) {
    case Operation::irq_bind:
    case Operation::irq_acknowledge:
        box.words[2] = random_.one_in(2) ? 0 : 200 + random_.below(1000);
        return;
    case Operation::msi_allocate:
        box.words[2] = 256 + random_.below(1000);
        return;
    case Operation::scheduler_register: // no bit: no tick is told
        box.words[3] = 0;
        return;
    case Operation::thread_priority: // that of all puppets
        box.words[3] = wrong() ? random_.next() | priority_levels : 6;
        return;
    case Operation::audit_row: // far beyond any table, or in every one
        box.words[2] = wrong() ? random_.next() | u64 { 1 } << 40 : random_.below(512);
        return;
    case Operation::audit_port: // which page is what differs
        box.words[2] = random_.next() | u64 { 1 } << 40;
        return;
    default:
        return;
    }
}

void Generator::arguments(Registers& box, u64 task, OperationInfo const& info)
{
    switch (info.operation) {
    case Operation::task_new:
        box.words[2] = wrong() ? random_.next() : 2 + random_.below(4);
        box.words[3] = number_in(4);
        box.words[4] = number_in(2);
        return;
    case Operation::power_off: // never in earnest: nobody would count
        box.words[2] = 256 + (random_.next() >> 9);
        return;
    case Operation::pio_read: // nor what a device would hear
    case Operation::pio_write:
        box.words[2] = random_.one_in(2) ? 0x80 : random_.next() | 0x1'0000;
        box.words[3] = wrong() ? 3 + random_.below(2) * 5 : u64 { 1 } << random_.below(3);
        return;
    case Operation::thread_new:
        box.words[3] = box.words[4] = kernel_half; // it faults at once, should it ever run
        if (auto const stack = scope_ == Scope::portable ? puppets_.spare_stack(task) : 0) {
            box.words[3] = puppets_.entry();
            box.words[4] = stack;
            box.words[5] = puppets_.spare_box(task);
        } else if (scope_ == Scope::portable) {
            box.words[6] = priority_levels; // refused
            return;
        }
        box.words[6] = wrong() ? random_.next() : scope_ == Scope::portable ? 6 : random_.below(8);
        box.words[7] = random_.one_in(2) ? 0 : handle(task, ObjectType::port);
        return;
    case Operation::thread_get:
    case Operation::thread_set: // not where it stands: that would be anywhere
        box.words[3] = wrong() ? 200 + random_.below(1 << 20) : random_.below(8);
        return;
    case Operation::map:
        box.words[4] = address(task);
        box.words[5] = wrong() ? random_.below(64) : 1;
        return;
    case Operation::unmap:
        box.words[3] = address(task);
        return;
    case Operation::irq_bind: // lines that are none, or that no device here has
    case Operation::irq_acknowledge:
    case Operation::msi_allocate:
        box.words[2] = wrong() ? random_.next() : random_.one_in(2) ? 0 : 200 + random_.below(56);
        return;
    case Operation::thread_affinity:
        box.words[3] = random_.below(4);
        return;
    case Operation::region_physical:
        box.words[2] = wrong() ? random_.next() : random_.below(1 << 20);
        box.words[3] = number_in(513);
        return;
    default:
        return;
    }
}

// Who runs, and what costs nothing.
void Generator::threads(Registers& box, u64 task)
{
    switch (random_.below(6)) {
    case 0:
        box.number = 200 + random_.below(56);
        return;
    case 1:
        box.number = number_of(Call::time);
        return;
    case 2:
        box.number = number_of(Call::debug_print);
        box.words[0] = random_.one_in(2) ? 0 : 49 + (random_.next() >> random_.below(60));
        return;
    case 3:
        box.number = number_of(Call::sched_switch);
        box.words[0] = random_.one_in(2) ? recent_[task].thread : handle(task, ObjectType::thread);
        box.words[1] = random_.below(4);
        return;
    case 4:
        box.number = number_of(Call::sched_spawn);
        box.words[0] = box.words[1] = box.words[2] = kernel_half;
        if (auto const stack = puppets_.spare_stack(task); stack != 0) {
            box.words[0] = puppets_.entry();
            box.words[1] = stack;
            box.words[2] = puppets_.spare_box(task);
        } else if (scope_ == Scope::portable) { // it would fault: when depends on time
            box.number = number_of(Call::sched_yield);
        }
        return;
    default:
        box.number = number_of(Call::sched_yield);
        return;
    }
}

// Who has ended a task reaps it. Who has become the scheduler makes a thread that is not urgent,
// runs it, and switches to it.
bool Generator::planned(Registers& box, u64 task)
{
    auto& recent = recent_[task];
    if (recent.plan == 0)
        return false;
    box.number = number_of(Call::port_receive, static_cast<u64>(ReceiveFlag::call));
    box.words[0] = handles_.any(random_, broker_of(task, Broker::task));
    switch (recent.plan--) {
    case 4:
        box.words[1] = static_cast<u64>(Operation::task_reap);
        box.words[2] = recent.child;
        box.words[3] = recent.cursor;
        return true;
    case 3:
        box.words[1] = static_cast<u64>(Operation::thread_new);
        box.words[2] = own_task_[task];
        box.words[3] = box.words[4] = kernel_half;
        return true;
    case 2:
        box.words[1] = static_cast<u64>(Operation::thread_run);
        box.words[2] = recent.thread;
        return true;
    default:
        box.number = number_of(Call::sched_switch);
        box.words[0] = recent.thread;
        return true;
    }
}

void Generator::choose(Puppet& puppet)
{
    auto& box = *puppet.box;
    for (auto& word : box.words)
        word = 0;
    box.port = 0;
    if (planned(box, puppet.task))
        return;
    switch (random_.below(18)) {
    case 0:
    case 1:
        box.number = number_of(Call::port_allocate);
        return;
    case 2:
        message(box, puppet.task);
        box.number = number_of(Call::port_send);
        return;
    case 3:
    case 4:
        return receive(box, puppet.task);
    case 5:
    case 6:
        return memory(box, puppet.task);
    case 7:
        box.number = number_of(Call::signal);
        box.words[0] = handle(puppet.task, ObjectType::port);
        box.words[1] = random_.below(16);
        return;
    case 8:
    case 9:
    case 10:
        return capability(box, puppet.task);
    case 11:
        return threads(box, puppet.task);
    default:
        return operation(box, puppet.task);
    }
}

void Generator::results(Puppet const& puppet, Registers const& asked)
{
    auto const& box = *puppet.box;
    if (box.number != status_ok)
        return;
    auto const task = puppet.task;
    auto const call = static_cast<Call>(asked.number & 0xFF);
    if (call == Call::port_allocate || call == Call::sched_spawn)
        handles_.learn(box.words[2], task,
            call == Call::port_allocate ? ObjectType::port : ObjectType::thread);
    auto& recent = recent_[task];
    if (call == Call::vm_allocate) {
        handles_.learn(box.words[3], task, ObjectType::region);
        recent.address = box.words[2];
    }
    auto const operation = static_cast<CapOperation>(asked.words[2] >> 16 & 0xFF);
    if (call == Call::cap_move
        && (operation == CapOperation::derive || operation == CapOperation::badge
            || operation == CapOperation::move))
        handles_.learn(box.words[2], asked.words[1] == 0 ? task : random_.below(tasks_in_round),
            handles_.type_of(asked.words[0]));
    if (call == Call::cap_move && operation == CapOperation::destroy
        && asked.words[0] == recent.child && scope_ == Scope::everything)
        recent.plan = 4;
    if (call == Call::cap_move && operation == CapOperation::inspect
        && handles_.type_of(asked.words[0]) == ObjectType::port)
        recent.object = box.words[4];
    if (call != Call::port_receive)
        return;
    auto const of = static_cast<Operation>(asked.words[1] & 0xFFFF);
    auto const is_broker = handles_.find(asked.words[0]) < tasks_in_round * 8
        && (asked.number >> 8 & static_cast<u64>(ReceiveFlag::call)) != 0;
    if (is_broker && of == Operation::task_new) {
        handles_.learn(box.words[2], task, ObjectType::task);
        recent.child = box.words[2];
        recent.cursor = 0;
    }
    if (is_broker && of == Operation::scheduler_register && scope_ == Scope::everything)
        recent.plan = 3;
    if (is_broker && of == Operation::thread_new)
        recent.thread = box.words[2];
    if (is_broker && of == Operation::task_reap && asked.words[2] == recent.child)
        recent.cursor = box.words[2];
    if (is_broker && (of == Operation::thread_new || of == Operation::region_physical))
        handles_.learn(box.words[2], task,
            of == Operation::thread_new ? ObjectType::thread : ObjectType::region);
    if ((box.port & reply_token_bit) != 0)
        handles_.learn(box.port, tokens_of(task));
    for (u64 i = 0; !is_broker && i < (box.words[1] >> tag_capabilities_shift & 3); ++i)
        handles_.learn(box.words[7 - i], task, ObjectType::port);
}

} // namespace gemel
