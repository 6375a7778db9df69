// SPDX-License-Identifier: Apache-2.0
// Goal: what differs between two configurations is told once, by the name that the file has for it,
// with what cannot change live marked - for every setting that there is, also one that is added
// tomorrow.
// Method: each row of each table of settings is given two values in an otherwise equal file, and
// exactly one change is expected; then the cases in which one thing follows from another.
#include "control/config_changes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "control/catalogue_reader.h"
#include "control/option_table.h"
#include "sample_config.h"

namespace leat::control {
namespace {

using Kind = ConfigChange::Kind;

constexpr std::string_view kOtherDigest =
    "0000000000000000000000000000000000000000000000000000000000000001";

FakeSurroundings surroundings() {
  FakeSurroundings made = sample_surroundings();
  made.variables.insert({{"OTHER_KEY", "sk-other"},
                         {"HEX64B", std::string(32, 'a') + std::string(32, 'b')},
                         {"CREDENTIALS_DIRECTORY", "/run/credentials/leat"}});
  made.files["/run/credentials/leat/one"] = "secret-one-0123456789";
  made.files["/run/credentials/leat/two"] = "secret-two-0123456789";
  return made;
}

// Lines of one section, by key: a mutation replaces one of them.
using Lines = std::map<std::string, std::string>;
using Sections = std::map<std::string, Lines>;

Sections sections() {
  return {
      {"keys", {{"name", "\"dev\""}, {"sha256", "\"" + std::string(kDevDigest) + "\""}}},
      {"providers.mock",
       {{"base_url", "\"https://localhost:9443/v1\""},
        {"ca_file", "\"ca.pem\""},
        {"allow_private", "true"}}},
      {"providers.other", {{"format", "\"simulated\""}}},
      {"providers.third", {{"format", "\"simulated\""}}},
      {"models", {{"id", "\"acme/one\""}}},
      {"endpoint",
       {{"provider", "\"mock\""},
        {"model", "\"m\""},
        {"price", "{ prompt = \"1\", completion = \"2\" }"}}},
      {"trace", {{"endpoint", "\"http://127.0.0.1:4318/v1/traces\""}}},
  };
}

std::string section_text(const std::string& heading, const Lines& lines) {
  std::string text = heading + "\n";
  for (const auto& [key, value] : lines) text += key + " = " + value + "\n";
  return text;
}

std::string inline_table(const Lines& lines) {
  std::string text;
  for (const auto& [key, value] : lines) {
    text += (text.empty() ? "{ " : ", ") + key + " = " + value;
  }
  return text + " }";
}

std::string document(Sections s) {
  const std::string other =
      "{ provider = \"other\", model = \"y\", price = { prompt = \"3\", completion = \"4\" } }";
  if (!s["models"].contains("endpoints")) {
    s["models"]["endpoints"] = "[" + inline_table(s["endpoint"]) + ", " + other + "]";
  }
  std::string text;
  for (const char* section : {"server", "server.tls", "admin", "accounts", "auth"}) {
    text += section_text("[" + std::string(section) + "]", s[section]);
  }
  text += section_text("[[keys]]", s["keys"]);
  for (const char* section : {"keys.routing", "keys.limits", "providers.mock", "providers.other",
                              "providers.other.simulated", "providers.third", "routing", "hold",
                              "ledger", "log", "content_log", "trace", "limits"}) {
    text += section_text("[" + std::string(section) + "]", s[section]);
  }
  return text + section_text("[[models]]", s["models"]);
}

Config read(const std::string& text) {
  Config config = parse_config(text, kSampleFile, surroundings());
  EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.faults.front().to_string()) << "\n"
                           << text;
  return config;
}

std::vector<ConfigChange> between(const Config& before, const Config& after) {
  return config_changes(before.options, after.options, before.catalogue.get(),
                        after.catalogue.get());
}

std::vector<std::string> names(const std::vector<ConfigChange>& changes) {
  std::vector<std::string> all;
  for (const ConfigChange& change : changes) {
    const char* mark = change.kind == Kind::kAdded     ? "+ "
                       : change.kind == Kind::kRemoved ? "- "
                                                       : "";
    all.push_back(mark + change.what);
  }
  return all;
}

// How a setting that is not told by its row alone is mutated, and what is then told.
struct Case {
  std::string before;
  std::string after;
  std::vector<std::string> told = {};  // empty: the row's own name
  Lines also = {};                     // further lines of its section; "": the line goes
};

using Cases = std::map<std::string, Case>;

Cases own_cases() {
  return {
      {"server.listen", {"[\"127.0.0.1:8080\"]", "[\"127.0.0.1:8090\"]"}},
      {"server.pin", {"[0]", "[1]"}},
      // Told by what it is the default of.
      {"server.half_close",
       {"\"close\"", "\"allow\"", {"server.listen"}, {{"listen", "[\"127.0.0.1:8080\"]"}}}},
      {"server.hardening", {"\"try\"", "\"require\""}},
      {"server.steering", {"\"auto\"", "\"hash\""}},
      {"server.huge_pages", {"\"auto\"", "\"on\""}},
      {"server.tls", {"", ""}},  // a table: its rows are mutated
      {"server.tls.certificate", {"\"cert.pem\"", "\"other.pem\""}},
      {"server.tls.key", {"\"key.pem\"", "\"other.pem\""}},
      {"admin.listen", {"\"127.0.0.1:8081\"", "\"\""}},
      {"admin.operator_key", {"{ env = \"KEY32\" }", "{ env = \"HEX64\" }"}},
      {"accounts.master_key", {"{ env = \"HEX64\" }", "{ env = \"HEX64B\" }"}},
      {"keys.dev.name", {"\"dev\"", "\"new\"", {"- keys.dev", "+ keys.new"}}},
      {"keys.dev.sha256",
       {"\"" + std::string(kDevDigest) + "\"", "\"" + std::string(kOtherDigest) + "\""}},
      {"keys.dev.secret", {"{ env = \"KEY31\" }", "{ env = \"KEY32\" }", {}, {{"sha256", ""}}}},
      {"keys.dev.routing", {"", ""}},
      {"keys.dev.limits", {"", ""}},
      {"keys.dev.routing.only", {"[\"mock\"]", "[\"other\"]"}},
      {"keys.dev.routing.ignore", {"[\"mock\"]", "[\"other\"]"}},
      {"keys.dev.routing.regions", {"[\"eu\"]", "[\"us\"]"}},
      {"keys.dev.routing.data_collection", {"\"allow\"", "\"deny\""}},
      {"keys.dev.limits.budget_usd_max", {"\"12.50\"", "13"}},
      {"keys.dev.limits.budget_period", {"\"none\"", "\"daily\""}},
      {"keys.dev.limits.markup_percent", {"\"12.5\"", "-3"}},
      {"providers.mock.format", {"\"openai\"", "\"simulated\"", {}, {}}},
      {"providers.mock.base_url", {"\"https://localhost:9443/v1\"", "\"http://[::1]:9443\""}},
      {"providers.mock.ca_file", {"\"ca.pem\"", "\"cert.pem\""}},
      {"providers.mock.api_key", {"{ env = \"MOCK_KEY\" }", "{ env = \"OTHER_KEY\" }"}},
      {"providers.mock.api_keys",
       {"[{ env = \"MOCK_KEY\" }, { env = \"OTHER_KEY\" }]",
        "[{ env = \"OTHER_KEY\" }, { env = \"MOCK_KEY\" }]"}},
      {"providers.mock.simulated", {"", ""}},
      {"providers.mock.protocol", {"\"http1\"", "\"auto\""}},
      {"providers.mock.delayed_acks", {"\"off\"", "\"auto\""}},
      {"providers.mock.datacenters", {"[\"DE\"]", "[\"DE\", \"FR\"]"}},
      {"providers.mock.data", {"{ trains = false }", "{ trains = false, retention_days = 3 }"}},
      {"providers.mock.quirks", {"[\"no_done\"]", "[\"no_done\", \"no_finish_reason\"]"}},
      {"providers.mock.rejects", {"[\"seed\"]", "[\"stop\"]"}},
      {"routing.sort", {"\"balance\"", "\"price\""}},
      {"hold.mode", {"\"auto\"", "\"off\""}},
      {"ledger.mode", {"\"strict\"", "\"grouped\""}},
      {"log.access", {"\"json\"", "\"logfmt\""}},
      {"log.access_file", {"\"-\"", "\"access.log\""}},
      {"content_log.parts", {"[\"request\"]", "[\"request\", \"answer\"]"}},
      {"content_log.redact", {"[]", "[\"card\", \"iban\"]"}},
      {"trace.endpoint",
       {"\"http://127.0.0.1:4318/v1/traces\"", "\"https://127.0.0.1:4318/v1/traces\""}},
      {"trace.ca_file", {"\"ca.pem\"", "\"cert.pem\""}},
      {"trace.secret", {"{ env = \"KEY31\" }", "{ env = \"KEY32\" }"}},
      {"trace.sample_percent", {"\"0.5\"", "7"}},
  };
}

// Of models and endpoints, most of which stands in catalogues.
Cases model_cases() {
  const std::string kMock = "models.\"acme/one\".endpoints.";
  return {
      {"models.\"acme/one\".id",
       {"\"acme/one\"", "\"acme/two\"", {"- models.\"acme/one\"", "+ models.\"acme/two\""}}},
      {"models.\"acme/one\".endpoints",
       {"[{ provider = \"mock\", model = \"m\" }, { provider = \"other\", model = \"m\" }]",
        "[{ provider = \"other\", model = \"m\" }, { provider = \"mock\", model = \"m\" }]"}},
      {"models.\"acme/one\".default_parameters_json", {"'{\"a\":1}'", "'{\"a\":2}'"}},
      {"models.\"acme/one\".input", {"[\"text\"]", "[\"text\", \"image\"]"}},
      {"models.\"acme/one\".output", {"[\"text\"]", "[\"text\", \"audio\"]"}},
      {"models.\"acme/one\".parameters", {"[\"seed\"]", "[\"seed\", \"tools\"]"}},
      {"models.\"acme/one\".reasoning",
       {"{ efforts = [\"high\"] }", "{ efforts = [\"high\", \"low\"] }"}},
      {kMock + "mock.provider",
       {"\"mock\"", "\"third\"", {"- " + kMock + "mock", "+ " + kMock + "third"}}},
      {kMock + "mock.tag",
       {"\"mock/t\"", "\"mock/u\"", {"- " + kMock + "\"mock/t\"", "+ " + kMock + "\"mock/u\""}}},
      {kMock + "mock.price",
       {"{ prompt = \"1\", completion = \"2\" }",
        "{ prompt = \"1\", completion = \"2.50\" }",
        {kMock + "mock.price.completion"}}},
      {kMock + "mock.overrides",
       {"[{ prompt_tokens_over = 5, price = { prompt = \"2\" } }]",
        "[{ prompt_tokens_over = 6, price = { prompt = \"2\" } }]"}},
      // It says which prices may be missing, and both are there.
      {kMock + "mock.free", {"[\"prompt\"]", "[\"completion\"]", {"nothing"}}},
      {kMock + "mock.parameters", {"[\"seed\"]", "[\"tools\"]"}},
      {kMock + "mock.tool_choices", {"[\"auto\"]", "[\"auto\", \"none\"]"}},
      {kMock + "mock.data", {"{ trains = false }", "{ trains = true, publishes = true }"}},
      {kMock + "mock.tier",
       {"\"default\"", "\"flex\"", {kMock + "\"mock/t\".tier"}, {{"tag", "\"mock/t\""}}}},
      {kMock + "mock.quantization", {"\"fp8\"", "\"int4\""}},
      {kMock + "mock.variant",
       {"\"thinking\"",
        "\"extended\"",
        {"- " + kMock + "\"mock:thinking\"", "+ " + kMock + "\"mock:extended\""}}},
  };
}

const Cases& cases() {
  static const Cases kCases = [] {
    Cases all = own_cases();
    all.merge(model_cases());
    return all;
  }();
  return kCases;
}

// Two values of a plain row, next to its default.
template <class S>
std::optional<Case> plain_case(const Setting<S>& row) {
  return std::visit(
      [&](auto target) -> std::optional<Case> {
        using Target = decltype(target);
        if constexpr (std::is_same_v<Target, OwnForm>) {
          return std::nullopt;
        } else if constexpr (std::is_same_v<Target, bool S::*>) {
          return Case{"false", "true"};
        } else if constexpr (std::is_same_v<Target, std::string S::*>) {
          const auto size = static_cast<std::size_t>(std::max<std::int64_t>(row.min, 1));
          return Case{"\"" + std::string(size, 'a') + "\"", "\"" + std::string(size, 'b') + "\""};
        } else {
          const auto wide = static_cast<std::uint64_t>(S{}.*target);
          const std::int64_t value = wide > static_cast<std::uint64_t>(row.max)
                                         ? row.max
                                         : std::max(static_cast<std::int64_t>(wide), row.min);
          const std::int64_t other = value < row.max ? value + 1 : value - 1;
          return Case{std::to_string(value), std::to_string(other)};
        }
      },
      row.target);
}

std::string with(Sections all, const std::string& section, const Case& each, const std::string& key,
                 const std::string& value) {
  Lines& lines = all[section];
  for (const auto& [name, text] : each.also) {
    if (text.empty()) {
      lines.erase(name);
    } else {
      lines[name] = text;
    }
  }
  lines[key] = value;
  return document(std::move(all));
}

void expect_told(const std::string& what, const Case& each, const std::string& before,
                 const std::string& after, Reload reload) {
  const Config a = read(before);
  const Config b = read(after);
  if (!a.ok() || !b.ok()) return;
  EXPECT_TRUE(between(a, a).empty()) << what;
  const std::vector<ConfigChange> changes = between(a, b);
  if (each.told == std::vector<std::string>{"nothing"}) {
    EXPECT_TRUE(changes.empty()) << what << ": " << changes_text(changes);
    return;
  }
  const auto told = each.told.empty() ? std::vector<std::string>{what} : each.told;
  EXPECT_EQ(names(changes), told) << changes_text(changes);
  for (const ConfigChange& change : changes) {
    EXPECT_EQ(change.is_fixed, reload == Reload::kFixed) << change.what;
    if (change.kind != Kind::kChanged) continue;
    EXPECT_NE(change.before, change.after) << change.what;
    EXPECT_FALSE(change.before.empty() || change.after.empty()) << change.what;
  }
  // And the other way round.
  const std::vector<ConfigChange> back = between(b, a);
  ASSERT_EQ(back.size(), changes.size()) << what << ": " << changes_text(back);
  // A key is "another" one, whichever of the two it is.
  if (changes.size() == 1 && changes.front().after != "(another key)") {
    EXPECT_EQ(back.front().before, changes.front().after) << what;
    EXPECT_EQ(back.front().after, changes.front().before) << what;
  }
}

// Each row of a table, in `section` of the document; `path` is how changes begin.
template <class S>
void mutate_rows(const std::string& section, const std::string& path,
                 std::span<const Setting<S>> rows, const Sections& base) {
  for (const Setting<S>& row : rows) {
    const std::string key(row.key);
    const std::string what = path + "." + key;
    const auto special = cases().find(what);
    const std::optional<Case> each = special != cases().end() ? special->second : plain_case(row);
    ASSERT_TRUE(each) << what
                      << " is compared by nobody, as far as this test knows: say in cases() "
                      << "how it is written";
    if (each->before.empty()) continue;  // a table
    SCOPED_TRACE(what);
    expect_told(what, *each, with(base, section, *each, key, each->before),
                with(base, section, *each, key, each->after), row.reload);
  }
}

TEST(ConfigChanges, EverySettingOfEveryTableIsCompared) {
  const Sections base = sections();
  mutate_rows("server", "server", server_settings(), base);
  mutate_rows("server.tls", "server.tls", server_tls_settings(), base);
  mutate_rows("admin", "admin", admin_settings(), base);
  mutate_rows("accounts", "accounts", account_settings(), base);
  ASSERT_EQ(auth_settings().size(), 1u) << "a new setting: compare it, and say so here";
  const Case mode{"\"keys\"", "\"off\""};
  expect_told("auth.mode", mode, with(base, "auth", mode, "mode", mode.before),
              with(base, "auth", mode, "mode", mode.after), Reload::kLive);
  Sections logged = base;
  logged["content_log"]["folder"] = "\"content\"";
  mutate_rows("keys", "keys.dev", key_settings(), logged);
  mutate_rows("keys.limits", "keys.dev.limits", key_limit_settings(), base);
  mutate_rows("providers.other.simulated", "providers.other.simulated", simulated_settings(), base);
  mutate_rows("models", "models.\"acme/one\"", model_settings(), base);
  mutate_rows("models", "models.\"acme/one\"", catalogue_model_settings(), base);
  mutate_rows("endpoint", "models.\"acme/one\".endpoints.mock", endpoint_settings(), base);
  mutate_rows("endpoint", "models.\"acme/one\".endpoints.mock", catalogue_endpoint_settings(),
              base);
  mutate_rows("providers.mock", "providers.mock", catalogue_provider_settings(), base);
  mutate_rows("routing", "routing", routing_settings(), base);
  mutate_rows("hold", "hold", hold_settings(), base);
  mutate_rows("ledger", "ledger", ledger_settings(), base);
  mutate_rows("log", "log", log_settings(), base);
  mutate_rows("content_log", "content_log", content_log_settings(), base);
  mutate_rows("trace", "trace", trace_settings(), base);
  mutate_rows("limits", "limits", limit_settings(), base);
  Sections regions = base;
  regions["models"]["endpoints"] =
      "[{ provider = \"mock\", model = \"m\", region = \"eu\" }, "
      "{ provider = \"other\", model = \"m\", region = \"us\" }]";
  mutate_rows("keys.routing", "keys.dev.routing", key_routing_settings(), regions);
}

// Whether a provider is simulated decides which of its other settings it may have.
TEST(ConfigChanges, EverySettingOfAProviderIsCompared) {
  for (const Setting<Provider>& row : provider_settings()) {
    if (row.key != "format") continue;
    Sections before = sections();
    Sections after = sections();
    after["providers.mock"] = {{"format", "\"simulated\""}};
    const auto changes = between(read(document(before)), read(document(after)));
    EXPECT_EQ(names(changes),
              (std::vector<std::string>{"providers.mock.format", "providers.mock.base_url",
                                        "providers.mock.ca_file", "providers.mock.allow_private"}));
    EXPECT_EQ(changes[1].after, "none");
  }
  std::vector<Setting<Provider>> others;
  for (const Setting<Provider>& row : provider_settings()) {
    if (row.key == "allow_private" || row.key == "format") continue;
    others.push_back(row);
  }
  mutate_rows("providers.mock", "providers.mock", std::span<const Setting<Provider>>(others),
              sections());
  Sections remote = sections();
  remote["providers.mock"]["base_url"] = "\"https://api.example.com\"";
  const Case allow{"false", "true"};
  expect_told("providers.mock.allow_private", allow,
              with(remote, "providers.mock", allow, "allow_private", allow.before),
              with(remote, "providers.mock", allow, "allow_private", allow.after), Reload::kLive);
}

TEST(ConfigChanges, EverySettingOfAListenerOrASecretIsCompared) {
  std::set<std::string_view> known = {"address", "half_close", "env", "file", "credential"};
  for (const Setting<Listener>& row : listener_settings()) known.erase(row.key);
  for (const Setting<SecretSource>& row : secret_settings()) known.erase(row.key);
  EXPECT_EQ(known.size() + listener_settings().size() + secret_settings().size(), 5u)
      << "a new setting: compare it, and say so here";
  const auto told = [](const std::string& section, const std::string& key,
                       const std::string& before, const std::string& after) {
    const Case each{before, after};
    expect_told(section + "." + key, each, with(sections(), section, each, key, before),
                with(sections(), section, each, key, after),
                section == "server" ? Reload::kFixed : Reload::kLive);
  };
  told("server", "listen", "[{ address = \"127.0.0.1:8080\" }]",
       "[{ address = \"127.0.0.1:8090\" }]");
  told("server", "listen", "[{ address = \"127.0.0.1:8080\" }]",
       "[{ address = \"127.0.0.1:8080\", half_close = \"allow\" }]");
  told("providers.mock", "api_key", "{ env = \"MOCK_KEY\" }", "{ env = \"OTHER_KEY\" }");
  told("providers.mock", "api_key", "{ env = \"MOCK_KEY\" }", "{ file = \"api.key\" }");
  told("providers.mock", "api_key", "{ credential = \"one\" }", "{ credential = \"two\" }");
}

TEST(ConfigChanges, EveryTableOfTheFileIsOneOfThose) {
  std::vector<std::string_view> tables;
  for (const Setting<RootKeys>& row : root_settings()) tables.push_back(row.key);
  EXPECT_EQ(tables,
            (std::vector<std::string_view>{
                "server", "admin", "accounts", "auth", "keys", "providers", "models", "aliases",
                "catalogue", "routing", "hold", "ledger", "log", "content_log", "trace", "limits"}))
      << "a new table: compare it, and mutate its rows above";
}

// A configuration whose models stand in a file of the catalogue.
struct Filed {
  std::string catalogue = R"([providers.mock]
data = { trains = false }
[providers.absent]
[[models]]
id = "acme/filed"
parameters = ["seed"]
endpoints = [
  { provider = "mock", model = "f", price = { prompt = "1", completion = "2" } },
  { provider = "absent", model = "f", price = { prompt = "1", completion = "2" } },
]
)";
  Sections own = sections();
  std::string extra;

  Config read() const {
    FakeSurroundings there = surroundings();
    there.files["/etc/leat/catalogue.toml"] = catalogue;
    Config config = parse_config("catalogue = [\"catalogue.toml\"]\n" + document(own) + extra,
                                 kSampleFile, there);
    EXPECT_TRUE(config.ok()) << (config.ok() ? "" : config.faults.front().to_string());
    return config;
  }
};

TEST(ConfigChanges, FilesOfTheCatalogueAreCompared) {
  const Filed before;
  Filed after;
  after.catalogue +=
      "[[models]]\nid = \"acme/more\"\nendpoints = [{ provider = \"mock\", model = "
      "\"m\", price = { prompt = \"1\", completion = \"2\" } }]\n";
  after.catalogue.replace(after.catalogue.find("\"2\""), 3, "\"3\"");
  after.extra =
      "[[models]]\nid = \"acme/filed\"\nrequest_ms_max = 5000\nfirst_byte_ms_max = 4000\n";
  const std::vector<ConfigChange> changes = between(before.read(), after.read());
  EXPECT_EQ(changes_text(changes),
            "~ models.\"acme/filed\".first_byte_ms_max: 120000 -> 4000\n"
            "~ models.\"acme/filed\".request_ms_max: 900000 -> 5000\n"
            "~ models.\"acme/filed\".endpoints.mock.price.completion: \"2\" -> \"3\"\n"
            "+ models.\"acme/more\"\n");
}

// An endpoint of a provider that is not configured is not asked: that is told of the provider.
TEST(ConfigChanges, AProviderThatGoesIsToldOnce) {
  const Filed before;
  Filed after;
  after.extra = "[providers.absent]\nformat = \"simulated\"\n";
  EXPECT_EQ(names(between(before.read(), after.read())),
            std::vector<std::string>{"+ providers.absent"});
  EXPECT_EQ(names(between(after.read(), before.read())),
            std::vector<std::string>{"- providers.absent"});
  Filed unknown;
  unknown.catalogue.replace(unknown.catalogue.find("absent"), 6, "gone99");
  unknown.catalogue.replace(unknown.catalogue.find("\"absent\""), 8, "\"gone99\"");
  EXPECT_EQ(names(between(before.read(), unknown.read())),
            (std::vector<std::string>{"- providers.absent", "+ providers.gone99",
                                      "- models.\"acme/filed\".endpoints.absent",
                                      "+ models.\"acme/filed\".endpoints.gone99"}));
}

TEST(ConfigChanges, AliasesAreCompared) {
  const auto with_aliases = [](const std::string& lines) {
    return read(document(sections()) + "[aliases]\n" + lines);
  };
  const Config none = read(document(sections()));
  const Config one = with_aliases("fast = \"acme/one\"\n");
  EXPECT_EQ(changes_text(between(none, one)), "+ aliases.fast: \"acme/one\"\n");
  EXPECT_EQ(changes_text(between(one, none)), "- aliases.fast\n");
  const std::string other =
      "[[models]]\nid = \"acme/two\"\nendpoints = [{ provider = \"other\", "
      "model = \"m\" }]\n[aliases]\nfast = ";
  const Config before = read(document(sections()) + other + "\"acme/one\"\n");
  const Config after = read(document(sections()) + other + "\"acme/two\"\n");
  EXPECT_EQ(changes_text(between(before, after)), "~ aliases.fast: \"acme/one\" -> \"acme/two\"\n");
}

// What a setting is the default of follows it without being told.
TEST(ConfigChanges, WhatFollowsFromAnotherSettingIsToldOnce) {
  for (const auto& [section, key, before, after] :
       std::vector<std::array<std::string, 4>>{{"limits", "request_ms_max", "900000", "800000"},
                                               {"limits", "chunk_gap_ms_max", "1000", "2000"},
                                               {"limits", "upstream_idle_ms_max", "1000", "2000"},
                                               {"limits", "connect_ms_max", "1000", "2000"},
                                               {"routing", "hedge", "false", "true"}}) {
    const Case each{before, after};
    const auto changes = between(read(with(sections(), section, each, key, before)),
                                 read(with(sections(), section, each, key, after)));
    EXPECT_EQ(names(changes), std::vector<std::string>{section + "." + key});
  }
  Sections before = sections();
  Sections after = sections();
  before["limits"]["request_ms_max"] = "900000";
  after["limits"]["request_ms_max"] = "800000";
  before["models"]["request_ms_max"] = after["models"]["request_ms_max"] = "700000";
  EXPECT_EQ(names(between(read(document(before)), read(document(after)))),
            std::vector<std::string>{"limits.request_ms_max"});
  after["models"].erase("request_ms_max");
  EXPECT_EQ(
      names(between(read(document(before)), read(document(after)))),
      (std::vector<std::string>{"models.\"acme/one\".request_ms_max", "limits.request_ms_max"}));
}

TEST(ConfigChanges, NamesMatchNotPlaces) {
  const auto key = [](const std::string& name, char digit, const std::string& more = "") {
    return "[[keys]]\nname = \"" + name + "\"\nsha256 = \"" + std::string(64, digit) + "\"\n" +
           more;
  };
  const std::string base = document(sections());
  const Config before = read(base + key("a", '1') + key("b", '2') + key("c", '3'));
  const Config moved = read(base + key("c", '3') + key("b", '2') + key("a", '1'));
  EXPECT_TRUE(between(before, moved).empty());
  const Config other =
      read(base + key("d.e", '4') + key("c", '3', "limits.concurrency_max = 7\n") + key("a", '5'));
  EXPECT_EQ(changes_text(between(before, other)),
            "- keys.b\n"
            "+ keys.\"d.e\"\n"
            "~ keys.c.limits.concurrency_max: none -> 7\n"
            "~ keys.a.sha256: (a key) -> (another key)\n");
}

TEST(ConfigChanges, SecretsAreToldByTheirPlaces) {
  const std::string text =
      document(sections()) + "[[keys]]\nname = \"r\"\nsecret = { file = \"client.key\" }\n";
  FakeSurroundings there = surroundings();
  there.files["/etc/leat/client.key"] = "sk-the-first-secret-0123456789";
  const Config before = parse_config(text, kSampleFile, there);
  there.files["/etc/leat/client.key"] = "sk-the-second-secret-0123456789";
  const Config rotated = parse_config(text, kSampleFile, there);
  const std::string told = changes_text(between(before, rotated));
  EXPECT_EQ(told,
            "~ keys.r.secret: { file = \"/etc/leat/client.key\" } -> { file = "
            "\"/etc/leat/client.key\" } (another key)\n");
  const Config digest = read(document(sections()) + "[[keys]]\nname = \"r\"\nsha256 = \"" +
                             std::string(64, 'b') + "\"\n");
  EXPECT_EQ(changes_text(between(rotated, digest)),
            "~ keys.r.sha256: none -> (a key)\n"
            "~ keys.r.secret: { file = \"/etc/leat/client.key\" } -> none\n");
}

// Without catalogues what the options say of models is compared.
TEST(ConfigChanges, OptionsAloneAreCompared) {
  Sections before = sections();
  Sections after = sections();
  after["models"]["name"] = "\"One\"";
  after["models"]["created_unix_s"] = "5";
  after["endpoint"]["model"] = "\"n\"";
  after["providers.mock"]["display_name"] = "\"Mock\"";
  const Config a = read(document(before));
  const Config b = read(document(after));
  EXPECT_EQ(
      changes_text(config_changes(a.options, b.options)),
      "~ providers.mock.display_name: \"mock\" -> \"Mock\"\n"
      "~ models.\"acme/one\".name: \"acme/one\" -> \"One\"\n"
      "~ models.\"acme/one\".created_unix_s: 0 -> 5\n"
      "~ models.\"acme/one\".endpoints: [{ provider = \"mock\", model = \"m\" }, { provider = "
      "\"other\", model = \"y\" }] -> [{ provider = \"mock\", model = \"n\" }, { provider = "
      "\"other\", model = \"y\" }]\n");
}

TEST(ConfigChanges, TextAndJsonSayTheSame) {
  const std::vector<ConfigChange> changes = {
      {.kind = Kind::kChanged,
       .what = "server.shards",
       .before = "1",
       .after = "2",
       .is_fixed = true},
      {.kind = Kind::kAdded, .what = "keys.batch", .before = "", .after = ""},
      {.kind = Kind::kRemoved, .what = "providers.\"a.b\"", .before = "", .after = ""},
      {.kind = Kind::kChanged,
       .what = "models.\"a/b\".description",
       .before = "none",
       .after = "\"\u00fcber \\\"x\\\"\""},
  };
  EXPECT_EQ(changes_text(changes),
            "~ server.shards: 1 -> 2 (needs a restart or a takeover)\n"
            "+ keys.batch\n"
            "- providers.\"a.b\"\n"
            "~ models.\"a/b\".description: none -> \"\u00fcber \\\"x\\\"\"\n");
  std::string why;
  const auto parsed = parse_json(changes_json(changes), why);
  ASSERT_TRUE(parsed) << why;
  EXPECT_EQ(changes_of(*parsed), changes);
  EXPECT_EQ(changes_json(std::span(changes).first(1)),
            R"([{"what":"server.shards","kind":"changed","before":"1","after":"2","live":false}])");
  EXPECT_EQ(changes_json({}), "[]");
  EXPECT_EQ(changes_text({}), "nothing changes\n");
}

TEST(ConfigChanges, WhatIsShownIsShortAndHarmless) {
  Sections before = sections();
  Sections after = sections();
  std::string description;
  while (description.size() < 2'000) description += "\u00fc";
  after["models"]["description"] = "\"" + description + "\"";
  const auto changes = between(read(document(before)), read(document(after)));
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_LT(changes.front().after.size(), 600u);
  std::string why;
  EXPECT_TRUE(parse_json(changes_json(changes), why)) << why << ": cut within a character";
  const std::vector<ConfigChange> hostile = {{.kind = Kind::kAdded, .what = "a\x1b[2J\nb"}};
  EXPECT_EQ(changes_text(hostile), "+ a?[2J?b\n");
}

}  // namespace
}  // namespace leat::control
