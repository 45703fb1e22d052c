#include "servers/tools/context.hpp"

#include "servers/tools/list.hpp"

#include <algorithm>
#include <charconv>

namespace gemel::tools {
namespace {

std::string_view base_name(std::string_view path)
{
    return path.substr(path.rfind('/') + 1);
}

std::string_view usage_of(std::string_view name)
{
    auto const found = std::ranges::find(commands, name, &Command::name);
    return found == commands.end() ? name : found->summary.substr(0, found->summary.find(':'));
}

} // namespace

Context::Context(Env& env, fskit::Files files, Output out, Output errors)
    : env_(env)
    , files_(std::move(files))
    , out_(std::move(out))
    , errors_(std::move(errors))
    , name_(env.arguments().empty() ? "tools" : base_name(env.arguments()[0]))
    , directory_(env.variable("PWD").value_or("/"))
{
}

Result<Own<Context>> Context::create(Env& env)
{
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    auto out = TRY(files.attach(TRY(env.take<protocol::File>("stdout"))));
    auto errors = TRY(files.attach(TRY(env.take<protocol::File>("stderr"))));
    return std::make_unique<Context>(
        env, std::move(files), Output(std::move(out)), Output(std::move(errors)));
}

std::vector<std::string> Context::arguments() const
{
    auto const& all = env_.arguments();
    return { all.begin() + (all.empty() ? 0 : 1), all.end() };
}

std::optional<Context::Options> Context::options(std::string_view known)
{
    auto result = Options {};
    auto const all = arguments();
    usize i = 0;
    for (; i < all.size() && all[i].size() > 1 && all[i][0] == '-'; ++i) {
        if (all[i] == "--") {
            ++i;
            break;
        }
        for (usize at = 1; at < all[i].size(); ++at) {
            auto const letter = all[i][at];
            auto const place = letter == ':' ? std::string_view::npos : known.find(letter);
            if (place == std::string_view::npos) {
                usage(concatenate("unknown option -", letter));
                return std::nullopt;
            }
            result.letters += letter;
            if (place + 1 >= known.size() || known[place + 1] != ':')
                continue;
            if (at + 1 == all[i].size() && i + 1 == all.size()) {
                usage(concatenate("option -", letter, " needs a value"));
                return std::nullopt;
            }
            result.values[letter] = at + 1 < all[i].size() ? all[i].substr(at + 1) : all[++i];
            break;
        }
    }
    result.operands.assign(all.begin() + static_cast<std::ptrdiff_t>(i), all.end());
    return result;
}

std::string Context::absolute(std::string_view path) const
{
    if (path.starts_with('/'))
        return std::string(path);
    return concatenate(directory_, directory_.ends_with('/') ? "" : "/", path);
}

Result<fskit::OpenFile> Context::open(std::string const& path, OpenFlags flags)
{
    if (path.empty())
        return Error::not_found;
    return files_.open(absolute(path), flags);
}

Result<fskit::OpenFile> Context::open_input(std::string const& path)
{
    if (path != "-")
        return open(path, static_cast<OpenFlags>(OpenFlag::read));
    return files_.attach(TRY(env_.take<protocol::File>("stdin")));
}

int Context::for_each_input(std::vector<std::string> const& paths, Work const& work)
{
    auto status = status_ok;
    auto const one = [&](std::string const& path) {
        auto file = open_input(path);
        auto const done = file ? work(*file, path) : Result<void>(file.error());
        if (!done && !out_.error())
            status = fail(path == "-" ? "standard input" : path, done.error());
    };
    if (paths.empty())
        one("-");
    for (auto const& path : paths)
        one(path);
    return status;
}

int Context::fail(std::string_view path, std::string_view message)
{
    return fail(concatenate(path, ": ", message));
}

// What was written before stands before it on a terminal, too.
int Context::fail(std::string_view message)
{
    out_.flush();
    errors_.line(concatenate(name_, ": ", message));
    errors_.flush();
    return status_failed;
}

int Context::usage(std::string_view message)
{
    fail(concatenate(message, "; usage: ", usage_of(name_)));
    return status_usage;
}

std::optional<u64> Context::number(std::string_view text)
{
    u64 value = 0;
    auto const* end = text.data() + text.size();
    auto const [stopped, status] = std::from_chars(text.data(), end, value);
    if (status != std::errc {} || stopped != end) {
        usage(concatenate("`", text, "` is not a number"));
        return std::nullopt;
    }
    return value;
}

void Context::refuse(std::string_view capability)
{
    fail(concatenate("was not given the capability `", capability, "`"));
}

std::optional<AuditBroker> Context::audit()
{
    auto handle = env_.take_handle("audit");
    if (handle)
        return AuditBroker(std::move(*handle));
    refuse("audit");
    return std::nullopt;
}

} // namespace gemel::tools
