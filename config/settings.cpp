#include "config/settings.hpp"

#include "config/platform.hpp"

#include <algorithm>
#include <cstdlib>

namespace connector::config {

std::string SecretRef::text() const {
    const std::string plain = name.substr(0, name.find('?'));  // a URI's query may hold a PIN
    switch (source) {
        case Source::credential: return "credential:" + name;
        case Source::file: return "file:" + path.string();
        case Source::pkcs11: return "pkcs11:" + plain;
        case Source::dpapi: return "dpapi:" + plain;
        case Source::cng: return "cng:" + plain;
    }
    return "";
}

std::string_view to_string(AuthorityType type) noexcept {
    switch (type) {
        case AuthorityType::local: return "local";
        case AuthorityType::est: return "est";
    }
    return "";
}

bool Connector::does(request::Kind kind) const noexcept {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

PlatformPaths platform_paths() {
#ifdef _WIN32
    const char* data = std::getenv("ProgramData");
    const std::filesystem::path home =
        std::filesystem::path(data != nullptr ? data : "C:\\ProgramData") / "pfx-connector";
    return {home / "connector.toml", home / "state", home / "log" / "connector.log", home / "log" / "audit.log",
            "\\\\.\\pipe\\pfx-connector"};
#else
    return {"/etc/pfx-connector/connector.toml", "/var/lib/pfx-connector", "/var/log/pfx-connector/connector.log",
            "/var/log/pfx-connector/audit.log", "/run/pfx-connector/control.sock"};
#endif
}

std::filesystem::path default_file() {
    return platform_paths().configuration;
}

}  // namespace connector::config
