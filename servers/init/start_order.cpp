#include "servers/init/start_order.hpp"

#include <algorithm>

namespace gemel::init {

namespace {

usize index_of(std::vector<Service> const& services, std::string_view name)
{
    auto const found = std::find_if(services.begin(), services.end(),
        [&](auto const& service) { return service.name == name; });
    return static_cast<usize>(found - services.begin());
}

// The first dependency that is not among `placed`; null: it may start.
std::string const* missing(
    std::vector<Service> const& services, Service const& service, std::vector<bool> const& placed)
{
    for (auto const& name : service.dependencies) {
        auto const at = index_of(services, name);
        if (at == services.size() || !placed[at])
            return &name;
    }
    return nullptr;
}

} // namespace

StartOrder start_order(std::vector<Service> const& services)
{
    StartOrder result;
    std::vector<bool> placed(services.size());
    for (bool progress = true; progress;) {
        progress = false;
        for (usize i = 0; i < services.size(); ++i) {
            if (placed[i] || missing(services, services[i], placed))
                continue;
            placed[i] = true;
            progress = true;
            result.order.push_back(i);
        }
    }
    for (usize i = 0; i < services.size(); ++i) {
        if (placed[i])
            continue;
        auto const& name = *missing(services, services[i], placed);
        bool const declared = index_of(services, name) != services.size();
        result.problems.push_back("service " + services[i].name + " is left out: "
            + (declared ? "its dependency " + name + " cannot start before it"
                        : "there is no service " + name));
    }
    return result;
}

} // namespace gemel::init
