// A process that this one traces: memory, registers, breakpoints while it runs, and twins of it.
// x86_64 Linux, ptrace(2). A process stands still unless a member function says otherwise.
#pragma once

#include "core/base/types.hpp"

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sys/user.h>

namespace gemel::travel {

// Watched for writes (or any access): at most four aligned pieces of 1, 2, 4 or 8 bytes.
struct Watch {
    u64 address = 0;
    u32 bytes = 0;
    bool access = false;
    bool operator==(Watch const&) const = default;
};
inline constexpr usize watches_max = 4; // debug registers

// Whether this machine's debug registers tell of writes. Those of some virtual machines accept what
// is written to them and do nothing. GEMEL_DEBUG_REGISTERS=no in the environment: as if so.
bool debug_registers_work();

// What is watched; nothing where it cannot be read.
using Values = std::vector<std::optional<u64>>;
// Which of them is another one now. What cannot be read is no other value.
std::optional<usize> changed(Values const& before, Values const& after);

// How a process came to stand.
enum class Halt : u8 { trap, watch, signal, ended };

struct Halted {
    Halt how = Halt::trap;
    u64 address = 0; // watch: of what was written
    int signal = 0;
};

class Tracee {
public:
    Tracee() = default;
    // A new process that runs `body`, which does not return. Stands before it. Throws
    // std::system_error.
    static Tracee start(std::function<void()> const& body);
    ~Tracee() { end(); }
    Tracee(Tracee&& other) noexcept
        : process_(std::exchange(other.process_, -1))
        , memory_(std::exchange(other.memory_, -1))
        , compared_(std::move(other.compared_))
        , values_(std::move(other.values_))
    {
    }
    Tracee& operator=(Tracee&& other) noexcept
    {
        std::swap(process_, other.process_);
        std::swap(memory_, other.memory_);
        std::swap(compared_, other.compared_);
        std::swap(values_, other.values_);
        return *this;
    }

    bool is_there() const { return process_ > 0; }
    int process() const { return process_; }

    // As many bytes as can be read from there on.
    usize read(u64 address, std::span<u8> to) const;
    bool write(u64 address, std::span<u8 const> from) const;
    template <typename T>
    T get(u64 address) const
    {
        T value {};
        read(address, { reinterpret_cast<u8*>(&value), sizeof value });
        return value;
    }
    template <typename T>
    void put(u64 address, T const& value) const
    {
        write(address, { reinterpret_cast<u8 const*>(&value), sizeof value });
    }

    user_regs_struct registers() const;
    user_fpregs_struct float_registers() const;
    u64 pc() const;
    void set_pc(u64 address) const;
    // Where debug registers do nothing only step() notices, and only what becomes another value.
    void watch(std::vector<Watch> const& watches);
    Values values(std::vector<Watch> const& watches) const;
    void set_debug_registers(std::vector<Watch> const& watches) const;

    // One instruction, or the delivery of the fault that it causes.
    Halted step();
    // `count` of them; false when it ended before.
    bool steps(u64 count);
    void go(int signal = 0); // runs until wait() says so
    Halted wait();
    // Null: it still runs.
    std::optional<Halted> try_wait();
    void interrupt() const; // a signal SIGSTOP: wait() tells

    // Another process in the same state, whose memory is its own; nothing where none can be made
    // (memory, processes, or no machine stands).
    std::optional<Tracee> twin();

private:
    Halted judge(int status) const;
    Halted compare();
    bool run_to_trap(int process) const;
    void end();

    int process_ = -1;
    int memory_ = -1; // /proc/N/mem
    std::vector<Watch> compared_; // in place of debug registers
    Values values_; // of these
};

} // namespace gemel::travel
