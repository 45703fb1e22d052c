// init on the real hosted kernel, with a bundle and programs of the test's own.
#include "servers/init/test_archive.hpp"
#include "servers/protocols/init.hpp"
#include "servers/protocols/keeper.hpp"
#include "servers/protocols/process.hpp"
#include "servers/rt/rt.hpp"
#include "servers/rt/start.hpp"

#include <gemel/arch/program.hpp>
#include <gemel/hosted/system.hpp>

#include <algorithm>
#include <functional>
#include <gtest/gtest.h>

namespace gemel::init {

Result<void> server_main(Env& env);

namespace {

using namespace std::string_literals;

// The body of the program "probe", and what it found wrong. It runs in a task of its own, so what
// it allocates must not outlive it.
std::function<void(Env&)> probe_body;

void fail(std::string_view what)
{
    system::debug_print(concatenate("probe: ", what, '\n'));
    system::exit(99);
}

void expect(bool holds, std::string_view what)
{
    if (!holds)
        fail(what);
}

Result<void> probe(Env& env)
{
    probe_body(env);
    return {};
}

// Ends with the number of its arguments.
Result<void> count(Env& env)
{
    env.set_exit_status(static_cast<u8>(env.arguments().size() + 100 * env.has("gift")));
    return {};
}

Result<void> fail_at_once(Env&)
{
    return Error::invalid;
}

Result<void> fault(Env&)
{
    auto volatile address = u64 { 0x10 };
    *reinterpret_cast<u32*>(address) = 1;
    return {};
}

Result<void> sleep_for_ever(Env&)
{
    for (;;)
        sleep_until(Deadline::none());
}

// In peace, when those that need it have started.
Result<void> find_nothing_to_do(Env&)
{
    sleep_until(Deadline::after_ms(30));
    return {};
}

Result<void> fail_after_a_while(Env&)
{
    sleep_until(Deadline::after_ms(30));
    return Error::invalid;
}

// Answers one request with the number after the one it was sent, then fails.
Result<void> answer_once(Env& env)
{
    auto const request = TRY(system::port_receive(env.port().value(), Deadline::none()));
    TRY(system::port_send(
        request.token, system::Message { .tag = 0, .words = { request.message.words[0] + 1 } }));
    return Error::invalid;
}

// How many times "settling" still fails at its start.
int failures_left = 0;

Result<void> fail_at_first(Env& env)
{
    if (failures_left == 0)
        return sleep_for_ever(env);
    --failures_left;
    return Error::invalid;
}

// How many times "starved" still finds no memory, or its disk silent, at its start.
int starved_starts_left = 0;

Result<void> starve_at_first(Env& env)
{
    if (starved_starts_left == 0)
        return sleep_for_ever(env);
    return --starved_starts_left % 2 == 0 ? Error::no_memory : Error::io;
}

// A log that takes its time and then knows nothing: init waits for it before each start.
Result<void> answer_late(Env& env)
{
    for (;;) {
        auto const request = TRY(system::port_receive(env.port().value()));
        sleep_until(Deadline::after_ms(5));
        (void)system::port_send(request.token, Outgoing::failed(Error::io).message());
    }
}

// Says that it was asked to write, once it has begun late: a request waits for it.
Result<void> flush_late(Env& env)
{
    sleep_until(Deadline::after_ms(30));
    struct Late {
        Result<protocol::Keeper::Flush::Reply> on(protocol::Keeper::Flush const&)
        {
            system::debug_print("flushed\n");
            return protocol::Keeper::Flush::Reply {};
        }
    };
    return serve<protocol::Keeper>(env.port(), Late {});
}

template <ServerMain Main>
void enter(u64 startup)
{
    start_program(*reinterpret_cast<Startup const*>(startup), Main, "test");
}

struct Program {
    std::string_view name;
    void (*entry)(u64);
};

constexpr Program programs[] = {
    { "init", enter<server_main> },
    { "probe", enter<probe> },
    { "count", enter<count> },
    { "idle", enter<find_nothing_to_do> },
    { "fail", enter<fail_at_once> },
    { "fault", enter<fault> },
    { "sleep", enter<sleep_for_ever> },
    { "mortal", enter<fail_after_a_while> },
    { "once", enter<answer_once> },
    { "settling", enter<fail_at_first> },
    { "starved", enter<starve_at_first> },
    { "late", enter<answer_late> },
    { "keeper", enter<flush_late> },
};

std::string bundle_with(std::string_view services)
{
    std::string archive;
    for (auto const& program : programs)
        test::add(archive, "gemel/servers/"s.append(program.name), test::regular,
            "#!gemel-linked "s.append(program.name) + "\n");
    test::add(archive, "gemel/servers/broken", test::regular, "not a program");
    test::add(archive, "gemel/etc/services.toml", test::regular, services);
    test::add(archive, "TRAILER!!!", 0, "");
    return archive;
}

constexpr std::string_view probe_service = R"(
[[services]]
name = "probe"
binary = "/gemel/servers/probe"
ends_machine = true
[[services.ports]]
name = "init"
capabilities = ["call", "derive"]
[[services.ports]]
name = "process"
capabilities = ["call", "derive"]
[[services.ports]]
name = "broker-audit"
capabilities = ["call", "derive"]
[[services.ports]]
name = "once"
capabilities = ["call", "derive"]
)";

struct Run {
    int status = 0;
    std::string console;
};

Run run(std::string_view services, std::function<void(Env&)> body)
{
    probe_body = std::move(body);
    auto const bundle = bundle_with(std::string(services) + std::string(probe_service));
    hosted::Options options;
    options.memory_bytes = 64u << 20;
    options.bundle = { reinterpret_cast<u8 const*>(bundle.data()), bundle.size() };
    options.init_entry = arch::linked_program("init");
    hosted::System system(options);
    Run result;
    system.machine().on_console([&](std::string_view text) { result.console += text; });
    result.status = system.run();
    return result;
}

Client<protocol::Process> create(Client<protocol::Processes> const& processes)
{
    auto created = processes.call(protocol::Processes::Create {});
    expect(created.has_value(), "a process cannot be created");
    return Client<protocol::Process>(std::move(created->process));
}

void add_text(
    Client<protocol::Process> const& process, protocol::ProcessText kind, std::string_view text)
{
    constexpr usize piece = sizeof(protocol::Process::AddText::text);
    for (;; text.remove_prefix(piece)) {
        auto const part = text.substr(0, piece);
        expect(process.call(protocol::Process::AddText { kind, part }).has_value(),
            "a text is refused");
        if (part.size() < piece)
            return;
    }
}

Result<u8> run_program(Client<protocol::Processes> const& processes, std::string_view path,
    std::vector<std::string_view> const& arguments)
{
    auto const process = create(processes);
    add_text(process, protocol::ProcessText::path, path);
    for (auto const argument : arguments)
        add_text(process, protocol::ProcessText::argument, argument);
    TRY(process.call(protocol::Process::Start {}));
    return TRY(process.call(protocol::Process::Wait {})).status;
}

protocol::Init::QueryService::Reply wait_for(
    Client<protocol::Init> const& init, std::string_view name, protocol::ServiceState state)
{
    for (unsigned tries = 0; tries < 500; ++tries) {
        auto const answer = init.call(protocol::Init::QueryService { name });
        expect(answer.has_value(), "a service cannot be asked for");
        if (answer->state == state)
            return *answer;
        sleep_until(Deadline::after_ms(10));
    }
    fail("a service does not reach its state");
    return {};
}

// Goal: a program runs with its arguments and gifts, and its status comes back.
// Method: a program that tells how many it has; a long argument travels in pieces.
TEST(Init, RunsPrograms)
{
    auto const result = run("", [](Env& env) {
        auto const processes = *env.take<protocol::Processes>("process");
        std::string const long_argument(130, 'x');
        auto const status
            = run_program(processes, "/gemel/servers/count", { "count", "two", long_argument });
        expect(status.has_value() && *status == 3, "the status is not the number of arguments");
        auto const gifted = create(processes);
        add_text(gifted, protocol::ProcessText::path, "/gemel/servers/count");
        auto gift = processes.handle().derive(Right::call | Right::derive);
        expect(gifted.call(protocol::Process::Give { "gift", std::move(*gift) }).has_value(),
            "a gift is refused");
        expect(gifted.call(protocol::Process::Start {}).has_value(), "it does not start");
        expect(gifted.call(protocol::Process::Wait {})->status == 100, "it has no gift");
    });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: what is no program is refused with the right error, and nothing is left behind.
// Method: a path that is not there, and a file that is not a program.
TEST(Init, RefusesWhatIsNoProgram)
{
    auto const result = run("", [](Env& env) {
        auto const processes = *env.take<protocol::Processes>("process");
        expect(run_program(processes, "/gemel/none", {}).error() == Error::not_found, "not_found");
        expect(
            run_program(processes, "/gemel/servers/broken", {}).error() == Error::syntax, "syntax");
    });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: a fault ends the program alone: its waiter gets 139 and the console says what happened.
// Method: a program that writes to address 16.
TEST(Init, ReportsFaults)
{
    auto const result = run("", [](Env& env) {
        auto const processes = *env.take<protocol::Processes>("process");
        auto const status = run_program(processes, "/gemel/servers/fault", { "fault" });
        expect(status.has_value() && *status == 139, "the status of a fault is not 139");
    });
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_NE(result.console.find("memory fault at 0x10"), std::string::npos) << result.console;
}

// Goal: a killed program's waiter hears the killer's status.
// Method: a program that never ends, killed with 130; waited for afterwards.
TEST(Init, KillsPrograms)
{
    auto const result = run("", [](Env& env) {
        auto const process = create(*env.take<protocol::Processes>("process"));
        add_text(process, protocol::ProcessText::path, "/gemel/servers/sleep");
        expect(process.call(protocol::Process::Start {}).has_value(), "it does not start");
        expect(process.call(protocol::Process::Info {})->task != 0, "it has no task");
        expect(process.call(protocol::Process::Kill { 130 }).has_value(), "it is not killed");
        expect(process.call(protocol::Process::Wait {})->status == 130, "the status is not 130");
        expect(process.call(protocol::Process::Info {})->task == 0, "it has a task still");
    });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: a held program does not run before it is let go, and ends with its last capability.
// Method: its thread, to be scheduled, is there meanwhile; let go once, and refused a second time.
TEST(Init, HoldsPrograms)
{
    auto const result = run("", [](Env& env) {
        using protocol::Process;
        auto const processes = *env.take<protocol::Processes>("process");
        AuditBroker const audit(*env.take_handle("broker-audit"));
        auto const hold = [&] {
            auto process = create(processes);
            add_text(process, protocol::ProcessText::path, "/gemel/servers/count");
            expect(process.call(Process::LetGo {}).error() == Error::unavailable, "let go early");
            expect(process.call(Process::Hold {}).has_value(), "it cannot be held");
            expect(process.call(Process::Start {}).has_value(), "it does not start");
            expect(process.call(Process::Hold {}).error() == Error::unavailable, "held late");
            return process;
        };
        auto const tasks = audit.totals()->tasks;
        {
            auto const process = hold();
            sleep_until(Deadline::after_ms(20));
            auto const state = process.call(Process::Info {})->state;
            expect(state == protocol::ProcessState::running, "it ended: it was not held");
            expect(process.call(Process::Thread {}).has_value(), "it has no thread");
            expect(process.call(Process::LetGo {}).has_value(), "it is not let go");
            expect(process.call(Process::Wait {})->status == 0, "it did not run");
            expect(process.call(Process::LetGo {}).error() == Error::unavailable, "let go twice");
            static_cast<void>(hold());
        }
        for (unsigned tries = 0; tries < 500 && audit.totals()->tasks != tasks; ++tries)
            sleep_until(Deadline::after_ms(1));
        expect(audit.totals()->tasks == tasks, "a held task is left");
    });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: a program leaves nothing behind, however often it runs.
// Method: a thousand runs; pages and capabilities of the whole machine before and after.
TEST(Init, AThousandRunsLeakNothing)
{
    auto const result = run("", [](Env& env) {
        auto const processes = *env.take<protocol::Processes>("process");
        AuditBroker const audit(*env.take_handle("broker-audit"));
        auto const once = [&] { return run_program(processes, "/gemel/servers/count", { "c" }); };
        for (unsigned i = 0; i < 20; ++i) // heaps reach their size
            expect(once().has_value(), "a first run fails");
        auto const before = *audit.totals();
        for (unsigned i = 0; i < 1000; ++i)
            expect(once().has_value(), "a run fails");
        auto const after = *audit.totals();
        expect(before.pages_free == after.pages_free, "pages are lost");
        expect(before.rows_free == after.rows_free, "capabilities are lost");
        expect(before.tasks == after.tasks && before.threads == after.threads, "tasks are lost");
    });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: a service that fails at its start is restarted within its budget, then given up; the rest
// of the system comes up. Method: a budget of two.
TEST(Init, GivesUpAServiceThatFails)
{
    auto const result = run(R"(
[[services]]
name = "bad"
binary = "/gemel/servers/fail"
restart = { policy = "on-failure", budget = 2, window_s = 60 }
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            auto const bad = wait_for(init, "bad", protocol::ServiceState::failed);
            expect(bad.restarts == 2, "it was not restarted twice");
        });
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_NE(result.console.find("bad is given up"), std::string::npos) << result.console;
}

// Goal: who has nothing to do on this machine ends without an error, and takes those along who
// would need it; the rest comes up.
// Method: two that hang on it, one by the other, and one that is started when it has long ended.
TEST(Init, EndsWithWhatHasNothingToDo)
{
    auto const result = run(R"(
[[services]]
name = "idle"
binary = "/gemel/servers/idle"
restart = { policy = "on-failure", budget = 2, window_s = 60 }
[[services]]
name = "user"
binary = "/gemel/servers/sleep"
dependencies = ["idle"]
restart = { policy = "always", budget = 2, window_s = 60 }
[[services]]
name = "its-user"
binary = "/gemel/servers/sleep"
dependencies = ["user"]
restart = { policy = "always", budget = 2, window_s = 60 }
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            for (auto const* const name : { "idle", "user", "its-user" }) {
                auto const ended = wait_for(init, name, protocol::ServiceState::stopped);
                expect(ended.restarts == 0, "it was started again");
            }
        });
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_EQ(result.console.find("given up"), std::string::npos) << result.console;
}

// Goal: a service that finds no memory at its start is tried again for as long as that may pass,
// and its budget is for what is its own fault. Method: a budget of one, twelve starts without
// memory, and somebody who depends on it; then two ends that are its own.
TEST(Init, TriesAgainWhileMemoryIsShort)
{
    constexpr int starts = 12;
    starved_starts_left = starts;
    auto const result = run(R"(
[[services]]
name = "starved"
binary = "/gemel/servers/starved"
restart = { policy = "on-failure", budget = 1, window_s = 60 }
[[services]]
name = "user"
binary = "/gemel/servers/sleep"
dependencies = ["starved"]
restart = { policy = "on-failure", budget = 1, window_s = 60 }
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            constexpr unsigned patience_ms = 15'000;
            for (unsigned ms = 0; starved_starts_left != 0 && ms < patience_ms; ++ms)
                sleep_until(Deadline::after_ms(1));
            (void)wait_for(init, "user", protocol::ServiceState::running);
            auto const kill = [&] {
                expect(init.call(protocol::Init::KillService { "starved" }).has_value(), "kill");
            };
            kill();
            auto const again = wait_for(init, "starved", protocol::ServiceState::running);
            expect(again.restarts == starts + 1, "not each start was counted");
            kill();
            (void)wait_for(init, "starved", protocol::ServiceState::failed);
        });
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_EQ(starved_starts_left, 0);
}

// Goal: a service that carries the machine and fails, without another to come, ends the machine.
// Method: the probe would end it with 0, much later.
TEST(Init, EndsTheMachineWithWhatCarriesIt)
{
    auto const result = run(R"(
[[services]]
name = "bad"
binary = "/gemel/servers/fail"
ends_machine = true
restart = { policy = "never" }
)",
        [](Env&) { sleep_until(Deadline::after_ms(5000)); });
    EXPECT_NE(result.status, 0) << result.console;
}

// Goal: what depends on a service that is restarted is restarted with it.
// Method: a service that fails once after a while, and one that depends on it.
TEST(Init, RestartsDependents)
{
    auto const result = run(R"(
[[services]]
name = "user"
binary = "/gemel/servers/sleep"
dependencies = ["mortal"]
[[services]]
name = "mortal"
binary = "/gemel/servers/mortal"
restart = { policy = "on-failure", budget = 1, window_s = 60 }
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            (void)wait_for(init, "mortal", protocol::ServiceState::failed);
            auto const user = wait_for(init, "user", protocol::ServiceState::running);
            expect(user.restarts == 1, "the dependent was not restarted once");
        });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: a service whose dependency dies while it is being started is started after it, and the
// system stays. Method: three kills, each as soon as the dependency runs, with its dependent on the
// way; the shell's place is taken by a service that would end the machine.
TEST(Init, StartsAfterADependencyThatDiedMeanwhile)
{
    auto const result = run(R"(
[[services]]
name = "base"
binary = "/gemel/servers/sleep"
[[services]]
name = "user"
binary = "/gemel/servers/sleep"
dependencies = ["base"]
ends_machine = true
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            (void)wait_for(init, "user", protocol::ServiceState::running);
            for (unsigned kills = 0; kills < 3;)
                kills += init.call(protocol::Init::KillService { "base" }).has_value();
            (void)wait_for(init, "user", protocol::ServiceState::running);
            auto const base = wait_for(init, "base", protocol::ServiceState::running);
            expect(base.restarts == 3, "it was not restarted three times");
        });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: a capability to a lasting service leads to whichever instance runs, and says dead once it
// is given up. Method: a server that ends after each answer; its budget is two restarts.
TEST(Init, ALastingServiceKeepsItsUsers)
{
    auto const result = run(R"(
[[services]]
name = "once"
binary = "/gemel/servers/once"
lasting = true
restart = { policy = "always", budget = 2, window_s = 60 }
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            auto const once = env.take_handle("once");
            expect(once.has_value(), "it is not given");
            for (unsigned calls = 0; calls < 3; ++calls) {
                auto const answer = system::port_call(
                    once->value(), system::Message { .tag = 1, .words = { calls } });
                expect(answer.has_value(), "a call is not answered");
                expect(answer->words[0] == calls + 1, "the answer is another's");
            }
            auto const failed = wait_for(init, "once", protocol::ServiceState::failed);
            expect(failed.restarts == 2, "not each call had an instance of its own");
            auto const late
                = system::port_call(once->value(), system::Message { .tag = 1, .words = {} });
            expect(late.error() == Error::dead, "a capability to nobody does not say dead");
        });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: who waits to be started while a service that it needs ends once more is started after it.
// Method: a service that ends at its first two starts, while init asks the log for those that need
// it.
TEST(Init, StartsDependentsBehindASecondEnd)
{
    failures_left = 2;
    auto const result = run(R"(
[[services]]
name = "log"
binary = "/gemel/servers/late"
[[services]]
name = "base"
binary = "/gemel/servers/settling"
restart = { policy = "always", budget = 3, window_s = 60 }
[[services]]
name = "one"
binary = "/gemel/servers/sleep"
dependencies = ["base"]
restart = { policy = "always", budget = 3, window_s = 60 }
[[services]]
name = "two"
binary = "/gemel/servers/sleep"
dependencies = ["base", "one"]
)",
        [](Env& env) {
            auto const init = *env.take<protocol::Init>("init");
            while (failures_left != 0)
                sleep_until(Deadline::after_ms(1));
            for (auto const name : { "base", "one", "two" })
                (void)wait_for(init, name, protocol::ServiceState::running);
        });
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_EQ(failures_left, 0);
}

// Goal: services are started and stopped on request, dependencies first.
// Method: two services that do not start by themselves.
TEST(Init, StartsAndStopsOnRequest)
{
    auto const result = run(R"(
[[services]]
name = "upper"
binary = "/gemel/servers/sleep"
auto_start = false
dependencies = ["lower"]
[[services]]
name = "lower"
binary = "/gemel/servers/sleep"
auto_start = false
)",
        [](Env& env) {
            using protocol::ServiceState;
            auto const init = *env.take<protocol::Init>("init");
            expect(init.call(protocol::Init::StartService { "upper" }).has_value(), "start");
            expect(wait_for(init, "lower", ServiceState::running).task != 0, "no task");
            expect(init.call(protocol::Init::StopService { "upper" }).has_value(), "stop");
            expect(wait_for(init, "upper", ServiceState::stopped).task == 0, "a task");
            expect(init.call(protocol::Init::StartService { "none" }).error() == Error::not_found,
                "a service that is not there");
        });
    EXPECT_EQ(result.status, 0) << result.console;
}

// Goal: mistakes in the file are said with their place, and what is right comes up.
// Method: a service without a binary before the probe, and a cycle.
TEST(Init, ReportsMistakesOfTheFile)
{
    auto const result = run(R"([[services]]
name = "half"
[[services]]
name = "a"
binary = "/a"
dependencies = ["b"]
[[services]]
name = "b"
binary = "/b"
dependencies = ["a"]
)",
        [](Env&) { sleep_until(Deadline::after_ms(20)); });
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_NE(
        result.console.find("services.toml:1:1: a service needs a 'binary'"), std::string::npos)
        << result.console;
    EXPECT_NE(result.console.find("service a is left out"), std::string::npos) << result.console;
}

// Goal: Shutdown ends the machine with its status.
// Method: the probe asks for 7.
TEST(Init, ShutsDown)
{
    auto const result = run("", [](Env& env) {
        (void)env.take<protocol::Init>("init")->call(protocol::Init::Shutdown { 7 });
    });
    EXPECT_EQ(result.status, 7);
}

// Goal: who keeps things for others is asked to write them before the machine ends; who has ended,
// or does not answer, does not keep it from ending.
// Method: services with `flush`: one that begins to answer after the shutdown began, one that has
// ended, one that never answers.
TEST(Init, LetsKeepersWriteAtShutdown)
{
    auto const result = run(R"(
[[services]]
name = "keeper"
binary = "/gemel/servers/keeper"
flush = true
[[services]]
name = "ended"
binary = "/gemel/servers/fail"
flush = true
restart = { policy = "never" }
[[services]]
name = "silent"
binary = "/gemel/servers/sleep"
flush = true
)",
        [](Env&) {});
    EXPECT_EQ(result.status, 0) << result.console;
    EXPECT_NE(result.console.find("flushed\n"), std::string::npos) << result.console;
}

} // namespace

} // namespace gemel::init

gemel::u64 gemel::arch::linked_program(std::string_view name)
{
    for (auto const& program : gemel::init::programs) {
        if (program.name == name)
            return reinterpret_cast<u64>(program.entry);
    }
    return 0;
}
