// Where things are by default: the operator contract's "Files". Any thread.
#pragma once

#include <filesystem>

namespace connector::config {

struct PlatformPaths {
    std::filesystem::path configuration;
    std::filesystem::path state;
    std::filesystem::path log;
    std::filesystem::path audit;
    std::filesystem::path control;
};
[[nodiscard]] PlatformPaths platform_paths();

}  // namespace connector::config
