// The tutorial's server: keeps one number and answers what counter_protocol.hpp declares.
#include "examples/hello/counter_protocol.hpp"
#include "servers/rt/rt.hpp"

namespace gemel::counter {
namespace {

using protocol::Counter;

class CounterServer {
public:
    Result<Counter::Add::Reply> on(Counter::Add const& request)
    {
        u64 sum = 0;
        if (__builtin_add_overflow(sum_, request.amount, &sum))
            return Error::too_big;
        sum_ = sum;
        return Counter::Add::Reply { sum_ };
    }

    Result<Counter::Echo::Reply> on(Counter::Echo const& request)
    {
        return Counter::Echo::Reply { request.text };
    }

private:
    u64 sum_ = 0;
};

static_assert(Serves<CounterServer, Counter>); // A message without a handler does not build.

} // namespace

Result<void> server_main(Env& env)
{
    env.log().info("counting from 0");
    return serve<Counter>(env.port(), CounterServer {});
}

} // namespace gemel::counter
