// A local CA in a folder of its own, and the authority over it with a still clock and a pool that is the caller's
// thread.
#pragma once

#include "core/crypto/csr.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "daemon/authority/local.hpp"
#include "daemon/authority/local_ca.hpp"
#include "daemon/authority/local_signer.hpp"
#include "unit/config/scratch_folder.hpp"
#include "unit/crypto/fixtures.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <memory>
#include <optional>

namespace connector::authority::test {

using connector::test::ScratchFolder;
using crypto::test::code_of;
using crypto::test::common_name;
using crypto::test::k_now;
using crypto::test::must;

class StillClock final : public ports::Clock {
public:
    UtcTime now = k_now;
    [[nodiscard]] UtcTime utc() const override { return now; }
    [[nodiscard]] Tick tick() const override { return {}; }
    [[nodiscard]] boost::asio::awaitable<void> wait_until(Tick) override { co_return; }
};

class HereOffload final : public ports::Offload {
public:
    [[nodiscard]] std::size_t waiting() const override { return 0; }

protected:
    [[nodiscard]] boost::asio::awaitable<void> post(std::function<void()> work) override {
        work();
        co_return;
    }
};

template <class T>
Result<T> wait(ports::Async<T> call) {
    boost::asio::io_context context(1);
    std::optional<Result<T>> answer;
    boost::asio::co_spawn(context, std::move(call), [&](std::exception_ptr failure, Result<T> given) {
        if (failure) std::rethrow_exception(failure);
        answer.emplace(std::move(given));
    });
    context.run();
    return std::move(*answer);
}

class LocalCaTest : public ::testing::Test {
protected:
    LocalCaTest() { made_ = create({"corp.example"}); }

    LocalCaMade create(std::vector<std::string> domains) {
        LocalCaOrder order;
        order.directory = directory();
        order.name = "Corp Mail CA";
        order.domains = std::move(domains);
        order.root_key_file = folder_.path() / "root.key";
        return must(create_local_ca(order, k_now));
    }
    [[nodiscard]] std::filesystem::path directory() const { return folder_.path() / "ca"; }
    [[nodiscard]] LocalSettings settings() const {
        LocalSettings wanted;
        wanted.name = "corp";
        wanted.directory = directory();
        return wanted;
    }
    [[nodiscard]] Result<std::unique_ptr<LocalAuthority>> open(LocalSettings wanted) {
        return LocalAuthority::open(std::move(wanted), offload_, clock_);
    }
    [[nodiscard]] std::unique_ptr<LocalAuthority> open() { return must(open(settings())); }

    static ports::CsrContent mail_content(const std::string& mailbox) {
        ports::CsrContent content;
        content.subject = common_name("Alice");
        content.alternative_names = {GeneralName{NameForm::email, mailbox}};
        content.key_usage = KeyUsage(KeyUsage::k_digital_signature);
        content.extended_key_usage = {std::string(eku::k_email_protection)};
        return content;
    }
    static ports::Submission submission(const ports::CsrContent& content, std::uint8_t nonce = 1) {
        static const crypto::PrivateKey k_key = crypto::test::ec_key();
        return submission(k_key, content, nonce);
    }
    static ports::Submission submission(const crypto::PrivateKey& key, const ports::CsrContent& content,
                                        std::uint8_t nonce = 1) {
        ports::Submission wanted;
        wanted.csr = must(crypto::make_csr(key, content));
        wanted.nonce = Bytes(16, nonce);
        return wanted;
    }
    static Result<Bytes> issue(LocalAuthority& authority, const ports::Submission& wanted) {
        auto answer = wait(authority.submit(wanted));
        if (!answer) return answer.error();
        return std::get<ports::IssuedAnswer>(*answer).certificate;
    }
    static CertificateFacts facts_of(const Result<Bytes>& certificate) {
        return must(crypto::inspect(must(certificate)));
    }

    ScratchFolder folder_;
    StillClock clock_;
    HereOffload offload_;
    LocalCaMade made_;
};

}  // namespace connector::authority::test
