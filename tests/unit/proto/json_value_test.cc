// SPDX-License-Identifier: Apache-2.0
// Goal: what we read of JSON text is what it says, what we write is JSON whatever goes in, and
// bytes that are no JSON at all read as absent. Method: tables; every prefix of a document from a
// buffer of its own size.
#include "proto/json_value.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <array>
#include <string>
#include <vector>

#include "proto/json_writer.h"

namespace leat::proto {
namespace {

std::string text_of(std::string_view value) {
  std::array<char, 64> buffer;
  const auto text = json_string(value, buffer);
  return text ? std::string(*text) : "(none)";
}

TEST(JsonValue, UnescapesStrings) {
  EXPECT_EQ(text_of(R"("plain")"), "plain");
  EXPECT_EQ(text_of(R"("")"), "");
  EXPECT_EQ(text_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(text_of(R"("\u0041\u00e9\u20AC\ud83d\ude00")"),
            "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(text_of(R"("\u0000")"), std::string(1, '\0'));
}

TEST(JsonValue, RefusesWhatIsNoString) {
  for (const char* value : {"", "\"", "1", "null", "\"a", R"("\x")", R"("\u12")", R"("\ud83d")",
                            R"("\ud83d\u0041")", R"("\ude00")", R"("\u00g0")", R"("\)"}) {
    EXPECT_EQ(text_of(value), "(none)") << value;
  }
}

TEST(JsonValue, KeepsWithinTheBuffer) {
  std::array<char, 8> buffer;
  EXPECT_EQ(json_string(R"("\n2345")", buffer), "\n2345");
  EXPECT_FALSE(json_string(R"("\n23456789")", buffer));
  EXPECT_EQ(json_string(R"("a long text without escapes")", buffer), "a long text without escapes");
}

TEST(JsonValue, ReadsIntegersWithinTheirRange) {
  EXPECT_EQ(json_integer("12", 0, 100), 12);
  EXPECT_EQ(json_integer("-5", -5, 0), -5);
  EXPECT_EQ(json_integer("100", 0, 100), 100);
  EXPECT_EQ(json_integer("101", 0, 100), std::nullopt);
  EXPECT_EQ(json_integer("-1", 0, 100), std::nullopt);
  EXPECT_EQ(json_integer("12.0", 0, 100), 12);
  EXPECT_EQ(json_integer("1e2", 0, 100), 100);
  EXPECT_EQ(json_integer("1.5", 0, 100), std::nullopt);
  EXPECT_EQ(json_integer("1e400", 0, INT64_MAX), std::nullopt);
  EXPECT_EQ(json_integer("9223372036854775807", 0, INT64_MAX), INT64_MAX);
  EXPECT_EQ(json_integer("9223372036854775808", 0, INT64_MAX), std::nullopt);
  for (const char* value : {"", "\"1\"", "null", "true", "inf", "nan", "-"}) {
    EXPECT_EQ(json_integer(value, INT64_MIN, INT64_MAX), std::nullopt) << value;
  }
}

TEST(JsonValue, WalksMembersAndElements) {
  const std::string_view object = R"( { "a" : 1 , "b":{"c":[1,"}"]}, "d\u0065":"x" } rest)";
  JsonMembers members(object);
  JsonMember member;
  std::string seen;
  while (members.next(member)) {
    seen += std::string(member.key) + "=" + std::string(member.value) + ";";
    EXPECT_EQ(*member.begin(), '"');
    EXPECT_EQ(member.end(), member.value.data() + member.value.size());
  }
  EXPECT_TRUE(members.well_formed());
  EXPECT_EQ(seen, R"(a=1;b={"c":[1,"}"]};d\u0065="x";)");
  EXPECT_EQ(json_find(object, "de"), "\"x\"") << "an escaped key is what it says";
  EXPECT_EQ(json_find(object, "c"), std::nullopt) << "members of members are not looked at";

  JsonElements elements("[1, [2] ,\"]\"]");
  std::string_view element;
  seen.clear();
  while (elements.next(element)) seen += std::string(element) + ";";
  EXPECT_EQ(seen, "1;[2];\"]\";");
  EXPECT_FALSE(JsonElements("{}").next(element));
  EXPECT_FALSE(JsonMembers("[]").next(member));
}

TEST(JsonValue, TellsMalformedFromEnded) {
  for (const char* text :
       {"{\"a\":1", "{\"a\"}", "{\"a\":1,}", "{\"a\":1 \"b\":2}", "{a:1}", "{", "{\"a"}) {
    JsonMembers members(text);
    JsonMember member;
    while (members.next(member)) {
    }
    EXPECT_FALSE(members.well_formed()) << text;
  }
}

TEST(JsonValue, StaysWithinAnyPrefix) {
  const std::string text =
      R"({"a":[1,{"b":"\u00e9\"x"},[]],"a long key, longer than a vector of bytes \\":"value","c":"z"})";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const std::vector<char> prefix(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(size));
    const std::string_view bytes(prefix.data(), size);
    EXPECT_EQ(json_find(bytes, "c").has_value(), size >= text.size() - 1) << size;
    std::array<char, 16> buffer;
    json_string(bytes, buffer);
    json_integer(bytes, 0, 1);
  }
}

TEST(JsonWriter, EscapesWhateverGoesIn) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  all += "\xc3\xa9\xf0\x9f\x98\x80\xe2\x82" + std::string(40, 'x') +
         "\xed\xa0\x80\xc0\xaf\xf4\x90\x80\x80";
  std::string room(4096, '\0');
  JsonWriter out(room);
  out.raw("{\"a\":");
  out.string(all);
  out.raw("}");
  simdjson::dom::parser parser;
  std::string_view text;
  ASSERT_EQ(parser.parse(out.text())["a"].get(text), simdjson::SUCCESS) << out.text();
  EXPECT_EQ(text.substr(0, 128), all.substr(0, 128)) << "ASCII comes back as it was";
  EXPECT_NE(text.find("\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbd"), std::string_view::npos)
      << "UTF-8 crosses, what is none becomes U+FFFD";
}

TEST(JsonWriter, WritesMoneyExactly) {
  const auto written = [](std::int64_t nano) {
    std::array<char, 64> room;
    JsonWriter out(room);
    out.dollars(nano);
    return std::string(out.text());
  };
  EXPECT_EQ(written(0), "0");
  EXPECT_EQ(written(1), "0.000000001");
  EXPECT_EQ(written(1'500), "0.0000015");
  EXPECT_EQ(written(2'000'000'000), "2");
  EXPECT_EQ(written(12'340'000'000), "12.34");
  EXPECT_EQ(written(-1'250'000'000), "-1.25");
  EXPECT_EQ(written(INT64_MIN), "-9223372036.854775808");
}

TEST(JsonWriter, NeverWritesBeyondItsRoom) {
  std::array<char, 8> room;
  room.fill('#');
  JsonWriter out(std::span<char>(room).first(6));
  out.raw("1234");
  out.raw("567");
  EXPECT_TRUE(out.overflowed());
  out.raw("8");
  EXPECT_EQ(out.text(), "1234") << "nothing after what did not fit";
  EXPECT_EQ(room[6], '#');
  out.rewind(2);
  EXPECT_FALSE(out.overflowed());
  out.raw("abcd");
  EXPECT_EQ(out.text(), "12abcd");
}

}  // namespace
}  // namespace leat::proto
