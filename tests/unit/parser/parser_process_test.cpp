// Parsers in processes of their own: the real program is started, and what breaks it is done to it from outside.
#include "daemon/parser/parser_process.hpp"

#include "core/crypto/openssl_crypto.hpp"
#include "core/crypto/pfx.hpp"
#include "support/processes.hpp"
#include "unit/config/scratch_folder.hpp"
#include "unit/crypto/made_pfx.hpp"

#include <openssl/provider.h>

#include <csignal>
#include <future>

namespace connector::parser {
namespace {

using crypto::test::code_of;
using crypto::test::k_password;
using crypto::test::Made;
using crypto::test::must;
using crypto::test::pki;
using crypto::test::secret;
using test::children_of;
using test::eventually;
using test::proc_file;

const Bytes& good_file() {
    static const Bytes k_file = Made()
                                    .certificate(pki().leaf)
                                    .certificate(pki().issuing.certificate)
                                    .safe(NID_aes_256_cbc)
                                    .key(pki().key, NID_aes_256_cbc)
                                    .safe()
                                    .der();
    return k_file;
}
// Within the limits, and long enough at work to be met there.
const Bytes& slow_file() {
    static const Bytes k_file = Made()
                                    .certificate(pki().leaf)
                                    .safe(NID_aes_256_cbc, 900'000)
                                    .key(pki().key, NID_aes_256_cbc)
                                    .safe()
                                    .der(EVP_sha256(), 1'000'000);
    return k_file;
}

class ParserProcessTest : public ::testing::Test {
protected:
    Result<ports::Identity> open(const Bytes& pfx, std::string_view password = k_password) {
        return parsers_.open_pfx(pfx, secret(password));
    }
    void expect_good() {
        const auto identity = must(open(good_file()));
        EXPECT_EQ(identity.certificate, pki().leaf);
    }
    static pid_t keeper() {
        const auto children = children_of(::getpid());
        return children.size() == 1 ? children.front() : -1;
    }
    // The one parser, once it is in the middle of its file.
    static pid_t busy_parser() {
        pid_t found = -1;
        EXPECT_TRUE(eventually([&found] {
            for (const pid_t one : children_of(::getpid()))
                for (const pid_t parser : children_of(one))
                    if (test::is_confined_at_work(parser)) found = parser;
            return found != -1;
        }));
        return found;
    }
    std::future<Result<ports::Identity>> open_slowly() {
        (void)slow_file();
        return std::async(std::launch::async, [this] { return open(slow_file()); });
    }

    const ParserProcess parsers_{Limits{}, CONNECTOR_PROGRAM};
};

TEST_F(ParserProcessTest, OpensWhatIsOpenedHereAndGivesTheSame) {
    const crypto::OpenSslCrypto here;
    for (const auto style : {ports::PfxStyle::aes256, ports::PfxStyle::legacy3des}) {
        const auto file =
            must(crypto::pack(pki().key, pki().leaf, {pki().issuing.certificate, pki().root.certificate}, style));
        const auto there = must(parsers_.open_pfx(file.der, file.password));
        const auto own = must(here.open_pfx(file.der, file.password));
        EXPECT_TRUE(there.pkcs8.equals(own.pkcs8.view()));
        EXPECT_EQ(there.certificate, own.certificate);
        EXPECT_EQ(there.chain, own.chain);
        EXPECT_EQ(there.chain.size(), 2U);
        EXPECT_FALSE(there.weak_encryption);
    }
}

TEST_F(ParserProcessTest, OpensRc2InItsPrivateContext) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP()
        << "ThreadSanitizer reads /proc/self/maps when a provider is loaded, which the parser's filter forbids";
#endif
    const crypto::Owned<OSSL_LIB_CTX, OSSL_LIB_CTX_free> library(OSSL_LIB_CTX_new());
    const crypto::Owned<OSSL_PROVIDER, OSSL_PROVIDER_unload> standard(OSSL_PROVIDER_load(library.get(), "default"));
    const crypto::Owned<OSSL_PROVIDER, OSSL_PROVIDER_unload> legacy(OSSL_PROVIDER_load(library.get(), "legacy"));
    if (!legacy) GTEST_SKIP() << "no legacy provider on this system";
    const auto file = Made()
                          .certificate(pki().leaf)
                          .safe(NID_pbe_WithSHA1And40BitRC2_CBC, 2048, library.get())
                          .key(pki().key)
                          .safe()
                          .der(EVP_sha1());
    for (int i = 0; i < 2; ++i) {
        const auto identity = must(open(file));
        EXPECT_TRUE(identity.weak_encryption);
        EXPECT_EQ(identity.certificate, pki().leaf);
    }
}

TEST_F(ParserProcessTest, RefusesInTheSameWords) {
    const crypto::OpenSslCrypto here;
    struct Case {
        const char* name;
        Bytes file;
        std::string password = k_password;
    };
    std::vector<Case> cases;
    cases.push_back({"wrong password", good_file(), "wrong"});
    cases.push_back({"no PFX", Bytes(100, 0x30)});
    cases.push_back({"empty", Bytes()});
    cases.push_back({"half", Bytes(good_file().begin(), good_file().begin() + 400)});
    cases.push_back({"too large", Bytes(300'000, 0x30)});
    cases.push_back({"long password", good_file(), std::string(1025, 'x')});
    cases.push_back({"no MAC", Made().certificate(pki().leaf).key(pki().key).safe().der(nullptr)});
    cases.push_back({"fifty million iterations", Made()
                                                     .certificate(pki().leaf)
                                                     .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                                                     .claim_safe_iterations(50'000'000)
                                                     .key(pki().key)
                                                     .safe()
                                                     .der()});
    cases.push_back({"no key", Made().certificate(pki().leaf).safe().der()});
    cases.push_back({"two keys", Made().certificate(pki().leaf).key(pki().key).key(pki().key).safe().der()});
    for (const auto& one : cases) {
        SCOPED_TRACE(one.name);
        const auto there = open(one.file, one.password);
        const auto own = here.open_pfx(one.file, secret(one.password));
        ASSERT_FALSE(there);
        ASSERT_FALSE(own);
        EXPECT_EQ(there.error().message, own.error().message);
        EXPECT_EQ(there.error().code, own.error().code);
        EXPECT_EQ(there.error().kind, own.error().kind);
    }
    expect_good();
}

TEST_F(ParserProcessTest, ACrashIsTheFilesFaultAndTheNextFileHasAParserOfItsOwn) {
    for (const int number : {SIGSEGV, SIGKILL, SIGABRT}) {
        auto opening = open_slowly();
        ASSERT_EQ(::kill(busy_parser(), number), 0);
        const auto broken = opening.get();
        ASSERT_FALSE(broken);
        EXPECT_TRUE(ports::is_parser_broken(broken.error())) << broken.error().message;
        EXPECT_NE(broken.error().message.find("signal " + std::to_string(number)), std::string::npos)
            << broken.error().message;
        expect_good();
    }
}

TEST_F(ParserProcessTest, ANeighbourIsNotTouchedByACrash) {
    auto opening = open_slowly();
    const pid_t first = busy_parser();
    const pid_t before = keeper();
    auto neighbour = open_slowly();
    ASSERT_TRUE(eventually([] { return children_of(keeper()).size() == 2; }));
    ASSERT_EQ(::kill(first, SIGSEGV), 0);
    EXPECT_FALSE(opening.get());
    EXPECT_EQ(must(neighbour.get()).certificate, pki().leaf);
    expect_good();
    EXPECT_NE(keeper(), before) << "the next file meets other addresses";
}

TEST_F(ParserProcessTest, AParserThatStandsStillIsEndedWhenItsTimeIsOver) {
    Limits limits;
    limits.wall = std::chrono::milliseconds(1500);
    const ParserProcess hasty(limits, CONNECTOR_PROGRAM);
    (void)slow_file();
    auto opening = std::async(std::launch::async, [&hasty] { return hasty.open_pfx(slow_file(), secret(k_password)); });
    const pid_t parser = busy_parser();
    ASSERT_EQ(::kill(parser, SIGSTOP), 0);
    const auto late = opening.get();
    ASSERT_FALSE(late);
    EXPECT_TRUE(ports::is_parser_broken(late.error()));
    EXPECT_NE(late.error().message.find("longer than"), std::string::npos) << late.error().message;
    EXPECT_TRUE(eventually([parser] { return proc_file(parser, "stat").empty(); })) << "it was left behind";
}

TEST_F(ParserProcessTest, AKeeperThatHasGoneIsStartedAnewAndTheFileOpened) {
    expect_good();
    ASSERT_EQ(::kill(keeper(), SIGKILL), 0);
    expect_good();

    auto opening = open_slowly();
    const pid_t parser = busy_parser();
    ASSERT_EQ(::kill(keeper(), SIGKILL), 0);
    EXPECT_EQ(must(opening.get()).certificate, pki().leaf);
    EXPECT_TRUE(eventually([parser] { return proc_file(parser, "stat").empty(); })) << "it has outlived its keeper";
}

TEST_F(ParserProcessTest, NothingSecretIsInItsArgumentsOrEnvironmentAndNothingIsLeftBehind) {
    pid_t parser = -1;
    pid_t keeper_was = -1;
    {
        const ParserProcess own(Limits{}, CONNECTOR_PROGRAM);
        auto opening = std::async(std::launch::async, [&own] { return own.open_pfx(slow_file(), secret(k_password)); });
        parser = busy_parser();
        keeper_was = keeper();
        for (const pid_t one : {parser, keeper_was}) {
            EXPECT_EQ(proc_file(one, "cmdline"), std::string("pfx-connector\0parse-pfx\0", 24));
            EXPECT_EQ(proc_file(one, "environ"), "");
        }
        EXPECT_NE(proc_file(parser, "limits").find("Max open files            0"), std::string::npos);
        EXPECT_NE(proc_file(parser, "limits").find("Max core file size        0"), std::string::npos);
        EXPECT_TRUE(opening.get());
    }
    EXPECT_EQ(proc_file(keeper_was, "stat"), "");
    EXPECT_TRUE(eventually([parser] { return proc_file(parser, "stat").empty(); }));
}

TEST_F(ParserProcessTest, WhatCannotBeStartedSaysNothingAboutTheFile) {
    for (const char* program : {"/nonexistent", "/bin/true", "/bin/false"}) {
        const ParserProcess none(Limits{}, program);
        const auto opened = none.open_pfx(good_file(), secret(k_password));
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().kind, ErrorKind::unavailable) << opened.error().message;
        EXPECT_FALSE(none.start());
    }
    EXPECT_TRUE(parsers_.start());
}

// A program in the keeper's place: it takes the order, and answers on the file's socket what `answer` (Python) says.
class LyingParser {
public:
    explicit LyingParser(const std::string& answer)
        : program_(folder_.write("parser",
                                 "#!/usr/bin/python3\n"
                                 "import array, socket, struct, time\n"
                                 "control = socket.socket(fileno=3)\n"
                                 "while True:\n"
                                 "    order, rights, _, _ = control.recvmsg(64, 64)\n"
                                 "    if not order: break\n"
                                 "    at = array.array('i', rights[0][2])[0]\n"
                                 "    parser = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=at)\n"
                                 "    parser.sendall(b'\\x01')\n"
                                 "    want = sum(struct.unpack('II', parser.recv(8)))\n"
                                 "    while want: want -= len(parser.recv(want))\n"
                                 "    parser.sendall(" +
                                     answer +
                                     ")\n"
                                     "    parser.close()\n",
                                 0700)) {}
    [[nodiscard]] const std::filesystem::path& program() const { return program_; }

private:
    test::ScratchFolder folder_;
    std::filesystem::path program_;
};

TEST(LyingParserTest, NoAnswerIsTakenForMoreThanItIs) {
    struct Case {
        const char* name;
        const char* answer;
        const char* says;
    };
    for (const auto& one : {
             Case{"a word that is none", "b'\\x09' + bytes(100)", "none"},
             Case{"ready again", "b'\\x01'", "none"},
             Case{"text", "b'HTTP/1.1 200 OK'", "none"},
             Case{"a key of four gigabytes", "b'\\x02' + struct.pack('IIBB2x', 0xFFFFFFFF, 500, 0, 0)", "none"},
             Case{"no key", "b'\\x02' + struct.pack('IIBB2x', 0, 500, 0, 0)", "none"},
             Case{"no certificate", "b'\\x02' + struct.pack('IIBB2x', 100, 0, 0, 0)", "none"},
             Case{"too large a certificate", "b'\\x02' + struct.pack('IIBB2x', 100, 65537, 0, 0)", "none"},
             Case{"too many issuers", "b'\\x02' + struct.pack('IIBB2x', 100, 500, 0, 21) + bytes(2000)", "none"},
             Case{"an issuer of four gigabytes",
                  "b'\\x02' + struct.pack('IIBB2xI', 100, 500, 0, 1, 0xFFFFFFFF) + bytes(2000)", "none"},
             Case{"more issuers than a file can hold",
                  "b'\\x02' + struct.pack('IIBB2x20I', 100, 500, 0, 20, *[60000] * 20) + bytes(2000)", "none"},
             Case{"neither weak nor strong", "b'\\x02' + struct.pack('IIBB2x', 100, 500, 2, 0) + bytes(600)", "none"},
             Case{"an end that is none", "b'\\x04\\x09\\x09'", "none"},
             Case{"a refusal that is none", "b'\\x03\\xC8'", "fault of its own"},
             Case{"a fault of its own", "b'\\x03\\xFF'", "fault of its own"},
             Case{"an exit before its answer", "b'\\x04\\x00\\x05'", "code 5"},
             Case{"out of memory", "b'\\x04\\x00' + bytes([71])", "64 MiB of memory"},
             Case{"out of processor time", "b'\\x04\\x01' + bytes([24])", "20 s of processor time"},
         }) {
        SCOPED_TRACE(one.name);
        const LyingParser liar(one.answer);
        const ParserProcess parsers(Limits{}, liar.program());
        const auto answer = parsers.open_pfx(good_file(), secret(k_password));
        ASSERT_FALSE(answer);
        EXPECT_TRUE(ports::is_parser_broken(answer.error())) << answer.error().message;
        EXPECT_NE(answer.error().message.find(one.says), std::string::npos) << answer.error().message;
    }
}

TEST(LyingParserTest, AnAnswerThatStopsHalfWayIsNoVerdict) {
    for (const char* answer : {"b''", "b'\\x02'", "b'\\x02' + struct.pack('IIBB2x', 100, 500, 0, 0) + bytes(150)"}) {
        const LyingParser liar(answer);
        const ParserProcess parsers(Limits{}, liar.program());
        const auto opened = parsers.open_pfx(good_file(), secret(k_password));
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().kind, ErrorKind::unavailable) << opened.error().message;
    }
}

}  // namespace
}  // namespace connector::parser
