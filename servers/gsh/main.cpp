// The shell: interactive at a terminal, or a script from -c, a file, standard input or the
// machine's command line. The system's first shell also says that the system is up.
#include "servers/gsh/executor.hpp"
#include "servers/gsh/parser.hpp"
#include "servers/gsh/path.hpp"
#include "servers/gsh/prompt.hpp"
#include "servers/gsh/system_world.hpp"

#include <array>

namespace gemel::gsh {
namespace {

constexpr std::string_view default_path = "/gemel/bin:/bin";
constexpr usize motd_bytes_max = 64 * 1024;

struct Shell {
    Env& env;
    Own<SystemWorld> world;
    Streams streams;
    Executor executor;
    bool first; // init started it, not another shell

    Shell(Env& the_env, Own<SystemWorld> the_world, Streams the_streams)
        : env(the_env)
        , world(std::move(the_world))
        , streams(the_streams)
        , executor(*world, std::move(the_streams))
        , first(!the_env.variable("SHLVL"))
    {
    }
};

// What is not there is left out: a shell can do without all of it but the vfs and the processes.
template <Protocol P>
Client<P> optional_client(Env& env, std::string_view name)
{
    auto client = env.take<P>(name);
    return client ? std::move(*client) : Client<P> {};
}

Handle optional_handle(Env& env, std::string_view name)
{
    auto handle = env.take_handle(name);
    return handle ? std::move(*handle) : Handle {};
}

Result<Own<SystemWorld>> make_world(Env& env)
{
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    auto services = SystemWorld::Services {};
    services.processes = TRY(env.take<protocol::Processes>("process"));
    services.console = optional_client<protocol::Console>(env, "console");
    services.pipes = optional_client<protocol::Pipes>(env, "pipe");
    services.init = optional_client<protocol::Init>(env, "init");
    services.others.scheduler = optional_handle(env, "scheduler");
    services.others.pager = optional_handle(env, "pager");
    services.others.clock = optional_handle(env, "clock");
    services.others.log = optional_handle(env, "log-tail");
    services.others.audit = optional_handle(env, env.has("audit") ? "audit" : "broker-audit");
    return SystemWorld::create(std::move(files), std::move(services));
}

Result<Streams> make_streams(Env& env, SystemWorld& world)
{
    if (!env.has("stdin")) {
        auto const terminal = TRY(world.open_console());
        return Streams { terminal, terminal, terminal };
    }
    auto input = TRY(world.attach(TRY(env.take<protocol::File>("stdin"))));
    auto output = TRY(world.attach(TRY(env.take<protocol::File>("stdout"))));
    auto errors = TRY(world.attach(TRY(env.take<protocol::File>("stderr"))));
    return Streams { std::move(input), std::move(output), std::move(errors) };
}

void set_variables(Shell& shell)
{
    auto& variables = shell.executor.variables;
    auto level = 1;
    if (!shell.first) {
        for (auto const variable : shell.env.variables()) {
            auto const equals = variable.find('=');
            variables.set(
                variable.substr(0, equals), variable.substr(equals + 1), Variables::Export::yes);
        }
        level += std::atoi(variables.get("SHLVL").c_str());
        shell.executor.directory = absolute_path("/", variables.get("PWD"));
    }
    for (auto const& [name, value] :
        { std::pair("PATH", default_path), std::pair("HOME", std::string_view("/")) })
        if (!variables.has(name))
            variables.set(name, value, Variables::Export::yes);
    variables.set("SHLVL", std::to_string(level), Variables::Export::yes);
    variables.set("PWD", shell.executor.directory);
    variables.set("GSH_TASK", std::to_string(shell.env.startup().task_id));
}

// %XX as docs/booting.md says; what does not follow it stands for itself.
std::string unescape_word(std::string_view word)
{
    auto const digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    auto result = std::string {};
    for (usize i = 0; i < word.size(); ++i) {
        if (word[i] == '%' && i + 2 < word.size() && digit(word[i + 1]) >= 0
            && digit(word[i + 2]) >= 0) {
            result += static_cast<char>(digit(word[i + 1]) * 16 + digit(word[i + 2]));
            i += 2;
        } else {
            result += word[i];
        }
    }
    return result;
}

Result<void> announce(Shell& shell)
{
    auto const milliseconds = system::time_ns() / 1'000'000;
    return shell.streams.output->write("gemel: up in " + std::to_string(milliseconds) + " ms\n");
}

int run_file(Shell& shell, std::vector<std::string_view> const& arguments)
{
    auto const name = std::string(arguments[1]);
    auto const path = absolute_path(shell.executor.directory, name);
    auto const text = shell.world->read_file(path, script_bytes_max);
    if (!text) {
        auto const what = "gsh: " + name + ": " + std::string(name_of(text.error())) + "\n";
        static_cast<void>(shell.streams.errors->write(what));
        return text.error() == Error::not_found ? status_not_found : status_cannot_run;
    }
    shell.executor.variables.arguments.assign(arguments.begin() + 1, arguments.end());
    return shell.executor.run_text(*text, name);
}

int run_option(Shell& shell, std::vector<std::string_view> const& arguments)
{
    if (arguments[1] != "-c" || arguments.size() < 3) {
        static_cast<void>(shell.streams.errors->write(
            "gsh: usage: gsh [-c SCRIPT [NAME ARGUMENT...] | FILE [ARGUMENT...]]\n"));
        return status_syntax;
    }
    if (arguments.size() > 3)
        shell.executor.variables.arguments.assign(arguments.begin() + 3, arguments.end());
    return shell.executor.run_text(arguments[2], "-c");
}

// A command is run as soon as its last line was read: what follows may be its input.
Result<void> run_input(Shell& shell)
{
    auto text = std::string {};
    auto start = Position {};
    auto buffer = std::array<char, 4096> {};
    for (auto ended = false; !ended && !shell.executor.has_ended();) {
        auto const count = TRY(shell.streams.input->read(buffer));
        ended = count == 0;
        text.append(buffer.data(), count);
        if (text.size() > script_bytes_max)
            return Error::too_big;
        if (!ended && !text.ends_with('\n'))
            continue;
        auto const script = parse(text, start);
        if (!ended && !script && script.error().kind == SyntaxError::Kind::incomplete)
            continue;
        shell.executor.run_text(text, "stdin", start);
        start.line += static_cast<u32>(std::count(text.begin(), text.end(), '\n'));
        text.clear();
        if (!script)
            break;
    }
    return {};
}

Result<bool> at_terminal(Shell& shell)
{
    if (!shell.world->console() || shell.env.variable("GEMEL_INTERACTIVE") == "0")
        return false;
    if (shell.first)
        return true;
    return TRY(static_cast<SystemStream&>(*shell.streams.input).status()).kind
        == FileKind::character_device;
}

Result<void> run_prompt(Shell& shell)
{
    if (shell.first) {
        if (auto const motd = shell.world->read_file("/etc/motd", motd_bytes_max))
            TRY(shell.streams.output->write(*motd));
        TRY(announce(shell));
    }
    return Prompt(*shell.world, shell.executor, shell.streams.input).run();
}

Result<void> run_shell(Shell& shell)
{
    auto& status = shell.executor.variables.status;
    auto const& arguments = shell.env.arguments();
    auto const command = shell.first ? shell.env.variable("GEMEL_COMMAND") : std::nullopt;
    auto const scripted = arguments.size() > 1 || command.has_value();
    if (!scripted && TRY(at_terminal(shell)))
        return run_prompt(shell);
    if (shell.first) {
        TRY(announce(shell));
        if (shell.world->console())
            TRY(shell.world->watch_interrupts());
    }
    if (arguments.size() > 1)
        status = arguments[1].starts_with('-') ? run_option(shell, arguments)
                                               : run_file(shell, arguments);
    else if (command)
        status = shell.executor.run_text(unescape_word(*command), "-c");
    else
        return run_input(shell);
    return {};
}

} // namespace

Result<void> server_main(Env& env)
{
    auto world = TRY(make_world(env));
    auto streams = TRY(make_streams(env, *world));
    auto shell = Shell(env, std::move(world), std::move(streams));
    set_variables(shell);
    TRY(run_shell(shell));
    env.set_exit_status(static_cast<u8>(shell.executor.variables.status));
    return {};
}

} // namespace gemel::gsh
