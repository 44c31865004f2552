#include "core/crypto/crl.hpp"

#include "core/crypto/encoding.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"
#include "core/name.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

namespace connector::crypto {
namespace {

using trust::Revocation;
using State = Revocation::State;

Error unfit(const std::string& why) {
    return {ErrorKind::invalid, "crlUnfit", "revocation list: " + why};
}

Result<Bytes> as_der(ByteView octets) {
    if (octets.size() > k_largest_crl) return unfit("larger than 16 MiB");
    constexpr std::string_view k_begin = "-----BEGIN";
    const std::string_view text(reinterpret_cast<const char*>(octets.data()), octets.size());
    if (text.find(k_begin) == std::string_view::npos) return Bytes(octets.begin(), octets.end());
    auto blocks = from_pem(pem::k_crl, text);
    if (!blocks) return unfit(blocks.error().message);
    if (blocks->size() != 1) return unfit("not exactly one X509 CRL block");
    return std::move(blocks->front());
}

bool signed_by_issuer(X509_CRL* list, X509* authority) {
    return X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority)) == 0 &&
           X509_CRL_verify(list, X509_get0_pubkey(authority)) == 1;
}

// What OpenSSL found on its way, other than what is judged elsewhere (dates, purposes of the certificate itself).
struct Found {
    bool stale = false;
    int error = X509_V_OK;
};

bool judged_elsewhere(int error) {
    static constexpr std::array k_elsewhere{
        X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID,   X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION,
        X509_V_ERR_INVALID_CA,       X509_V_ERR_PATH_LENGTH_EXCEEDED, X509_V_ERR_INVALID_PURPOSE};
    return std::find(k_elsewhere.begin(), k_elsewhere.end(), error) != k_elsewhere.end();
}

int note_fault(int good, X509_STORE_CTX* context) {
    if (good == 1) return 1;
    auto* found = static_cast<Found*>(X509_STORE_CTX_get_app_data(context));
    const int error = X509_STORE_CTX_get_error(context);
    if (judged_elsewhere(error)) return 1;
    if (error == X509_V_ERR_CRL_HAS_EXPIRED) {
        found->stale = true;  // it goes on: whether the certificate stands on it counts all the same
        return 1;
    }
    found->error = error;
    return 0;
}

Revocation unknown(std::string code, std::string detail) {
    return {State::unknown, std::move(code), std::move(detail)};
}

Revocation ask(X509* certificate, X509* authority, STACK_OF(X509_CRL) * lists, UtcTime now) {
    const CertificateStore store(X509_STORE_new());
    const CertificateStoreContext context(X509_STORE_CTX_new());
    if (!store || !context || X509_STORE_add_cert(store.get(), authority) != 1 ||
        X509_STORE_CTX_init(context.get(), store.get(), certificate, nullptr) != 1)
        return unknown("crlUnfit", "out of memory");
    X509_STORE_CTX_set0_crls(context.get(), lists);
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(parameters, std::time_t{now.time_since_epoch().count()});
    if (X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_PARTIAL_CHAIN) != 1)
        return unknown("crlUnfit", "out of memory");
    Found found;
    X509_STORE_CTX_set_app_data(context.get(), &found);
    X509_STORE_CTX_set_verify_cb(context.get(), note_fault);
    const bool verified = X509_verify_cert(context.get()) == 1;
    if (found.error == X509_V_ERR_CERT_REVOKED) return {State::revoked, "", "it stands on its authority's list"};
    if (found.error == X509_V_ERR_UNABLE_TO_GET_CRL) return unknown("crlMissing", "its authority has no list here");
    if (found.error != X509_V_OK || !verified) return unknown("crlUnfit", X509_verify_cert_error_string(found.error));
    if (found.stale) return unknown("crlStale", "its authority's list has not been renewed in time");
    return {State::good, "", ""};
}

struct FreeBorrowed {
    void operator()(STACK_OF(X509_CRL) * stack) const noexcept { sk_X509_CRL_free(stack); }
};

}  // namespace

Result<RevocationList> RevocationList::read(ByteView octets) {
    const CleanErrors clean;
    const auto der = as_der(octets);
    if (!der) return der.error();
    if (!der::well_framed(*der)) return unfit("not DER, or octets after it");
    const unsigned char* at = der->data();
    X509_CRL* parsed = d2i_X509_CRL(nullptr, &at, static_cast<long>(der->size()));
    if (parsed == nullptr || at != der->data() + der->size()) {
        X509_CRL_free(parsed);
        return unfit("does not parse");
    }
    RevocationList list;
    list.list_ = std::shared_ptr<X509_CRL>(parsed, X509_CRL_free);
    auto issuer = from_x509_name(X509_CRL_get_issuer(parsed));
    if (!issuer) return unfit("its issuer: " + issuer.error().message);
    list.issuer_ = to_text(*issuer);
    const auto this_update = from_asn1_time(X509_CRL_get0_lastUpdate(parsed));
    const auto* next = X509_CRL_get0_nextUpdate(parsed);
    if (!this_update) return unfit("thisUpdate does not parse");
    if (next == nullptr) return unfit("it has no nextUpdate, so nobody can tell when it is stale");
    const auto next_update = from_asn1_time(next);
    if (!next_update) return unfit("nextUpdate does not parse");
    if (X509_CRL_get_ext_by_NID(parsed, NID_delta_crl, -1) >= 0) return unfit("it is a delta, not a whole list");
    list.this_update_ = *this_update;
    list.next_update_ = *next_update;
    const int entries = sk_X509_REVOKED_num(X509_CRL_get_REVOKED(parsed));
    list.entries_ = entries > 0 ? static_cast<std::size_t>(entries) : 0;
    return list;
}

bool RevocationList::signed_by(ByteView certificate) const {
    const CleanErrors clean;
    const auto authority = parse_certificate(certificate);
    return authority && signed_by_issuer(list_.get(), authority->get());
}

Revocation RevocationLists::look_up(ByteView certificate, UtcTime now) const {
    const CleanErrors clean;
    const auto leaf = parse_certificate(certificate);
    if (!leaf) return unknown("crlUnfit", leaf.error().message);
    const std::unique_ptr<STACK_OF(X509_CRL), FreeBorrowed> lists(sk_X509_CRL_new_null());
    for (const auto& list : lists_)
        if (!lists || sk_X509_CRL_push(lists.get(), list.native()) == 0) return unknown("crlUnfit", "out of memory");
    for (const auto& issuer : issuers_) {
        const auto authority = parse_certificate(issuer);
        if (!authority ||
            X509_NAME_cmp(X509_get_issuer_name(leaf->get()), X509_get_subject_name(authority->get())) != 0 ||
            X509_verify(leaf->get(), X509_get0_pubkey(authority->get())) != 1)
            continue;
        ERR_clear_error();
        return ask(leaf->get(), authority->get(), lists.get(), now);
    }
    return unknown("crlMissing", "none of the device authorities has issued it");
}

}  // namespace connector::crypto
