// Goal: scripts do what the POSIX shell's everyday part says, statuses and messages included.
// Method: whole scripts in the tests' world; what they write is compared.
#include "servers/gsh/executor.hpp"

#include "servers/gsh/test_world.hpp"

#include <gtest/gtest.h>

namespace gemel::gsh {
namespace {

struct Shell {
    TestWorld world;
    std::string input;
    std::string output;
    std::string errors;
    Executor executor { world,
        { std::make_shared<TextStream>(&input), std::make_shared<TextStream>(&output),
            std::make_shared<TextStream>(&errors) } };

    Shell()
    {
        world.commands["args"] = [](SpawnRequest const& request) {
            for (usize i = 1; i < request.arguments.size(); ++i)
                static_cast<void>(request.streams.output->write("<" + request.arguments[i] + ">"));
            static_cast<void>(request.streams.output->write("\n"));
            return 0;
        };
        world.commands["cat"] = [](SpawnRequest const& request) {
            auto const text = read_all(*request.streams.input, 1 << 20);
            static_cast<void>(request.streams.output->write(*text));
            return 0;
        };
        world.commands["echo"] = world.commands["args"];
        world.commands["status7"] = [](SpawnRequest const& request) {
            static_cast<void>(request.streams.errors->write("seven\n"));
            return 7;
        };
        world.commands["env"] = [](SpawnRequest const& request) {
            for (auto const& variable : request.variables)
                static_cast<void>(request.streams.output->write(variable + "\n"));
            return 0;
        };
        world.commands["broken"] = nullptr;
        world.files = { { "/d/", "" }, { "/d/one", "1\n" }, { "/d/two", "2\n" } };
        executor.variables.set("PATH", "/bin");
    }
    // What was written; a status other than 0 follows in brackets.
    std::string run(std::string_view script)
    {
        output.clear();
        errors.clear();
        auto const status = executor.run_text(script, "-c");
        return output + errors + (status == 0 ? "" : "[" + std::to_string(status) + "]");
    }
};

TEST(Executor, WordsAreSplitAndQuotedOnesAreNot)
{
    Shell shell;
    EXPECT_EQ(shell.run("x='a  b'; args $x \"$x\" '' \"\" $none c$x"), "<a><b><a  b><><><ca><b>\n");
    EXPECT_EQ(shell.run("cd /d; args * \"*\" \\* o*e no*"), "<one><two><*><*><one><no*>\n");
    EXPECT_EQ(shell.run("x='*'; args $x \"$x\""), "<one><two><*>\n");
    EXPECT_EQ(shell.run("args $((2 * 3))\"$(echo -n a; echo b)\" ${x}y"), "<6ab><*y>\n");
}

TEST(Executor, ListsAndStatuses)
{
    Shell shell;
    EXPECT_EQ(shell.run("false && echo a || echo b; echo $?"), "b\n0\n");
    EXPECT_EQ(shell.run("status7; echo $?"), "7\nseven\n");
    EXPECT_EQ(shell.run("status7 2> /e; cat < /e"), "seven\n");
    EXPECT_EQ(shell.run("status7 > /e 2>&1; cat < /e"), "seven\n");
    EXPECT_EQ(shell.run("! true"), "[1]");
    EXPECT_EQ(shell.run("nothere"), "gsh: nothere: not found\n[127]");
    EXPECT_EQ(shell.run("broken"), "gsh: broken: syntax error\n[126]");
    EXPECT_EQ(shell.run("echo a; echo )"), "-c:1:14: `)` without a `(` before it\n[2]");
    EXPECT_EQ(shell.run("exit 300; echo no"), "[44]");
    EXPECT_TRUE(shell.executor.has_ended());
}

TEST(Executor, Redirections)
{
    Shell shell;
    EXPECT_EQ(shell.run("echo a > /f; echo b >> /f; cat < /f"), "a\nb\n");
    EXPECT_EQ(shell.run("{ echo a; args b; } > /f; cat < /f"), "a\n<b>\n");
    EXPECT_EQ(shell.run("cat < /none; echo $?"), "1\ngsh: /none: not found\n");
    EXPECT_EQ(shell.run("echo a > /d"), "gsh: /d: is a directory\n[1]");
    EXPECT_EQ(
        shell.run("echo a > $none"), "-c:1:10: a redirection needs exactly one file name\n[1]");
}

TEST(Executor, Pipelines)
{
    Shell shell;
    EXPECT_EQ(shell.run("args a | cat | cat"), "<a>\n");
    EXPECT_EQ(shell.run("args a | while read x; do echo \"[$x]\"; done"), "[<a>]\n");
    EXPECT_EQ(shell.run("echo a | cat"), "<a>\n"); // the program: the shell's own runs alone
    EXPECT_EQ(shell.run("cd / | read x"),
        "gsh: only one of a pipeline's commands may be the shell's own (a loop, cd, read...)\n[2]");
    EXPECT_EQ(shell.run("true | status7"), "gsh: true: not found\nseven\n[7]");
}

TEST(Executor, Loops)
{
    Shell shell;
    EXPECT_EQ(shell.run("for x in a 'b c'; do echo $x; done"), "a\nb c\n");
    EXPECT_EQ(shell.run("i=0; while [ $i -lt 5 ]; do i=$((i + 1)); if [ $i = 2 ]; then continue; "
                        "fi; if [ $i = 4 ]; then break; fi; echo $i; done"),
        "1\n3\n");
    EXPECT_EQ(shell.run("until [ $i -ge 6 ]; do i=$((i + 1)); done; echo $i"), "6\n");
    EXPECT_EQ(shell.run("if false; then echo a; elif true; then echo b; else echo c; fi"), "b\n");
    EXPECT_EQ(shell.run("break"), "gsh: break: not in a loop\n[1]");
    EXPECT_EQ(
        shell.run("for x in 1 2; do for y in 1 2; do break; done; echo $x$y; done"), "11\n21\n");
}

TEST(Executor, VariablesAndPrograms)
{
    Shell shell;
    EXPECT_EQ(shell.run("a=1; export b=2; c=3 env"), "b=2\nc=3\nPWD=/\n");
    EXPECT_EQ(shell.run("echo $c$a"), "1\n");
    EXPECT_EQ(shell.run("unset a; echo \"[$a]\""), "[]\n");
    shell.executor.variables.arguments = { "s", "x y", "z" };
    EXPECT_EQ(shell.run("args \"$@\" $@ $# $1; shift; echo $1"), "<x y><z><x><y><z><2><x><y>\nz\n");
    EXPECT_EQ(shell.run("x=$(exit 3); echo $?; x=$(cd /d; pwd); echo $x; pwd"), "3\n/d\n/\n");
}

TEST(Executor, Builtins)
{
    Shell shell;
    EXPECT_EQ(shell.run("cd d; pwd; cd ..; pwd; cd -"), "/d\n/\n/d\n");
    EXPECT_EQ(shell.run("cd one"), "gsh: cd: one: not a directory\n[1]");
    EXPECT_EQ(shell.run("cd /; [ -f /d/one ] && [ -d d ] && [ ! -e x ] && test -s d/two; echo $?"),
        "0\n");
    EXPECT_EQ(shell.run("[ a -eq 1 ]"), "gsh: [: `a` is not a number\n[2]");
    EXPECT_EQ(shell.run("[ a = a"), "gsh: [: no closing ]\n[2]");
    shell.world.files["/s"] = "y=5\necho sourced $y\n";
    EXPECT_EQ(
        shell.run("source /s; . /s > /out; cat < /out; echo $y"), "sourced 5\nsourced 5\n5\n");
    shell.world.files["/self"] = "source /self\n";
    EXPECT_NE(shell.run("source /self").find("nested too deeply"), std::string::npos);
    EXPECT_EQ(shell.run("time true"), "real 0.001500 s\n");
    EXPECT_NE(shell.run("help").find("  args\n"), std::string::npos);
    EXPECT_EQ(shell.run("type cd args nope"),
        "cd is part of the shell\nargs is /bin/args\ngsh: nope: not found\n[127]");
    shell.run("shutdown 3");
    EXPECT_EQ(shell.world.shut_down_with, 3);
}

TEST(Executor, AnInterruptEndsEverythingThatRuns)
{
    Shell shell;
    shell.world.interrupt_at = 20;
    EXPECT_EQ(shell.run("while true; do while true; do true; done; done; echo no"), "[130]");
    EXPECT_FALSE(shell.executor.has_ended());
    shell.executor.recover();
    EXPECT_EQ(shell.run("echo $?"), "130\n");
}

} // namespace
} // namespace gemel::gsh
