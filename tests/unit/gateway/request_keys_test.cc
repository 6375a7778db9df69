// SPDX-License-Identifier: Apache-2.0
// Goal: provider keys that came with a request are read or refused whole, whatever the header says;
// each asks its own provider; what was read is nowhere but in one locked slot, and is wiped with
// the request. Method: headers good and bad, one statement each; all prefixes and all changed bytes
// of a good one.
#include "gateway/request_keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "gateway/own_key_states.h"
#include "gateway/own_keys.h"
#include "policy/catalogue_builder.h"

namespace leat::gateway {
namespace {

constexpr std::string_view kGood = R"({"openai":"sk-0123456789", "Groq" : "gsk\/a\u002bb=="})";

class RequestKeysTest : public testing::Test {
 protected:
  RequestKeysTest() {
    policy::CatalogueBuilder builder;
    for (const char* slug : {"groq", "openai"}) EXPECT_TRUE(builder.add_provider({.slug = slug}));
    catalogue_ = std::move(*builder.finish());
  }
  std::string fault_of(std::string_view text) {
    const auto keys = RequestKeys::read(text, slots_);
    return keys ? "" : std::string(keys.error());
  }
  bool scratch_is_wiped() {
    return std::ranges::all_of(slots_.scratch(), [](char c) { return c == '\0'; });
  }

  policy::Catalogue catalogue_;
  tls::SecretSlots slots_;
};

TEST_F(RequestKeysTest, AskTheProviderThatEachIsFor) {
  const auto keys = RequestKeys::read(kGood, slots_);
  ASSERT_TRUE(keys);
  ASSERT_TRUE((*keys)->resolve(catalogue_));
  const auto rules = (*keys)->rules();
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[0].provider, catalogue_.find_provider("openai"));
  EXPECT_EQ(rules[1].provider, catalogue_.find_provider("groq"));
  EXPECT_EQ((*keys)->secret(rules[0].id), "sk-0123456789");
  EXPECT_EQ((*keys)->secret(rules[1].id), "gsk/a+b==");
  for (const policy::OwnKeyRule& rule : rules) {
    EXPECT_TRUE(is_request_key(rule.id));
    EXPECT_TRUE(rule.applies_to(0, rule.provider) && rule.applies_to(31, rule.provider));
    EXPECT_TRUE(rule.is_readable && !rule.is_fallback && !rule.is_required);
  }
  EXPECT_EQ((*keys)->secret(rules[1].id + 1), std::nullopt);
  EXPECT_EQ((*keys)->secret(1), std::nullopt) << "a workspace's";
}

TEST_F(RequestKeysTest, AreForProvidersThatAreServed) {
  const auto keys = RequestKeys::read(R"({"openai":"sk-0123456789","x":"sk-0123456789"})", slots_);
  ASSERT_TRUE(keys);
  EXPECT_FALSE((*keys)->resolve(catalogue_));
}

TEST_F(RequestKeysTest, AreRefusedWholeWhereOneIsBad) {
  for (const std::string_view text :
       {"", " ", "sk-0123456789", "\"sk-0123456789\"", "null", "[]", R"(["sk-0123456789"])", "{",
        "}", R"({"openai"})", R"({"openai":})", R"({"openai":"sk-0123456789",})",
        R"({"openai":"sk-0123456789"}})", R"({"openai":"sk-0123456789"} x)",
        R"({openai:"sk-0123456789"})", R"({"open\ai":"sk-0123456789"})"}) {
    EXPECT_NE(fault_of(text).find("must be a JSON object"), std::string::npos) << text;
  }
  for (const std::string_view value :
       {"null", "12345678", "true", "[]", R"({"api_key":"sk-0123456789"})", R"("")", R"("1234567")",
        R"("with a space")", R"("sk-0123456789\n")", R"("sk-\u00e90123456")",
        R"("sk-012345\u0000")", R"("sk-0123456\x")", R"("{\"a\":\"b\"}")", R"("[1,2,3,4]")"}) {
    const std::string text = R"({"openai":"sk-0123456789","groq":)" + std::string(value) + "}";
    EXPECT_NE(fault_of(text).find("visible ASCII"), std::string::npos) << text;
  }
  EXPECT_NE(fault_of(R"({"groq":"sk-0123456789","gr\u006fq":"sk-0123456789"})").find("twice"),
            std::string::npos);
  EXPECT_NE(fault_of("{}").find("1 to 16"), std::string::npos);
}

TEST_F(RequestKeysTest, AreBounded) {
  const auto text = [](std::size_t count, std::size_t size) {
    std::string made = "{";
    for (std::size_t i = 0; i < count; ++i) {
      made +=
          (i == 0 ? "\"p" : ",\"p") + std::to_string(i) + "\":\"" + std::string(size, 'k') + '"';
    }
    return made + "}";
  };
  EXPECT_EQ(fault_of(text(RequestKeys::kCountMax, 8)), "");
  EXPECT_NE(fault_of(text(RequestKeys::kCountMax + 1, 8)).find("1 to 16"), std::string::npos);
  const std::size_t rest = RequestKeys::kTextMax - text(1, 0).size();
  EXPECT_EQ(fault_of(text(1, rest)), "");
  EXPECT_NE(fault_of(text(1, rest + 1)).find("4,096"), std::string::npos);
}

TEST_F(RequestKeysTest, AnyBytesAreReadOrRefused) {
  for (std::size_t size = 0; size < kGood.size(); ++size) {
    EXPECT_NE(fault_of(kGood.substr(0, size)), "") << size;
  }
  std::string text(kGood);
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      text[at] = static_cast<char>(byte);
      const auto keys = RequestKeys::read(text, slots_);
      if (keys) (*keys)->resolve(catalogue_);
    }
    text[at] = kGood[at];
  }
}

TEST_F(RequestKeysTest, AreWipedWithTheRequest) {
  auto keys = RequestKeys::read(kGood, slots_);
  ASSERT_TRUE(keys);
  EXPECT_TRUE(scratch_is_wiped());
  const std::string_view secret = *(*keys)->secret(kRequestKeyIds);
  const std::size_t bytes = slots_.bytes();
  keys->reset();
  EXPECT_TRUE(std::ranges::all_of(secret, [](char c) { return c == '\0'; }));
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(RequestKeys::read(kGood, slots_));
  EXPECT_EQ(slots_.bytes(), bytes) << "one slot serves one request after the other";
  for (const std::string_view bad :
       {R"({"openai":"sk-0123456789","groq":7})", R"({"openai":"sk-)"}) {
    EXPECT_FALSE(RequestKeys::read(bad, slots_));
    EXPECT_TRUE(scratch_is_wiped()) << bad;
  }
}

// The next request's key of that number is another one.
TEST_F(RequestKeysTest, AreNotRemembered) {
  OwnKeyStates states;
  const OwnKeyRef key{.id = kRequestKeyIds};
  const Instant now = Instant{} + seconds(1);
  states.rest(key, now);
  policy::RateNotice notice;
  notice.retry_after = seconds(30);
  states.note_reply(key, 7, 429, notice, now);
  EXPECT_FALSE(states.is_resting(key, now));
  EXPECT_EQ(states.limited_until(key, 7), Instant{0});
  EXPECT_EQ(states.size(), 0u);
}

}  // namespace
}  // namespace leat::gateway
