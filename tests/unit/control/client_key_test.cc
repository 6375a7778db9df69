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
            "sk-leat-000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0c449980");
  EXPECT_NE(random_bytes(), random_bytes());
}

}  // namespace
}  // namespace leat::control
