// Ports: waiting receivers or queued callers, the ring of one-way messages, notifications.
#include "core/kernel.hpp"

namespace gemel {

// A message out of the way of calls: from a ring, from a queue, one way.
[[gnu::noinline]] void Kernel::hand_message(
    Thread& receiver, u64 const* carried, u64 badge, u64 tag, Thread* caller)
{
    if (caller)
        received(*caller, receiver);
    copy_words(receiver.frame.words() + first_word, carried);
    put_message(receiver, badge, tag, caller ? reply_tokens_[caller->id] : 0);
}

[[gnu::noinline]] void Kernel::notified(Thread& receiver, Port& port)
{
    auto* words = receiver.frame.words();
    words[0] = 0;
    words[1] = static_cast<u64>(KernelTag::notification);
    words[2] = port.notification;
    port.notification = 0;
    receiver.frame.port() = 0;
    receiver.frame.status() = status_ok;
}

// Who waits by a right that is gone hears REVOKED, and has no message any more. It names the right
// still: in the register that it came with.
[[gnu::noinline]] void Kernel::receivers_check(Port& port)
{
    if (port.stamp == validity_epoch_)
        return;
    port.stamp = validity_epoch_;
    for (auto* at = port.queue.next; at->state == ThreadState::receiving;) {
        auto& thread = static_cast<Thread&>(*at);
        at = at->next;
        auto const handle = thread.frame.port();
        auto const index = static_cast<u32>(handle);
        auto const* const row
            = index < row_count_ ? stored(index, static_cast<u32>(handle >> 32)) : nullptr;
        if (!row || row->owner != thread.task_index || !has(row->rights, Right::receive)
            || row->object != number_of(&port))
            wake(thread, Error::revoked);
    }
}

// A one-way message: to a waiting receiver, who is answered, or into the ring, which has room:
// send() looked before it took the capabilities.
Thread* Kernel::deliver(Port& port, u64 const* carried, u64 badge, u64 tag)
{
    if (auto* receiver = receiver_of(port)) {
        receiver->leave();
        hand_message(*receiver, carried, badge, tag, nullptr);
        return receiver;
    }
    auto* slot = port.ring[ring_slot(port.ring_head + port.ring_count)];
    ++port.ring_count;
    copy_words(slot + first_word, carried);
    slot[0] = badge;
    slot[1] = tag;
    return nullptr;
}

void Kernel::signal_port(Port& port, u64 bits)
{
    port.notification |= bits;
    if (port.notification == 0)
        return;
    if (auto* receiver = receiver_of(port)) {
        receiver->leave();
        notified(*receiver, port);
        make_ready(*receiver);
    }
}

// Everyone who waits on the port hears DEAD.
void Kernel::port_destroy(Port& port)
{
    while (!port.queue.empty())
        wake(static_cast<Thread&>(*port.queue.next), Error::dead);
    page_free(&port);
}

} // namespace gemel
