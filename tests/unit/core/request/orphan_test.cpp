#include "core/request/orphan.hpp"

#include <gtest/gtest.h>

#include <string>

namespace connector::request {
namespace {

RequestRecord orphan_of(const std::string& id) {
    RequestRecord record;
    record.request.id = *RequestId::parse(id);
    record.stage = Stage::revoking;
    record.submission_nonce = Bytes(16, 0xA7);
    return record;
}

TEST(Orphan, its_id_apart_is_told_by_its_nonce_alone) {
    auto record = orphan_of("r-1");
    EXPECT_EQ(order_of(record).text(), "r-1");
    record.request.id = id_apart(record);
    EXPECT_EQ(record.request.id.text(), "r-1:a7a7a7a7a7a7a7a7");
    EXPECT_EQ(id_apart(record), record.request.id) << "it is counted as one thing, before and after";
    EXPECT_EQ(order_of(record).text(), "r-1");
    record.submission_nonce = Bytes(16, 0xA8);
    EXPECT_EQ(order_of(record).text(), "r-1:a7a7a7a7a7a7a7a7") << "a service may call an order so";
    record.submission_nonce.clear();
    EXPECT_EQ(order_of(record), record.request.id);
}

TEST(Orphan, the_longest_id_has_one_as_well) {
    auto record = orphan_of(std::string(128, 'x'));
    record.request.id = id_apart(record);
    EXPECT_EQ(record.request.id.text(), std::string(111, 'x') + ":a7a7a7a7a7a7a7a7");
    EXPECT_EQ(order_of(record).text(), std::string(111, 'x'));
}

TEST(Orphan, only_what_the_service_has_heard_of_is_past_its_order) {
    RequestRecord record;
    for (const auto stage : {Stage::accepted, Stage::keyed, Stage::submitting, Stage::at_authority, Stage::issued,
                             Stage::packaged, Stage::refused, Stage::held, Stage::abandoned, Stage::closed}) {
        record.stage = stage;
        EXPECT_FALSE(is_past_its_order(record)) << to_string(stage);
    }
    record.stage = Stage::revoking;
    EXPECT_TRUE(is_past_its_order(record)) << "a withdrawn one may have been told before this was kept";
    record.stage = Stage::abandoned;
    record.outcome = "accepted";
    EXPECT_TRUE(is_past_its_order(record)) << "three deaths have set its revocation aside";
}

}  // namespace
}  // namespace connector::request
