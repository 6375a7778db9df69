// SPDX-License-Identifier: Apache-2.0
// Goal: every mistake an operator can make is told on its own line, under its own key, with a word
// on what to write; all at once; and never with a secret in it (F20: whole or nothing). Method: one
// line of a sound file changed at a time. First a list of mistakes by hand, then every row of the
// table of settings with a wrong type, a value out of range and a misspelt key.
#include <gtest/gtest.h>

#include "control/config.h"
#include "control/option_table.h"
#include "sample_config.h"

namespace leat::control {
namespace {

std::vector<Fault> faults_of(const std::string& text) {
  return parse_config(text, kSampleFile, sample_surroundings()).faults;
}

std::string told(const std::vector<Fault>& faults) {
  std::string text;
  for (const Fault& fault : faults) text += fault.to_string() + "\n";
  return text;
}

// Exactly one fault, there, about that key, and saying that.
void expect_one(const Changed& change, const std::string& key, const std::string& phrase) {
  const std::vector<Fault> faults = faults_of(change.text);
  ASSERT_EQ(faults.size(), 1u) << change.text << told(faults);
  EXPECT_EQ(faults[0].line, change.line) << told(faults);
  EXPECT_EQ(faults[0].key, key);
  EXPECT_NE(faults[0].what.find(phrase), std::string::npos) << told(faults);
}

struct Mistake {
  const char* heading;
  const char* key;
  const char* value;
  const char* fault_key;
  const char* phrase;
};

constexpr Mistake kMistakes[] = {
    {"[server]", "listen", "[]", "server.listen", "write 1 to 64"},
    {"[server]", "listen", "\"127.0.0.1:8080\"", "server.listen", "write an array"},
    {"[server]", "listen", "[8080]", "server.listen[0]", "write text"},
    {"[server]", "listen", "[\"\"]", "server.listen[0]", "has 0 bytes"},
    {"[server]", "listen", "[\"127.0.0.1\"]", "server.listen[0]", "no port"},
    {"[server]", "listen", "[\"127.0.0.1:65536\"]", "server.listen[0]", "no port"},
    {"[server]", "listen", "[\"127.0.0.1:-1\"]", "server.listen[0]", "no port"},
    {"[server]", "listen", "[\"127.0.0.1:80x\"]", "server.listen[0]", "no port"},
    {"[server]", "listen", "[\"localhost:8080\"]", "server.listen[0]", "not an IP address"},
    {"[server]", "listen", "[\"::1:8080\"]", "server.listen[0]", "brackets"},
    {"[server]", "listen", "[\"127.0.0.256:80\"]", "server.listen[0]", "not an IP address"},
    {"[server]", "listen", "[\"http://127.0.0.1:80\"]", "server.listen[0]", "only tls://"},
    {"[server]", "listen", "[\"127.0.0.1:80\", \"127.0.0.1:80\"]", "server.listen[1]", "already"},
    {"[server]", "listen", "[\"127.0.0.1:80\", \"tls://127.0.0.1:80\"]", "server.listen[1]",
     "already"},
    {"[server]", "listen", "[{ half_close = \"allow\" }]", "server.listen[0]", "has no address"},
    {"[server]", "listen", "[{ address = \"127.0.0.1:1\", half_close = \"yes\" }]",
     "server.listen[0].half_close", "\"close\" or \"allow\""},
    {"[server]", "listen", "[{ address = \"127.0.0.1:1\", tsl = true }]", "server.listen[0].tsl",
     "unknown key"},
    {"[server]", "half_close", "true", "server.half_close", "write text"},
    {"[server]", "half_close", "\"maybe\"", "server.half_close", "\"close\" or \"allow\""},
    {"[server]", "shards", "2", "server.pin", "names 1 cores for 2 shards"},
    {"[server]", "shards", "0", "server.pin", "one core for each"},
    {"[server]", "pin", "[0, 1]", "server.pin", "names 2 cores for 1 shards"},
    {"[server]", "pin", "0", "server.pin", "write an array"},
    {"[server]", "pin", "[\"0\"]", "server.pin[0]", "write a whole number"},
    {"[server]", "pin", "[-1]", "server.pin[0]", "out of range"},
    {"[server]", "pin", "[1024]", "server.pin[0]", "out of range"},
    {"[server]", "steering", "\"cpu\"", "server.steering", "\"auto\", \"core\" or \"hash\""},
    {"[server]", "steering", "0", "server.steering", "write text"},
    {"[server]", "huge_pages", "\"yes\"", "server.huge_pages", "\"auto\", \"on\" or \"off\""},
    {"[server]", "napi_busy_poll_us", "10001", "server.napi_busy_poll_us", "write 0 to 10000"},
    {"[server.tls]", "certificate", "\"\"", "server.tls.certificate", "has 0 bytes"},
    {"[server.tls]", "chain", "\"x.pem\"", "server.tls.chain", "unknown key"},
    {"[admin]", "listen", "\"0.0.0.0:8081\"", "admin.listen", "not a loopback address"},
    {"[admin]", "listen", "\"10.1.2.3:8081\"", "admin.listen", "not a loopback address"},
    {"[admin]", "listen", "\"tls://127.0.0.1:8081\"", "admin.listen", "TLS is not offered"},
    {"[admin]", "listen", "\"127.0.0.1:8080\"", "admin.listen", "is in server.listen too"},
    {"[admin]", "listen", "\"8081\"", "admin.listen", "no port"},
    {"[admin]", "listen", "8081", "admin.listen", "write text"},
    {"[admin]", "operator_key", "\"0123456789\"", "admin.operator_key", "{ env ="},
    {"[admin]", "operator_key", "{ env = \"EMPTY\" }", "admin.operator_key.env", "is empty"},
    {"[admin]", "operator_key", "{ env = \"KEY31\" }", "admin.operator_key", "has 31 characters"},
    {"[admin]", "operator", "{ env = \"KEY31\" }", "admin.operator", "unknown key"},
    {"[admin]", "socket", "7", "admin.socket", "write text"},
    {"[accounts]", "store", "\"a.db\"", "accounts.store", "unknown key"},
    {"[accounts]", "store_file", "7", "accounts.store_file", "write text"},
    {"[accounts]", "master_key", "\"0123456789\"", "accounts.master_key", "{ env ="},
    {"[accounts]", "master_key", "{ env = \"NOT_SET\" }", "accounts.master_key.env", "not set"},
    {"[accounts]", "master_key", "{ file = \"empty.key\" }", "accounts.master_key.file",
     "is empty"},
    {"[accounts]", "master_key", "{ env = \"HEX63\" }", "accounts.master_key",
     "has 63 characters; write 64 hex digits"},
    {"[accounts]", "master_key", "{ env = \"HEX66\" }", "accounts.master_key", "64 hex digits"},
    {"[accounts]", "master_key", "{ env = \"NOT_HEX\" }", "accounts.master_key", "64 hex digits"},
    {"[accounts]", "master_key", "{ env = \"ZEROS\" }", "accounts.master_key", "over and over"},
    {"[auth]", "mode", "\"none\"", "auth.mode", "\"keys\" or \"off\""},
    {"[auth]", "mode", "false", "auth.mode", "write text"},
    {"[auth]", "key", "\"x\"", "auth.key", "unknown key"},
    {"[[keys]]", "name", "\"\"", "keys[0].name", "has 0 bytes"},
    {"[[keys]]", "name", "\"a b\"", "keys[0].name", "letters, digits"},
    {"[[keys]]", "name", "\"a\\nb\"", "keys[0].name", "control byte"},
    {"[[keys]]", "name", "7", "keys[0].name", "write text"},
    {"[[keys]]", "sha256", "\"\"", "keys[0].sha256", "64 hex digits"},
    {"[[keys]]", "sha256", "\"...hex of SHA-256 of the key...\"", "keys[0].sha256",
     "64 hex digits"},
    {"[[keys]]", "sha256", "\"zz76e8b6a5b0f5e3\"", "keys[0].sha256", "64 hex digits"},
    {"[[keys]]", "sha256", "1234", "keys[0].sha256", "write text"},
    {"[[keys]]", "secret", "{ file = \"api.key\" }", "keys[0]", "one of sha256 and secret"},
    {"[[keys]]", "sha256", "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
     "keys[0].sha256", "of no key at all"},
    {"[[keys]]", "sha256", "\"01ba4719c80b6fe911b091a7c05124b64eeece964e09c058ef8f9805daca546b\"",
     "keys[0].sha256", "of no key at all"},
    {"[[keys]]", "limit", "1", "keys[0].limit", "unknown key"},
    {"[providers.mock]", "format", "\"anthropic\"", "providers.mock.format", "write \"openai\""},
    {"[providers.mock]", "format", "1", "providers.mock.format", "write text"},
    {"[providers.mock]", "base_url", "\"\"", "providers.mock.base_url", "has 0 bytes"},
    {"[providers.mock]", "base_url", "\"localhost:9443\"", "providers.mock.base_url", "https://"},
    {"[providers.mock]", "base_url", "\"ftp://localhost\"", "providers.mock.base_url", "https://"},
    {"[providers.mock]", "base_url", "\"https://\"", "providers.mock.base_url", "host"},
    {"[providers.mock]", "base_url", "\"https://u:p@h.example/v1\"", "providers.mock.base_url",
     "user or password"},
    {"[providers.mock]", "base_url", "\"https://h.example/v1?key=x\"", "providers.mock.base_url",
     "query"},
    {"[providers.mock]", "base_url", "\"https://h.example/v1#x\"", "providers.mock.base_url",
     "fragment"},
    {"[providers.mock]", "base_url", "\"https://h.example:0/v1\"", "providers.mock.base_url",
     "port"},
    {"[providers.mock]", "base_url", "\"https://h.example:99999/v1\"", "providers.mock.base_url",
     "port"},
    {"[providers.mock]", "base_url", "\"https://h.example:/v1\"", "providers.mock.base_url",
     "port"},
    {"[providers.mock]", "base_url", "\"https://h.example/../v1\"", "providers.mock.base_url",
     "dot segment"},
    {"[providers.mock]", "base_url", "\"https://h.example//v1\"", "providers.mock.base_url",
     "empty or a dot segment"},
    {"[providers.mock]", "base_url", "\"https://h.example/%2e\"", "providers.mock.base_url",
     "path"},
    {"[providers.mock]", "base_url", "\"https://h.example/a b\"", "providers.mock.base_url",
     "path"},
    {"[providers.mock]", "base_url", "\"https://-h.example\"", "providers.mock.base_url", "host"},
    {"[providers.mock]", "base_url", "\"https://h..example\"", "providers.mock.base_url", "host"},
    {"[providers.mock]", "base_url", "\"https://1.2.3\"", "providers.mock.base_url", "host"},
    {"[providers.mock]", "base_url", "\"https://[::1/v1\"", "providers.mock.base_url", "bracket"},
    {"[providers.mock]", "base_url", "443", "providers.mock.base_url", "write text"},
    {"[providers.mock]", "ca_file", "\"none.pem\"", "providers.mock.ca_file", "does not exist"},
    {"[providers.mock]", "ca_file", "\"key.pem\"", "providers.mock.ca_file", "no PEM block"},
    {"[providers.mock]", "api_key", "{ env = \"NOT_SET\" }", "providers.mock.api_key.env",
     "is not set"},
    {"[providers.mock]", "api_key", "{ env = \"EMPTY\" }", "providers.mock.api_key.env",
     "is empty"},
    {"[providers.mock]", "api_key", "{ env = \"BLANK\" }", "providers.mock.api_key.env", "blank"},
    {"[providers.mock]", "api_key", "{ env = \"\" }", "providers.mock.api_key.env", "has 0 bytes"},
    {"[providers.mock]", "api_key", "{ file = \"none.key\" }", "providers.mock.api_key.file",
     "does not exist"},
    {"[providers.mock]", "api_key", "{ file = \"empty.key\" }", "providers.mock.api_key.file",
     "is empty"},
    {"[providers.mock]", "api_key", "{ env = \"MOCK_KEY\", file = \"api.key\" }",
     "providers.mock.api_key", "one of env, file and credential"},
    {"[providers.mock]", "api_key", "{ }", "providers.mock.api_key",
     "one of env, file and credential"},
    {"[providers.mock]", "api_key", "\"sk-mock\"", "providers.mock.api_key", "{ env ="},
    {"[providers.mock]", "api_keys", "[{ file = \"api.key\" }]", "providers.mock.api_keys",
     "one of the two"},
    {"[providers.mock]", "timeout", "5", "providers.mock.timeout", "unknown key"},
    {"[providers.mock]", "simulated", "{ tokens = 5 }", "providers.mock.simulated", "format"},
    {"[providers.mock]", "idle_connections_max", "20000", "providers.mock.idle_connections_max",
     "more than connections_max"},
    {"[providers.mock]", "warm_connections", "2000", "providers.mock.warm_connections",
     "more than idle_connections_max"},
    {"[providers.mock]", "protocol", "\"http3\"", "providers.mock.protocol", "write \"http1\""},
    {"[providers.mock]", "protocol", "2", "providers.mock.protocol", "write text"},
    {"[providers.mock]", "delayed_acks", "\"always\"", "providers.mock.delayed_acks",
     "write \"off\""},
    {"[providers.mock]", "delayed_acks", "true", "providers.mock.delayed_acks", "write text"},
    {"[providers.\"a b\"]", "base_url", "\"https://h.example\"", "providers.a b",
     "letters, digits"},
    {"[providers.other]", "allow_private", "true", "providers.other.base_url", "is missing"},
    {"[providers.sim]", "format", "\"simulate\"", "providers.sim.format", "write \"openai\""},
    {"[[models]]", "id", "\"\"", "models[0].id", "has 0 bytes"},
    {"[[models]]", "id", "\"a b\"", "models[0].id", "visible ASCII"},
    {"[[models]]", "id", "\"a/*/b\"", "models[0].id", "prefix/*"},
    {"[[models]]", "id", "\"abc*\"", "models[0].id", "prefix/*"},
    {"[[models]]", "id", "\"*\"", "models[0].id", "prefix/*"},
    {"[[models]]", "id", "5", "models[0].id", "write text"},
    {"[[models]]", "endpoints", "[]", "models[0].endpoints", "has 0; write 1 to 16"},
    {"[[models]]", "endpoints", "\"mock\"", "models[0].endpoints", "write an array"},
    {"[[models]]", "endpoints", "[\"mock\"]", "models[0].endpoints[0]", "write a table"},
    {"[[models]]", "endpoints", "[{ provider = \"mock\" }]", "models[0].endpoints[0].model",
     "is missing"},
    {"[[models]]", "endpoints", "[{ model = \"x\" }]", "models[0].endpoints[0].provider",
     "is missing"},
    {"[[models]]", "endpoints", "[{ provider = \"mok\", model = \"x\" }]",
     "models[0].endpoints[0].provider", "did you mean \"mock\"?"},
    {"[[models]]", "endpoints", "[{ provider = \"openai\", model = \"x\" }]",
     "models[0].endpoints[0].provider", "there is no [providers.openai]"},
    {"[[models]]", "endpoints", "[{ provider = \"mock\", model = \"*\" }]",
     "models[0].endpoints[0].model", "a star stands only"},
    {"[[models]]", "endpoints", "[{ provider = \"mock\", model = \"x\", weight = 1 }]",
     "models[0].endpoints[0].weight", "unknown key"},
    {"[limits]", "head_line_bytes_max", "65536", "limits.head_line_bytes_max",
     "more than head_bytes_max"},
    {"[limits]", "dns_ttl_s_min", "301", "limits.dns_ttl_s_min", "more than dns_ttl_s_max"},
    {"[limits]", "first_byte_ms_min", "120001", "limits.first_byte_ms_min",
     "more than first_byte_ms_max (120000)"},
    {"[[models]]", "first_byte_ms_min", "120001", "models[0].first_byte_ms_min",
     "more than its first_byte_ms_max (120000)"},
    {"[limits]", "first_byte_ms_max", "900001", "limits.first_byte_ms_max",
     "more than request_ms_max"},
    {"[limits]", "memory_refuse_percent", "99", "limits.memory_refuse_percent",
     "more than memory_stop_accept_percent"},
    {"[keys.routing]", "only", "[]", "keys[0].routing.only", "allows nothing"},
    {"[keys.routing]", "only", "\"mock\"", "keys[0].routing.only", "write an array"},
    {"[keys.routing]", "only", "[5]", "keys[0].routing.only[0]", "write text"},
    {"[keys.routing]", "only", "[\"\"]", "keys[0].routing.only[0]", "has 0 bytes"},
    {"[keys.routing]", "only", "[\"mock\", \"mok\"]", "keys[0].routing.only[1]",
     "no provider or endpoint \"mok\"; did you mean \"mock\"?"},
    {"[keys.routing]", "ignore", "[\"nobody\"]", "keys[0].routing.ignore[0]",
     "no provider or endpoint \"nobody\"; write one of those"},
    {"[keys.routing]", "regions", "[]", "keys[0].routing.regions", "allows nothing"},
    {"[keys.routing]", "regions", "[\"eu\"]", "keys[0].routing.regions[0]",
     "no endpoint in region \"eu\""},
    {"[keys.routing]", "data_collection", "\"none\"", "keys[0].routing.data_collection",
     "\"allow\" or \"deny\""},
    {"[keys.routing]", "order", "[\"mock\"]", "keys[0].routing.order", "unknown key"},
    {"[keys.limits]", "budget_usd_max", "0.1", "keys[0].limits.budget_usd_max",
     "write it as text, \"12.50\", so that it is exact"},
    {"[keys.limits]", "budget_usd_max", "\"ten\"", "keys[0].limits.budget_usd_max",
     "no such number"},
    {"[keys.limits]", "budget_usd_max", "\"-1\"", "keys[0].limits.budget_usd_max", "is negative"},
    {"[keys.limits]", "budget_usd_max", "\"0.0000000001\"", "keys[0].limits.budget_usd_max",
     "no such number"},
    {"[keys.limits]", "budget_period", "\"yearly\"", "keys[0].limits.budget_period",
     "\"daily\", \"weekly\" or \"monthly\""},
    {"[keys.limits]", "markup_percent", "901", "keys[0].limits.markup_percent", "-100 to 900"},
    {"[keys.limits]", "markup_percent", "\"-100.1\"", "keys[0].limits.markup_percent",
     "-100 to 900"},
    {"[keys.limits]", "markup_percent", "\"1.00001\"", "keys[0].limits.markup_percent",
     "four decimals"},
    {"[keys.limits]", "requests_per_minute_max", "-1", "keys[0].limits.requests_per_minute_max",
     "write 0 to"},
    {"[keys.limits]", "requests", "5", "keys[0].limits.requests", "unknown key"},
    {"[hold]", "mode", "\"on\"", "hold.mode", "\"off\", \"auto\" or \"always\""},
    {"[routing]", "sort", "\"cheapest\"", "routing.sort",
     "\"balance\", \"price\", \"throughput\" or \"latency\""},
    {"[limit]", "streams_per_key_max", "5", "limit", "did you mean `limits`?"},
};

TEST(ConfigFaults, EachMistakeIsToldOnItsLine) {
  for (const Mistake& mistake : kMistakes) {
    SCOPED_TRACE(std::string(mistake.heading) + " " + mistake.key + " = " + mistake.value);
    Changed change = changed(mistake.heading, mistake.key, mistake.value);
    // What is wrong with a pair of settings is told where the one that decides stands.
    const std::string fault_key = mistake.fault_key;
    if (fault_key == "server.pin" && std::string_view(mistake.key) == "shards") change.line = 4;
    if (fault_key == "keys[0]") change.line = 12;
    if (fault_key == "providers.a b" || fault_key == "providers.other.base_url" ||
        fault_key == "limit") {
      change.line -= 1;
    }
    expect_one(change, fault_key, mistake.phrase);
  }
}

// What each row of the table makes of values that it cannot take. `heading` is where its key stands
// in the sample, `path` what faults call that place.
template <class S>
std::size_t check_rows(std::span<const Setting<S>> settings, const std::string& heading,
                       const std::string& path) {
  std::size_t count = 0;
  const auto expect_fault = [&](const std::string& key, const std::string& value) {
    SCOPED_TRACE(heading + " " + key + " = " + value);
    const Changed change = changed(heading, key, value);
    const std::vector<Fault> faults = faults_of(change.text);
    const bool is_told = std::any_of(faults.begin(), faults.end(), [&](const Fault& fault) {
      return fault.line == change.line && fault.key == path + "." + key;
    });
    EXPECT_TRUE(is_told) << told(faults);
    ++count;
  };
  for (const Setting<S>& setting : settings) {
    const std::string key(setting.key);
    // Already a table of the sample: to set it twice is an error of syntax.
    if (key == "tls") continue;
    expect_fault(key, "2026-01-01");  // no setting is a date
    const bool is_number = std::holds_alternative<std::uint32_t S::*>(setting.target) ||
                           std::holds_alternative<std::uint64_t S::*>(setting.target) ||
                           std::holds_alternative<std::int64_t S::*>(setting.target);
    if (is_number) {
      expect_fault(key, std::to_string(setting.min - 1));
      expect_fault(key, std::to_string(setting.max + 1));
      expect_fault(key, "1.5");
      expect_fault(key, "\"10s\"");
    }
    if (std::holds_alternative<std::string S::*>(setting.target)) {
      expect_fault(key, "\"" + std::string(static_cast<std::size_t>(setting.max) + 1, 'a') + "\"");
      expect_fault(key, "\"a\\u0000b\"");
    }
    if (std::holds_alternative<bool S::*>(setting.target)) expect_fault(key, "1");
    expect_fault(key + "x", "1");
  }
  return count;
}

TEST(ConfigFaults, EveryRowOfTheTableIsGuarded) {
  std::size_t count = 0;
  count += check_rows(server_settings(), "[server]", "server");
  count += check_rows(server_tls_settings(), "[server.tls]", "server.tls");
  count += check_rows(admin_settings(), "[admin]", "admin");
  count += check_rows(account_settings(), "[accounts]", "accounts");
  count += check_rows(auth_settings(), "[auth]", "auth");
  count += check_rows(key_settings(), "[[keys]]", "keys[0]");
  count += check_rows(key_routing_settings(), "[keys.routing]", "keys[0].routing");
  count += check_rows(routing_settings(), "[routing]", "routing");
  count += check_rows(hold_settings(), "[hold]", "hold");
  count += check_rows(ledger_settings(), "[ledger]", "ledger");
  count += check_rows(content_log_settings(), "[content_log]", "content_log");
  count += check_rows(provider_settings(), "[providers.mock]", "providers.mock");
  count += check_rows(model_settings(), "[[models]]", "models[0]");
  count += check_rows(limit_settings(), "[limits]", "limits");
  EXPECT_GE(count, 300u);
}

// A row whose range is not the one of its member would let a value be cut off in storing.
TEST(ConfigFaults, TheEndsOfEveryRangeAreStoredUnchanged) {
  for (const Setting<Limits>& setting : limit_settings()) {
    for (const std::int64_t value : {setting.min, setting.max}) {
      const auto stored = [&](auto target) -> std::int64_t {
        if constexpr (std::is_same_v<decltype(target), OwnForm> ||
                      std::is_same_v<decltype(target), std::string Limits::*>) {
          return -1;
        } else {
          const Changed change = changed("[limits]", setting.key, std::to_string(value));
          const Config config = parse_config(change.text, kSampleFile, sample_surroundings());
          return static_cast<std::int64_t>(config.options.limits.*target);
        }
      };
      if (std::holds_alternative<bool Limits::*>(setting.target)) continue;
      EXPECT_EQ(std::visit(stored, setting.target), value) << setting.key;
    }
  }
}

TEST(ConfigFaults, AllAreToldAtOnceInTheOrderOfLines) {
  std::vector<std::string> lines = sample_lines();
  lines[24] = "endpoints = [{ provider = \"none\", model = \"x\" }]";
  lines[2] = "shards = 1000";
  lines[18] = "api_key = { env = \"NOT_SET\" }";
  lines[10] = "mode = \"open\"";
  const std::vector<Fault> faults = faults_of(text_of(lines));
  ASSERT_EQ(faults.size(), 4u) << told(faults);
  EXPECT_EQ(faults[0].line, 3u);
  EXPECT_EQ(faults[1].line, 11u);
  EXPECT_EQ(faults[2].line, 19u);
  EXPECT_EQ(faults[3].line, 25u);
  EXPECT_EQ(faults[0].to_string(),
            "/etc/leat/leat.toml:3: server.shards: 1000 is out of range; write 0 to 256");
}

TEST(ConfigFaults, ListenersOthersCanReachNeedKeys) {
  std::vector<std::string> lines = sample_lines();
  lines[10] = "mode = \"off\"";
  EXPECT_TRUE(faults_of(text_of(lines)).empty());
  for (const char* address :
       {"0.0.0.0:8080", "[::]:8080", "192.168.0.1:8080", "tls://0.0.0.0:8443"}) {
    lines[1] = std::string("listen = [\"127.0.0.1:80\", \"") + address + "\"]";
    const std::vector<Fault> faults = faults_of(text_of(lines));
    ASSERT_EQ(faults.size(), 1u) << told(faults);
    EXPECT_EQ(faults[0].line, 11u);
    EXPECT_EQ(faults[0].key, "auth.mode");
  }
}

TEST(ConfigFaults, TlsListenersNeedACertificateAndAKey) {
  std::vector<std::string> lines = sample_lines();
  lines[1] = "listen = [\"tls://0.0.0.0:8443\"]";
  EXPECT_TRUE(faults_of(text_of(lines)).empty());
  std::vector<std::string> wrong = lines;
  wrong[5] = "certificate = \"key.pem\"";
  wrong[6] = "key = \"none.pem\"";
  std::vector<Fault> faults = faults_of(text_of(wrong));
  ASSERT_EQ(faults.size(), 2u) << told(faults);
  EXPECT_EQ(faults[0].line, 6u);
  EXPECT_EQ(faults[1].line, 7u);
  lines.erase(lines.begin() + 4, lines.begin() + 7);
  faults = faults_of(text_of(lines));
  ASSERT_EQ(faults.size(), 2u) << told(faults);
  EXPECT_EQ(faults[0].key, "server.tls.certificate");
  EXPECT_EQ(faults[1].key, "server.tls.key");
  EXPECT_EQ(faults[0].line, 2u);
}

// A start with such a pair, or a reload, would answer every handshake with an alert (F11).
TEST(ConfigFaults, CertificatesAreValidTodayAndMatchTheirKeys) {
  std::vector<std::string> lines = sample_lines();
  lines[1] = "listen = [\"tls://0.0.0.0:8443\"]";
  const CertificatePair other = make_certificate(-1, 1);
  const CertificatePair expired = make_certificate(-2, -1);
  const CertificatePair early = make_certificate(1, 2);
  const struct {
    std::string certificate_pem;
    std::string key_pem;
    const char* phrase;
  } cases[] = {
      {other.certificate_pem, sample_surroundings().files.at("/etc/leat/key.pem"), "not the cert"},
      {expired.certificate_pem, expired.key_pem, "expired"},
      {early.certificate_pem, early.key_pem, "not valid yet"},
      {"-----BEGIN CERTIFICATE-----\nAAAA\n", other.key_pem, "holds no certificate"},
      {other.certificate_pem, "-----BEGIN PRIVATE KEY-----\nAAAA\n", "no unencrypted private key"},
  };
  for (const auto& pair : cases) {
    FakeSurroundings surroundings = sample_surroundings();
    surroundings.files["/etc/leat/cert.pem"] = pair.certificate_pem;
    surroundings.files["/etc/leat/key.pem"] = pair.key_pem;
    const std::vector<Fault> faults =
        parse_config(text_of(lines), kSampleFile, surroundings).faults;
    ASSERT_EQ(faults.size(), 1u) << pair.phrase << told(faults);
    EXPECT_EQ(faults[0].line, 5u);
    EXPECT_EQ(faults[0].key, "server.tls");
    EXPECT_NE(faults[0].what.find(pair.phrase), std::string::npos) << told(faults);
  }
}

TEST(ConfigFaults, ACredentialIsAFileOfTheServicesOwnFolder) {
  std::vector<std::string> lines = sample_lines();
  lines[18] = "api_key = { credential = \"openai\" }";
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.variables["CREDENTIALS_DIRECTORY"] = "/run/credentials/leat.service";
  surroundings.files["/run/credentials/leat.service/openai"] = "sk-0123456789\n";
  const Config config = parse_config(text_of(lines), kSampleFile, surroundings);
  ASSERT_TRUE(config.ok()) << told(config.faults);
  ASSERT_EQ(config.options.providers[0].api_keys.size(), 1u);
  EXPECT_EQ(config.options.providers[0].api_keys[0].kind, SecretSource::Kind::kFile);
  EXPECT_EQ(config.options.providers[0].api_keys[0].name, "/run/credentials/leat.service/openai");

  const auto fault_of = [&](const std::string& line) {
    lines[18] = line;
    const std::vector<Fault> faults =
        parse_config(text_of(lines), kSampleFile, surroundings).faults;
    return faults.size() == 1 ? faults[0].what : told(faults);
  };
  for (const char* name : {"../openai", "/etc/shadow", ".", "a/b"}) {
    EXPECT_NE(fault_of(std::string("api_key = { credential = \"") + name + "\" }")
                  .find("no name of a credential"),
              std::string::npos)
        << name;
  }
  EXPECT_NE(fault_of("api_key = { credential = \"other\" }").find("does not exist"),
            std::string::npos);
  EXPECT_NE(fault_of("api_key = { credential = \"openai\", env = \"MOCK_KEY\" }")
                .find("needs one of env, file and credential"),
            std::string::npos);
  surroundings.variables.erase("CREDENTIALS_DIRECTORY");
  EXPECT_NE(fault_of("api_key = { credential = \"openai\" }").find("gave it none"),
            std::string::npos);
}

TEST(ConfigFaults, ProvidersNeedAuthoritiesThatCanBeRead) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files["/etc/leat/ca.pem"] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
  std::vector<Fault> faults =
      parse_config(text_of(sample_lines()), kSampleFile, surroundings).faults;
  ASSERT_EQ(faults.size(), 1u) << told(faults);
  EXPECT_EQ(faults[0].line, 18u);
  surroundings.files.erase(kSystemRootsFile);
  std::vector<std::string> lines = sample_lines();
  lines.erase(lines.begin() + 17);
  faults = parse_config(text_of(lines), kSampleFile, surroundings).faults;
  ASSERT_EQ(faults.size(), 1u) << told(faults);
  EXPECT_EQ(faults[0].key, "providers.mock.ca_file");
  lines[16] = "base_url = \"http://localhost:9443/v1\"";  // asks nobody to vouch
  EXPECT_TRUE(parse_config(text_of(lines), kSampleFile, surroundings).ok());
}

TEST(ConfigFaults, PlainOrPrivateProvidersNeedTheOperatorsWord) {
  std::vector<std::string> lines = sample_lines();
  lines[19] = "allow_private = false";
  for (const char* url :
       {"http://api.example/v1", "https://localhost/v1", "https://127.0.0.1/v1", "https://10.0.0.1",
        "https://192.168.1.1", "https://172.16.0.1", "https://169.254.169.254/latest",
        "https://[::1]/v1", "https://[fd00::1]", "https://[::ffff:10.0.0.1]", "https://0.0.0.0",
        "https://100.64.0.1", "https://api.localhost"}) {
    SCOPED_TRACE(url);
    lines[16] = std::string("base_url = \"") + url + "\"";
    const std::vector<Fault> faults = faults_of(text_of(lines));
    ASSERT_EQ(faults.size(), 1u) << told(faults);
    EXPECT_EQ(faults[0].line, 17u);
    EXPECT_NE(faults[0].what.find("allow_private = true"), std::string::npos);
  }
  lines[16] = "base_url = \"https://api.example/v1\"";
  EXPECT_TRUE(faults_of(text_of(lines)).empty());
}

TEST(ConfigFaults, NamesAndDigestsAndIdsAreUnique) {
  const std::string sample = text_of(sample_lines());
  std::vector<Fault> faults =
      faults_of(sample + "[[keys]]\nname = \"dev\"\nsha256 = \"" + std::string(64, 'a') + "\"\n" +
                "[[keys]]\nname = \"two\"\nsha256 = \"" + std::string(kDevDigest) + "\"\n" +
                "[[models]]\nid = \"openai/gpt-4o-mini\"\nendpoints = [{ provider = \"mock\", "
                "model = \"x\" }]\n");
  ASSERT_EQ(faults.size(), 3u) << told(faults);
  EXPECT_EQ(faults[0].line, 27u);
  EXPECT_EQ(faults[1].line, 29u);
  EXPECT_EQ(faults[2].line, 33u);
  EXPECT_NE(faults[0].what.find("line 12"), std::string::npos) << told(faults);
  faults = faults_of(sample + "[providers.mock]\nbase_url = \"https://a.example\"\n");
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].line, 26u);
}

TEST(ConfigFaults, AClientKeyThatCanBeGuessedIsRefused) {
  for (const auto& [source, phrase] : {std::pair("{ file = \"short.key\" }", "15 bytes"),
                                       std::pair("{ file = \"empty.key\" }", "is empty")}) {
    std::vector<std::string> lines = sample_lines();
    lines[13] = std::string("secret = ") + source;
    const std::vector<Fault> faults = faults_of(text_of(lines));
    ASSERT_EQ(faults.size(), 1u) << told(faults);
    EXPECT_EQ(faults[0].key, "keys[0].secret.file");
    EXPECT_NE(faults[0].what.find(phrase), std::string::npos) << told(faults);
  }
}

TEST(ConfigFaults, WhatIsMissingAltogetherIsTold) {
  const std::vector<Fault> faults = faults_of("");
  ASSERT_EQ(faults.size(), 2u) << told(faults);
  EXPECT_EQ(faults[0].key, "keys");
  EXPECT_EQ(faults[1].key, "models");
}

TEST(ConfigFaults, ErrorsOfSyntaxHaveTheirLine) {
  const struct {
    const char* line;
    std::size_t at;
  } cases[] = {{"[;server]", 0}, {"[[[keys]]]", 11},          {"[server", 0},
               {"shards = ", 2}, {"shards = 1 2", 2},         {"= 5", 3},
               {"[auth", 9},     {"mode = 'keys", 10},        {"name = \"\\q\"", 12},
               {"[[keys]", 11},  {"api_key = { env = }", 18}, {"shards = 1\nshards = 2", 2}};
  for (const auto& wrong : cases) {
    SCOPED_TRACE(wrong.line);
    std::vector<std::string> lines = sample_lines();
    lines[wrong.at] = wrong.line;
    const std::vector<Fault> faults = faults_of(text_of(lines));
    ASSERT_EQ(faults.size(), 1u) << told(faults);
    EXPECT_GE(faults[0].line, wrong.at + 1);
    EXPECT_LE(faults[0].line, wrong.at + 2);
  }
}

// People write the secret itself where its source belongs, and then post the message somewhere.
TEST(ConfigFaults, NoFaultRepeatsASecret) {
  std::vector<std::string> lines = sample_lines();
  const std::string secret = "sk-THESECRET";
  for (const auto& [at, line] : std::vector<std::pair<std::size_t, std::string>>{
           {13, "sha256 = \"" + secret + "\""},
           {13, "secret = \"" + secret + "\""},
           {13, "secret = " + secret},
           {18, "api_key = \"" + secret + "\""},
           {18, "api_key = [\"" + secret + "\"]"},
           {16, "base_url = \"https://user:" + secret + "@api.example/v1\""},
           {16, "base_url = \"https://api.example/v1?key=" + secret + "\""}}) {
    std::vector<std::string> wrong = lines;
    wrong[at] = line;
    const std::vector<Fault> faults = faults_of(text_of(wrong));
    EXPECT_FALSE(faults.empty()) << line;
    EXPECT_EQ(told(faults).find("THESECRET"), std::string::npos) << told(faults);
  }
}

TEST(ConfigFaults, AFileOfNothingButFaultsIsBounded) {
  std::string text = "[limits]\n";
  for (int i = 0; i < 5'000; ++i) text += "unknown_" + std::to_string(i) + " = 1\n";
  const std::vector<Fault> faults = faults_of(text);
  EXPECT_EQ(faults.size(), 1'001u);
  EXPECT_NE(faults.back().what.find("more faults follow"), std::string::npos);
  EXPECT_EQ(faults_of(std::string(kConfigBytesMax + 1, ' ')).size(), 1u);
}

}  // namespace
}  // namespace leat::control
