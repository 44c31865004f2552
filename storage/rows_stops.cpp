// The red button's rows: stops, raised limits, votes.
#include "storage/row_reader.hpp"

#include <utility>

namespace connector::storage {

using namespace detail;

namespace {

constexpr auto k_stop_columns = names({"kind", "cause", "limit_name", "by", "reason", "since"});
constexpr auto k_raise_columns = names({"limit_name", "raised_to", "by", "reason", "given", "until"});
constexpr auto k_thaw_columns = names({"limit_name", "at"});
constexpr auto k_vote_columns = names({"request", "about", "by", "order_hash", "spki_sha256", "given", "expires"});

}  // namespace

namespace tables {
const Table k_stop{"stop", k_stop_columns, 3, 6};
const Table k_raise{"raised_limit", k_raise_columns, 1, 7};
const Table k_thaw{"thawed_limit", k_thaw_columns, 1, 8};
const Table k_vote{"vote", k_vote_columns, 3, 9};
}  // namespace tables

Values to_row(const request::Stop& stop) {
    return {std::string(request::to_string(stop.kind)),
            std::string(request::to_string(stop.cause)),
            stop.limit,
            stop.by,
            stop.reason,
            seconds_of(stop.since)};
}

Result<request::Stop> stop_from(const Values& row) {
    Reader reader(row);
    request::Stop stop;
    const auto kind = request::parse_kind(reader.text());
    const auto cause = reader.text();
    for (const auto known : {request::StopCause::frozen, request::StopCause::tripped, request::StopCause::clock})
        if (cause == request::to_string(known)) stop.cause = known;
    reader.require(cause == request::to_string(stop.cause));
    stop.limit = reader.text();
    stop.by = reader.text();
    stop.reason = reader.text();
    stop.since = reader.time();
    if (!reader.good() || !kind) return unreadable("stop");
    stop.kind = *kind;
    return stop;
}

Values to_row(const request::Raise& raise) {
    return {raise.limit,  std::int64_t{raise.to},  raise.by,
            raise.reason, seconds_of(raise.given), seconds_of(raise.until)};
}

Result<request::Raise> raise_from(const Values& row) {
    Reader reader(row);
    request::Raise raise;
    raise.limit = reader.text();
    raise.to = reader.small();
    raise.by = reader.text();
    raise.reason = reader.text();
    raise.given = reader.time();
    raise.until = reader.time();
    if (!reader.good()) return unreadable("raised_limit");
    return raise;
}

Values to_row(const trust::Vote& vote) {
    return {vote.request.text(),      blob_of(vote.about),       vote.by,
            blob_of(vote.order_hash), blob_of(vote.spki_sha256), seconds_of(vote.given),
            seconds_of(vote.expires)};
}

Result<trust::Vote> vote_from(const Values& row) {
    Reader reader(row);
    trust::Vote vote;
    vote.request = reader.id<RequestId>();
    vote.about = reader.digest<Sha256>();
    vote.by = reader.text();
    vote.order_hash = reader.digest<Sha256>();
    vote.spki_sha256 = reader.digest<Sha256>();
    vote.given = reader.time();
    vote.expires = reader.time();
    if (!reader.good()) return unreadable("vote");
    return vote;
}

}  // namespace connector::storage
