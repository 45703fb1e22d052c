// Every tool's function: to an exit status.
#pragma once

#include "servers/tools/context.hpp"

namespace gemel::tools {

int run_basename(Context& context);
int run_caps(Context& context);
int run_cat(Context& context);
int run_chmod(Context& context);
int run_clear(Context& context);
int run_cp(Context& context);
int run_date(Context& context);
int run_df(Context& context);
int run_dirname(Context& context);
int run_du(Context& context);
int run_echo(Context& context);
int run_env(Context& context);
int run_false(Context& context);
int run_find(Context& context);
int run_free(Context& context);
int run_fsck(Context& context);
int run_fstrim(Context& context);
int run_grep(Context& context);
int run_head(Context& context);
int run_hexdump(Context& context);
int run_ln(Context& context);
int run_log(Context& context);
int run_ls(Context& context);
int run_mkdir(Context& context);
int run_mount(Context& context);
int run_mv(Context& context);
int run_ports(Context& context);
int run_ps(Context& context);
int run_readlink(Context& context);
int run_rm(Context& context);
int run_rmdir(Context& context);
int run_sched(Context& context);
int run_seq(Context& context);
int run_service(Context& context);
int run_sleep(Context& context);
int run_sort(Context& context);
int run_stat(Context& context);
int run_sync(Context& context);
int run_tail(Context& context);
int run_tee(Context& context);
int run_touch(Context& context);
int run_true(Context& context);
int run_truncate(Context& context);
int run_uptime(Context& context);
int run_wc(Context& context);
int run_yes(Context& context);

} // namespace gemel::tools
