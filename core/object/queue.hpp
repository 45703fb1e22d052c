// A queue of threads: a circle of links through the threads and the queue's own head, so that no
// link has an end to look for. The head's state is no thread's that waits: who asks the first of an
// empty queue what it waits for hears `stopped`.
#pragma once

#include "core/base/types.hpp"

namespace gemel {

struct Thread;

enum class ThreadState : u8 {
    stopped,
    ready,
    running,
    // These wait:
    receiving, // on a port for a message
    calling, // queued on a port; its message is still in its frame
    awaiting_reply, // its call was received
};

struct Link {
    Link* next = nullptr;
    Link* previous = nullptr;
    alignas(2) ThreadState state = ThreadState::stopped;
    bool foreign = false; // a thread whose system calls are not the kernel's

    void leave()
    {
        next->previous = previous;
        previous->next = next;
    }
    // Before this one.
    void add(Link& link, ThreadState waits_as)
    {
        link.state = waits_as;
        link.next = this;
        link.previous = previous;
        previous->next = &link;
        previous = &link;
    }
};

struct Queue : Link {
    Queue() { clear(); }
    // A zeroed one begins with this.
    void clear() { next = previous = this; }
    bool empty() const { return next == this; }
    Link* end() const { return const_cast<Queue*>(this); }
};

} // namespace gemel
