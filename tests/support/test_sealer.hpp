// A Sealer for tests: deterministic, keyed, and NOT cryptography (FNV-1a in four lanes). It notices what an edit of a
// row changes and nothing that an adversary would do; the real one is tested with daemon/keys and core/crypto. One
// thread at a time.
#pragma once

#include "core/ports/sealer.hpp"

#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

namespace connector::test {

class TestSealer final : public ports::Sealer {
public:
    explicit TestSealer(std::uint64_t key = 1) : key_(key) {}

    // Called before each check value: a test's place to stop the world in the middle of a transaction.
    std::function<void()> before_check;

    Result<Bytes> seal(ByteView secret, ByteView context) const override {
        Bytes sealed(secret.begin(), secret.end());
        for (auto& octet : sealed) octet ^= 0x5A;
        const auto tag = digest("seal", sealed, context);
        sealed.insert(sealed.end(), tag.octets.begin(), tag.octets.end());
        return sealed;
    }
    Result<SecretBytes> open(ByteView sealed, ByteView context) const override {
        const auto broken = Error(ErrorKind::integrity, "sealBroken", "not what was sealed");
        if (sealed.size() < 32) return broken;
        const auto body = sealed.first(sealed.size() - 32);
        const auto tag = Sha256::from(sealed.last(32));
        if (!tag || *tag != digest("seal", body, context)) return broken;
        auto secret = SecretBytes::copy_of(body);
        for (std::size_t i = 0; i < secret.size(); ++i) secret.data()[i] ^= 0x5A;
        return secret;
    }
    Sha256 check_value(ByteView octets) const override {
        if (before_check) before_check();
        return digest("row", octets, {});
    }
    Sha256 audit_link(ByteView octets) const override { return digest("audit", octets, {}); }

private:
    Sha256 digest(std::string_view use, ByteView octets, ByteView context) const {
        Sha256 digest;
        for (std::uint64_t lane = 0; lane < 4; ++lane) {
            std::uint64_t hash = 14695981039346656037ULL ^ key_ ^ (lane << 56U);
            const auto mix = [&](std::uint8_t octet) { hash = (hash ^ octet) * 1099511628211ULL; };
            for (const auto octet : bytes_of(use)) mix(octet);
            for (const auto octet : octets) mix(octet);
            mix(0);
            for (const auto octet : context) mix(octet);
            for (std::size_t i = 0; i < 8; ++i) {
                digest.octets[lane * 8 + i] = static_cast<std::uint8_t>(hash >> (8 * i));
            }
        }
        return digest;
    }
    std::uint64_t key_;
};

}  // namespace connector::test
