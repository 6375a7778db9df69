// SPDX-License-Identifier: Apache-2.0
// Goal: an excerpt is JSON whatever the bound, says as much of the original as has room, and has
// neither media nor half a word in it. Method: bodies with a bound of every size, cut input of
// every length, read by another parser.
#include "dialect/content_excerpt.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

#include "proto/base64_run.h"

namespace leat::dialect {
namespace {

struct Made {
  std::string text;
  ContentExcerpt what;
};

Made excerpt(std::string_view json, std::size_t bytes_max = 1 << 20) {
  Made made;
  made.text = "x";  // it appends
  made.what = append_excerpt(json, bytes_max, made.text);
  made.text.erase(0, 1);
  EXPECT_LE(made.text.size(), bytes_max);
  return made;
}

bool is_json(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

TEST(ContentExcerpt, OfWhatHasRoomIsAllButTheWhiteSpace) {
  const Made made = excerpt("{ \"a\" : [ 1 , -2.5e3 ,\n true, null, \"b \\\" c\" ] , \"d\":{} }\n");
  EXPECT_EQ(made.text, R"({"a":[1,-2.5e3,true,null,"b \" c"],"d":{}})");
  EXPECT_FALSE(made.what.is_cut);
  EXPECT_EQ(made.what.data_left_out, 0U);
}

TEST(ContentExcerpt, IsJsonWhateverTheBound) {
  const std::string json =
      R"({"model":"m","messages":[{"role":"user","content":"one two \u00e4\ud83d\ude00 )"
      "\xc3\xa4\xf0\x9f\x98\x80 three\\n four\"},{\"role\":\"a\",\"content\":[{\"text\":\"x "
      "y\"}]}],"
      R"("n":12,"t":true,"o":{"p":[[],{}]}})";
  for (std::size_t most = 2; most <= json.size() + 1; ++most) {
    const Made made = excerpt(json, most);
    EXPECT_TRUE(is_json(made.text)) << most << ": " << made.text;
    EXPECT_EQ(made.what.is_cut, most < json.size()) << most;
  }
  EXPECT_EQ(excerpt(json, json.size()).text, json);
}

TEST(ContentExcerpt, OfJsonThatBreaksOffIsJson) {
  const std::string json =
      R"({"a":"one two \u00e4 three","b":[1,23,{"c":true}],"d":"data:x/y;base64,QUJD","e":null})";
  for (std::size_t size = 1; size < json.size(); ++size) {
    const Made made = excerpt(json.substr(0, size));
    EXPECT_TRUE(is_json(made.text)) << size << ": " << made.text;
    EXPECT_TRUE(made.what.is_cut) << size;
  }
}

TEST(ContentExcerpt, LeavesOutMedia) {
  const std::string data(3'000, 'Q');
  Made made = excerpt(R"({"url":"data:image/png;base64,)" + data + R"(","b":1})");
  EXPECT_EQ(made.text, R"({"url":"data:image/png;base64,[3000 bytes left out]","b":1})");
  EXPECT_EQ(made.what.data_left_out, 3'000U);
  EXPECT_FALSE(made.what.is_cut);
  // Sound has no mark of its own; slashes and ends of lines may be escaped.
  made =
      excerpt(R"({"input_audio":{"data":")" + data + R"(\/\n)" + data + R"(==","format":"wav"}})");
  EXPECT_EQ(made.text, R"({"input_audio":{"data":"[6006 bytes left out]","format":"wav"}})");
  // Within a text, twice; what stands around it stays.
  made = excerpt(R"({"a":"see ![x](data:a;base64,)" + data + R"() and data:b;base64,)" + data +
                 R"(."})");
  EXPECT_EQ(made.text, R"({"a":"see ![x](data:a;base64,[3000 bytes left out]) and )"
                       R"(data:b;base64,[3000 bytes left out]."})");
}

TEST(ContentExcerpt, KnowsBase64WhereverItEnds) {
  for (int byte = 0; byte < 256; ++byte) {
    const char c = static_cast<char>(byte);
    for (std::size_t before = 0; before < 70; ++before) {
      const std::string text = std::string(before, 'Z') + c + std::string(40, '9');
      const std::size_t expected = proto::is_base64(c) ? text.size() : before;
      ASSERT_EQ(proto::base64_run(text), expected) << byte << " " << before;
    }
  }
}

TEST(ContentExcerpt, LeavesWordsThatAreNoMedia) {
  for (const std::string json :
       {R"({"a":"say ;base64, aloud"})", R"({"a":"data:text/plain;base64,aGk="})",
        R"({"a":"VGhpcyBpcyBzaG9ydA=="})"}) {
    EXPECT_EQ(excerpt(json).text, json);
  }
  std::string prose;
  while (prose.size() < 4'000) prose += "word and word, ";
  EXPECT_EQ(excerpt("{\"a\":\"" + prose + "\"}").text, "{\"a\":\"" + prose + "\"}");
}

TEST(ContentExcerpt, MediaTakeNoRoom) {
  const std::string json =
      R"({"a":"data:image/png;base64,)" + std::string(1 << 20, 'A') + R"(","b":"what is this?"})";
  const Made made = excerpt(json, 1'024);
  EXPECT_FALSE(made.what.is_cut);
  EXPECT_NE(made.text.find("what is this?"), std::string::npos);
}

TEST(ContentExcerpt, CutsNoWordAndNoNumber) {
  const std::string json = R"({"a":"pay with 4111 1111 1111 1111 or bob@example.com now"})";
  for (std::size_t most = 8; most < json.size(); ++most) {
    const std::string text = excerpt(json, most).text;
    EXPECT_TRUE(is_json(text)) << text;
    const bool has_part_of_card = text.find("411") != std::string::npos &&
                                  text.find("1111 1111 1111 or") == std::string::npos;
    EXPECT_FALSE(has_part_of_card) << text;
    const bool has_part_of_address =
        text.find("bob") != std::string::npos && text.find("bob@example.com") == std::string::npos;
    EXPECT_FALSE(has_part_of_address) << text;
  }
}

TEST(ContentExcerpt, OfWhatIsNoJsonDoesNoHarm) {
  for (const char* broken : {"", "}", "]", "{]", "\"", "\"\\", "{\"a", "{\"a\":\"\\u", "[1", "nul",
                             ",,,:", "{\"a\":\"x;base64,", "\xff"}) {
    for (std::size_t most = 0; most < 16; ++most) excerpt(broken, most);
  }
  excerpt(std::string(100'000, '['), 1 << 20);
}

}  // namespace
}  // namespace leat::dialect
