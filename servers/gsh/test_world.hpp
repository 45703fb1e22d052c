// A system of the tests' own: files in a map, programs that are functions, pipes without bound.
#pragma once

#include "servers/gsh/path.hpp"
#include "servers/gsh/world.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace gemel::gsh {

struct TextStream final : Stream {
    std::string* text;
    usize at = 0;
    explicit TextStream(std::string* the_text)
        : text(the_text)
    {
    }
    Result<usize> read(std::span<char> into) override
    {
        auto const count = std::min(into.size(), text->size() - at);
        std::copy_n(text->begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
        at += count;
        return count;
    }
    Result<void> write(std::string_view more) override
    {
        text->append(more);
        return {};
    }
};

struct PipeStream final : Stream {
    TextStream stream;
    std::shared_ptr<std::string> text;
    explicit PipeStream(std::shared_ptr<std::string> shared)
        : stream(shared.get())
        , text(std::move(shared))
    {
    }
    Result<usize> read(std::span<char> into) override { return stream.read(into); }
    Result<void> write(std::string_view more) override { return stream.write(more); }
};

struct TestWorld final : World {
    using Program = std::function<int(SpawnRequest const&)>;
    struct Ended final : Process {
        int status;
        explicit Ended(int the_status)
            : status(the_status)
        {
        }
        Result<int> wait() override { return status; }
    };

    std::map<std::string, std::string> files; // directories end with a slash
    std::map<std::string, Program> commands;
    std::vector<SpawnRequest> spawned;
    u64 clock_ns = 0;
    int interrupt_at = -1; // at which question it is answered
    int questions = 0;
    std::optional<int> shut_down_with;

    Result<StreamRef> open(std::string const& path, OpenFor purpose) override
    {
        if (files.contains(path + "/"))
            return Error::is_directory;
        if (purpose == OpenFor::input && !files.contains(path))
            return Error::not_found;
        auto& text = files[path];
        if (purpose == OpenFor::output)
            text.clear();
        return std::static_pointer_cast<Stream>(std::make_shared<TextStream>(&text));
    }
    Result<FileStatus> status(std::string const& path) override
    {
        if (path == "/" || files.contains(path + "/"))
            return FileStatus { .kind = FileKind::directory };
        auto const found = files.find(path);
        if (found == files.end())
            return Error::not_found;
        return FileStatus { .size = found->second.size() };
    }
    Result<std::string> resolve(std::string const& path) override
    {
        if (TRY(status(path)).kind != FileKind::directory)
            return Error::not_directory;
        return path;
    }
    Result<std::vector<ListedName>> list(std::string const& path) override
    {
        auto result = std::vector<ListedName> {};
        auto const start = path == "/" ? path : path + "/";
        for (auto const& [name, text] : files) {
            if (!name.starts_with(start) || name == start)
                continue;
            auto rest = name.substr(start.size());
            auto const directory = rest.ends_with('/');
            if (directory)
                rest.pop_back();
            if (rest.find('/') == std::string::npos)
                result.push_back({ rest, directory ? FileKind::directory : FileKind::regular });
        }
        return result;
    }
    Result<PipeEnds> pipe(PipeUse) override
    {
        auto text = std::make_shared<std::string>();
        return PipeEnds { std::make_shared<PipeStream>(text), std::make_shared<PipeStream>(text) };
    }
    Result<std::string> find_program(std::string const& name, std::string const&) override
    {
        auto const base = name.substr(name.rfind('/') + 1);
        if (!commands.contains(base))
            return Error::not_found;
        return "/bin/" + base;
    }
    Result<std::unique_ptr<Process>> spawn(SpawnRequest const& request) override
    {
        spawned.push_back(request);
        auto const& program = commands.at(request.program.substr(5));
        if (!program)
            return Error::syntax;
        return std::unique_ptr<Process>(std::make_unique<Ended>(program(request)));
    }
    std::vector<std::string> programs(std::string const&) override
    {
        auto result = std::vector<std::string> {};
        for (auto const& [name, program] : commands)
            result.push_back(name);
        return result;
    }
    u64 now_ns() override { return clock_ns += 1'500'000; }
    bool take_interrupt() override { return questions++ == interrupt_at; }
    Result<void> shut_down(int status) override
    {
        shut_down_with = status;
        return {};
    }
};

} // namespace gemel::gsh
