#include "daemon/parser/wire.hpp"

#include "core/crypto/pfx.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace connector::parser {
namespace {

Answer answer_of(Channel::Result result) {
    if (result == Channel::Result::late) return Late{};
    return HungUp{};
}

Answer read_ended(Channel& channel) {
    Ended ended;
    if (const auto got = channel.read(&ended, sizeof ended); got != Channel::Result::done) return answer_of(got);
    if (ended.how > End::not_started) return Garbage{};
    return ended;
}

Answer read_identity(Channel& channel) {
    using R = Channel::Result;
    OpenedSizes sizes;
    if (const auto got = channel.read(&sizes, sizeof sizes); got != R::done) return answer_of(got);
    if (sizes.pkcs8 == 0 || sizes.pkcs8 > k_largest_pkcs8 || sizes.certificate == 0 ||
        sizes.certificate > k_largest_certificate || sizes.weak_encryption > 1 || sizes.issuers > k_most_issuers)
        return Garbage{};
    std::array<std::uint32_t, k_most_issuers> issuers{};
    if (const auto got = channel.read(issuers.data(), sizes.issuers * sizeof issuers[0]); got != R::done)
        return answer_of(got);
    std::size_t sum = sizes.certificate;
    for (const auto size : issuers) {
        if (size > k_largest_certificate) return Garbage{};
        sum += size;
    }
    // They all came out of one file; what BER or a cipher adds makes them smaller, not larger.
    if (sum > crypto::k_pfx_largest) return Garbage{};
    ports::Identity identity;
    identity.weak_encryption = sizes.weak_encryption == 1;
    identity.pkcs8 = SecretBytes(sizes.pkcs8);
    identity.certificate.resize(sizes.certificate);
    if (const auto got = channel.read(identity.pkcs8.data(), sizes.pkcs8); got != R::done) return answer_of(got);
    if (const auto got = channel.read(identity.certificate.data(), sizes.certificate); got != R::done)
        return answer_of(got);
    for (std::size_t i = 0; i < sizes.issuers; ++i) {
        if (issuers[i] == 0) return Garbage{};
        Bytes issuer(issuers[i]);
        if (const auto got = channel.read(issuer.data(), issuer.size()); got != R::done) return answer_of(got);
        identity.chain.push_back(std::move(issuer));
    }
    return identity;
}

}  // namespace

Channel::Result Channel::wait(short events) const {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - std::chrono::steady_clock::now());
        if (left.count() <= 0) return Result::late;
        pollfd one{descriptor_, events, 0};
        const int ready = ::poll(&one, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
        if (ready > 0) return Result::done;
        if (ready < 0 && errno != EINTR) return Result::hung_up;
    }
}

Channel::Result Channel::read(void* octets, std::size_t size) {
    auto* at = static_cast<std::uint8_t*>(octets);
    while (size != 0) {
        if (deadline_)
            if (const auto waited = wait(POLLIN); waited != Result::done) return waited;
        const ssize_t got = ::read(descriptor_, at, size);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (got <= 0) return Result::hung_up;
        at += got;
        size -= static_cast<std::size_t>(got);
    }
    return Result::done;
}

Channel::Result Channel::write(const void* octets, std::size_t size) {
    const auto* at = static_cast<const std::uint8_t*>(octets);
    while (size != 0) {
        ssize_t sent = 0;
        if (deadline_) {
            if (const auto waited = wait(POLLOUT); waited != Result::done) return waited;
            sent = ::send(descriptor_, at, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        } else {
            sent = ::write(descriptor_, at, size);
        }
        if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
        if (sent <= 0) return Result::hung_up;
        at += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return Result::done;
}

bool send_file(Channel& channel, ByteView pfx, const SecretBytes& password) {
    const Sizes sizes{static_cast<std::uint32_t>(password.size()), static_cast<std::uint32_t>(pfx.size())};
    return channel.write(&sizes, sizeof sizes) == Channel::Result::done &&
           channel.write(password.data(), password.size()) == Channel::Result::done &&
           channel.write(pfx.data(), pfx.size()) == Channel::Result::done;
}

bool send_identity(Channel& channel, const ports::Identity& identity) {
    if (identity.chain.size() > k_most_issuers) return false;
    std::array<std::uint32_t, k_most_issuers> issuers{};
    for (std::size_t i = 0; i < identity.chain.size(); ++i)
        issuers[i] = static_cast<std::uint32_t>(identity.chain[i].size());
    OpenedSizes sizes;
    sizes.pkcs8 = static_cast<std::uint32_t>(identity.pkcs8.size());
    sizes.certificate = static_cast<std::uint32_t>(identity.certificate.size());
    sizes.weak_encryption = identity.weak_encryption ? 1 : 0;
    sizes.issuers = static_cast<std::uint8_t>(identity.chain.size());
    constexpr Word k_word = Word::opened;
    using R = Channel::Result;
    bool sent = channel.write(&k_word, sizeof k_word) == R::done && channel.write(&sizes, sizeof sizes) == R::done &&
                channel.write(issuers.data(), identity.chain.size() * sizeof issuers[0]) == R::done &&
                channel.write(identity.pkcs8.data(), identity.pkcs8.size()) == R::done &&
                channel.write(identity.certificate.data(), identity.certificate.size()) == R::done;
    for (const auto& issuer : identity.chain) sent = sent && channel.write(issuer.data(), issuer.size()) == R::done;
    return sent;
}

Answer read_answer(Channel& channel) {
    Word word{};
    if (const auto got = channel.read(&word, sizeof word); got != Channel::Result::done) return answer_of(got);
    switch (word) {
        case Word::opened: return read_identity(channel);
        case Word::ended: return read_ended(channel);
        case Word::refused: {
            Refused refused;
            if (const auto got = channel.read(&refused, sizeof refused); got != Channel::Result::done)
                return answer_of(got);
            return refused;
        }
        case Word::ready: break;
    }
    return Garbage{};
}

std::optional<Answer> read_ready(Channel& channel) {
    Word word{};
    if (const auto got = channel.read(&word, sizeof word); got != Channel::Result::done) return answer_of(got);
    if (word == Word::ready) return std::nullopt;
    if (word == Word::ended) return read_ended(channel);
    return Answer(Garbage{});
}

}  // namespace connector::parser
