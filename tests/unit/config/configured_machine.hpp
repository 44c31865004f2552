// A machine with all the files of a working daemon, and the least configuration that it needs.
#pragma once

#include "config/loader.hpp"
#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace connector::config {

class ConfiguredMachine : public ::testing::Test {
protected:
    ConfiguredMachine() {
        for (const auto* name :
             {"service-ca.pem", "device-ca.pem", "importers.pem", "delivery.pem", "delivery-chain.pem"})
            folder_.write(name, "-----BEGIN CERTIFICATE-----\n", 0644);
        folder_.write("secrets/sealing.key", std::string(32, 'k'));
        folder_.write("secrets/delivery.key", "-----BEGIN PRIVATE KEY-----\n");
        folder_.write("secrets/import.key", "-----BEGIN PRIVATE KEY-----\n");
        for (const auto* name : {"ca", "lab-ca"}) std::filesystem::create_directory(folder_.path() / name);
    }

    static std::string good() {
        return "[management]\n"
               "url = \"https://mdm.corp.example/api/v1/\"\n"
               "ca_file = \"service-ca.pem\"\n"
               "[storage]\n"
               "directory = \"state\"\n"
               "[sealing]\n"
               "key = \"file:secrets/sealing.key\"\n"
               "[recipients]\n"
               "ca_file = \"device-ca.pem\"\n"
               "required_eku = [\"1.3.6.1.5.5.7.3.2\"]\n"
               "binding = \"certificate\"\n"
               "[policy]\n"
               "identity = \"certificate\"\n"
               "allowed_mail_domains = [\"corp.example\"]\n"
               "[importer]\n"
               "signers = \"importers.pem\"\n";
    }
    // The good file with one line in place of another; "" takes it out.
    static std::string with(const std::string& line, const std::string& instead) {
        std::string text = good();
        const auto at = text.find(line);
        EXPECT_NE(at, std::string::npos) << line;
        return text.replace(at, line.size(), instead);
    }

    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "connector.toml"; }
    [[nodiscard]] Loaded read(const std::string& text, Need need = Need::run) const {
        return load_text(text, file(), need);
    }

    static std::string all(const std::vector<Problem>& problems) {
        std::string text;
        for (const auto& problem : problems) text += problem.text() + "\n";
        return text;
    }
    static const Problem* find(const std::vector<Problem>& problems, std::string_view key) {
        const auto at =
            std::find_if(problems.begin(), problems.end(), [&](const Problem& each) { return each.key == key; });
        return at == problems.end() ? nullptr : &*at;
    }

    // Exactly one problem, at this key, with these words in what is printed of it.
    void expect_one(const std::string& text, std::string_view key, std::initializer_list<std::string_view> words,
                    Need need = Need::run) const {
        const Loaded loaded = read(text, need);
        ASSERT_EQ(loaded.problems.size(), 1U) << all(loaded.problems) << text;
        EXPECT_FALSE(loaded.ok());
        EXPECT_EQ(loaded.problems[0].key, key);
        for (const auto word : words)
            EXPECT_NE(loaded.problems[0].text().find(word), std::string::npos)
                << word << " in " << loaded.problems[0].text();
    }

    test::ScratchFolder folder_;
};

}  // namespace connector::config
