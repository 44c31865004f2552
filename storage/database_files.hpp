// Which files are SQLite's own. Whoever closes any descriptor of a file takes away every POSIX lock that the process
// has on it (fcntl(2)); a process whose locks are gone loses its write-ahead log to the next one that opens the
// database and closes it (https://www.sqlite.org/howtocorrupt.html, 2.2). So nothing but SQLite opens a database of
// ours, its log or the log's index once it may be in use in this process; what has to read a whole folder asks here
// first. Any thread.
#pragma once

#include <filesystem>
#include <string_view>

namespace connector::storage {

// By its name alone: the database called `name`, its log, the log's index, its rollback journal.
[[nodiscard]] bool is_file_of_database(const std::filesystem::path& file, std::string_view name);

}  // namespace connector::storage
