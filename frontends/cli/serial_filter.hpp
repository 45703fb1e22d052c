// Splits what the machine writes on its console into what the user should see and what was meant
// for this program. Two lines are ours:
//   gemel: up in N ms               the boot is over; under -c nothing before it is shown
//   gemel: power off, status N      the system ended with this status
// They are known wherever they begin: the text before may have lacked its newline.
// Everything else passes at once, byte by byte, so that prompts and editing work.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace gemel::cli {

// prompt: bytes pass as they are. script: the serial line's "\r\n" becomes "\n", and a newline
// right before the last line belongs to that line: a script's output keeps exactly its own bytes.
enum class Use { prompt, script };

enum class BootText { show, hide }; // what stands before "gemel: up"

class SerialFilter {
public:
    using Output = std::function<void(std::string_view)>;

    SerialFilter(BootText boot_text, Use use, Output output);

    // Takes the next bytes of the console.
    void take(std::string_view bytes);
    // The console has ended: what was held back is shown.
    void finish();

    // 0..255, once the machine has said it.
    std::optional<int> status() const { return status_; }
    bool up() const { return up_; }
    // What was hidden before "gemel: up": worth showing when the boot failed.
    std::string const& hidden() const { return hidden_; }

private:
    void take_byte(char byte);
    void take_text(char byte);
    bool could_be_ours(std::string_view text) const;
    void take_our_line();
    void show(std::string_view text);

    Use use_;
    std::string_view off_marker_;
    Output output_;
    bool up_ = false;
    bool hiding_;
    bool carriage_return_ = false;
    std::string held_; // could still become one of our lines
    std::string hidden_;
    std::optional<int> status_;
};

} // namespace gemel::cli
