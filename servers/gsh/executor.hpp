// Runs scripts. One executor is one shell: its variables, its directory, its history.
#pragma once

#include "servers/gsh/expand.hpp"
#include "servers/gsh/syntax.hpp"
#include "servers/gsh/variables.hpp"
#include "servers/gsh/world.hpp"

#include <optional>

namespace gemel::gsh {

// Exit statuses that the shell itself gives.
inline constexpr int status_syntax = 2;
inline constexpr int status_cannot_run = 126;
inline constexpr int status_not_found = 127;
inline constexpr int status_interrupted = 130;

class Executor {
public:
    Executor(World& world, Streams streams)
        : world_(world)
        , streams_(std::move(streams))
    {
    }

    // Parses all of it, then runs it; a syntax error is told with line and column. `name` stands in
    // messages. Returns the last status, which is $? as well.
    int run_text(std::string_view source, std::string const& name, Position start = {})
    {
        return run_text(source, name, streams_, start);
    }
    int run_text(std::string_view source, std::string const& name, Streams const& streams,
        Position start = {});
    // The last run was ended by the user.
    bool was_interrupted() const { return flow_ == Flow::interrupted; }
    // `exit` or `shutdown` has been run: take no more.
    bool has_ended() const { return flow_ == Flow::exit; }
    // After an interrupt: forget it and go on with the next line.
    void recover();
    static std::vector<std::string> builtin_names();

    Variables variables;
    std::string directory = "/";
    std::vector<std::string> history;

private:
    enum class Flow : u8 { next, break_loop, continue_loop, exit, interrupted };

    // A stage of a pipeline, ready to run.
    struct Stage {
        Command const* command = nullptr;
        std::vector<std::string> words; // simple commands only
        Streams streams;
        std::unique_ptr<Process> process;
        std::optional<int> status;
    };
    using Builtin = int (Executor::*)(std::vector<std::string> const&, Streams const&);
    // Whether a program of the same name exists as well, so that a pipeline can run it apart.
    struct BuiltinEntry {
        std::string_view name;
        Builtin run;
        bool has_program;
        std::string_view help;
    };
    static std::span<BuiltinEntry const> builtins();
    static BuiltinEntry const* find_builtin(std::string_view name);

    int run_script(Script const& script, Streams const& streams);
    int run_pipeline(Pipeline const& pipeline, Streams const& streams);
    int run_timed(Pipeline const& pipeline, Streams const& streams);
    int run_stages(Pipeline const& pipeline, Streams const& streams);
    bool connect(Pipeline const& pipeline, std::vector<Stage>& stages, Streams const& streams);
    bool prepare(Stage& stage, bool in_pipeline);
    bool runs_inside(Stage const& stage, bool in_pipeline) const;
    void start(Stage& stage);
    int run_inside(Stage& stage);
    int finish(Stage& stage);
    int run_simple(Stage& stage);
    bool assign(SimpleCommand const& command, Streams const& streams);
    bool redirect(Command const& command, Streams& streams);
    bool redirect_one(Redirection const& redirection, Streams& streams);
    int run_if(IfCommand const& command, Streams const& streams);
    int run_loop(LoopCommand const& command, Streams const& streams);
    int run_for(ForCommand const& command, Streams const& streams);
    bool loop_goes_on();
    bool interrupted();
    Expander expander(Streams const& streams);
    std::expected<std::string, std::string> substitute(
        Script const& script, Streams const& streams);
    std::vector<std::string> spawn_variables(SimpleCommand const& command, Streams const& streams);
    void complain(Streams const& streams, std::string const& what);
    int fail(Streams const& streams, std::string const& what, int status = 1);
    int list_programs(Streams const& streams);
    int print(Streams const& streams, std::string const& name, std::string_view text);
    std::string prefix(Position where) const;

    // The builtins (builtins.cpp): arguments with their own name first, to an exit status.
    int builtin_cd(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_pwd(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_echo(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_true(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_false(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_test(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_exit(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_export(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_unset(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_set(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_source(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_history(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_help(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_read(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_break(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_shift(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_shutdown(std::vector<std::string> const& arguments, Streams const& streams);
    int builtin_type(std::vector<std::string> const& arguments, Streams const& streams);

    std::expected<bool, std::string> test_expression(std::span<std::string const> words);
    std::expected<bool, std::string> test_one(std::string const& what, std::string const& operand);
    std::expected<bool, std::string> test_two(
        std::string const& left, std::string const& what, std::string const& right);

    World& world_;
    Streams streams_;
    Flow flow_ = Flow::next;
    u32 loops_ = 0; // that enclose what runs now
    u32 nesting_ = 0; // of run_text and substitutions
    std::string name_ = "gsh";
};

// All of a stream, at most `bytes_max`; too_big beyond.
Result<std::string> read_all(Stream& stream, usize bytes_max);

inline constexpr usize script_bytes_max = 1 << 20;
inline constexpr usize history_lines_max = 1000;

} // namespace gemel::gsh
