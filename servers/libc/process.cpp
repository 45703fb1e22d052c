// The end of a program, and what it may ask about its machine.
#include "core/base/assert.hpp"
#include "servers/rt/start.hpp"
#include "servers/rt/system.hpp"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <string_view>
#include <typeinfo>

// Natively every assertion is the task's own; hosted, the kernel's stand in the same executable.
void gemel::assertion_failed(char const* expression, char const* file, int line)
{
    assertion_failed_in_task(expression, file, line);
}

// libstdc++'s own handler prints the demangled type and drags in stdio for it.
namespace __cxxabiv1 {

extern "C" std::type_info* __cxa_current_exception_type() noexcept;

namespace {

[[noreturn]] void terminate_handler()
{
    gemel::system::debug_print("terminated by an exception of type ");
    auto const* const type = __cxa_current_exception_type();
    gemel::system::debug_print(type ? type->name() : "(none)");
    gemel::system::debug_print("\n");
    std::abort();
}

} // namespace

std::terminate_handler __terminate_handler = terminate_handler;

} // namespace __cxxabiv1

extern "C" {

void* __dso_handle = nullptr;
// Told by glibc; false keeps the atomic operations of shared_ptr atomic.
char __libc_single_threaded = 0;

// 134 is what a shell on Linux reports: 128 and SIGABRT.
[[noreturn]] void abort()
{
    gemel::system::exit(134);
}

[[noreturn]] void exit(int status)
{
    gemel::system::exit(static_cast<gemel::u64>(status));
}

[[noreturn]] void __assert_fail(
    char const* expression, char const* file, unsigned line, char const*) noexcept
{
    gemel::assertion_failed(expression, file, static_cast<int>(line));
}

// Where arm64 keeps the guard of stacks; x86_64 does in the thread's block.
gemel::u64 __stack_chk_guard;

// A function found another guard than it had put on its stack.
[[noreturn]] void __stack_chk_fail()
{
    gemel::stack_smashed_in_task();
}

// A program's memory goes with its task: nothing runs after its end.
int __cxa_atexit(void (*)(void*), void*, void*) noexcept
{
    return 0;
}

// libgcc asks for the processor's features; none means the instructions every one has.
unsigned long __getauxval(unsigned long) noexcept
{
    return 0;
}

char* strerror(int)
{
    return const_cast<char*>("error");
}

} // extern "C"
