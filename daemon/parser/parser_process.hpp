// ports::PfxOpener over parsers in processes of their own: one process for one file, confined (confinement.hpp), forked
// by a keeper (keeper.hpp) that this class starts, restarts when it has gone, and ends. Linux; Windows will have its
// own. Refuses: to parse here what could not be parsed there. A password is sent to a parser that has locked itself in,
// and the key comes back, over a socket pair; neither stands in an argument, the environment, or a file. Any thread, as
// many at once as call; each call waits for its parser.
#pragma once

#include "core/ports/pfx_opener.hpp"
#include "daemon/parser/wire.hpp"

#include <filesystem>
#include <memory>
#include <mutex>

namespace connector::parser {

class ParserProcess final : public ports::PfxOpener {
public:
    // `program` is called as `PROGRAM parse-pfx` with the control socket on descriptor 3.
    explicit ParserProcess(Limits limits = {}, std::filesystem::path program = "/proc/self/exe");
    ~ParserProcess() override;
    ParserProcess(const ParserProcess&) = delete;
    ParserProcess& operator=(const ParserProcess&) = delete;

    // Starts the keeper and a first parser, which locks itself in and opens nothing: to know at once that it can.
    // kind unavailable.
    [[nodiscard]] Result<void> start() const;
    [[nodiscard]] Result<ports::Identity> open_pfx(ByteView pfx, const SecretBytes& password) const override;

private:
    class Keeper;
    struct Line;
    // A parser that is ready, on its own socket.
    [[nodiscard]] Result<Line> call_parser(std::chrono::milliseconds patience) const;
    [[nodiscard]] Result<std::shared_ptr<Keeper>> keeper() const;
    void forget(const std::shared_ptr<Keeper>& gone) const;

    Limits limits_;
    std::filesystem::path program_;
    mutable std::mutex mutex_;
    mutable std::shared_ptr<Keeper> keeper_;  // mutex_
};

}  // namespace connector::parser
