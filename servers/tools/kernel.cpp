// Tools that show the kernel's own tables, through the audit capability: caps, free, ports, ps,
// uptime.
#include "servers/rt/object_name.hpp"
#include "servers/rt/thread.hpp"
#include "servers/tools/commands.hpp"
#include "servers/tools/format.hpp"

#include <map>
#include <set>

namespace gemel::tools {
namespace {

// ThreadState's names (core/object/thread.hpp).
constexpr std::array<std::string_view, 6> thread_states { "stopped", "ready", "running",
    "receiving", "calling", "waiting" };

std::string_view state_name(u8 state)
{
    return state < thread_states.size() ? thread_states[state] : "?";
}

// No table of the kernel is longer, so that nothing is looked for without end.
constexpr u32 indices_max = 65'536;

// Calls `use` for each entry that there is, until `count` were found.
template <typename Read, typename Use>
Result<void> for_each(u64 count, Read const& read, Use const& use)
{
    u64 found = 0;
    for (u32 index = 0; index < indices_max && found < count; ++index) {
        auto const entry = read(index);
        if (!entry && entry.error() != Error::not_found)
            return entry.error();
        if (!entry)
            continue;
        use(index, *entry);
        ++found;
    }
    return {};
}

template <typename Use>
Result<void> for_each_task(AuditBroker const& audit, Use const& use)
{
    return for_each(
        TRY(audit.totals()).tasks, [&](u32 index) { return audit.task(index); }, use);
}

template <typename Use>
Result<void> for_each_thread(AuditBroker const& audit, Use const& use)
{
    return for_each(
        TRY(audit.totals()).threads, [&](u32 index) { return audit.thread(index); }, use);
}

// Free rows, which nobody owns, are left out.
template <typename Use>
Result<void> for_each_row(AuditBroker const& audit, Use const& use)
{
    auto const if_owned = [&use](u32 index, AuditBroker::Row const& row) {
        if (row.owner != 0)
            use(index, row);
    };
    return for_each(
        TRY(audit.totals()).rows, [&](u32 index) { return audit.row(index); }, if_owned);
}

struct TaskThreads {
    u32 count = 0;
    u64 run_ns = 0;
    bool active = false; // one is running or ready
};

Result<std::map<u32, TaskThreads>> threads_by_task(AuditBroker const& audit)
{
    auto result = std::map<u32, TaskThreads> {};
    TRY(for_each_thread(audit, [&](u32, AuditBroker::Thread const& thread) {
        auto& task = result[thread.task];
        ++task.count;
        task.run_ns += thread.run_ns;
        task.active = task.active || thread.state == 1 || thread.state == 2;
    }));
    return result;
}

Result<std::map<u32, std::string>> task_names(AuditBroker const& audit)
{
    auto result = std::map<u32, std::string> {};
    TRY(for_each_task(
        audit, [&](u32 index, AuditBroker::Task const& task) { result[index] = task.name; }));
    return result;
}

Result<void> show_tasks(Context& context, AuditBroker const& audit)
{
    auto const threads = TRY(threads_by_task(audit));
    auto table = Table({ Align::right, Align::left, Align::right, Align::left, Align::right,
        Align::right, Align::right });
    table.add({ "TASK", "NAME", "THREADS", "STATE", "PAGES", "QUOTA", "TIME" });
    TRY(for_each_task(audit, [&](u32 index, AuditBroker::Task const& task) {
        auto const found = threads.find(index);
        auto const own = found == threads.end() ? TaskThreads {} : found->second;
        auto const used = task.pages_quota - std::min(task.pages_left, task.pages_quota);
        table.add({ std::to_string(index), task.name, std::to_string(own.count),
            task.dead        ? "dead"
                : own.active ? "running"
                             : "waiting",
            std::to_string(used), std::to_string(task.pages_quota), seconds_text(own.run_ns) });
    }));
    context.out().write(table.text());
    return {};
}

Result<void> show_threads(Context& context, AuditBroker const& audit)
{
    auto const names = TRY(task_names(audit));
    auto table = Table({ Align::right, Align::left, Align::left, Align::left, Align::right,
        Align::left, Align::right });
    table.add({ "THREAD", "TASK", "NAME", "STATE", "PRIORITY", "ON", "TIME" });
    TRY(for_each_thread(audit, [&](u32 index, AuditBroker::Thread const& thread) {
        auto const name = names.find(thread.task);
        table.add({ std::to_string(index),
            std::to_string(thread.task) + " " + (name == names.end() ? "" : name->second),
            thread.name, std::string(state_name(thread.state)), std::to_string(thread.priority),
            thread.waits_on == 0 ? "" : hexadecimal(thread.waits_on),
            seconds_text(thread.run_ns) });
    }));
    context.out().write(table.text());
    return {};
}

std::string rights_text(Rights rights)
{
    constexpr std::string_view letters = "srodvcRWXG";
    auto result = std::string {};
    for (unsigned i = 0; i < letters.size(); ++i)
        result += (rights & (1u << i)) != 0 ? letters[i] : '-';
    return result;
}

// Rows are read one call at a time, while others make and close theirs.
struct RowsSeen {
    std::vector<std::pair<u32, AuditBroker::Row>> rows;
    u64 counted = 0; // by the kernel itself, after they were read
};

// Row 0 is nobody's: no handle leads to it.
u64 rows_of(AuditBroker::Totals const& totals)
{
    return totals.rows - 1;
}

Result<u64> rows_in_use(AuditBroker const& audit)
{
    auto const totals = TRY(audit.totals());
    return rows_of(totals) - totals.rows_free;
}

// Reads until nothing changed meanwhile, for a while.
Result<RowsSeen> read_rows(AuditBroker const& audit)
{
    constexpr unsigned tries_max = 100;
    auto seen = RowsSeen {};
    for (unsigned tries = 0; tries < tries_max; ++tries) {
        seen.rows.clear();
        auto const before = TRY(rows_in_use(audit));
        TRY(for_each_row(audit, [&](u32 index, AuditBroker::Row const& row) {
            seen.rows.push_back({ index, row });
        }));
        seen.counted = TRY(rows_in_use(audit));
        if (before == seen.counted && seen.rows.size() == seen.counted)
            break;
        sleep_until(Deadline::after_ms(1));
    }
    return seen;
}

// `task` nothing: all of them, and how many the kernel counts.
Result<void> show_rows(Context& context, AuditBroker const& audit, std::optional<u64> task)
{
    auto const names = TRY(task_names(audit));
    auto table = Table({ Align::right, Align::left, Align::left, Align::left, Align::left,
        Align::left, Align::right, Align::right, Align::right });
    table.add(
        { "ROW", "OWNER", "TYPE", "RIGHTS", "BADGE", "OBJECT", "PARENT", "DEPTH", "CHILDREN" });
    auto const seen = TRY(read_rows(audit));
    for (auto const& [index, row] : seen.rows) {
        if (task && row.owner != *task)
            continue;
        auto const name = names.find(row.owner);
        table.add({ std::to_string(index),
            std::to_string(row.owner) + " " + (name == names.end() ? "" : name->second),
            std::string(name_of(row.type)), rights_text(row.rights), hexadecimal(row.badge),
            hexadecimal(row.object), row.depth == 0 ? "" : std::to_string(row.parent),
            std::to_string(row.depth), std::to_string(row.children) });
    }
    context.out().write(table.text());
    context.out().line("rights: s send, r receive, o once, d destroy, v derive, c call, "
                       "R read, W write, X execute, G grant");
    if (!task)
        context.out().line(
            concatenate("rows: ", seen.rows.size(), " listed, ", seen.counted, " counted"));
    return {};
}

Result<void> show_ports(Context& context, AuditBroker const& audit)
{
    auto const names = TRY(task_names(audit));
    auto objects = std::set<u64> {};
    TRY(for_each_row(audit, [&](u32, AuditBroker::Row const& row) {
        if (row.type == ObjectType::port)
            objects.insert(row.object);
    }));
    auto table = Table(
        { Align::left, Align::left, Align::right, Align::right, Align::right, Align::left });
    table.add({ "PORT", "OWNER", "QUEUED", "CALLERS", "RECEIVERS", "SIGNALS" });
    for (auto const object : objects) {
        auto const port = audit.port(object);
        if (!port) // it ended meanwhile
            continue;
        auto const name = names.find(port->owner);
        table.add({ hexadecimal(object),
            std::to_string(port->owner) + " " + (name == names.end() ? "" : name->second),
            std::to_string(port->ring_count), std::to_string(port->queued_callers),
            std::to_string(port->waiting_receivers), hexadecimal(port->notification) });
    }
    context.out().write(table.text());
    return {};
}

int outcome(Context& context, Result<void> const& done)
{
    return done ? status_ok : context.fail(std::string(name_of(done.error())));
}

} // namespace

int run_ps(Context& context)
{
    auto const options = context.options("t");
    if (!options)
        return status_usage;
    auto const audit = context.audit();
    if (!audit)
        return status_failed;
    return outcome(
        context, options->has('t') ? show_threads(context, *audit) : show_tasks(context, *audit));
}

int run_caps(Context& context)
{
    auto const options = context.options("a");
    if (!options)
        return status_usage;
    auto const own = context.env().startup().task_id;
    auto task = options->has('a') ? std::optional<u64>() : std::optional<u64>(own);
    if (!options->operands.empty()) {
        task = context.number(options->operands[0]);
        if (!task)
            return status_usage;
    }
    auto const audit = context.audit();
    if (!audit)
        return status_failed;
    if (task && !audit->task(static_cast<u32>(*task)))
        return context.fail(std::to_string(*task), "no such task");
    return outcome(context, show_rows(context, *audit, task));
}

int run_ports(Context& context)
{
    auto const audit = context.audit();
    return audit ? outcome(context, show_ports(context, *audit)) : status_failed;
}

int run_free(Context& context)
{
    auto const options = context.options("h");
    if (!options)
        return status_usage;
    auto const audit = context.audit();
    if (!audit)
        return status_failed;
    auto const totals = audit->totals();
    if (!totals)
        return context.fail(std::string(name_of(totals.error())));
    auto const size = [&](u64 pages) {
        return options->has('h') ? human_size(pages * page_bytes)
                                 : std::to_string(pages * page_bytes / 1024);
    };
    auto table = Table({ Align::left, Align::right, Align::right, Align::right });
    table.add({ options->has('h') ? "" : "KiB", "TOTAL", "USED", "FREE" });
    table.add({ "memory", size(totals->pages), size(totals->pages - totals->pages_free),
        size(totals->pages_free) });
    auto const rows = rows_of(*totals);
    table.add({ "rows", std::to_string(rows), std::to_string(rows - totals->rows_free),
        std::to_string(totals->rows_free) });
    context.out().write(table.text());
    return status_ok;
}

int run_uptime(Context& context)
{
    auto const audit = context.audit();
    if (!audit)
        return status_failed;
    auto const totals = audit->totals();
    if (!totals)
        return context.fail(std::string(name_of(totals.error())));
    auto const now = system::time_ns();
    auto const minutes = now / 60'000'000'000;
    auto text = std::string("up ");
    if (minutes >= 60)
        text += concatenate(minutes / 60, " h ");
    if (minutes > 0)
        text += concatenate(minutes % 60, " min ");
    text += seconds_text(now % 60'000'000'000);
    context.out().line(concatenate(text, " s, ", totals->tasks, " tasks, ", totals->threads,
        " threads, ", totals->calls, " system calls"));
    return status_ok;
}

} // namespace gemel::tools
