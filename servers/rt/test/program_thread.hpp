// A server of its own in a test's task: its server_main on a thread, with a port and what it is
// given.
#pragma once

#include "servers/rt/test/in_program.hpp"

namespace gemel::test {

class ProgramThread {
public:
    // Must outlive the test's calls to the server.
    explicit ProgramThread(Result<void> (*server_main)(Env&));
    ProgramThread(ProgramThread const&) = delete;

    // Before start. `name` has at most 23 bytes.
    void give(std::string_view name, Handle handle);
    void start();
    // A capability to its root object.
    Handle client() const;

private:
    Startup startup_;
    Handle port_;
    std::function<void()> run_;
};

} // namespace gemel::test
