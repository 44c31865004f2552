#include "daemon/health/page.hpp"

#include "core/crypto/encoding.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/printable.hpp"

#include <algorithm>

namespace connector::health {
namespace {

// Contrast of text is 4.5:1 at least in both schemes; a mood is told by sign and word, colour only repeats it.
constexpr std::string_view k_style =
    ":root{color-scheme:light dark;--ink:#1d1d1f;--paper:#fff;--faint:#55585e;--line:#d0d3d8;--good:#14662a;"
    "--care:#7a4b00;--bad:#a4161a}"
    "@media(prefers-color-scheme:dark){:root{--ink:#ececee;--paper:#16181b;--faint:#a9adb5;--line:#3a3e45;"
    "--good:#6fce86;--care:#e8b04b;--bad:#ff8b8b}}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:48rem;margin:0 auto;padding:1rem;color:var(--ink);"
    "background:var(--paper);overflow-wrap:anywhere}"
    "h1{font-size:1.1rem;margin:0}h2{font-size:1rem;margin:1.5rem 0 .3rem}h3{font-size:1rem;margin:.8rem 0 "
    "0}p{margin:.2rem 0}"
    "header,footer{color:var(--faint)}.state{font-size:1.6rem;font-weight:600;margin:1rem 0 .3rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);"
    "font-weight:inherit}th{color:var(--faint);width:40%}"
    ".good{color:var(--good)}.care{color:var(--care)}.bad{color:var(--bad)}"
    "figure{margin:0}figcaption{color:var(--faint)}svg{width:100%;height:4rem;border-bottom:1px solid var(--line)}"
    ".done{fill:var(--good)}.lost{fill:none;stroke:var(--bad);stroke-width:2;vector-effect:non-scaling-stroke}"
    "footer{margin-top:1.5rem}ul{padding-left:1.2rem;margin:.3rem 0}"
    "code{font:0.9em ui-monospace,monospace}";

enum class Mood { good, care, bad };

std::string_view style_of(Mood mood) noexcept {
    switch (mood) {
        case Mood::good: return "good";
        case Mood::care: return "care";
        case Mood::bad: return "bad";
    }
    return "bad";
}
std::string_view sign_of(Mood mood) noexcept {
    switch (mood) {
        case Mood::good: return "✓ ";
        case Mood::care: return "! ";
        case Mood::bad: return "✗ ";
    }
    return "✗ ";
}

Mood mood_of(std::string_view status) noexcept {
    if (status == "ok" || status == "ready" || status == "up") return Mood::good;
    if (status == "failed" || status == "notReady" || status == "down") return Mood::bad;
    return Mood::care;
}

std::string html(std::string_view text) {
    std::string safe;
    for (const char c : printable(text, 512)) {
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default: safe += c;
        }
    }
    return safe;
}

// What the catalogue marks as a command.
std::string with_commands(std::string_view text) {
    std::string out;
    bool command = false;
    for (;;) {
        const auto mark = text.find('`');
        out += html(text.substr(0, mark));
        if (mark == std::string_view::npos) break;
        out += command ? "</code>" : "<code>";
        command = !command;
        text.remove_prefix(mark + 1);
    }
    if (command) out += "</code>";
    return out;
}

std::string for_people(std::chrono::seconds span) {
    const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(span).count();
    if (minutes < 2) return std::to_string(span.count()) + " s";
    if (minutes < 120) return std::to_string(minutes) + " min";
    if (minutes < 48 * 60) return std::to_string(minutes / 60) + " h";
    return std::to_string(minutes / (24 * 60)) + " days";
}

std::string moment(UtcTime time) {
    const auto text = to_rfc3339(time);
    return "<time datetime=\"" + text + "\">" + text.substr(0, 10) + " " + text.substr(11, 5) + " UTC</time>";
}

// When, and how long ago.
std::string past(const std::optional<UtcTime>& time, UtcTime now, std::string_view never) {
    if (!time) return std::string(never);
    if (*time > now) return moment(*time);
    return for_people(now - *time) + " ago, " + moment(*time);
}

class Rows {
public:
    explicit Rows(std::string_view caption) : out_("<section><h2>" + html(caption) + "</h2><table>") {}
    // `value` is HTML.
    void add(std::string_view name, const std::string& value) {
        out_ += "<tr><th scope=\"row\">" + html(name) + "</th><td>" + value + "</td></tr>";
    }
    void add(std::string_view name, const std::string& value, Mood mood) {
        std::string cell = "<span class=\"";
        cell.append(style_of(mood)).append("\">").append(sign_of(mood)).append(value).append("</span>");
        add(name, cell);
    }
    [[nodiscard]] std::string end() && { return std::move(out_) + "</table></section>"; }

private:
    std::string out_;
};

std::string state_section(const HealthSnapshot& snapshot) {
    const bool ready = is_ready(snapshot);
    auto mood = ready ? mood_of(snapshot.status) : Mood::bad;
    std::string_view words = "All is well";
    if (mood == Mood::care) words = "It works, not everything does";
    if (mood == Mood::bad) words = "It does not work";
    if (snapshot.status == "draining") words = "It is ending", mood = Mood::care;
    std::string out = "<section aria-label=\"state\"><p class=\"state ";
    out.append(style_of(mood)).append("\" role=\"status\">").append(sign_of(mood)).append(words).append("</p>");
    std::string reasons;
    for (const HealthCheck& check : snapshot.checks) {
        const auto how = mood_of(check.status);
        if (how == Mood::good) continue;
        reasons += "<li><span class=\"";
        reasons.append(style_of(how)).append("\">").append(sign_of(how)).append(html(check.name)).append("</span>");
        if (!check.detail.empty()) reasons += ": " + with_commands(check.detail);
        reasons += ", for " + for_people(std::max(snapshot.now - check.since, std::chrono::seconds{0})) + "</li>";
    }
    if (!reasons.empty()) out += "<ul>" + reasons + "</ul>";
    return out + "</section>";
}

std::string work_section(const HealthSnapshot& snapshot) {
    Rows rows("Work");
    const std::chrono::seconds oldest(snapshot.oldest_pending_seconds);
    rows.add("oldest pending request", oldest.count() == 0 ? "none waits" : "waits for " + for_people(oldest));
    for (const auto& [stage, count] : snapshot.queue)
        if (stage != "held") rows.add(stage, std::to_string(count));
    rows.add("last request taken", past(snapshot.last_lease_at, snapshot.now, "never since the start"));
    rows.add("last delivery", past(snapshot.last_delivery_at, snapshot.now, "never since the start"));
    return std::move(rows).end();
}

// Each with its id, so that a command can name it.
std::string named_section(std::string_view caption, const std::vector<Named>& requests, UtcTime now, Mood mood) {
    if (requests.empty()) return {};
    Rows rows(caption);
    for (const Named& one : requests)
        rows.add(one.request,
                 html(one.why) + ", " + past(one.since, now, "") + "<br>" + html(one.user) + ", " + html(one.device) +
                     ", " + html(one.kind),
                 mood);
    return std::move(rows).end();
}

std::string names_sections(const Names& names, UtcTime now) {
    if (!names.unknown.empty())
        return "<section><h2>Requests</h2><p class=\"bad\">✗ not known: " + html(names.unknown) + "</p></section>";
    return named_section("Held requests", names.held, now, Mood::care) +
           named_section("Abandoned requests", names.abandoned, now, Mood::bad) +
           named_section("Failed since yesterday", names.failed, now, Mood::bad);
}

std::string waiting_section(const HealthSnapshot& snapshot) {
    if (snapshot.held == 0) return {};
    Rows rows("Waiting for a person");
    for (const auto& [reason, count] : snapshot.held_by) rows.add(reason, std::to_string(count), Mood::care);
    return std::move(rows).end() +
           "<p><code>pfx-connector requests list --stage held</code> names them; <code>requests approve</code>, "
           "<code>requests abandon</code> or <code>recipients block</code> ends the wait.</p>";
}

// A bar for each stretch: what was done from the ground up, what failed on top of it.
std::string history_section(const HealthSnapshot& snapshot) {
    const auto& history = snapshot.history;
    if (history.size() < 2) return {};
    std::uint64_t done = 0;
    std::uint64_t failed = 0;
    std::uint64_t most = 1;
    for (const auto& one : history) {
        done += one.done;
        failed += one.failed;
        most = std::max(most, one.done + one.failed);
    }
    constexpr std::uint64_t k_height = 100;
    const auto width = std::to_string(history.size() * 10);
    std::string out = "<section><h2>Throughput</h2><figure><svg viewBox=\"0 0 " + width +
                      " 100\" preserveAspectRatio=\"none\" role=\"img\" aria-labelledby=\"throughput\">";
    std::size_t x = 0;
    for (const auto& one : history) {
        const auto bar = [&out, &x, most](std::uint64_t below, std::uint64_t count, std::string_view style) {
            if (count == 0) return;
            // What there was is seen, however little beside the most.
            const auto height = std::max<std::uint64_t>(3, count * k_height / most);
            const auto foot = std::min(below * k_height / most, k_height - height);
            out.append("<rect class=\"").append(style).append("\" x=\"").append(std::to_string(x + 1));
            out.append("\" width=\"8\" y=\"").append(std::to_string(k_height - foot - height));
            out.append("\" height=\"").append(std::to_string(height)).append("\"/>");
        };
        bar(0, one.done, "done");
        bar(one.done, one.failed, "lost");
        x += 10;
    }
    const auto stretch = history[1].begin - history[0].begin;
    out += "</svg><figcaption id=\"throughput\">In the last " +
           for_people(stretch * static_cast<std::int64_t>(history.size())) + ": " + std::to_string(done) +
           " ended well, " + std::to_string(failed) + " did not. A bar is " + for_people(stretch) +
           "; the highest is " + std::to_string(most) + "; what failed is hollow, on top of the rest.";
    return out + "</figcaption></figure></section>";
}

std::string authorities_section(const HealthSnapshot& snapshot) {
    if (snapshot.authorities.empty()) return {};
    Rows rows("Authorities");
    for (const AuthorityHealth& authority : snapshot.authorities) {
        const auto answered = "; last answer " + past(authority.last_success_at, snapshot.now, "never since the start");
        if (authority.state == "unknown")
            rows.add(authority.name, "not asked yet");
        else
            rows.add(authority.name, html(authority.state) + answered, mood_of(authority.state));
    }
    return std::move(rows).end();
}

std::string own_section(const HealthSnapshot& snapshot) {
    Rows rows("Connector");
    const auto& expires = snapshot.certificate_expires_at;
    if (!expires) {
        rows.add("own certificate", "not enrolled", Mood::bad);
    } else {
        constexpr std::chrono::hours k_soon{30 * 24};
        const auto left = *expires - snapshot.now;
        const auto mood = left <= std::chrono::seconds{0} ? Mood::bad : (left < k_soon ? Mood::care : Mood::good);
        rows.add("own certificate",
                 left <= std::chrono::seconds{0} ? "ended " + moment(*expires)
                                                 : "good for " + for_people(left) + ", until " + moment(*expires),
                 mood);
    }
    for (const Choice& choice : snapshot.choices)
        rows.add(choice.name, with_commands(choice.note), choice.good ? Mood::good : Mood::bad);
    return std::move(rows).end();
}

std::string told_section(const HealthSnapshot& snapshot) {
    if (snapshot.told.empty()) return {};
    std::string out = "<section><h2>Last warnings and errors</h2>";
    for (const Told& one : snapshot.told) {
        const auto mood = one.event->severity == Severity::warning ? Mood::care : Mood::bad;
        out += "<h3 class=\"";
        out.append(style_of(mood)).append("\">").append(sign_of(mood)).append(html(one.event->id)).append(" ");
        out += with_commands(one.event->headline) + "</h3><p>" + past(one.last, snapshot.now, "") + ", " +
               std::to_string(one.times) + " × since the start. " + with_commands(one.event->meaning) +
               "</p><p>What to do: " + with_commands(one.event->action) + "</p>";
    }
    return out + "</section>";
}

// `names`: what stands on the full page alone.
std::string page_html(const HealthSnapshot& snapshot, const std::string& names, std::string_view way_on) {
    std::string out = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>";
    out += is_ready(snapshot) ? "pfx-connector" : "✗ pfx-connector";
    out += "</title><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">";
    out += "<meta http-equiv=\"refresh\" content=\"30\"><style>";
    out.append(k_style).append("</style></head><body><header><h1>pfx-connector</h1><p>version ");
    out += html(snapshot.version) + ", running since " + moment(snapshot.started_at) + "</p></header><main>";
    out += state_section(snapshot) + work_section(snapshot) + waiting_section(snapshot) + names;
    out += history_section(snapshot);
    out += authorities_section(snapshot) + own_section(snapshot) + told_section(snapshot);
    out += "</main><footer><p>As of " + moment(snapshot.now) +
           "; read anew each 30 s. <a href=\"/healthz\">JSON</a>, <a href=\"/metrics\">metrics</a>. ";
    out.append(way_on);
    out += "<code>pfx-connector doctor</code> looks deeper.</p></footer></body></html>\n";
    return out;
}

}  // namespace

std::string summary_html(const HealthSnapshot& snapshot, bool has_full_page) {
    return page_html(snapshot, "",
                     has_full_page ? "<a href=\"/full\">With names</a>: the token is the password. " : "");
}

std::string full_html(const HealthSnapshot& snapshot, const Names& names) {
    return page_html(snapshot, names_sections(names, snapshot.now), "");
}

const std::string& page_policy() {
    static const std::string k_policy = [] {
        const Sha256 digest = crypto::OpenSslCrypto().sha256(bytes_of(k_style));
        return "default-src 'none'; style-src 'sha256-" + crypto::to_base64(digest.view()) +
               "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    }();
    return k_policy;
}

}  // namespace connector::health
