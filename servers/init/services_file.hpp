// /etc/services.toml: which services there are and what each may hold. A mistake costs the entry it
// is in, never the rest of the file.
#pragma once

#include "core/abi/right.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace gemel::init {

inline constexpr usize services_max = 64;
inline constexpr usize service_name_max = 23; // as capabilities' names in the Startup page
inline constexpr usize service_list_max = 24; // dependencies, ports, arguments

// A capability that the service is given: `name` is what it takes it by, `from` the service (or the
// broker, "init", "process", "bundle") that it leads to.
struct ServicePort {
    std::string name;
    std::string from;
    Rights rights = 0;
};

enum class RestartPolicy : u8 { never, on_failure, always };

struct Restart {
    RestartPolicy policy = RestartPolicy::on_failure;
    u32 budget = 3; // restarts in `window_s` seconds; one more and it is given up
    u32 window_s = 60;
};

// A service that serves Directory and appears in the name space.
struct ServiceMount {
    std::string path; // empty: none
    std::string type;
    bool read_only = false;
};

inline constexpr u32 quota_pages_max = 1 << 20; // 4 GiB

struct Service {
    std::string name;
    std::string binary; // /gemel/...
    std::vector<std::string> arguments; // without the program's name
    std::vector<std::string> dependencies; // started before it; when one restarts, so does it
    std::vector<ServicePort> ports;
    Restart restart;
    ServiceMount mount;
    bool auto_start = true;
    bool after_mounts = false; // waits until the file systems are mounted
    bool lasting = false; // its port outlives it, so capabilities lead to whichever instance runs
    bool flush = false; // asked to write out what it keeps before file systems are unmounted
    bool ends_machine = false; // its exit status becomes the machine's
    u8 priority = 4;
    u32 pages = 512; // quotas
    u32 memory_part = 0; // one in so many of the machine's pages, if that is more; 0: no such part
    u32 rows = 256;
    u32 threads = 16;
    u32 stack_pages = 64;
};

struct FileProblem {
    u32 line = 0; // from 1; 0: of the file as a whole
    u32 column = 0;
    std::string message;
};

struct ServicesFile {
    std::vector<Service> services;
    std::vector<FileProblem> problems;
};

// Never fails: what cannot be understood is a problem.
ServicesFile parse_services(std::string_view text);

// `more` (the disk's) over `base` (the bundle's): an entry of the same name replaces, others are
// added.
std::vector<Service> merge_services(std::vector<Service> base, std::vector<Service> more);

} // namespace gemel::init
