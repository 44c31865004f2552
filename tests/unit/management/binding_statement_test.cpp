#include "daemon/management/binding_statement.hpp"

#include <gtest/gtest.h>

namespace connector::management {
namespace {

std::string said(std::string_view text) {
    const auto read = WireStatementReader().read(bytes_of(text));
    return read ? read->device + " " + read->user_principal_name + " " + read->spki_sha256.hex().substr(0, 4) + " " +
                      to_rfc3339(read->not_before) + " " + to_rfc3339(read->not_after)
                : read.error().message;
}

std::string with(const std::string& members) {
    return R"({"v":1,"deviceId":"d-1","userPrincipalName":"alice@corp.example","spkiSha256":")" + std::string(64, 'a') +
           R"(","notBefore":"2026-01-01T00:00:00Z","notAfter":"2026-12-31T23:59:59Z")" + members + "}";
}

TEST(BindingStatement, IsReadAsThePageHasIt) {
    const std::string whole = "d-1 alice@corp.example aaaa 2026-01-01T00:00:00Z 2026-12-31T23:59:59Z";
    EXPECT_EQ(said(with("")), whole);
    EXPECT_EQ(said(with(R"(,"ticket":{"id":[1,2]})")), whole) << "unknown members are ignored";
}

TEST(BindingStatement, WhatIsNotSoIsNamed) {
    const std::vector<std::pair<std::string, std::string>> rows{
        {"{}", "/v: "},
        {R"({"v":2})", "/v: "},
        {R"({"v":"1"})", "/v: "},
        {R"({"v":1})", "/deviceId: "},
        {R"({"v":1,"deviceId":""})", "/deviceId: "},
        {R"({"v":1,"deviceId":7})", "/deviceId: "},
        {R"({"v":1,"deviceId":"d-1"})", "/userPrincipalName: "},
        {R"({"v":1,"deviceId":"d-1","userPrincipalName":"a@b","spkiSha256":"ab"})", "/spkiSha256: "},
        {with(R"(,"deviceId":"d-2")"), "deviceId"},
        {with(R"(,"userPrincipalName":"bob@corp.example")"), "userPrincipalName"},
    };
    for (const auto& [text, says] : rows)
        EXPECT_NE(said(text).find(says), std::string::npos) << text << ": " << said(text);
    auto late = with("");
    late.replace(late.find("2026-12-31T23:59:59Z"), 20, "soon");
    EXPECT_EQ(said(late).find("/notAfter: "), 0U) << said(late);
    for (const std::string text : {"", "[]", "1", "\"x\"", "{", "{} {}", "\xff", "{\"v\":1,\"deviceId\":\"a\x01\"}"})
        EXPECT_EQ(said(text).find("d-1"), std::string::npos) << text;
}

}  // namespace
}  // namespace connector::management
