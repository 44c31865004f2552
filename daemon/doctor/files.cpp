// Modes and owners.
#include "daemon/doctor/areas.hpp"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <system_error>

namespace connector::doctor {
namespace {

namespace fs = std::filesystem;

constexpr mode_t k_modes = 07777;
constexpr mode_t k_others = S_IRWXG | S_IRWXO;
constexpr mode_t k_foreign_write = S_IWGRP | S_IWOTH;

std::string octal(mode_t mode) {
    std::string text = "0000";
    for (std::size_t i = 0; i < 4; ++i) text[3 - i] = static_cast<char>('0' + ((mode >> (3U * i)) & 7U));
    return text;
}

std::string account(uid_t uid) {
    std::array<char, 16384> buffer{};
    struct passwd entry {};
    struct passwd* found = nullptr;
    if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
    return "uid " + std::to_string(uid);
}

class Files {
public:
    Files(Checks& checks, uid_t service) : checks_(checks), service_(service) {}

    // Keys and passwords: the service's alone. `service_reads`: false where only a person's command reads it.
    void secret(const std::string& key, const fs::path& path, bool service_reads, const std::string& make) {
        const auto facts = look(key, path, make);
        if (!facts) return;
        if (!S_ISREG(facts->st_mode))
            return checks_.fault(key, path.string() + " is not a plain file", "name the file itself, not a link");
        const mode_t mode = facts->st_mode & k_modes;
        if (mode != 0400 && mode != 0600)
            return checks_.fault(key, path.string() + " has mode " + octal(mode) + ", so that others have it too",
                                 "chmod 0600 " + path.string());
        if (service_reads && facts->st_uid != service_)
            return checks_.fault(
                key,
                path.string() + " belongs to " + account(facts->st_uid) + ", the daemon runs as " + account(service_),
                "chown " + account(service_) + " " + path.string());
        ++sound_;
    }

    // What decides whom we believe: read by the service, written by nobody but its owner or root.
    void anchor(const std::string& key, const fs::path& path, const std::string& make) {
        const auto facts = look(key, path, make);
        if (!facts) return;
        if (!S_ISREG(facts->st_mode))
            return checks_.fault(key, path.string() + " is not a plain file", "name a PEM file");
        if ((facts->st_mode & k_foreign_write) != 0)
            return checks_.fault(key,
                                 path.string() + " has mode " + octal(facts->st_mode & k_modes) +
                                     ": whoever may write it decides whom the connector believes",
                                 "chmod go-w " + path.string());
        if (!owned(key, path, *facts)) return;
        if (::geteuid() == service_ && ::access(path.c_str(), R_OK) != 0)
            return checks_.fault(key, path.string() + " cannot be read by account " + account(service_),
                                 "chmod 0644 " + path.string());
        ++sound_;
    }

    // A folder of the service's own.
    void folder(const std::string& key, const fs::path& path, bool secret, const std::string& make) {
        const auto facts = look(key, path, make);
        if (!facts) return;
        if (!S_ISDIR(facts->st_mode))
            return checks_.fault(key, path.string() + " is not a directory", "move it away and make a directory");
        const mode_t open = facts->st_mode & (secret ? k_others : k_foreign_write);
        if (open != 0)
            return checks_.fault(key, path.string() + " has mode " + octal(facts->st_mode & k_modes),
                                 std::string("chmod ") + (secret ? "0700 " : "go-w ") + path.string());
        if (facts->st_uid != service_)
            return checks_.fault(
                key,
                path.string() + " belongs to " + account(facts->st_uid) + ", the daemon runs as " + account(service_),
                "chown " + account(service_) + " " + path.string());
        ++sound_;
    }

    // A file of the state directory: there or not yet there.
    void own(const std::string& key, const fs::path& path) {
        struct stat facts {};
        if (::lstat(path.c_str(), &facts) != 0) return;
        if (!S_ISREG(facts.st_mode)) return checks_.fault(key, path.string() + " is not a plain file", "move it away");
        if ((facts.st_mode & k_others) != 0)
            return checks_.fault(key, path.string() + " has mode " + octal(facts.st_mode & k_modes),
                                 "chmod 0600 " + path.string());
        if (facts.st_uid != service_)
            return checks_.fault(
                key, path.string() + " belongs to " + account(facts.st_uid) + ", its folder to " + account(service_),
                "chown " + account(service_) + " " + path.string());
        ++sound_;
    }

    [[nodiscard]] int sound() const noexcept { return sound_; }

private:
    // A missing file, or one that cannot be looked at, is told here.
    std::optional<struct stat> look(const std::string& key, const fs::path& path, const std::string& make) {
        struct stat facts {};
        if (::stat(path.c_str(), &facts) == 0) return facts;
        if (errno == ENOENT || errno == ENOTDIR)
            checks_.fault(key, path.string() + " does not exist", make);
        else
            checks_.fault(key, path.string() + ": " + std::generic_category().message(errno),
                          ::geteuid() == service_ ? "let account " + account(service_) + " look there (chmod, chown)"
                                                  : "run doctor as root, or as account " + account(service_));
        return std::nullopt;
    }

    bool owned(const std::string& key, const fs::path& path, const struct stat& facts) {
        if (facts.st_uid == 0 || facts.st_uid == service_) return true;
        checks_.fault(key,
                      path.string() + " belongs to " + account(facts.st_uid) +
                          ", who decides with it whom the connector believes",
                      "chown root " + path.string());
        return false;
    }

    Checks& checks_;
    uid_t service_;
    int sound_ = 0;
};

void secret_refs(Files& files, const config::Settings& settings) {
    const auto look = [&](const std::string& key, const std::optional<config::SecretRef>& where, bool service_reads,
                          const std::string& make) {
        if (where && where->source == config::SecretRef::Source::file)
            files.secret(key, where->path, service_reads, make);
    };
    const std::string put = "put it there, with mode 0600, or name the right file";
    look("sealing.key", settings.sealing.key, true,
         "take it back from its backup; only where nothing was stored yet: pfx-connector sealing create FILE");
    look("management.proxy_password", settings.management.proxy_password, true, put);
    look("management.admin_token", settings.management.admin_token, false, put);
    look("delivery.key", settings.delivery.key, true, "pfx-connector delivery-key create");
    look("importer.key", settings.importer.key, false, put);
    look("health.token", settings.health.token, true, put);
    look("health.tls_key", settings.health.tls_key, true, put);
    for (const auto& [name, key] : settings.import_keys) {
        look("import." + name + ".key", key.key, true, "take it back from its backup: without it no record opens");
        look("import." + name + ".passphrase", key.passphrase, true, put);
    }
    for (const auto& [name, authority] : settings.authorities) {
        look("authority." + name + ".key_passphrase", authority.key_passphrase, true, put);
        look("authority." + name + ".password", authority.password, true, put);
        look("authority." + name + ".key", authority.key, true, put);
    }
}

void certificates(Files& files, const config::Settings& settings) {
    const auto look = [&](const std::string& key, const fs::path& path, const std::string& make) {
        if (!path.empty()) files.anchor(key, path, make);
    };
    const std::string put = "put the PEM file there, or name the right one";
    look("management.ca_file", settings.management.ca_file, put);
    look("recipients.ca_file", settings.recipients.ca_file, put);
    look("importer.signers", settings.importer.signers_file, put);
    look("importer.certificate", settings.importer.certificate, put);
    look("delivery.certificate", settings.delivery.certificate, "pfx-connector delivery-key create");
    look("delivery.chain_file", settings.delivery.chain_file, put);
    look("health.tls_certificate", settings.health.tls_certificate, put);
    for (const auto& [name, authority] : settings.authorities) {
        look("authority." + name + ".ca_file", authority.ca_file, put);
        look("authority." + name + ".issuer_file", authority.issuer_file, put);
        look("authority." + name + ".certificate", authority.certificate, put);
    }
}

}  // namespace

std::vector<Check> check_files(const config::Settings& settings) {
    Checks checks("files");
    const fs::path& state = settings.storage.directory;
    struct stat facts {};
    if (::stat(state.c_str(), &facts) != 0) {
        checks.fault("storage.directory", state.string() + ": " + std::generic_category().message(errno),
                     "install -d -m 0700 -o ACCOUNT " + state.string() + ", with the account that runs the daemon");
        return std::move(checks).take();
    }
    Files files(checks, facts.st_uid);
    files.anchor("configuration", settings.file, "");
    files.folder("storage.directory", state, true, "");
    for (const char* name :
         {"connector.lock", "connector.db", "connector.db-wal", "connector.db-shm", "connector.suspect"})
        files.own("database", state / name);
    const std::string enrol = "pfx-connector enroll --token-file FILE";
    files.secret("management.key", settings.management.key, true, enrol);
    files.anchor("management.certificate", settings.management.certificate, enrol);
    secret_refs(files, settings);
    certificates(files, settings);
    const auto folder_of = [&](const std::string& key, const fs::path& file) {
        if (!file.empty())
            files.folder(key, file.parent_path(), false,
                         "install -d -m 0700 -o " + account(facts.st_uid) + " " + file.parent_path().string());
    };
    folder_of("log.file", settings.log.file);
    if (settings.audit.file.parent_path() != settings.log.file.parent_path())
        folder_of("audit.file", settings.audit.file);
    files.own("audit.file", settings.audit.file);
    for (const auto& [name, authority] : settings.authorities) {
        if (authority.type != config::AuthorityType::local) continue;
        const std::string make = "pfx-connector local-ca create --directory " + authority.directory.string();
        files.folder("authority." + name + ".directory", authority.directory, true, make);
        files.secret("authority." + name + " ca.key", authority.directory / "ca.key", true, make);
        files.own("authority." + name + " ca.db", authority.directory / "ca.db");
    }
    if (files.sound() != 0)
        checks.good("modes and owners", std::to_string(files.sound()) + " files and folders are as account " +
                                            account(facts.st_uid) + " needs them");
    return std::move(checks).take();
}

}  // namespace connector::doctor
