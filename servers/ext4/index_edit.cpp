// Layout: ext4 documentation, "Hash Tree Directories". A full block of names is split by hash, a
// full inner block in half; a full root moves its hashes one level down.
#include "servers/ext4/index_edit.hpp"

#include "servers/ext4/block_allocator.hpp"
#include "servers/ext4/directory_chain.hpp"
#include "servers/ext4/index_path.hpp"
#include "servers/ext4/map_edit.hpp"

#include <algorithm>

namespace gemel::ext4 {

namespace {

constexpr usize dot_bytes = 12; // of the entry "."; as many of ".." are its own
constexpr usize root_levels_offset = 30;
constexpr u32 rounds_max = 8; // a name finds its place after one split on each level

// An inner block's hashes, for changes.
class IndexWriter {
public:
    IndexWriter(std::span<u8> bytes, IndexLevel level)
        : bytes_(bytes)
        , level_(level)
        , start_(IndexBlock::start_of(level))
    {
    }
    IndexBlock view() const { return { bytes_, level_ }; }
    void start(usize limit)
    {
        store16(bytes_, start_, static_cast<u16>(limit));
        set_count(0);
    }
    void set_count(usize count) { store16(bytes_, start_ + 2, static_cast<u16>(count)); }
    // The first one's hash has no place of its own.
    void put(usize at, u32 hash, u64 block)
    {
        if (at > 0)
            store32(bytes_, start_ + 8 * at, hash);
        store32(bytes_, start_ + 8 * at + 4, static_cast<u32>(block));
    }
    void insert(usize at, u32 hash, u64 block)
    {
        auto const count = view().count();
        set_count(count + 1u);
        for (usize each = count; each > at; --each)
            put(each, view().hash(each - 1), view().block(each - 1));
        put(at, hash, block);
    }
    // Takes the hashes of `from` from `cut` on.
    void take(IndexWriter& from, usize cut)
    {
        auto const count = from.view().count();
        for (usize each = cut; each < count; ++each)
            put(each - cut, from.view().hash(each), from.view().block(each));
        set_count(count - cut);
        from.set_count(cut);
    }

private:
    std::span<u8> bytes_;
    IndexLevel level_;
    usize start_;
};

struct HashedName {
    u32 hash;
    std::string name;
    Found target;

    usize bytes() const { return DirectoryChain::bytes_for(name); }
};

std::vector<HashedName> names_in(Superblock const& super, HashMethod const& method, Bytes block)
{
    std::vector<HashedName> names;
    for (usize offset = 0; offset < chain_bytes(super);) {
        auto const entry = entry_at(super, block, offset);
        if (entry.inode != 0) {
            names.push_back({ hash_name(method, entry.name), std::string(entry.name),
                { entry.inode, entry.type } });
        }
        offset += entry.bytes;
    }
    std::stable_sort(names.begin(), names.end(),
        [](auto const& left, auto const& right) { return left.hash < right.hash; });
    return names;
}

// Where the upper half by bytes begins; at least one name on each side.
usize middle_of(std::vector<HashedName> const& names)
{
    usize total = 0;
    for (auto const& name : names)
        total += name.bytes();
    usize upper = 0;
    auto cut = names.size() - 1;
    while (cut > 1 && upper + names[cut].bytes() + names[cut - 1].bytes() <= total / 2)
        upper += names[cut--].bytes();
    return cut;
}

class IndexEditor {
public:
    IndexEditor(Disk& disk, Inode& directory)
        : disk_(disk)
        , directory_(directory)
    {
    }

    Result<void> add(std::string_view name, Found target)
    {
        for (u32 round = 0; round < rounds_max; ++round) {
            IndexPath path(disk_, directory_);
            auto const method = TRY(path.method());
            auto const leaf = TRY(path.descend(hash_name(method, name)));
            auto const bytes = TRY(change_directory_block(disk_, directory_, leaf));
            DirectoryChain chain(disk_.super(), bytes);
            auto const added = chain.add(name, target);
            seal_directory_block(disk_.super(), directory_, bytes);
            if (added == DirectoryChain::Added::yes)
                return {};
            TRY(make_room(path, method, leaf));
        }
        return Error::no_space;
    }

private:
    static IndexBlock view(IndexPath const& path, usize level)
    {
        return { *path.step(level).held, path.step(level).level };
    }

    Result<void> make_room(IndexPath const& path, HashMethod const& method, u64 leaf)
    {
        auto const has_room
            = [&](usize level) { return view(path, level).count() < view(path, level).limit(); };
        auto const bottom = path.levels() - 1;
        if (has_room(bottom))
            return split_leaf(path.step(bottom), method, leaf);
        for (auto level = bottom; level > 0; --level) {
            if (has_room(level - 1))
                return split_node(path.step(level - 1), path.step(level));
        }
        if (path.levels() == IndexPath::levels_max_of(disk_.super()))
            return Error::no_space;
        return grow();
    }

    Result<void> split_leaf(IndexPath::Step const& parent, HashMethod const& method, u64 leaf)
    {
        auto const& super = disk_.super();
        auto const lower = TRY(change_directory_block(disk_, directory_, leaf));
        auto const names = names_in(super, method, lower);
        if (names.size() < 2)
            return Error::no_space;
        auto const cut = middle_of(names);
        auto const made = TRY(append_directory_block(disk_, directory_));
        auto const upper = create_directory_block(disk_, directory_, made.disk_block);
        DirectoryChain lower_chain(super, lower);
        DirectoryChain upper_chain(super, upper);
        lower_chain.clear();
        for (usize each = 0; each < names.size(); ++each)
            (each < cut ? lower_chain : upper_chain).add(names[each].name, names[each].target);
        seal_directory_block(super, directory_, lower);
        seal_directory_block(super, directory_, upper);
        // Bit 0 says that names of the same hash stand in the block before as well.
        bool const continued = names[cut].hash == names[cut - 1].hash;
        return insert(parent, names[cut].hash | (continued ? 1u : 0u), made.file_block);
    }

    Result<void> insert(IndexPath::Step const& at, u32 hash, u64 block)
    {
        auto const bytes = TRY(change_index_block(disk_, directory_, at.file_block, at.level));
        IndexWriter(bytes, at.level).insert(at.at + 1, hash, block);
        seal_index_block(disk_.super(), directory_, bytes, at.level);
        return {};
    }

    // A new inner block behind the directory's end.
    Result<std::span<u8>> append_node(u64& file_block)
    {
        auto const made = TRY(append_directory_block(disk_, directory_));
        file_block = made.file_block;
        auto const bytes = create_index_block(disk_, directory_, made.disk_block, IndexLevel::node);
        store16(bytes, 4, static_cast<u16>(bytes.size()));
        IndexWriter(bytes, IndexLevel::node).start(index_capacity(disk_.super(), IndexLevel::node));
        return bytes;
    }

    Result<void> split_node(IndexPath::Step const& parent, IndexPath::Step const& full)
    {
        u64 file_block = 0;
        auto const upper = TRY(append_node(file_block));
        auto const lower
            = TRY(change_index_block(disk_, directory_, full.file_block, IndexLevel::node));
        IndexWriter lower_node(lower, IndexLevel::node);
        auto const cut = lower_node.view().count() / 2u;
        auto const hash = lower_node.view().hash(cut);
        IndexWriter(upper, IndexLevel::node).take(lower_node, cut);
        seal_index_block(disk_.super(), directory_, lower, IndexLevel::node);
        seal_index_block(disk_.super(), directory_, upper, IndexLevel::node);
        return insert(parent, hash, file_block);
    }

    // The root's hashes go one level down.
    Result<void> grow()
    {
        u64 file_block = 0;
        auto const node = TRY(append_node(file_block));
        auto const root = TRY(change_index_block(disk_, directory_, 0, IndexLevel::root));
        IndexWriter root_index(root, IndexLevel::root);
        IndexWriter(node, IndexLevel::node).take(root_index, 0);
        root_index.put(0, 0, file_block);
        root_index.set_count(1);
        store8(root, root_levels_offset, static_cast<u8>(load8(root, root_levels_offset) + 1));
        seal_index_block(disk_.super(), directory_, node, IndexLevel::node);
        seal_index_block(disk_.super(), directory_, root, IndexLevel::root);
        return {};
    }

    Disk& disk_;
    Inode& directory_;
};

} // namespace

Result<void> add_by_hash(Disk& disk, Inode& directory, std::string_view name, Found target)
{
    return IndexEditor(disk, directory).add(name, target);
}

Result<AppendedBlock> append_directory_block(Disk& disk, Inode& directory)
{
    auto const& super = disk.super();
    auto const file_block = directory.size_bytes / super.block_bytes;
    auto goal = super.first_block_of_group((directory.number - 1) / super.inodes_per_group);
    if (file_block > 0) {
        auto const last = TRY(find_run(disk, directory, file_block - 1));
        if (last.kind == Run::Kind::data)
            goal = last.disk_block + 1;
    }
    auto const run = TRY(allocate_blocks(disk, goal, 1));
    TRY(insert_mapping(disk, directory, { file_block, 1, Run::Kind::data, run.start }));
    directory.size_bytes += super.block_bytes;
    directory.allocated_bytes += super.block_bytes;
    return AppendedBlock { file_block, run.start };
}

Result<bool> can_be_indexed(Disk& disk, Inode const& directory)
{
    auto const& super = disk.super();
    if (!super.has(Compatible::dir_index) || directory.size_bytes != super.block_bytes)
        return false;
    auto const held = TRY(load_directory_block(disk, directory, 0));
    if (!held)
        return false;
    auto const dot = entry_at(super, *held, 0);
    return dot.inode != 0 && dot.name == "." && dot.bytes == dot_bytes
        && entry_at(super, *held, dot_bytes).inode != 0
        && entry_at(super, *held, dot_bytes).name == "..";
}

Result<void> make_indexed(Disk& disk, Inode& directory)
{
    auto const& super = disk.super();
    auto const made = TRY(append_directory_block(disk, directory));
    auto const names = create_directory_block(disk, directory, made.disk_block);
    auto const root = TRY(change_directory_block(disk, directory, 0));
    DirectoryChain chain(super, names);
    auto const parent = entry_at(super, root, dot_bytes);
    // Where the first names were removed, ".." reaches further, over what is no chain any more.
    for (usize offset = dot_bytes + parent.bytes; offset < chain_bytes(super);) {
        auto const entry = entry_at(super, root, offset);
        if (entry.inode != 0)
            chain.add(entry.name, { entry.inode, entry.type });
        offset += entry.bytes;
    }
    seal_directory_block(super, directory, names);
    directory.flags |= static_cast<u32>(InodeFlag::indexed);
    std::fill(root.begin() + 2 * dot_bytes, root.end(), u8 { 0 });
    store16(root, dot_bytes + 4, static_cast<u16>(super.block_bytes - dot_bytes));
    store8(root, 28, super.hash_version);
    store8(root, 29, 8);
    IndexWriter index(root, IndexLevel::root);
    index.start(index_capacity(super, IndexLevel::root));
    index.put(0, 0, made.file_block);
    index.set_count(1);
    seal_index_block(super, directory, root, IndexLevel::root);
    return {};
}

Result<bool> visit_blocks_by_hash(
    Disk& disk, Inode const& directory, std::string_view name, BlockVisit const& visit)
{
    IndexPath path(disk, directory);
    auto const hash = hash_name(TRY(path.method()), name);
    auto block = std::optional(TRY(path.descend(hash)));
    auto left = directory.size_bytes / disk.super().block_bytes;
    while (block && left-- > 0) {
        if (TRY(visit(*block)))
            return true;
        block = TRY(path.advance(hash));
    }
    return false;
}

} // namespace gemel::ext4
