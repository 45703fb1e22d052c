// In which order services start: each after its dependencies, otherwise as the file has them.
#pragma once

#include "servers/init/services_file.hpp"

namespace gemel::init {

struct StartOrder {
    std::vector<usize> order; // indices into the services
    std::vector<std::string>
        problems; // services left out: a cycle, or a dependency nobody declares
};

StartOrder start_order(std::vector<Service> const& services);

} // namespace gemel::init
