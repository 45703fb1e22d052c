// What every tool works with.
#pragma once

#include "servers/rt/rt.hpp"
#include "servers/tools/output.hpp"

#include <map>

namespace gemel::tools {

inline constexpr int status_ok = 0;
inline constexpr int status_failed = 1;
inline constexpr int status_usage = 2;

class Context {
public:
    // What the command line holds beside the name.
    struct Options {
        std::string letters; // each option that was given
        std::map<char, std::string> values; // of those that take one
        std::vector<std::string> operands;
        bool has(char letter) const { return letters.find(letter) != std::string::npos; }
    };

    static Result<Own<Context>> create(Env& env);
    // For create().
    Context(Env& env, fskit::Files files, Output out, Output errors);

    std::string const& name() const { return name_; }
    Env& env() { return env_; }
    fskit::Files& files() { return files_; }
    Output& out() { return out_; }
    Output& errors() { return errors_; }

    // Reads options as POSIX does: letters may be joined, "--" ends them. A letter followed by ':'
    // in `known` takes a value. Nothing, after a message, when one is wrong.
    std::optional<Options> options(std::string_view known);
    // All after the name, as they are.
    std::vector<std::string> arguments() const;

    std::string absolute(std::string_view path) const;
    Result<fskit::OpenFile> open(std::string const& path, OpenFlags flags);
    // "-" is standard input.
    Result<fskit::OpenFile> open_input(std::string const& path);
    // Runs `work` for each operand, or once for standard input ("-") when there is none. 1 when any
    // failed, after a message for each.
    using Work = std::function<Result<void>(fskit::OpenFile& file, std::string const& path)>;
    int for_each_input(std::vector<std::string> const& paths, Work const& work);

    // NAME: PATH: message. Returns status_failed.
    int fail(std::string_view path, Error error) { return fail(path, name_of(error)); }
    int fail(std::string_view path, std::string_view message);
    // NAME: message
    int fail(std::string_view message);
    // NAME: message, then how it is used. Returns status_usage.
    int usage(std::string_view message);

    // A number of the command line; nothing, after a message, when it is none or below 0.
    std::optional<u64> number(std::string_view text);
    // A capability by name; nothing, after a message, when this program was not given it.
    template <Protocol P>
    std::optional<Client<P>> client(std::string_view capability)
    {
        auto result = env_.take<P>(capability);
        if (result)
            return std::move(*result);
        refuse(capability);
        return std::nullopt;
    }
    std::optional<AuditBroker> audit();

private:
    void refuse(std::string_view capability);

    Env& env_;
    fskit::Files files_;
    Output out_;
    Output errors_;
    std::string name_;
    std::string directory_;
};

} // namespace gemel::tools
