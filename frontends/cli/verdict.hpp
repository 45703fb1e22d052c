// What came of a run, in words and in the eyes of e2fsck.
#pragma once

#include "frontends/cli/sim_run.hpp"

#include <string>

namespace gemel::cli {

// A check that this host's e2fsck makes, on the disk that the run left.
inline constexpr std::string_view e2fsck_check = "e2fsck";

// "FAIL", "LEAK", "INCONCLUSIVE", "ok".
char const* name_of(Verdict verdict);
// What failed, where and when, as one line without the newline.
std::string failure_line(SimSpec const& spec, SimResult const& result);
// That line and the failure's kind on one of its own, or that there was none: to standard output.
void show_result(SimSpec const& spec, SimResult const& result);
// Of a run that kept its disk, which is closed: the verdict is e2fsck's, too. False: this host has
// none.
bool judge_disk(SimResult& result);
// Says on standard error what the run was not kept from, if anything.
void tell_open_jail(SimResult const& result);

} // namespace gemel::cli
