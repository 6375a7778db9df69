// SPDX-License-Identifier: Apache-2.0
// Goal: what is sealed opens with the same key and context, and never otherwise.
// Method: a published vector (McGrew and Viega's GCM test case 16, as in NIST's set: AES-256,
// 60 bytes of text, 20 of context); then every byte of a sealed text, its key and context changed.
#include "tls/aead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace leat::tls {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

template <std::size_t N>
std::array<std::uint8_t, N> array_of(const std::string& bytes) {
  std::array<std::uint8_t, N> array{};
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

const std::array<std::uint8_t, 32> kKey =
    array_of<32>(from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
const std::array<std::uint8_t, 12> kNonce = array_of<12>(from_hex("cafebabefacedbaddecaf888"));
const std::string kText = from_hex(
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6"
    "b525b16aedf5aa0de657ba637b39");
const std::string kContext = from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");

TEST(Aead, MatchesThePublishedVector) {
  EXPECT_EQ(seal(kKey, kNonce, kText, kContext),
            from_hex("cafebabefacedbaddecaf888"
                     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590d"
                     "bb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                     "76fc6ece0f4e1768cddf8853bb2d551b"));
}

TEST(Aead, OpensWhatItSealed) {
  const std::string sealed = seal(kKey, kNonce, kText, kContext);
  std::vector<char> out(kText.size());
  const auto size = unseal(kKey, sealed, kContext, out);
  ASSERT_EQ(size, kText.size());
  EXPECT_EQ(std::string(out.data(), *size), kText);
  EXPECT_EQ(unseal(kKey, seal(kKey, kNonce, "", "x"), "x", {}), 0u);
}

TEST(Aead, NothingElseOpens) {
  const std::string sealed = seal(kKey, kNonce, kText, kContext);
  std::vector<char> out(kText.size(), 'x');
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(unseal(kKey, changed, kContext, out).has_value()) << i;
    EXPECT_FALSE(unseal(kKey, sealed.substr(0, i), kContext, out).has_value()) << i;
  }
  EXPECT_EQ(out, std::vector<char>(kText.size()));
  EXPECT_FALSE(unseal(kKey, sealed, kContext + "x", out).has_value());
  EXPECT_FALSE(unseal(kKey, sealed, "", out).has_value());
  std::array<std::uint8_t, 32> other = kKey;
  other[31] ^= 1;
  EXPECT_FALSE(unseal(other, sealed, kContext, out).has_value());
  EXPECT_FALSE(unseal(kKey, sealed, kContext, std::span(out).first(8)).has_value());
}

}  // namespace
}  // namespace leat::tls
