// SPDX-License-Identifier: Apache-2.0
// Goal: whoever asked for a reload learns what changed, or all that is wrong with its line.
// Method: results are written and read back as JSON.
#include "control/reload_result.h"

#include <gtest/gtest.h>

#include "control/json_tree.h"

namespace leat::control {
namespace {

JsonValue read(const std::string& text) {
  std::string why;
  auto value = parse_json(text, why);
  EXPECT_TRUE(value.has_value()) << why << ": " << text;
  return value ? *value : JsonValue();
}

TEST(ReloadResult, SaysWhatChanged) {
  ReloadResult result{.generation = 7, .is_applied = true};
  result.changes.push_back({.what = "limits.body_bytes_max", .before = "1", .after = "2"});
  const JsonValue answer = read(result_json(result));
  const JsonValue* data = answer.find("data");
  ASSERT_NE(data, nullptr);
  EXPECT_EQ(data->count_of("generation"), 7u);
  EXPECT_TRUE(data->is_true("applied"));
  EXPECT_EQ(changes_of(*data->find("changes")), result.changes);
  EXPECT_EQ(result_text(result), "configuration 7: 1 change\n");
}

TEST(ReloadResult, SaysAllThatIsWrong) {
  ReloadResult result{.status = 422, .generation = 3};
  result.message = "a \"quoted\" reason";
  result.faults = {"leat.toml:7: keys[0].name: missing"};
  result.fixed = {"server.listen"};
  const JsonValue answer = read(result_json(result));
  const JsonValue* error = answer.find("error");
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->count_of("code"), 422u);
  EXPECT_EQ(error->text_of("message"), result.message);
  const JsonValue* metadata = error->find("metadata");
  ASSERT_NE(metadata, nullptr);
  EXPECT_EQ(metadata->find("faults")->items.at(0).text, result.faults[0]);
  EXPECT_EQ(metadata->find("fixed")->items.at(0).text, "server.listen");
  EXPECT_EQ(result_text(result),
            "configuration refused, 3 goes on: a \"quoted\" reason\n"
            "leat.toml:7: keys[0].name: missing\n");
}

}  // namespace
}  // namespace leat::control
