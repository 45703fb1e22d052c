#include "frontends/cli/volume_check.hpp"

#include "servers/ext4/check/check.hpp"

#include <cstring>

namespace gemel::cli {

namespace {

constexpr usize sentences_max = 3; // told; more say little

class MemoryReader final : public ext4::BlockReader {
public:
    explicit MemoryReader(std::span<u8 const> bytes)
        : bytes_(bytes)
    {
    }
    Result<void> read(u64 offset, std::span<u8> target) override
    {
        if (offset > bytes_.size() || target.size() > bytes_.size() - offset)
            return Error::io;
        std::memcpy(target.data(), bytes_.data() + offset, target.size());
        return {};
    }
    u64 size_bytes() const override { return bytes_.size(); }

private:
    std::span<u8 const> bytes_;
};

class Sentences final : public ext4::ErrorSink {
public:
    void report(std::string_view sentence) override
    {
        if (count_++ < sentences_max)
            text_ += (text_.empty() ? "" : "; ") + std::string { sentence };
    }
    std::string const& text() const { return text_; }

private:
    usize count_ = 0;
    std::string text_;
};

} // namespace

std::string volume_problems(std::span<u8 const> disk)
{
    MemoryReader reader { disk };
    Sentences sentences;
    ext4::MountReport report;
    auto const checked = ext4::check_volume(reader, sentences, report);
    if (!checked)
        return "it cannot be checked: " + report.refusal + " ("
            + std::string { name_of(checked.error()) } + ")";
    return sentences.text();
}

} // namespace gemel::cli
