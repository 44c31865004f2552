#include "daemon/notify/smtp.hpp"

#include "core/printable.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>

namespace connector::notify {
namespace {

constexpr std::size_t k_longest_reason = 200;

struct EasyFree {
    void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct ListFree {
    void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyFree>;
using List = std::unique_ptr<curl_slist, ListFree>;

struct Upload {
    std::string_view rest;
};

std::size_t give(char* buffer, std::size_t size, std::size_t count, void* state) {
    auto& upload = *static_cast<Upload*>(state);
    const auto taken = std::min(size * count, upload.rest.size());
    std::memcpy(buffer, upload.rest.data(), taken);
    upload.rest.remove_prefix(taken);
    return taken;
}
std::size_t drop(char* /*octets*/, std::size_t size, std::size_t count, void* /*state*/) {
    return size * count;
}

int go_on(void* state, curl_off_t /*down_all*/, curl_off_t /*down*/, curl_off_t /*up_all*/, curl_off_t /*up*/) {
    const auto& give_up = *static_cast<const std::function<bool()>*>(state);
    return give_up && give_up() ? 1 : 0;
}

Error fault_of(CURLcode code, CURL* easy, const char* said) {
    long answer = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &answer);
    std::string why = printable(*said != '\0' ? said : curl_easy_strerror(code), k_longest_reason);
    if (answer >= 400) why += " (the server answered " + std::to_string(answer) + ")";
    switch (code) {
        case CURLE_LOGIN_DENIED: return {ErrorKind::unauthorized, "mailRefused", std::move(why)};
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_USE_SSL_FAILED: return {ErrorKind::unavailable, "mailTlsFailed", std::move(why)};
        default: break;
    }
    // RFC 4954 6: it wants a credential, another one, or a better way.
    if (answer == 530 || answer == 534 || answer == 535 || answer == 538)
        return {ErrorKind::unauthorized, "mailRefused", std::move(why)};
    // RFC 5321 4.2.1: 5yz is for good.
    const bool for_good = answer >= 500 && answer < 600;
    return {for_good ? ErrorKind::refused : ErrorKind::unavailable, for_good ? "mailRefused" : "mailFailed",
            std::move(why)};
}

Result<void> converse(const SmtpServer& server, const Letter* letter, const std::function<bool()>& give_up) {
    static std::once_flag prepared;
    std::call_once(prepared, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    const Easy easy(curl_easy_init());
    if (easy == nullptr) return Error(ErrorKind::internal, "mailFailed", "libcurl does not start");
    CURL* const handle = easy.get();
    std::array<char, CURL_ERROR_SIZE> said{};
    bool good = true;
    const auto set = [&](CURLoption option, auto value) {
        good = curl_easy_setopt(handle, option, value) == CURLE_OK && good;
    };
    set(CURLOPT_ERRORBUFFER, said.data());
    set(CURLOPT_URL, server.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    set(CURLOPT_PROXY, "");  // and none from the environment
    set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT, server.timeout.count());
    set(CURLOPT_CONNECTTIMEOUT, server.timeout.count());
    set(CURLOPT_USE_SSL, static_cast<long>(server.starttls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (!server.ca_file.empty()) {
        set(CURLOPT_CAINFO, server.ca_file.c_str());
        set(CURLOPT_CAPATH, static_cast<char*>(nullptr));
    }
    if (!server.user.empty() && server.password != nullptr) {
        // libcurl copies it; its copy goes with the handle, within this call.
        auto word = SecretBytes::copy_of(server.password->view());
        word.append(std::string_view("\0", 1));
        set(CURLOPT_USERNAME, server.user.c_str());
        set(CURLOPT_PASSWORD, word.reveal_text().data());
    }
    set(CURLOPT_WRITEFUNCTION, &drop);
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_XFERINFOFUNCTION, &go_on);
    auto asked = give_up;
    set(CURLOPT_XFERINFODATA, static_cast<void*>(&asked));
    Upload upload;
    List recipients;
    if (letter != nullptr) {
        upload.rest = letter->message;
        for (const auto& address : letter->to) {
            curl_slist* const longer = curl_slist_append(recipients.get(), ("<" + address + ">").c_str());
            if (longer == nullptr) return Error(ErrorKind::internal, "mailFailed", "no memory");
            static_cast<void>(recipients.release());
            recipients.reset(longer);
        }
        const std::string sender = "<" + letter->from + ">";
        set(CURLOPT_MAIL_FROM, sender.c_str());
        set(CURLOPT_MAIL_RCPT, recipients.get());
        set(CURLOPT_READFUNCTION, &give);
        set(CURLOPT_READDATA, static_cast<void*>(&upload));
        set(CURLOPT_UPLOAD, 1L);
    } else {
        set(CURLOPT_CUSTOMREQUEST, "NOOP");
        set(CURLOPT_NOBODY, 1L);
    }
    if (!good) return Error(ErrorKind::internal, "mailFailed", "libcurl does not take an option");
    const CURLcode code = curl_easy_perform(handle);
    if (code == CURLE_OK) return {};
    return fault_of(code, handle, said.data());
}

}  // namespace

Result<void> send(const SmtpServer& server, const Letter& letter, const std::function<bool()>& give_up) {
    return converse(server, &letter, give_up);
}

Result<void> probe(const SmtpServer& server) {
    return converse(server, nullptr, {});
}

}  // namespace connector::notify
