// The text of each file in /proc, made from the audit when it is opened.
#pragma once

#include "servers/procfs/audit.hpp"

#include <string>
#include <string_view>

namespace gemel::procfs {

// Of one task: name, state, threads, pages and rows (those it gave to tasks it made count as used).
// not_found: it ended.
Result<std::string> task_status(Audit& audit, u32 task);
Result<std::string> task_name(Audit& audit, u32 task);
// A line for each capability: its row, type, rights, badge, object, depth, children, parent row.
Result<std::string> task_capabilities(Audit& audit, u32 task);
// A line for each thread: number, name, state, priority, processor time in us, what it waits on.
Result<std::string> task_threads(Audit& audit, u32 task);

// Seconds since boot, with hundredths.
Result<std::string> uptime(Audit& audit);
// Pages in kB, then rows, threads, tasks and system calls.
Result<std::string> memory(Audit& audit);

// "send,call" ...; "-" for none.
std::string text_of_rights(Rights rights);
std::string_view text_of_thread_state(u8 state);

} // namespace gemel::procfs
