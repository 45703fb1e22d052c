// What gdb talks to when it debugs a replay: gdb's remote protocol on standard input and output,
// with reverse execution (packets bc and bs), over a Timeline.
//
// `monitor` has besides: where, goto event:N | goto +N | goto -N | goto TIME_NS, marks. A goto
// takes place when gdb next lets the run go on by one step, whatever the direction: gdb then
// forgets what it knew (the Python commands in frontends/gdb do that).
#pragma once

#include <functional>

namespace gemel::travel {

// Runs until gdb ends. `body` is the run, as Timeline wants it. Answers the exit status.
int serve_debugger(std::function<void()> const& body);

} // namespace gemel::travel
