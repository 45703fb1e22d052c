#include "tests/ext4/crash/volume_crash.hpp"

#include "servers/ext4/bytes.hpp"

#include <cstdlib>
#include <malloc.h>
#include <stdexcept>

namespace gemel::ext4::test {

std::vector<Operation> all_operations()
{
    std::vector<Operation> all;
    for (u32 number = 0; number < operations; ++number)
        all.push_back(static_cast<Operation>(number));
    return all;
}

bool VolumeCrash::is_long()
{
    return std::getenv("GEMEL_TEST_LONG") != nullptr;
}

void VolumeCrash::SetUp()
{
    constexpr u32 judged_every = 20;
    // Each state mounts anew: what that gives back is kept for the next one, not given to the host.
    constexpr int kept_bytes = 32 << 20;
    mallopt(M_MMAP_THRESHOLD, kept_bytes);
    mallopt(M_TRIM_THRESHOLD, kept_bytes);
    make_image("-b 1024 -J size=1");
    judges_.emplace(is_long() ? 1 : judged_every);
    options_.judges = &*judges_;
    options_.crash_again_every = 50;
    began_ = std::chrono::steady_clock::now();
}

void VolumeCrash::TearDown()
{
    for (auto const& verdict : judges_->verdicts()) {
        all_.failures.push_back(verdict);
        ADD_FAILURE() << verdict << " (GEMEL_TEST_SEED=" << test_seed() << ")";
    }
    auto const seconds
        = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    std::printf("crash states: %llu tried, %llu distinct, %llu in recoveries, %llu seen by "
                "e2fsck, %.0f a second, %zu failures\n",
        static_cast<unsigned long long>(all_.tried), static_cast<unsigned long long>(all_.distinct),
        static_cast<unsigned long long>(all_.recoveries_cut),
        static_cast<unsigned long long>(judges_->asked()),
        static_cast<double>(all_.distinct + all_.recoveries_cut) / seconds, all_.failures.size());
}

void VolumeCrash::make_image(std::string const& options, std::string const& size)
{
    auto const image = folder_.path() / "image";
    run("mkfs.ext4 -q -F -N 64 -E lazy_itable_init=0 " + options + " " + quoted(image) + " "
        + size);
    image_ = read_host_file(image);
    constexpr usize compatible = 0x5C;
    constexpr u32 has_journal = 4;
    if ((load32(image_, superblock_offset + compatible) & has_journal) == 0)
        throw std::runtime_error("mkfs.ext4 made no journal: " + options + ", " + size);
}

void VolumeCrash::campaign(std::string const& name, u64 seed, Work const& work)
{
    RecordingDevice device(image_);
    subject_options_.seed = seed;
    VolumeSubject subject(device, subject_options_);
    work(subject);
    options_.states.seed = seed;
    options_.workload = "workload '" + name + "', seed " + std::to_string(seed);
    auto const result = run_campaign(image_, device, subject, options_);
    for (auto const& failure : result.failures)
        ADD_FAILURE() << failure << " (GEMEL_TEST_SEED=" << test_seed() << ")";
    all_.add(result);
}

void VolumeCrash::random_steps(VolumeSubject& subject, std::mt19937_64& random, int steps,
    std::span<Operation const> among, u32 sync_every)
{
    for (int step = 0; step < steps; ++step) {
        subject.perform(among[random() % among.size()]);
        if (random() % sync_every == 0)
            subject.sync(any_way(random));
    }
}

} // namespace gemel::ext4::test
