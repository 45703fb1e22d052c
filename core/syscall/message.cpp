// Messages: the way in, send, call, reply, receive, and faults, which are calls that the kernel
// makes for a thread.
#include "core/kernel.hpp"

namespace gemel {

namespace {

// The kernel's own bits of a tag are not the sender's to set.
constexpr u64 tag_kernel_bits = 0x0FFF'0000;
constexpr u64 tag_operation = 0xFFFF;
constexpr u64 tag_kernel_first = 0xFF00;
constexpr u64 tag_capabilities = u64 { 3 } << tag_capabilities_shift;

constexpr unsigned capabilities_of(u64 tag)
{
    return static_cast<unsigned>(tag >> tag_capabilities_shift & 3);
}

bool tag_allowed(u64 tag)
{
    return (tag & (tag_kernel_bits | tag_operation)) < tag_kernel_first;
}

// Allowed, and without capabilities.
bool tag_plain(u64 tag)
{
    return (tag & (tag_capabilities | tag_kernel_bits | tag_operation)) < tag_kernel_first;
}

constexpr bool fault_reply(u64 tag)
{
    return (tag & tag_operation) <= static_cast<u64>(FaultReply::fill);
}

constexpr bool fills(u64 tag)
{
    return (tag & tag_operation) == static_cast<u64>(FaultReply::fill);
}

// Where the words that a caller's message carries stand.
[[gnu::always_inline]] inline u64 const* carried_by(Thread& caller)
{
    if (caller.pending == PendingCall::message) [[likely]]
        return caller.frame.words() + first_word;
    return caller.pending == PendingCall::foreign ? caller.frame.foreign_arguments()
                                                  : caller.fault_words;
}

// Where those of a call of the kernel's go: to who took it, or to wait.
[[gnu::always_inline]] inline u64* words_to(Thread* receiver, Thread& caller)
{
    return receiver ? receiver->frame.words() + first_word : caller.fault_words;
}

// What port_receive is asked to do: the call and its flags, without a deadline.
constexpr u64 receive_with(ReceiveFlag flag)
{
    return static_cast<u64>(Call::port_receive) | u64 { static_cast<u8>(flag) } << 8;
}

constexpr bool wants(u64 number, ReceiveFlag wanted)
{
    return (number >> 8 & static_cast<u8>(wanted)) != 0;
}

} // namespace

// Whether a capability may be passed on; and a handle of it more than once.
void Kernel::passable(Row const& row)
{
    if (!has(row.rights, Right::derive))
        fail(Error::no_rights);
    if (row.generation == handle_generation_max)
        fail(Error::too_big);
}

// Moves the handles in the message's last words to a task: all of them, or none. Of a call that is
// going to wait in a queue they stay the caller's, so that nothing has changed when it ends there.
[[gnu::noinline]] void Kernel::capabilities_move(u64* words, Task& to, bool waits)
{
    auto const count = capabilities_of(words[1]);
    if (count == 0) [[likely]]
        return;
    Row* rows[message_capabilities_max];
    for (unsigned i = 0; i < count; ++i) {
        rows[i] = &look(words[8 - count + i]);
        passable(*rows[i]);
        for (unsigned k = 0; k < i; ++k)
            if (rows[k] == rows[i])
                fail(Error::invalid);
    }
    if (to.dead)
        fail(Error::dead);
    if (to.index != cpu_->current->task_index && to.rows < count)
        fail(Error::quota);
    for (unsigned i = 0; i < count && !waits; ++i)
        words[8 - count + i] = row_move(*rows[i], to);
}

// Of a message that waited: what is still the giver's goes to who takes it. The words came from
// registers that others may write. What is not the giver's is 0 there, and so is what is
// dead or finds no room: that ends.
[[gnu::noinline]] void Kernel::capabilities_follow(Task const& giver, Thread& me, bool from_ring)
{
    auto* const words = me.frame.words();
    for (auto i = 8 - capabilities_of(words[1]); i < 8; ++i) {
        auto const index = static_cast<u32>(words[i]);
        auto& row = rows_[index < row_count_ ? index : 0];
        auto const owner = row.generation == words[i] >> 32 ? row.owner : 0;
        if (from_ring && owner == me.task_index)
            continue; // it moved when it was sent
        words[i] = 0;
        if (owner != giver.index || !has(row.rights, Right::derive))
            continue;
        if (alive(row) && row.generation != handle_generation_max
            && (owner == me.task_index || me.task->rows != 0))
            words[i] = row_move(row, *me.task);
        else
            row_close(row);
    }
}

// One way. Answers the receiver it made runnable, which is in no queue yet.
Thread* Kernel::send(u64* words)
{
    if ((words[0] & reply_token_bit) != 0)
        return reply(words[0], words);
    if (!tag_allowed(words[1]))
        fail(Error::invalid);
    auto& row = port_with_one(look(words[0]), Right::send | Right::send_once);
    auto& port = *object_of<Port>(row);
    if (port.ring_count == port_ring_messages) // so nobody waits
        fail(Error::port_full);
    if (capabilities_of(words[1]) != 0)
        capabilities_move(words, receiving_task(port));
    auto const badge = row.badge;
    if (has(row.rights, Right::send_once))
        row_close(row);
    return deliver(port, words + first_word, badge, words[1]);
}

Thread* Kernel::reply(u64 token, u64* words)
{
    auto const id = static_cast<u32>(token);
    auto* caller = id < threads_max ? threads_[id] : nullptr;
    if (!caller || caller->state != ThreadState::awaiting_reply || reply_tokens_[id] != token)
        fail(Error::cap_invalid);
    if (caller->reply_owner != cpu_->current->task_index)
        fail(Error::not_owner);
    if (!tag_allowed(words[1]))
        fail(Error::invalid);
    if (caller->pending != PendingCall::message) {
        if (!fault_reply(words[1]))
            fail(Error::invalid);
        if (fills(words[1]))
            broker_call(
                look(words[6], ObjectType::broker, 0), static_cast<u32>(Operation::fill), words);
        return resume_faulted(*caller, words);
    }
    capabilities_move(words, *caller->task);
    answer(*caller, words);
    return caller;
}

// The answer is in the caller's registers. It no longer awaits one: the token is used up.
[[gnu::noinline]] void Kernel::answer(Thread& caller, u64 const* words)
{
    auto* to = caller.frame.words();
    to[0] = 0;
    to[1] = words[1];
    copy_words(to + first_word, words + first_word);
    caller.frame.status() = status_ok;
}

// The answer to a fault or a foreign call (FaultReply).
[[gnu::noinline]] Thread* Kernel::resume_faulted(Thread& thread, u64 const* words)
{
    auto const answer = words[1] & tag_operation;
    if (answer == static_cast<u64>(FaultReply::return_value))
        thread.frame.foreign_result(words[2]);
    thread.pending = PendingCall::message;
    thread.state = ThreadState::stopped;
    return answer == static_cast<u64>(FaultReply::stop) ? nullptr : &thread;
}

// A call needs no queue slot: without a receiver, the blocked caller itself is the queue entry.
// Answers the receiver that took it: the words that it carries are the caller's to put there.
[[gnu::noinline]] Thread* Kernel::call_on(Port& port, Thread& caller, u64 badge, u64 tag)
{
    auto const token = next_reply(caller);
    auto* receiver = receiver_of(port);
    if (!receiver) {
        caller.call_badge = badge;
        caller.call_tag = tag;
        queue_add(port, caller, ThreadState::calling);
        return nullptr;
    }
    receiver->leave();
    received(caller, *receiver);
    put_message(*receiver, badge, tag, token);
    return receiver;
}

// To who took the call, with what it carries.
[[gnu::noinline]] void Kernel::hand_over_with(Thread* receiver, u64 const* carried, Thread& caller)
{
    copy_words(words_to(receiver, caller), carried);
    hand_over(receiver);
}

[[gnu::noinline]] void Kernel::call(Thread& me, u64 number)
{
    auto* words = me.frame.words();
    if (words[0] == own_fault_port) {
        set_deadline(me, 0);
        return hand_over_with(fault_call(me, static_cast<u64>(KernelTag::exit), PendingCall::fault),
            words + first_word, me);
    }
    if (!tag_allowed(words[1]))
        fail(Error::invalid);
    auto& row = look(words[0]);
    if (row.type == ObjectType::broker)
        return broker_call(row, static_cast<u32>(words[1] & tag_operation), words);
    port_with_one(row, Right::call | Right::send | Rights(Right::send_once));
    auto& port = *object_of<Port>(row);
    if (capabilities_of(words[1]) != 0)
        capabilities_move(words, receiving_task(port), !receiver_of(port));
    set_deadline(me, number >> 16);
    auto* const receiver = call_on(port, me, row.badge, words[1]);
    // Not before: its watcher may be who receives here, and leave with what it is told.
    if (has(row.rights, Right::send_once))
        row_close(row);
    hand_over_with(receiver, words + first_word, me);
}

// The two calls that a server's clients and the server itself make over and over, when the other
// side waits for them and nothing else is to be done: all checks in one go, and no look back.
// False: nothing was done, and the general way finds out why not.
[[gnu::always_inline]] inline bool Kernel::call_at_once(Thread& me, u64 number)
{
    constexpr auto once = rights_of(Right::send_once);
    if (number != receive_with(ReceiveFlag::call))
        return false;
    auto* const words = me.frame.words();
    auto const* const row = known(me, words[0]);
    if (!row || row->type != ObjectType::port || !tag_plain(words[1])
        || (row->rights & (Right::call | Right::send)) == 0 || (row->rights & once) != 0)
        return false;
    auto& port = *object_of<Port>(*row);
    auto* const receiver = receiver_of(port);
    if (!receiver)
        return false;
    me.deadline_ns = 0;
    copy_words(receiver->frame.words() + first_word, words + first_word);
    hand_over(call_on(port, me, row->badge, words[1]));
    return true;
}

[[gnu::always_inline]] inline bool Kernel::answer_at_once(Thread& me, u64 number)
{
    if (number != receive_with(ReceiveFlag::send_first))
        return false;
    auto* const words = me.frame.words();
    auto const token = words[0];
    auto const id = static_cast<u32>(token);
    if (id >= threads_max || !tag_plain(words[1])) // that it is a token: it is the caller's, below
        return false;
    auto* const row = known(me, me.frame.port());
    if (!row || row->type != ObjectType::port || !has(row->rights, Right::receive))
        return false;
    auto& port = *object_of<Port>(*row);
    if (port.notification != 0 || port.ring_count != 0 || first_of(port, ThreadState::calling))
        return false;
    auto* caller = threads_[id];
    if (!caller || caller->state != ThreadState::awaiting_reply || reply_tokens_[id] != token
        || caller->reply_owner != me.task_index
        || (caller->pending != PendingCall::message && !fault_reply(words[1])))
        return false;
    row->waited = true;
    if (caller->pending != PendingCall::message && fills(words[1])) [[unlikely]] {
        fill_and_resume(me, port, *caller);
        return true;
    }
    me.deadline_ns = 0;
    queue_add(port, me, ThreadState::receiving);
    if (caller->pending == PendingCall::message)
        answer(*caller, words);
    else
        caller = resume_faulted(*caller, words);
    hand_over(caller);
    return true;
}

// A pager's answer. What stands against the fill is found out in the general way.
[[gnu::noinline]] void Kernel::fill_and_resume(Thread& me, Port& port, Thread& faulted)
{
    if (!fill_at_once(me, me.frame.words()))
        return any_call(me, me.frame.status());
    me.deadline_ns = 0;
    queue_add(port, me, ThreadState::receiving);
    faulted.pending = PendingCall::message;
    hand_over(&faulted);
}

// A notification, a ring message or a queued caller, in this order. False: nothing is there.
bool Kernel::take_message(Port& port, Thread& me)
{
    if (port.notification != 0) {
        notified(me, port);
        return true;
    }
    if (port.ring_count != 0) {
        auto const* words = port.ring[port.ring_head];
        port.ring_head = static_cast<u16>(ring_slot(port.ring_head + 1u));
        --port.ring_count;
        hand_message(me, words + first_word, words[0], words[1], nullptr);
        capabilities_follow(*tasks_[info_of(&port).owner], me, true);
    } else if (auto* caller = first_of(port, ThreadState::calling)) {
        caller->leave();
        hand_message(me, carried_by(*caller), caller->call_badge, caller->call_tag, caller);
        capabilities_follow(*caller->task, me, false);
    } else {
        return false;
    }
    return true;
}

[[gnu::noinline]] void Kernel::system_receive(Thread& me, u64 number)
{
    auto& row = look(me.frame.port(), ObjectType::port, rights_of(Right::receive));
    auto& port = *object_of<Port>(row);
    Thread* woken = nullptr;
    if (wants(number, ReceiveFlag::send_first)) {
        woken = send(me.frame.words());
        // It may have sent this very right, or used up the one that it comes from.
        if (!stored(index_of(row), static_cast<u32>(me.frame.port() >> 32))) {
            if (woken)
                make_ready(*woken);
            fail(Error::revoked);
        }
    }
    auto const taken = take_message(port, me);
    auto const deadline_us = number >> 16;
    if (!taken && !wants(number, ReceiveFlag::poll)
        && (deadline_us == 0 || deadline_us * 1000 > machine_.now_ns())) {
        set_deadline(me, deadline_us);
        row.waited = true;
        queue_add(port, me, ThreadState::receiving);
        return hand_over(woken);
    }
    if (woken)
        make_ready(*woken);
    if (!taken)
        fail(Error::timed_out);
}

// The kernel calls the thread's fault port in its name. Without one the thread stays stopped.
[[gnu::noinline]] Thread* Kernel::fault_call(Thread& thread, u64 tag, PendingCall pending)
{
    thread.state = ThreadState::stopped;
    auto const& row = rows_[thread.fault_row];
    if (row.generation != thread.fault_generation || row.stamp != validity_epoch_) [[unlikely]]
        return fault_call_closely(thread, tag, pending); // a free one has no stamp
    thread.pending = pending;
    return call_on(*object_of<Port>(row), thread, row.badge, tag);
}

[[gnu::noinline]] Thread* Kernel::fault_call_closely(Thread& thread, u64 tag, PendingCall pending)
{
    if (!stored(thread.fault_row, thread.fault_generation))
        return nullptr;
    return fault_call(thread, tag, pending); // it has one now
}

void Kernel::on_system_call()
{
    auto& me = *cpu_->current;
    auto const number = me.frame.status();
    if (!me.runs_native()) [[unlikely]]
        return held_up(me);
    ++calls_;
    if (!call_at_once(me, number) && !answer_at_once(me, number))
        any_call(me, number);
}

// Stopped by another processor, or another system's thread: a call of its own server.
[[gnu::noinline]] void Kernel::held_up(Thread& me)
{
    if (me.state != ThreadState::running) {
        me.frame.restart_call();
        return dispatch();
    }
    ++calls_;
    me.deadline_ns = 0;
    hand_over_with(
        fault_call(me, static_cast<u64>(KernelTag::foreign_call) | me.frame.foreign_number() << 32,
            PendingCall::foreign),
        me.frame.foreign_arguments(), me);
}

void Kernel::on_fault(arch::FaultReport const& report)
{
    auto& me = *cpu_->current;
    if (me.state != ThreadState::running) // stopped by another processor: it will fault again
        return dispatch();
    if (report.kind == FaultKind::page && zombie_leaves_ != 0
        && region_restore(*me.task, report.address))
        return;
    me.deadline_ns = 0;
    auto* const next
        = fault_call(me, static_cast<u64>(KernelTag::fault) | static_cast<u64>(report.kind) << 16,
            PendingCall::fault);
    auto* const words = words_to(next, me);
    words[0] = me.frame.instruction_pointer();
    words[1] = report.address;
    words[2] = report.code;
    words[3] = me.frame.stack_pointer();
    words[4] = me.id;
    words[5] = 0;
    hand_over(next);
}

} // namespace gemel
