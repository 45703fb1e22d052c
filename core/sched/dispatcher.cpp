// The dispatcher: eight FIFO levels, direct hand-over on IPC, the tick. Policy is the scheduler
// server's; without one, threads of a level take turns at each tick.
#include "core/kernel.hpp"

namespace gemel {

namespace {

// Of a set that is not empty.
u32 lowest(u32 set)
{
    return static_cast<u32>(__builtin_ctz(set));
}

u32 highest(u32 set)
{
    return 31 ^ static_cast<u32>(__builtin_clz(set));
}

} // namespace

void Kernel::enter_locked()
{
    lock_.take([this] { machine_.lock_waits(); });
    cpu_ = &cpus_[machine_.cpu_number()];
}

// Here, if this processor has nothing to do; otherwise where it ran last, unless that one is
// busy and another has nothing to do.
u32 Kernel::processor_for(Thread const& thread) const
{
    if (!cpu_->current && (thread.cpus & cpu_->bit) != 0)
        return cpu_->number;
    u32 const idle = idle_cpus_ & thread.cpus;
    u32 const fit = idle != 0 ? idle : thread.cpus;
    return (fit >> thread.cpu & 1) != 0 ? thread.cpu : lowest(fit);
}

// One that runs is not done with its turn: it comes first of its level again. What a thread does
// makes others urgent (a file that it closes, an answer that it sends), and would cost it its turn
// each time.
void Kernel::make_ready(Thread& thread)
{
    auto const level = thread.priority;
    auto const number = processor_for(thread);
    auto& cpu = cpus_[number];
    thread.cpu = static_cast<u8>(number);
    Link* behind = &cpu.ready[level];
    if (thread.state == ThreadState::running)
        behind = behind->next;
    behind->add(thread, ThreadState::ready);
    cpu.ready_levels |= 1u << level;
    if (&cpu != cpu_ && (!cpu.current || cpu.current->priority < level)) {
        idle_cpus_ &= ~(1u << number);
        machine_.interrupt_cpu(number);
    }
}

// The thread is behind all others of its level.
[[gnu::noinline]] void Kernel::give_way(Thread& thread)
{
    thread.state = ThreadState::ready;
    make_ready(thread);
    dispatch();
}

void Kernel::unready(Thread& thread)
{
    auto const level = thread.priority;
    auto& cpu = cpus_[thread.cpu];
    thread.leave();
    if (cpu.ready[level].empty())
        cpu.ready_levels &= ~(1u << level);
}

// The most urgent thread that waits for another processor and may run here.
Thread* Kernel::stolen()
{
    Thread* best = nullptr;
    for (u32 number = 0; number < cpu_count_; ++number)
        for (u32 level = best ? best->priority + 1u : 0; level < priority_levels; ++level) {
            auto& queue = cpus_[number].ready[level];
            for (auto* at = queue.next; at != queue.end(); at = at->next)
                if (auto& thread = static_cast<Thread&>(*at); (thread.cpus & cpu_->bit) != 0) {
                    best = &thread;
                    break;
                }
        }
    return best;
}

// If another processor has the thread in hand, that one is told to look, and the call is made anew.
void Kernel::settle(Thread& thread)
{
    auto& cpu = cpus_[thread.cpu];
    if (&cpu == cpu_ || cpu.current != &thread)
        return;
    machine_.interrupt_cpu(thread.cpu);
    again();
}

void Kernel::run(Thread& thread)
{
    auto& cpu = *cpu_;
    thread.state = ThreadState::running;
    thread.cpu = cpu.number;
    cpu.current = &thread;
    auto* const last = cpu.loaded;
    if (last == &thread)
        return;
    cpu.loaded = &thread;
    if (thread.root != cpu.root) {
        cpu.root = thread.root;
        machine_.activate(thread.root);
    }
    machine_.switch_thread(last, thread);
}

// The most urgent ready thread, here or else elsewhere. None: the processor is idle.
void Kernel::dispatch()
{
    auto const levels = cpu_->ready_levels;
    auto* next = levels != 0 ? static_cast<Thread*>(cpu_->ready[highest(levels)].next) : stolen();
    if (!next)
        return idle();
    unready(*next);
    run(*next);
}

// Nothing of the thread that ran stays in the processor: another may take it.
void Kernel::idle()
{
    cpu_->current = nullptr;
    idle_cpus_ |= cpu_->bit;
    if (auto* const last = cpu_->loaded)
        machine_.save_thread(last->frame, last->fpu);
    cpu_->loaded = nullptr;
    cpu_->root = 0;
    machine_.will_idle();
}

void Kernel::rest()
{
    machine_.wake_at(next_deadline_ns_);
    leave();
    machine_.wait_for_interrupt();
    enter();
    on_interrupt(machine_.interrupt_taken());
}

// The current thread has blocked and made `next` runnable: straight to it, unless something more
// urgent is ready. The budget belongs to the processor's slot, so it goes along.
void Kernel::hand_over(Thread* next)
{
    if (!next)
        return dispatch();
    if ((cpu_->ready_levels >> next->priority >> 1) == 0 && (next->cpus & cpu_->bit) != 0)
        [[likely]]
        return run(*next);
    give_way(*next);
}

// Something more urgent than the current thread has become ready: it runs first. The current one
// may also have been stopped by another processor.
void Kernel::preempt()
{
    auto* current = cpu_->current;
    if (current && current->state == ThreadState::running) {
        if ((cpu_->ready_levels >> current->priority >> 1) == 0) [[likely]]
            return;
        make_ready(*current);
    } else if (!current) {
        idle_cpus_ |= cpu_->bit;
        if (cpu_->ready_levels == 0 && !stolen())
            return;
        idle_cpus_ &= ~u32 { cpu_->bit };
        advance_time();
        machine_.wake_at(machine_.now_ns() + tick_ns);
        dispatch();
        // More came at once than it can run: who may run it elsewhere looks.
        for (auto idle = cpu_->ready_levels != 0 ? idle_cpus_ : 0; idle != 0; idle &= idle - 1)
            machine_.interrupt_cpu(lowest(idle));
        return;
    }
    dispatch();
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
    auto* current = cpu_->current;
    if (!current)
        return;
    machine_.wake_at(machine_.now_ns() + tick_ns);
    if (current->state != ThreadState::running)
        return; // stopped by another processor: on_interrupt finds the next
    current->run_ns += tick_ns;
    if (cpu_->ready_levels != 0)
        signal_row(scheduler_row_, scheduler_generation_, scheduler_bits_);
    if (cpu_->budget != 0 && --cpu_->budget != 0)
        return;
    if ((cpu_->ready_levels >> current->priority) != 0)
        give_way(*current);
}

void Kernel::interrupt_arrived(u32 line)
{
    if (line == arch::tick_line)
        return tick();
    if (line >= arch::interrupt_lines_max)
        return;
    auto& binding = interrupts_[line];
    signal_row(binding.row, binding.row_generation, binding.bits);
}

void Kernel::on_interrupt(u32 line)
{
    interrupt_arrived(line);
    if (auto* current = cpu_->current;
        current && current->state == ThreadState::running && (current->cpus & cpu_->bit) == 0)
        return give_way(*current); // it was sent away
    preempt();
}

} // namespace gemel
