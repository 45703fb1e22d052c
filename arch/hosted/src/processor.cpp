#include "processor.hpp"

#include <cerrno>
#include <csignal>
#include <cxxabi.h>
#include <sys/mman.h>

namespace gemel::arch {

namespace {

constexpr usize signal_stack_bytes = 64 * 1024;

} // namespace

void become(Processor& processor)
{
    gemel_exceptions = reinterpret_cast<void**>(abi::__cxa_get_globals());
    gemel_error_number = &errno;
    gemel_processor = &processor;
}

void give_signal_stack()
{
    stack_t alternate {};
    alternate.ss_sp = mmap(
        nullptr, signal_stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    alternate.ss_size = signal_stack_bytes;
    sigaltstack(&alternate, nullptr);
}

void take_signal_stack()
{
    stack_t none {};
    none.ss_flags = SS_DISABLE;
    stack_t old {};
    if (sigaltstack(&none, &old) == 0)
        munmap(old.ss_sp, old.ss_size);
}

} // namespace gemel::arch

extern "C" {
constinit thread_local bool gemel_in_task = false;
constinit thread_local void* gemel_thread_pointer = nullptr;
constinit thread_local gemel::arch::Processor* gemel_processor = nullptr;
constinit thread_local void** gemel_exceptions = nullptr;
constinit thread_local int* gemel_error_number = nullptr;
}
