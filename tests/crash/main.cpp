// fs-crash run[-N|-long] SEED | fs-crash check[-N|-long] SEED DURABLE BEGUN (README.md).
#include "servers/rt/rt.hpp"
#include "servers/rt/system.hpp"
#include "tests/crash/survey.hpp"

#include <charconv>
#include <deque>

namespace gemel::fs_crash {

namespace {

void say(std::string const& line)
{
    system::debug_print(line + "\n");
}

std::optional<u64> number(std::string_view text)
{
    u64 value = 0;
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (status != std::errc {} || end != text.data() + text.size())
        return std::nullopt;
    return value;
}

Result<void> change_contents(fskit::Files& files, Step const& step)
{
    auto flags = static_cast<OpenFlags>(OpenFlag::write);
    if (step.op == Op::create)
        flags = OpenFlag::write | OpenFlag::create | OpenFlag::exclusive;
    else if (step.op == Op::write)
        flags = OpenFlag::write | OpenFlag::truncate;
    auto file = TRY(files.open(step.path, flags));
    if (step.op == Op::sync_file || step.op == Op::sync_data)
        return file.sync(step.op == Op::sync_file ? SyncKind::all : SyncKind::data);
    if (step.op == Op::cut || step.op == Op::extend)
        return file.resize(step.offset);
    file.seek(step.offset);
    return file.write(step.bytes);
}

// Files that have no name any more and are open still: after a power cut they are orphans.
class Nameless {
public:
    void keep(fskit::Files& files, std::string const& path)
    {
        constexpr usize kept_max = 4;
        auto file = files.open(path, static_cast<OpenFlags>(OpenFlag::read));
        if (!file)
            return; // a link, or what other faults than power cuts refuse
        if (files_.size() == kept_max)
            files_.pop_front();
        files_.push_back(std::move(*file));
    }

private:
    std::deque<fskit::OpenFile> files_;
};

Result<void> perform(fskit::Files& files, Step const& step)
{
    switch (step.op) {
    case Op::create:
    case Op::write:
    case Op::overwrite:
    case Op::append:
    case Op::cut:
    case Op::extend:
    case Op::sync_file:
    case Op::sync_data:
        return change_contents(files, step);
    case Op::make_directory:
        return files.make_directory(step.path);
    case Op::rename:
    case Op::rename_over:
    case Op::rename_directory:
        return files.rename(step.path, step.other);
    case Op::link:
        return files.link(step.path, step.other);
    case Op::symlink:
        return files.make_symlink(step.path, step.other);
    case Op::unlink:
        return files.remove(step.path);
    case Op::remove_directory:
        return files.remove(step.path, RemoveKind::directory);
    case Op::sync_directory:
        return files.sync(step.path, SyncScope::file);
    case Op::sync_all:
        return files.sync(step.path);
    case Op::trim: {
        auto const bytes = files.trim_volume(step.path);
        return bytes ? Result<void> {} : Result<void>(bytes.error());
    }
    }
    return Error::invalid;
}

// What other faults than power cuts may answer: the run of steps ends there.
bool is_trouble(Error error)
{
    return error == Error::io || error == Error::read_only || error == Error::no_memory
        || error == Error::dead || error == Error::unavailable || error == Error::timed_out;
}

// What becomes of a file that is unlinked.
enum class Unlinked : u8 { gone, kept_open };

Result<void> run(fskit::Files& files, Sequence const& sequence, Unlinked unlinked)
{
    Nameless nameless;
    for (usize i = 0; i < sequence.steps().size(); ++i) {
        auto const& step = sequence.steps()[i];
        auto const place = std::to_string(i + 1);
        say("@step " + place);
        if (unlinked == Unlinked::kept_open && step.op == Op::unlink)
            nameless.keep(files, step.path);
        if (auto const done = perform(files, step); !done) {
            if (!is_trouble(done.error()))
                say("FAIL fs-crash: step " + place + ", " + name_of(step.op) + " " + step.path
                    + ", was refused: " + std::string { gemel::name_of(done.error()) });
            return {};
        }
        if (makes_durable(step.op))
            say("@durable " + place);
        if (i + 1 == sequence.prepared())
            say("@cuts"); // who cuts the power may wait for it
    }
    return {};
}

// The volume can be written again.
Result<void> probe(fskit::Files& files)
{
    TRY(files.write_all("/crash-probe", "probe"));
    TRY(files.sync("/crash-probe"));
    if (TRY(files.read_all("/crash-probe")) != "probe")
        return Error::corrupt;
    return files.remove("/crash-probe");
}

Result<void> check(fskit::Files& files, Sequence const& sequence, u64 durable, u64 begun)
{
    if (durable > begun || begun >= sequence.trees().size())
        return Error::invalid;
    auto const found = TRY(survey(files));
    if (auto const wrong = judge(sequence, found, durable, begun); !wrong.empty())
        say("FAIL fs-crash: " + wrong);
    return probe(files);
}

constexpr std::string_view long_one = "-long";

// What `word`, "run" or "check", asks for: "run" steps that are drawn, "run-long" many of them, and
// "run-2" two that are the seed's own. Nothing: it is another word.
std::optional<Sequence> sequence_of(std::string_view given, std::string_view word, u64 seed)
{
    if (given == word)
        return Sequence { seed };
    if (!given.starts_with(word))
        return std::nullopt;
    if (given.substr(word.size()) == long_one)
        return Sequence { seed, Sequence::Length::long_one };
    if (given[word.size()] != '-')
        return std::nullopt;
    auto const length = number(given.substr(word.size() + 1));
    if (!length || *length == 0 || *length > slots_max)
        return std::nullopt;
    return Sequence { seed, slots_of(seed, static_cast<u32>(*length)) };
}

} // namespace

Result<void> server_main(Env& env)
{
    auto const& words = env.arguments();
    std::vector<u64> numbers;
    for (usize i = 2; i < words.size(); ++i)
        if (auto const value = number(words[i]))
            numbers.push_back(*value);
    auto files = TRY(fskit::Files::create(TRY(env.take<protocol::Vfs>("vfs"))));
    if (words.size() == 3 && numbers.size() == 1)
        if (auto const sequence = sequence_of(words[1], "run", numbers[0]))
            return run(files, *sequence,
                words[1].ends_with(long_one) ? Unlinked::kept_open : Unlinked::gone);
    if (words.size() == 5 && numbers.size() == 3)
        if (auto const sequence = sequence_of(words[1], "check", numbers[0]))
            return check(files, *sequence, numbers[1], numbers[2]);
    return Error::invalid;
}

} // namespace gemel::fs_crash
