// Keeps the log in a file. Where there is no place for one, that is no error.
#include "servers/logfile/keeper.hpp"
#include "servers/rt/env.hpp"
#include "servers/rt/serve.hpp"
#include "servers/rt/thread.hpp"

#include <charconv>

namespace gemel::logfile {
namespace {

constexpr std::string_view directory = "/var/log";
constexpr std::string_view path = "/var/log/system.log";
constexpr u64 kib = 1024;
constexpr u64 bytes_max_default = 10 * 1024 * kib;
constexpr u64 kib_max = u64 { 1 } << 30;
constexpr unsigned tries_max = 10;
constexpr u64 pause_ms = 100;

// The first argument, in KiB.
Result<u64> bytes_max(Env& env)
{
    if (env.arguments().size() < 2)
        return bytes_max_default;
    auto const text = env.arguments()[1];
    u64 number = 0;
    auto const [end, error] = std::from_chars(text.begin(), text.end(), number);
    if (error == std::errc {} && end == text.end() && number != 0 && number <= kib_max)
        return number * kib;
    env.log().error("not a size in KiB: ", text);
    return Error::invalid;
}

// False: there is no directory for it, no disk at all, or one that is only read.
Result<bool> has_place(fskit::Files& files, RotatingFile& file)
{
    auto status = files.status(directory);
    for (unsigned tries = 1; !status && status.error() == Error::unavailable && tries < tries_max;
         ++tries) { // its server may be on its way up again
        sleep_until(Deadline::after_ms(pause_ms));
        status = files.status(directory);
    }
    if (!status) {
        auto const error = status.error();
        if (error == Error::not_found || error == Error::not_directory
            || error == Error::unavailable)
            return false;
        return error;
    }
    auto const opened = file.check();
    return opened || opened.error() != Error::read_only;
}

} // namespace

Result<void> server_main(Env& env)
{
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    RotatingFile file { files, std::string(path), TRY(bytes_max(env)) };
    if (!TRY(has_place(files, file)))
        return {};
    auto const root = TRY(env.take<protocol::Log>("log-tail"));
    auto reader = TRY(root.call(protocol::Log::Open { "logfile" }));
    Keeper keeper { Client<protocol::Log>(std::move(reader.log)), file, env.log() };
    TRY(keeper.follow(TRY(env.port().derive(Right::send | Right::derive))));
    TRY(keeper.keep());
    return serve<protocol::Keeper>(env.port(), keeper);
}

} // namespace gemel::logfile
