// Threads: creation, stopping and waking from outside.
#include "core/kernel.hpp"

namespace gemel {

// The new thread is stopped, its handle the owner's, in word 2. `start`: entry, stack, argument.
Thread& Kernel::thread_new(Task& task, Task& owner, u64 const* start, u8 priority, u64* words)
{
    if (task.threads == 0)
        fail(Error::quota);
    u16 id = 1;
    while (id < threads_max && threads_[id])
        ++id;
    if (id == threads_max)
        fail(Error::no_memory);
    auto const argument = start[2]; // where the handle comes, perhaps
    auto* page = object_new(task, ObjectType::thread, owner, words);
    auto* thread = static_cast<Thread*>(page); // zero is what a new one consists of, but for:
    thread->cpus = 0xFF;
    thread->id = id;
    thread->task = &task;
    thread->task_index = task.index;
    thread->root = task.root;
    thread->priority = priority;
    thread->frame.prepare(start[0], start[1], argument);
    machine_.prepare_fpu(thread->fpu);
    threads_[id] = thread;
    --task.threads;
    ++thread_count_;
    return *thread;
}

// The current thread may free itself only through the end of its task. What another processor runs
// is stopped first, and freed when this entry is made again.
void Kernel::thread_free(Thread& thread)
{
    if (&thread == cpu_->current)
        fail(Error::invalid);
    halt(thread);
    settle(thread);
    threads_[thread.id] = nullptr;
    ++thread.task->threads;
    --thread_count_;
    page_free(&thread);
}

// Out of whatever it is in; nobody can reply to it from now on.
void Kernel::halt(Thread& thread)
{
    switch (thread.state) {
    case ThreadState::ready:
        unready(thread);
        break;
    case ThreadState::receiving:
    case ThreadState::calling:
        thread.leave();
        break;
    case ThreadState::stopped:
    case ThreadState::running:
    case ThreadState::awaiting_reply:
        break;
    }
    thread.pending = PendingCall::message;
    thread.state = ThreadState::stopped;
}

// Ends a wait with an error. A thread that waits in a fault stays stopped: nobody answers it.
void Kernel::wake(Thread& thread, Error error)
{
    auto const message = thread.pending == PendingCall::message;
    halt(thread);
    if (!message)
        return;
    thread.frame.status() = status_of(error);
    make_ready(thread);
}

} // namespace gemel
