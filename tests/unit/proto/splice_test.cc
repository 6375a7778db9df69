// SPDX-License-Identifier: Apache-2.0
// Goal: a body with members changed is what an editor would have made of it by hand: valid,
// everything else byte for byte, and never copied. Method: fixed cases for each place of a comma;
// every subset of members removed from a real object, compared with simdjson's reading; bounds.
#include "proto/splice.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <set>
#include <string>
#include <vector>

namespace leat::proto {
namespace {

std::string join(const SpliceList& list) {
  std::string text;
  for (std::string_view piece : list.pieces()) text += piece;
  EXPECT_EQ(text.size(), list.size());
  return text;
}

JsonScanner scanned(std::string_view body) {
  JsonScanner scanner;
  EXPECT_EQ(scanner.scan(body, true), JsonStatus::kDone) << body;
  return scanner;
}

std::string without(std::string_view body, std::initializer_list<TopKey> keys,
                    std::initializer_list<std::string_view> inserts = {}) {
  const JsonScanner scanner = scanned(body);
  MemberEdits edits;
  for (TopKey key : keys) edits.remove(*scanner.find(key));
  for (std::string_view member : inserts) edits.insert(member);
  SpliceList list(body);
  EXPECT_TRUE(edits.lay_out(scanner, body, list));
  return join(list);
}

constexpr std::string_view kThree = R"({"model":1,"user":2,"n":3})";

TEST(SpliceList, TakesTheRightCommaWithAMember) {
  EXPECT_EQ(without(kThree, {TopKey::kModel}), R"({"user":2,"n":3})");
  EXPECT_EQ(without(kThree, {TopKey::kUser}), R"({"model":1,"n":3})");
  EXPECT_EQ(without(kThree, {TopKey::kN}), R"({"model":1,"user":2})");
  EXPECT_EQ(without(kThree, {TopKey::kUser, TopKey::kModel}), R"({"n":3})");
  EXPECT_EQ(without(kThree, {TopKey::kN, TopKey::kUser}), R"({"model":1})");
  EXPECT_EQ(without(kThree, {TopKey::kModel, TopKey::kN}), R"({"user":2})");
  EXPECT_EQ(without(kThree, {TopKey::kModel, TopKey::kUser, TopKey::kN}), "{}");
}

TEST(SpliceList, KeepsOtherWhiteSpace) {
  EXPECT_EQ(without(" {\n \"model\" : 1 ,\n \"user\" : 2\n} ", {TopKey::kModel}),
            " {\n \"user\" : 2\n} ");
  EXPECT_EQ(without(" {\n \"model\" : 1 ,\n \"user\" : 2\n} ", {TopKey::kUser}),
            " {\n \"model\" : 1 \n} ");
}

TEST(SpliceList, InsertsBeforeTheClosingBrace) {
  EXPECT_EQ(without("{}", {}, {R"("a":1)"}), R"({"a":1})");
  EXPECT_EQ(without("{}", {}, {R"("a":1)", R"("b":2)"}), R"({"a":1,"b":2})");
  EXPECT_EQ(without(R"({"x":0})", {}, {R"("a":1)"}), R"({"x":0,"a":1})");
  EXPECT_EQ(without(R"({"user":0})", {TopKey::kUser}, {R"("a":1)"}), R"({"a":1})");
}

TEST(SpliceList, ReplacesValuesInAnyOrderOfAsking) {
  const std::string_view body = R"({"model":"a","n":1,"user":"u"})";
  const JsonScanner scanner = scanned(body);
  MemberEdits edits;
  edits.replace_value(*scanner.find(TopKey::kUser), "null");
  edits.remove(*scanner.find(TopKey::kN));
  edits.replace_value(*scanner.find(TopKey::kModel), R"("longer name")");
  SpliceList list(body);
  ASSERT_TRUE(edits.lay_out(scanner, body, list));
  EXPECT_EQ(join(list), R"({"model":"longer name","user":null})");
}

TEST(SpliceList, PointsIntoTheBodyInsteadOfCopyingIt) {
  const std::string body = R"({"model":"a","messages":[")" + std::string(100'000, 'x') + R"("]})";
  const JsonScanner scanner = scanned(body);
  MemberEdits edits;
  edits.replace_value(*scanner.find(TopKey::kModel), R"("b")");
  SpliceList list(body);
  ASSERT_TRUE(edits.lay_out(scanner, body, list));
  std::size_t of_body = 0;
  for (std::string_view piece : list.pieces()) {
    if (piece.data() >= body.data() && piece.data() < body.data() + body.size()) {
      of_body += piece.size();
    }
  }
  EXPECT_EQ(of_body, body.size() - 3) << "all but the model's value";
}

TEST(SpliceList, PlacesATextOfAnySizeWithoutCopyingIt) {
  const std::string body = R"({"model":"a","x":[1,2],"n":3})";
  const std::string large(3 * SpliceList::kTextMax, '7');
  const JsonScanner scanner = scanned(body);
  MemberEdits edits;
  edits.remove(*scanner.find(TopKey::kN));
  const auto end = static_cast<std::uint32_t>(body.find(']'));
  edits.place(end, end, large);
  edits.replace_value(*scanner.find(TopKey::kModel), R"("b")");
  SpliceList list(body);
  ASSERT_TRUE(edits.lay_out(scanner, body, list));
  EXPECT_EQ(join(list), R"({"model":"b","x":[1,2)" + large + "]}");
  bool is_there = false;
  for (std::string_view piece : list.pieces()) is_there |= piece.data() == large.data();
  EXPECT_TRUE(is_there);
}

TEST(SpliceList, RemovesEverySubset) {
  const std::string body =
      R"({"model":"m","x":[1,{"user":2}],"user":"u","n":1 , "y":null,"stream":true,"route":{"a":[]}})";
  const std::vector<TopKey> keys = {TopKey::kModel, TopKey::kUser, TopKey::kN, TopKey::kStream,
                                    TopKey::kRoute};
  const JsonScanner scanner = scanned(body);
  for (unsigned subset = 0; subset < 1U << keys.size(); ++subset) {
    MemberEdits edits;
    std::set<std::string, std::less<>> gone;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if ((subset >> i & 1) == 0) continue;
      edits.remove(*scanner.find(keys[i]));
      gone.emplace(top_key_name(keys[i]));
    }
    SpliceList list(body);
    ASSERT_TRUE(edits.lay_out(scanner, body, list));
    simdjson::dom::parser before_parser;
    simdjson::dom::parser after_parser;
    const simdjson::dom::object before = before_parser.parse(body).get_object();
    const simdjson::dom::object after = after_parser.parse(join(list)).get_object();
    EXPECT_EQ(after.size(), before.size() - gone.size());
    for (const auto& [key, value] : before) {
      if (gone.contains(key)) continue;
      EXPECT_EQ(simdjson::minify(after[key].value()), simdjson::minify(value)) << key;
    }
  }
}

TEST(SpliceList, RefusesWhatDoesNotFit) {
  const std::string body = R"({"model":"a"})";
  const JsonScanner scanner = scanned(body);
  MemberEdits edits;
  const std::string text(SpliceList::kTextMax + 1, 'x');
  edits.replace_value(*scanner.find(TopKey::kModel), text);
  SpliceList list(body);
  EXPECT_FALSE(edits.lay_out(scanner, body, list));

  MemberEdits many;
  for (std::size_t i = 0; i < kTopKeyCount + 1; ++i) many.replace_range(1, 1, "x");
  SpliceList second(body);
  EXPECT_FALSE(many.lay_out(scanner, body, second));
}

}  // namespace
}  // namespace leat::proto
