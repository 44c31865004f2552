#include "daemon/health/page.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <regex>
#include <string>

namespace connector::health {
namespace {

std::size_t count_of(const std::string& text, std::string_view what) {
    std::size_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++found;
    return found;
}

class PageTest : public testing::Test {
protected:
    HealthSnapshot snapshot;

    PageTest() {
        snapshot.now = *from_rfc3339("2026-11-29T12:00:00Z");
        snapshot.status = "ready";
        snapshot.version = "1.0.0";
        snapshot.started_at = snapshot.now - std::chrono::hours{50};
        snapshot.checks = {{"service", "ok", snapshot.started_at, ""}, {"ledger", "ok", snapshot.started_at, ""}};
        snapshot.certificate_expires_at = snapshot.now + std::chrono::hours{24 * 90};
    }
    [[nodiscard]] std::string page() const { return summary_html(snapshot, false); }
    void expect(std::string_view text) const {
        EXPECT_NE(page().find(text), std::string::npos) << text << "\n" << page();
    }
};

TEST_F(PageTest, SaysAtOneLookThatAllIsWell) {
    expect("✓ All is well");
    expect("none waits");
    expect("good for 90 days");
    EXPECT_EQ(page().find("✗"), std::string::npos) << page();
}

TEST_F(PageTest, SaysAtOneLookWhatIsWrongAndForHowLong) {
    snapshot.status = "notReady";
    snapshot.checks[1] = {"ledger", "failed", snapshot.now - std::chrono::minutes{5}, "storageFull"};
    expect("✗ It does not work");
    expect("<title>✗ pfx-connector</title>");
    expect("✗ ledger</span>: storageFull, for 5 min");
}

TEST_F(PageTest, AFailedCheckThatKeepsNothingIsNoOutage) {
    snapshot.status = "degraded";
    snapshot.checks.push_back({"frozen", "degraded", snapshot.now, "pkcs.issue: frozen until `thaw`", false});
    snapshot.checks.push_back({"directory", "degraded", snapshot.now, "directoryUnavailable", false});
    expect("! It works, not everything does");
    expect("! frozen</span>: pkcs.issue: frozen until <code>thaw</code>");
    expect("! directory</span>: directoryUnavailable");
}

TEST_F(PageTest, PendingApprovalsComeWithTheCommand) {
    EXPECT_EQ(page().find("Waiting for a person"), std::string::npos);
    snapshot.held = 3;
    snapshot.held_by = {{"keyChange", 3}};
    expect("Waiting for a person");
    expect("! 3");
    expect("requests list --stage held");
}

TEST_F(PageTest, TellsTheLastErrorsAsExplainDoes) {
    const auto* definition = find_event("STO-8001");
    ASSERT_NE(definition, nullptr);
    snapshot.told = {{definition, snapshot.now - std::chrono::minutes{3}, 4}};
    expect("STO-8001");
    expect("3 min ago");
    expect("4 × since the start");
    expect(definition->headline.substr(0, 20));
}

TEST_F(PageTest, DrawsThroughputAndSaysItInWords) {
    for (int i = 0; i < 4; ++i) snapshot.history.push_back({snapshot.now + i * std::chrono::minutes{30}, 0, 0});
    snapshot.history[1].done = 10;
    snapshot.history[3] = {snapshot.history[3].begin, 40, 1};
    EXPECT_EQ(count_of(page(), "<rect class=\"done\""), 2U);
    EXPECT_EQ(count_of(page(), "<rect class=\"lost\""), 1U);
    expect("In the last 2 h: 50 ended well, 1 did not. A bar is 30 min; the highest is 41");
    // Nothing leaves the picture.
    const std::regex bar("y=\"(\\d+)\" height=\"(\\d+)\"");
    const auto text = page();
    for (std::sregex_iterator at(text.begin(), text.end(), bar), end; at != end; ++at)
        EXPECT_LE(std::stoi((*at)[1]) + std::stoi((*at)[2]), 100) << (*at)[0];
}

TEST_F(PageTest, TextsFromOutsideAreText) {
    const std::string bad = "<img src=x onerror=alert(1)>\"'&\x1b[31m";
    snapshot.status = bad;
    snapshot.version = bad;
    snapshot.checks.push_back({bad, "failed", snapshot.now, bad, false});
    snapshot.authorities = {{bad, bad, std::nullopt}, {"corp", "unknown", std::nullopt}};
    snapshot.queue[bad] = 1;
    snapshot.held = 1;
    snapshot.held_by[bad] = 1;
    snapshot.choices = {{bad, false, bad}};
    EXPECT_EQ(page().find("<img"), std::string::npos);
    EXPECT_EQ(page().find('\x1b'), std::string::npos);
    EXPECT_GE(count_of(page(), "&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"), 8U);
}

TEST_F(PageTest, WhoIsNamedIsTextToo) {
    const std::string bad = "<img src=x onerror=alert(1)>";
    Names names;
    names.held = names.abandoned = names.failed = {{bad, bad, bad, bad, bad, snapshot.now}};
    const auto html = full_html(snapshot, names);
    EXPECT_EQ(html.find("<img"), std::string::npos);
    EXPECT_EQ(count_of(html, "&lt;img"), 15U);
    names = {};
    names.unknown = bad;
    EXPECT_NE(full_html(snapshot, names).find("✗ not known: &lt;img"), std::string::npos);
}

TEST_F(PageTest, NothingOnItNeedsMoreThanItsPolicyAllows) {
    for (const std::string_view refused :
         {"<script", " style=", "javascript:", " onload", "<img", "<form", "http://", "https://"})
        EXPECT_EQ(page().find(refused), std::string::npos) << refused;
    EXPECT_NE(page_policy().find("default-src 'none'; style-src 'sha256-"), std::string::npos);
}

TEST_F(PageTest, ReadersFindTheirWay) {
    for (const std::string_view part :
         {"<html lang=\"en\">", "<header>", "<main>", "<footer>", "<h1>", "role=\"status\"", "<title>"})
        EXPECT_EQ(count_of(page(), part), 1U) << part;
}

// WCAG 2.2, 1.4.3: relative luminance of each text colour and its paper, in both schemes.
double luminance(const std::string& hex) {
    const auto full = hex.size() == 3 ? std::string{hex[0], hex[0], hex[1], hex[1], hex[2], hex[2]} : hex;
    const auto part = [&full](std::size_t at) {
        const auto value = static_cast<double>(std::strtoul(full.substr(at, 2).c_str(), nullptr, 16)) / 255;
        return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4);
}

TEST_F(PageTest, ItsTextCanBeReadInLightAndDark) {
    const auto text = page();
    for (const std::string_view scheme : {":root{color-scheme", "dark){:root{"}) {
        const auto begin = text.find(scheme);
        ASSERT_NE(begin, std::string::npos);
        const auto rules = text.substr(begin, text.find('}', begin) - begin);
        const auto colour = [&rules](const std::string& name) {
            std::smatch found;
            EXPECT_TRUE(std::regex_search(rules, found, std::regex("--" + name + ":#([0-9a-f]{3,6})"))) << name;
            return luminance(found[1]);
        };
        for (const char* ink : {"ink", "faint", "good", "care", "bad"}) {
            const auto [dark, light] = std::minmax({colour(ink), colour("paper")});
            EXPECT_GE((light + 0.05) / (dark + 0.05), 4.5) << scheme << " " << ink;
        }
    }
}

}  // namespace
}  // namespace connector::health
