// ImportAdmin: the administrator's calls to the service's store of imported certificates (`import
// add|list|remove|verify|…`). TLS without a client certificate, Authorization: Bearer. Follows the management API,
// "Imported certificates". kind conflict: code exists (409) or changed (412, 428). kind unauthorized: 401, 403. kind
// invalid: 400 and others, and an answer about another owner, purpose or certificate than was asked for. On the
// caller's executor.
#pragma once

#include "core/ports/clock.hpp"
#include "daemon/management/wire.hpp"
#include "daemon/net/http_client.hpp"

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace connector::management {

class ImportAdmin {
public:
    ImportAdmin(net::HttpClient& http, ports::Clock& clock, net::Url base, std::shared_ptr<const SecretBytes> token,
                std::chrono::seconds timeout);

    // POST. The record as the service keeps it (id, and etag where it gave one). code exists: it is there already.
    [[nodiscard]] ports::Async<trust::ImportedRecord> add(trust::ImportedRecord record);
    // PUT of record.id, If-Match: record.etag ("" = any, sent as `*`).
    [[nodiscard]] ports::Async<trust::ImportedRecord> replace(trust::ImportedRecord record);
    // DELETE. False: there was none (404).
    [[nodiscard]] ports::Async<bool> remove(std::string id, std::string etag);
    // GET of one whole record as the listing has it, blob and password with it; etag is what replace() wants. code
    // notFound: it is gone, or the service has no such call (its own word for a 404 tells); code unsupported: it has
    // none (405, 501).
    [[nodiscard]] ports::Async<trust::ImportedRecord> read(trust::ImportedRecord listed);
    // GET, all pages, without blob and password. `user_principal_name` "" = everybody's. code answerInvalid: more than
    // 100 pages of one user, 500,000 records of all. kind cancelled: `stop`, which is looked at before each page.
    [[nodiscard]] ports::Async<std::vector<trust::ImportedRecord>> list(std::string user_principal_name,
                                                                        const std::atomic<bool>* stop = nullptr);

private:
    [[nodiscard]] net::Request call(std::string_view method, net::Url url, std::string body) const;
    [[nodiscard]] ports::Async<trust::ImportedRecord> store(net::Request request, trust::ImportedRecord sent,
                                                            unsigned expected);

    net::HttpClient& http_;
    ports::Clock& clock_;
    net::Url base_;
    std::shared_ptr<const SecretBytes> token_;
    std::chrono::seconds timeout_;
};

}  // namespace connector::management
