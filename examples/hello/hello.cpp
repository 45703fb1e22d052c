// The tutorial's client: everything it may reach arrives in `env`, by name.
#include "examples/hello/counter_protocol.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::hello {

Result<void> server_main(Env& env)
{
    using protocol::Counter;
    auto const counter = TRY(env.take<Counter>("counter"));
    auto const echo = TRY(counter.call(Counter::Echo { "hello" }));
    TRY(counter.call(Counter::Add { 40 }));
    auto const sum = TRY(counter.call(Counter::Add { 2 })).sum;
    auto const refused = counter.call(Counter::Add { ~u64 { 0 } });
    env.log().info(echo.text, ", the counter says ", sum,
        "; too much: ", refused ? "taken" : name_of(refused.error()));
    return {};
}

} // namespace gemel::hello
