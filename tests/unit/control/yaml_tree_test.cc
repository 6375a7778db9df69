// SPDX-License-Identifier: Apache-2.0
// Goal: what YAML says arrives as it is meant, and a hostile file costs nothing. Method: small
// documents, right and wrong.
#include "control/yaml_tree.h"

#include <gtest/gtest.h>

#include <string>

namespace leat::control {
namespace {

using Kind = JsonValue::Kind;

JsonValue parsed(std::string_view text) {
  std::string why;
  const auto value = parse_yaml(text, why);
  EXPECT_TRUE(value) << why;
  return value.value_or(JsonValue());
}

std::string fault_of(std::string_view text) {
  std::string why;
  EXPECT_FALSE(parse_yaml(text, why));
  return why;
}

TEST(YamlTree, ReadsMappingsAndSequencesInTheirOrder) {
  const JsonValue root = parsed("b: [1, two]\na:\n  - x: y\n");
  ASSERT_EQ(root.members.size(), 2u);
  EXPECT_EQ(root.members[0].key, "b");
  EXPECT_EQ(root.members[0].value.items[1].text, "two");
  EXPECT_EQ(root.find("a")->items[0].text_of("x"), "y");
}

TEST(YamlTree, TellsTextFromNumbersAndWords) {
  const JsonValue root =
      parsed("n: 1.5e-07\nt: \"12\"\nyes_: yes\nno_: Off\nnone: ~\nempty:\nversion: 1.2.x\n");
  EXPECT_EQ(root.find("n")->kind, Kind::kNumber);
  EXPECT_EQ(root.find("n")->text, "1.5e-07");
  EXPECT_EQ(root.find("t")->kind, Kind::kText);
  EXPECT_TRUE(root.is_true("yes_"));
  EXPECT_EQ(root.find("no_")->kind, Kind::kBoolean);
  EXPECT_FALSE(root.is_true("no_"));
  EXPECT_EQ(root.find("none")->kind, Kind::kNull);
  EXPECT_EQ(root.find("empty")->kind, Kind::kNull);
  EXPECT_EQ(root.find("version")->kind, Kind::kText);
}

TEST(YamlTree, FollowsAliases) {
  const JsonValue root = parsed("a: &x {k: v}\nb: *x\n");
  EXPECT_EQ(root.find("b")->text_of("k"), "v");
}

TEST(YamlTree, RefusesABombOfAliases) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 0; j < 8; ++j) text += ", " + last;
    text += "]\n";
  }
  EXPECT_NE(fault_of(text).find("values"), std::string::npos);
}

TEST(YamlTree, RefusesDepth) {
  EXPECT_NE(fault_of(std::string(40, '[') + std::string(40, ']')).find("deeper"),
            std::string::npos);
}

TEST(YamlTree, SaysWhereItIsWrong) {
  EXPECT_NE(fault_of("a: b\nc: [d\ne: f\n").find("line "), std::string::npos);
  EXPECT_FALSE(fault_of("").empty());
}

}  // namespace
}  // namespace leat::control
