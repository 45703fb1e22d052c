#include "servers/init/services_file.hpp"

#include <algorithm>
#include <optional>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_FLOAT_CHARCONV 1
#include <toml++/toml.h>

namespace gemel::init {

namespace {

struct RightName {
    std::string_view name;
    Rights rights;
};

// "call" is what clients get; "all" is for a capability that the service passes on in parts.
constexpr RightName right_names[] = {
    { "send", rights_of(Right::send) },
    { "receive", rights_of(Right::receive) },
    { "call", rights_of(Right::call) },
    { "derive", rights_of(Right::derive) },
    { "read", rights_of(Right::read) },
    { "write", rights_of(Right::write) },
    { "execute", rights_of(Right::execute) },
    { "grant", rights_of(Right::grant) },
    { "destroy", rights_of(Right::destroy) },
};

bool name_is_good(std::string_view name)
{
    return !name.empty() && name.size() <= service_name_max
        && std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
           });
}

// Reads one table's keys; what is wrong becomes a problem at its place, and the entry is not
// usable.
class Entry {
public:
    Entry(toml::table const& table, std::vector<FileProblem>& problems)
        : table_(table)
        , problems_(problems)
    {
    }

    bool usable() const { return usable_; }

    void problem(toml::node const& where, std::string message)
    {
        auto const& begin = where.source().begin;
        problems_.push_back({ begin.line, begin.column, std::move(message) });
        usable_ = false;
    }

    void text(std::string_view key, std::string& out)
    {
        auto const* const node = known(key);
        if (!node)
            return;
        if (auto const* const value = node->as_string())
            out = value->get();
        else
            problem(*node, quoted(key) + " must be a string");
    }

    void flag(std::string_view key, bool& out)
    {
        auto const* const node = known(key);
        if (!node)
            return;
        if (auto const* const value = node->as_boolean())
            out = value->get();
        else
            problem(*node, quoted(key) + " must be true or false");
    }

    template <typename T>
    void number(std::string_view key, T& out, i64 least, i64 most)
    {
        auto const* const node = known(key);
        if (!node)
            return;
        auto const* const value = node->as_integer();
        if (value && value->get() >= least && value->get() <= most)
            out = static_cast<T>(value->get());
        else
            problem(*node,
                quoted(key) + " must be a number from " + std::to_string(least) + " to "
                    + std::to_string(most));
    }

    void texts(std::string_view key, std::vector<std::string>& out)
    {
        auto const* const node = known(key);
        if (!node)
            return;
        auto const* const array = node->as_array();
        if (!array || array->size() > service_list_max)
            return problem(*node,
                quoted(key) + " must be a list of at most " + std::to_string(service_list_max)
                    + " strings");
        for (auto const& element : *array) {
            if (auto const* const value = element.as_string())
                out.push_back(value->get());
            else
                return problem(element, quoted(key) + " must hold strings only");
        }
    }

    toml::node const* known(std::string_view key)
    {
        known_.push_back(key);
        return table_.get(key);
    }

    // A key nobody asked for is most likely a slip of the pen.
    void refuse_unknown()
    {
        for (auto const& [key, node] : table_) {
            if (std::find(known_.begin(), known_.end(), key.str()) == known_.end())
                problem(node, "unknown key " + quoted(key.str()));
        }
    }

    toml::table const& table() const { return table_; }

    static std::string quoted(std::string_view text) { return "'" + std::string(text) + "'"; }

private:
    toml::table const& table_;
    std::vector<FileProblem>& problems_;
    std::vector<std::string_view> known_;
    bool usable_ = true;
};

Rights rights_in(Entry& entry, std::vector<std::string> const& names)
{
    Rights rights = 0;
    for (auto const& name : names) {
        auto const* const found = std::find_if(std::begin(right_names), std::end(right_names),
            [&](auto const& right) { return right.name == name; });
        if (found == std::end(right_names))
            entry.problem(entry.table(), "there is no right " + Entry::quoted(name));
        else
            rights |= found->rights;
    }
    return rights;
}

void read_port(Entry& entry, ServicePort& port)
{
    std::vector<std::string> rights;
    entry.text("name", port.name);
    port.from = port.name;
    entry.text("from", port.from);
    entry.texts("capabilities", rights);
    port.rights = rights_in(entry, rights);
    if (!name_is_good(port.name) || !name_is_good(port.from))
        entry.problem(entry.table(), "a port needs a 'name' of 1 to 23 letters, digits, - and _");
    else if (port.rights == 0)
        entry.problem(entry.table(), "a port needs 'capabilities', for instance [\"call\"]");
    entry.refuse_unknown();
}

void read_ports(Entry& entry, std::vector<FileProblem>& problems, Service& service)
{
    auto const* const node = entry.known("ports");
    if (!node)
        return;
    auto const* const array = node->as_array();
    if (!array || array->size() > service_list_max)
        return entry.problem(*node, "'ports' must be at most 24 [[services.ports]] tables");
    for (auto const& element : *array) {
        auto const* const table = element.as_table();
        if (!table)
            return entry.problem(element, "'ports' must hold tables only");
        Entry inner(*table, problems);
        ServicePort port;
        read_port(inner, port);
        if (inner.usable())
            service.ports.push_back(std::move(port));
        else
            return entry.problem(element, "the service is left out because of this port");
    }
}

std::optional<RestartPolicy> policy_named(std::string_view name)
{
    if (name == "never")
        return RestartPolicy::never;
    if (name == "on-failure")
        return RestartPolicy::on_failure;
    if (name == "always")
        return RestartPolicy::always;
    return std::nullopt;
}

// A table inside the entry, or none.
std::optional<Entry> table_in(
    Entry& entry, std::string_view key, std::vector<FileProblem>& problems)
{
    auto const* const node = entry.known(key);
    if (!node)
        return std::nullopt;
    if (auto const* const table = node->as_table())
        return Entry(*table, problems);
    entry.problem(*node, Entry::quoted(key) + " must be a table");
    return std::nullopt;
}

void read_restart(Entry& entry, std::vector<FileProblem>& problems, Restart& restart)
{
    auto inner = table_in(entry, "restart", problems);
    if (!inner)
        return;
    std::string policy = "on-failure";
    inner->text("policy", policy);
    inner->number("budget", restart.budget, 0, 1000);
    inner->number("window_s", restart.window_s, 1, 86'400);
    if (auto const found = policy_named(policy))
        restart.policy = *found;
    else
        inner->problem(inner->table(), "'policy' must be \"never\", \"on-failure\" or \"always\"");
    inner->refuse_unknown();
    if (!inner->usable())
        entry.problem(inner->table(), "the service is left out because of its 'restart'");
}

void read_mount(Entry& entry, std::vector<FileProblem>& problems, ServiceMount& mount)
{
    auto inner = table_in(entry, "mount", problems);
    if (!inner)
        return;
    mount.type = "unknown";
    inner->text("path", mount.path);
    inner->text("type", mount.type);
    inner->flag("read_only", mount.read_only);
    if (mount.path.empty() || mount.path.front() != '/' || mount.path.size() > 255)
        inner->problem(inner->table(), "'mount' needs an absolute 'path'");
    inner->refuse_unknown();
    if (!inner->usable())
        entry.problem(inner->table(), "the service is left out because of its 'mount'");
}

void read_quotas(Entry& entry, Service& service)
{
    entry.number("priority", service.priority, 0, 7);
    entry.number("pages", service.pages, 16, quota_pages_max);
    entry.number("memory_part", service.memory_part, 2, quota_pages_max);
    entry.number("rows", service.rows, 16, 65'536);
    entry.number("threads", service.threads, 1, 256);
    entry.number("stack_pages", service.stack_pages, 4, 512);
    u32 instances = 1;
    entry.number("max_instances", instances, 1, 1);
}

void read_service(Entry& entry, std::vector<FileProblem>& problems, Service& service)
{
    entry.text("name", service.name);
    entry.text("binary", service.binary);
    entry.flag("auto_start", service.auto_start);
    entry.flag("after_mounts", service.after_mounts);
    entry.flag("lasting", service.lasting);
    entry.flag("flush", service.flush);
    entry.flag("ends_machine", service.ends_machine);
    entry.texts("arguments", service.arguments);
    entry.texts("dependencies", service.dependencies);
    read_quotas(entry, service);
    read_restart(entry, problems, service.restart);
    read_mount(entry, problems, service.mount);
    read_ports(entry, problems, service);
    if (!name_is_good(service.name))
        entry.problem(
            entry.table(), "a service needs a 'name' of 1 to 23 letters, digits, - and _");
    else if (service.binary.empty() || service.binary.size() > 255)
        entry.problem(entry.table(), "a service needs a 'binary', for instance /gemel/servers/log");
    entry.refuse_unknown();
}

void read_services(toml::table const& root, ServicesFile& file)
{
    Entry top(root, file.problems);
    auto const* const node = top.known("services");
    top.refuse_unknown();
    if (!node)
        return;
    auto const* const array = node->as_array();
    if (!array)
        return top.problem(*node, "'services' must be [[services]] tables");
    for (auto const& element : *array) {
        auto const* const table = element.as_table();
        if (!table) {
            top.problem(element, "'services' must hold tables only");
            continue;
        }
        if (file.services.size() == services_max)
            return top.problem(element, "there are more than 64 services; the rest is left out");
        Entry entry(*table, file.problems);
        Service service;
        read_service(entry, file.problems, service);
        auto const same = [&](auto const& other) { return other.name == service.name; };
        if (entry.usable() && std::any_of(file.services.begin(), file.services.end(), same))
            entry.problem(*table, "there is a service " + Entry::quoted(service.name) + " already");
        if (entry.usable())
            file.services.push_back(std::move(service));
    }
}

} // namespace

ServicesFile parse_services(std::string_view text)
{
    ServicesFile file;
    auto const result = toml::parse(text);
    if (!result) {
        auto const& error = result.error();
        auto const& begin = error.source().begin;
        file.problems.push_back({ begin.line, begin.column, std::string(error.description()) });
        return file;
    }
    read_services(result.table(), file);
    return file;
}

std::vector<Service> merge_services(std::vector<Service> base, std::vector<Service> more)
{
    for (auto& service : more) {
        auto const same = std::find_if(base.begin(), base.end(),
            [&](auto const& other) { return other.name == service.name; });
        if (same != base.end())
            *same = std::move(service);
        else if (base.size() < services_max)
            base.push_back(std::move(service));
    }
    return base;
}

} // namespace gemel::init
