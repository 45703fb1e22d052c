#include "servers/rt/start.hpp"

#include <span>

namespace gemel {
namespace {

Result<void> run_main(Env& env, ServerMain main)
{
    try {
        return main(env);
    } catch (std::bad_alloc const&) {
        return Error::no_memory;
    } catch (std::length_error const&) {
        return Error::no_memory;
    }
}

void trace_from_start(Env const& env, TaskState& task)
{
    auto const wanted = env.variable("GEMEL_TRACE");
    if (wanted && *wanted != "0")
        task.trace.store(&task.debug_trace);
}

[[noreturn]] void run_in_environment(TaskState& task, ServerMain main, std::string_view name)
{
    Env env { task.startup };
    trace_from_start(env, task);
    auto const result = run_main(env, main);
    if (result)
        system::exit(env.exit_status().value_or(0));
    env.log().error(name, " ended: ", result.error());
    system::exit(env.exit_status().value_or(1), static_cast<u64>(result.error()));
}

[[noreturn]] void run_program(
    TaskState& task, ServerMain main, std::string_view name, void (*construct)())
{
    try {
        construct();
        run_in_environment(task, main, name);
    } catch (std::bad_alloc const&) {
        // There was not even the memory to make the environment or to say how it ended.
        system::exit(1, static_cast<u64>(Error::no_memory));
    }
}

// Those that the program was told; who was told none is init, who may ask for them.
u64 random_bits(Startup const& startup, u64 told)
{
    for (auto const& given : std::span(startup.capabilities).first(startup.capability_count)) {
        if (told == 0 && std::string_view(given.name) == "broker-machine")
            told = system::broker(given.handle, Operation::entropy, {})
                       .value_or(system::Words {})[0];
    }
    return told;
}

// The low byte is NUL, which ends what copies text up to the guard.
u64 guard_of(Startup const& startup)
{
    return random_bits(startup, startup.stack_guard) & ~u64 { 0xFF };
}

} // namespace

// Sets the guard of the stack, so it has none itself; it does not return.
__attribute__((no_stack_protector)) void start_program(Startup const& startup, ServerMain main,
    std::string_view name, ThreadArea area, void (*construct)())
{
    TaskState task { startup, area, random_bits(startup, startup.chance) };
    ThreadBlock block { .task = &task };
    alignas(64) std::byte own_area[64];
    auto* control = static_cast<ThreadControl*>(arch::thread_pointer());
    if (!control) {
        ASSERT(area.bytes <= sizeof(own_area));
        control = static_cast<ThreadControl*>(area.prepare(own_area));
        control->self = control;
        arch::set_thread_pointer(control);
    }
    control->block = &block;
    if constexpr (arch::task_has_stack_guard) {
        task.stack_guard = guard_of(startup);
        arch::set_stack_guard(task.stack_guard);
    }
    run_program(task, main, name, construct);
}

void assertion_failed_in_task(char const* expression, char const* file, int line)
{
    // No memory is asked for: the heap may be what failed.
    char digits[12];
    auto* at = digits + sizeof(digits);
    for (auto left = static_cast<unsigned>(line); at == digits + sizeof(digits) || left; left /= 10)
        *--at = static_cast<char>('0' + left % 10);
    system::debug_print("assertion failed: ");
    system::debug_print(expression);
    system::debug_print(" at ");
    system::debug_print(file);
    system::debug_print(":");
    system::debug_print({ at, static_cast<usize>(digits + sizeof(digits) - at) });
    system::debug_print("\n");
    system::exit(exit_assertion);
}

void stack_smashed_in_task()
{
    system::exit(exit_smashed);
}

void* heap_allocate(usize bytes, usize align)
{
    auto& task = *self()->task;
    auto* block = task.heap.allocate(bytes, align);
    for (auto tries = task.patience.load(); !block && tries != 0; --tries) {
        sleep_until(Deadline::after_ms(1));
        block = task.heap.allocate(bytes, align);
    }
    return block;
}

void heap_free(void* block)
{
    self()->task->heap.free(block);
}

} // namespace gemel
