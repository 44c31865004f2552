// loop DIRECTORY KIND COUNT THREADS: COUNT requests' cryptography and nothing else; prints the processor's seconds.
// KIND: rsa2048, ecP256 (an issue with such a key), deliver (the records of one user); processes: COUNT that are
// started one after the other and end at once.
#include "steps.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace {

using namespace bench;

double processor_seconds() {
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    double sum = 0;
    for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage used{};
        getrusage(whose, &used);
        sum += seconds(used.ru_utime) + seconds(used.ru_stime);
    }
    return sum;
}

void issue(const Material& material, const std::string& key_type) {
    check_recipient(material);
    Bytes sealed_key;
    Bytes request;
    {
        const auto key = generate(key_type);
        request = make_request(key);
        sealed_key = seal(material.sealing_key, to_pkcs8(key));
    }
    const Bytes der = sign_certificate(material, request);
    check_recipient(material);
    check_issued(material, der);
    const auto key = from_pkcs8(unseal(material.sealing_key, sealed_key));
    const auto certificate = certificate_of(der);
    const BorrowedCertificates issuers(must_have(sk_X509_new_null(), "stack"));
    must(sk_X509_push(issuers.get(), material.issuing_ca.get()) > 0, "stack");
    const std::vector<Package> packages{pack(key.get(), certificate.get(), issuers.get())};
    (void)unseal(material.sealing_key, seal(material.sealing_key, deliver(material, packages)));
}

void deliver_imported(const Material& material) {
    check_recipient(material);
    std::vector<Package> packages;
    for (const auto& record : material.records) {
        const auto opened = open_record(material, record);
        packages.push_back(pack(opened.key.get(), opened.certificate.get(), opened.issuers.get()));
    }
    check_recipient(material);
    (void)unseal(material.sealing_key, seal(material.sealing_key, deliver(material, packages)));
}

void start_processes(long count) {
    for (long i = 0; i < count; ++i) {
        const pid_t child = ::fork();
        if (child == 0) ::_exit(0);
        must(child > 0 && ::waitpid(child, nullptr, 0) == child, "fork");
    }
}

void run(const Material& material, const std::string& kind, long count, unsigned threads) {
    if (kind == "processes") return start_processes(count);
    std::atomic<long> left{count};
    std::vector<std::thread> working;
    for (unsigned i = 0; i < threads; ++i)
        working.emplace_back([&] {
            try {
                while (left.fetch_sub(1) > 0) kind == "deliver" ? deliver_imported(material) : issue(material, kind);
            } catch (const std::exception& failure) {
                std::fprintf(stderr, "loop: %s\n", failure.what());
                std::_Exit(1);
            }
        });
    for (auto& thread : working) thread.join();
}

}  // namespace

int main(int count_of_arguments, char** arguments) {
    const std::vector<std::string> given(arguments + 1, arguments + count_of_arguments);
    const std::set<std::string> kinds{"rsa2048", "ecP256", "deliver", "processes"};
    if (given.size() != 4 || !kinds.contains(given[1])) {
        std::fprintf(stderr, "usage: loop DIRECTORY rsa2048|ecP256|deliver|processes COUNT THREADS\n");
        return 2;
    }
    try {
        const auto material = read_material(given[0]);
        const long count = std::stol(given[2]);
        const auto threads = static_cast<unsigned>(std::stoul(given[3]));
        run(material, given[1], threads, threads);  // algorithms are looked up at their first use
        const double before = processor_seconds();
        run(material, given[1], count, threads);
        std::printf("%.6f\n", processor_seconds() - before);
        return 0;
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "loop: %s\n", failure.what());
        return 1;
    }
}
