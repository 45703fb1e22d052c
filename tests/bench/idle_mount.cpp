// A FUSE server that does nothing: files are strings in its memory, a call is a few instructions.
// What it takes is what FUSE itself takes on this machine; `gemel bench fs` shows it beside ours.
// usage: idle_mount DIRECTORY
#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

constexpr double for_good = 1e6; // seconds

struct Node {
    struct stat status { };
    std::string bytes; // of a file, or a link's text
    std::map<std::string, fuse_ino_t> names; // of a directory
    fuse_ino_t parent = FUSE_ROOT_ID;
    uint64_t lookups = 0;
};

std::unordered_map<fuse_ino_t, Node> nodes;
fuse_ino_t next_node = FUSE_ROOT_ID;

fuse_ino_t make_node(mode_t mode, fuse_ino_t parent, std::string text = {})
{
    auto const number = next_node++;
    auto& node = nodes[number];
    node.status.st_ino = number;
    node.status.st_mode = mode;
    node.status.st_nlink = S_ISDIR(mode) ? 2 : 1;
    node.status.st_size = static_cast<off_t>(text.size());
    node.status.st_blksize = 4096;
    node.bytes = std::move(text);
    node.parent = parent;
    return number;
}

void drop_if_unused(fuse_ino_t number)
{
    auto const at = nodes.find(number);
    if (at != nodes.end() && at->second.lookups == 0 && at->second.status.st_nlink == 0)
        nodes.erase(at);
}

fuse_entry_param entry_of(fuse_ino_t number)
{
    auto& node = nodes[number];
    ++node.lookups;
    fuse_entry_param entry {};
    entry.ino = number;
    entry.attr = node.status;
    entry.attr_timeout = entry.entry_timeout = for_good;
    return entry;
}

void on_init(void*, fuse_conn_info* connection)
{
    connection->want |= connection->capable
        & (FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_ATOMIC_O_TRUNC);
    connection->want &= ~static_cast<unsigned>(
        FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_AUTO_INVAL_DATA);
    connection->max_write = connection->max_readahead = 1 << 20;
}

void on_lookup(fuse_req_t request, fuse_ino_t parent, char const* name)
{
    auto const& names = nodes[parent].names;
    auto const found = names.find(name);
    auto entry = found == names.end() ? fuse_entry_param {} : entry_of(found->second);
    entry.entry_timeout = for_good;
    fuse_reply_entry(request, &entry);
}

void on_forget(fuse_req_t request, fuse_ino_t number, uint64_t lookups)
{
    auto& node = nodes[number];
    node.lookups -= std::min(node.lookups, lookups);
    drop_if_unused(number);
    fuse_reply_none(request);
}

void on_getattr(fuse_req_t request, fuse_ino_t number, fuse_file_info*)
{
    fuse_reply_attr(request, &nodes[number].status, for_good);
}

void on_setattr(
    fuse_req_t request, fuse_ino_t number, struct stat* wanted, int what, fuse_file_info*)
{
    auto& node = nodes[number];
    if ((what & FUSE_SET_ATTR_MODE) != 0)
        node.status.st_mode = (node.status.st_mode & S_IFMT) | (wanted->st_mode & 07777);
    if ((what & FUSE_SET_ATTR_UID) != 0)
        node.status.st_uid = wanted->st_uid;
    if ((what & FUSE_SET_ATTR_GID) != 0)
        node.status.st_gid = wanted->st_gid;
    if ((what & FUSE_SET_ATTR_MTIME) != 0)
        node.status.st_mtim = wanted->st_mtim;
    if ((what & FUSE_SET_ATTR_SIZE) != 0) {
        node.bytes.resize(static_cast<size_t>(wanted->st_size));
        node.status.st_size = wanted->st_size;
    }
    fuse_reply_attr(request, &node.status, for_good);
}

fuse_entry_param add(fuse_ino_t parent, char const* name, mode_t mode, std::string text = {})
{
    auto const number = make_node(mode, parent, std::move(text));
    nodes[parent].names[name] = number;
    return entry_of(number);
}

void on_mkdir(fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode)
{
    auto const entry = add(parent, name, S_IFDIR | mode);
    fuse_reply_entry(request, &entry);
}

void on_symlink(fuse_req_t request, char const* text, fuse_ino_t parent, char const* name)
{
    auto const entry = add(parent, name, S_IFLNK | 0777, text);
    fuse_reply_entry(request, &entry);
}

void on_readlink(fuse_req_t request, fuse_ino_t number)
{
    fuse_reply_readlink(request, nodes[number].bytes.c_str());
}

void on_link(fuse_req_t request, fuse_ino_t number, fuse_ino_t parent, char const* name)
{
    nodes[parent].names[name] = number;
    ++nodes[number].status.st_nlink;
    auto const entry = entry_of(number);
    fuse_reply_entry(request, &entry);
}

void on_create(
    fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode, fuse_file_info* file)
{
    auto const entry = add(parent, name, S_IFREG | (mode & 07777));
    file->keep_cache = file->noflush = 1;
    fuse_reply_create(request, &entry, file);
}

void on_open(fuse_req_t request, fuse_ino_t number, fuse_file_info* file)
{
    if ((file->flags & O_TRUNC) != 0) {
        nodes[number].bytes.clear();
        nodes[number].status.st_size = 0;
    }
    file->keep_cache = file->noflush = 1;
    fuse_reply_open(request, file);
}

void drop_name(fuse_ino_t parent, char const* name)
{
    auto& names = nodes[parent].names;
    auto const found = names.find(name);
    if (found == names.end())
        return;
    auto const number = found->second;
    names.erase(found);
    auto& links = nodes[number].status.st_nlink;
    links = S_ISDIR(nodes[number].status.st_mode) ? 0 : links - 1;
    drop_if_unused(number);
}

void on_unlink(fuse_req_t request, fuse_ino_t parent, char const* name)
{
    drop_name(parent, name);
    fuse_reply_err(request, 0);
}

void on_rename(fuse_req_t request, fuse_ino_t parent, char const* name, fuse_ino_t new_parent,
    char const* new_name, unsigned)
{
    auto const found = nodes[parent].names.find(name);
    if (found == nodes[parent].names.end())
        return (void)fuse_reply_err(request, ENOENT);
    auto const number = found->second;
    nodes[parent].names.erase(found);
    drop_name(new_parent, new_name);
    nodes[new_parent].names[new_name] = number;
    nodes[number].parent = new_parent;
    fuse_reply_err(request, 0);
}

void on_read(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset, fuse_file_info*)
{
    auto const& content = nodes[number].bytes;
    auto const from = std::min(static_cast<size_t>(offset), content.size());
    fuse_reply_buf(request, content.data() + from, std::min(bytes, content.size() - from));
}

void on_write(fuse_req_t request, fuse_ino_t number, char const* bytes, size_t count, off_t offset,
    fuse_file_info*)
{
    auto& node = nodes[number];
    auto const end = static_cast<size_t>(offset) + count;
    if (node.bytes.size() < end)
        node.bytes.resize(end);
    std::memcpy(node.bytes.data() + offset, bytes, count);
    node.status.st_size = static_cast<off_t>(node.bytes.size());
    fuse_reply_write(request, count);
}

void on_done(fuse_req_t request, fuse_ino_t, fuse_file_info*)
{
    fuse_reply_err(request, 0);
}

void on_fsync(fuse_req_t request, fuse_ino_t, int, fuse_file_info*)
{
    fuse_reply_err(request, 0);
}

void on_opendir(fuse_req_t request, fuse_ino_t, fuse_file_info*)
{
    fuse_reply_err(request, ENOSYS);
}

void on_readdir(fuse_req_t request, fuse_ino_t number, size_t bytes, off_t offset, fuse_file_info*)
{
    std::vector<char> answer(bytes);
    size_t used = 0;
    auto const& names = nodes[number].names;
    off_t at = 0;
    for (auto const& [name, node] : names) {
        if (at++ < offset)
            continue;
        auto const needed = fuse_add_direntry(
            request, answer.data() + used, bytes - used, name.c_str(), &nodes[node].status, at);
        if (needed > bytes - used)
            break;
        used += needed;
    }
    fuse_reply_buf(request, answer.data(), used);
}

fuse_lowlevel_ops operations()
{
    fuse_lowlevel_ops all {};
    all.init = on_init;
    all.lookup = on_lookup;
    all.forget = on_forget;
    all.getattr = on_getattr;
    all.setattr = on_setattr;
    all.mkdir = on_mkdir;
    all.symlink = on_symlink;
    all.readlink = on_readlink;
    all.link = on_link;
    all.create = on_create;
    all.open = on_open;
    all.unlink = on_unlink;
    all.rmdir = on_unlink;
    all.rename = on_rename;
    all.read = on_read;
    all.write = on_write;
    all.release = on_done;
    all.fsync = on_fsync;
    all.opendir = on_opendir;
    all.readdir = on_readdir;
    return all;
}

} // namespace

int main(int count, char** words)
{
    if (count != 2)
        return 1;
    make_node(S_IFDIR | 0755, FUSE_ROOT_ID);
    char* options[] = { words[0], const_cast<char*>("-ofsname=idle") };
    fuse_args arguments = FUSE_ARGS_INIT(2, options);
    auto const all = operations();
    auto* const session = fuse_session_new(&arguments, &all, sizeof all, nullptr);
    if (session == nullptr || fuse_set_signal_handlers(session) != 0
        || fuse_session_mount(session, words[1]) != 0 || fuse_daemonize(0) != 0)
        return 2;
    auto const outcome = fuse_session_loop(session);
    fuse_session_unmount(session);
    fuse_session_destroy(session);
    return outcome == 0 ? 0 : 2;
}
