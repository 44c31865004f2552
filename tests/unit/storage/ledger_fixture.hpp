// A ledger in a folder of its own, with a raw connection beside it for those who would edit the file.
#pragma once

#include "storage/sqlite_ledger.hpp"
#include "support/test_sealer.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace connector::storage::test {

using connector::test::TestSealer;
using namespace std::chrono_literals;

inline const UtcTime k_now{std::chrono::seconds{1'790'000'000}};

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "ledger-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string database() const { return (path_ / "connector.db").string(); }

private:
    std::filesystem::path path_;
};

// What an editor of the file can do: any SQL, no checks.
class Raw {
public:
    explicit Raw(const std::string& file) { EXPECT_EQ(sqlite3_open(file.c_str(), &handle_), SQLITE_OK); }
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    ~Raw() { sqlite3_close(handle_); }
    void execute(const std::string& sql) {
        char* message = nullptr;
        EXPECT_EQ(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, &message), SQLITE_OK) << sql << ": " << message;
        sqlite3_free(message);
    }
    std::vector<std::vector<std::string>> rows(const std::string& sql) {
        std::vector<std::vector<std::string>> rows;
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(handle_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK) << sql;
        while (sqlite3_step(statement) == SQLITE_ROW) {
            auto& row = rows.emplace_back();
            for (int i = 0; i < sqlite3_column_count(statement); ++i) {
                const auto* text = sqlite3_column_text(statement, i);
                row.emplace_back(text == nullptr ? "" : reinterpret_cast<const char*>(text));
            }
        }
        sqlite3_finalize(statement);
        return rows;
    }
    std::string one(const std::string& sql) {
        const auto all = rows(sql);
        return all.empty() ? "" : all.front().front();
    }

private:
    sqlite3* handle_ = nullptr;
};

inline Sha256 hash_of(std::string_view text) {
    Sha256 digest;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto& octet = digest.octets[i % 32];
        octet = static_cast<std::uint8_t>(octet * 31U + static_cast<std::uint8_t>(text[i]));
    }
    digest.octets[31] ^= 0xA5;
    return digest;
}

inline request::CertificateRequest order_of(const std::string& id, const std::string& user = "user-1") {
    request::CertificateRequest order;
    order.id = *RequestId::parse(id);
    order.created_at = k_now - 60s;
    order.user.id = *UserId::parse(user);
    order.user.user_principal_name = user + "@Corp.Example";
    order.device.id = *DeviceId::parse("device-of-" + user);
    order.device.recipient_certificate = Bytes(700, 0x30);
    request::Issue issue;
    issue.profile.authority = "main";
    order.order = issue;
    return order;
}

inline ports::LeasedRequest leased(const std::string& id, const std::string& user = "user-1") {
    ports::LeasedRequest result;
    result.request = order_of(id, user);
    result.order_hash = hash_of(id + user);
    result.lease = {*LeaseId::parse("lease-" + id), k_now + 10min, 1};
    return result;
}

inline request::Charge charge_of(const std::string& subject, std::uint32_t limit, bool distinct = false) {
    return {"issue_per_hour", "", subject, std::chrono::hours{1}, limit, distinct};
}

class LedgerTest : public ::testing::Test {
protected:
    LedgerTest() { open(); }

    void open() {
        close();
        auto taken = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
        ASSERT_TRUE(taken) << taken.error().message;
        lock = std::make_unique<InstanceLock>(std::move(*taken));
        auto opened = SqliteLedger::open(
            *lock, sealer, [this](std::string_view table, std::string_view key) { reported.emplace_back(table, key); });
        ASSERT_TRUE(opened) << opened.error().message;
        ledger = std::move(*opened);
    }
    void close() {
        ledger.reset();
        lock.reset();
    }
    void reopen() { open(); }
    // Closed, edited, opened.
    void edit(const std::string& sql) {
        close();
        Raw(folder.database()).execute(sql);
        open();
    }

    request::RequestRecord accepted(const std::string& id, const std::string& user = "user-1") {
        const auto answer = ledger->accept({leased(id, user)}, k_now);
        EXPECT_TRUE(answer) << answer.error().message;
        return record(id);
    }
    request::RequestRecord record(const std::string& id) {
        auto found = ledger->get(*RequestId::parse(id));
        EXPECT_TRUE(found && *found) << id;
        return found && *found ? **found : request::RequestRecord{};
    }
    request::RequestRecord saved(request::RequestRecord record) {
        ports::Commit commit;
        commit.record = record;
        const auto version = ledger->save(commit, k_now);
        EXPECT_TRUE(version) << version.error().message;
        record.version = version ? *version : 0;
        return record;
    }
    [[nodiscard]] bool was_reported(std::string_view table) const {
        for (const auto& [name, key] : reported) {
            if (name == table) return true;
        }
        return false;
    }

    Folder folder;
    TestSealer sealer;
    std::vector<std::pair<std::string, std::string>> reported;
    std::unique_ptr<InstanceLock> lock;
    std::unique_ptr<SqliteLedger> ledger;
};

inline trust::Pin pin_of(const std::string& device, const std::string& user = "user-1") {
    return {*DeviceId::parse(device),
            *UserId::parse(user),
            user + "@corp.example",
            hash_of("key of " + device),
            hash_of("certificate of " + device),
            "certificate",
            k_now - 24h,
            k_now};
}

inline ports::IssuedCertificate issued_of(const std::string& serial, const std::string& user = "user-1") {
    ports::IssuedCertificate certificate;
    certificate.authority = "main";
    certificate.issuer = "CN=Issuing CA,O=Corp";
    certificate.serial_number = serial;
    certificate.sha256 = hash_of("certificate " + serial);
    certificate.spki_sha256 = hash_of("issued key " + serial);
    certificate.user = *UserId::parse(user);
    certificate.device = *DeviceId::parse("device-of-" + user);
    certificate.request = *RequestId::parse("r1");
    certificate.issued_at = k_now;
    certificate.not_after = k_now + std::chrono::days{365};
    return certificate;
}

}  // namespace connector::storage::test
