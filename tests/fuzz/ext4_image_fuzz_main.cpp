// Drives the fuzz target without a fuzzing engine, the same way for the same seed and round. Most
// of an image is data that cannot hurt, so only metadata changes; in half of the rounds what covers
// a changed byte gets a checksum that fits. Rounds run in a process of their own: one that crashes,
// or takes too long, is told and the next one goes on.
#include "tests/ext4/source_tree.hpp"
#include "tests/ext4/written_volume.hpp"
#include "tests/fuzz/ext4_image_fuzz.hpp"
#include "tests/fuzz/ext4_sealer.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

namespace gemel::ext4::test {

namespace {

constexpr usize changes_max = 6;
constexpr usize unit_bytes = 1024;
constexpr long processor_seconds_max = 5; // of one round; a hang is no slow round
constexpr u64 failures_max = 20;

// With multiple mount protection every tool would wait 11 seconds: this one gets it at the end.
constexpr char const* with_guard = "-b 1024 -O ^has_journal,^metadata_csum";
// Without checksums damage gets past the front door, so many seeds have none.
constexpr char const* seed_options[] {
    "-b 1024 -O ^metadata_csum,^has_journal",
    "-b 1024 -O ^metadata_csum,^has_journal,^extent,^64bit",
    "-b 1024 -O ^metadata_csum,^has_journal,inline_data",
    "-b 4096 -O ^metadata_csum,^has_journal",
    "-b 1024 -O ^metadata_csum,^has_journal,meta_bg,^resize_inode -g 1024",
    "-b 1024 -O ^has_journal",
    "-b 1024 -J size=1 -O ^metadata_csum,orphan_file",
    with_guard,
    "-b 1024 -I 512 -O ^has_journal,inline_data",
    "-b 1024 -O ^has_journal,^metadata_csum,ea_inode",
    "-b 1024 -J size=1",
    "-b 1024 -J size=1 -O orphan_file,ea_inode",
    "-b 1024 -I 128 -O ^has_journal,uninit_bg,^metadata_csum",
    "-b 4096 -O ^has_journal,large_dir",
};

struct Seed {
    std::vector<u8> image;
    std::vector<usize> units; // offsets of metadata: what the listing and the maps are made of
    Sealer sealer;
};

// Offsets of the units that are neither empty nor look like random contents.
std::vector<usize> metadata_units(std::vector<u8> const& image)
{
    std::vector<usize> units;
    for (usize offset = 0; offset + unit_bytes <= image.size(); offset += unit_bytes) {
        auto const unit = std::span(image).subspan(offset, unit_bytes);
        auto const zeros = static_cast<usize>(std::count(unit.begin(), unit.end(), u8 { 0 }));
        if (zeros > 40 && zeros < unit_bytes)
            units.push_back(offset);
    }
    return units;
}

// In the inode, in a block of its own, and a list of access rights; `large`: one in an inode, too.
void give_attributes(fs::path const& image, fs::path const& value, bool large)
{
    std::vector<u8> const list { 2, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 2, 0, 6, 0, 1, 0, 0, 0, 4, 0,
        4, 0, 0, 0, 0, 0, 16, 0, 6, 0, 0, 0, 0, 0, 32, 0, 4, 0, 0, 0, 0, 0 };
    write_host_file(value, list);
    run("debugfs -w -R 'ea_set -f " + value.string() + " hard system.posix_acl_access' "
        + quoted(image));
    run("debugfs -w -R 'ea_set hard user.name value' " + quoted(image));
    write_host_file(value, std::vector<u8>(300, 9));
    run("debugfs -w -R 'ea_set -f " + value.string() + " hard user.longer' " + quoted(image));
    if (!large)
        return;
    write_host_file(value, std::vector<u8>(1'000, 8));
    run("debugfs -w -R 'ea_set -f " + value.string() + " hard user.large' " + quoted(image));
}

// Files that were deleted while they were open, on a volume that nobody unmounted.
void leave_orphans(fs::path const& image)
{
    WrittenVolume written(image);
    for (auto const* const name : { "one", "two", "three" }) {
        auto const inode
            = written.writer().create({ root_inode, name }, { .mode = 0100644 }).value();
        (void)written.writer().write(inode, 0, std::vector<u8>(3'000, 'o'));
        written.writer().opened(inode);
        (void)written.writer().remove({ root_inode, name }, Removal::file);
    }
    (void)written.writer().settle();
}

// Takes the names of whole blocks out of the large directory, and some of the others, as the kernel
// does: nothing of them is left.
void thin_out(fs::path const& image, fs::path const& source)
{
    std::set<std::string> names;
    for (auto const& each : fs::directory_iterator(source / "large")) {
        auto const name = each.path().filename().string();
        if (name != "0" && name[0] % 3 != 0 && name.find_first_of("\" \t\r\n") == name.npos)
            names.insert(name);
    }
    auto const commands = image.string() + "-commands";
    std::ofstream out(commands);
    for (auto const& name : names)
        out << "unlink large/" << name << "\n";
    // And the first name of a directory of one block, which leaves no room for a longer one.
    out << "mkdir block\nln hard block/s\n";
    for (u32 each = 10; each < 34; ++each)
        out << "ln hard block/a_name_of_some_length_" << each << "\n";
    out << "unlink block/s\n";
    out.close();
    run("debugfs -w -f '" + commands + "' " + quoted(image));
    run_up_to("e2fsck -fy " + quoted(image), 1);
    auto bytes = read_host_file(image);
    Sealer(bytes).wipe_unused_entries(bytes);
    write_host_file(image, bytes);
}

Seed make_seed(fs::path const& image, fs::path const& source, char const* options)
{
    constexpr auto fixed = "-U 6a1f0c5e-3b8d-4c7a-9e21-5d4f7b90a812 "
                           "-E hash_seed=0d3c9b71-52e8-4f16-8a4b-c7e15f2096d3 ";
    make_image(image, source, std::string(fixed) + options, "4M");
    index_directories(image);
    give_attributes(image, image.string() + "-value", std::strstr(options, "ea_inode") != nullptr);
    thin_out(image, source);
    run("e2fsck -fn " + quoted(image));
    if (std::strstr(options, "orphan_file"))
        leave_orphans(image);
    if (std::string_view(options) == with_guard)
        run("tune2fs -O mmp " + quoted(image));
    auto bytes = read_host_file(image);
    auto units = metadata_units(bytes);
    fs::remove(image);
    Sealer sealer(bytes);
    if (!sealer.fits(bytes))
        throw std::runtime_error("the checksums of a sound image do not fit");
    return { std::move(bytes), std::move(units), std::move(sealer) };
}

std::vector<Seed> make_seeds(u64 seed)
{
    TemporaryFolder folder;
    auto const source = folder.path() / "source";
    fs::create_directory(source);
    TreeOptions const options { .files = 12, .folders_deep = 3, .entries_in_large_folder = 300 };
    fill_tree(source, options, seed);
    std::vector<Seed> seeds;
    for (auto const* const each : seed_options)
        seeds.push_back(make_seed(folder.path() / "image", source, each));
    return seeds;
}

u8 changed(u8 byte, std::mt19937_64& random)
{
    constexpr u8 interesting[] { 0, 1, 2, 3, 4, 8, 12, 0x7F, 0x80, 0xFE, 0xFF };
    switch (random() % 3) {
    case 0:
        return static_cast<u8>(byte ^ 1 << random() % 8);
    case 1:
        return interesting[random() % std::size(interesting)];
    default:
        return static_cast<u8>(random());
    }
}

// The image of a round: a few bytes of a seed changed.
std::vector<u8> image_of(std::vector<Seed> const& seeds, u64 number, u64 round)
{
    std::seed_seq words { number, number >> 32, round, round >> 32 };
    std::mt19937_64 random(words);
    auto const& seed = seeds[round % seeds.size()];
    bool const sealed = random() % 2 == 0;
    auto image = seed.image;
    std::vector<usize> places;
    for (auto changes = 1 + random() % changes_max; changes > 0; --changes) {
        auto const offset = sealed
            ? seed.sealer.any_byte(random)
            : seed.units[random() % seed.units.size()] + random() % unit_bytes;
        image[offset] = changed(image[offset], random);
        places.push_back(offset);
    }
    for (auto const offset : places) {
        if (sealed)
            seed.sealer.seal(image, offset);
    }
    return image;
}

// Of so many rounds e2fsck has to be able to repair what one left.
u64 judged_every()
{
    return std::getenv("GEMEL_TEST_LONG") ? 20 : 200;
}

void run_image(std::vector<u8> const& image)
{
    itimerval const limit { .it_interval = {}, .it_value = { processor_seconds_max, 0 } };
    setitimer(ITIMER_PROF, &limit, nullptr); // its signal ends the process
    LLVMFuzzerTestOneInput(image.data(), image.size());
}

bool repaired_by_e2fsck(std::vector<u8> const& image)
{
    TemporaryFolder folder;
    auto const file = folder.path() / "image";
    write_host_file(file, image);
    try {
        run_up_to("e2fsck -fy " + quoted(file), 1);
        return true;
    } catch (std::runtime_error const&) {
        return false;
    }
}

// What e2fsck could repair before our changes it can repair after them.
void judge(std::vector<u8> const& image)
{
    auto const written = written_image(image);
    if (written.empty() || repaired_by_e2fsck(written) || !repaired_by_e2fsck(image))
        return;
    std::fprintf(stderr, "e2fsck -fy fails after our changes, and not before\n");
    std::abort();
}

// Shared by the process that runs rounds and the one that watches it.
struct Progress {
    u64 round;
    i64 slowest_us;
};

class Rounds {
public:
    Rounds(u64 seed, u64 first)
        : seed_(seed)
        , seeds_(make_seeds(seed))
        , progress_(static_cast<Progress*>(mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE,
              MAP_SHARED | MAP_ANONYMOUS, -1, 0)))
    {
        *progress_ = { first, 0 };
    }

    // Up to that round and so many seconds. How many rounds failed.
    u64 run(u64 end, std::chrono::seconds seconds)
    {
        auto const stop = Clock::now() + seconds;
        u64 failures = 0;
        while (failures < failures_max) {
            std::fflush(stdout);
            auto const child = fork();
            if (child == 0) {
                run_until(end, stop);
                std::exit(0);
            }
            int status = 0;
            waitpid(child, &status, 0);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                break;
            ++failures;
            tell(status);
            ++progress_->round;
        }
        return failures;
    }
    Progress const& progress() const { return *progress_; }

private:
    using Clock = std::chrono::steady_clock;

    void run_until(u64 end, Clock::time_point stop)
    {
        for (; progress_->round < end && Clock::now() < stop; ++progress_->round) {
            auto const start = Clock::now();
            auto const image = image_of(seeds_, seed_, progress_->round);
            run_image(image);
            using std::chrono::microseconds;
            auto const took = std::chrono::duration_cast<microseconds>(Clock::now() - start);
            progress_->slowest_us = std::max<i64>(progress_->slowest_us, took.count());
            if (progress_->round % judged_every() == 0)
                judge(image);
        }
    }

    void tell(int status) const
    {
        auto const round = std::to_string(progress_->round);
        auto const file = fs::temp_directory_path()
            / ("ext4_image_fuzz-" + std::to_string(seed_) + "-" + round);
        write_host_file(file, image_of(seeds_, seed_, progress_->round));
        bool const hung = WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF;
        std::printf("FAILED: round %s of seed %llu%s; again: ext4_image_fuzz --image %s\n",
            round.c_str(), static_cast<unsigned long long>(seed_), hung ? ", it hangs" : "",
            file.c_str());
    }

    u64 seed_;
    std::vector<Seed> seeds_;
    Progress* progress_;
};

int run_some(u64 rounds, u64 seed, u64 first)
{
    std::printf("ext4_image_fuzz: %llu rounds, seed %llu\n",
        static_cast<unsigned long long>(rounds), static_cast<unsigned long long>(seed));
    Rounds some(seed, first);
    auto const failures = some.run(first + rounds, std::chrono::hours(24));
    std::printf("ext4_image_fuzz: done, slowest round %lld ms\n",
        static_cast<long long>(some.progress().slowest_us / 1000));
    return failures == 0 ? 0 : 1;
}

// Goes on where the last run that named the file ended.
int resume(fs::path const& file, u64 seconds)
{
    u64 seed = test_seed();
    u64 round = 0;
    std::ifstream(file) >> seed >> round;
    Rounds some(seed, round);
    auto const failures = some.run(~u64 { 0 }, std::chrono::seconds(seconds));
    auto const total = static_cast<unsigned long long>(some.progress().round);
    std::ofstream(file) << seed << " " << total << "\n";
    std::printf("ext4_image_fuzz: %llu images so far, slowest round %lld ms\n", total,
        static_cast<long long>(some.progress().slowest_us / 1000));
    return failures == 0 ? 0 : 1;
}

} // namespace

} // namespace gemel::ext4::test

// ext4_image_fuzz [ROUNDS [SEED [FIRST]]] | --resume FILE SECONDS | --image FILE
int main(int count, char** arguments)
{
    using namespace gemel::ext4::test;
    auto const number = [&](int index, gemel::u64 otherwise) {
        return count > index ? std::strtoull(arguments[index], nullptr, 10) : otherwise;
    };
    std::string_view const first = count > 1 ? arguments[1] : "";
    if (first == "--resume" && count == 4)
        return resume(arguments[2], number(3, 0));
    if (first == "--image" && count == 3) {
        auto const image = read_host_file(arguments[2]);
        run_image(image);
        judge(image);
        return 0;
    }
    return run_some(number(1, 3000), number(2, test_seed()), number(3, 0));
}
