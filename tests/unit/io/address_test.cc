// SPDX-License-Identifier: Apache-2.0
// Goal: an address survives text and kernel forms, and none that reaches into a private network
// passes as public, in whatever dress (server-side request forgery).
// Method: tables of both kinds; nothing is resolved or reached.
#include "io/address.h"

#include <gtest/gtest.h>

#include "io/sockaddr.h"

namespace leat::io {
namespace {

TEST(Address, ParsesAndPrints) {
  for (const char* text : {"1.2.3.4:80", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:443",
                           "[2001:db8::7]:8080", "[::]:0"}) {
    const std::optional<Address> address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* text : {"",
                           ":",
                           "1.2.3.4",
                           "1.2.3.4:",
                           "1.2.3.4:65536",
                           "1.2.3.4:-1",
                           "1.2.3.4:+1",
                           "1.2.3.4: 1",
                           "1.2.3:80",
                           "1.2.3.4.5:80",
                           "01.2.3.4:80",
                           "0x7f.1:80",
                           "2130706433:80",
                           "localhost:80",
                           "::1:80",
                           "[::1]",
                           "[::1]:",
                           "[::1:80",
                           "::1]:80",
                           "[1.2.3.4]:80",
                           "[::1]x:80",
                           "[]:80",
                           "[fe80::1%lo]:80",
                           "1.2.3.4:80 ",
                           " 1.2.3.4:80",
                           "1.2.3.4:0x50"}) {
    EXPECT_FALSE(Address::parse(text)) << text;
  }
}

TEST(Address, AMappedOneIsTheIpv4One) {
  EXPECT_EQ(Address::parse("[::ffff:1.2.3.4]:80"), Address::v4(1, 2, 3, 4, 80));
}

TEST(Address, SurvivesTheKernelsForm) {
  for (const char* text : {"1.2.3.4:80", "[2001:db8::7]:8080"}) {
    SocketAddress kernel;
    to_kernel(*Address::parse(text), kernel);
    EXPECT_EQ(from_kernel(kernel).to_string(), text);
  }
  SocketAddress local;
  local.any.sa_family = AF_UNIX;
  EXPECT_EQ(from_kernel(local), Address{});
}

TEST(Address, KnowsLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.255.255.254:1", "[::1]:1", "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(Address::parse(text)->is_loopback()) << text;
  }
  for (const char* text : {"128.0.0.1:1", "126.255.255.255:1", "[::2]:1", "[::]:1"}) {
    EXPECT_FALSE(Address::parse(text)->is_loopback()) << text;
  }
}

TEST(Address, KnowsWhatIsPrivate) {
  for (const char* text :
       {"0.0.0.0:1",          "0.1.2.3:1",           "10.0.0.1:1",    "10.255.255.255:1",
        "100.64.0.0:1",       "100.127.255.255:1",   "127.0.0.1:1",   "169.254.169.254:1",
        "172.16.0.0:1",       "172.31.255.255:1",    "192.168.0.0:1", "224.0.0.1:1",
        "239.255.255.255:1",  "255.255.255.255:1",   "[::]:1",        "[::1]:1",
        "[::7f00:1]:1",       "[::ffff:10.0.0.1]:1", "[fc00::1]:1",   "[fdff::1]:1",
        "[fe80::1]:1",        "[febf::1]:1",         "[fec0::1]:1",   "[ff02::1]:1",
        "[64:ff9b::a00:1]:1", "[2002:a00:1::]:1"}) {
    EXPECT_TRUE(Address::parse(text)->is_private()) << text;
  }
}

TEST(Address, KnowsWhatIsPublic) {
  for (const char* text :
       {"1.1.1.1:1",     "9.255.255.255:1",      "11.0.0.0:1",         "100.63.255.255:1",
        "100.128.0.0:1", "126.0.0.1:1",          "128.0.0.1:1",        "169.253.0.1:1",
        "169.255.0.1:1", "172.15.255.255:1",     "172.32.0.0:1",       "192.167.0.1:1",
        "192.169.0.1:1", "223.255.255.255:1",    "[2606:4700::1]:1",   "[fb00::1]:1",
        "[fe00::1]:1",   "[64:ff9b::101:101]:1", "[2002:101:101::]:1", "[::ffff:8.8.8.8]:1"}) {
    EXPECT_FALSE(Address::parse(text)->is_private()) << text;
  }
}

}  // namespace
}  // namespace leat::io
