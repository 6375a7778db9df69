// SPDX-License-Identifier: Apache-2.0
// Goal: a sound file becomes the options it describes, with defaults for all it leaves out.
// Method: the promised sample file and variations of it, read in made-up surroundings; the fields
// that decide who may connect, who is asked and with what, compared one by one.
#include "control/config.h"

#include <gtest/gtest.h>

#include "control/addresses.h"
#include "control/client_key.h"
#include "sample_config.h"

namespace leat::control {
namespace {

Config parsed(const std::string& text) {
  return parse_config(text, kSampleFile, sample_surroundings());
}

// The faults in one string: what a failed expectation should show.
std::string told(const Config& config) {
  std::string text;
  for (const Fault& fault : config.faults) text += fault.to_string() + "\n";
  return text;
}

TEST(Config, ReadsThePromisedSample) {
  const Config config = parsed(text_of(sample_lines()));
  ASSERT_TRUE(config.ok()) << told(config);
  const Options& options = config.options;
  ASSERT_EQ(options.server.listen.size(), 1u);
  EXPECT_EQ(options.server.listen[0].host, "127.0.0.1");
  EXPECT_EQ(options.server.listen[0].port, 8080);
  EXPECT_FALSE(options.server.listen[0].tls);
  EXPECT_FALSE(options.server.listen[0].half_close_allowed);
  EXPECT_EQ(options.server.shards, 1u);
  EXPECT_EQ(options.server.pin, std::vector<std::uint32_t>{0});
  EXPECT_EQ(options.server.tls_certificate, "/etc/leat/cert.pem");
  EXPECT_EQ(options.server.tls_key, "/etc/leat/key.pem");
  EXPECT_TRUE(options.admin.enabled);
  EXPECT_EQ(options.admin.listen.port, 8081);
  EXPECT_EQ(options.auth_mode, AuthMode::kKeys);
  ASSERT_EQ(options.keys.size(), 1u);
  EXPECT_EQ(options.keys[0].name, "dev");
  EXPECT_EQ(options.keys[0].sha256, digest_of("sk-dev"));
  ASSERT_EQ(options.providers.size(), 1u);
  const Provider& provider = options.providers[0];
  EXPECT_EQ(provider.name, "mock");
  EXPECT_EQ(provider.display_name, "mock");
  EXPECT_EQ(provider.format, ProviderFormat::kOpenAi);
  EXPECT_TRUE(provider.base_url.tls);
  EXPECT_EQ(provider.base_url.host, "localhost");
  EXPECT_EQ(provider.base_url.port, 9443);
  EXPECT_EQ(provider.base_url.path_prefix, "/v1");
  EXPECT_EQ(provider.base_url.authority, "localhost:9443");
  EXPECT_EQ(provider.ca_file, "/etc/leat/ca.pem");
  EXPECT_EQ(provider.api_keys.at(0).kind, SecretSource::Kind::kEnvironment);
  EXPECT_EQ(provider.api_keys.at(0).name, "MOCK_KEY");
  EXPECT_TRUE(provider.allow_private);
  EXPECT_EQ(options.limits.streams_per_key_max, 20'000u);
  ASSERT_EQ(options.models.size(), 1u);
  EXPECT_EQ(options.models[0].id, "openai/gpt-4o-mini");
  EXPECT_EQ(options.models[0].name, "openai/gpt-4o-mini");
  ASSERT_EQ(options.models[0].endpoints.size(), 1u);
  EXPECT_EQ(options.models[0].endpoints[0].provider, 0u);
  EXPECT_EQ(options.models[0].endpoints[0].model, "gpt-4o-mini");
}

// A plain listener needs no certificate, so the sample's names of files need not exist.
TEST(Config, LooksForCertificatesOnlyIfAListenerNeedsThem) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files.erase("/etc/leat/cert.pem");
  surroundings.files.erase("/etc/leat/key.pem");
  EXPECT_TRUE(parse_config(text_of(sample_lines()), kSampleFile, surroundings).ok());
  const Changed tls = changed("[server]", "listen", "[\"tls://0.0.0.0:8443\"]");
  EXPECT_TRUE(parsed(tls.text).ok());
  EXPECT_EQ(parse_config(tls.text, kSampleFile, surroundings).faults.size(), 2u);
}

TEST(Config, TheSmallestFileServesOnTheDefaultAddress) {
  const Config config = parsed(
      "[auth]\nmode = \"off\"\n[providers.sim]\nformat = \"simulated\"\n[[models]]\nid = \"m\"\n"
      "endpoints = [{ provider = \"sim\", model = \"m\" }]\n");
  ASSERT_TRUE(config.ok()) << told(config);
  ASSERT_EQ(config.options.server.listen.size(), 1u);
  EXPECT_EQ(to_string(config.options.server.listen[0]), "127.0.0.1:8080");
  EXPECT_EQ(config.options.auth_mode, AuthMode::kOff);
  EXPECT_EQ(config.options.server.drain_grace_ms, 900'000u);
  EXPECT_EQ(config.options.providers[0].simulated.tokens_per_second, 50u);
}

TEST(Config, HalfCloseIsSetForAllListenersOrForOne) {
  const Config one =
      parsed(changed("[server]", "listen",
                     "[\"127.0.0.1:1\", { address = \"127.0.0.1:2\", half_close = \"allow\" }]")
                 .text);
  ASSERT_TRUE(one.ok()) << told(one);
  EXPECT_FALSE(one.options.server.listen[0].half_close_allowed);
  EXPECT_TRUE(one.options.server.listen[1].half_close_allowed);
  const Config all = parsed(changed("[server]", "half_close", "\"allow\"").text);
  ASSERT_TRUE(all.ok()) << told(all);
  EXPECT_TRUE(all.options.server.listen[0].half_close_allowed);
}

TEST(Config, WhereShardsAndTheirMemoryAre) {
  const std::string rest =
      "[auth]\nmode = \"off\"\n[providers.sim]\nformat = \"simulated\"\n[[models]]\nid = \"m\"\n"
      "endpoints = [{ provider = \"sim\", model = \"m\" }]\n";
  const Config config = parsed(
      "[server]\nshards = 2\npin = [1, 0]\nsteering = \"core\"\nhuge_pages = \"on\"\n"
      "napi_busy_poll_us = 50\n" +
      rest);
  ASSERT_TRUE(config.ok()) << told(config);
  EXPECT_EQ(config.options.server.steering, Steering::kCore);
  EXPECT_EQ(config.options.server.huge_pages, HugePages::kOn);
  EXPECT_EQ(config.options.server.napi_busy_poll_us, 50u);
  const Config loose = parsed("[server]\nsteering = \"core\"\n" + rest);
  ASSERT_EQ(loose.faults.size(), 1u) << told(loose);
  EXPECT_NE(told(loose).find("write server.pin too"), std::string::npos) << told(loose);
}

TEST(Config, ListenersMayShareAPortOfTheKernelsChoice) {
  const Config config =
      parsed(changed("[server]", "listen", "[\"127.0.0.1:0\", \"127.0.0.1:0\"]").text);
  EXPECT_TRUE(config.ok()) << told(config);
}

TEST(Config, OnePortServesOnSeveralAddresses) {
  const Config config =
      parsed(changed("[server]", "listen", "[\"127.0.0.1:80\", \"127.0.0.2:80\"]").text);
  EXPECT_TRUE(config.ok()) << told(config);
}

TEST(Config, LimitsThatDependOnOneAnotherMayBeEqual) {
  const Config config = parsed(changed("[limits]", "head_line_bytes_max", "32768").text);
  EXPECT_TRUE(config.ok()) << told(config);
}

TEST(Config, FewConnectionsMeanFewIdleOnes) {
  const Config config = parsed(changed("[providers.mock]", "connections_max", "5").text);
  ASSERT_TRUE(config.ok()) << told(config);
  EXPECT_EQ(config.options.providers[0].connections_max, 5u);
  EXPECT_EQ(config.options.providers[0].idle_connections_max, 5u);
}

TEST(Config, AbsolutePathsStayAsTheyAre) {
  const Config config = parsed(changed("[providers.mock]", "ca_file", "\"/etc/leat/ca.pem\"").text);
  ASSERT_TRUE(config.ok()) << told(config);
  EXPECT_EQ(config.options.providers[0].ca_file, "/etc/leat/ca.pem");
}

TEST(Config, ProvidersAndModelsTakeTheirTimesFromTheLimits) {
  std::string text = text_of(sample_lines());
  text += "first_byte_ms_max = 1\n";  // of the model, the last section
  const std::string limits =
      "[limits]\nfirst_byte_ms_max = 7000\nchunk_gap_ms_max = 8000\n"
      "request_ms_max = 9000\ndns_ms_max = 11\nconnect_ms_max = 12\n"
      "upstream_tls_handshake_ms_max = 13\nupstream_idle_ms_max = 14";
  text.replace(text.find("[limits]"), 8, limits);
  text += "[providers.quick]\nbase_url = \"https://quick.example\"\nconnect_ms_max = 99\n";
  const Config config = parsed(text);
  ASSERT_TRUE(config.ok()) << told(config);
  const Provider& provider = config.options.providers[0];
  EXPECT_EQ(provider.dns_ms_max, 11u);
  EXPECT_EQ(provider.connect_ms_max, 12u);
  EXPECT_EQ(config.options.providers[1].connect_ms_max, 99u);
  EXPECT_EQ(provider.tls_handshake_ms_max, 13u);
  EXPECT_EQ(provider.idle_ms_max, 14u);
  const Model& model = config.options.models[0];
  EXPECT_EQ(model.first_byte_ms_max, 1u);
  EXPECT_EQ(model.chunk_gap_ms_max, 8000u);
  EXPECT_EQ(model.request_ms_max, 9000u);
}

TEST(Config, AClientKeyMayComeFromASecretAndOnlyItsDigestStays) {
  std::vector<std::string> lines = sample_lines();
  lines[13] = "secret = { file = \"api.key\" }";
  const Config config = parsed(text_of(lines));
  ASSERT_TRUE(config.ok()) << told(config);
  EXPECT_EQ(config.options.keys[0].sha256, digest_of("sk-from-file-0123456789"));
  EXPECT_EQ(config.options.keys[0].secret.name, "/etc/leat/api.key");
}

TEST(Config, PatternsPassTheRestOfTheIdOn) {
  std::vector<std::string> lines = sample_lines();
  lines[23] = "id = \"openai/*\"";
  lines[24] = "endpoints = [{ provider = \"mock\", model = \"*\" }]";
  const Config config = parsed(text_of(lines));
  ASSERT_TRUE(config.ok()) << told(config);
  EXPECT_TRUE(config.options.models[0].is_pattern());
  EXPECT_EQ(config.options.models[0].endpoints[0].model, "*");
}

TEST(Config, EndpointsKeepTheirOrderAndFindProvidersOfAnyPlace) {
  std::vector<std::string> lines = sample_lines();
  lines[24] =
      "endpoints = [{ provider = \"zeta\", model = \"a\" }, { provider = \"mock\", model = \"b\" "
      "}, "
      "{ provider = \"alpha\", model = \"c\" }]";
  std::string text = text_of(lines);
  for (const char* name : {"zeta", "alpha"}) {
    text += "[providers." + std::string(name) + "]\nbase_url = \"https://" + name + ".example\"\n";
  }
  const Config config = parsed(text);
  ASSERT_TRUE(config.ok()) << told(config);
  const std::vector<Endpoint>& endpoints = config.options.models[0].endpoints;
  ASSERT_EQ(endpoints.size(), 3u);
  EXPECT_EQ(config.options.providers[endpoints[0].provider].name, "zeta");
  EXPECT_EQ(config.options.providers[endpoints[1].provider].name, "mock");
  EXPECT_EQ(config.options.providers[endpoints[2].provider].name, "alpha");
  EXPECT_EQ(endpoints[2].model, "c");
}

TEST(Config, TheAdminListenerCanBeSwitchedOff) {
  const Config config = parsed(changed("[admin]", "listen", "\"\"").text);
  ASSERT_TRUE(config.ok()) << told(config);
  EXPECT_FALSE(config.options.admin.enabled);
}

TEST(Config, AccountsHaveAStoreAMasterKeyAndAnOperator) {
  std::vector<std::string> lines = sample_lines();
  lines.insert(lines.end(),
               {"[accounts]", "store_file = \"accounts.db\"", "master_key = { env = \"HEX64\" }"});
  lines.insert(lines.begin() + 9,
               {"operator_key = { env = \"KEY32\" }", "socket = \"run/admin.sock\""});
  const Config config = parse_config(text_of(lines), kSampleFile, sample_surroundings());
  ASSERT_TRUE(config.ok()) << config.faults[0].to_string();
  EXPECT_EQ(config.options.accounts.store_file, "/etc/leat/accounts.db");
  EXPECT_EQ(config.options.accounts.master_key.name, "HEX64");
  EXPECT_EQ(config.options.admin.operator_key.name, "KEY32");
  EXPECT_EQ(config.options.admin.socket, "/etc/leat/run/admin.sock");
}

// Else who has all keys in the store would have to write one into the file for nobody.
TEST(Config, WithAStoreOfAccountsNoKeyNeedsToStandInTheFile) {
  std::vector<std::string> lines = sample_lines();
  lines.erase(lines.begin() + 11, lines.begin() + 14);
  EXPECT_FALSE(parse_config(text_of(lines), kSampleFile, sample_surroundings()).ok());
  lines.insert(lines.end(), {"[accounts]", "store_file = \"accounts.db\""});
  EXPECT_TRUE(parse_config(text_of(lines), kSampleFile, sample_surroundings()).ok());
}

TEST(Config, ASocketsPathMustFitWhatTheKernelTakes) {
  std::vector<std::string> lines = sample_lines();
  const std::string longest(107 - std::string("/etc/leat/").size(), 's');
  for (const auto& [name, is_good] : {std::pair(longest, true), std::pair(longest + "s", false)}) {
    std::vector<std::string> changed_lines = lines;
    changed_lines.insert(changed_lines.begin() + 9, "socket = \"" + name + "\"");
    const Config config = parse_config(text_of(changed_lines), kSampleFile, sample_surroundings());
    EXPECT_EQ(config.ok(), is_good);
    if (is_good) continue;
    ASSERT_EQ(config.faults.size(), 1u);
    EXPECT_EQ(config.faults[0].key, "admin.socket");
    EXPECT_EQ(config.faults[0].line, 10u);
  }
}

TEST(Config, AFileIsReadAndItsFolderIsWherePathsBegin) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files[kSampleFile] = text_of(sample_lines());
  EXPECT_TRUE(load_config(kSampleFile, surroundings).ok());
  const Config missing = load_config("/etc/leat/other.toml", surroundings);
  ASSERT_EQ(missing.faults.size(), 1u);
  EXPECT_EQ(missing.faults[0].to_string(), "/etc/leat/other.toml: does not exist");
  // Without a folder in the file's name, paths are left to the current one.
  surroundings.files["ca.pem"] = surroundings.files["/etc/leat/ca.pem"];
  const Config bare = parse_config(text_of(sample_lines()), "leat.toml", surroundings);
  ASSERT_TRUE(bare.ok()) << told(bare);
  EXPECT_EQ(bare.options.providers[0].ca_file, "ca.pem");
}

}  // namespace
}  // namespace leat::control
