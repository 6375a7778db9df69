// SPDX-License-Identifier: Apache-2.0
// Goal: a client that is passed on keeps its address, and nobody comes in without the token.
// Method: preambles written and read, and with each byte of the token changed.
#include "gateway/successor.h"

#include <gtest/gtest.h>

namespace leat::gateway {
namespace {

PassageToken some_token() {
  PassageToken token;
  for (std::size_t i = 0; i < token.size(); ++i) token[i] = static_cast<char>(i * 37 + 200);
  return token;
}

TEST(Successor, AddressesComeThroughWhole) {
  for (const char* text : {"203.0.113.7:40000", "[2001:db8::17]:1", "127.0.0.1:65535"}) {
    const io::Address client = *io::Address::parse(text);
    const auto bytes = passage_preamble(some_token(), client);
    EXPECT_EQ(read_preamble(some_token(), bytes), client) << text;
  }
}

TEST(Successor, AnotherTokenOpensNothing) {
  const io::Address client = io::Address::v4(203, 0, 113, 7, 40000);
  for (std::size_t i = 0; i < sizeof(PassageToken); ++i) {
    auto bytes = passage_preamble(some_token(), client);
    bytes[i] = static_cast<char>(bytes[i] ^ 1);
    EXPECT_FALSE(read_preamble(some_token(), bytes)) << i;
  }
}

}  // namespace
}  // namespace leat::gateway
