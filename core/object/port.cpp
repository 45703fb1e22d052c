// Ports: waiting receivers or queued callers, the ring of one-way messages, notifications.
#include "core/kernel.hpp"

namespace gemel {

void Kernel::queue_add(Port& port, Thread& thread, ThreadState state)
{
    thread.state = state;
    thread.waits_on = &port;
    thread.next = nullptr;
    thread.previous = port.last;
    (port.last ? port.last->next : port.first) = &thread;
    port.last = &thread;
}

// Takes the first thread of the queue.
void Kernel::queue_pop(Port& port)
{
    auto& thread = *port.first;
    port.first = thread.next;
    (thread.next ? thread.next->previous : port.last) = nullptr;
    thread.waits_on = nullptr;
}

void Kernel::queue_remove(Thread& thread)
{
    auto& port = *thread.waits_on;
    (thread.previous ? thread.previous->next : port.first) = thread.next;
    (thread.next ? thread.next->previous : port.last) = thread.previous;
    thread.waits_on = nullptr;
}

// A message out of the way of calls: from a ring, from a queue, one way.
[[gnu::noinline]] void Kernel::hand_message(
    Thread& receiver, u64 const* words, u64 badge, u64 tag, Thread* caller)
{
    put_message(receiver, words, badge, tag,
        caller ? received(*caller, receiver, reply_generation_[caller->id]) : 0);
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

// A one-way message: to a waiting receiver, who is answered, or into the ring, which has room:
// send() looked before it took the capabilities.
Thread* Kernel::deliver(Port& port, u64 const* words, u64 badge, u64 tag)
{
    if (auto* receiver = receiver_of(port)) {
        queue_pop(port);
        hand_message(*receiver, words, badge, tag, nullptr);
        return receiver;
    }
    auto* slot = port.ring[(port.ring_head + port.ring_count) % port_ring_messages];
    ++port.ring_count;
    copy_words(slot, words);
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
        queue_pop(port);
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
