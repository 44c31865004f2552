#include "daemon/cli/progress.hpp"

#include <algorithm>
#include <ostream>

namespace connector::cli {
namespace {

constexpr std::size_t k_bar = 30;
constexpr std::chrono::milliseconds k_pause{100};

}  // namespace

Progress::Progress(const Environment& environment, std::size_t total) noexcept
    : environment_(environment), total_(total), began_(std::chrono::steady_clock::now()) {}

void Progress::show(std::size_t done, std::size_t faults) {
    if (!environment_.progress || total_ == 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (!drawn_.empty() && now - last_ < k_pause) return;
    const std::size_t filled = k_bar * std::min(done, total_) / total_;
    std::string text = "[" + std::string(filled, '#') + std::string(k_bar - filled, '.') + "] " + std::to_string(done) +
                       "/" + std::to_string(total_);
    if (faults != 0) text += ", " + std::to_string(faults) + " not done";
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - began_).count();
    if (done != 0 && done < total_ && seconds >= 3) {
        const auto left = static_cast<std::size_t>(seconds) * (total_ - done) / done;
        text +=
            left < 90 ? ", " + std::to_string(left) + " s left" : ", " + std::to_string(left / 60 + 1) + " min left";
    }
    if (text == drawn_) return;
    last_ = now;
    const std::size_t rest = drawn_.size() > text.size() ? drawn_.size() - text.size() : 0;
    environment_.err << '\r' << text << std::string(rest, ' ') << std::flush;
    drawn_ = std::move(text);
}

void Progress::clear() {
    if (drawn_.empty()) return;
    environment_.err << '\r' << std::string(drawn_.size(), ' ') << '\r' << std::flush;
    drawn_.clear();
}

}  // namespace connector::cli
