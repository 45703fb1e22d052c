// A hosted thread's registers: the message words, and the fiber that holds the rest.
#pragma once

#include "core/base/types.hpp"

namespace gemel::arch {

// The FPU belongs to the host; Boost.Context keeps its control words.
struct FpuState { };

class Frame {
public:
    u64* words() noexcept { return words_; }
    u64 const* words() const noexcept { return words_; }
    u64& port() noexcept { return port_; }
    u64& status() noexcept { return status_; }
    u64& instruction_pointer() noexcept { return instruction_pointer_; }
    u64& stack_pointer() noexcept { return stack_pointer_; }
    u64 stack_pointer() const noexcept { return stack_pointer_; }
    u64* register_at(u32 index) noexcept
    {
        if (index < 8)
            return &words_[index];
        switch (index) {
        case 8:
            return &port_;
        case 9:
            return &status_;
        case 10:
            return &instruction_pointer_;
        case 11:
            return &stack_pointer_;
        default:
            return nullptr;
        }
    }
    void registers_set() noexcept { }
    u64 foreign_number() noexcept { return status_; }
    u64 const* foreign_arguments() const noexcept { return words_; }
    void foreign_result(u64 value) noexcept { status_ = value; }
    void restart_call() noexcept { restart_ = true; }
    bool take_restart() noexcept
    {
        auto const again = restart_;
        restart_ = false;
        return again;
    }
    void prepare(u64 entry, u64 stack, u64 argument) noexcept
    {
        instruction_pointer_ = entry;
        stack_pointer_ = stack;
        argument_ = argument;
    }

    // The fiber's side (src/fiber.cpp): what a switch saves besides the stack.
    struct Fiber {
        void* context = nullptr; // null: not started
        void* exceptions[2] = {}; // the C++ run-time's per-thread exception globals
        void* fake_stack = nullptr; // AddressSanitizer's
        void* tsan = nullptr; // ThreadSanitizer's fiber
        void* thread_pointer = nullptr; // the run-time's ThreadControl
        int error_number = 0; // errno
    };
    Fiber fiber;

    u64 argument() const noexcept { return argument_; }

private:
    u64 words_[8] = {};
    u64 port_ = 0;
    u64 status_ = 0;
    u64 instruction_pointer_ = 0;
    u64 stack_pointer_ = 0;
    u64 argument_ = 0;
    bool restart_ = false; // system_call() makes the same call again
};

} // namespace gemel::arch
