#include "daemon/net/tls_context.hpp"

#include "core/crypto/encoding.hpp"
#include "core/crypto/key.hpp"
#include "core/printable.hpp"
#include "daemon/net/tls_state.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>

#include <fstream>
#include <iterator>
#include <utility>

namespace connector::net {
namespace asio = boost::asio;
namespace {

struct FreeCertificate {
    void operator()(X509* certificate) const noexcept { ::X509_free(certificate); }
};
using OwnedCertificate = std::unique_ptr<X509, FreeCertificate>;

constexpr std::size_t k_largest_ca_file = 4U * 1024U * 1024U;
// Forward secret and authenticated; TLS 1.3's own suites are so by themselves.
constexpr const char* k_suites = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:DHE+CHACHA20:!aNULL:!PSK";
constexpr const char* k_groups = "X25519:P-256:P-384:P-521";

Error misconfigured(std::string message) {
    return Error(ErrorKind::misconfigured, "tlsMisconfigured", std::move(message));
}

OwnedCertificate parse(const Bytes& der) {
    const unsigned char* at = der.data();
    OwnedCertificate certificate(::d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (certificate != nullptr && at != der.data() + der.size()) certificate.reset();
    ::ERR_clear_error();
    return certificate;
}

Result<std::vector<Bytes>> read_ca_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return misconfigured("cannot read " + path);
    std::string text;
    text.resize(k_largest_ca_file + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > k_largest_ca_file) return misconfigured(path + " is larger than 4 MiB");
    auto certificates = crypto::from_pem(crypto::pem::k_certificate, text);
    if (!certificates) return misconfigured(path + ": " + certificates.error().message);
    return certificates;
}

// The options are set by hand, since /etc/ssl/openssl.cnf and OPENSSL_CONF may say something else.
bool harden(SSL_CTX* context) {
    ::SSL_CTX_set_security_level(context, 2);
    ::SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    ::SSL_CTX_clear_options(context, SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION);
    ::SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    ::SSL_CTX_set_keylog_callback(context, nullptr);
    ::SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, SSL_SESS_CACHE_OFF, nullptr);
    // Only what TlsIdentity names is sent; nothing is added from the anchors.
    ::SSL_CTX_ctrl(context, SSL_CTRL_MODE, SSL_MODE_NO_AUTO_CHAIN, nullptr);
    char* groups = const_cast<char*>(k_groups);  // OpenSSL's control call reads it only
    return ::SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr) == 1 &&
           ::SSL_CTX_ctrl(context, SSL_CTRL_SET_MAX_PROTO_VERSION, 0, nullptr) == 1 &&
           ::SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, groups) == 1 &&
           ::SSL_CTX_set_cipher_list(context, k_suites) == 1;
}

Result<void> trust(SSL_CTX* context, const std::vector<Bytes>& anchors) {
    if (anchors.empty()) return misconfigured("no trust anchor");
    X509_STORE* store = ::SSL_CTX_get_cert_store(context);
    for (const Bytes& der : anchors) {
        const OwnedCertificate certificate = parse(der);
        if (certificate == nullptr || ::X509_STORE_add_cert(store, certificate.get()) != 1)
            return misconfigured("a trust anchor is not a certificate");
    }
    ::X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return {};
}

// Not SSL_CTX_set_default_verify_paths: that one reads SSL_CERT_FILE and SSL_CERT_DIR.
Result<void> trust_system(SSL_CTX* context) {
    const bool file = ::SSL_CTX_load_verify_file(context, ::X509_get_default_cert_file()) == 1;
    const bool directory = ::SSL_CTX_load_verify_dir(context, ::X509_get_default_cert_dir()) == 1;
    ::ERR_clear_error();
    if (!file && !directory) return misconfigured("the system has no trust anchors");
    return {};
}

// `whose`: "client" or "server", for people.
Result<void> identify(SSL_CTX* context, const TlsIdentity& identity, const std::string& whose) {
    const std::string certificate_is = "the " + whose + " certificate";
    if (identity.certificates.empty()) return misconfigured(certificate_is + " is missing");
    const bool pem = identity.key.reveal_text().find("-----BEGIN") != std::string_view::npos;
    const auto key = pem ? crypto::PrivateKey::from_pem(identity.key) : crypto::PrivateKey::from_pkcs8(identity.key);
    if (!key) return misconfigured(certificate_is + "'s key: " + key.error().message);
    bool ours = true;
    for (const Bytes& der : identity.certificates) {
        const OwnedCertificate certificate = parse(der);
        if (certificate == nullptr) return misconfigured(certificate_is + " is not a certificate");
        const int taken = ours ? ::SSL_CTX_use_certificate(context, certificate.get())
                               : static_cast<int>(::SSL_CTX_ctrl(context, SSL_CTRL_CHAIN_CERT, 1, certificate.get()));
        if (taken != 1) {
            ::ERR_clear_error();
            return misconfigured(certificate_is + " is not accepted (key too small, or an old signature)");
        }
        ours = false;
    }
    if (::SSL_CTX_use_PrivateKey(context, key->native()) != 1 || ::SSL_CTX_check_private_key(context) != 1) {
        ::ERR_clear_error();
        return misconfigured("the key is not that of " + certificate_is);
    }
    return {};
}

Result<std::unique_ptr<TlsContext::State>> hardened(asio::ssl::context::method side) {
    auto state = std::make_unique<TlsContext::State>(side);
    if (!harden(state->context.native_handle())) return misconfigured("OpenSSL refuses the TLS settings");
    return state;
}

}  // namespace

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;
bool TlsContext::has_identity() const noexcept {
    return state_->identity;
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const std::string& ca_file,
                                                           std::optional<TlsIdentity> identity) {
    if (ca_file != "system") {
        const auto anchors = read_ca_file(ca_file);
        if (!anchors) return anchors.error();
        return make(*anchors, std::move(identity));
    }
    auto state = hardened(asio::ssl::context::tls_client);
    if (!state) return state.error();
    if (const auto done = trust_system((*state)->context.native_handle()); !done) return done.error();
    return with(std::move(*state), identity);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::make(const std::vector<Bytes>& anchors,
                                                           std::optional<TlsIdentity> identity) {
    auto state = hardened(asio::ssl::context::tls_client);
    if (!state) return state.error();
    if (const auto done = trust((*state)->context.native_handle(), anchors); !done) return done.error();
    return with(std::move(*state), identity);
}

Result<std::shared_ptr<const TlsContext>> TlsContext::serve(const TlsIdentity& identity) {
    auto state = hardened(asio::ssl::context::tls_server);
    if (!state) return state.error();
    SSL_CTX* context = (*state)->context.native_handle();
    ::SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    if (const auto done = identify(context, identity, "server"); !done) return done.error();
    (*state)->identity = true;
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(*state)));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::with(std::unique_ptr<State> state,
                                                           const std::optional<TlsIdentity>& identity) {
    if (identity) {
        if (const auto done = identify(state->context.native_handle(), *identity, "client"); !done) return done.error();
        state->identity = true;
    }
    return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

Result<void> expect_peer(SSL* connection, const std::string& host, UtcTime now) {
    X509_VERIFY_PARAM* rules = ::SSL_get0_param(connection);
    ::X509_VERIFY_PARAM_set_time(rules, std::chrono::system_clock::to_time_t(now));
    boost::system::error_code not_literal;
    const auto address = asio::ip::make_address(host, not_literal);
    bool set = false;
    if (!not_literal) {
        set = ::X509_VERIFY_PARAM_set1_ip_asc(rules, address.to_string().c_str()) == 1;
    } else {
        // RFC 9525 6.3: the subject's common name is no host name; a wildcard is a whole label.
        ::X509_VERIFY_PARAM_set_hostflags(rules,
                                          X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
        std::string name = host;
        set = ::X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size()) == 1 &&
              ::SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
    }
    if (!set) return Error(ErrorKind::internal, "internal", "OpenSSL refuses the host name");
    return {};
}

bool is_client_refusal(const boost::system::error_code& code) noexcept {
    if (code.category() != asio::error::get_ssl_category()) return false;
    switch (ERR_GET_REASON(static_cast<unsigned long>(code.value()))) {
        case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED: return true;
        default: return false;
    }
}

Error tls_error(SSL* connection, const boost::system::error_code& code, const std::string& peer) {
    if (code == asio::error::operation_aborted) return Error(ErrorKind::cancelled, "cancelled", peer + ": given up");
    if (const long verdict = ::SSL_get_verify_result(connection); verdict != X509_V_OK)
        return Error(ErrorKind::misconfigured, "tlsUntrusted",
                     peer + ": the server's certificate is not accepted: " +
                         printable(::X509_verify_cert_error_string(verdict)));
    const std::string reason = printable(code.message());
    if (is_client_refusal(code))
        return Error(ErrorKind::unauthorized, "tlsClientRefused", peer + " refuses our certificate: " + reason);
    if (code.category() == asio::error::get_ssl_category())
        return Error(ErrorKind::misconfigured, "tlsFailed", peer + ": no TLS connection: " + reason);
    return Error(ErrorKind::unavailable, "connectFailed", peer + ": ended during the TLS handshake: " + reason);
}

}  // namespace connector::net
