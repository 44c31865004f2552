#include "daemon/cli/import_bulk_worker.hpp"

#include "core/crypto/openssl_crypto.hpp"
#include "core/crypto/pfx.hpp"
#include "daemon/cli/pfx_fault.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace connector::cli {
namespace {

using importer::RowOutcome;

constexpr int k_attempts = 4;
// Longer than that a person has better things to do: the run ends, and goes on when it is called again.
constexpr std::chrono::seconds k_longest_wait{60};
constexpr std::chrono::milliseconds k_between_looks{50};

bool is_transient(ErrorKind kind) noexcept {
    return kind == ErrorKind::throttled || kind == ErrorKind::unavailable || kind == ErrorKind::timed_out;
}
// What would be said of every other row as well.
bool ends_the_run(ErrorKind kind) noexcept {
    return is_transient(kind) || kind == ErrorKind::unauthorized || kind == ErrorKind::misconfigured ||
           kind == ErrorKind::cancelled;
}

}  // namespace

struct BulkWorker::Item {
    std::size_t row = 0;
    Sha256 work;
    importer::ImportOrder order;
    importer::Opened opened;
};

template <class T, class Call>
Result<T> BulkWorker::patiently(Call call) {
    for (int attempt = 1;; ++attempt) {
        auto answer = call();
        if (answer || !is_transient(answer.error().kind) || attempt == k_attempts || stop_) return answer;
        const auto wait = answer.error().retry_after.value_or(std::chrono::seconds(1 << (attempt - 1)));
        if (wait > k_longest_wait) return answer;
        const auto until = std::chrono::steady_clock::now() + wait;
        while (!stop_ && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(k_between_looks);
    }
}

void BulkWorker::end(const Item& item, RowOutcome outcome) {
    auto& result = shared_.results[item.row];
    result.outcome = outcome;
    if (shared_.state == nullptr || !importer::is_settled(outcome) || outcome == RowOutcome::duplicate) return;
    if (!shared_.state->append(item.work, item.opened.certificate.sha256)) shared_.state_lost = true;
}

// Reads, opens and judges; nothing where the row has its outcome already.
std::optional<BulkWorker::Item> BulkWorker::open(std::size_t index) {
    const crypto::OpenSslCrypto crypto;
    const importer::BulkRow& row = (*job_.rows)[index];
    auto& result = shared_.results[index];
    const auto pfx = job_.folder->read(row.file, crypto::k_pfx_largest);
    if (!pfx) {
        result.refuse(pfx.error());
        return std::nullopt;
    }
    Item item;
    item.row = index;
    // What another run found unchanged is not done where it is to be stored anew.
    item.work = importer::work_of(crypto, crypto.sha256(*pfx), row, job_.key.key,
                                  job_.settings->management.url + (job_.replace_all ? "\nreplace-all" : ""));
    if (shared_.state != nullptr) {
        if (const auto certificate = shared_.state->before().done(item.work)) {
            result.outcome = RowOutcome::done_before;
            result.sha256 = certificate->hex();
            return std::nullopt;
        }
    }
    std::optional<SecretBytes> own;
    if (!row.password_file.empty()) {
        auto read = job_.folder->read_password(row.password_file);
        if (!read) {
            result.refuse(read.error());
            return std::nullopt;
        }
        own = std::move(*read);
    }
    item.order.user_principal_name = row.user_principal_name;
    item.order.purpose = row.purpose;
    item.order.addresses = row.addresses;
    item.order.chain_candidates = job_.chain;
    auto opened =
        importer::open_and_judge(crypto, job_.opener, *pfx, own ? *own : *job_.password, item.order, job_.now);
    if (!opened) {
        result.refuse(explain_pfx_fault(opened.error(), *pfx));
        return std::nullopt;
    }
    item.opened = std::move(*opened);
    result.describe(item.opened.certificate);
    result.warnings = item.opened.warnings;
    return item;
}

Result<void> BulkWorker::work(const std::vector<std::size_t>& group) {
    std::vector<Item> items;
    for (const std::size_t row : group) {
        if (stop_) return {};
        auto item = open(row);
        ++shared_.done;
        auto& result = shared_.results[row];
        if (!importer::is_settled(result.outcome) && !item) ++shared_.faults;
        if (!item) continue;
        const auto same = std::find_if(items.begin(), items.end(), [&](const Item& earlier) {
            return earlier.opened.certificate.sha256 == item->opened.certificate.sha256;
        });
        if (same != items.end()) {
            result.outcome = RowOutcome::duplicate;
            result.reason = "the same certificate as in line " + std::to_string((*job_.rows)[same->row].line);
            continue;
        }
        if (job_.dry_run) result.outcome = RowOutcome::checked;
        items.push_back(std::move(*item));
    }
    if (job_.dry_run || items.empty() || stop_) return {};
    auto sent = send(items);
    // Somebody said stop: what was not reached tells it.
    if (!sent && sent.error().kind == ErrorKind::cancelled) return {};
    return sent;
}

Result<void> BulkWorker::fetch(const std::string& user) {
    if (!session_) {
        auto opened = ImportSession::open(*job_.settings);
        if (!opened) return opened.error();
        session_ = std::move(*opened);
    }
    auto records = patiently<std::vector<trust::ImportedRecord>>(
        [&] { return session_->wait(session_->calls().list(user, &stop_)); });
    if (!records) return records.error();
    const crypto::OpenSslCrypto crypto;
    store_ = importer::read_store(crypto, std::move(*records), job_.trusted);
    return {};
}

// What the store has of it decides: unchanged, or refused because there is something else.
bool BulkWorker::settled_by_store(Item& item) {
    const auto* stored = importer::find_same(store_, item.order, item.opened.certificate.thumbprint);
    if (stored == nullptr) return false;
    if (!job_.replace_all && importer::says_the_same(*stored, item.opened, job_.key.key, job_.signer.has_value())) {
        end(item, RowOutcome::unchanged);
        return true;
    }
    if (job_.replace) return false;
    shared_.results[item.row].refuse(
        Error(ErrorKind::conflict, "exists",
              "the store has a record of this certificate with another content (importer's signature, mailboxes or "
              "import key); --replace puts this one in its place"));
    return true;
}

Result<void> BulkWorker::send(std::vector<Item>& items) {
    const importer::ImportOrder owner = items.front().order;
    if (auto fetched = fetch(owner.user_principal_name); !fetched) {
        if (ends_the_run(fetched.error().kind)) return fetched;
        for (const Item& item : items) {
            shared_.results[item.row].refuse(fetched.error());
            shared_.results[item.row].outcome = RowOutcome::failed;
            ++shared_.faults;
        }
        return {};
    }
    std::vector<Item*> sending;
    std::vector<const importer::Opened*> known;
    for (Item& item : items) {
        const bool settled = settled_by_store(item);
        if (!settled) sending.push_back(&item);
        if (shared_.results[item.row].outcome == RowOutcome::refused)
            ++shared_.faults;
        else
            known.push_back(&item.opened);
    }
    const std::vector<importer::SignedRecord> before = store_;
    auto history = importer::history_of(before, owner, known);
    std::vector<std::string> replaced;
    for (const Item* item : sending)
        if (const auto* there = importer::find_same(store_, owner, item->opened.certificate.thumbprint))
            replaced.push_back(there->record.id);
    const auto whole = importer::names_everything(store_, owner.user_principal_name, owner.purpose, replaced);
    std::uint64_t sequence = sequence_after(history.newest);
    Item* last = nullptr;      // stored by this run
    Item* outdated = nullptr;  // its list is the newest, and names what did not come to be stored
    for (Item* item : sending) {
        if (stop_) break;
        auto& result = shared_.results[item->row];
        if (job_.signer && !whole) {
            result.refuse(whole.error());
            ++shared_.faults;
            continue;
        }
        if (history.unsigned_records != 0)
            result.warnings.push_back(std::to_string(history.unsigned_records) +
                                      " stored records of this user and purpose are not signed by a known importer and "
                                      "not in the signed history; see import adopt");
        if (history.left_out != 0)
            result.warnings.push_back("the store does not show " + std::to_string(history.left_out) +
                                      " of the certificates that the newest signed list names; they stay in the list");
        bool said_no = false;
        if (auto stored = store(*item, history, sequence); !stored) {
            if (ends_the_run(stored.error().kind)) return stored;
            result.refuse(stored.error());
            if (stored.error().kind != ErrorKind::conflict) result.outcome = RowOutcome::failed;
            said_no = store_said_no(stored.error());
        }
        if (importer::is_settled(result.outcome)) {
            last = item;
            outdated = nullptr;
            continue;
        }
        ++shared_.faults;
        if (!said_no) continue;
        // A list that names what is not there would have it missed for ever.
        std::erase(known, &item->opened);
        history.certificates = importer::history_of(before, owner, known).certificates;
        ++sequence;
        outdated = last;
    }
    if (outdated == nullptr || !job_.signer) return {};
    const auto anew = store_anew(*session_, outdated->opened, outdated->order, job_.key.key, *job_.signer,
                                 history.certificates, sequence, job_.now);
    if (!anew)
        shared_.results[outdated->row].warnings.push_back("the signed list names a certificate that was not stored (" +
                                                          anew.error().message + "): import inventory --publish");
    return {};
}

Result<void> BulkWorker::store(Item& item, const importer::History& history, std::uint64_t sequence) {
    const crypto::OpenSslCrypto crypto;
    auto record =
        importer::make_record(crypto, item.opened, item.order, job_.key.key, job_.signer ? &*job_.signer : nullptr,
                              history.certificates, sequence, job_.now);
    if (!record) return record.error();
    const Sha256 blob = crypto.sha256(record->pfx);
    for (bool again = true; again;) {
        again = false;
        const auto* stored = importer::find_same(store_, item.order, item.opened.certificate.thumbprint);
        record->id = stored == nullptr ? std::string() : stored->record.id;
        record->etag = stored == nullptr ? std::string() : stored->record.etag;
        const auto kept = patiently<trust::ImportedRecord>([&] {
            return session_->wait(stored == nullptr ? session_->calls().add(*record)
                                                    : session_->calls().replace(*record));
        });
        if (kept) {
            end(item, stored == nullptr ? RowOutcome::added : RowOutcome::replaced);
            return {};
        }
        if (kept.error().kind != ErrorKind::conflict) return kept.error();
        // It was there, or has changed: perhaps by ourselves, in an attempt whose answer was lost.
        const auto after = stored_after_all(item, blob, again);
        if (!after) return after.error();
        if (*after) return {};
    }
    return Error(ErrorKind::conflict, "changed", "the stored record changes while this runs; run it again");
}

Result<bool> BulkWorker::stored_after_all(Item& item, const Sha256& blob, bool& again) {
    const bool was_there = importer::find_same(store_, item.order, item.opened.certificate.thumbprint) != nullptr;
    if (auto fetched = fetch(item.order.user_principal_name); !fetched) return fetched.error();
    const auto* stored = importer::find_same(store_, item.order, item.opened.certificate.thumbprint);
    if (stored != nullptr && stored->statement && stored->statement->blob == blob) {
        end(item, was_there ? RowOutcome::replaced : RowOutcome::added);
        return true;
    }
    if (settled_by_store(item)) return true;
    // Once more against what is there now, if that has only come to light.
    again = was_there != (stored != nullptr);
    return false;
}

}  // namespace connector::cli
