#include "daemon/revocation/loaded_list.hpp"

#include "daemon/keys/files.hpp"

#include <utility>

namespace connector::revocation {

Result<LoadedList> read_list(ByteView octets, const std::vector<Bytes>& authorities) {
    auto list = crypto::RevocationList::read(octets);
    if (!list) return list.error();
    for (std::size_t i = 0; i < authorities.size(); ++i)
        if (list->signed_by(authorities[i])) return LoadedList{std::move(*list), i};
    return Error(ErrorKind::invalid, "crlUnfit",
                 "revocation list: of " + list->issuer() + ", signed by no authority of recipients.ca_file");
}

Result<LoadedList> read_list_file(const std::filesystem::path& file, const std::vector<Bytes>& authorities) {
    const auto octets = keys::read_file(file, crypto::k_largest_crl);
    if (!octets) return octets.error();
    auto list = read_list(*octets, authorities);
    if (!list) return list.error().in(file.string());
    return list;
}

std::optional<Error> fault_of(std::size_t authority, const std::string& subject, const std::vector<LoadedList>& lists,
                              UtcTime now) {
    std::optional<Error> fault =
        Error(ErrorKind::unavailable, "crlMissing", subject + ": there is no revocation list of this authority");
    for (const auto& loaded : lists) {
        if (loaded.authority != authority) continue;
        if (now < loaded.list.this_update())
            fault = Error(
                ErrorKind::unavailable, "crlUnfit",
                subject + ": its revocation list is not in force before " + to_rfc3339(loaded.list.this_update()));
        else if (now >= loaded.list.next_update())  // as OpenSSL has it
            fault =
                Error(ErrorKind::unavailable, "crlStale",
                      subject + ": its revocation list was to be renewed by " + to_rfc3339(loaded.list.next_update()));
        else
            return std::nullopt;
    }
    return fault;
}

}  // namespace connector::revocation
