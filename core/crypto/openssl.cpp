#include "core/crypto/internal/openssl.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace connector::crypto {

Error openssl_error(ErrorKind kind, std::string code, std::string_view what) {
    constexpr std::size_t k_longest = 512;
    std::string message(what);
    std::string last;
    while (const unsigned long number = ERR_get_error()) {
        const char* reason = ERR_reason_error_string(number);
        if (reason == nullptr || last == reason) continue;
        last = reason;
        if (message.size() + last.size() + 2 > k_longest) continue;
        message += ": ";
        message += last;
    }
    return Error(kind, std::move(code), std::move(message));
}

Bio read_from(ByteView octets) {
    if (octets.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return nullptr;
    // An empty view may have no address, which OpenSSL does not take.
    static constexpr std::uint8_t k_nothing = 0;
    return Bio(BIO_new_mem_buf(octets.empty() ? &k_nothing : octets.data(), static_cast<int>(octets.size())));
}

Bio secret_sink() {
    return Bio(BIO_new(BIO_s_secmem()));
}

ByteView sink_octets(BIO* sink) {
    char* data = nullptr;
    const long size = BIO_ctrl(sink, BIO_CTRL_INFO, 0, &data);
    if (size <= 0 || data == nullptr) return {};
    return bytes_of(std::string_view(data, static_cast<std::size_t>(size)));
}

std::string dotted(const ASN1_OBJECT* object) {
    std::array<char, 128> text{};
    const int size = OBJ_obj2txt(text.data(), static_cast<int>(text.size()), object, 1);
    if (size <= 0) return {};
    if (static_cast<std::size_t>(size) < text.size()) return text.data();
    std::string longer(static_cast<std::size_t>(size) + 1, '\0');
    OBJ_obj2txt(longer.data(), size + 1, object, 1);
    longer.resize(static_cast<std::size_t>(size));
    return longer;
}

Asn1Object object_from(std::string_view dotted_oid) {
    const bool plain = !dotted_oid.empty() && std::all_of(dotted_oid.begin(), dotted_oid.end(),
                                                          [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
    if (!plain) return nullptr;
    return Asn1Object(OBJ_txt2obj(std::string(dotted_oid).c_str(), 1));
}

}  // namespace connector::crypto
