// The dispatcher: eight FIFO levels, direct hand-over on IPC, the tick. Policy is the scheduler
// server's; without one, threads of a level take turns at each tick.
#include "core/kernel.hpp"

#include <bit>

namespace gemel {

void Kernel::make_ready(Thread& thread)
{
    auto const level = thread.priority;
    thread.state = ThreadState::ready;
    thread.next = nullptr;
    thread.previous = cpu_.last[level];
    (cpu_.last[level] ? cpu_.last[level]->next : cpu_.first[level]) = &thread;
    cpu_.last[level] = &thread;
    cpu_.ready_levels |= 1u << level;
}

void Kernel::unready(Thread& thread)
{
    auto const level = thread.priority;
    (thread.previous ? thread.previous->next : cpu_.first[level]) = thread.next;
    (thread.next ? thread.next->previous : cpu_.last[level]) = thread.previous;
    if (!cpu_.first[level])
        cpu_.ready_levels &= ~(1u << level);
}

void Kernel::run(Thread& thread)
{
    thread.state = ThreadState::running;
    cpu_.current = &thread;
    if (thread.root != cpu_.root) {
        cpu_.root = thread.root;
        machine_.activate(thread.root);
    }
    if (cpu_.fpu_of != &thread) {
        if (cpu_.fpu_of)
            machine_.save_fpu(cpu_.fpu_of->fpu);
        machine_.load_fpu(thread.fpu);
        cpu_.fpu_of = &thread;
    }
    machine_.will_run(thread.frame);
}

// The most urgent ready thread; idles here while there is none.
void Kernel::dispatch()
{
    if (cpu_.ready_levels == 0) {
        cpu_.current = nullptr;
        cpu_.idle = true;
        while (cpu_.ready_levels == 0) {
            machine_.wake_at(next_deadline_ns_);
            interrupt_arrived(machine_.wait_for_interrupt());
        }
        cpu_.idle = false;
        advance_time();
        machine_.wake_at(machine_.now_ns() + tick_ns);
    }
    auto& next = *cpu_.first[31 - std::countl_zero(cpu_.ready_levels)];
    unready(next);
    run(next);
}

// The current thread has blocked and made `next` runnable: straight to it, unless something more
// urgent is ready. The budget belongs to the processor's slot, so it goes along.
void Kernel::hand_over(Thread* next)
{
    if (next) {
        if ((cpu_.ready_levels >> next->priority >> 1) == 0) [[likely]]
            return run(*next);
        make_ready(*next);
    }
    dispatch();
}

// Something more urgent than the current thread has become ready: it runs first.
void Kernel::preempt()
{
    auto* current = cpu_.current;
    if (current && current->state == ThreadState::running
        && (cpu_.ready_levels >> current->priority >> 1) != 0) {
        make_ready(*current);
        dispatch();
    }
}

void Kernel::set_deadline(Thread& thread, u64 deadline_us)
{
    thread.deadline_ns = deadline_us * 1000;
    if (deadline_us != 0 && thread.deadline_ns < next_deadline_ns_)
        next_deadline_ns_ = thread.deadline_ns;
}

// Wakes every wait whose deadline has passed, and finds the next deadline.
void Kernel::deadlines_check()
{
    auto const now = machine_.now_ns();
    if (now < next_deadline_ns_)
        return;
    next_deadline_ns_ = ~0ull;
    for (u32 id = 1; id < threads_max; ++id) {
        auto* thread = threads_[id];
        if (!thread || thread->deadline_ns == 0)
            continue;
        auto const waits = thread->state == ThreadState::receiving
            || thread->state == ThreadState::calling
            || thread->state == ThreadState::awaiting_reply;
        if (!waits)
            continue;
        if (thread->deadline_ns <= now)
            wake(*thread, Error::timed_out);
        else if (thread->deadline_ns < next_deadline_ns_)
            next_deadline_ns_ = thread->deadline_ns;
    }
}

// What has a time to live is checked anew once the first limit has passed.
void Kernel::advance_time()
{
    tick_now_ = static_cast<u32>(machine_.now_ns() / tick_ns) + 1;
    if (tick_now_ < next_expiry_)
        return;
    ++validity_epoch_;
    next_expiry_ = tick_now_ + 1; // rows that expire later are found at their own use
}

void Kernel::tick()
{
    advance_time();
    deadlines_check();
    auto* current = cpu_.current;
    if (!current)
        return;
    current->run_ns += tick_ns;
    machine_.wake_at(machine_.now_ns() + tick_ns);
    if (scheduler_row_ != 0 && cpu_.ready_levels != 0) {
        auto& row = rows_[scheduler_row_];
        if (row.generation == scheduler_generation_ && row.owner != 0 && alive(row))
            signal_port(*object_of<Port>(row), scheduler_bits_);
    }
    if (cpu_.budget != 0 && --cpu_.budget != 0)
        return;
    if ((cpu_.ready_levels >> current->priority) != 0) {
        make_ready(*current);
        dispatch();
    }
}

void Kernel::interrupt_arrived(u32 line)
{
    if (line == arch::tick_line)
        return tick();
    if (line >= arch::interrupt_lines_max)
        return;
    auto& binding = interrupts_[line];
    if (binding.row == 0)
        return;
    auto& row = rows_[binding.row];
    if (row.generation == binding.row_generation && row.owner != 0 && alive(row))
        signal_port(*object_of<Port>(row), binding.bits);
}

void Kernel::on_interrupt(u32 line)
{
    interrupt_arrived(line);
    preempt();
}

} // namespace gemel
