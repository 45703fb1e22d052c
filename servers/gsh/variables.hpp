// The shell's variables and what stands for them in a word.
#pragma once

#include "core/base/types.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gemel::gsh {

class Variables {
public:
    enum class Export : u8 { keep, yes };

    // Empty when it is not set.
    std::string get(std::string_view name) const;
    bool has(std::string_view name) const { return values_.contains(std::string(name)); }
    void set(std::string_view name, std::string_view value, Export how = Export::keep);
    void mark_exported(std::string_view name) { values_[std::string(name)].exported = true; }
    void unset(std::string_view name) { values_.erase(std::string(name)); }
    // NAME=value, sorted: those that programs are given, or all.
    std::vector<std::string> exported() const;
    std::vector<std::string> all() const;

    // $0, $1, ...: the script's name first.
    std::vector<std::string> arguments { "gsh" };
    // $?
    int status = 0;

private:
    struct Value {
        std::string text;
        bool exported = false;
    };

    std::map<std::string, Value, std::less<>> values_;
};

} // namespace gemel::gsh
