#include <gemel/hosted/machine_memory.hpp>

#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <system_error>
#include <unistd.h>

namespace gemel::hosted {

namespace {

[[noreturn]] void refuse(char const* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

MachineMemory::MachineMemory(u64 address, u64 bytes)
    : bytes_(bytes)
    , descriptor_(::memfd_create("gemel-memory", MFD_CLOEXEC))
{
    if (descriptor_ < 0)
        refuse("memfd_create");
    if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0)
        refuse("cannot reserve the machine's memory");
    auto* at = ::mmap(reinterpret_cast<void*>(address), bytes, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_FIXED_NOREPLACE, descriptor_, 0);
    if (at == MAP_FAILED)
        refuse("cannot map the machine's memory at its fixed address");
    begin_ = static_cast<u8*>(at);
}

MachineMemory::~MachineMemory()
{
    ::munmap(begin_, bytes_);
    ::close(descriptor_);
}

std::vector<MachineMemory::Range> MachineMemory::touched() const
{
    std::vector<Range> ranges;
    for (auto begin = ::lseek(descriptor_, 0, SEEK_DATA); begin >= 0;) {
        auto const end = ::lseek(descriptor_, begin, SEEK_HOLE);
        ranges.push_back({ static_cast<u64>(begin), static_cast<u64>(end) });
        begin = ::lseek(descriptor_, end, SEEK_DATA);
    }
    return ranges;
}

void MachineMemory::expect(Range const& range)
{
    ::madvise(begin_ + range.begin, range.end - range.begin, MADV_POPULATE_WRITE);
}

void MachineMemory::clear()
{
    for (auto const& range : touched()) {
        expect(range);
        std::memset(begin_ + range.begin, 0, range.end - range.begin);
    }
}

bool is_zero_page(u8 const* page)
{
    u64 found = 0;
    for (u64 at = 0; at < page_bytes; at += sizeof(u64)) {
        u64 word;
        std::memcpy(&word, page + at, sizeof word);
        found |= word;
    }
    return found == 0;
}

} // namespace gemel::hosted
