#include "daemon/keys/files.hpp"

#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace connector::keys {
namespace {

using connector::test::ScratchFolder;

mode_t mode_of(const std::filesystem::path& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 0777U;
}

TEST(Files, a_new_file_is_private_and_never_replaces_another) {
    const ScratchFolder folder;
    const auto file = folder.path() / "key";
    const mode_t before = ::umask(0);
    EXPECT_TRUE(write_new_file(file, bytes_of("one"), 0600));
    ::umask(before);
    EXPECT_EQ(mode_of(file), 0600U);
    const auto again = write_new_file(file, bytes_of("two"), 0600);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().kind, ErrorKind::conflict);
    EXPECT_EQ(folder.read("key"), "one");
}

TEST(Files, links_are_not_written_through) {
    const ScratchFolder folder;
    std::filesystem::create_symlink(folder.path() / "target", folder.path() / "link");
    EXPECT_FALSE(write_new_file(folder.path() / "link", bytes_of("x"), 0600));
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "target"));
    // Replacing puts a file in the link's place.
    folder.write("target", "kept");
    EXPECT_TRUE(replace_file(folder.path() / "link", bytes_of("x"), 0600));
    EXPECT_EQ(folder.read("target"), "kept");
    EXPECT_EQ(folder.read("link"), "x");
}

TEST(Files, replacing_leaves_no_other_file_behind) {
    const ScratchFolder folder;
    folder.write("file", "old", 0644);
    EXPECT_TRUE(replace_file(folder.path() / "file", bytes_of("new"), 0600));
    EXPECT_EQ(folder.read("file"), "new");
    EXPECT_EQ(mode_of(folder.path() / "file"), 0600U);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, secrets_that_others_may_read_are_refused) {
    const ScratchFolder folder;
    const auto file = folder.write("token", "secret\r\nmore\n", 0644);
    EXPECT_EQ(read_secret_line(file, true).error().code, "fileModeOpen");
    EXPECT_EQ(read_secret_line(file, false).value().reveal_text(), "secret");
    folder.write("empty", "\nsecond");
    EXPECT_FALSE(read_secret_line(folder.path() / "empty", true));
}

TEST(Files, what_is_no_regular_file_or_too_large_is_refused) {
    const ScratchFolder folder;
    EXPECT_FALSE(read_text_file(folder.path()));
    EXPECT_FALSE(read_text_file("/dev/zero"));
    EXPECT_FALSE(read_text_file(folder.path() / "missing"));
    folder.write("large", std::string(k_largest_file + 1, 'x'));
    EXPECT_FALSE(read_file(folder.path() / "large"));
}

TEST(Files, directories_are_made_private) {
    const ScratchFolder folder;
    EXPECT_TRUE(make_private_directory(folder.path() / "a/b"));
    EXPECT_EQ(mode_of(folder.path() / "a/b"), 0700U);
    EXPECT_TRUE(make_private_directory(folder.path() / "a/b"));
}

}  // namespace
}  // namespace connector::keys
