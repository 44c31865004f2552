#include "core/event_catalogue.hpp"
#include "core/event_ids.hpp"
#include "core/printable.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace connector {
namespace {

// The ids as the header has them: a constant that is not listed by hand anywhere cannot be forgotten here.
std::map<std::string, std::string> declared() {
    const auto header = std::filesystem::path(CONNECTOR_SOURCE_DIR) / "core/event_ids.hpp";
    std::ifstream stream(header);
    std::ostringstream text;
    text << stream.rdbuf();
    const std::string source = text.str();
    static const std::regex constant(R"re(constexpr std::string_view (k_\w+) = "([^"]*)";)re");
    std::map<std::string, std::string> found;
    for (std::sregex_iterator at(source.begin(), source.end(), constant), end; at != end; ++at)
        EXPECT_TRUE(found.emplace((*at)[2], (*at)[1]).second) << (*at)[2] << " has two names";
    return found;
}

TEST(Events, every_constant_is_in_the_catalogue_and_nothing_else) {
    const auto constants = declared();
    ASSERT_GT(constants.size(), 60U);
    std::set<std::string> catalogued;
    for (const auto& event : event_catalogue())
        EXPECT_TRUE(catalogued.emplace(event.id).second) << event.id << " stands there twice";
    for (const auto& [id, name] : constants) EXPECT_TRUE(catalogued.contains(id)) << name << " has no text";
    EXPECT_EQ(catalogued.size(), constants.size());
}

TEST(Events, ids_are_well_formed_and_their_numbers_unique) {
    static const std::regex form("(PKCS|IMP|REV|KEY|SVC|MGT|AUTH|STO)-([1-8])[0-9]{3}");
    const std::map<std::string, std::string> blocks{{"PKCS", "1"}, {"IMP", "2"}, {"REV", "3"},  {"KEY", "4"},
                                                    {"SVC", "5"},  {"MGT", "6"}, {"AUTH", "7"}, {"STO", "8"}};
    std::set<std::string> numbers;
    for (const auto& event : event_catalogue()) {
        const std::string id(event.id);
        std::smatch parts;
        ASSERT_TRUE(std::regex_match(id, parts, form)) << id;
        EXPECT_EQ(blocks.at(parts[1]), parts[2]) << id;
        EXPECT_TRUE(numbers.insert(id.substr(id.find('-'))).second) << id;
    }
}

TEST(Events, texts_say_something_in_one_line) {
    for (const auto& event : event_catalogue()) {
        for (const auto text : {event.headline, event.meaning, event.action}) {
            EXPECT_FALSE(text.empty()) << event.id;
            EXPECT_EQ(printable(text, text.size()), text) << event.id;
        }
        EXPECT_LE(event.headline.size(), 110U) << event.id;
        // An error that nobody can act on is not an error.
        EXPECT_FALSE(event.severity == Severity::error && event.action == "Nothing.") << event.id;
    }
}

TEST(Events, the_contracts_ids_mean_what_the_contract_says) {
    EXPECT_EQ(event::k_issue_request_done, "PKCS-1000");
    EXPECT_EQ(event::k_issue_request_failed, "PKCS-1001");
    EXPECT_EQ(event::k_issued, "PKCS-1050");
    EXPECT_EQ(event::k_issue_will_retry, "PKCS-1051");
    EXPECT_EQ(event::k_issue_failed, "PKCS-1052");
    EXPECT_EQ(event::k_repack_failed, "IMP-2052");
    EXPECT_EQ(event::k_revoked, "REV-3050");
    EXPECT_EQ(event::k_limit_tripped, "KEY-4001");
}

TEST(Events, are_found_in_either_case) {
    ASSERT_NE(find_event("pkcs-1050"), nullptr);
    EXPECT_EQ(find_event("pkcs-1050")->id, event::k_issued);
    EXPECT_EQ(find_event("PKCS-105"), nullptr);
    EXPECT_EQ(find_event(""), nullptr);
}

TEST(Events, decisions_are_audited) {
    for (const auto id : {event::k_key_generated, event::k_issued, event::k_revoked, event::k_recipient_refused,
                          event::k_request_approved, event::k_limit_tripped, event::k_package_wrapped,
                          event::k_window_opened, event::k_recipient_blocked, event::k_control_done})
        EXPECT_TRUE(find_event(id)->audited) << id;
    EXPECT_FALSE(find_event(event::k_leased)->audited);
}

TEST(Events, the_printed_catalogue_has_every_event_once) {
    const std::string page = catalogue_markdown();
    for (const auto& event : event_catalogue()) {
        const std::string heading = "\n### " + std::string(event.id) + "\n";
        EXPECT_NE(page.find(heading), std::string::npos) << event.id;
        EXPECT_EQ(page.find(heading), page.rfind(heading)) << event.id;
    }
}

}  // namespace
}  // namespace connector
