// SPDX-License-Identifier: Apache-2.0
// Goal: the short way for plain TOML makes the very tree that the library makes, lines included,
// and leaves to the library whatever it does not understand.
// Method: texts and all their beginnings, with bytes changed by a seeded generator, both ways.
#include "control/plain_toml.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace leat::control {
namespace {

// Everything that users of a tree look at.
std::string shown(const TomlValue& value) {
  std::string text = fmt::format("{}@{}", static_cast<int>(value.kind), value.line);
  switch (value.kind) {
    case TomlValue::Kind::kBoolean:
      return text + (value.boolean ? "true" : "false");
    case TomlValue::Kind::kInteger:
      return text + fmt::to_string(value.integer);
    case TomlValue::Kind::kText:
      return text + "\"" + value.text + "\"";
    case TomlValue::Kind::kArray:
      for (const TomlValue& item : value.items) text += " " + shown(item);
      return "[" + text + "]";
    case TomlValue::Kind::kTable:
      for (const TomlMember& member : value.members) {
        text += fmt::format(" {}@{}=", member.key, member.line) + shown(member.value);
      }
      return "{" + text + "}";
    default:
      return text;
  }
}

// The two agree on the text; whether the short way took it.
bool agree(std::string_view text) {
  const auto plain = parse_plain_toml(text);
  if (!plain) return false;
  const auto full = parse_toml_by_library(text);
  const auto* tree = std::get_if<TomlValue>(&full);
  EXPECT_NE(tree, nullptr) << "only the short way takes " << text;
  if (tree != nullptr) {
    EXPECT_EQ(shown(*plain), shown(*tree)) << text;
  }
  return true;
}

constexpr std::string_view kPlain = R"(# a comment: ä
a = "text \" \\ ä"	# behind
b = -12
c = true

d = []
e = [ 1, "x", [2], { z = 1, y = 2 },
  # between
  false, ]
"quo ted" = { }
[t]
x = 0
[t.u."v w"]
y = 1
[[m]]
id = "one"
price = { prompt = "1", completion = 2 }
[[m.e]]
k = 1
[[m.e]]
k = 2
[m.f]
k = 3
[[m]]
id = "two"
[[m.e]]
k = 4
[o]
)";

TEST(PlainToml, MakesTheSameTree) {
  EXPECT_TRUE(agree(kPlain));
  EXPECT_TRUE(agree(""));
  EXPECT_TRUE(agree("a = 1"));
  EXPECT_TRUE(agree("a = 1\r\n[b]\r\n"));
  EXPECT_TRUE(agree("[a.b]\nc = 1\n[a.d]\nc = 2\n"));
}

TEST(PlainToml, LeavesTheRestToTheLibrary) {
  for (const char* text : {"a = 1.5",
                           "a = 'x'",
                           "a.b = 1",
                           "a = \"\"\"x\"\"\"",
                           "a = 1_000",
                           "a = 0x10",
                           "a = +1",
                           "a = 1979-05-27",
                           "a = \"\\u0041\"",
                           "a = inf",
                           "[a.b]\n[a]\n",
                           "a = 01",
                           "a = 1 2",
                           "a = 1\na = 2",
                           "[a]\n[a]",
                           "a = [1]\n[[a]]",
                           "a = { b = 1 }\n[a.c]",
                           "a = { b = 1, }",
                           "a = { b = 1\n}",
                           "[[a]]\n[a]",
                           "a = 1\n[a.b]",
                           "a = \"\"\n[a.b]",
                           "a = []\n[a.b]",
                           "a = [{}]\n[a.b]",
                           "a = true\n[a]",
                           "a = 1\n[[a]]",
                           "a",
                           "= 1",
                           "[a",
                           "[[a]",
                           "a = \"x\ny\"",
                           "a = \"\x01\"",
                           "# \x01",
                           "a = \"\xff\"",
                           "a = 9223372036854775808",
                           "a = -99999999999999999999999",
                           "a = tru",
                           "\xef\xbb\xbf"
                           "a = 1"}) {
    EXPECT_FALSE(parse_plain_toml(text)) << text;
  }
}

TEST(PlainToml, NeverDisagrees) {
  for (std::size_t size = 0; size <= kPlain.size(); ++size) agree(kPlain.substr(0, size));
  constexpr std::string_view kBytes = "\"[]{}=.,#\n\r\t a1-_\\'e\x7f\xc3";
  std::mt19937 random(7);
  int taken = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string text(kPlain);
    for (unsigned changes = random() % 3 + 1; changes > 0; --changes) {
      const std::size_t at = random() % text.size();
      const char byte = kBytes[random() % kBytes.size()];
      if (random() % 2 == 0) {
        text[at] = byte;
      } else if (random() % 2 == 0) {
        text.insert(at, 1, byte);
      } else {
        text.erase(at, 1);
      }
    }
    taken += agree(text) ? 1 : 0;
  }
  EXPECT_GT(taken, 1'000);
}

}  // namespace
}  // namespace leat::control
