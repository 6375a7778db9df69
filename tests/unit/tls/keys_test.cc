// SPDX-License-Identifier: Apache-2.0
// Goal: digests are SHA-256, comparison sees every byte, secrets stay what they were however many
// there are. Method: published vectors, flipped bytes, many sizes.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/rng.h"
#include "tls/digest.h"
#include "tls/secret.h"

namespace leat::tls {
namespace {

std::string hex(const std::array<std::uint8_t, 32>& digest) {
  std::string text;
  for (const std::uint8_t byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

TEST(Digest, Sha256Vectors) {  // FIPS 180-4
  EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Digest, EqualitySeesEveryByte) {
  const auto digest = sha256("x");
  EXPECT_TRUE(equal_constant_time(digest, digest));
  for (std::size_t i = 0; i < digest.size(); ++i) {
    auto other = digest;
    other[i] ^= 1;
    EXPECT_FALSE(equal_constant_time(digest, other)) << i;
  }
}

TEST(SecretArena, KeepsSecretsOfAnySize) {
  Rng rng(5);
  SecretArena arena;
  std::vector<std::pair<std::string, std::string_view>> kept;
  for (int i = 0; i < 500; ++i) {
    std::string secret(rng.below(i == 250 ? 100'000 : 300) + 1, '\0');
    for (char& c : secret) c = static_cast<char>(rng.below(256));
    const std::string_view view = arena.add(secret);
    kept.emplace_back(std::move(secret), view);
  }
  for (const auto& [secret, view] : kept) EXPECT_EQ(secret, view);
  EXPECT_TRUE(arena.add("").empty());
}

}  // namespace
}  // namespace leat::tls
