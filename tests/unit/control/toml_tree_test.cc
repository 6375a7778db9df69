// SPDX-License-Identifier: Apache-2.0
// Goal: the tree has every value with its line, and no text whatever ends the process.
// Method: small documents, and those on which the library alone failed (found by config_fuzz).
#include "control/toml_tree.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

std::uint32_t error_line(std::string_view text) {
  const auto parsed = parse_toml(text);
  const auto* error = std::get_if<TomlSyntaxError>(&parsed);
  return error == nullptr ? 0 : error->line;
}

TEST(TomlTree, KeepsLinesAndTheOrderOfTheFile) {
  const auto parsed =
      parse_toml("[z]\nb = 1\na = [\n true,\n 'x']\n[[y]]\nk = { n = -5 }\n[[y]]\n");
  ASSERT_TRUE(std::holds_alternative<TomlValue>(parsed));
  const TomlValue& root = std::get<TomlValue>(parsed);
  ASSERT_EQ(root.members.size(), 2u);
  EXPECT_EQ(root.members[0].key, "z");
  EXPECT_EQ(root.members[1].key, "y");
  const TomlValue& z = root.members[0].value;
  ASSERT_EQ(z.members.size(), 2u);
  EXPECT_EQ(z.members[0].key, "b");
  EXPECT_EQ(z.members[0].line, 2u);
  const TomlMember* a = z.find("a");
  ASSERT_NE(a, nullptr);
  EXPECT_EQ(a->value.items[0].line, 4u);
  EXPECT_TRUE(a->value.items[0].boolean);
  EXPECT_EQ(a->value.items[1].text, "x");
  EXPECT_EQ(z.find("c"), nullptr);
  const TomlValue& y = root.members[1].value;
  ASSERT_EQ(y.items.size(), 2u);
  EXPECT_EQ(y.items[0].line, 6u);
  EXPECT_EQ(y.items[0].find("k")->value.find("n")->value.integer, -5);
  EXPECT_EQ(y.items[1].line, 8u);
}

// The library alone runs into an unreachable place at each of these characters.
TEST(TomlTree, CharactersOutsideOfAsciiStandInTextAndComments) {
  const auto parsed =
      parse_toml("# \u00e9\na = \"\"\"\\\n  \u00e9\"\"\"  # \u03d9\n\"\u03d9\" = '\u1681'\n");
  ASSERT_TRUE(std::holds_alternative<TomlValue>(parsed));
  const TomlValue& root = std::get<TomlValue>(parsed);
  EXPECT_EQ(root.find("a")->value.text, "\u00e9");
  EXPECT_EQ(root.find("\u03d9")->value.text, "\u1681");
  for (const char* bad :
       {"a = 1\n\u03d9", "a = 1\n\u00e9 = 1", "# x\nb = 1\u00e9", "b = \"\"\n\u00e9",
        "b = 1\nc = \u00e9", "b = 1\nc = 0\"\u03d9\"", "b = 1\nc\u2070= 2"}) {
    EXPECT_EQ(error_line(bad), 2u) << bad;
  }
}

// Each of these ended the process, or might have, in the library alone.
TEST(TomlTree, MalformedTextIsAnError) {
  for (const std::string& bad : std::vector<std::string>{"[;x]",
                                                         "[[[1]]]",
                                                         "[[=",
                                                         "[",
                                                         "[a",
                                                         "[[a]",
                                                         "\u03d9",
                                                         "a = \u03d9",
                                                         "a",
                                                         "a =",
                                                         "a = [",
                                                         "a = {",
                                                         "a.b.",
                                                         "a = \"\\u",
                                                         "a = '''",
                                                         std::string("a = 1\n\0", 7),
                                                         "a = \xff",
                                                         "a = \"\xff\"",
                                                         "a = " + std::string(100'000, '['),
                                                         "a = 99999999999999999999",
                                                         "a = 2026-13-01",
                                                         "a = 1\na = 2",
                                                         "a = 0x",
                                                         "\r",
                                                         "a\r= 1"}) {
    EXPECT_NE(error_line(bad), 0u) << bad.substr(0, 40);
  }
}

TEST(TomlTree, AVeryLongKeyIsRefusedAndALongOneIsNot) {
  const auto dotted = [](int parts) {
    std::string key = "a";
    for (int i = 1; i < parts; ++i) key += ".a";
    return key;
  };
  EXPECT_EQ(error_line("x = 1\n" + dotted(500'000) + " = 1"), 2u);
  EXPECT_EQ(error_line("\n\n[" + dotted(500'000) + "]"), 3u);
  EXPECT_EQ(error_line("x = 1\n" + dotted(1'001) + " = 1\n[b." + dotted(1'000) + "]"), 0u);
}

}  // namespace
}  // namespace leat::control
