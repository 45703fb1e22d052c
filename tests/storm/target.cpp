#include "tests/storm/target.hpp"

namespace gemel::storm {

void Targets::add_found(std::string_view service, Handle handle, Chooser& chooser)
{
    if (found_.size() < found_max)
        found_.push_back({ service, std::move(handle) });
    else
        found_[chooser.below(found_max)] = { service, std::move(handle) };
}

Target const& Targets::pick(Chooser& chooser) const
{
    auto const& from = found_.empty() || chooser.one_in(2) ? roots_ : found_;
    return from[chooser.below(from.size())];
}

} // namespace gemel::storm
