#include "tests/ext4/crash/volume_subject.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace gemel::ext4::test {

namespace {

constexpr u16 plain_file = 0100644;
constexpr u16 plain_directory = 040755;

u16 mode_of(FileType type)
{
    if (type == FileType::directory)
        return plain_directory;
    return type == FileType::symbolic_link ? 0120777 : plain_file;
}

constexpr char const* access_list_name = "system.posix_acl_access";

// As acl(5) has it: one more user may do all that the mask lets; nobody else but the owner and the
// group anything.
std::vector<u8> access_list(u8 mask)
{
    struct Entry {
        u8 tag;
        u8 permissions;
        u32 id;
    };
    constexpr u32 nobody = 0xFFFF'FFFF;
    Entry const entries[] { { 0x01, 6, nobody }, { 0x02, 7, 4 }, { 0x04, 4, nobody },
        { 0x10, mask, nobody }, { 0x20, 0, nobody } };
    std::vector<u8> bytes { 2, 0, 0, 0 };
    for (auto const& entry : entries) {
        bytes.insert(bytes.end(), { entry.tag, 0, entry.permissions, 0 });
        for (u32 shift = 0; shift < 32; shift += 8)
            bytes.push_back(static_cast<u8>(entry.id >> shift));
    }
    return bytes;
}

} // namespace

char const* name_of(Operation operation)
{
    constexpr char const* names[] { "create", "append", "overwrite", "cut", "extend", "rename",
        "rename over", "link", "unlink", "mkdir", "rmdir", "symlink", "long symlink", "chmod",
        "punch", "preallocate", "setxattr", "removexattr", "setfacl", "zero", "exchange",
        "unlink open", "close" };
    return names[static_cast<usize>(operation)];
}

char const* name_of(SyncWay way)
{
    constexpr char const* names[] { "sync", "fsync", "fdatasync", "fsync of a directory" };
    return names[static_cast<usize>(way)];
}

VolumeSubject::VolumeSubject(RecordingDevice& device, SubjectOptions options)
    : device_(device)
    , volume_(Volume::mount_writable(
          device, errors_, report_, { .now_ns = [this] { return now_ns_ += 1'000'000; } }))
    , random_(options.seed)
    , options_(options)
{
    if (!volume_ || !volume_->writer())
        throw std::runtime_error("cannot write the volume: " + report_.refusal
            + (report_.notes.empty() ? "" : report_.notes.back()));
    for (auto const operation : { Operation::make_directory, Operation::create, Operation::create,
             Operation::create, Operation::append, Operation::symlink })
        perform(operation);
    sync();
}

u32 VolumeSubject::number(std::string const& path)
{
    auto const root = volume_->inode(root_inode);
    auto const end = volume_->walk(*root, path);
    if (!end)
        throw std::runtime_error("the volume lost " + path);
    return end->inode.number;
}

NameOf VolumeSubject::place(std::string const& path)
{
    auto const slash = path.rfind('/');
    name_ = path.substr(slash + 1);
    auto const parent = path.substr(0, slash);
    return { parent.empty() ? root_inode : number(parent), name_ };
}

// A name of something of that type; empty when there is none.
std::string VolumeSubject::pick(FileType type)
{
    std::vector<std::string> found;
    for (auto const& [path, node] : history_.last()) {
        if (node.type == type)
            found.push_back(path);
    }
    return found.empty() ? "" : found[random_() % found.size()];
}

std::string VolumeSubject::fresh_name()
{
    auto const folder = random_() % 2 == 0 ? pick(FileType::directory) : "";
    return folder + "/n" + std::to_string(next_name_++);
}

// Bytes that no other write has.
std::vector<u8> VolumeSubject::pattern(usize bytes)
{
    std::vector<u8> made(bytes);
    auto const mark = next_pattern_++;
    for (usize each = 0; each < bytes; ++each) {
        made[each] = static_cast<u8>(each % 16 == 0 ? mark
                : each % 16 == 1                    ? mark >> 8
                                                    : mark * 3 + each / 16);
    }
    return made;
}

bool VolumeSubject::settle(Result<void> const& done, Tree tree)
{
    if (!done && done.error() == Error::no_space) { // refused, so nothing has changed
        is_full_ = true;
        return false;
    }
    if (!done)
        throw std::runtime_error(
            "an operation failed: " + std::string(gemel::name_of(done.error())));
    note_status(tree);
    history_.add(std::move(tree), what_);
    return true;
}

// Permissions and times are what the volume says that they are: the next mount must say the same.
void VolumeSubject::note_status(Tree& tree)
{
    for (auto& [path, node] : tree) {
        auto const inode = volume_->inode(number(path)).value();
        node.mode = inode.mode;
        node.modified = inode.modified;
        node.changed = inode.changed;
    }
}

bool VolumeSubject::make(NewFile const& file, FileType type)
{
    auto const path = made_ = fresh_name();
    auto tree = history_.last();
    std::string const text(file.link_text);
    tree[path]
        = { next_id_++, type, std::make_shared<std::vector<u8> const>(text.begin(), text.end()) };
    auto const made = volume_->writer()->create(place(path), file);
    return settle(made ? Result<void> {} : Result<void>(made.error()), std::move(tree));
}

bool VolumeSubject::change_file(Operation operation, std::string const& path)
{
    if (path.empty())
        return false;
    auto tree = history_.last();
    auto const id = tree[path].id;
    auto bytes = *tree[path].bytes;
    auto const size = bytes.size();
    auto const inode = number(path);
    what_ += " " + path + " of " + std::to_string(size);
    auto& writer = *volume_->writer();
    Result<void> done {};
    auto const put = [&](u64 offset, std::vector<u8> const& part) {
        auto const written = writer.write(inode, offset, part);
        done = written ? Result<void> {} : Result<void>(written.error());
        bytes.resize(std::max<usize>(bytes.size(), offset + part.size()));
        std::copy(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset));
    };
    if (operation == Operation::append) {
        put(size, pattern(1 + random_() % options_.append_bytes_max));
    } else if (operation == Operation::overwrite && size > 0) {
        auto const offset = random_() % size;
        put(offset, pattern(std::min<usize>(size - offset, 1 + random_() % 2500)));
    } else if (operation == Operation::cut || operation == Operation::extend) {
        auto const wanted = operation == Operation::cut
            ? random_() % (size + 1)
            : size + random_() % (options_.append_bytes_max + options_.append_bytes_max / 4);
        done = writer.resize(inode, wanted);
        bytes.resize(wanted);
    } else if (operation == Operation::punch && size > 0) {
        auto const offset = random_() % size;
        auto const count = 1 + random_() % (size - offset);
        done = writer.allocate(inode, offset, count, Allocation::punch);
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, u8 { 0 });
    } else if (operation == Operation::zero && size > 0) {
        auto const offset = random_() % size;
        auto const count = 1 + random_() % 5000;
        done = writer.allocate(inode, offset, count, Allocation::zero);
        bytes.resize(std::max<usize>(size, offset + count));
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), count, u8 { 0 });
    } else if (operation == Operation::preallocate) {
        done = writer.allocate(inode, size, 1 + random_() % 6000, Allocation::keep_size);
    } else if (operation == Operation::set_permissions) {
        done = writer.set_attributes(inode, { .permissions = u16 { 0600 } });
        for (auto& [each, node] : tree) { // the list follows: its mask lets nobody else in
            if (node.id == id && node.extended.contains(access_list_name))
                node.extended[access_list_name] = access_list(0);
        }
    } else {
        return false;
    }
    what_ += " to " + std::to_string(bytes.size());
    auto const contents = std::make_shared<std::vector<u8> const>(std::move(bytes));
    for (auto& [each, node] : tree) {
        if (node.id == id)
            node.bytes = contents;
    }
    return settle(done, std::move(tree));
}

// Values that fit the inode and ones that need a block.
bool VolumeSubject::change_extended(Operation operation)
{
    auto const path = pick(random_() % 4 == 0 ? FileType::directory : FileType::regular);
    if (path.empty())
        return false;
    auto tree = history_.last();
    auto const id = tree[path].id;
    auto extended = tree[path].extended;
    auto const name = "user." + std::string(1 + random_() % 3, 'x');
    Result<void> done {};
    if (operation == Operation::set_access_list) {
        auto const value = access_list(static_cast<u8>(1 + random_() % 7));
        extended[access_list_name] = value;
        done = volume_->writer()->set_extended(
            number(path), access_list_name, value, AttributeMode::set);
    } else if (operation == Operation::set_extended) {
        auto const value = pattern(random_() % 2 == 0 ? 20 : 200);
        extended[name] = value;
        done = volume_->writer()->set_extended(number(path), name, value, AttributeMode::set);
    } else {
        if (extended.erase(name) == 0)
            return false;
        done = volume_->writer()->remove_extended(number(path), name);
    }
    what_ += " " + name + " of " + path;
    for (auto& [each, node] : tree) {
        if (node.id == id)
            node.extended = extended;
    }
    return settle(done, std::move(tree));
}

bool VolumeSubject::change_name(Operation operation)
{
    auto tree = history_.last();
    auto& writer = *volume_->writer();
    auto const directory = operation == Operation::remove_directory;
    auto const path = pick(directory ? FileType::directory : FileType::regular);
    if (path.empty())
        return false;
    if (directory) {
        auto const inside = tree.lower_bound(path + "/");
        if (inside != tree.end() && inside->first.rfind(path + "/", 0) == 0)
            return false;
        tree.erase(path);
        return settle(writer.remove(place(path), Removal::directory), std::move(tree));
    }
    auto const node = tree[path];
    if (operation == Operation::unlink) {
        tree.erase(path);
        return settle(writer.remove(place(path), Removal::file), std::move(tree));
    }
    bool const onto = operation == Operation::rename_over || operation == Operation::exchange;
    auto const target = onto ? pick(FileType::regular) : fresh_name();
    if (operation != Operation::link)
        return move(path, target,
            operation == Operation::exchange ? RenameWay::exchange : RenameWay::replace);
    tree[target] = node;
    return settle(writer.link(number(path), place(target)), std::move(tree));
}

bool VolumeSubject::move(std::string const& path, std::string const& target, RenameWay way)
{
    auto tree = history_.last();
    if (tree.contains(target) && tree[target].id == tree[path].id)
        return false;
    std::string const from_name = path.substr(path.rfind('/') + 1);
    auto const from = NameOf { place(path).directory, from_name };
    if (way == RenameWay::exchange) {
        std::swap(tree[path], tree[target]);
    } else {
        tree[target] = tree[path];
        tree.erase(path);
    }
    return settle(volume_->writer()->rename(from, place(target), way), std::move(tree));
}

// The file lives on without the name: among the orphans, until it is closed.
bool VolumeSubject::unlink_open()
{
    auto const path = pick(FileType::regular);
    if (path.empty())
        return false;
    auto const inode = number(path);
    volume_->writer()->opened(inode);
    open_.push_back(inode);
    auto tree = history_.last();
    tree.erase(path);
    return settle(volume_->writer()->remove(place(path), Removal::file), std::move(tree));
}

bool VolumeSubject::close_one()
{
    if (open_.empty())
        return false;
    auto const which = open_.begin() + static_cast<std::ptrdiff_t>(random_() % open_.size());
    auto const inode = *which;
    open_.erase(which);
    return settle(volume_->writer()->closed(inode), history_.last());
}

// Room for what comes, in a long sequence on a small volume.
void VolumeSubject::make_room()
{
    constexpr int files = 8;
    what_ = name_of(Operation::unlink);
    for (int file = 0; file < files; ++file)
        change_name(Operation::unlink);
    sync(); // before that, what was unlinked is not to be had
}

bool VolumeSubject::perform(Operation operation)
{
    if (std::exchange(is_full_, false))
        make_room();
    what_ = name_of(operation);
    switch (operation) {
    case Operation::create:
        return make({ .mode = mode_of(FileType::regular) }, FileType::regular);
    case Operation::make_directory:
        return make({ .mode = mode_of(FileType::directory) }, FileType::directory);
    case Operation::symlink:
        return make({ .mode = mode_of(FileType::symbolic_link), .link_text = "short" },
            FileType::symbolic_link);
    case Operation::long_symlink: {
        std::string const text(200, 'l');
        return make({ .mode = mode_of(FileType::symbolic_link), .link_text = text },
            FileType::symbolic_link);
    }
    case Operation::append:
    case Operation::overwrite:
    case Operation::cut:
    case Operation::extend:
    case Operation::set_permissions:
    case Operation::punch:
    case Operation::preallocate:
    case Operation::zero:
        return change_file(operation, pick(FileType::regular));
    case Operation::set_extended:
    case Operation::remove_extended:
    case Operation::set_access_list:
        return change_extended(operation);
    case Operation::rename:
    case Operation::rename_over:
    case Operation::exchange:
    case Operation::link:
    case Operation::unlink:
    case Operation::remove_directory:
        return change_name(operation);
    case Operation::unlink_open:
        return unlink_open();
    case Operation::close:
        return close_one();
    }
    return false;
}

void VolumeSubject::replace(std::optional<SyncWay> way)
{
    auto const target = pick(FileType::regular);
    if (!perform(Operation::create) || target.empty())
        return;
    auto const made = made_;
    what_ = name_of(Operation::append);
    change_file(Operation::append, made);
    if (way)
        sync(*way);
    what_ = name_of(Operation::rename_over);
    move(made, target, RenameWay::replace);
}

Result<void> VolumeSubject::carry_out(SyncWay way)
{
    auto& writer = *volume_->writer();
    switch (options_.defect) {
    case Defect::none:
        break;
    case Defect::file_sync_is_not_flushed:
        device_.forget_flushes(way == SyncWay::file ? 2 : 0);
        break;
    case Defect::file_sync_flushes_once:
        device_.forget_flushes(way == SyncWay::file ? 1 : 0);
        break;
    case Defect::replacement_comes_first:
        device_.forget_flushes(1);
        break;
    case Defect::file_sync_leaves_times:
        if (way == SyncWay::file)
            way = SyncWay::contents;
        break;
    case Defect::contents_sync_leaves_size:
        if (way == SyncWay::contents)
            return device_.flush();
        break;
    case Defect::directory_sync_is_of_contents:
        if (way == SyncWay::directory)
            return device_.flush();
        break;
    }
    return writer.sync(way == SyncWay::contents ? Durable::contents : Durable::all);
}

void VolumeSubject::sync(SyncWay way)
{
    if (!carry_out(way))
        throw std::runtime_error(std::string(name_of(way)) + " failed");
    device_.forget_flushes(0);
    auto const what = way == SyncWay::contents ? Durable::contents : Durable::all;
    device_.promise(history_.promise(what));
}

void VolumeSubject::trim()
{
    auto const bytes = volume_->writer()->trim({});
    if (!bytes || *bytes == 0)
        throw std::runtime_error("trimming failed");
    device_.promise(history_.promise(Durable::all));
}

void VolumeSubject::unmount()
{
    if (!volume_->writer()->unmount())
        throw std::runtime_error("unmounting failed");
    device_.promise(history_.promise(Durable::all));
}

std::optional<std::string> VolumeSubject::verify(BlockReader& recovered, u32 promised)
{
    MountReport report;
    CollectedErrors errors;
    auto volume = Volume::mount(recovered, errors, report);
    if (!volume)
        return "mounting was refused: " + report.refusal;
    return history_.judge(read_tree(*volume), promised);
}

} // namespace gemel::ext4::test
