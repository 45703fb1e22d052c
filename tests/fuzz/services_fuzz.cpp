// Whatever /etc/services.toml holds, reading it ends, and what it gives keeps its bounds.
#include "core/base/assert.hpp"
#include "servers/init/services_file.hpp"
#include "servers/init/start_order.hpp"
#include "tests/fuzz/target.hpp"

using namespace gemel::init;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const file = parse_services({ reinterpret_cast<char const*>(data), size });
    ASSERT(file.services.size() <= services_max);
    for (auto const& service : file.services) {
        ASSERT(!service.name.empty() && service.name.size() <= service_name_max);
        ASSERT(service.priority <= 7 && service.ports.size() <= service_list_max);
        for (auto const& port : service.ports)
            ASSERT(port.rights != 0);
    }
    auto const order = start_order(file.services);
    ASSERT(order.order.size() + order.problems.size() == file.services.size());
    return 0;
}

std::vector<std::vector<std::uint8_t>> fuzz_seeds()
{
    std::string_view const texts[] = {
        "[[services]]\nname = \"block\"\nbinary = \"/gemel/servers/block\"\npriority = 5\n"
        "dependencies = [\"devices\"]\nrestart = { policy = \"always\", budget = 7 }\n"
        "mount = { path = \"/\", type = \"ext4\", read_only = true }\n"
        "[[services.ports]]\nname = \"devices\"\ncapabilities = [\"call\", \"derive\"]\n",
        "[[services]]\nname = \"a\"\nbinary = \"/a\"\ndependencies = [\"b\"]\n"
        "[[services]]\nname = \"b\"\nbinary = \"/b\"\ndependencies = [\"a\"]\n",
    };
    std::vector<std::vector<std::uint8_t>> seeds;
    for (auto const text : texts)
        seeds.emplace_back(text.begin(), text.end());
    return seeds;
}
