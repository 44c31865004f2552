// Keeps the device authorities' revocation lists at hand: files are read when they change, addresses asked well before
// what they gave ends. What fails is told by an event, once for each cause, and tried again; the list from before
// serves as long as it is current. A list older than the one that is held is not taken. cc-io; files and parsing on the
// pool.
#pragma once

#include "core/ports/clock.hpp"
#include "core/ports/event_sink.hpp"
#include "core/ports/offload.hpp"
#include "core/ports/revocation.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/revocation/loaded_list.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::revocation {

class ListKeeper final : public ports::RevocationSource {
public:
    struct Places {
        std::vector<std::filesystem::path> files;
        std::vector<net::Url> urls;
    };
    // `authorities`: DER, [recipients] ca_file. Borrows the rest.
    ListKeeper(Places places, std::vector<Bytes> authorities, net::HttpClient& http, ports::Clock& clock,
               ports::Offload& offload, ports::EventSink& events);

    [[nodiscard]] std::shared_ptr<const ports::RevocationLists> current() const override { return current_; }
    [[nodiscard]] ports::Async<void> refresh() override;
    [[nodiscard]] std::vector<Error> faults(UtcTime now) const override;

private:
    struct Source {
        std::filesystem::path file;   // or empty
        std::optional<net::Url> url;  // or none
        std::optional<LoadedList> held;
        std::string stamp;  // of the file when it was read: size and times
        Tick due{};
        std::string complaint;  // the last one told
        [[nodiscard]] std::string name() const { return url ? url->text() : file.string(); }
    };

    [[nodiscard]] ports::Async<LoadedList> obtain(const Source& source);
    void take(Source& source, Result<LoadedList> list);
    void tell(Source& source, const Error& error);
    void publish();

    std::vector<Source> sources_;
    std::vector<Bytes> authorities_;
    std::vector<std::string> subjects_;
    net::HttpClient& http_;
    ports::Clock& clock_;
    ports::Offload& offload_;
    ports::EventSink& events_;
    std::shared_ptr<const ports::RevocationLists> current_;
};

}  // namespace connector::revocation
