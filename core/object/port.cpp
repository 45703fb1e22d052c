// Ports: waiting receivers or queued callers, the ring of one-way messages, notifications.
#include "core/kernel.hpp"

namespace gemel {

Thread* Kernel::receiver_of(Port& port)
{
    auto* thread = port.first;
    return thread && thread->state == ThreadState::receiving ? thread : nullptr;
}

void Kernel::queue_add(Port& port, Thread& thread, ThreadState state)
{
    thread.state = state;
    thread.waits_on = &port;
    thread.next = nullptr;
    thread.previous = port.last;
    (port.last ? port.last->next : port.first) = &thread;
    port.last = &thread;
}

void Kernel::queue_remove(Thread& thread)
{
    auto& port = *thread.waits_on;
    (thread.previous ? thread.previous->next : port.first) = thread.next;
    (thread.next ? thread.next->previous : port.last) = thread.previous;
    thread.waits_on = nullptr;
}

// Puts a message into a receiver's registers; the caller, if there is one, now waits for the reply.
void Kernel::hand_message(Thread& receiver, u64 const* words, u64 badge, u64 tag, Thread* caller)
{
    auto* to = receiver.frame.words();
    for (unsigned i = 2; i < 8; ++i)
        to[i] = words[i];
    to[0] = badge;
    to[1] = tag;
    receiver.frame.status() = status_ok;
    u64 token = 0;
    if (caller) {
        caller->state = ThreadState::awaiting_reply;
        caller->reply_owner = receiver.task->index;
        token = reply_token_bit | u64 { reply_generation_[caller->id] } << 32 | caller->id;
    }
    receiver.frame.port() = token;
}

void Kernel::notified(Thread& receiver, Port& port)
{
    auto* words = receiver.frame.words();
    words[0] = 0;
    words[1] = static_cast<u64>(KernelTag::notification);
    words[2] = port.notification;
    port.notification = 0;
    receiver.frame.port() = 0;
    receiver.frame.status() = status_ok;
}

// A one-way message: to a waiting receiver, who is answered, or into the ring, where there is room.
Thread* Kernel::deliver(Port& port, u64 const* words, u64 badge, u64 tag)
{
    if (auto* receiver = receiver_of(port)) {
        queue_remove(*receiver);
        hand_message(*receiver, words, badge, tag, nullptr);
        return receiver;
    }
    auto* slot = port.ring[(port.ring_head + port.ring_count) % port_ring_messages];
    ++port.ring_count;
    for (unsigned i = 2; i < 8; ++i)
        slot[i] = words[i];
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
        queue_remove(*receiver);
        notified(*receiver, port);
        make_ready(*receiver);
    }
}

// Everyone who waits on the port hears DEAD.
void Kernel::port_destroy(Port& port)
{
    while (port.first)
        wake(*port.first, Error::dead);
    page_free(&port);
}

} // namespace gemel
