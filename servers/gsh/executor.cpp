#include "servers/gsh/executor.hpp"

#include "servers/gsh/parser.hpp"
#include "servers/gsh/path.hpp"

#include <algorithm>
#include <array>

namespace gemel::gsh {

Result<std::string> read_all(Stream& stream, usize bytes_max)
{
    auto result = std::string {};
    auto buffer = std::array<char, 4096> {};
    for (;;) {
        auto const count = TRY(stream.read(buffer));
        if (count == 0)
            return result;
        if (result.size() + count > bytes_max)
            return Error::too_big;
        result.append(buffer.data(), count);
    }
}

int Executor::run_text(
    std::string_view source, std::string const& name, Streams const& streams, Position start)
{
    auto const outer = std::exchange(name_, name);
    auto const script = parse(source, start);
    if (!script) {
        complain(streams, prefix(script.error().where) + script.error().what);
        variables.status = status_syntax;
    } else if (nesting_ >= nesting_max) {
        variables.status = fail(streams, "scripts are nested too deeply");
    } else {
        ++nesting_;
        variables.status = run_script(*script, streams);
        --nesting_;
    }
    name_ = outer;
    return variables.status;
}

void Executor::recover()
{
    if (flow_ != Flow::exit)
        flow_ = Flow::next;
    loops_ = 0;
    nesting_ = 0;
}

std::string Executor::prefix(Position where) const
{
    return name_ + ":" + std::to_string(where.line) + ":" + std::to_string(where.column) + ": ";
}

// There is nobody left to tell when the error stream itself fails.
void Executor::complain(Streams const& streams, std::string const& what)
{
    static_cast<void>(streams.errors->write(what + "\n"));
}

int Executor::fail(Streams const& streams, std::string const& what, int status)
{
    complain(streams, "gsh: " + what);
    return status;
}

bool Executor::interrupted()
{
    if (flow_ == Flow::next && world_.take_interrupt())
        flow_ = Flow::interrupted;
    return flow_ == Flow::interrupted;
}

int Executor::run_script(Script const& script, Streams const& streams)
{
    for (auto const& pipeline : script.pipelines) {
        auto const failed = variables.status != 0;
        if ((pipeline.connector == Pipeline::Connector::if_succeeded && failed)
            || (pipeline.connector == Pipeline::Connector::if_failed && !failed))
            continue;
        if (interrupted())
            return status_interrupted;
        variables.status = run_pipeline(pipeline, streams);
        if (flow_ != Flow::next)
            break;
    }
    return variables.status;
}

int Executor::run_pipeline(Pipeline const& pipeline, Streams const& streams)
{
    auto const status = pipeline.timing == Pipeline::Timing::report ? run_timed(pipeline, streams)
                                                                    : run_stages(pipeline, streams);
    if (pipeline.sense == Pipeline::Sense::plain || flow_ != Flow::next)
        return status;
    return status == 0 ? 1 : 0;
}

int Executor::run_timed(Pipeline const& pipeline, Streams const& streams)
{
    auto const start = world_.now_ns();
    auto const status = run_stages(pipeline, streams);
    auto const microseconds = (world_.now_ns() - start) / 1000;
    auto fraction = std::to_string(microseconds % 1'000'000);
    fraction.insert(0, 6 - fraction.size(), '0');
    complain(streams, "real " + std::to_string(microseconds / 1'000'000) + "." + fraction + " s");
    return status;
}

// Programs run side by side; at most one stage is the shell's own and runs here, after they
// started.
int Executor::run_stages(Pipeline const& pipeline, Streams const& streams)
{
    auto stages = std::vector<Stage>(pipeline.commands.size());
    auto const many = stages.size() > 1;
    if (!connect(pipeline, stages, streams))
        return 1;
    Stage* inside = nullptr;
    for (auto& stage : stages) {
        if (!prepare(stage, many) || stage.status)
            continue;
        if (!runs_inside(stage, many))
            continue;
        if (inside)
            return fail(streams,
                "only one of a pipeline's commands may be the shell's own (a loop, cd, read...)",
                2);
        inside = &stage;
    }
    for (auto& stage : stages)
        if (&stage != inside && !stage.status)
            start(stage);
    if (inside) {
        inside->status = run_inside(*inside);
        inside->streams = {};
    }
    auto status = 0;
    for (auto& stage : stages)
        status = finish(stage);
    return flow_ == Flow::interrupted ? status_interrupted : status;
}

bool Executor::connect(Pipeline const& pipeline, std::vector<Stage>& stages, Streams const& streams)
{
    for (usize i = 0; i < stages.size(); ++i) {
        stages[i].command = &pipeline.commands[i];
        stages[i].streams.errors = streams.errors;
    }
    stages.front().streams.input = streams.input;
    stages.back().streams.output = streams.output;
    for (usize i = 1; i < stages.size(); ++i) {
        auto pipe = world_.pipe(World::PipeUse::stream);
        if (!pipe) {
            fail(streams, "no pipe: " + std::string(name_of(pipe.error())));
            return false;
        }
        stages[i - 1].streams.output = std::move(pipe->writer);
        stages[i].streams.input = std::move(pipe->reader);
    }
    return true;
}

// Redirections and words. On failure the stage has its status and its streams are let go, so that
// its neighbours see the end of their pipes.
bool Executor::prepare(Stage& stage, bool in_pipeline)
{
    auto const* simple = std::get_if<SimpleCommand>(&stage.command->kind);
    if (simple) {
        auto words = expander(stage.streams).fields(simple->words);
        if (!words) {
            complain(stage.streams, prefix(words.error().where) + words.error().what);
            stage.status = 1;
        } else {
            stage.words = std::move(*words);
        }
    }
    if (!stage.status && !redirect(*stage.command, stage.streams))
        stage.status = 1;
    // Assignments alone, in a pipeline, would be seen by nobody.
    if (!stage.status && in_pipeline && simple && stage.words.empty())
        stage.status = 0;
    if (!stage.status)
        return true;
    stage.streams = {};
    return false;
}

bool Executor::runs_inside(Stage const& stage, bool in_pipeline) const
{
    if (!std::holds_alternative<SimpleCommand>(stage.command->kind) || stage.words.empty())
        return true;
    auto const* builtin = find_builtin(stage.words[0]);
    return builtin && !(in_pipeline && builtin->has_program);
}

void Executor::start(Stage& stage)
{
    auto const streams = std::exchange(stage.streams, {});
    auto const& name = stage.words[0];
    auto const path = name.find('/') == std::string::npos
        ? world_.find_program(name, variables.get("PATH"))
        : world_.find_program(absolute_path(directory, name), {});
    if (!path) {
        auto const missing = path.error() == Error::not_found;
        stage.status = fail(streams, name + ": " + std::string(name_of(path.error())),
            missing ? status_not_found : status_cannot_run);
        return;
    }
    auto const& command = std::get<SimpleCommand>(stage.command->kind);
    auto process = world_.spawn({ *path, stage.words, spawn_variables(command, streams), streams });
    if (process)
        stage.process = std::move(*process);
    else
        stage.status
            = fail(streams, name + ": " + std::string(name_of(process.error())), status_cannot_run);
}

std::vector<std::string> Executor::spawn_variables(
    SimpleCommand const& command, Streams const& streams)
{
    auto result = variables.exported();
    for (auto const& assignment : command.assignments)
        if (auto value = expander(streams).text(assignment.value))
            result.push_back(assignment.name + "=" + *value);
    result.push_back("PWD=" + directory);
    return result;
}

int Executor::run_inside(Stage& stage)
{
    auto const& kind = stage.command->kind;
    if (auto const* command = std::get_if<IfCommand>(&kind))
        return run_if(*command, stage.streams);
    if (auto const* command = std::get_if<LoopCommand>(&kind))
        return run_loop(*command, stage.streams);
    if (auto const* command = std::get_if<ForCommand>(&kind))
        return run_for(*command, stage.streams);
    if (auto const* command = std::get_if<GroupCommand>(&kind))
        return run_script(*command->body, stage.streams);
    return run_simple(stage);
}

int Executor::run_simple(Stage& stage)
{
    auto const& command = std::get<SimpleCommand>(stage.command->kind);
    auto const before = variables.status;
    variables.status = 0;
    if (!assign(command, stage.streams))
        return 1;
    if (stage.words.empty()) // the status of the last $(...) in it, or success
        return variables.status;
    variables.status = before;
    return (this->*find_builtin(stage.words[0])->run)(stage.words, stage.streams);
}

int Executor::finish(Stage& stage)
{
    if (stage.process) {
        auto const status = stage.process->wait();
        stage.status = status ? *status : 1;
        if (stage.status == status_interrupted && world_.take_interrupt())
            flow_ = flow_ == Flow::exit ? flow_ : Flow::interrupted;
    }
    return stage.status.value_or(1);
}

bool Executor::assign(SimpleCommand const& command, Streams const& streams)
{
    for (auto const& assignment : command.assignments) {
        auto const value = expander(streams).text(assignment.value);
        if (!value) {
            complain(streams, prefix(value.error().where) + value.error().what);
            return false;
        }
        variables.set(assignment.name, *value);
    }
    return true;
}

bool Executor::redirect(Command const& command, Streams& streams)
{
    return std::ranges::all_of(command.redirections,
        [&](Redirection const& redirection) { return redirect_one(redirection, streams); });
}

bool Executor::redirect_one(Redirection const& redirection, Streams& streams)
{
    auto const of = [&](u8 descriptor) -> StreamRef& {
        return descriptor == 0 ? streams.input : descriptor == 1 ? streams.output : streams.errors;
    };
    if (redirection.kind == Redirection::Kind::same_as) {
        of(redirection.descriptor) = of(redirection.other);
        return true;
    }
    auto const name = expander(streams).file_name(redirection.target);
    if (!name) {
        complain(streams, prefix(name.error().where) + name.error().what);
        return false;
    }
    auto const purpose = redirection.kind == Redirection::Kind::input ? OpenFor::input
        : redirection.kind == Redirection::Kind::output               ? OpenFor::output
                                                                      : OpenFor::append;
    auto stream = world_.open(absolute_path(directory, *name), purpose);
    if (!stream) {
        fail(streams, *name + ": " + std::string(name_of(stream.error())));
        return false;
    }
    of(redirection.descriptor) = std::move(*stream);
    return true;
}

int Executor::run_if(IfCommand const& command, Streams const& streams)
{
    for (auto const& [condition, body] : command.branches) {
        auto const status = run_script(*condition, streams);
        if (flow_ != Flow::next)
            return status;
        if (status == 0)
            return run_script(*body, streams);
    }
    return command.otherwise ? run_script(*command.otherwise, streams) : 0;
}

// After a body: whether there is a next round.
bool Executor::loop_goes_on()
{
    if (flow_ == Flow::continue_loop)
        flow_ = Flow::next;
    if (flow_ == Flow::next && !interrupted())
        return true;
    if (flow_ == Flow::break_loop)
        flow_ = Flow::next;
    return false;
}

int Executor::run_loop(LoopCommand const& command, Streams const& streams)
{
    auto const wanted = command.until == LoopCommand::Until::fails;
    auto status = 0;
    ++loops_;
    for (;;) {
        auto const held = run_script(*command.condition, streams) == 0;
        if (flow_ != Flow::next || held != wanted)
            break;
        status = run_script(*command.body, streams);
        if (!loop_goes_on())
            break;
    }
    --loops_;
    loop_goes_on();
    return flow_ == Flow::interrupted ? status_interrupted : status;
}

int Executor::run_for(ForCommand const& command, Streams const& streams)
{
    auto const values = expander(streams).fields(command.words);
    if (!values) {
        complain(streams, prefix(values.error().where) + values.error().what);
        return 1;
    }
    auto status = 0;
    ++loops_;
    for (auto const& value : *values) {
        variables.set(command.variable, value);
        status = run_script(*command.body, streams);
        if (!loop_goes_on())
            break;
    }
    --loops_;
    return flow_ == Flow::interrupted ? status_interrupted : status;
}

Expander Executor::expander(Streams const& streams)
{
    return Expander(world_, variables, directory,
        [this, streams](Script const& script) { return substitute(script, streams); });
}

std::expected<std::string, std::string> Executor::substitute(
    Script const& script, Streams const& streams)
{
    auto pipe = world_.pipe(World::PipeUse::capture);
    if (!pipe)
        return std::unexpected("no pipe: " + std::string(name_of(pipe.error())));
    // What it sets, where it goes and that it exits stays inside.
    auto const outer_variables = variables;
    auto const outer_directory = directory;
    auto const outer_loops = std::exchange(loops_, 0);
    auto const status
        = run_script(script, { streams.input, std::move(pipe->writer), streams.errors });
    variables = outer_variables;
    variables.status = status;
    directory = outer_directory;
    loops_ = outer_loops;
    if (flow_ != Flow::interrupted)
        flow_ = Flow::next;
    auto output = read_all(*pipe->reader, script_bytes_max);
    if (!output)
        return std::unexpected("$(...): " + std::string(name_of(output.error())));
    return *std::move(output);
}

} // namespace gemel::gsh
