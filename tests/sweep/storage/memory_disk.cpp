#include "sweep/storage/memory_disk.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

namespace connector::sweep {
namespace {

constexpr std::int64_t k_sector = 512;
constexpr int k_lock_slots = SQLITE_SHM_NLOCK;

// A write, or with no octets the size that was set.
struct Change {
    std::int64_t at = 0;
    std::optional<Octets> octets;
};

void apply(Octets& content, std::int64_t at, const std::uint8_t* octets, std::int64_t count) {
    const auto end = static_cast<std::size_t>(at + count);
    if (content.size() < end) content.resize(end);
    std::copy_n(octets, count, content.begin() + at);
}

}  // namespace

struct Disk::File {
    Octets content;
    Octets synced;
    std::vector<Change> pending;  // what leads from `synced` to `content`
    bool name_is_new = false;     // its first sync makes the name durable
    std::vector<Handle*> handles;
    std::vector<std::unique_ptr<std::array<std::uint64_t, 4096>>> shared_memory;  // 32 KiB each

    [[nodiscard]] Octets after_power_cut(Survivors survivors, std::mt19937_64& random) const {
        if (survivors == Survivors::none) return synced;
        if (survivors == Survivors::all) return content;
        auto left = synced;
        // Often nearly all of it is there, and it is the missing piece that hurts.
        const std::uint64_t of_ten = random() % 2 == 0 ? 5 : 9;
        for (const auto& change : pending) {
            if (!change.octets) {
                if (random() % 10 < of_ten) left.resize(static_cast<std::size_t>(change.at));
                continue;
            }
            const auto count = static_cast<std::int64_t>(change.octets->size());
            for (std::int64_t done = 0; done < count;) {
                const auto piece = std::min(count - done, k_sector - (change.at + done) % k_sector);
                if (random() % 10 < of_ten) apply(left, change.at + done, change.octets->data() + done, piece);
                done += piece;
            }
        }
        return left;
    }
};

struct Disk::Handle {
    sqlite3_file base;  // first: SQLite's own view of it
    Disk* disk;
    std::shared_ptr<File> file;
    int level;
    unsigned shared;  // shm slots held, by bit
    unsigned exclusive;
};

std::string_view to_string(Fault fault) noexcept {
    switch (fault) {
        case Fault::none: return "none";
        case Fault::fails: return "fails";
        case Fault::stays: return "stays";
        case Fault::full: return "full";
        case Fault::torn: return "torn";
        case Fault::lost_sync: return "lost_sync";
        case Fault::locked: return "locked";
        case Fault::power_cut: return "power_cut";
    }
    return "";
}

Disk::Disk(const Image& image, std::uint64_t start) : random_(start) {
    for (const auto& [name, octets] : image) {
        auto file = std::make_shared<File>();
        file->content = file->synced = octets;
        names_.emplace(name, file);
    }
    durable_ = names_;
}

void Disk::arm(Fault fault, int at) {
    fault_ = fault;
    at_ = at;
    calls_ = 0;
    struck_ = false;
}

void Disk::heal() {
    fault_ = Fault::none;
}

Image Disk::image(Survivors survivors, std::uint64_t seed) const {
    std::mt19937_64 random(seed);
    Image image;
    auto names = survivors == Survivors::none ? durable_ : names_;
    if (survivors == Survivors::some) {
        std::erase_if(names, [&](const auto& each) { return !durable_.contains(each.first) && random() % 2 == 0; });
        for (const auto& [name, file] : durable_) {
            if (!names_.contains(name) && random() % 2 == 0) names.emplace(name, file);
        }
    }
    for (const auto& [name, file] : names) image.emplace(name, file->after_power_cut(survivors, random));
    return image;
}

int Disk::call(Call call) {
    if (off_) return SQLITE_IOERR;
    if (fault_ == Fault::none) return SQLITE_OK;
    const bool writes = fault_ == Fault::full || fault_ == Fault::torn;
    if (writes && call != Call::write) return SQLITE_OK;
    if (fault_ == Fault::lost_sync && call != Call::sync) return SQLITE_OK;
    if (fault_ == Fault::locked && call != Call::lock) return SQLITE_OK;
    ++calls_;
    const bool goes_on = fault_ == Fault::stays || fault_ == Fault::locked;
    if (calls_ != at_ && !(goes_on && calls_ > at_ && at_ > 0)) return SQLITE_OK;
    struck_ = true;
    if (fault_ == Fault::full) return SQLITE_FULL;
    if (fault_ == Fault::locked) return SQLITE_BUSY;
    off_ = fault_ == Fault::power_cut;
    switch (call) {
        case Call::open: return SQLITE_CANTOPEN;
        case Call::read: return SQLITE_IOERR_READ;
        case Call::write: return SQLITE_IOERR_WRITE;
        case Call::truncate: return SQLITE_IOERR_TRUNCATE;
        case Call::sync: return SQLITE_IOERR_FSYNC;
        case Call::size: return SQLITE_IOERR_FSTAT;
        case Call::remove: return SQLITE_IOERR_DELETE;
        case Call::access: return SQLITE_IOERR_ACCESS;
        case Call::lock: return SQLITE_IOERR_LOCK;
        case Call::map: return SQLITE_IOERR_SHMMAP;
    }
    return SQLITE_IOERR;
}

int Disk::write(Handle& handle, const std::uint8_t* octets, std::int64_t count, std::int64_t offset) {
    auto& file = *handle.file;
    const auto put = [&](std::int64_t part) {
        apply(file.content, offset, octets, part);
        file.pending.push_back({offset, Octets(octets, octets + part)});
    };
    const bool was_off = off_;
    const int code = call(Call::write);
    if (code == SQLITE_OK) put(count);
    if (code != SQLITE_OK && fault_ == Fault::torn && !was_off) {
        if (const auto part = static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(count)); part > 0)
            put(part);
    }
    // The write that is under way when the power goes may be down in parts.
    if (off_ && !was_off) file.pending.push_back({offset, Octets(octets, octets + count)});
    return code;
}

int Disk::truncate(Handle& handle, std::int64_t size) {
    if (const int code = call(Call::truncate); code != SQLITE_OK) return code;
    handle.file->content.resize(static_cast<std::size_t>(size));
    handle.file->pending.push_back({size, std::nullopt});
    return SQLITE_OK;
}

int Disk::sync(Handle& handle) {
    auto& file = *handle.file;
    if (const int code = call(Call::sync); code != SQLITE_OK) {
        if (fault_ == Fault::lost_sync) file.pending.clear();
        return code;
    }
    if (lies_) return SQLITE_OK;
    for (const auto& change : file.pending) {
        if (change.octets) {
            apply(file.synced, change.at, change.octets->data(), static_cast<std::int64_t>(change.octets->size()));
        } else {
            file.synced.resize(static_cast<std::size_t>(change.at));
        }
    }
    file.pending.clear();
    if (std::exchange(file.name_is_new, false)) durable_ = names_;
    return SQLITE_OK;
}

int Disk::open(const char* name, int flags, Handle& handle) {
    if (const int code = call(Call::open); code != SQLITE_OK) return code;
    if (name == nullptr) {
        handle.file = std::make_shared<File>();
        return SQLITE_OK;
    }
    auto& file = names_[name];
    if (!file) {
        file = std::make_shared<File>();
        file->name_is_new = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    }
    handle.file = file;
    return SQLITE_OK;
}

int Disk::remove(const std::string& name, bool sync_directory) {
    if (const int code = call(Call::remove); code != SQLITE_OK) return code;
    if (names_.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
    if (sync_directory && !lies_) durable_ = names_;
    return SQLITE_OK;
}

// As SQLite's own: an empty file is as good as none.
bool Disk::exists(const std::string& name) const {
    const auto found = names_.find(name);
    return found != names_.end() && !found->second->content.empty();
}

void Disk::randomness(std::uint8_t* octets, int count) {
    for (int i = 0; i < count; ++i) octets[i] = static_cast<std::uint8_t>(random_());
}

// -- what SQLite calls ------------------------------------------------------------------------------------------------
namespace {

Disk* g_disk = nullptr;
sqlite3_vfs* g_real = nullptr;

Disk::Handle& of(sqlite3_file* file) {
    return *reinterpret_cast<Disk::Handle*>(file);
}

int vfs_close(sqlite3_file* file) {
    auto& handle = of(file);
    std::erase(handle.file->handles, &handle);
    std::destroy_at(&handle.file);
    return SQLITE_OK;
}

int vfs_read(sqlite3_file* file, void* buffer, int count, sqlite3_int64 offset) {
    auto& handle = of(file);
    if (const int code = handle.disk->call(Disk::Call::read); code != SQLITE_OK) return code;
    const auto& content = handle.file->content;
    const auto size = static_cast<sqlite3_int64>(content.size());
    const auto there = std::clamp<sqlite3_int64>(size - offset, 0, count);
    std::memset(buffer, 0, static_cast<std::size_t>(count));
    if (there > 0) std::copy_n(content.begin() + offset, there, static_cast<std::uint8_t*>(buffer));
    return there == count ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int vfs_write(sqlite3_file* file, const void* octets, int count, sqlite3_int64 offset) {
    auto& handle = of(file);
    return handle.disk->write(handle, static_cast<const std::uint8_t*>(octets), count, offset);
}

int vfs_truncate(sqlite3_file* file, sqlite3_int64 size) {
    return of(file).disk->truncate(of(file), size);
}

int vfs_sync(sqlite3_file* file, int /*flags*/) {
    return of(file).disk->sync(of(file));
}

int vfs_size(sqlite3_file* file, sqlite3_int64* size) {
    auto& handle = of(file);
    *size = static_cast<sqlite3_int64>(handle.file->content.size());
    return handle.disk->call(Disk::Call::size);
}

int highest_of_others(const Disk::Handle& handle) {
    int highest = SQLITE_LOCK_NONE;
    for (const auto* other : handle.file->handles) {
        if (other != &handle) highest = std::max(highest, other->level);
    }
    return highest;
}

int vfs_lock(sqlite3_file* file, int level) {
    auto& handle = of(file);
    if (handle.level >= level) return SQLITE_OK;
    if (const int code = handle.disk->call(Disk::Call::lock); code != SQLITE_OK) return code;
    const int others = highest_of_others(handle);
    const int allowed = level == SQLITE_LOCK_SHARED     ? SQLITE_LOCK_RESERVED
                        : level == SQLITE_LOCK_RESERVED ? SQLITE_LOCK_SHARED
                                                        : SQLITE_LOCK_NONE;
    if (others > allowed) return SQLITE_BUSY;
    handle.level = level;
    return SQLITE_OK;
}

int vfs_unlock(sqlite3_file* file, int level) {
    of(file).level = std::min(of(file).level, level);
    return SQLITE_OK;
}

int vfs_check_reserved(sqlite3_file* file, int* reserved) {
    *reserved = std::max(of(file).level, highest_of_others(of(file))) >= SQLITE_LOCK_RESERVED ? 1 : 0;
    return SQLITE_OK;
}

int vfs_control(sqlite3_file* /*file*/, int /*operation*/, void* /*argument*/) {
    return SQLITE_NOTFOUND;
}

int vfs_sector(sqlite3_file* /*file*/) {
    return 4096;
}

int vfs_characteristics(sqlite3_file* /*file*/) {
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int vfs_shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
    auto& handle = of(file);
    *memory = nullptr;
    if (const int code = handle.disk->call(Disk::Call::map); code != SQLITE_OK) return code;
    auto& regions = handle.file->shared_memory;
    if (size != static_cast<int>(sizeof(*regions.front()))) return SQLITE_IOERR_SHMSIZE;
    while (static_cast<int>(regions.size()) <= region) {
        if (extend == 0) return SQLITE_OK;
        regions.push_back(std::make_unique<std::array<std::uint64_t, 4096>>());
    }
    *memory = regions[static_cast<std::size_t>(region)]->data();
    return SQLITE_OK;
}

int vfs_shm_lock(sqlite3_file* file, int from, int count, int flags) {
    auto& handle = of(file);
    const unsigned mask = ((1U << static_cast<unsigned>(count)) - 1U) << static_cast<unsigned>(from);
    if (from + count > k_lock_slots) return SQLITE_MISUSE;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        handle.shared &= ~mask;
        handle.exclusive &= ~mask;
        return SQLITE_OK;
    }
    if (const int code = handle.disk->call(Disk::Call::lock); code != SQLITE_OK) return code;
    const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    for (const auto* other : handle.file->handles) {
        if (other == &handle) continue;
        if ((other->exclusive & mask) != 0 || (exclusive && (other->shared & mask) != 0)) return SQLITE_BUSY;
    }
    (exclusive ? handle.exclusive : handle.shared) |= mask;
    return SQLITE_OK;
}

void vfs_shm_barrier(sqlite3_file* /*file*/) {}

// The first to come finds it empty, as after SQLite's own "dead man's switch".
int vfs_shm_unmap(sqlite3_file* file, int /*remove*/) {
    auto& handle = of(file);
    handle.shared = handle.exclusive = 0;
    if (handle.file->handles.size() == 1) handle.file->shared_memory.clear();
    return SQLITE_OK;
}

const sqlite3_io_methods k_methods{2,
                                   vfs_close,
                                   vfs_read,
                                   vfs_write,
                                   vfs_truncate,
                                   vfs_sync,
                                   vfs_size,
                                   vfs_lock,
                                   vfs_unlock,
                                   vfs_check_reserved,
                                   vfs_control,
                                   vfs_sector,
                                   vfs_characteristics,
                                   vfs_shm_map,
                                   vfs_shm_lock,
                                   vfs_shm_barrier,
                                   vfs_shm_unmap,
                                   nullptr,
                                   nullptr};

int vfs_open(sqlite3_vfs* /*vfs*/, const char* name, sqlite3_file* file, int flags, int* flags_out) {
    auto& handle = of(file);
    handle.base.pMethods = nullptr;
    std::construct_at(&handle.file);
    handle.disk = g_disk;
    handle.level = SQLITE_LOCK_NONE;
    handle.shared = handle.exclusive = 0;
    if (const int code = g_disk->open(name, flags, handle); code != SQLITE_OK) {
        std::destroy_at(&handle.file);
        return code;
    }
    handle.file->handles.push_back(&handle);
    handle.base.pMethods = &k_methods;
    if (flags_out != nullptr) *flags_out = flags;
    return SQLITE_OK;
}

int vfs_delete(sqlite3_vfs* /*vfs*/, const char* name, int sync_directory) {
    return g_disk->remove(name, sync_directory != 0);
}

int vfs_access(sqlite3_vfs* /*vfs*/, const char* name, int /*flags*/, int* there) {
    *there = g_disk->exists(name) ? 1 : 0;
    return g_disk->call(Disk::Call::access);
}

int vfs_full_path(sqlite3_vfs* /*vfs*/, const char* name, int room, char* path) {
    sqlite3_snprintf(room, path, "%s", name);
    return SQLITE_OK;
}

int vfs_randomness(sqlite3_vfs* /*vfs*/, int count, char* octets) {
    g_disk->randomness(reinterpret_cast<std::uint8_t*>(octets), count);
    return count;
}

int vfs_sleep(sqlite3_vfs* /*vfs*/, int microseconds) {
    return microseconds;
}

int vfs_time(sqlite3_vfs* /*vfs*/, double* days) {
    return g_real->xCurrentTime(g_real, days);
}

int vfs_time64(sqlite3_vfs* /*vfs*/, sqlite3_int64* milliseconds) {
    return g_real->xCurrentTimeInt64(g_real, milliseconds);
}

int vfs_last_error(sqlite3_vfs* /*vfs*/, int /*room*/, char* /*text*/) {
    return 0;
}

}  // namespace

void Disk::mount() {
    static sqlite3_vfs vfs = [] {
        g_real = sqlite3_vfs_find(nullptr);
        sqlite3_vfs made{};
        made.iVersion = 2;
        made.szOsFile = static_cast<int>(sizeof(Handle));
        made.mxPathname = 1024;
        made.zName = "memory-disk";
        made.xOpen = vfs_open;
        made.xDelete = vfs_delete;
        made.xAccess = vfs_access;
        made.xFullPathname = vfs_full_path;
        made.xRandomness = vfs_randomness;
        made.xSleep = vfs_sleep;
        made.xCurrentTime = vfs_time;
        made.xCurrentTimeInt64 = vfs_time64;
        made.xGetLastError = vfs_last_error;
        return made;
    }();
    g_disk = this;
    sqlite3_vfs_register(&vfs, 1);
    sqlite3_randomness(0, nullptr);  // each machine start draws its own
}

Disk::~Disk() {
    if (g_disk != this) return;
    g_disk = nullptr;
    sqlite3_vfs_register(g_real, 1);
}

}  // namespace connector::sweep
