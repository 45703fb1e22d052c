// `gemel fsck`: the ext4 server's own check and repair, on an image that nobody else uses. No
// system is started for it: the volume's code runs on the file itself.
#include "frontends/cli/host_clock.hpp"
#include "frontends/cli/image_lock.hpp"
#include "frontends/cli/options.hpp"
#include "servers/ext4/check/repair.hpp"
#include "servers/ext4/recovery.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace gemel::cli {

namespace {

// e2fsck(8)'s, as far as they fit.
constexpr int status_clean = 0;
constexpr int status_repaired = 1;
constexpr int status_left = 4;
constexpr int status_operational = 8;

class Image final : public ext4::BlockDevice {
public:
    explicit Image(int file)
        : file_(file)
        , size_(static_cast<u64>(::lseek(file, 0, SEEK_END)))
    {
    }
    ~Image() override { ::close(file_); }
    Image(Image const&) = delete;
    Image& operator=(Image const&) = delete;

    Result<void> read(u64 offset, std::span<u8> target) override
    {
        while (!target.empty()) {
            auto const got
                = ::pread(file_, target.data(), target.size(), static_cast<off_t>(offset));
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return Error::io;
            target = target.subspan(static_cast<usize>(got));
            offset += static_cast<u64>(got);
        }
        return {};
    }
    Result<void> write(u64 offset, std::span<u8 const> source) override
    {
        while (!source.empty()) {
            auto const put
                = ::pwrite(file_, source.data(), source.size(), static_cast<off_t>(offset));
            if (put < 0 && errno == EINTR)
                continue;
            if (put <= 0)
                return Error::io;
            source = source.subspan(static_cast<usize>(put));
            offset += static_cast<u64>(put);
        }
        return {};
    }
    Result<void> flush() override { return ::fdatasync(file_) == 0 ? Result<void> {} : Error::io; }
    u64 size_bytes() const override { return size_; }

private:
    int const file_;
    u64 const size_;
};

int fail(std::string const& what)
{
    std::fprintf(stderr, "gemel: %s\n", what.c_str());
    return status_operational;
}

int fail(FsckOptions const& options, ext4::MountReport const& report, Error error)
{
    auto const why = report.refusal.empty() ? std::string(name_of(error)) : report.refusal;
    return fail(options.image + " cannot be checked: " + why + ".");
}

void print(FsckOptions const& options, ext4::Examination const& found, char const* mark)
{
    for (auto const& finding : found.findings) {
        auto const what = ext4::text_of(finding.remedy);
        std::printf("%s: %s%s (%.*s)\n", options.image.c_str(), mark, finding.sentence.c_str(),
            static_cast<int>(what.size()), what.data());
    }
    auto const kept = found.findings.size();
    if (found.summary.problems > kept) {
        std::printf("%s: and %llu more\n", options.image.c_str(),
            static_cast<unsigned long long>(found.summary.problems - kept));
    }
}

void print_totals(
    FsckOptions const& options, ext4::CheckSummary const& summary, std::string const& verdict)
{
    std::printf("%s: %s; %u inodes in use, %u directories, %llu blocks\n", options.image.c_str(),
        verdict.c_str(), summary.inodes_used, summary.directories,
        static_cast<unsigned long long>(summary.blocks_used));
}

std::string counted(u64 count, std::string const& what)
{
    return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

// What takes long is told on standard error meanwhile.
ext4::MountReport report_for(FsckOptions const& options)
{
    ext4::MountReport report;
    auto const tell = [image = options.image](std::string_view sentence) {
        std::fprintf(stderr, "gemel: %s: %.*s\n", image.c_str(), static_cast<int>(sentence.size()),
            sentence.data());
    };
    report.listener = { tell, host_time_ns };
    return report;
}

int check(FsckOptions const& options, Image& image)
{
    auto report = report_for(options);
    auto const found = ext4::examine_volume(image, report, ext4::Totals::when_clean);
    if (!found)
        return fail(options, report, found.error());
    print(options, *found, "");
    auto const orphans = found->summary.orphans;
    if (orphans > 0) {
        std::printf("%s: %s to be freed (repair: free what they hold)\n", options.image.c_str(),
            counted(orphans, "deleted file").c_str());
    }
    auto const problems = found->summary.problems + orphans;
    print_totals(options, found->summary, problems == 0 ? "clean" : counted(problems, "problem"));
    return problems == 0 ? status_clean : status_left;
}

int repair(FsckOptions const& options, Image& image)
{
    auto report = report_for(options);
    auto const done
        = ext4::repair_volume(image, report, { .now_ns = host_time_ns, .wait_ns = host_wait_ns });
    if (!done)
        return fail(options, report, done.error());
    print(options, done->before, "");
    if (done->orphans > 0) {
        std::printf("%s: %s freed\n", options.image.c_str(),
            counted(done->orphans, "deleted file").c_str());
    }
    auto const left = done->after.summary.problems + done->after.summary.orphans;
    if (left > 0 && done->changed)
        print(options, done->after, "left: ");
    for (auto const& note : report.notes)
        std::printf("%s: %s\n", options.image.c_str(), note.c_str());
    auto const repaired = done->before.summary.problems + done->orphans;
    print_totals(options, done->after.summary,
        left > 0            ? counted(left, "problem") + " left"
            : repaired > 0  ? counted(repaired, "problem") + " repaired"
            : done->changed ? std::string("clean now")
                            : std::string("clean"));
    if (left > 0)
        return status_left;
    return done->changed ? status_repaired : status_clean;
}

// The journal alone. Nothing is said when there is nothing to replay.
int replay(FsckOptions const& options, Image& image)
{
    class Silent final : public ext4::ErrorSink {
        void report(std::string_view) override { }
    };
    Silent sink;
    auto report = report_for(options);
    auto const guard = ext4::MountGuard::claim(image, { host_time_ns, host_wait_ns }, report);
    if (!guard)
        return fail(options, report, guard.error());
    ext4::BlockDevice& device = *guard ? static_cast<ext4::BlockDevice&>(**guard) : image;
    auto const done = ext4::recover(device, sink, report);
    if (*guard)
        static_cast<void>((*guard)->release());
    if (!done)
        return fail(options, report, done.error());
    if (done->was_needed) {
        std::printf("%s: %s replayed from its journal\n", options.image.c_str(),
            counted(done->transactions, "transaction").c_str());
    }
    return status_clean;
}

} // namespace

int check_image(FsckOptions const& options)
{
    auto const access = options.way == FsckWay::look ? Access::read_only : Access::read_write;
    if (auto const refusal = refuse_image(options.image, access, {},
            options.way == FsckWay::repair ? Content::ignored : Content::judged))
        return fail(*refusal);
    auto const file = ::open(
        options.image.c_str(), (access == Access::read_write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (file < 0)
        return fail(options.image + " cannot be opened: " + std::strerror(errno));
    Image image(file);
    if (auto const refusal = lock_image(file, options.image, access))
        return fail(*refusal);
    if (options.way == FsckWay::repair)
        return repair(options, image);
    if (options.way == FsckWay::replay) {
        if (auto const status = replay(options, image); status != status_clean)
            return status;
    }
    return check(options, image);
}

} // namespace gemel::cli
