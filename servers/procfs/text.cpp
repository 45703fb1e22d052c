// The text of each file in /proc (see text.hpp).
#include "servers/procfs/text.hpp"

#include "servers/rt/object_name.hpp"
#include "servers/rt/text.hpp"

#include <array>

namespace gemel::procfs {

namespace {

// A column that other columns follow.
std::string padded(std::string text, usize width)
{
    text.resize(std::max(text.size() + 1, width), ' ');
    return text;
}

template <typename Number>
std::string column(Number number, usize width)
{
    return padded(concatenate(number), width);
}

std::string kilobytes(u64 pages)
{
    return concatenate(pages * (page_bytes / 1024), " kB\n");
}

// The audit's own number counts what a task gave to the tasks it made, too.
u32 threads_of(Audit& audit, u32 task)
{
    u32 count = 0;
    for (u32 index = 1; index < thread_index_end; ++index) {
        auto const thread = audit.thread(index);
        count += thread && thread->task == task;
    }
    return count;
}

} // namespace

std::string text_of_rights(Rights rights)
{
    struct Named {
        Right right;
        std::string_view name;
    };
    static constexpr std::array names { Named { Right::send, "send" },
        Named { Right::receive, "receive" }, Named { Right::send_once, "send_once" },
        Named { Right::destroy, "destroy" }, Named { Right::derive, "derive" },
        Named { Right::call, "call" }, Named { Right::read, "read" },
        Named { Right::write, "write" }, Named { Right::execute, "execute" },
        Named { Right::grant, "grant" } };
    std::string text;
    for (auto const& [right, name] : names) {
        if (!has(rights, right))
            continue;
        if (!text.empty())
            text += ',';
        text += name;
    }
    return text.empty() ? "-" : text;
}

std::string_view text_of_thread_state(u8 state)
{
    static constexpr std::array<std::string_view, 6> names { "stopped", "ready", "running",
        "receiving", "calling", "awaiting_reply" };
    return state < names.size() ? names[state] : "unknown";
}

Result<std::string> task_status(Audit& audit, u32 task)
{
    auto const info = TRY(audit.task(task));
    return concatenate("Name:\t", info.name, "\nTask:\t", task, "\nState:\t",
        info.dead ? "dead" : "running", "\nThreads:\t", threads_of(audit, task), "\nPagesUsed:\t",
        info.pages_quota - info.pages_left, "\nPagesMax:\t", info.pages_quota, "\nMemUsed:\t",
        kilobytes(info.pages_quota - info.pages_left), "RowsLeft:\t", info.rows_left, "\n");
}

Result<std::string> task_name(Audit& audit, u32 task)
{
    return TRY(audit.task(task)).name + "\n";
}

Result<std::string> task_capabilities(Audit& audit, u32 task)
{
    TRY(audit.task(task));
    std::string text = "ROW     TYPE    BADGE             OBJECT   DEPTH CHILDREN PARENT  RIGHTS\n";
    auto const rows = TRY(audit.totals()).rows;
    for (u32 index = 1; index < rows; ++index) {
        auto const row = audit.row(index);
        if (!row || row->owner != task)
            continue;
        text += column(index, 8) + padded(std::string(name_of(row->type)), 8)
            + column(Hexadecimal { row->badge }, 18) + column(row->object, 9)
            + column(row->depth, 6) + column(row->children, 9) + column(row->parent, 8)
            + text_of_rights(row->rights) + "\n";
    }
    return text;
}

Result<std::string> task_threads(Audit& audit, u32 task)
{
    TRY(audit.task(task));
    std::string text = "THREAD  NAME             STATE           PRIORITY RUN_US     WAITS_ON\n";
    for (u32 index = 1; index < thread_index_end; ++index) {
        auto const thread = audit.thread(index);
        if (!thread || thread->task != task)
            continue;
        text += column(index, 8) + padded(thread->name, 17)
            + padded(std::string(text_of_thread_state(thread->state)), 16)
            + column(u32 { thread->priority }, 9) + column(thread->run_ns / 1000, 11)
            + concatenate(thread->waits_on) + "\n";
    }
    return text;
}

Result<std::string> uptime(Audit& audit)
{
    auto const hundredths = audit.now_ns() / 10'000'000;
    auto const fraction = hundredths % 100;
    return concatenate(hundredths / 100, '.', fraction / 10, fraction % 10, '\n');
}

Result<std::string> memory(Audit& audit)
{
    auto const totals = TRY(audit.totals());
    return "MemTotal:\t" + kilobytes(totals.pages) + "MemFree:\t" + kilobytes(totals.pages_free)
        + concatenate("RowsTotal:\t", totals.rows, "\nRowsFree:\t", totals.rows_free,
            "\nThreads:\t", totals.threads, "\nTasks:\t", totals.tasks, "\nSystemCalls:\t",
            totals.calls, "\n");
}

} // namespace gemel::procfs
