// import upgrade: records under passwords and ciphers of former times, packed anew. import key rotate: their passwords
// wrapped for another import key; the importer's signature does not cover them.
#include "core/crypto/oaep.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/text.hpp"
#include "daemon/cli/import_stored.hpp"
#include "daemon/keys/import_keys.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct UpgradeOptions {
    RecordChoice choice;
    bool dry_run = false;
};
struct RotateOptions {
    RecordChoice choice;
    std::string from;
    std::string to;
    bool dry_run = false;
};

// What came of each record, told as a table or as JSON.
class Told {
public:
    explicit Told(const Invocation& call) : call_(call), table_({"thumbprint", "outcome", "user", "purpose", "why"}) {
        table_.keep_whole(1);
    }
    void add(const trust::ImportedRecord& record, const std::string& outcome, const std::string& why) {
        auto row = record_json(record);
        row["outcome"] = outcome;
        row["reason"] = why.empty() ? json::value() : json::value(why);
        rows_.push_back(std::move(row));
        table_.add({record.thumbprint, outcome, record.user_principal_name,
                    std::string(request::to_string(record.purpose)), why});
        refused_ = refused_ || outcome == "refused";
    }
    int end(std::string_view nothing) {
        if (call_.json) {
            json::object answer;
            answer["certificates"] = std::move(rows_);
            call_.terminal.json(answer);
        } else if (table_.empty()) {
            call_.terminal.line(nothing);
        } else {
            table_.print(call_.terminal);
        }
        return refused_ ? k_failed : k_done;
    }

private:
    const Invocation& call_;
    Table table_;
    json::array rows_;
    bool refused_ = false;
};

// The public half of the import key that the record names, out of the private one that is here.
Result<importer::WrappingKey> own_key(const keys::SoftwareKeys& keys, const trust::ImportedRecord& record) {
    for (const auto& loaded : keys.loaded())
        if (loaded.provider_name == record.provider_name && loaded.key_name == record.key_name)
            return importer::WrappingKey{loaded.provider_name, loaded.key_name, loaded.key.spki_der()};
    return Error(ErrorKind::refused, "importUndecryptable", "its import key is not here");
}

struct Upgrading {
    const Invocation& call;
    const UpgradeOptions& options;
    const config::Settings& settings;
    StoredRecords& stored;
    const std::optional<ports::Signer>& signer;
    Told& told;
};

Result<void> upgrade_one(Upgrading& work, std::size_t index, std::uint64_t sequence) {
    const crypto::OpenSslCrypto crypto;
    const auto& listed = work.stored.list()[index].record;
    const auto record = work.stored.read(index);
    if (!record) {
        if (!work.stored.concerns_one(record.error())) return record.error();
        work.told.add(listed, "refused", record.error().message);
        return {};
    }
    const auto signature = importer::check_signature(crypto, *record, work.stored.trusted());
    // Packing it anew would vouch for it: that wants a look first.
    if (work.signer && signature.state != importer::SignatureState::good) {
        work.told.add(listed, "skipped", "not signed by a trusted importer; see import adopt");
        return {};
    }
    const auto opened =
        importer::open_stored(crypto, work.stored.opener(), work.stored.keys(), *record, work.call.environment.now());
    if (!opened) {
        work.told.add(listed, "refused", opened.error().message);
        return {};
    }
    if (signature.statement) {
        if (const auto same = importer::check_statement(*signature.statement, opened->opened); !same) {
            work.told.add(listed, "refused", same.error().message);
            return {};
        }
    }
    const auto reasons = importer::reasons_to_upgrade(*record, *opened);
    if (reasons.empty()) return {};
    if (work.signer) {
        if (const auto whole = work.stored.may_sign_a_list(record->user_principal_name, record->purpose, {}); !whole) {
            work.told.add(listed, "refused", whole.error().message);
            return {};
        }
    }
    if (work.options.dry_run) {
        work.told.add(listed, "wouldUpgrade", joined(reasons, "; "));
        return {};
    }
    const auto key = own_key(work.stored.keys(), *record);
    if (!key) return key.error();
    importer::ImportOrder order;
    order.user_principal_name = record->user_principal_name;
    order.purpose = record->purpose;
    auto history = importer::history_with(work.stored.list(), record->user_principal_name, record->purpose,
                                          {opened->opened.certificate.sha256});
    auto made = importer::make_record(crypto, opened->opened, order, *key, work.signer ? &*work.signer : nullptr,
                                      std::move(history), sequence, work.call.environment.now());
    if (!made) return made.error();
    made->id = record->id;
    made->etag = record->etag;
    auto kept = work.stored.replace(std::move(*made));
    if (!kept && kept.error().kind != ErrorKind::conflict) return kept;
    work.told.add(listed, kept ? "upgraded" : "refused", kept ? joined(reasons, "; ") : kept.error().message);
    return {};
}

int upgrade(const Invocation& call, const UpgradeOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto signer = importer_signer(*settings);
    if (!signer) return call.fail(signer.error());
    const auto stored = StoredRecords::open(*settings, options.choice);
    if (!stored) return call.fail(stored.error());
    if (const auto learned = learn_signatures(call, **stored); !learned) return call.fail(learned.error());
    Told told(call);
    Upgrading work{call, options, *settings, **stored, *signer, told};
    std::uint64_t newest = 0;
    for (const auto& listed : (*stored)->list())
        if (listed.statement) newest = std::max(newest, listed.statement->sequence);
    const std::uint64_t sequence = sequence_after(newest);
    for (std::size_t i = 0; i < (*stored)->list().size(); ++i) {
        if (!options.choice.holds((*stored)->list()[i].record)) continue;
        if (const auto done = upgrade_one(work, i, sequence); !done) {
            (void)told.end("");
            return call.fail(done.error());
        }
    }
    return told.end("nothing to upgrade: every record has a password of 32 random characters, AES-256 and oaepSha512");
}

Result<void> rotate_one(StoredRecords& stored, std::size_t index, const keys::ImportPublicKey& to,
                        trust::SignatureRule rule, bool dry_run, Told& told) {
    const auto& listed = stored.list()[index].record;
    auto record = stored.read(index);
    if (!record) {
        if (!stored.concerns_one(record.error())) return record.error();
        told.add(listed, "refused", record.error().message);
        return {};
    }
    // Under the new key it would look like all that somebody here has had in his hands.
    const crypto::OpenSslCrypto crypto;
    const auto signature = importer::check_signature(crypto, *record, stored.trusted());
    const auto against = importer::against_rule(signature, rule, importer::is_adopted(stored.list(), *record));
    if (!against.empty()) {
        told.add(listed, "refused", against);
        return {};
    }
    if (dry_run) {
        told.add(listed, "wouldRotate", "");
        return {};
    }
    const auto hash = importer::oaep_hash(record->padding_scheme);
    if (!hash) {
        told.add(listed, "refused", "paddingScheme " + record->padding_scheme + " is not supported");
        return {};
    }
    const auto password =
        stored.keys().unwrap(record->provider_name, record->key_name, record->wrapped_password, *hash);
    if (!password) {
        told.add(listed, "refused", password.error().message);
        return {};
    }
    auto wrapped = crypto::wrap_oaep(to.spki, *password, ports::OaepHash::sha512);
    if (!wrapped) {
        told.add(listed, "refused", wrapped.error().message);
        return {};
    }
    record->wrapped_password = std::move(*wrapped);
    record->padding_scheme = "oaepSha512";
    record->provider_name = to.provider_name;
    record->key_name = to.key_name;
    auto kept = stored.replace(std::move(*record));
    if (!kept && kept.error().kind != ErrorKind::conflict) return kept;
    told.add(listed, kept ? "rotated" : "refused", kept ? "" : kept.error().message);
    return {};
}

int rotate(const Invocation& call, const RotateOptions& options) {
    const auto settings = call.settings(config::Need::import_tool);
    if (!settings) return k_usage;
    const auto from = keys::public_import_key(*settings, options.from);
    if (!from) return call.fail(from.error());
    const auto to = keys::public_import_key(*settings, options.to);
    if (!to) return call.fail(to.error());
    if (from->provider_name == to->provider_name && from->key_name == to->key_name)
        return call.fail_usage("NAME and --to are the same key");
    const auto stored = StoredRecords::open(*settings, options.choice);
    if (!stored) return call.fail(stored.error());
    Told told(call);
    for (std::size_t i = 0; i < (*stored)->list().size(); ++i) {
        const auto& record = (*stored)->list()[i].record;
        if (record.provider_name != from->provider_name || record.key_name != from->key_name ||
            !options.choice.holds(record))
            continue;
        if (const auto done = rotate_one(**stored, i, *to, settings->importer.rules.signatures, options.dry_run, told);
            !done) {
            (void)told.end("");
            return call.fail(done.error());
        }
    }
    return told.end("no record is under that key");
}

}  // namespace

void add_import_upgrade_command(CLI::App& import_group, Chosen& chosen) {
    auto options = std::make_shared<UpgradeOptions>();
    auto* command = add_command(import_group, "upgrade",
                                "packs signed records anew that are under a person's password, a cipher other than "
                                "AES-256, or oaepSha256",
                                "pfx-connector import upgrade --dry-run\n"
                                "pfx-connector import upgrade --user alice@corp.example");
    add_record_options(*command, options->choice);
    command->add_flag("--dry-run", options->dry_run, "opens and tells, changes nothing");
    chosen.on(command, [options](const Invocation& call) { return upgrade(call, *options); });
}

void add_import_key_rotate_command(CLI::App& key_group, Chosen& chosen) {
    auto options = std::make_shared<RotateOptions>();
    auto* command = add_command(key_group, "rotate",
                                "wraps the passwords of all records of an import key for another one; both have to be "
                                "configured here, and the old one stays until nothing is under it",
                                "pfx-connector import key rotate ImportKey1 --to ImportKey2");
    command->add_option("NAME", options->from, "the key that is given up")->required();
    command->add_option("--to", options->to, "the key that takes its place")->required();
    add_record_options(*command, options->choice);
    command->add_flag("--dry-run", options->dry_run, "tells, changes nothing");
    chosen.on(command, [options](const Invocation& call) { return rotate(call, *options); });
}

}  // namespace connector::cli
