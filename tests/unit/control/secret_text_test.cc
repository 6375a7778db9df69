// SPDX-License-Identifier: Apache-2.0
// Goal: a secret is exactly what its source holds, unusable ones are refused, and messages name the
// source, never the value.
// Method: made-up variables and files.
#include "control/secret_text.h"

#include <gtest/gtest.h>

#include "fake_surroundings.h"

namespace leat::control {
namespace {

SecretSource variable(const char* name) {
  return {SecretSource::Kind::kEnvironment, name};
}
SecretSource file(const char* name) {
  return {SecretSource::Kind::kFile, name};
}

TEST(SecretText, ReadsVariablesAndFiles) {
  FakeSurroundings surroundings;
  surroundings.variables["A"] = "sk-a";
  surroundings.files = {{"plain", "sk-b"}, {"unix", "sk-c\n"}, {"dos", "sk-d\r\n"}};
  SecretText secret;
  ASSERT_TRUE(secret.read(variable("A"), surroundings));
  EXPECT_EQ(secret.view(), "sk-a");
  ASSERT_TRUE(secret.read(file("plain"), surroundings));
  EXPECT_EQ(secret.view(), "sk-b");
  ASSERT_TRUE(secret.read(file("unix"), surroundings));
  EXPECT_EQ(secret.view(), "sk-c");
  ASSERT_TRUE(secret.read(file("dos"), surroundings));
  EXPECT_EQ(secret.view(), "sk-d");
}

TEST(SecretText, RefusesWhatCannotStandInAHeader) {
  FakeSurroundings surroundings;
  surroundings.variables = {{"EMPTY", ""},
                            {"BLANK", "TOP SECRET"},
                            {"SPLIT", "TOP\r\nSECRET"},
                            {"UMLAUT", "TOPSECRET\xc3\xbc"},
                            {"LONG", std::string(SecretText::kBytesMax + 1, 'T')}};
  surroundings.files = {{"empty", ""}, {"newline", "\n"}, {"two", "TOP\nSECRET\n"}};
  SecretText secret;
  for (const char* name : {"EMPTY", "BLANK", "SPLIT", "UMLAUT", "LONG", "MISSING"}) {
    const auto result = secret.read(variable(name), surroundings);
    ASSERT_FALSE(result) << name;
    EXPECT_NE(result.error().find(name), std::string::npos);
    EXPECT_EQ(result.error().find("TOP"), std::string::npos) << result.error();
  }
  for (const char* name : {"empty", "newline", "two", "missing"}) {
    const auto result = secret.read(file(name), surroundings);
    ASSERT_FALSE(result) << name;
    EXPECT_NE(result.error().find(name), std::string::npos);
    EXPECT_EQ(result.error().find("TOP"), std::string::npos) << result.error();
  }
}

TEST(SecretText, TheLongestOneFits) {
  FakeSurroundings surroundings;
  surroundings.variables["LONG"] = std::string(SecretText::kBytesMax, 'x');
  SecretText secret;
  ASSERT_TRUE(secret.read(variable("LONG"), surroundings));
  EXPECT_EQ(secret.view().size(), SecretText::kBytesMax);
}

}  // namespace
}  // namespace leat::control
