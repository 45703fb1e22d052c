// From the name a program was started by to what it does.
#include "servers/tools/commands.hpp"
#include "servers/tools/list.hpp"

namespace gemel::tools {
namespace {

using Run = int (*)(Context&);

// In the order of list.hpp.
constexpr std::array<Run, commands.size()> functions { run_basename, run_caps, run_cat, run_chmod,
    run_clear, run_cp, run_date, run_df, run_dirname, run_du, run_echo, run_env, run_false,
    run_find, run_free, run_fsck, run_fstrim, run_grep, run_head, run_hexdump, run_ln, run_log,
    run_ls, run_mkdir, run_mount, run_mv, run_ports, run_ps, run_readlink, run_rm, run_rmdir,
    run_sched, run_seq, run_service, run_sleep, run_sort, run_stat, run_sync, run_tail, run_tee,
    run_touch, run_true, run_truncate, run_uptime, run_wc, run_yes };

int show_help(Context& context)
{
    for (auto const& command : commands)
        if (command.name == context.name())
            context.out().line(command.summary);
    return status_ok;
}

// The program by its own name: what there is.
int list_all(Context& context)
{
    for (auto const& command : commands)
        context.out().line(concatenate("  ", command.summary));
    return status_ok;
}

int run(Context& context)
{
    if (context.name() == "tools")
        return list_all(context);
    auto const arguments = context.arguments();
    if (arguments.size() == 1 && arguments[0] == "--help")
        return show_help(context);
    for (usize i = 0; i < commands.size(); ++i)
        if (commands[i].name == context.name())
            return functions[i](context);
    return context.usage("there is no tool of that name");
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const context = TRY(Context::create(env));
    auto status = run(*context);
    context->out().flush();
    if (auto const error = context->out().error()) {
        status = status_failed;
        if (*error != Error::dead)
            context->fail("standard output", *error);
    }
    env.set_exit_status(static_cast<u8>(status));
    return {};
}

} // namespace gemel::tools
