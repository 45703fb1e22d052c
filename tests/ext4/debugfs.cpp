#include "tests/ext4/debugfs.hpp"

#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

std::string bracketed(u32 inode)
{
    return "<" + std::to_string(inode) + ">";
}

std::vector<std::string> lines_of(std::string const& text)
{
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);)
        lines.push_back(line);
    return lines;
}

// "/ino/mode/uid/gid/name/size/": the name may hold anything but a slash. Inode 0 is a free place.
std::vector<JudgedEntry> parse_listing(std::string const& text)
{
    std::vector<JudgedEntry> entries;
    for (auto const& line : lines_of(text)) {
        if (!line.starts_with('/') || line.starts_with("/0/"))
            continue;
        auto const number_end = line.find('/', 1);
        auto name_start = number_end;
        for (int field = 0; field < 3; ++field)
            name_start = line.find('/', name_start + 1);
        auto const name_end = line.find('/', name_start + 1);
        entries.push_back({ static_cast<u32>(std::stoul(line.substr(1, number_end - 1))),
            line.substr(name_start + 1, name_end - name_start - 1) });
    }
    return entries;
}

std::string find(std::string const& text, std::string const& pattern)
{
    std::smatch match;
    if (!std::regex_search(text, match, std::regex(pattern)))
        return {};
    return match[1];
}

u64 number(std::string const& text, std::string const& pattern, int base = 10)
{
    auto const digits = find(text, pattern);
    return digits.empty() ? 0 : std::stoull(digits, nullptr, base);
}

u16 type_bits(std::string const& type)
{
    std::map<std::string, u16> const types { { "regular", 0x8000 }, { "directory", 0x4000 },
        { "symlink", 0xA000 }, { "FIFO", 0x1000 }, { "character", 0x2000 }, { "block", 0x6000 },
        { "socket", 0xC000 } };
    return types.at(type);
}

JudgedInode parse_stat(std::string const& text)
{
    JudgedInode inode;
    inode.mode = static_cast<u16>(
        type_bits(find(text, "Type: (\\w+)")) | number(text, "Mode: +([0-7]+)", 8));
    inode.generation = static_cast<u32>(number(text, "Generation: (\\d+)"));
    inode.user = static_cast<u32>(number(text, "User: +(\\d+)"));
    inode.group = static_cast<u32>(number(text, "Group: +(\\d+)"));
    inode.size_bytes = number(text, "Group:.*Size: (\\d+)");
    inode.links = static_cast<u32>(number(text, "Links: (\\d+)"));
    inode.sectors = number(text, "Blockcount: (\\d+)");
    for (std::string const name : { "ctime", "atime", "mtime", "crtime" }) {
        auto const line = find(text, "\\b" + name + ": (0x[0-9a-f:]+)");
        if (line.empty())
            continue;
        auto const colon = line.find(':');
        auto const extra = colon == std::string::npos ? "0" : line.substr(colon + 1);
        inode.times[name] = { static_cast<u32>(std::stoul(line, nullptr, 16)),
            static_cast<u32>(std::stoul(extra, nullptr, 16)) };
    }
    std::regex const node("\\(ETB\\d+\\):(\\d+)");
    for (std::sregex_iterator each(text.begin(), text.end(), node), end; each != end; ++each)
        inode.extent_nodes.push_back(std::stoull((*each)[1]));
    return inode;
}

} // namespace

std::vector<std::string> Debugfs::ask(std::vector<std::string> const& commands) const
{
    TemporaryFolder folder;
    auto const script = folder.path() / "commands";
    {
        std::ofstream file(script);
        for (auto const& command : commands)
            file << command << '\n';
    }
    auto const output = run("debugfs -f " + quoted(script) + " " + quoted(image_));
    // Every command is echoed as "debugfs: command" before its answer.
    std::vector<std::string> answers;
    for (auto const& line : lines_of(output)) {
        if (line.starts_with("debugfs: "))
            answers.emplace_back();
        else if (!answers.empty())
            answers.back() += line + '\n';
    }
    if (answers.size() != commands.size())
        throw std::runtime_error("debugfs answered other than asked:\n" + output);
    return answers;
}

void Debugfs::change(std::vector<std::string> const& commands) const
{
    for (auto const& command : commands)
        run("debugfs -w -R \"" + command + "\" " + quoted(image_));
}

std::map<u32, std::vector<JudgedEntry>> Debugfs::list(std::vector<u32> const& directories) const
{
    std::vector<std::string> commands;
    for (auto const inode : directories)
        commands.push_back("ls -p " + bracketed(inode));
    auto const answers = ask(commands);
    std::map<u32, std::vector<JudgedEntry>> listings;
    for (usize each = 0; each < directories.size(); ++each)
        listings[directories[each]] = parse_listing(answers[each]);
    return listings;
}

std::map<u32, JudgedInode> Debugfs::stat(std::vector<u32> const& inodes) const
{
    std::vector<std::string> commands;
    for (auto const inode : inodes)
        commands.push_back("stat " + bracketed(inode));
    auto const answers = ask(commands);
    std::map<u32, JudgedInode> judged;
    for (usize each = 0; each < inodes.size(); ++each)
        judged[inodes[each]] = parse_stat(answers[each]);
    return judged;
}

std::map<u32, std::vector<u8>> Debugfs::dump(std::vector<u32> const& inodes) const
{
    TemporaryFolder folder;
    std::vector<std::string> commands;
    for (auto const inode : inodes) {
        auto const path = folder.path() / std::to_string(inode);
        commands.push_back("dump " + bracketed(inode) + " " + path.string());
    }
    ask(commands);
    std::map<u32, std::vector<u8>> contents;
    for (auto const inode : inodes)
        contents[inode] = read_host_file(folder.path() / std::to_string(inode));
    return contents;
}

u32 Debugfs::inode_of(std::string const& path) const
{
    return static_cast<u32>(number(ask({ "stat " + path })[0], "Inode: (\\d+)"));
}

std::vector<u64> Debugfs::blocks(u32 inode) const
{
    std::vector<u64> found;
    std::istringstream words(ask({ "blocks " + bracketed(inode) })[0]);
    for (u64 block; words >> block;)
        found.push_back(block);
    return found;
}

u64 Debugfs::inode_offset(u32 inode, u32 block_bytes) const
{
    auto const answer = ask({ "imap " + bracketed(inode) })[0];
    return number(answer, "block (\\d+), offset") * block_bytes
        + number(answer, "offset 0x([0-9a-f]+)", 16);
}

} // namespace gemel::ext4::test
