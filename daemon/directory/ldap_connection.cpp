#include "daemon/directory/ldap_connection.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <ldap.h>
#include <poll.h>
#include <sasl/sasl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace connector::directory {

struct LdapConnection::Handle {
    LDAP* ldap = nullptr;
    Deadline deadline;  // of what is being waited for
    ldap_conncb connected{};
    Handle() = default;
    ~Handle() {
        if (ldap != nullptr) ::ldap_unbind_ext(ldap, nullptr, nullptr);
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
};

namespace {

using Deadline = LdapConnection::Deadline;
using namespace std::chrono_literals;

constexpr ber_len_t k_largest_message = 1024UL * 1024UL;
constexpr std::size_t k_most_references = 64;
constexpr std::size_t k_most_values = 500;
constexpr auto k_longest_connect = 5s;

timeval until(Deadline deadline) {
    const auto left = std::max<std::chrono::microseconds>(
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now()), 1ms);
    return {left.count() / 1'000'000, left.count() % 1'000'000};
}

Error error_of(const std::string& url, int code, std::string_view doing, const std::string& diagnosis) {
    auto kind = ErrorKind::unavailable;
    switch (code) {
        case LDAP_TIMEOUT:
        case LDAP_TIMELIMIT_EXCEEDED: kind = ErrorKind::timed_out; break;
        case LDAP_INVALID_CREDENTIALS:
        case LDAP_INAPPROPRIATE_AUTH:
        case LDAP_STRONG_AUTH_REQUIRED:
        case LDAP_CONFIDENTIALITY_REQUIRED:
        case LDAP_INSUFFICIENT_ACCESS:
        case LDAP_AUTH_METHOD_NOT_SUPPORTED:
        case LDAP_AUTH_UNKNOWN:
        case LDAP_LOCAL_ERROR: kind = ErrorKind::unauthorized; break;
        case LDAP_NO_SUCH_OBJECT:
        case LDAP_INVALID_DN_SYNTAX:
        case LDAP_FILTER_ERROR:
        case LDAP_REFERRAL:
        case LDAP_INVALID_SYNTAX:
        case LDAP_UNDEFINED_TYPE: kind = ErrorKind::misconfigured; break;
        default: break;
    }
    const bool refused = kind == ErrorKind::unauthorized;
    const char* const word = refused                            ? "directoryRefusedUs"
                             : kind == ErrorKind::misconfigured ? "directoryMisconfigured"
                                                                : "directoryUnreachable";
    std::string message = url + ": " + std::string(doing) + ": " + ::ldap_err2string(code);
    if (code == LDAP_REFERRAL) message += " to another server, which is not followed";
    if (!diagnosis.empty()) message += " (" + diagnosis + ")";
    constexpr std::size_t k_longest = 400;
    return Error(kind, word, printable(message, k_longest));
}

std::string diagnosis_of(LDAP* ldap) {
    char* text = nullptr;
    std::string diagnosis;
    if (::ldap_get_option(ldap, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text) == LDAP_OPT_SUCCESS && text != nullptr)
        diagnosis = text;
    ::ldap_memfree(text);
    return diagnosis;
}

int code_of(LDAP* ldap) {
    int code = LDAP_OTHER;
    ::ldap_get_option(ldap, LDAP_OPT_RESULT_CODE, &code);
    return code == LDAP_SUCCESS ? LDAP_OTHER : code;
}

// The library's own ways of waiting do not end: its TLS handshake (with GnuTLS) turns on the spot for as long as the
// other side says nothing, and a message that has begun is read to its end. So the transport below TLS is ours: no
// octet is waited for beyond the deadline. It also keeps SIGPIPE away, by which a server that hangs up would end us.
bool wait_for(int socket, short what, Deadline deadline) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd one{socket, what, 0};
        const int ready = left.count() <= 0 ? 0 : ::poll(&one, 1, static_cast<int>(left.count()));
        if (ready > 0) return true;
        if (ready < 0 && errno == EINTR) continue;
        errno = ETIMEDOUT;
        return false;
    }
}

int socket_of(Sockbuf* buffer) {
    ber_socket_t socket = -1;
    return ::ber_sockbuf_ctrl(buffer, LBER_SB_OPT_GET_FD, &socket) == 1 ? socket : -1;
}

int set_up(Sockbuf_IO_Desc* layer, void* deadline) {
    layer->sbiod_pvt = deadline;
    return 0;
}
int take_down(Sockbuf_IO_Desc* layer) {
    layer->sbiod_pvt = nullptr;
    return 0;
}
int control(Sockbuf_IO_Desc* layer, int option, void* argument) {
    return LBER_SBIOD_CTRL_NEXT(layer, option, argument);
}
ber_slen_t receive(Sockbuf_IO_Desc* layer, void* octets, ber_len_t size) {
    const int socket = socket_of(layer->sbiod_sb);
    for (;;) {
        if (!wait_for(socket, POLLIN, *static_cast<Deadline*>(layer->sbiod_pvt))) return -1;
        const ber_slen_t got = ::recv(socket, octets, size, 0);
        if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
    }
}
ber_slen_t transmit(Sockbuf_IO_Desc* layer, void* octets, ber_len_t size) {
    const int socket = socket_of(layer->sbiod_sb);
    for (;;) {
        if (!wait_for(socket, POLLOUT, *static_cast<Deadline*>(layer->sbiod_pvt))) return -1;
        const ber_slen_t sent = ::send(socket, octets, size, MSG_NOSIGNAL);
        if (sent >= 0 || (errno != EINTR && errno != EAGAIN)) return sent;
    }
}
int close_nothing(Sockbuf_IO_Desc* /*layer*/) {
    return 0;
}

int on_connected(LDAP* /*ldap*/, Sockbuf* buffer, LDAPURLDesc* /*url*/, sockaddr* /*address*/, ldap_conncb* callback) {
    static Sockbuf_IO bounded{set_up, take_down, control, receive, transmit, close_nothing};
    constexpr int k_below_tls = LBER_SBIOD_LEVEL_PROVIDER + 5;
    ber_len_t largest = k_largest_message;
    const bool good = ::ber_sockbuf_add_io(buffer, &bounded, k_below_tls, callback->lc_arg) == 0 &&
                      ::ber_sockbuf_ctrl(buffer, LBER_SB_OPT_SET_MAX_INCOMING, &largest) == 1;
    return good ? LDAP_SUCCESS : LDAP_LOCAL_ERROR;
}
void on_gone(LDAP* /*ldap*/, Sockbuf* /*buffer*/, ldap_conncb* /*callback*/) {}

const char* tls_rules() {
    char* library = nullptr;
    ::ldap_get_option(nullptr, LDAP_OPT_X_TLS_PACKAGE, &library);
    const bool gnutls = library != nullptr && std::string_view(library) == "GnuTLS";
    ::ldap_memfree(library);
    return gnutls ? "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2" : "HIGH:!aNULL:!eNULL:!MD5";
}

Result<void> set_options(LDAP* ldap, ldap_conncb& connected, const config::Directory& settings, const std::string& url,
                         Deadline deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(deadline - std::chrono::steady_clock::now());
    const timeval connecting{std::clamp<std::chrono::seconds>(left, 1s, k_longest_connect).count(), 0};
    const timeval answering = until(deadline);
    const int version = LDAP_VERSION3;
    const int certificate = LDAP_OPT_X_TLS_HARD;
    const int protocol = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
    const int no_alias = LDAP_DEREF_NEVER;
    const int fresh_context = 0;
    const std::string ca_file = settings.ca_file.string();
    bool good = true;
    const auto set = [&](int option, const void* value) {
        good = ::ldap_set_option(ldap, option, value) == LDAP_OPT_SUCCESS && good;
    };
    set(LDAP_OPT_PROTOCOL_VERSION, &version);
    set(LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    set(LDAP_OPT_DEREF, &no_alias);
    set(LDAP_OPT_RESTART, LDAP_OPT_ON);
    set(LDAP_OPT_NETWORK_TIMEOUT, &connecting);
    set(LDAP_OPT_TIMEOUT, &answering);
    set(LDAP_OPT_CONNECT_CB, &connected);
    set(LDAP_OPT_X_TLS_CACERTFILE, ca_file.c_str());
    set(LDAP_OPT_X_TLS_CACERTDIR, nullptr);
    set(LDAP_OPT_X_TLS_REQUIRE_CERT, &certificate);
    set(LDAP_OPT_X_TLS_REQUIRE_SAN, &certificate);
    set(LDAP_OPT_X_TLS_PROTOCOL_MIN, &protocol);
    set(LDAP_OPT_X_TLS_CIPHER_SUITE, tls_rules());
    set(LDAP_OPT_X_TLS_NEWCTX, &fresh_context);
    if (good) return {};
    return Error(ErrorKind::misconfigured, "directoryMisconfigured",
                 url + ": the LDAP library does not take our options (is " + ca_file + " a PEM certificate?)");
}

int answer_sasl(LDAP* /*ldap*/, unsigned /*flags*/, void* /*defaults*/, void* questions) {
    // A keytab names its account: whatever else is asked has no answer.
    for (auto* question = static_cast<sasl_interact_t*>(questions); question->id != SASL_CB_LIST_END; ++question) {
        question->result = "";
        question->len = 0;
    }
    return LDAP_SUCCESS;
}

int bind_by_ticket(LDAP* ldap) {
    // The name in the address decides, not what a resolver makes of it.
    ::ldap_set_option(ldap, LDAP_OPT_X_SASL_NOCANON, LDAP_OPT_ON);
    // Within TLS no second layer: Active Directory refuses it. The ticket is bound to the TLS connection instead.
    const ber_len_t no_layer = 0;
    ::ldap_set_option(ldap, LDAP_OPT_X_SASL_SSF_MAX, &no_layer);
    const int endpoint = LDAP_OPT_X_SASL_CBINDING_TLS_ENDPOINT;
    ::ldap_set_option(ldap, LDAP_OPT_X_SASL_CBINDING, &endpoint);
    return ::ldap_sasl_interactive_bind_s(ldap, nullptr, "GSSAPI", nullptr, nullptr, LDAP_SASL_QUIET, answer_sasl,
                                          nullptr);
}

int bind_by_password(LDAP* ldap, const std::string& name, const SecretBytes& password, Deadline deadline) {
    // RFC 4513 5.1.2: an empty password is no sign-in, and servers call it a success.
    if (password.view().empty() || name.empty()) return LDAP_INVALID_CREDENTIALS;
    berval secret{password.view().size(), reinterpret_cast<char*>(const_cast<std::uint8_t*>(password.view().data()))};
    int message_id = 0;
    if (const int sent = ::ldap_sasl_bind(ldap, name.c_str(), LDAP_SASL_SIMPLE, &secret, nullptr, nullptr, &message_id);
        sent != LDAP_SUCCESS)
        return sent;
    timeval wait = until(deadline);
    LDAPMessage* answer = nullptr;
    const int kind = ::ldap_result(ldap, message_id, LDAP_MSG_ALL, &wait, &answer);
    if (kind == 0) return LDAP_TIMEOUT;
    if (kind < 0) return code_of(ldap);
    int code = LDAP_OTHER;
    const int parsed = ::ldap_parse_result(ldap, answer, &code, nullptr, nullptr, nullptr, nullptr, 1);
    return parsed == LDAP_SUCCESS ? code : parsed;
}

std::string attribute_key(std::string_view name) {
    return ascii_lower(name.substr(0, name.find(';')));
}

std::optional<Entry> entry_of(LDAP* ldap, LDAPMessage* message) {
    Entry entry;
    char* name = ::ldap_get_dn(ldap, message);
    if (name == nullptr) return std::nullopt;
    entry.distinguished_name = canonical_name(name);
    ::ldap_memfree(name);
    BerElement* position = nullptr;
    std::size_t values_read = 0;
    for (char* attribute = ::ldap_first_attribute(ldap, message, &position); attribute != nullptr;
         attribute = ::ldap_next_attribute(ldap, message, position)) {
        if (berval** values = ::ldap_get_values_len(ldap, message, attribute); values != nullptr) {
            auto& list = entry.attributes[attribute_key(attribute)];
            for (berval** value = values; *value != nullptr && values_read < k_most_values; ++value, ++values_read)
                list.emplace_back((*value)->bv_val, (*value)->bv_len);
            ::ldap_value_free_len(values);
        }
        ::ldap_memfree(attribute);
    }
    ::ber_free(position, 0);
    // What is not read could be the second owner.
    if (values_read >= k_most_values) return std::nullopt;
    return entry;
}

}  // namespace

LdapConnection::LdapConnection(std::string url, std::unique_ptr<Handle> handle)
    : url_(std::move(url)), handle_(std::move(handle)) {}

LdapConnection::~LdapConnection() = default;

Result<std::unique_ptr<LdapConnection>> LdapConnection::open(const config::Directory& settings, const std::string& url,
                                                             const SecretBytes* password, Deadline deadline) {
    auto handle = std::make_unique<Handle>();
    if (const int made = ::ldap_initialize(&handle->ldap, url.c_str()); made != LDAP_SUCCESS)
        return error_of(url, made, "preparing", "");
    handle->deadline = deadline;
    handle->connected = {on_connected, on_gone, &handle->deadline};
    if (auto set = set_options(handle->ldap, handle->connected, settings, url, deadline); !set) return set.error();
    // By itself, so that "cannot be reached" and "refuses us" stay apart.
    if (const int reached = ::ldap_connect(handle->ldap); reached != LDAP_SUCCESS) {
        auto error = error_of(url, LDAP_SERVER_DOWN, "connecting", diagnosis_of(handle->ldap));
        return error;
    }
    const bool simple = settings.bind == config::DirectoryBind::simple;
    if (simple && password == nullptr)
        return Error(ErrorKind::misconfigured, "directoryMisconfigured", "[directory] credential was not read");
    const int bound =
        simple ? bind_by_password(handle->ldap, settings.bind_name, *password, deadline) : bind_by_ticket(handle->ldap);
    if (bound != LDAP_SUCCESS) return error_of(url, bound, "signing in", diagnosis_of(handle->ldap));
    return std::unique_ptr<LdapConnection>(new LdapConnection(url, std::move(handle)));
}

Result<Entries> LdapConnection::search(const Search& search, Deadline deadline) {
    constexpr int k_most_entries = 2;
    LDAP* const ldap = handle_->ldap;
    handle_->deadline = deadline;
    std::vector<std::string> wanted = search.attributes;
    if (wanted.empty()) wanted.emplace_back(LDAP_NO_ATTRS);
    std::vector<char*> names;
    names.reserve(wanted.size() + 1);
    for (auto& name : wanted) names.push_back(name.data());
    names.push_back(nullptr);
    timeval limit = until(deadline);
    limit.tv_sec = std::max<time_t>(limit.tv_sec, 1);
    int message_id = 0;
    const int sent = ::ldap_search_ext(ldap, search.base.c_str(),
                                       search.base_alone ? LDAP_SCOPE_BASE : LDAP_SCOPE_SUBTREE, search.filter.c_str(),
                                       names.data(), 0, nullptr, nullptr, &limit, k_most_entries, &message_id);
    if (sent != LDAP_SUCCESS) return error_of(url_, sent, "asking", diagnosis_of(ldap));
    Entries found;
    std::size_t references = 0;
    for (;;) {
        if (std::chrono::steady_clock::now() >= deadline) return error_of(url_, LDAP_TIMEOUT, "asking", "");
        timeval wait = until(deadline);
        LDAPMessage* message = nullptr;
        const int kind = ::ldap_result(ldap, message_id, LDAP_MSG_ONE, &wait, &message);
        if (kind == 0) return error_of(url_, LDAP_TIMEOUT, "asking", "");
        if (kind < 0) return error_of(url_, code_of(ldap), "asking", diagnosis_of(ldap));
        const std::unique_ptr<LDAPMessage, int (*)(LDAPMessage*)> owned(message, ::ldap_msgfree);
        if (kind == LDAP_RES_SEARCH_ENTRY) {
            auto entry = entry_of(ldap, message);
            if (!entry) return error_of(url_, LDAP_DECODING_ERROR, "reading an entry", "");
            if (found.entries.size() >= static_cast<std::size_t>(k_most_entries)) {
                // Samba does not keep to the limit. That there are several is known; the rest is not listened to.
                found.more = true;
                used_up_ = true;
                ::ldap_abandon_ext(ldap, message_id, nullptr, nullptr);
                return found;
            }
            found.entries.push_back(std::move(*entry));
            continue;
        }
        if (kind == LDAP_RES_SEARCH_REFERENCE) {  // other parts of the tree, which are not ours to ask
            if (++references > k_most_references)
                return error_of(url_, LDAP_PROTOCOL_ERROR, "asking", "references without end");
            continue;
        }
        if (kind != LDAP_RES_SEARCH_RESULT) continue;
        int code = LDAP_OTHER;
        char* text = nullptr;
        const int parsed = ::ldap_parse_result(ldap, message, &code, nullptr, &text, nullptr, nullptr, 0);
        const std::string diagnosis(text == nullptr ? "" : text);
        ::ldap_memfree(text);
        if (parsed != LDAP_SUCCESS) return error_of(url_, parsed, "asking", "");
        if (code == LDAP_SIZELIMIT_EXCEEDED)
            found.more = true;
        else if (code != LDAP_SUCCESS)
            return error_of(url_, code, "asking below " + search.base, diagnosis);
        return found;
    }
}

Result<void> prepare_process(const config::Directory& settings) {
    // What stands there already is left alone: `doctor` inside the daemon asks again, beside running threads.
    const auto set = [](const char* name, const std::string& value) {
        const char* const there = std::getenv(name);
        return (there != nullptr && value == there) || ::setenv(name, value.c_str(), 1) == 0;
    };
    bool good = set("LDAPNOINIT", "1");
    if (settings.bind == config::DirectoryBind::gssapi && settings.credential) {
        const auto& where = *settings.credential;
        std::string keytab = where.path.string();
        if (where.source == config::SecretRef::Source::credential) {
            const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
            if (folder == nullptr)
                return Error(ErrorKind::misconfigured, "secretUnreadable",
                             "[directory] credential: there is no $CREDENTIALS_DIRECTORY");
            keytab = std::string(folder) + "/" + where.name;
        }
        good = set("KRB5_CLIENT_KTNAME", "FILE:" + keytab) && good;
        good = set("KRB5CCNAME", "MEMORY:pfx-connector") && good;
    }
    if (good) return {};
    return Error(ErrorKind::internal, "internal", "the environment cannot be set");
}

}  // namespace connector::directory
