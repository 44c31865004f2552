// What an HTTP status of the management service means, decided in one place for all of its clients.
// Pure; any thread.
#pragma once

#include "core/error.hpp"
#include "daemon/net/http_client.hpp"

#include <initializer_list>
#include <optional>

namespace connector::management {

// Whose path was called: it decides what 401, 403 and 404 say.
enum class Path {
    own,      // /connectors/{id}/…: not enrolled, not approved, gone: unauthorized
    imports,  // /users/{id}/imported-certificates: the lease may be gone: unavailable; 401: unauthorized
    open      // enrolment and administration: 401 and 403 unauthorized, 404 invalid (notFound)
};

// nullopt where the status is one of `expected`; else the error, in the service's words made harmless.
[[nodiscard]] std::optional<Error> judge(const net::Response& response, Path path,
                                         std::initializer_list<unsigned> expected);

}  // namespace connector::management
