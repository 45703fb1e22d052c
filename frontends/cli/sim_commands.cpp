#include "frontends/cli/sim_commands.hpp"

#include "frontends/cli/host_threads.hpp"

namespace gemel::cli {

SimCommands::SimCommands(CLI::App& app)
{
    add_sim(app);
    add_replay(app);
    add_when(app);
    diverge_ = app.add_subcommand("diverge", "the first event in which two runs differ");
    diverge_->add_option("A", left_, "events of one run (gemel sim --events A)")->required();
    diverge_->add_option("B", right_, "events of the other")->required();
    sites_ = app.add_subcommand(
        "sites", "fault, sometimes and never sites, and how often seeds reach them");
    sites_->add_flag("--never-hit", never_hit_, "only those that no run reached");
    sites_options_.seeds = "1..20";
    sites_options_.workload = "posix-mix";
    sites_->add_option("--seeds", sites_options_.seeds, "A..B")->capture_default_str();
    sites_->add_option("--workload", sites_options_.workload, "which")->capture_default_str();
}

namespace {

void add_processor_seconds(CLI::App& command, unsigned& seconds)
{
    command
        .add_option("--processor-seconds", seconds,
            "what one run may take of the host's processor: then it is INCONCLUSIVE")
        ->check(CLI::Range(1u, 86'400u))
        ->capture_default_str();
}

} // namespace

void SimCommands::add_replay(CLI::App& app)
{
    auto& options = replay_options_;
    replay_ = app.add_subcommand("replay", "a failed run or a recorded session again");
    refuse_host_threads(*replay_);
    replay_->add_option("FILE", options.file, "of gemel sim (fail-....gemel) or gemel record")
        ->required();
    replay_->add_option(
        "--to", options.to, "a time since the boot (1.5s) or event:N: who waits for what then");
    replay_->add_flag("--shell", options.shell,
        "a recorded session to its end or --to, and then live, on a copy of its disk");
    replay_->add_flag("--gdb", options.gdb, "in gdb, standing where it failed or at --to");
    replay_
        ->add_option(
            "--ex", options.commands, "a command for gdb, which then ends; may be repeated")
        ->type_size(1)
        ->allow_extra_args(false);
    replay_->add_option("--events", options.events, "every event into this file");
    replay_->add_option("--trace-text", options.trace_text, "every event as text");
    replay_->add_option("--trace", options.trace, "a trace for ui.perfetto.dev");
    replay_->add_flag("--console", options.console,
        "show the end of the console; of a recorded session, all that its user saw");
    replay_->add_option("--heap-fill", options.heap_fill, "what fresh memory holds: 1..255")
        ->check(CLI::Range(0, 255));
    add_processor_seconds(*replay_, options.processor_seconds);
    replay_->add_flag("--serve", options.serve, "talk to gdb, which started this")->group("");
    shrink_ = app.add_subcommand("shrink", "fewer decisions that fail in the same way");
    shrink_->add_option("FILE", shrink_options_.file, "fail-....gemel")->required();
    shrink_->add_option(
        "-o,--output", shrink_options_.to, "the shrunk journal (default: FILE itself)");
    shrink_->add_option("--runs", shrink_options_.runs_max, "how many runs it may take")
        ->capture_default_str();
    shrink_->add_option("--time", shrink_options_.time,
        "how long it looks for smaller ones: 60s (default: until there is none)");
    add_processor_seconds(*shrink_, shrink_options_.processor_seconds);
}

void SimCommands::add_when(CLI::App& app)
{
    auto& options = when_options_;
    when_ = app.add_subcommand(
        "when", "how likely a failure was, from each instant on, and when it was certain");
    when_->add_option("FILE", options.file, "fail-....gemel")->required();
    when_->add_option("--seeds", options.seeds, "futures that are tried from each instant")
        ->check(CLI::Range(1u, 100'000u))
        ->capture_default_str();
    when_->add_option("--points", options.points, "instants, before it looks more closely")
        ->check(CLI::Range(2u, 1000u))
        ->capture_default_str();
    when_->add_option("--jobs", options.jobs, "runs at a time")
        ->check(CLI::Range(1u, 64u))
        ->capture_default_str();
    when_->add_option("--strategy", options.strategy, "who runs next in these futures")
        ->capture_default_str();
    when_->add_flag("--json", options.json, "the same as JSON");
}

void SimCommands::add_run_options(CLI::App& command)
{
    command.add_option("--until", options_.until,
        "virtual time by which a run must have ended (default: the workload's, mostly 10s)");
    command
        .add_option("--workload", options_.workload,
            "boot, posix-mix, session, server-kill, fs-crash, fs-crash-1, fs-crash-2, fs-crash-3, "
            "fs-crash-long, "
            "vfs-race, rights-race, cap-storm, fair, steady, or a program of the boot bundle")
        ->capture_default_str();
    command
        .add_option("--strategy", options_.strategy,
            "run-to-block, random-walk, preempt, pct, delay, pos, urw or portfolio")
        ->capture_default_str();
    command
        .add_option("--faults", options_.faults,
            "default (the workload's; of a program those of posix-mix), none, all, or families "
            "with "
            "commas")
        ->capture_default_str();
    command.add_option("--cpus", options_.cpus, "virtual processors, whose turns are chosen")
        ->check(CLI::Range(1u, cpus_max))
        ->capture_default_str();
    command.add_flag("--preempt", options_.preempt,
        "threads are stopped inside their code, too; builds hosted-preempt, by clang-16");
    command
        .add_flag("--races", options_.races,
            "two tasks or threads that touch the same bytes with nothing between them to order "
            "them fail; builds hosted-tsan")
        ->excludes("--preempt");
    refuse_host_threads(command);
    add_processor_seconds(command, options_.processor_seconds);
    command.add_flag("--console", options_.show_console, "show the end of the console");
    command.add_flag(
        "--no-jail", options_.open_jail, "do not trap what is outside (for debuggers)");
}

void SimCommands::add_sim(CLI::App& app)
{
    sim_ = app.add_subcommand("sim", "the system in a closed, deterministic world");
    auto* which = sim_->add_option_group("which seeds");
    which->add_option("--seed", options_.seed, "one seed");
    which->add_option("--seeds", options_.seeds, "A..B, both included");
    which->add_option("--time", options_.time, "seeds from 1 on for this long: 60s");
    which->require_option(0, 1);
    add_run_options(*sim_);
    sim_->add_flag("--twice", options_.twice,
        "each seed again, and again with another heap fill and stack: the hashes must be equal");
    sim_->add_flag("--each", options_.each, "a line for each seed that passes, too");
    sim_->add_flag("--first-failure", options_.first_failure, "stop at the first seed that fails");
    sim_->add_option("--jobs", options_.jobs, "runs at a time")->capture_default_str();
    sim_->add_option("--journals", options_.journal_folder, "the folder for journals of failures")
        ->capture_default_str();
    sim_->add_option("--events", options_.events, "every event into this file (one seed)");
    sim_->add_option("--trace-text", options_.trace_text, "every event as text (one seed)");
    sim_->add_option("--trace", options_.trace, "a trace for ui.perfetto.dev (one seed)");
    sim_->add_flag("--messages", options_.messages,
        "servers print what they answer: another run, since that takes its time");
    sim_->add_option("--block-log", options_.block_log,
        "what is asked of the disk, a line each, into this file (one seed, not with --twice)");
    add_corpus_options(*sim_);
    sim_->add_option("--heap-fill", options_.heap_fill, "what fresh memory holds: 1..255")
        ->check(CLI::Range(0, 255));
    sim_->add_option("--stack-pad", options_.stack_pad, "bytes that the host's stack is moved by")
        ->check(CLI::Range(0u, 4u << 20));
}

void SimCommands::add_corpus_options(CLI::App& command)
{
    auto* corpus = command.add_option("--corpus", options_.corpus,
        "a folder: --seeds A..B number runs that are made from journals in there, one after the "
        "other; what shows something new is kept");
    corpus->excludes("--twice", "--jobs", "--events", "--trace-text", "--trace", "--block-log");
    command
        .add_option("--campaign-seed", options_.campaign_seed, "of the corpus: other runs of it")
        ->needs(corpus)
        ->capture_default_str();
    command
        .add_flag("!--no-guidance", options_.guided,
            "of the corpus: keep runs whatever they showed, for comparison")
        ->needs(corpus);
    command
        .add_flag("--minimise", options_.minimise,
            "of the corpus: take out what covers nothing more, run nothing")
        ->needs(corpus);
}

// The program calls itself for a run in a fresh process: no words for users.
void run_simulation_words(int count, char** words)
{
    constexpr int words_count = 15;
    if (count != words_count || std::string_view { words[1] } != "sim-run")
        return;
    if (auto const host = SimHost::open())
        host->run_words({ words, words + count });
}

std::optional<OtherBuild> SimCommands::needed_build() const
{
    if (replay_->parsed())
        return other_build_of(replay_options_.file);
    if (shrink_->parsed())
        return other_build_of(shrink_options_.file);
    if (when_->parsed())
        return other_build_of(when_options_.file);
    if (sim_->parsed() && options_.preempt)
        return OtherBuild::edges;
    if (sim_->parsed() && options_.races)
        return OtherBuild::races;
    return std::nullopt;
}

std::optional<int> SimCommands::run(std::vector<std::string> const& words)
{
    if (auto const build = needed_build(); build && !is_here(*build))
        return go_on_in(*build, words);
    if (sim_->parsed())
        return simulate(options_);
    if (replay_->parsed())
        return replay(replay_options_);
    if (shrink_->parsed())
        return shrink_journal(shrink_options_);
    if (when_->parsed())
        return when(when_options_);
    if (diverge_->parsed())
        return diverge(left_, right_);
    if (sites_->parsed())
        return show_sites(sites_options_, never_hit_);
    return std::nullopt;
}

} // namespace gemel::cli
