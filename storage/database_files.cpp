#include "storage/database_files.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace connector::storage {

bool is_file_of_database(const std::filesystem::path& file, std::string_view name) {
    static constexpr std::array<std::string_view, 4> k_suffixes{"", "-wal", "-shm", "-journal"};
    const std::string called = file.filename().string();
    return called.starts_with(name) && std::find(k_suffixes.begin(), k_suffixes.end(),
                                                 std::string_view(called).substr(name.size())) != k_suffixes.end();
}

}  // namespace connector::storage
