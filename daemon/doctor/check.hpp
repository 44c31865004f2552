// One thing that a request would need, looked at: what it is, whether it is well, and what to do where it is not.
// Values and their JSON; pure; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::doctor {

// A warning is worth a look and no fault: the exit code stays 0.
enum class Verdict { good, warning, fault };
[[nodiscard]] std::string_view to_string(Verdict verdict) noexcept;  // ok | warning | fault

struct Check {
    std::string area;  // configuration, files, database, keys, service, authority, directory, trust, revocation,
                       // certificates, notify, daemon
    std::string name;
    Verdict verdict = Verdict::good;
    std::string detail;
    std::string mend;  // "" where the verdict is good
};

// The checks of one area in the order in which they were made.
class Checks {
public:
    explicit Checks(std::string area) : area_(std::move(area)) {}
    void good(std::string name, std::string detail);
    void warning(std::string name, std::string detail, std::string mend);
    void fault(std::string name, std::string detail, std::string mend);
    [[nodiscard]] bool any_fault() const noexcept;
    [[nodiscard]] std::vector<Check> take() && { return std::move(rows_); }
    [[nodiscard]] const std::vector<Check>& rows() const noexcept { return rows_; }

private:
    std::string area_;
    std::vector<Check> rows_;
};

[[nodiscard]] boost::json::object to_json(const Check& check);
[[nodiscard]] boost::json::value to_json(const std::vector<Check>& checks);
// nullopt where it is not what to_json() gives: another version's daemon may have answered.
[[nodiscard]] std::optional<std::vector<Check>> checks_from_json(const boost::json::value& value);

// "12 days": for details about expiry.
[[nodiscard]] std::string count_of(std::int64_t number, std::string_view thing);

}  // namespace connector::doctor
