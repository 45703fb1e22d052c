#include "sim/run/growth.hpp"

namespace gemel::sim {

namespace {

using Holding = Inspector::Holding;
using Look = std::vector<Holding>;

Holding const* find(Look const& look, Holding const& task)
{
    for (auto const& each : look)
        if (each.task == task.task && each.name == task.name)
            return &each;
    return nullptr;
}

} // namespace

std::string Growth::found() const
{
    if (looks_.size() <= rounds)
        return "";
    auto const first = looks_.size() - rounds - 1;
    for (auto const& task : looks_[first]) {
        auto rows_grow = true;
        auto pages_grow = true;
        auto const* before = &task;
        for (auto at = first + 1; before && at < looks_.size(); ++at) {
            auto const* now = find(looks_[at], task);
            rows_grow = rows_grow && now && now->rows > before->rows;
            pages_grow = pages_grow && now && now->pages > before->pages;
            before = now;
        }
        if (before && (rows_grow || pages_grow))
            return task.name + " holds " + std::to_string(before->rows) + " capabilities and "
                + std::to_string(before->pages) + " pages, more after each round (first "
                + std::to_string(task.rows) + " and " + std::to_string(task.pages) + ")";
    }
    return "";
}

} // namespace gemel::sim
