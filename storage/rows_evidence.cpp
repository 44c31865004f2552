// The rows of what may not go back: the importers' lists and the high-water mark.
#include "storage/row_reader.hpp"

#include <utility>

namespace connector::storage {

using namespace detail;

namespace {

constexpr auto k_signed_list_columns =
    names({"user_principal_name", "purpose", "sequence", "signed_at", "certificates", "seen_at"});
constexpr auto k_high_water_columns = names({"slot", "newest_time"});

}  // namespace

namespace tables {
const Table k_signed_list{"signed_list", k_signed_list_columns, 2, 10};
const Table k_high_water{"high_water", k_high_water_columns, 1, 11};
}  // namespace tables

Values to_row(const trust::SignedList& list, UtcTime seen_at) {
    Bytes certificates;
    for (const auto& certificate : list.certificates)
        certificates.insert(certificates.end(), certificate.octets.begin(), certificate.octets.end());
    return {list.user_principal_name, std::string(request::to_string(list.purpose)),
            number_of(list.sequence), seconds_of(list.signed_at),
            std::move(certificates),  seconds_of(seen_at)};
}

Result<trust::SignedList> signed_list_from(const Values& row) {
    Reader reader(row);
    trust::SignedList list;
    list.user_principal_name = reader.text();
    const auto purpose = request::parse_purpose(reader.text());
    list.sequence = reader.count();
    list.signed_at = reader.time();
    const auto octets = reader.blob();
    static_cast<void>(reader.time());
    constexpr std::size_t k_size = sizeof(Sha256::octets);
    reader.require(octets.size() % k_size == 0);
    if (!reader.good() || !purpose) return unreadable("signed_list");
    list.purpose = *purpose;
    for (std::size_t at = 0; at < octets.size(); at += k_size)
        list.certificates.push_back(*Sha256::from(ByteView(octets).subspan(at, k_size)));
    return list;
}

Values to_row(const HighWater& mark) {
    return {std::int64_t{1}, seconds_of(mark.newest_time)};
}

Result<HighWater> high_water_from(const Values& row) {
    Reader reader(row);
    HighWater mark;
    reader.require(reader.number() == 1);
    mark.newest_time = reader.time();
    if (!reader.good()) return unreadable("high_water");
    return mark;
}

}  // namespace connector::storage
