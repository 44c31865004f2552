// CmsPackager: the `cms` delivery format. Inside a SignedData by the delivery certificate, outside an AuthEnvelopedData
// for one proved device (management API, "What is delivered").
// The inner JSON holds passwords and keys: it is written straight into secret memory, never as std::string or DOM.
// Refuses: text that is not UTF-8. Any thread; computes: crypto pool.
#pragma once

#include "core/ports/packager.hpp"

namespace connector::delivery {

class CmsPackager final : public ports::Packager {
public:
    // `crypto` outlives it. `signer`: the delivery certificate, or the connector's where none is configured.
    CmsPackager(const ports::Crypto& crypto, ports::Signer signer) noexcept;

    [[nodiscard]] Result<Bytes> package(const trust::Recipient& recipient,
                                        ports::PackageContent content) const override;

private:
    const ports::Crypto& crypto_;
    ports::Signer signer_;
};

// The inner message: one line of UTF-8, fields in the contract's order. kind: invalid where a text is not UTF-8.
[[nodiscard]] Result<SecretBytes> inner_message(const ports::PackageContent& content, const DeviceId& device,
                                                const Sha256& recipient_certificate);

}  // namespace connector::delivery
