// `--host-threads` where it cannot be: the word is known, so that the answer says why.
#pragma once

#include <CLI/CLI.hpp>

namespace gemel::cli {

inline void refuse_host_threads(CLI::App& command)
{
    command
        .add_flag(
            "--host-threads",
            [](std::int64_t) {
                throw CLI::ValidationError("--host-threads",
                    "what is to be repeated runs on one host thread; --cpus N takes turns on it");
            },
            "")
        ->group("");
}

} // namespace gemel::cli
