#include "tests/ext4/crash/judges.hpp"

#include "tests/ext4/host.hpp"

#include <sstream>
#include <stdexcept>
#include <unistd.h>
#include <utility>

namespace gemel::ext4::test {

namespace {

constexpr unsigned judges_max = 2;

std::string memory_folder()
{
    constexpr char const* memory = "/dev/shm";
    auto const parent = access(memory, W_OK) == 0 ? fs::path(memory) : fs::temp_directory_path();
    auto name = (parent / "gemel-judges-XXXXXX").string();
    if (!mkdtemp(name.data()))
        throw std::runtime_error("cannot make a folder for images in " + parent.string());
    return name;
}

// Where it may only look, e2fsck calls orphans damage; where it may write it frees them, and must
// find nothing else to do.
std::string free_orphans(fs::path const& file)
{
    auto const said = run_up_to("exec e2fsck -fp " + quoted(file), 1);
    std::istringstream lines(said);
    for (std::string line; std::getline(lines, line);) {
        bool const expected = line.find("rphan") != std::string::npos || line == "CLEARED."
            || line.find("Clearing") != std::string::npos
            || line.find("Truncating") != std::string::npos
            || line.find("non-contiguous") != std::string::npos;
        if (!expected)
            return "e2fsck, asked to free orphans, says:\n" + said;
    }
    return "";
}

std::string judge(fs::path const& file, std::vector<u8> const& image, u32 orphans)
{
    constexpr int status_max = 255;
    write_host_file(file, image);
    if (orphans > 0) {
        if (auto wrong = free_orphans(file); !wrong.empty())
            return wrong;
    }
    int status = 0;
    auto const said = run_up_to("exec e2fsck -fn " + quoted(file), status_max, &status);
    return status == 0 ? "" : "e2fsck says:\n" + said;
}

} // namespace

Judges::Judges(u32 every)
    : every_(every)
    , folder_(memory_folder())
{
    for (unsigned each = 0; each < judges_max; ++each)
        free_files_.push_back(folder_ + "/" + std::to_string(each));
}

Judges::~Judges()
{
    while (!running_.empty())
        end_first();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void Judges::ask(std::string state, std::vector<u8> image, u32 orphans)
{
    ++asked_;
    if (free_files_.empty())
        end_first();
    auto const file = free_files_.back();
    free_files_.pop_back();
    running_.push_back({ std::move(state), file,
        std::async(std::launch::async,
            [file, orphans, image = std::move(image)] { return judge(file, image, orphans); }) });
}

void Judges::end_first()
{
    auto& first = running_.front();
    std::string wrong;
    try {
        wrong = first.verdict.get();
    } catch (std::exception const& error) {
        wrong = error.what();
    }
    if (!wrong.empty())
        verdicts_.push_back(first.state + ": " + wrong);
    free_files_.push_back(first.file);
    running_.pop_front();
}

std::vector<std::string> Judges::verdicts()
{
    while (!running_.empty())
        end_first();
    return std::exchange(verdicts_, {});
}

} // namespace gemel::ext4::test
