#include "core/request/orphan.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

namespace connector::request {
namespace {

constexpr std::size_t k_longest_id = 128;
constexpr std::size_t k_nonce_octets = 8;

std::string suffix_of(const RequestRecord& record) {
    const ByteView nonce(record.submission_nonce);
    return ":" + to_hex(nonce.first(std::min(nonce.size(), k_nonce_octets)));
}

}  // namespace

bool is_past_its_order(const RequestRecord& record) noexcept {
    return record.stage == Stage::revoking || (record.stage == Stage::abandoned && record.outcome);
}

RequestId id_apart(const RequestRecord& record) {
    const auto suffix = suffix_of(record);
    const auto& id = record.request.id.text();
    if (id.ends_with(suffix)) return record.request.id;
    const auto apart = RequestId::parse(id.substr(0, k_longest_id - suffix.size()) + suffix);
    return apart.value_or(record.request.id);
}

RequestId order_of(const RequestRecord& record) {
    const auto& id = record.request.id;
    const auto suffix = suffix_of(record);
    if (record.submission_nonce.empty() || !id.text().ends_with(suffix)) return id;
    return RequestId::parse(id.text().substr(0, id.text().size() - suffix.size())).value_or(id);
}

}  // namespace connector::request
