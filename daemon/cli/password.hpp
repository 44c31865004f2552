// How a password reaches the tool: a file, standard input, or a question on the terminal; never an argument. What is
// typed is not shown, and the terminal shows again what is typed whatever ends the question. Main thread.
#pragma once

#include "core/error.hpp"
#include "core/secret.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace connector::cli {

inline constexpr std::size_t k_longest_password = 1024;

// --password-file, --password-stdin: the first line; an empty one is a password too.
struct PasswordChoice {
    std::string file;
    bool standard_input = false;
    [[nodiscard]] bool given() const noexcept { return standard_input || !file.empty(); }
};
// kind: misconfigured, invalid. Standard input that is a terminal is asked as ask_password() asks.
[[nodiscard]] Result<SecretBytes> read_password(const PasswordChoice& choice);

// Somebody sits there who can be asked: the process has a terminal, and is spoken to on it.
[[nodiscard]] bool somebody_can_be_asked();
// `question` and the answer on the process's own terminal, whatever the streams are led to. A signal (Ctrl-C) that
// comes meanwhile does what it always does, with the terminal as it was. kind: invalid.
[[nodiscard]] Result<SecretBytes> ask_password(std::string_view question);

// A secret file's first line, of any mode: a one-time token, a passphrase. kind: misconfigured where it is empty.
[[nodiscard]] Result<SecretBytes> read_secret_line(const std::string& file);
// Keeps the first line without its end. Drops the mark that Windows begins UTF-8 with. kind: invalid for UTF-16.
[[nodiscard]] Result<void> keep_first_line(SecretBytes& secret, std::string_view called);

}  // namespace connector::cli
