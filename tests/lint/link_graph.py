#!/usr/bin/python3
"""connector_core needs no symbol of OpenSSL, SQLite or spdlog: the law of the connector runs without them."""
import re
import subprocess
import sys

FOREIGN = re.compile(r"\b(EVP_|X509|BIO_|CMS_|PKCS12_|SSL_|ERR_|OPENSSL_|CRYPTO_|sqlite3_|.*spdlog)")


def main() -> int:
    listing = subprocess.run(["nm", "--undefined-only", "--demangle", sys.argv[1]], check=True, capture_output=True, text=True)
    undefined = {line.split(" U ", 1)[1].strip() for line in listing.stdout.splitlines() if " U " in line}
    assert undefined, "no symbols: is this the library?"
    faults = sorted(symbol for symbol in undefined if FOREIGN.match(symbol))
    print(*faults, sep="\n")
    print(f"{len(undefined)} needed symbols, {len(faults)} foreign")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
