#include "servers/ext4/mount_report.hpp"

#include "servers/ext4/sentence.hpp"

namespace gemel::ext4 {

LongWork::LongWork(Listener const& listener, std::string_view what, u64 all)
    : listener_(listener)
    , what_(what)
    , all_(all)
{
    if (listener_.tell)
        due_ns_ = listener_.now_ns() + first_ns;
}

void LongWork::at(u64 done)
{
    if (!listener_.tell)
        return;
    auto const now = listener_.now_ns();
    if (now < due_ns_)
        return;
    due_ns_ = now + interval_ns;
    listener_.tell(sentence(what_, ": ", done, " of ", all_, " blocks"));
}

} // namespace gemel::ext4
