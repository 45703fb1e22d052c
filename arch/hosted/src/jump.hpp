// The jump from one stack to another.
#pragma once

#include <boost/context/detail/fcontext.hpp>

namespace gemel::arch {

// jump_fcontext(), entered without a call. It goes on at the other side by a jump, so a call that
// led to it would stay on the processor's stack of returns: each return after the switch would then
// be predicted to be another one (a third of a round trip's time). Whoever was switched from stands
// behind the jump, as with a call: debuggers find the same there. The 128 bytes are what a function
// may use below its stack (System V ABI for x86_64, "The Stack Frame").
[[gnu::always_inline]] inline boost::context::detail::transfer_t jump(
    boost::context::detail::fcontext_t to, void* data)
{
    boost::context::detail::transfer_t got;
    asm volatile("addq $-128, %%rsp\n\t"
                 "leaq 1f(%%rip), %%rax\n\t"
                 "pushq %%rax\n\t"
                 "jmp *jump_fcontext@GOTPCREL(%%rip)\n"
                 "1:\n\t"
                 "subq $-128, %%rsp"
                 : "=a"(got.fctx), "=d"(got.data), "+D"(to), "+S"(data)
                 :
                 : "rcx", "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                 "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                 "xmm15", "cc", "memory");
    return got;
}

} // namespace gemel::arch
