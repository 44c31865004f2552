// A record whose order is over and whose certificate still has to be revoked. The service may order anew under the id
// of a closed order (management API, "One order, one record"); then the orphan goes on under an id of its own. Pure;
// any thread.
#pragma once

#include "core/request/record.hpp"

namespace connector::request {

// The service has its report; nothing of the order is left but the revocation. No lease, no further report.
[[nodiscard]] bool is_past_its_order(const RequestRecord& record) noexcept;

// The order's id with eight octets of the submission nonce: nobody outside knows them, so that no order can have it. Of
// a record that has it already the same.
[[nodiscard]] RequestId id_apart(const RequestRecord& record);

// The id that the service gave the order, of a record under either id. One of more than 111 characters comes back
// shortened once it has been set apart.
[[nodiscard]] RequestId order_of(const RequestRecord& record);

}  // namespace connector::request
