#include "core/crypto/secure_heap.hpp"
#include "daemon/cli/cli.hpp"
#include "daemon/parser/keeper.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdlib>
#include <string_view>

namespace {

// Before any key exists: no core files, no other process of ours looks in, no set-uid program gains anything by us.
void harden_process() {
    const struct rlimit none { 0, 0 };
    (void)::setrlimit(RLIMIT_CORE, &none);
    (void)::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    // What OpenSSL would take from the environment is the operator's to configure, not the caller's.
    for (const char* name : {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF", "OPENSSL_MODULES", "SSLKEYLOGFILE"})
        (void)::unsetenv(name);
    // Memory that cannot be locked is still wiped and left out of dumps; the daemon says so when it starts.
    (void)connector::crypto::protect_memory();
}

}  // namespace

int main(int argc, char** argv) {
    harden_process();
    // Not a command for people: what ParserProcess starts.
    if (argc == 2 && std::string_view(argv[1]) == connector::parser::k_keeper_command)
        return connector::parser::keep_parsers();
    return connector::cli::run_cli(argc, argv);
}
