// SPDX-License-Identifier: Apache-2.0
// Goal: a fault reads as one line that an editor can jump to, whatever the file held.
// Method: the text forms, the suggestions, hostile keys.
#include "control/fault.h"

#include <gtest/gtest.h>

#include <array>

namespace leat::control {
namespace {

TEST(Fault, HasTheFormOfCompilers) {
  EXPECT_EQ((Fault{"a.toml", 7, "x.y", "is bad"}).to_string(), "a.toml:7: x.y: is bad");
  EXPECT_EQ((Fault{"a.toml", 7, "", "is bad"}).to_string(), "a.toml:7: is bad");
  EXPECT_EQ((Fault{"a.toml", 0, "", "is bad"}).to_string(), "a.toml: is bad");
}

TEST(Fault, SuggestsTheNearestKnownWord) {
  constexpr std::array<std::string_view, 3> known{"listen", "shards", "streams_per_key_max"};
  EXPECT_EQ(nearest("lisen", known), "listen");
  EXPECT_EQ(nearest("Shard", known), "shards");
  EXPECT_EQ(nearest("streams-per-key-max", known), "streams_per_key_max");
  EXPECT_EQ(nearest("streams_per_key", known), "streams_per_key_max");
  EXPECT_EQ(nearest("workers", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'a'), known), "");
}

TEST(Fault, UnknownKeysNameTheirNeighbours) {
  constexpr std::array<std::string_view, 2> known{"listen", "shards"};
  FaultList faults("f");
  faults.add_unknown(2, "server", "lisen", known);
  faults.add_unknown(1, "server", "threads_of_it", known);
  const std::vector<Fault> all = faults.take();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].to_string(),
            "f:1: server.threads_of_it: unknown key; known here: listen, shards");
  EXPECT_EQ(all[1].to_string(), "f:2: server.lisen: unknown key; did you mean `listen`?");
}

TEST(Fault, HostileTextStaysOnOneShortLine) {
  EXPECT_EQ(printable("a\nb\x1b[31m\x7f"), "a?b?[31m?");
  EXPECT_EQ(printable(std::string(100, 'x')), std::string(60, 'x') + "...");
}

}  // namespace
}  // namespace leat::control
