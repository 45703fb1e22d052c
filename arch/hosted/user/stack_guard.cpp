// The end of a function of the one process that found its stack written over: a task's ends the
// task, anything else's the process. In place of the C library's.
#include "servers/rt/start.hpp"

#include <gemel/arch/user.hpp>

#include <cstdio>
#include <cstdlib>

extern "C" [[noreturn]] void __stack_chk_fail()
{
    if (gemel::hosted::in_task() && gemel::self())
        gemel::stack_smashed_in_task();
    std::fputs("gemel: stack smashing detected outside of the tasks\n", stderr);
    std::abort();
}
