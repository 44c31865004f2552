// A disk of the test's own for SQLite: it keeps what was written and what was synced apart, so that it can lose the
// difference, and it fails the i-th call as it is told. Registered as the process's default VFS; the connector's own
// checks of modes and owners go on meeting the real (and empty) file of the same name.
//
// What it promises is what SQLite's own VFS for Unix promises: a file's octets are durable with its xSync, a new
// journal's name with the journal's first xSync, a removed name with a synced removal; what was not synced may be there
// in any part, in sectors of 512 octets and in any order. One thread. One Disk at a time is the one that SQLite sees:
// the last one mounted.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace connector::sweep {

using Octets = std::vector<std::uint8_t>;
// What a disk holds while nobody uses it.
using Image = std::map<std::string, Octets>;

enum class Fault {
    none,
    fails,      // the i-th call of any kind is an I/O error
    stays,      // so is every one after it, until heal()
    full,       // the i-th write finds no room
    torn,       // the i-th write is an I/O error after a part of it is down
    lost_sync,  // the i-th xSync is an error, and what it was to make durable never is: Linux marks such pages clean
    locked,     // from the i-th request for a lock on, another process has it, until heal()
    power_cut   // nothing after the i-th call; what the disk holds then is image()
};
[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

// What a power cut leaves of what was not synced.
enum class Survivors { none, some, all };

class Disk {
public:
    // `start` makes what SQLite draws at random differ from one start of the machine to the next.
    Disk(const Image& image, std::uint64_t start);
    Disk(const Disk&) = delete;
    Disk& operator=(const Disk&) = delete;
    ~Disk();

    // From now on SQLite's files are here. Call while it has none open.
    void mount();

    // Calls are counted from 1 on, from now on.
    void arm(Fault fault, int at);
    void heal();
    [[nodiscard]] bool struck() const noexcept { return struck_; }
    // Calls that the armed fault could have struck.
    [[nodiscard]] int calls() const noexcept { return calls_; }
    // xSync answers well and makes nothing durable: to show that a sweep notices.
    void lie() noexcept { lies_ = true; }

    // What a machine finds that starts with this disk; after a power cut: as it was left then.
    [[nodiscard]] Image image(Survivors survivors, std::uint64_t seed) const;

    // For the VFS. A success, or the code with which this call fails.
    struct File;
    struct Handle;
    enum class Call { open, read, write, truncate, sync, size, remove, access, lock, map };
    [[nodiscard]] int call(Call call);
    [[nodiscard]] int open(const char* name, int flags, Handle& handle);
    [[nodiscard]] int remove(const std::string& name, bool sync_directory);
    [[nodiscard]] bool exists(const std::string& name) const;
    [[nodiscard]] int write(Handle& handle, const std::uint8_t* octets, std::int64_t count, std::int64_t offset);
    [[nodiscard]] int truncate(Handle& handle, std::int64_t size);
    [[nodiscard]] int sync(Handle& handle);
    void randomness(std::uint8_t* octets, int count);

private:
    using Names = std::map<std::string, std::shared_ptr<File>>;
    Names names_;    // as the running system sees them
    Names durable_;  // as the disk has them
    Fault fault_ = Fault::none;
    int at_ = 0;
    int calls_ = 0;
    bool struck_ = false;
    bool off_ = false;  // the power is gone
    bool lies_ = false;
    std::mt19937_64 random_;
};

}  // namespace connector::sweep
