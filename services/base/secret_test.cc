#include "services/base/secret.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <new>
#include <type_traits>

namespace kyc::base {
namespace {

// Neither type gives its text away by accident.
static_assert(!std::is_convertible_v<Secret, std::string>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Secret>);
static_assert(!std::is_convertible_v<Pii, std::string_view>);
static_assert(!std::is_convertible_v<std::string, Pii>);

template <typename T>
concept Comparable = requires(T a) { a == a; };
static_assert(!Comparable<Secret> && !Comparable<Pii>);

std::string WriteFile(std::string_view content) {
  static int number = 0;
  const std::string path = testing::TempDir() + "secret_" +
                           std::to_string(getpid()) + "_" +
                           std::to_string(number++);
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

TEST(Secret, RevealsWhatItHolds) {
  const Secret secret("s3cret");
  EXPECT_FALSE(secret.empty());
  EXPECT_EQ(secret.Reveal(), "s3cret");
  EXPECT_TRUE(Secret().empty());
}

TEST(Secret, CopiesAreTheirOwn) {
  Secret a("first");
  Secret b(a);
  a = Secret("second");
  EXPECT_EQ(b.Reveal(), "first");
  b = a;
  EXPECT_EQ(b.Reveal(), "second");
  Secret& self = b;
  b = self;
  EXPECT_EQ(b.Reveal(), "second");
}

TEST(Secret, MovingLeavesNothingBehind) {
  for (const std::string& text :
       {std::string("short"), std::string(500, 'x')}) {
    Secret from(text);
    const Secret to(std::move(from));
    EXPECT_EQ(to.Reveal(), text);
    // NOLINTNEXTLINE(bugprone-use-after-move): that is what is tested.
    EXPECT_TRUE(from.empty());
  }
}

// A short text lies inside the object, whose storage this test owns and may
// therefore look at afterwards.
TEST(Secret, OverwritesItsBytes) {
  alignas(Secret) unsigned char storage[sizeof(Secret)] = {};
  const auto holds = [&storage](const char* text) {
    return memmem(storage, sizeof(storage), text, std::strlen(text)) != nullptr;
  };
  Secret* secret = new (storage) Secret("0123456789");
  EXPECT_TRUE(holds("0123456789"));
  const Secret moved(std::move(*secret));
  EXPECT_FALSE(holds("3456789"));
  *secret = Secret("abcdefghij");
  EXPECT_TRUE(holds("abcdefghij"));
  secret->~Secret();
  EXPECT_FALSE(holds("defghij"));
}

TEST(ConstantTimeEquals, ComparesBytes) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "ab"));
  EXPECT_FALSE(ConstantTimeEquals("abc", ""));
  const std::string with_nul("a\0b", 3);
  EXPECT_FALSE(ConstantTimeEquals(with_nul, std::string("a\0c", 3)));
}

TEST(ReadSecretFile, OneLineBreakAtTheEndIsNotPartOfIt) {
  const auto read = [](std::string_view content) {
    const auto secret = ReadSecretFile(WriteFile(content));
    return secret.ok() ? std::string(secret->Reveal()) : "error";
  };
  EXPECT_EQ(read("key"), "key");
  EXPECT_EQ(read("key\n"), "key");
  EXPECT_EQ(read("key\r\n"), "key");
  EXPECT_EQ(read("key\n\n"), "key\n");
  EXPECT_EQ(read(" two\nlines \n"), " two\nlines ");
}

TEST(ReadSecretFile, NamesThePathAtFault) {
  const std::string empty = WriteFile("\n");
  const std::string large = WriteFile(std::string(64 * 1024 + 1, 'x'));
  for (const std::string& path : {empty, large}) {
    const absl::Status status = ReadSecretFile(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find(path), absl::string_view::npos) << status;
  }
  const absl::Status missing = ReadSecretFile("/no/such/file").status();
  EXPECT_EQ(missing.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(missing.message().find("/no/such/file"), absl::string_view::npos);
  EXPECT_EQ(ReadSecretFile(testing::TempDir()).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_TRUE(ReadSecretFile(WriteFile(std::string(64 * 1024, 'x'))).ok());
}

TEST(ReadSecretLines, SkipsEmptyLines) {
  const auto secrets = ReadSecretLines(WriteFile("one\n\ntwo\r\n\r\nthree"));
  ASSERT_TRUE(secrets.ok()) << secrets.status();
  ASSERT_EQ(secrets->size(), 3u);
  EXPECT_EQ((*secrets)[0].Reveal(), "one");
  EXPECT_EQ((*secrets)[1].Reveal(), "two");
  EXPECT_EQ((*secrets)[2].Reveal(), "three");
  EXPECT_EQ(ReadSecretLines(WriteFile("\n\n")).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace kyc::base
