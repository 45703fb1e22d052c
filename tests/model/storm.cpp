#include "tests/model/storm.hpp"

#include "core/object/broker.hpp"

#include <cstdio>

namespace gemel {

namespace {

constexpr char const* broker_names[] = { "broker-task", "broker-mm", "broker-phys", "broker-irq",
    "broker-pio", "broker-sched", "broker-audit", "broker-machine" };

// Without these nothing goes on: they are chosen more often than by their number.
constexpr Deed lively[] = { Deed::send, Deed::reply, Deed::receive, Deed::call, Deed::call,
    Deed::send_and_receive, Deed::derive, Deed::derive, Deed::move, Deed::port_allocate,
    Deed::memory_new, Deed::memory_map, Deed::yield, deed_of(Operation::thread_run),
    deed_of(Operation::thread_stop), deed_of(Operation::task_reap) };

} // namespace

Storm::Storm(u64 seed, u32 cpus)
    : random_(seed)
    , scene_(cpus)
{
    scene_.failures_checked_every = 101;
    scene_.machine.messages_from(messages_first);
    for (u32 number = 1; number < cpus; ++number) {
        scene_.on_processor(number);
        scene_.kernel.on_interrupt(arch::interrupt_lines_max);
    }
    scene_.on_processor(0);
    prepare();
}

// Three tasks that may do what init may, each with two threads, one of which has a fault port.
void Storm::prepare()
{
    for (auto const* name : broker_names)
        scene_.derived(scene_.capability(name), rights_of(Right::derive)); // may not be called
    auto const faults = scene_.allocate_port();
    u64 first = 0;
    u64 firsts_port = 0;
    // One has no row left, and one hardly a page.
    for (auto const& [pages, rows] : { std::pair<u64, u64> { 80, 80 }, { 80, 13 }, { 6, 14 } }) {
        auto const task = scene_.new_task(pages, rows, 8);
        auto const port = furnish(task);
        if (first == 0) {
            first = task;
            firsts_port = port;
        } else { // they may call one another
            scene_.derived(port, Right::send | Right::derive, first);
            scene_.derived(firsts_port, rights_of(Right::call), task);
        }
        scene_.run(scene_.new_thread(task, 4));
        scene_.run(scene_.new_thread(task, 4, faults));
    }
}

// Answers the port that it receives from.
u64 Storm::furnish(u64 task)
{
    for (auto const* name : broker_names)
        scene_.derived(scene_.capability(name), Right::call | Right::derive, task);
    scene_.derived(scene_.capability("broker-mm"), rights_of(Right::derive), task);
    scene_.derived(task, rights_all & ~rights_of(Right::destroy), task);
    scene_.derived(scene_.self, rights_of(Right::grant), task);
    auto const port = scene_.allocate_port();
    scene_.derived(port, rights_all, task);
    return port;
}

// --- what may stand in a word ---

// One of the rows that fit, searched from anywhere. 0: none does.
template <typename Fits>
u64 Storm::any_row(Fits&& fits)
{
    auto const from = below(rows_looked_at);
    for (u64 i = 0; i < rows_looked_at; ++i) {
        auto const index = static_cast<u32>((from + i) % rows_looked_at);
        if (row(index).owner != 0 && fits(index))
            return handle_of(index);
    }
    return 0;
}

u64 Storm::own(ObjectType wanted)
{
    return any_row([&](u32 index) {
        return mine(index) && (wanted == ObjectType::none || type(index) == wanted);
    });
}

u64 Storm::handle(ObjectType wanted)
{
    if (!wrong())
        return own(wanted);
    switch (below(8)) {
    case 0:
        return 0;
    case 1:
        return own() ^ u64 { 1 } << 32;
    case 2:
        return random_();
    case 3:
        return own() | reply_token_bit;
    case 4:
        return any_row([&](u32 index) { return !mine(index); });
    case 5: // of the right type, with few rights
        return any_row([&](u32 index) {
            return mine(index) && type(index) == wanted && row(index).rights != rights_all;
        });
    case 6: // dead: its parent was revoked, or its object ended
        return any_row([&](u32 index) {
            return mine(index)
                && (type(index) == ObjectType::none
                    || (row(index).parent != 0
                        && row(row(index).parent).epoch != row(index).parent_epoch));
        });
    default:
        return own();
    }
}

// Long chains come from deriving from their ends.
u64 Storm::deepest()
{
    u64 found = 0;
    u8 depth = 0;
    for (u32 index = 1; index < rows_looked_at; ++index)
        if (row(index).owner != 0 && mine(index) && has(row(index).rights, Right::derive)
            && row(index).depth >= depth) {
            depth = row(index).depth;
            found = handle_of(index);
        }
    return found;
}

u64 Storm::broker(Operation operation)
{
    auto const number = static_cast<u32>(operation);
    if (one_in(60))
        return own(ObjectType::broker);
    auto const mute = one_in(12);
    return any_row([&](u32 index) {
        return mine(index) && type(index) == ObjectType::broker
            && allows(row(index).badge, static_cast<Operation>(number))
            && has(row(index).rights, Right::call) != mute;
    });
}

u64 Storm::token()
{
    auto const poor = one_in(4); // whose caller has no room for anything
    auto const from = static_cast<u32>(below(threads_looked_at));
    for (u32 i = 0; i < threads_looked_at; ++i) {
        auto const id = 1 + (from + i) % threads_looked_at;
        auto const* thread = scene_.kernel.thread(id);
        if (thread && thread->state == ThreadState::awaiting_reply
            && (thread->reply_owner == me() || one_in(4)) && (!poor || thread->task->rows == 0))
            return scene_.reply_token(id);
    }
    return reply_token_bit | random_() >> 1;
}

u64 Storm::address()
{
    auto const task = one_in(8) ? 1 + below(5) : me();
    auto const begin = scene_.machine.user_begin(static_cast<u32>(task));
    auto const good = begin + (u64 { 1 } << 31) + below(8) * region_bytes_max;
    u64 const others[] = { 0, good + page_bytes, ~u64 { 0 } << 21, good + (u64 { 1 } << 33),
        begin - region_bytes_max };
    return wrong() ? others[below(5)] : good;
}

// What a row names, when that lives and is of this type.
Task const* Storm::task_of(u32 index)
{
    if (index >= rows_looked_at || type(index) != ObjectType::task)
        return nullptr;
    for (u32 i = 1; i < tasks_max; ++i)
        if (auto const* task = scene_.kernel.task(i);
            task && scene_.number_of_page(task) == row(index).object)
            return task;
    return nullptr;
}

Thread const* Storm::thread_of(u32 index)
{
    if (index >= rows_looked_at || type(index) != ObjectType::thread)
        return nullptr;
    for (u32 id = 1; id < threads_looked_at; ++id)
        if (auto const* thread = scene_.kernel.thread(id);
            thread && scene_.number_of_page(thread) == row(index).object)
            return thread;
    return nullptr;
}

// The page of one, by its number.
u64 Storm::object(ObjectType wanted)
{
    auto const found = any_row([&](u32 index) { return type(index) == wanted; });
    return row(static_cast<u32>(found)).object;
}

// --- the calls ---

void Storm::fill_message(u64 to)
{
    words_[0] = to;
    auto const count = one_in(to & reply_token_bit ? 2 : 4) ? below(4) : 0;
    words_[1] = tag_of(static_cast<u16>(below(3)), static_cast<unsigned>(count));
    if (one_in(30))
        words_[1] |= u64 { 1 } << (16 + below(12));
    for (u64 i = 0; i < count; ++i) // some may not be given away
        words_[7 - i] = one_in(6) ? any_row([&](u32 index) {
            return mine(index) && !has(row(index).rights, Right::derive);
        })
                                  : handle();
    if (count > 1 && one_in(6))
        words_[6] = words_[7];
    auto const* caller = scene_.kernel.thread(static_cast<u32>(to) % threads_looked_at);
    if ((to & reply_token_bit) != 0 && caller && caller->pending != PendingCall::message
        && one_in(2))
        fill_of_fault();
}

// A pager's answer.
void Storm::fill_of_fault()
{
    words_[1] = static_cast<u64>(FaultReply::fill);
    words_[2] = handle(ObjectType::region);
    words_[3] = one_in(8) ? random_() : below(4);
    words_[4] = handle(ObjectType::region);
    words_[5] = below(4);
    words_[6] = wrong() ? handle(ObjectType::broker) : broker(Operation::fill);
}

void Storm::fill_receive(unsigned flags)
{
    number_ = number_of(Call::port_receive, flags, deadline());
    port_ = handle(ObjectType::port);
    if (one_in(2)) // where somebody waits
        if (auto const called = any_row([&](u32 index) {
                return mine(index) && has(row(index).rights, Right::receive)
                    && type(index) == ObjectType::port && scene_.first_in_queue(row(index));
            });
            called != 0)
            port_ = called;
}

void Storm::fill_memory(Deed deed)
{
    words_[0] = one_in(3) ? 0 : address();
    if (deed == Deed::memory_unmap) {
        number_ = number_of(Call::vm_deallocate);
        words_[1] = number_in(3) * region_bytes_max + below(2);
        return;
    }
    number_ = number_of(Call::vm_allocate);
    auto const old = deed == Deed::memory_map;
    words_[1] = old  ? handle(ObjectType::region)
        : one_in(20) ? region_bytes_max + 1
                     : number_in(5) * page_bytes;
    words_[2] = (wrong() ? below(32) : 1 + below(2) * 2) & ~u64 { vm_region };
    words_[2] |= old ? u64 { vm_region } : 0;
}

void Storm::fill_capability(Deed deed)
{
    number_ = number_of(Call::cap_move);
    auto const operation = deed == Deed::no_capability_operation
        ? static_cast<u64>(CapOperation::inspect) + 1 + below(200)
        : static_cast<u64>(deed) - static_cast<u64>(Deed::derive);
    auto const deep = one_in(3);
    words_[0] = deep ? deepest() : handle(one_in(3) ? ObjectType::none : ObjectType::port);
    words_[1] = !deep && one_in(2) ? handle(ObjectType::task) : 0;
    auto const index = static_cast<u32>(words_[0]);
    auto const has_row = index < rows_looked_at;
    auto const rights = !has_row || one_in(6) ? below(2048)
        : deep || one_in(2)                   ? u64 { row(index).rights }
                                              : row(index).rights & below(2048);
    words_[2] = rights | operation << 16;
    words_[3] = below(3);
    words_[4] = one_in(6) ? random_() : u64 { 1 } << below(64);
    if (deed == Deed::watch)
        words_[3] = handle(ObjectType::port);
    if (deed == Deed::limit)
        words_[3] = one_in(8) ? u64 { 1 } << 55 : below(8) * tick_ns;
    if (deed == Deed::destroy && one_in(2)) {
        constexpr ObjectType types[] = { ObjectType::task, ObjectType::thread, ObjectType::region };
        words_[0] = handle(types[below(3)]);
    }
    // A broker's badge must narrow it: its last operation only.
    if (deed == Deed::badge && has_row && type(index) == ObjectType::broker && one_in(2))
        words_[3] = broker_badge(
            static_cast<Operation>((row(index).badge & 0xFF) + (row(index).badge >> 8 & 0xFF) - 1),
            1);
}

void Storm::fill_other(Deed deed)
{
    switch (deed) {
    case Deed::port_allocate:
        number_ = number_of(Call::port_allocate);
        return;
    case Deed::spawn:
        number_ = number_of(Call::sched_spawn);
        words_[0] = 1;
        words_[1] = page_bytes;
        return;
    case Deed::yield:
        number_ = number_of(Call::sched_yield);
        return;
    case Deed::switch_to:
        number_ = number_of(Call::sched_switch);
        words_[0] = handle(ObjectType::thread);
        words_[1] = below(3);
        return;
    case Deed::time:
        number_ = number_of(Call::time);
        return;
    case Deed::print: // nothing that would be seen
        number_ = number_of(Call::debug_print);
        words_[0] = one_in(2) ? 0 : 49 + below(3);
        return;
    case Deed::signal:
        number_ = number_of(Call::signal);
        words_[0] = handle(ObjectType::port);
        words_[1] = below(16);
        return;
    case Deed::no_operation:
        number_ = number_of(Call::port_receive, flag_call);
        words_[0] = own(ObjectType::broker);
        words_[1] = one_in(2) ? below(0x10) : 0x60 + below(0xA0);
        words_[1] |= one_in(20) ? 1 << 16 : 0;
        return;
    default:
        number_ = 13 + below(240);
        return;
    }
}

void Storm::fill_operation(OperationInfo const& info)
{
    number_ = number_of(Call::port_receive, flag_call, deadline());
    words_[0] = broker(info.operation);
    words_[1] = static_cast<u64>(info.operation);
    for (unsigned i = 2; i < 8; ++i)
        words_[i] = number_in(8);
    for (auto const& wanted : { info.first, info.second })
        if (wanted.word != 0)
            words_[wanted.word] = handle(wanted.type);
    fill_arguments(info.operation);
    if (one_in(30))
        words_[1] |= u64 { 1 } << (16 + below(12));
}

// Numbers that are likely to mean something; what is not here is below eight.
void Storm::fill_arguments(Operation operation)
{
    switch (operation) {
    case Operation::task_new:
        words_[2] = 10 + below(40);
        words_[3] = 4 + below(12);
        return;
    case Operation::thread_new:
        words_[7] = one_in(2) ? 0 : handle(ObjectType::port);
        return;
    case Operation::thread_get:
    case Operation::thread_set:
        words_[3] = number_in(12);
        return;
    case Operation::task_reap: // mostly of the dead; the cursor is the kernel's to say
        if (!one_in(4))
            words_[2] = any_row([&](u32 at) {
                auto const* task = task_of(at);
                return mine(at) && task && task->dead && has(row(at).rights, Right::destroy);
            });
        words_[3] = 0;
        if (auto const* task = task_of(static_cast<u32>(words_[2])); task && !one_in(8))
            words_[3] = task->reap_cursor;
        return;
    case Operation::thread_run: // mostly of those who stand
        if (!one_in(4))
            words_[2] = any_row([&](u32 at) {
                auto const* thread = thread_of(at);
                return mine(at) && thread && thread->state == ThreadState::stopped;
            });
        return;
    case Operation::thread_stop: // mostly of those who wait
        if (!one_in(4))
            words_[2] = any_row([&](u32 at) {
                auto const* thread = thread_of(at);
                return mine(at) && thread && thread->state >= ThreadState::receiving;
            });
        return;
    case Operation::map:
        words_[4] = address();
        words_[5] = wrong() ? below(32) : vm_read;
        return;
    case Operation::unmap:
        words_[3] = address();
        return;
    case Operation::region_physical:
        words_[2] = one_in(8) ? random_() : below(1 << 12);
        words_[3] = one_in(8) ? 513 : number_in(5);
        return;
    case Operation::protect:
    case Operation::fill:
        words_[3] = one_in(8) ? random_() : below(4);
        words_[5] = below(4);
        return;
    case Operation::irq_bind:
    case Operation::irq_acknowledge:
    case Operation::msi_allocate:
        words_[2] = one_in(6) ? (one_in(2) ? 0 : random_()) : below(80);
        return;
    case Operation::pio_read:
    case Operation::pio_write:
        words_[3] = wrong() ? 3 : 1 << below(3);
        return;
    case Operation::audit_port:
        words_[2] = one_in(3) ? object(ObjectType::port) : number_in(1 << 12);
        return;
    case Operation::audit_row:
        words_[2] = one_in(3) ? ~u64 { 0 } : below(rows_looked_at);
        return;
    case Operation::audit_thread:
    case Operation::audit_task:
        words_[2] = one_in(3) ? 1024 + below(3) : below(16);
        return;
    case Operation::power_off: // never in earnest: the run would end
        words_[2] = 256 + below(3);
        return;
    default:
        return;
    }
}

// What takes many steps of one kind: one port gets message after message until its ring is full
// and beyond, or a chain of capabilities is made longer than it may be.
bool Storm::persist()
{
    if (persist_left_ == 0 && one_in(300)) {
        persisted_ = one_in(2) ? own(ObjectType::port) : 0;
        persist_left_ = persisted_ == 0 ? row_depth_max + 5 : port_ring_messages + 20;
    }
    auto const index = static_cast<u32>(persisted_);
    if (persist_left_ == 0 || index >= rows_looked_at
        || (index != 0 && (handle_of(index) != persisted_ || !mine(index)))) {
        persist_left_ = 0;
        return false;
    }
    --persist_left_;
    for (auto& word : words_)
        word = 0;
    if (index == 0) {
        words_[0] = deepest();
        words_[2] = row(static_cast<u32>(words_[0])).rights
            | static_cast<u64>(one_in(4) ? CapOperation::badge : CapOperation::derive) << 16;
        number_ = number_of(Call::cap_move);
        return true;
    }
    words_[0] = persisted_;
    words_[1] = tag_of(1);
    port_ = own(ObjectType::port);
    number_ = one_in(8) ? number_of(Call::port_receive, flag_send_first | flag_poll)
                        : number_of(Call::port_send);
    return true;
}

void Storm::choose()
{
    if (persist())
        return;
    auto deed
        = one_in(2) ? lively[below(std::size(lively))] : static_cast<Deed>(below(deeds_count));
    for (auto& word : words_)
        word = 0;
    port_ = 0;
    auto const polls = [&] { return one_in(3) ? flag_poll : 0u; };
    switch (deed) {
    case Deed::reply:
        fill_message(token());
        number_ = number_of(Call::port_send);
        return;
    case Deed::send:
        fill_message(handle(ObjectType::port));
        number_ = number_of(Call::port_send);
        return;
    case Deed::receive:
        return fill_receive(polls());
    case Deed::call:
        fill_receive(flag_call);
        return fill_message(handle(ObjectType::port));
    case Deed::end:
        fill_receive(flag_call);
        words_[0] = scene_.current().id == 1 || !one_in(4) ? 0 : own_fault_port;
        return;
    case Deed::send_and_receive:
        fill_message(one_in(2) ? token() : handle(ObjectType::port));
        return fill_receive(flag_send_first | polls());
    case Deed::memory_new:
    case Deed::memory_map:
    case Deed::memory_unmap:
        return fill_memory(deed);
    default:
        break;
    }
    if (deed >= Deed::derive && deed <= Deed::no_capability_operation)
        return fill_capability(deed);
    if (deed < Deed::operations_from)
        return fill_other(deed);
    fill_operation(
        operations[static_cast<usize>(deed) - static_cast<usize>(Deed::operations_from)]);
}

// --- a step ---

// Processors that were asked to look do so.
void Storm::answer_calls_of_processors()
{
    while (auto const called = scene_.machine.take_called_cpus())
        for (u32 cpu = 0; cpu < scene_.kernel.cpu_count(); ++cpu)
            if ((called >> cpu & 1) != 0) {
                scene_.on_processor(cpu);
                scene_.kernel.on_interrupt(arch::interrupt_lines_max);
            }
}

void Storm::settle(Thread& thread, Deed deed)
{
    asked_[thread.id].reset();
    auto const status = thread.frame.status();
    if (status != status_ok && status >> 32 != 0xFFFF'FFFF) {
        trouble_ = std::string(name_of(deed))
            + " answered what is neither success nor an error: " + std::to_string(status);
        return;
    }
    ledger_.add(deed, status);
}

// The call of the current thread. What blocks is settled when the thread runs again.
void Storm::enter()
{
    auto& thread = scene_.current();
    auto const id = thread.id;
    auto const life = scene_.life_of(thread);
    auto const number = thread.frame.status();
    auto const foreign = thread.foreign;
    auto const to = thread.frame.words()[0];
    auto const index = static_cast<u32>(to);
    auto const is_broker = index < rows_looked_at && mine(index) && handle_of(index) == to
        && type(index) == ObjectType::broker;
    auto const deed
        = asked_[id] ? asked_[id]->deed : deed_of(thread.frame.words(), number, is_broker);
    auto const tasks = scene_.tasks();
    last_ = deed;
    scene_.enter();
    tasks_ended_ += scene_.tasks() < tasks;
    // Its answer is another system's, or none.
    if (foreign || deed == Deed::end) {
        if (!foreign)
            ledger_.add(deed, status_ok);
        asked_[id].reset();
        return;
    }
    auto const answered = thread.frame.status() != number || number == 0;
    if (!scene_.idles() && &scene_.current() == &thread && scene_.life_of(thread) == life
        && answered)
        settle(thread, deed);
    else
        asked_[id] = Asked { deed, life };
    // Whose status was written over says nothing.
    if (deed == deed_of(Operation::thread_set))
        for (auto& asked : asked_)
            asked.reset();
}

void Storm::fault()
{
    ++faults_;
    asked_[scene_.current().id].reset();
    scene_.kernel.on_fault(
        { .kind = FaultKind::page, .address = address() + below(4096), .code = 0 });
}

void Storm::step()
{
    answer_calls_of_processors();
    scene_.on_processor(static_cast<u32>(below(scene_.kernel.cpu_count())));
    if (scene_.idles() || one_in(16)) {
        scene_.now_ns += tick_ns / 2;
        return scene_.kernel.on_interrupt(arch::tick_line);
    }
    auto& thread = scene_.current();
    auto const again = thread.frame.take_restart();
    if (auto const asked = asked_[thread.id]; asked && !again) {
        asked_[thread.id].reset();
        if (asked->life == scene_.life_of(thread) && thread.state == ThreadState::running)
            settle(thread, asked->deed);
        return;
    }
    if (again)
        return enter();
    if (thread.id != 1 && one_in(60))
        return fault();
    if (one_in(30)) {
        ++interrupts_;
        scene_.machine.raise(
            static_cast<u32>(one_in(3) ? messages_first + below(16) : 1 + below(8)));
    }
    choose();
    scene_.load(words_, number_, port_);
    enter();
}

std::string Storm::trouble()
{
    auto wrong = trouble_.empty() ? scene_.audit() : trouble_;
    if (wrong.empty())
        return wrong;
    char text[256];
    std::snprintf(text, sizeof text, ", after %s(%llx, %llx, %llx, %llx, %llx, %llx)",
        std::string(name_of(last_)).c_str(), static_cast<unsigned long long>(words_[0]),
        static_cast<unsigned long long>(words_[1]), static_cast<unsigned long long>(words_[2]),
        static_cast<unsigned long long>(words_[3]), static_cast<unsigned long long>(words_[4]),
        static_cast<unsigned long long>(words_[5]));
    return wrong + text;
}

} // namespace gemel
