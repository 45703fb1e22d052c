// paged [WHAT [FILE]]: one use of the pager, or one misuse; without a word the uses that need no
// file. What programs may do is told on standard output; what ends the program is told by init.
#include "tests/pager/misuse.hpp"
#include "tests/pager/uses.hpp"

namespace gemel::paged {

namespace {

struct Part {
    std::string_view name;
    Result<void> (*run)(Cast& cast);
};

constexpr Part parts[] = { { "sparse", use_sparse }, { "snapshot", use_snapshot },
    { "instant", use_snapshot_while_written }, { "file", use_file },
    { "file-snapshot", use_file_snapshot }, { "before", touch_before }, { "behind", touch_behind },
    { "unmapped", touch_unmapped }, { "too-much", touch_too_much }, { "nonsense", ask_nonsense },
    { "broken-file", use_a_broken_file }, { "silent-file", use_a_silent_file },
    { "kill", kill_the_pager }, { "kill-amid", kill_the_pager_amid_a_fault },
    { "place", show_place } };

Result<void> run_uses(Cast& cast)
{
    for (auto const use : { use_sparse, use_snapshot, use_snapshot_while_written })
        TRY(use(cast));
    return cast.wrong ? Result<void>(Error::corrupt) : Result<void>();
}

} // namespace

Result<void> server_main(Env& env)
{
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    auto out = TRY(files.attach(TRY(env.take<protocol::File>("stdout"))));
    auto memory = TRY(PagedMemory::open(env));
    Cast cast { env, files, out, memory };
    if (env.arguments().size() == 1)
        return run_uses(cast);
    auto const what = env.arguments()[1];
    for (auto const& part : parts)
        if (what == part.name)
            return part.run(cast);
    return Error::invalid;
}

} // namespace gemel::paged
