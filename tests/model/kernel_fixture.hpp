// The real kernel with threads that are only registers: a test writes a call into the frame of the
// thread that is current, enters the kernel, and looks at whoever is current then. No fibers, and
// time is the test's own.
#pragma once

#include "core/kernel.hpp"

#include <string>

namespace gemel {

struct KernelFixture {
    explicit KernelFixture(u64 memory_bytes = 16u << 20);

    // Enters the kernel as the current thread.
    void trap(std::initializer_list<u64> words, u64 number, u64 port = 0);
    void trap(u64 const* words, u64 number, u64 port = 0);
    void operate(u64 broker, Operation operation, std::initializer_list<u64> arguments);
    u64 word(unsigned index) { return current().frame.words()[index]; }
    u64 status() { return current().frame.status(); }
    Thread& current() { return *kernel.cpu().current; }
    u64 capability(char const* name);
    // What answers the call that thread `id` waits in now.
    u64 reply_token(u32 id) const
    {
        return reply_token_bit | u64 { kernel.reply_generation_[id] & handle_generation_mask } << 32
            | id;
    }

    // The books: rows form a forest with right counts, pages and queues balance. Empty: all is
    // well.
    std::string audit();

    u64 now_ns = 0;
    arch::Machine machine;
    Kernel kernel;
    Startup const* startup = nullptr;

private:
    std::string audit_rows();
    std::string audit_pages();
    std::string audit_threads();
};

} // namespace gemel
