#include "servers/ext4/extended.hpp"

#include "servers/ext4/access_list.hpp"
#include "servers/ext4/contents.hpp"

#include <array>

namespace gemel::ext4 {

namespace {

constexpr u16 permission_bits = 0777;
constexpr u32 flag_value_inode = 0x20'0000;
constexpr u32 value_bytes_max = 64 * 1024;

struct Prefix {
    std::string_view text;
    NameSpace space;
};

constexpr std::array prefixes {
    Prefix { "system.posix_acl_access", NameSpace::access_acl },
    Prefix { "system.posix_acl_default", NameSpace::default_acl },
    Prefix { "user.", NameSpace::user },
    Prefix { "trusted.", NameSpace::trusted },
    Prefix { "security.", NameSpace::security },
};

bool is_list(NameSpace space)
{
    return space == NameSpace::access_acl || space == NameSpace::default_acl;
}

AttributeName name_of_list(NameSpace space)
{
    return { space, {} };
}

Result<void> check_kind(Inode const& inode, NameSpace space)
{
    bool const plain = inode.type() == FileType::regular || inode.is_directory();
    if (space == NameSpace::user && !plain)
        return Error::no_rights;
    if (is_list(space) && inode.type() == FileType::symbolic_link)
        return Error::unsupported;
    if (space == NameSpace::default_acl && !inode.is_directory())
        return Error::no_rights;
    return {};
}

// A large value is the contents of an inode of its own.
Result<std::vector<u8>> value_of(Disk& disk, Attribute const& attribute)
{
    if (attribute.value_inode == 0)
        return attribute.value;
    auto const inode = TRY(read_inode(disk, attribute.value_inode, InodeUse::any));
    if ((inode.flags & flag_value_inode) == 0 || inode.size_bytes != attribute.value_bytes
        || attribute.value_bytes > value_bytes_max) {
        return disk.corrupt("inode ", attribute.value_inode, ": it should hold a value of ",
            attribute.value_bytes, " bytes");
    }
    std::vector<u8> value(attribute.value_bytes);
    auto const got = TRY(read_contents(disk, inode, 0, value));
    if (got != value.size())
        return disk.corrupt("inode ", attribute.value_inode, ": a value that is cut off");
    return value;
}

Result<AccessList> stored_list(Disk& disk, Inode const& inode, Bytes bytes)
{
    auto list = AccessList::from_disk(bytes);
    if (!list)
        return disk.corrupt("inode ", inode.number, ": its access control list makes no sense");
    return list;
}

void take_permissions(Inode& inode, AccessList const& list)
{
    inode.mode = static_cast<u16>((inode.mode & ~permission_bits) | list.permissions());
}

// An access list that says no more than the permission bits is not kept.
Result<void> put_list(AttributeStore& store, Inode& inode, NameSpace space, AccessList const& list)
{
    if (space == NameSpace::access_acl) {
        take_permissions(inode, list);
        if (list.is_only_permissions()) {
            store.remove(name_of_list(space));
            return {};
        }
    }
    return store.set({ name_of_list(space), list.for_disk() });
}

} // namespace

Result<AttributeName> parse_attribute_name(std::string_view name)
{
    if (name.empty() || name.size() > attribute_name_bytes_max)
        return Error::invalid;
    for (auto const& prefix : prefixes) {
        if (is_list(prefix.space) ? name != prefix.text : !name.starts_with(prefix.text))
            continue;
        name.remove_prefix(prefix.text.size());
        if (name.empty() && !is_list(prefix.space))
            return Error::invalid;
        return AttributeName { prefix.space, std::string(name) };
    }
    return Error::unsupported;
}

Result<std::vector<u8>> get_extended(Disk& disk, Inode const& inode, std::string_view name)
{
    auto const wanted = TRY(parse_attribute_name(name));
    auto const store = TRY(AttributeStore::load(disk, inode));
    auto const* const found = store.find(wanted);
    if (!found)
        return Error::no_attribute;
    auto value = TRY(value_of(disk, *found));
    if (is_list(wanted.space))
        return TRY(stored_list(disk, inode, value)).for_program();
    return value;
}

Result<std::string> list_extended(Disk& disk, Inode const& inode)
{
    auto const store = TRY(AttributeStore::load(disk, inode));
    std::string names;
    for (auto const* const place : { &store.in_inode(), &store.in_block() }) {
        for (auto const& each : *place) {
            for (auto const& prefix : prefixes) {
                if (prefix.space == each.name.space)
                    names.append(prefix.text).append(each.name.rest).push_back('\0');
            }
        }
    }
    return names;
}

Result<void> set_extended(
    Disk& disk, Inode& inode, std::string_view name, Bytes value, AttributeMode mode)
{
    auto wanted = TRY(parse_attribute_name(name));
    TRY(check_kind(inode, wanted.space));
    if (value.size() > value_bytes_max)
        return Error::too_big;
    auto store = TRY(AttributeStore::load(disk, inode));
    auto const* const found = store.find(wanted);
    if (found && mode == AttributeMode::create)
        return Error::exists;
    if (!found && mode == AttributeMode::replace)
        return Error::no_attribute;
    if (is_list(wanted.space))
        TRY(put_list(store, inode, wanted.space, TRY(AccessList::from_program(value))));
    else
        TRY(store.set({ std::move(wanted), { value.begin(), value.end() } }));
    return store.save(inode);
}

Result<void> remove_extended(Disk& disk, Inode& inode, std::string_view name)
{
    auto const wanted = TRY(parse_attribute_name(name));
    auto store = TRY(AttributeStore::load(disk, inode));
    if (!store.remove(wanted))
        return Error::no_attribute;
    return store.save(inode);
}

Result<void> inherit_access_list(Disk& disk, Inode const& directory, Inode& inode)
{
    if (inode.type() == FileType::symbolic_link)
        return {};
    auto const parent = TRY(AttributeStore::load(disk, directory));
    auto const* const given = parent.find(name_of_list(NameSpace::default_acl));
    if (!given)
        return {};
    auto list = TRY(stored_list(disk, directory, TRY(value_of(disk, *given))));
    auto store = TRY(AttributeStore::load(disk, inode));
    if (inode.is_directory())
        TRY(put_list(store, inode, NameSpace::default_acl, list));
    list.restrict_to(inode.mode);
    TRY(put_list(store, inode, NameSpace::access_acl, list));
    return store.save(inode);
}

Result<void> follow_permissions(Disk& disk, Inode& inode)
{
    if (inode.type() == FileType::symbolic_link)
        return {};
    auto store = TRY(AttributeStore::load(disk, inode));
    auto const* const found = store.find(name_of_list(NameSpace::access_acl));
    if (!found)
        return {};
    auto list = TRY(stored_list(disk, inode, TRY(value_of(disk, *found))));
    list.set_permissions(inode.mode);
    TRY(put_list(store, inode, NameSpace::access_acl, list));
    return store.save(inode);
}

} // namespace gemel::ext4
