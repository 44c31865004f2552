// The authorities.
#include "config/credentials.hpp"
#include "core/crypto/certificate.hpp"
#include "core/crypto/csr.hpp"
#include "core/crypto/issue.hpp"
#include "daemon/authority/factory.hpp"
#include "daemon/authority/local_ca.hpp"
#include "daemon/authority/local_list.hpp"
#include "daemon/authority/local_signer.hpp"
#include "daemon/authority/local_store.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/pool_offload.hpp"
#include "daemon/system_clock.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <system_error>

namespace connector::doctor {
namespace {

authority::LocalTemplate local_template(const config::AuthorityTemplate& given) {
    authority::LocalTemplate bounds;
    bounds.key_usage = given.key_usage;
    bounds.extended_key_usage = given.extended_key_usage;
    bounds.validity_days = given.validity_days;
    bounds.crl_url = given.crl_url;
    bounds.aia_url = given.aia_url;
    bounds.policies = given.policies;
    return bounds;
}

// A certificate for nobody at that domain: signed, verified against the root, and forgotten.
Result<void> rehearse(const authority::LocalSigner& signer, const authority::LocalTemplate& bounds,
                      const std::string& domain, UtcTime now) {
    const bool ec = bounds.key_usage == KeyUsage() ||
                    bounds.key_usage.any_of(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation |
                                            KeyUsage::k_key_agreement);
    const auto key = crypto::PrivateKey::generate(ec ? KeyType::ec_p256 : KeyType::rsa2048);
    if (!key) return key.error();
    crypto::CsrContent content;
    content.subject.rdns.push_back({Attribute{std::string(oid::k_common_name), "pfx-connector doctor"}});
    content.alternative_names.push_back({NameForm::email, "doctor@" + domain});
    const auto csr = crypto::make_csr(*key, content);
    if (!csr) return csr.error();
    const auto made = signer.sign(*csr, bounds, 0, now);
    if (!made) return made.error();
    const auto chain = crypto::verify_chain(made->certificate, {signer.issuing().der}, {signer.root().der}, now);
    if (!chain) return chain.error();
    return {};
}

void check_list(Checks& checks, const std::string& called, const config::Authority& configured,
                const authority::LocalSigner& signer, UtcTime now) {
    bool named = !configured.crl_file.empty();
    for (const auto& [alias, form] : configured.templates) named = named || !form.crl_url.empty();
    if (!named) return;
    const std::string name = called + " revocation list";
    const std::string mend =
        "see that the daemon runs: it writes one at start and whenever half of its time is over "
        "(pfx-connector explain AUTH-7011); by hand: pfx-connector local-ca crl --directory " +
        configured.directory.string() + " --out FILE";
    const auto found = authority::look_at_list(configured.directory, signer, nullptr, now);
    if (found.der.empty() || !found.next_update)
        return checks.warning(name, "certificates name one: " + found.due, mend);
    if (*found.next_update <= now)
        return checks.fault(name,
                            "its time was over on " + to_rfc3339(*found.next_update) +
                                ": whoever looks at it refuses every certificate",
                            mend);
    const std::string until = "number " + (found.number ? std::to_string(*found.number) : std::string("unknown")) +
                              ", until " + to_rfc3339(*found.next_update);
    if (!found.due.empty()) return checks.warning(name, until + "; " + found.due, mend);
    if (!authority::is_published(found, {configured.crl_life, configured.crl_file}))
        return checks.fault(name, configured.crl_file.string() + " is not the one that was made last",
                            "let the daemon's account write in " + configured.crl_file.parent_path().string());
    checks.good(name, until);
}

// What it issues is stored before it is answered. The first start makes it, under the right owner.
void check_store(Checks& checks, const std::string& called, const config::Authority& configured) {
    const auto file = configured.directory / authority::local_files::k_database;
    std::error_code failure;
    if (!std::filesystem::exists(file, failure)) return;
    const auto store = authority::LocalStore::open(file);
    if (const auto fit = store ? (*store)->probe() : Result<void>(store.error()); !fit)
        checks.fault(called + " database", file.string() + ": " + fit.error().message,
                     "see what else has it open (lsof " + file.string() + "), and whether the disk is full");
}

void check_local(Checks& checks, const std::string& name, const config::Authority& configured,
                 const config::Settings& settings, UtcTime now) {
    const std::string called = "authority " + name;
    std::optional<SecretBytes> passphrase;
    if (configured.key_passphrase) {
        auto word = config::read_password(*configured.key_passphrase);
        if (!word) return checks.fault(called, word.error().message, "mend authority." + name + ".key_passphrase");
        passphrase = std::move(*word);
    }
    const auto signer = authority::LocalSigner::open(configured.directory, passphrase, {settings.storage.directory});
    if (!signer)
        return checks.fault(
            called, signer.error().message,
            "put the authority's files back from their backup; pfx-connector local-ca create makes a new "
            "one in an empty directory");
    judge_life(checks, called, "issuing certificate of " + to_text(signer->issuing().subject),
               signer->issuing().not_before, signer->issuing().not_after, now,
               "pfx-connector local-ca create in a new directory, and name it in authority." + name + ".directory");
    check_store(checks, called, configured);
    if (configured.templates.empty())
        checks.warning(called + " templates", "none is configured: a request that names one fails",
                       "write [authority." + name + ".template.ALIAS]");
    bool all = !checks.any_fault();
    std::size_t tried = 0;
    for (const auto& [alias, form] : configured.templates) {
        const auto bounds = local_template(form);
        const std::string where = called + " template " + alias;
        if (const auto fit = signer->check(bounds); !fit) {
            checks.fault(where, fit.error().message, "mend [authority." + name + ".template." + alias + "]");
            all = false;
            continue;
        }
        for (const auto& domain : settings.policy.allowed_mail_domains) {
            if (const auto done = rehearse(*signer, bounds, domain, now); !done) {
                checks.fault(where, "would not sign for " + domain + ": " + done.error().message,
                             "take " + domain +
                                 " out of policy.allowed_mail_domains, or make an authority with --domain " + domain);
                all = false;
            }
            ++tried;
        }
    }
    if (all && tried != 0)
        checks.good(called + " dry run",
                    count_of(static_cast<std::int64_t>(tried), "certificate") + " signed, verified and thrown away");
    check_list(checks, called, configured, *signer, now);
}

// Any other protocol, as far as its port tells: what it needs on this machine, and whether it answers.
void check_other(Checks& checks, const std::string& name, const config::Authority& configured,
                 const config::Settings& settings) {
    const std::string called = "authority " + name;
    config::Settings alone = settings;
    alone.authorities = {{name, configured}};
    boost::asio::io_context io(1);
    daemon::SystemClock clock(io.get_executor());
    daemon::PoolOffload offload(1);
    net::SystemResolver resolver;
    const auto made = authority::make_authorities(alone, offload, clock, resolver);
    if (!made) return checks.fault(called, made.error().message, "mend [authority." + name + "]");
    for (const auto& [alias, form] : configured.templates)
        if (!made->begin()->second->has_template(alias))
            checks.fault(called + " template " + alias, "it does not know it",
                         "mend [authority." + name + ".template." + alias + "]");
    std::optional<Result<void>> answer;
    auto probing = made->begin()->second->probe();
    boost::asio::co_spawn(io, std::move(probing), [&answer](std::exception_ptr fault, Result<void> result) {
        if (!fault) answer.emplace(std::move(result));
    });
    io.run();
    if (!answer || !*answer)
        return checks.fault(called, answer ? answer->error().message : "the question was not answered",
                            "see that it runs and can be reached from here; then its url, ca_file and credential in "
                            "[authority." +
                                name + "]");
    checks.good(called, "answers; its certificates were read. A credential is tried with the first order");
}

}  // namespace

std::vector<Check> check_authority(const config::Settings& settings, const std::string& name, UtcTime now) {
    Checks checks("authority");
    const auto configured = settings.authorities.find(name);
    if (configured == settings.authorities.end())
        checks.fault("authority " + name, "no [authority." + name + "] is configured", "write it");
    else if (configured->second.type == config::AuthorityType::local)
        check_local(checks, name, configured->second, settings, now);
    else
        check_other(checks, name, configured->second, settings);
    return std::move(checks).take();
}

std::vector<Check> check_authorities(const config::Settings& settings, UtcTime now) {
    Checks all("authority");
    std::vector<Check> rows;
    const bool issues = settings.connector.does(request::Kind::pkcs_issue);
    if (settings.authorities.empty() && issues)
        all.fault("authorities", "pkcs.issue is on, and there is none: every such request will fail",
                  "write [authority.NAME], or take pkcs.issue out of connector.kinds");
    rows = std::move(all).take();
    for (const auto& [name, configured] : settings.authorities) {
        auto found = check_authority(settings, name, now);
        rows.insert(rows.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    }
    return rows;
}

std::vector<Check> check_with_secrets(const config::Settings& settings, UtcTime now) {
    std::vector<Check> rows;
    const auto add = [&rows](std::vector<Check> more) {
        rows.insert(rows.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    if (settings.sealing.key && settings.sealing.key->source == config::SecretRef::Source::credential) {
        Checks checks("keys");
        if (const auto key = config::read_sealing_key(*settings.sealing.key); key)
            checks.good("sealing key", settings.sealing.key->text() + " can be read");
        else
            checks.fault("sealing key", key.error().message, "let the unit load it: LoadCredential=");
        add(std::move(checks).take());
    }
    add(check_import_keys(settings));
    add(check_certificates(settings, now));
    add(check_mail(settings));
    add(check_authorities(settings, now));
    add(check_directory(settings));
    return rows;
}

}  // namespace connector::doctor
