// The first function of a native program, on the stack that the loader gave
// (arch/<face>/user/start.S comes before it). Thread-local storage lies in this frame, which is
// never left.
#include "servers/rt/start.hpp"
#include "servers/libc/exception_memory.hpp"
#include "servers/libc/thread_local.hpp"

namespace gemel {

// Generated for each program: its server_main and its name.
extern ServerMain const program_main;
extern char const* const program_name;

} // namespace gemel

extern "C" {

using Initialiser = void (*)();
[[gnu::visibility("hidden")]] extern Initialiser const gemel_init_array_begin[];
[[gnu::visibility("hidden")]] extern Initialiser const gemel_init_array_end[];

static void construct_globals()
{
    for (auto const* initialise = gemel_init_array_begin; initialise != gemel_init_array_end;
         ++initialise)
        (*initialise)();
}

[[noreturn]] void gemel_program_start(gemel::Startup const* startup)
{
    auto const area = gemel::libc::thread_area();
    gemel::arch::set_thread_pointer(area.prepare(
        __builtin_alloca_with_align(area.bytes, gemel::libc::thread_local_alignment * 8)));
    gemel::libc::ExceptionReserve reserve;
    gemel::libc::use_exception_reserve(reserve);
    gemel::start_program(
        *startup, gemel::program_main, gemel::program_name, area, construct_globals);
}

} // extern "C"
