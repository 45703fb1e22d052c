#include "servers/rt/test/in_program.hpp"

#include "tests/support/in_system.hpp"

namespace gemel::test {
namespace {

void run_body(Init const& init, std::function<void(Env&)> const& body)
{
    TaskState task { init.startup, {}, 0 };
    ThreadBlock block { .task = &task };
    ThreadControl control;
    control = { &control, &block };
    arch::set_thread_pointer(&control);
    {
        Env env { init.startup };
        body(env);
        // The capability that ends the machine is still needed.
        if (auto machine = env.take_handle("broker-machine"))
            machine->release();
    }
    arch::set_thread_pointer(nullptr);
}

} // namespace

int in_program(std::function<void(Env&)> body, std::function<void(hosted::System&)> const& prepare)
{
    constexpr u64 memory_bytes = 32u << 20;
    return in_system([&](Init const& init) { run_body(init, body); }, memory_bytes, prepare);
}

void in_thread(std::function<void()>& function, std::string_view name)
{
    auto const run = [](void* argument) { (*static_cast<std::function<void()>*>(argument))(); };
    auto thread = spawn_thread(run, &function, 64 * 1024, name);
    ASSERT(thread);
    thread->release();
}

} // namespace gemel::test
