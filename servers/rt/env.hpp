// Env: everything a program was given. It opens nothing by a global name.
#pragma once

#include "core/abi/startup.hpp"
#include "servers/rt/client.hpp"
#include "servers/rt/log.hpp"
#include "servers/rt/thread.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace gemel {

class Env {
public:
    explicit Env(Startup const& startup);
    Env(Env const&) = delete;

    // Program name first, as its starter gave them.
    std::vector<std::string_view> const& arguments() const { return arguments_; }
    std::optional<std::string_view> variable(std::string_view name) const;
    // All of them, as NAME=value.
    std::vector<std::string_view> const& variables() const { return variables_; }

    // Each capability can be taken once: not_found afterwards, and for a name nobody gave.
    Result<Handle> take_handle(std::string_view name);
    template <Protocol P>
    Result<Client<P>> take(std::string_view name)
    {
        return Client<P>(TRY(take_handle(name)));
    }
    bool has(std::string_view name) const;

    // The service's own port ("port"), which stays here. Empty for a program that has none.
    Handle const& port() const { return port_; }
    // Goes to the log service ("log"), or to the debug output when there is none.
    Log& log() { return log_; }
    Startup const& startup() const { return startup_; }

    // What the program's end says to who waits for it: 0 success, up to 255. An Error returned from
    // server_main is 1 unless this says otherwise.
    void set_exit_status(u8 status) { exit_status_ = status; }
    std::optional<u8> exit_status() const { return exit_status_; }

private:
    struct Given {
        std::string_view name;
        Handle handle;
    };
    Startup const& startup_;
    std::vector<std::string_view> arguments_;
    std::vector<std::string_view> variables_;
    std::vector<Given> given_;
    Handle port_;
    Log log_;
    std::optional<u8> exit_status_;
};

} // namespace gemel
