// The programs of tests/native in a hosted machine: native_fuzz [KEY=VALUE]...
// Hosted, all tasks share the host's code: a puppet needs no copy.
#include "tests/native/puppets.hpp"

#include <gemel/hosted/system.hpp>

#include <string>

namespace gemel {

PuppetCode puppet_code(u64)
{
    return { 0, reinterpret_cast<u64>(&puppet) };
}

namespace {

void init_entry(u64 startup)
{
    gemel_program_start(reinterpret_cast<Startup const*>(startup));
}

int run(int count, char** words)
{
    hosted::Options options;
    options.memory_bytes = 64u << 20;
    options.init_entry = reinterpret_cast<u64>(&init_entry);
    for (int i = 1; i < count; ++i) {
        auto const word = std::string(words[i]);
        options.command_line += word + " ";
        if (word.starts_with("cpus="))
            options.cpus = static_cast<u32>(std::stoul(word.substr(5)));
        if (word == "isolate=1")
            options.isolation = arch::Isolation::on;
        if (word == "host_threads=1")
            options.host_threads = hosted::HostThreads::one_each;
    }
    hosted::System system { options };
    return system.run();
}

} // namespace
} // namespace gemel

int main(int count, char** words)
{
    return gemel::run(count, words);
}
