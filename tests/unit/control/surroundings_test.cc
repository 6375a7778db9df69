// SPDX-License-Identifier: Apache-2.0
// Goal: files are read whole or refused, so that half a certificate or key is never used.
// Method: real files in a folder of the test's own.
#include "control/surroundings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace leat::control {
namespace {

class SystemSurroundingsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "leat-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }

  std::filesystem::path folder_;
};

TEST_F(SystemSurroundingsTest, ReadsAFileThatJustFits) {
  const std::string path = write("a", "12345678");
  std::vector<char> out(8);
  const Result<std::size_t> size = SystemSurroundings().read_file(path, out);
  ASSERT_TRUE(size);
  EXPECT_EQ(std::string(out.data(), *size), "12345678");
}

TEST_F(SystemSurroundingsTest, RefusesWhatDoesNotFitOrIsNoFile) {
  const std::string path = write("a", "12345678");
  std::vector<char> out(7);
  EXPECT_EQ(SystemSurroundings().read_file(path, out).error().code, Code::kTooLarge);
  EXPECT_EQ(SystemSurroundings().read_file(path + "x", out).error().code, Code::kNotFound);
  EXPECT_EQ(SystemSurroundings().read_file(folder_.string(), out).error().code, Code::kInvalid);
}

TEST_F(SystemSurroundingsTest, TellsAnEmptyVariableFromNone) {
  ASSERT_EQ(setenv("LEAT_TEST_EMPTY", "", 1), 0);
  EXPECT_EQ(SystemSurroundings().variable("LEAT_TEST_EMPTY"), "");
  EXPECT_EQ(SystemSurroundings().variable("LEAT_TEST_NOT_SET"), std::nullopt);
}

}  // namespace
}  // namespace leat::control
