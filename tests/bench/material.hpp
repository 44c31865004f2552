// What the loop works on: the very keys, certificates and records that the daemon of the same run has. Read once,
// before anything is measured.
#pragma once

#include "openssl.hpp"

#include <filesystem>
#include <vector>

namespace bench {

struct Record {
    Bytes pfx;
    Bytes wrapped_password;
    Bytes importer_signature;
};

struct Material {
    Bytes device;  // DER: each request brings its certificate along
    Certificate device_ca;
    Certificate root;
    Certificate issuing_ca;
    Key issuing_key;
    Certificate delivery;
    Key delivery_key;
    Certificates delivery_chain;
    Key import_key;
    Certificate importer;
    std::vector<Record> records;
    Bytes sealing_key;
};

// The files are those that tests/bench/bench.py writes.
Material read_material(const std::filesystem::path& place);

}  // namespace bench
