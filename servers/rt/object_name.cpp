#include "servers/rt/object_name.hpp"

namespace gemel {

std::string_view name_of(ObjectType type)
{
    switch (type) {
    case ObjectType::none:
        return "none";
    case ObjectType::task:
        return "task";
    case ObjectType::thread:
        return "thread";
    case ObjectType::port:
        return "port";
    case ObjectType::region:
        return "region";
    case ObjectType::broker:
        return "broker";
    }
    return "unknown";
}

} // namespace gemel
