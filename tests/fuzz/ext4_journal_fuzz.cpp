// Damages journals the way that gets furthest: bytes of the log and of the journal's superblock
// change, in half of the rounds with the checksums made to fit again. Whatever the log says, the
// replay touches nothing outside the image, refuses with a reason, and has then written nothing.
#include "servers/ext4/recovery.hpp"
#include "tests/ext4/log_writer.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace gemel::ext4::test {

namespace {

constexpr u32 block_bytes = 1024;
constexpr usize changes_max = 5;

constexpr char const* volumes[] {
    "-b 1024 -J size=1 4M",
    "-t ext3 -b 1024 -J size=1 4M",
    "-b 1024 -O ^metadata_csum -J size=1 4M",
};

struct Seed {
    MemoryDevice device;
    std::unique_ptr<LogWriter> log;
    std::vector<u32> blocks; // that are worth damaging
};

std::vector<u8> random_block(std::mt19937_64& random)
{
    std::vector<u8> bytes(block_bytes);
    for (auto& each : bytes)
        each = static_cast<u8>(random());
    if (random() % 4 == 0)
        journal::store_be32(bytes, 0, journal::magic);
    return bytes;
}

std::unique_ptr<Seed> make_seed(
    std::vector<u8> const& volume, LogOptions options, std::mt19937_64& random)
{
    auto seed = std::make_unique<Seed>(Seed { MemoryDevice(volume), nullptr, { 0 } });
    seed->log = std::make_unique<LogWriter>(seed->device, options);
    for (int each = 0; each < 4; ++each) {
        std::vector<LoggedBlock> blocks;
        for (auto left = 1 + random() % 9; left > 0; --left)
            blocks.push_back({ 3500 + random() % 200, random_block(random) });
        std::vector<u64> revokes;
        for (auto left = random() % 5; left > 0; --left)
            revokes.push_back(3500 + random() % 200);
        seed->log->transaction(blocks, revokes, each == 3 ? Ending::cut_off : Ending::committed);
    }
    for (auto const block : seed->log->used()) {
        auto const at = seed->log->journal().place(block) * block_bytes;
        if (journal::load_be32(std::span(seed->device.bytes).subspan(at, 4), 0) == journal::magic)
            seed->blocks.push_back(block);
    }
    return seed;
}

std::vector<std::unique_ptr<Seed>> make_seeds(std::mt19937_64& random)
{
    TemporaryFolder folder;
    auto const image = folder.path() / "image";
    std::vector<std::unique_ptr<Seed>> seeds;
    for (std::string const options : volumes) {
        auto const space = options.rfind(' ');
        fs::remove(image);
        run("mkfs.ext4 -q -F " + options.substr(0, space) + " " + quoted(image)
            + options.substr(space));
        auto const volume = read_host_file(image);
        for (auto const kind : { JournalChecksum::none, JournalChecksum::v1, JournalChecksum::v2,
                 JournalChecksum::v3 }) {
            bool const wide = random() % 2 == 0;
            seeds.push_back(make_seed(volume, { kind, wide }, random));
            seeds.push_back(make_seed(volume, { kind, !wide, 1020 }, random));
        }
    }
    return seeds;
}

u8 changed(u8 byte, std::mt19937_64& random)
{
    constexpr u8 interesting[] { 0, 1, 2, 3, 5, 8, 0x10, 0x7F, 0x80, 0xFF };
    return random() % 2 == 0 ? interesting[random() % std::size(interesting)]
                             : static_cast<u8>(byte ^ 1 << random() % 8);
}

void damage(Seed const& seed, std::vector<u8>& image, std::mt19937_64& random)
{
    for (auto left = 1 + random() % changes_max; left > 0; --left) {
        auto const block = seed.blocks[random() % seed.blocks.size()];
        // Most of what steers lies at the start: heads, tags, the superblock's fields.
        auto const within = random() % (random() % 4 == 0 ? block_bytes : 96);
        auto& byte = image[seed.log->journal().place(block) * block_bytes + within];
        byte = changed(byte, random);
    }
}

void seal(Seed const& seed, std::vector<u8>& image)
{
    auto const& log = *seed.log;
    for (auto const block : seed.blocks) {
        auto const bytes
            = std::span(image).subspan(log.journal().place(block) * block_bytes, block_bytes);
        if (block != 0)
            log.seal(bytes);
        else if (log.super().has_tails())
            journal::store_be32(bytes, journal::super::checksum, journal_super_checksum(bytes));
    }
}

void expect(bool holds, char const* what, MountReport const& report)
{
    if (holds)
        return;
    std::fprintf(stderr, "ext4_journal_fuzz: %s (%s)\n", what, report.refusal.c_str());
    std::abort();
}

// Returns whether the journal was replayed.
bool replay(std::vector<u8> const& image)
{
    CollectedErrors errors;
    MountReport in_memory;
    MemoryDevice readable(image);
    auto const volume = Volume::mount(readable, errors, in_memory);
    expect(
        volume || !in_memory.refusal.empty(), "mounting was refused without a reason", in_memory);
    expect(readable.writes == 0, "mounting wrote", in_memory);

    MountReport report;
    MemoryDevice device(image);
    auto const done = recover(device, errors, report);
    expect(done || !report.refusal.empty(), "recovery was refused without a reason", report);
    expect(done || device.writes == 0, "a refused recovery wrote", report);
    if (!done)
        return false;
    MountReport again;
    auto const twice = recover(device, errors, again);
    expect(twice && !twice->was_needed, "a recovered volume needs recovery", again);
    return true;
}

} // namespace

} // namespace gemel::ext4::test

int main(int count, char** arguments)
{
    using namespace gemel::ext4::test;
    auto const rounds = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 3000;
    auto const number = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : test_seed();
    std::printf("ext4_journal_fuzz: %llu rounds, seed %llu\n", rounds,
        static_cast<unsigned long long>(number));
    std::fflush(stdout);
    std::mt19937_64 random(number);
    auto const seeds = make_seeds(random);
    unsigned long long replayed = 0;
    for (unsigned long long round = 0; round < rounds; ++round) {
        auto const& seed = *seeds[round % seeds.size()];
        auto image = seed.device.bytes;
        damage(seed, image, random);
        if (random() % 2 == 0)
            seal(seed, image);
        replayed += replay(image);
    }
    std::printf(
        "ext4_journal_fuzz: done, %llu replayed, %llu refused\n", replayed, rounds - replayed);
    return 0;
}
