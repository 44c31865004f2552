#include "config/table.hpp"

#include "config/loader.hpp"
#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace connector::config {
namespace {

std::string all(const std::vector<Problem>& problems) {
    std::string text;
    for (const auto& problem : problems) text += problem.text() + "\n";
    return text;
}

void make_files(const test::ScratchFolder& folder) {
    for (const auto* name : {"service-ca.pem", "device-ca.pem", "importers.pem"}) folder.write(name, "PEM", 0644);
}

TEST(ConfigTable, rows_are_whole) {
    std::set<std::string> seen;
    for (const Key& key : keys()) {
        const std::string name = std::string(key.section) + "." + std::string(key.name);
        EXPECT_TRUE(seen.insert(name).second) << name << " stands there twice";
        EXPECT_NE(find_section(key.section), nullptr) << name;
        EXPECT_FALSE(key.description.empty()) << name;
        EXPECT_TRUE(key.description.ends_with(".")) << name;
        EXPECT_TRUE(key.set != nullptr || !key.built) << name;
        EXPECT_EQ(key.required != nullptr, !key.needed_by.empty()) << name;
        const bool of_choices = key.type == ValueType::choice || key.type == ValueType::choice_list;
        EXPECT_EQ(of_choices, !key.choices.empty()) << name;
        EXPECT_EQ(key.type == ValueType::integer, key.least < key.most) << name;
    }
    for (const Section& section : sections()) {
        EXPECT_TRUE((section.needs & bit(Need::run)) != 0) << section.name;
        EXPECT_TRUE(std::any_of(keys().begin(), keys().end(), [&](const Key& key) {
            return key.section == section.name;
        })) << section.name;
    }
}

TEST(ConfigTable, the_nearest_name_is_found) {
    struct Case {
        std::string_view section;
        std::string_view name;
        std::string_view expected;
    };
    for (const auto& each :
         {Case{"management", "ulr", "url"}, Case{"management", "ca-file", "ca_file"},
          Case{"management", "cafile", "ca_file"}, Case{"policy", "mail_domains", "allowed_mail_domains"},
          Case{"policy", "max_validity", "max_validity_days"}, Case{"log", "binding", "recipients.binding"},
          Case{"limits", "issue_per_hours", "issue_per_hour"}, Case{"recipients", "qqqqqqq", ""},
          Case{"authority.*", "timeout", "timeout_seconds"}})
        EXPECT_EQ(nearest_key(each.section, each.name), each.expected) << each.name;
    EXPECT_EQ(nearest_section("managment"), "management");
    EXPECT_EQ(nearest_section("recipient"), "recipients");
    EXPECT_EQ(nearest_section("authorities"), "authority");
    EXPECT_EQ(nearest_section("xyzzy"), "");
}

TEST(ConfigTable, the_manual_has_every_key_in_a_table_of_six_columns) {
    const std::string manual = manual_markdown();
    for (const Section& section : sections())
        EXPECT_NE(manual.find(std::string(section.description)), std::string::npos) << section.name;
    for (const Key& key : keys())
        EXPECT_NE(manual.find("| `" + std::string(key.name) + "` |"), std::string::npos) << key.name;
    EXPECT_NE(manual.find("## [authority.NAME.template.ALIAS]"), std::string::npos);
    std::istringstream lines(manual);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("|")) continue;
        const std::string cells = std::regex_replace(line, std::regex(R"(\\\|)"), "");
        EXPECT_EQ(std::count(cells.begin(), cells.end(), '|'), 7) << line;
    }
}

TEST(ConfigTable, the_example_loads_once_its_files_are_there) {
    const test::ScratchFolder folder;
    make_files(folder);
    std::string text = example_toml();
    // What nobody can fill in for the operator: how device certificates are told apart.
    const std::string line = "#required_eku = []";
    ASSERT_NE(text.find(line), std::string::npos);
    text.replace(text.find(line), line.size(), "required_eku = [\"1.3.6.1.5.5.7.3.2\"]");
    // Nor whom to believe: left open, it says what there is to choose.
    const Loaded open = load_text(text, folder.path() / "connector.toml", Need::run);
    ASSERT_EQ(open.problems.size(), 2U) << all(open.problems);
    for (const auto& problem : open.problems)
        EXPECT_NE(problem.text().find("\"certificate\": "), std::string::npos) << problem.text();
    for (const std::string key : {"binding", "identity"}) {
        const std::string blank = "\n" + key + " = \"\"";
        ASSERT_NE(text.find(blank), std::string::npos) << key;
        text.replace(text.find(blank), blank.size(), "\n" + key + " = \"certificate\"");
    }
    const Loaded loaded = load_text(text, folder.path() / "connector.toml", Need::run);
    ASSERT_TRUE(loaded.ok()) << all(loaded.problems) << text;
    EXPECT_EQ(loaded.settings->policy.allowed_mail_domains, std::vector<std::string>{"corp.example"});
}

TEST(ConfigTable, everything_the_example_shows_as_a_comment_is_of_the_right_form) {
    const test::ScratchFolder folder;
    make_files(folder);
    folder.write("PATH", "PEM");
    const std::string text = std::regex_replace(example_toml(), std::regex(R"(\n#(?! ))"), "\n");
    EXPECT_NE(text.find("\n[authority.NAME.template.ALIAS]\n"), std::string::npos);
    const Loaded loaded = load_text(text, folder.path() / "connector.toml", Need::run);
    // Taken together some examples contradict each other; no single one is unknown or malformed.
    for (const auto& problem : loaded.problems) {
        if (problem.key == "recipients.binding" || problem.key == "policy.identity") continue;  // left open
        EXPECT_EQ(problem.message.find("must be"), std::string::npos) << problem.text();
        EXPECT_EQ(problem.message.find("no such"), std::string::npos) << problem.text();
        EXPECT_EQ(problem.message.find("missing"), std::string::npos) << problem.text();
        EXPECT_EQ(problem.message.find("TOML"), std::string::npos) << problem.text();
    }
}

}  // namespace
}  // namespace connector::config
