// SPDX-License-Identifier: Apache-2.0
// Goal: addresses mean what they say: a base URL is taken apart so that the request built from it
// goes where the operator wrote, and what could be read in two ways is refused. Method: texts and
// their parts. What is refused is in config_faults_test.cc, with its messages.
#include "control/addresses.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

TEST(Addresses, ListenersOfBothFamilies) {
  const Parsed<Listener> v6 = parse_listener("tls://[::1]:8443");
  ASSERT_TRUE(v6.has_value());
  EXPECT_TRUE(v6->tls);
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 8443);
  EXPECT_EQ(to_string(*v6), "[::1]:8443");
  EXPECT_TRUE(is_loopback(*v6));
  const Parsed<Listener> any = parse_listener("0.0.0.0:0");
  ASSERT_TRUE(any.has_value());
  EXPECT_FALSE(is_loopback(*any));
  EXPECT_TRUE(is_loopback(*parse_listener("127.9.9.9:1")));
}

TEST(Addresses, BaseUrlsAreTakenApart) {
  struct Case {
    const char* text;
    bool tls;
    const char* host;
    std::uint16_t port;
    const char* prefix;
    const char* authority;
  };
  for (const Case& c : {
           Case{"https://api.example", true, "api.example", 443, "", "api.example"},
           Case{"https://api.example/", true, "api.example", 443, "", "api.example"},
           Case{"https://API.Example/V1/", true, "api.example", 443, "/V1", "api.example"},
           Case{"https://api.example:443/v1", true, "api.example", 443, "/v1", "api.example"},
           Case{"http://h:8080/a/b", false, "h", 8080, "/a/b", "h:8080"},
           Case{"http://10.0.0.1/v1", false, "10.0.0.1", 80, "/v1", "10.0.0.1"},
           Case{"https://[2001:db8::1]:9/v1", true, "2001:db8::1", 9, "/v1", "[2001:db8::1]:9"},
       }) {
    SCOPED_TRACE(c.text);
    const Parsed<BaseUrl> url = parse_base_url(c.text);
    ASSERT_TRUE(url.has_value()) << url.error();
    EXPECT_EQ(url->tls, c.tls);
    EXPECT_EQ(url->host, c.host);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->path_prefix, c.prefix);
    EXPECT_EQ(url->authority, c.authority);
  }
}

TEST(Addresses, BackslashesAndLineEndsAreNoPartOfAUrl) {
  for (const char* text : {"https://h.example\\@evil.example/", "https://h.example/a\r\nx: y",
                           "https://h.example/a\\b", "https://h.example/a;b", "HTTPS//x",
                           "https:// h.example", "https://h.example:443:1", "https://[::1]x/"}) {
    EXPECT_FALSE(parse_base_url(text).has_value()) << text;
  }
}

TEST(Addresses, PrivateHostsAreKnownByLiteralAndName) {
  for (const char* host : {"localhost", "a.localhost", "127.0.0.1", "10.9.8.7", "::1", "fe80::1"}) {
    EXPECT_TRUE(is_private_host(host)) << host;
  }
  for (const char* host : {"localhost.example", "8.8.8.8", "2001:4860::1", "api.example"}) {
    EXPECT_FALSE(is_private_host(host)) << host;
  }
}

}  // namespace
}  // namespace leat::control
