#include "servers/ext4/waiting_syncs.hpp"

#include "core/base/site.hpp"

#include <new>
#include <stdexcept>

namespace gemel::ext4 {

namespace {

Result<void> sync(VolumeWriter& writer, Durable what)
{
    try {
        return writer.sync(what);
    } catch (std::bad_alloc const&) {
    } catch (std::length_error const&) {
    }
    return Error::no_memory;
}

template <typename Reply>
Result<Reply> reply_for(Result<void> const& done)
{
    return done ? Result<Reply>(Reply {}) : Result<Reply>(done.error());
}

// Who asked may be gone: nothing is to be undone.
void tell(WaitingSyncs::Asker& asker, Result<void> const& done)
{
    if (auto* const file = std::get_if<WaitingSyncs::OfFile>(&asker))
        static_cast<void>(file->reply(reply_for<File::Sync::Reply>(done)));
    else if (auto* const directory = std::get_if<WaitingSyncs::OfDirectory>(&asker))
        static_cast<void>(directory->reply(reply_for<Directory::Sync::Reply>(done)));
    asker = std::monostate {};
}

} // namespace

void WaitingSyncs::add(VolumeWriter& writer, Durable what, Asker asker)
{
    if (count_ == waiting_max)
        answer(writer);
    if (what == Durable::all)
        what_ = what;
    askers_[count_++] = std::move(asker);
}

void WaitingSyncs::answer(VolumeWriter& writer)
{
    if (count_ > 1)
        SOMETIMES("ext4.syncs_share_a_commit");
    auto const done = sync(writer, what_);
    for (usize each = 0; each < count_; ++each)
        tell(askers_[each], done);
    count_ = 0;
    what_ = Durable::contents;
}

} // namespace gemel::ext4
