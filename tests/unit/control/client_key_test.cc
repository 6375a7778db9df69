// SPDX-License-Identifier: Apache-2.0
// Goal: a client's key and its digest match what other tools compute, and keys made here are
// recognisable, checkable and different.
// Method: published test vectors (FIPS 180-4 "abc"; CRC-32 of the key's own text).
#include "control/client_key.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

TEST(ClientKey, DigestIsSha256) {
  KeyDigest expected{};
  ASSERT_TRUE(
      parse_digest("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", expected));
  EXPECT_EQ(digest_of("abc"), expected);
  KeyDigest upper{};
  ASSERT_TRUE(
      parse_digest("BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD", upper));
  EXPECT_EQ(upper, expected);
}

TEST(ClientKey, OnlySixtyFourHexDigitsAreADigest) {
  KeyDigest digest{};
  const std::string good(64, 'a');
  EXPECT_TRUE(parse_digest(good, digest));
  const KeyDigest before = digest;
  EXPECT_FALSE(parse_digest(good.substr(1), digest));
  EXPECT_FALSE(parse_digest(good + "a", digest));
  for (const char wrong : {'g', ' ', '\0', '/', ':', '@', '`'}) {
    for (const std::size_t at : {0u, 31u, 63u}) {
      std::string bad(64, 'b');
      bad[at] = wrong;
      EXPECT_FALSE(parse_digest(bad, digest)) << at;
    }
  }
  EXPECT_EQ(digest, before);
}

TEST(ClientKey, CarriesPrefixAndChecksum) {
  std::array<std::uint8_t, 32> random{};
  for (std::size_t i = 0; i < random.size(); ++i) random[i] = static_cast<std::uint8_t>(i);
  // The last eight digits: CRC-32 of all before, as computed by Python's zlib.
  EXPECT_EQ(make_client_key(random),
            "sk-leat-v1-000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f9034b8eb");
  EXPECT_NE(random_bytes(), random_bytes());
}

TEST(ClientKey, ASlipOfTheHandIsToldFromAnotherKey) {
  const std::string key = make_client_key(random_bytes());
  EXPECT_EQ(form_of(key), KeyForm::kOurs);
  constexpr std::size_t kPrefix = sizeof "sk-leat-v1-" - 1;
  for (std::size_t i = kPrefix; i < key.size(); ++i) {
    std::string typo = key;
    typo[i] = typo[i] == '0' ? '1' : '0';
    EXPECT_EQ(form_of(typo), KeyForm::kMistyped) << i;
    EXPECT_EQ(form_of(key.substr(0, i)), KeyForm::kMistyped) << i;
  }
  EXPECT_EQ(form_of(key + "0"), KeyForm::kMistyped);
  EXPECT_EQ(form_of("sk-leat-v2-" + key.substr(kPrefix)), KeyForm::kOther);
  EXPECT_EQ(form_of("sk-or-v1-0e6"), KeyForm::kOther);
  EXPECT_EQ(form_of(""), KeyForm::kOther);
}

TEST(ClientKey, ALabelShowsBothEndsAndNoMore) {
  EXPECT_EQ(label_of(make_client_key({0xab, 0xcd})), "sk-leat-v1-abc...180");
}

}  // namespace
}  // namespace leat::control
