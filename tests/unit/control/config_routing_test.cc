// SPDX-License-Identifier: Apache-2.0
// Goal: what an operator writes about routing is what requests meet - the keys of a provider, where
// a client key may go, what sorts endpoints, how long a first token may take - and what cannot be
// meant is told where it stands, whichever file that is.
// Method: the sample file with a few lines more, with and without a catalogue; every bad catalogue
// that issue 3 names, read as `leat check` reads it.
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "control/catalogue_reader.h"
#include "control/config.h"
#include "control/config_reference.h"
#include "sample_config.h"

namespace leat::control {
namespace {

constexpr std::string_view kCatalogue = R"([providers.mock]
data = { trains = false, retention_days = 0 }
[providers.acme]
[[models]]
id = "deep/one"
context_tokens = 1000
[[models.endpoints]]
provider = "mock"
model = "one"
region = "eu"
tag = "mock/turbo"
price = { prompt = "0.15", completion = "0.60" }
[[models.endpoints]]
provider = "acme"
model = "one-large"
price = { prompt = "0.2", completion = "0.70" }
[aliases]
"old/one" = "deep/one"
"older/one" = "old/one"
)";

std::string told(const Config& config) {
  std::string text;
  for (const Fault& fault : config.faults) text += fault.to_string() + "\n";
  return text;
}

FakeSurroundings with_files(std::string config, std::string_view catalogue) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files[kSampleFile] = std::move(config);
  surroundings.files["/etc/leat/cat.toml"] = std::string(catalogue);
  return surroundings;
}

// The sample, and lines after it; as `leat check` reads it.
Config loaded(const std::string& more) {
  return load_config(kSampleFile, with_files(text_of(sample_lines()) + more, ""));
}

// The same beside a catalogue.
Config with_catalogue(const std::string& more, std::string_view catalogue = kCatalogue) {
  return load_config(
      kSampleFile,
      with_files("catalogue = [\"cat.toml\"]\n" + text_of(sample_lines()) + more, catalogue));
}

// Its only fault.
void expect_fault(const Config& config, std::string_view file, std::uint32_t line,
                  std::string_view key, std::string_view words) {
  ASSERT_EQ(config.faults.size(), 1u) << words << "\n" << told(config);
  EXPECT_EQ(config.faults[0].file, file);
  EXPECT_EQ(config.faults[0].line, line) << told(config);
  EXPECT_EQ(config.faults[0].key, key);
  EXPECT_NE(config.faults[0].what.find(words), std::string::npos) << told(config);
  EXPECT_EQ(config.catalogue, nullptr);
}

constexpr std::uint32_t kSampleLines = 25;

TEST(ConfigRouting, AProviderMayHaveSeveralKeys) {
  std::vector<std::string> lines = sample_lines();
  lines[18] = "api_keys = [{ env = \"MOCK_KEY\" }, { file = \"api.key\" }]";
  const Config config = parse_config(text_of(lines), kSampleFile, sample_surroundings());
  ASSERT_TRUE(config.ok()) << told(config);
  const std::vector<SecretSource>& keys = config.options.providers[0].api_keys;
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0].kind, SecretSource::Kind::kEnvironment);
  EXPECT_EQ(keys[0].name, "MOCK_KEY");
  EXPECT_EQ(keys[1].kind, SecretSource::Kind::kFile);
  EXPECT_EQ(keys[1].name, "/etc/leat/api.key");
}

TEST(ConfigRouting, KeysOfAProviderAreEachAnotherAndThere) {
  const struct {
    const char* value;
    const char* key;
    const char* words;
  } cases[] = {
      {"[]", "", "has 0; write 1 to 64"},
      {"{ env = \"MOCK_KEY\" }", "", "write an array"},
      {"[{ env = \"MOCK_KEY\" }, { env = \"NOT_SET\" }]", "[1].env", "is not set"},
      {"[{ env = \"MOCK_KEY\" }, \"sk-x\"]", "[1]", "{ env ="},
      {"[{ env = \"MOCK_KEY\" }, { env = \"MOCK_KEY\" }]", "[1]", "named already"},
      // The same file, by another path.
      {"[{ file = \"api.key\" }, { file = \"/etc/leat/api.key\" }]", "[1]", "named already"},
  };
  std::vector<std::string> lines = sample_lines();
  for (const auto& wrong : cases) {
    SCOPED_TRACE(wrong.value);
    lines[18] = std::string("api_keys = ") + wrong.value;
    expect_fault(parse_config(text_of(lines), kSampleFile, sample_surroundings()), kSampleFile, 19,
                 std::string("providers.mock.api_keys") + wrong.key, wrong.words);
  }
  FakeSurroundings many = sample_surroundings();
  std::string sources;
  for (int i = 0; i < 65; ++i) {
    const std::string name = "KEY_" + std::to_string(i);
    many.variables[name] = "sk-" + name;
    sources += (i == 0 ? "{ env = \"" : ", { env = \"") + name + "\" }";
  }
  lines[18] = "api_keys = [" + sources + "]";
  expect_fault(parse_config(text_of(lines), kSampleFile, many), kSampleFile, 19,
               "providers.mock.api_keys", "has 65; write 1 to 64");
  lines[18].erase(lines[18].rfind(", { env"));
  lines[18] += "]";
  const Config most = parse_config(text_of(lines), kSampleFile, many);
  EXPECT_TRUE(most.ok()) << told(most);
  EXPECT_EQ(most.options.providers[0].api_keys.size(), 64u);
}

TEST(ConfigRouting, TheSimulatedProviderHasNoKeys) {
  const Config config =
      loaded("[providers.sim]\nformat = \"simulated\"\napi_keys = [{ env = \"MOCK_KEY\" }]\n");
  expect_fault(config, kSampleFile, kSampleLines + 3, "providers.sim.api_keys", "no network");
}

TEST(ConfigRouting, AClientKeyIsBoundToWhatItNames) {
  const Config config = with_catalogue(
      "[keys.routing]\nonly = [\"mock/turbo\", \"Acme\"]\nignore = [\"acme\"]\nregions = [\"eu\"]\n"
      "zdr = true\ndata_collection = \"deny\"\n");
  ASSERT_TRUE(config.ok()) << told(config);
  const KeyRouting& routing = config.options.keys.at(0).routing;
  EXPECT_TRUE(routing.has_only);
  EXPECT_EQ(routing.only, (std::vector<std::string>{"mock/turbo", "Acme"}));
  EXPECT_EQ(routing.ignore, std::vector<std::string>{"acme"});
  EXPECT_EQ(routing.regions, std::vector<std::string>{"eu"});
  EXPECT_TRUE(routing.zdr);
  EXPECT_TRUE(routing.deny_data_collection);
}

TEST(ConfigRouting, AClientKeyThatSaysNothingMayGoAnywhere) {
  for (const char* more : {"", "[keys.routing]\nignore = []\ndata_collection = \"allow\"\n"}) {
    const Config config = loaded(more);
    ASSERT_TRUE(config.ok()) << told(config);
    const KeyRouting& routing = config.options.keys.at(0).routing;
    EXPECT_FALSE(routing.has_only);
    EXPECT_TRUE(routing.only.empty() && routing.ignore.empty() && routing.regions.empty());
    EXPECT_FALSE(routing.zdr);
    EXPECT_FALSE(routing.deny_data_collection);
  }
}

// Each key has its own; what one is bound to is not the next one's.
TEST(ConfigRouting, EachClientKeyHasItsOwn) {
  const Config config = loaded("[keys.routing]\nzdr = true\n[[keys]]\nname = \"two\"\nsha256 = \"" +
                               std::string(64, 'a') + "\"\n[keys.routing]\nonly = [\"mock\"]\n");
  ASSERT_TRUE(config.ok()) << told(config);
  ASSERT_EQ(config.options.keys.size(), 2u);
  EXPECT_TRUE(config.options.keys[0].routing.zdr);
  EXPECT_FALSE(config.options.keys[0].routing.has_only);
  EXPECT_FALSE(config.options.keys[1].routing.zdr);
  EXPECT_TRUE(config.options.keys[1].routing.has_only);
}

TEST(ConfigRouting, NamesOfAClientKeyAreThoseOfTheCatalogue) {
  const std::uint32_t line = kSampleLines + 3;  // the heading, and the line of the catalogue
  expect_fault(with_catalogue("[keys.routing]\nonly = [\"mock/turb\"]\n"), kSampleFile, line,
               "keys[0].routing.only[0]", "did you mean \"mock/turbo\"?");
  expect_fault(with_catalogue("[keys.routing]\nignore = [\"acmee\"]\n"), kSampleFile, line,
               "keys[0].routing.ignore[0]", "did you mean \"acme\"?");
  expect_fault(with_catalogue("[keys.routing]\nregions = [\"eu\", \"eus\"]\n"), kSampleFile, line,
               "keys[0].routing.regions[1]", "in region \"eus\"");
  std::string many = "[keys.routing]\nonly = [";
  for (int i = 0; i < 257; ++i) many += i == 0 ? "\"acme\"" : ", \"acme\"";
  expect_fault(with_catalogue(many + "]\n"), kSampleFile, line, "keys[0].routing.only",
               "has 257; write up to 256");
}

TEST(ConfigRouting, HowEndpointsAreChosen) {
  const Config unsaid = loaded("");
  EXPECT_EQ(unsaid.options.routing.sort, RoutingSort::kBalance);
  EXPECT_EQ(unsaid.options.routing.health_file, "");
  const std::pair<const char*, RoutingSort> sorts[] = {{"balance", RoutingSort::kBalance},
                                                       {"price", RoutingSort::kPrice},
                                                       {"throughput", RoutingSort::kThroughput},
                                                       {"latency", RoutingSort::kLatency}};
  for (const auto& [name, sort] : sorts) {
    const Config config =
        loaded(std::string("[routing]\nsort = \"") + name +
               "\"\nsticky_conversations_max = 0\nhealth_file = \"state/health\"\n");
    ASSERT_TRUE(config.ok()) << told(config);
    EXPECT_EQ(config.options.routing.sort, sort) << name;
    EXPECT_EQ(config.options.routing.sticky_conversations_max, 0u);
    EXPECT_EQ(config.options.routing.health_file, "/etc/leat/state/health");
  }
  // Said to be none is none, and not the file's folder.
  EXPECT_EQ(loaded("[routing]\nhealth_file = \"\"\n").options.routing.health_file, "");
}

TEST(ConfigRouting, HedgingIsOffUnlessSaidAndAModelMaySayOtherwise) {
  const Config unsaid = loaded("");
  EXPECT_FALSE(unsaid.options.routing.hedge);
  EXPECT_EQ(unsaid.options.routing.hedge_ms_min, 1'000u);
  EXPECT_FALSE(unsaid.options.models[0].hedge);
  const Config on = loaded("[routing]\nhedge = true\nhedge_ms_min = 250\n");
  ASSERT_TRUE(on.ok()) << told(on);
  EXPECT_EQ(on.options.routing.hedge_ms_min, 250u);
  EXPECT_TRUE(on.options.models[0].hedge);
  const Config own =
      with_catalogue("[[models]]\nid = \"deep/one\"\nhedge = false\n[routing]\nhedge = true\n");
  ASSERT_TRUE(own.ok()) << told(own);
  EXPECT_TRUE(own.options.models[0].hedge);
  EXPECT_FALSE(own.options.models[1].hedge);
}

// ---- Times ----

struct Times {
  std::uint32_t min;
  std::uint32_t max;
};

Times times_of(std::string_view limits, const std::string& model) {
  std::string text = text_of(sample_lines()) + model;  // the model is the last section
  text.insert(text.find("[limits]\n") + 9, limits);
  const Config config = parse_config(text, kSampleFile, sample_surroundings());
  EXPECT_TRUE(config.ok()) << told(config);
  EXPECT_LE(config.options.limits.first_byte_ms_min, config.options.limits.first_byte_ms_max);
  const Model& own = config.options.models[0];
  return {own.first_byte_ms_min, own.first_byte_ms_max};
}

TEST(ConfigRouting, AModelsFirstTokenLimitStandsBetweenItsTwoTimes) {
  const auto expect = [](Times got, std::uint32_t min, std::uint32_t max) {
    EXPECT_EQ(got.min, min);
    EXPECT_EQ(got.max, max);
  };
  expect(times_of("", ""), 10'000, 120'000);
  expect(times_of("first_byte_ms_min = 500\nfirst_byte_ms_max = 700\n", ""), 500, 700);
  expect(times_of("", "first_byte_ms_min = 20\nfirst_byte_ms_max = 30\n"), 20, 30);
  expect(times_of("", "first_byte_ms_min = 20\n"), 20, 120'000);
  expect(times_of("", "first_byte_ms_max = 60000\n"), 10'000, 60'000);  // it goes on adapting
  // A greatest time below the common least one, alone: the least follows.
  expect(times_of("", "first_byte_ms_max = 5000\n"), 5'000, 5'000);
  expect(times_of("first_byte_ms_max = 5000\n", ""), 5'000, 5'000);
}

TEST(ConfigRouting, TimesMayBeSetForAModelOfTheCatalogue) {
  const Config config = with_catalogue(
      "[[models]]\nid = \"deep/one\"\nfirst_byte_ms_max = 3000\n"
      "chunk_gap_ms_max = 4000\nrequest_ms_max = 5000\n");
  ASSERT_TRUE(config.ok()) << told(config);
  ASSERT_EQ(config.options.models.size(), 2u);
  const Model& model = config.options.models[1];
  EXPECT_EQ(model.id, "deep/one");
  EXPECT_TRUE(model.endpoints.empty());
  EXPECT_EQ(model.first_byte_ms_min, 3'000u);
  EXPECT_EQ(model.first_byte_ms_max, 3'000u);
  EXPECT_EQ(model.chunk_gap_ms_max, 4'000u);
  EXPECT_EQ(model.request_ms_max, 5'000u);
  const policy::Catalogue& catalogue = config.catalogue->catalogue;
  EXPECT_EQ(catalogue.endpoints_of(catalogue.model(catalogue.find_model("deep/one"))).size(), 2u);
}

TEST(ConfigRouting, WhetherABrokenStreamIsCarriedOnIsSaidModelByModel) {
  const Config config = with_catalogue("[[models]]\nid = \"deep/one\"\ncontinuation = true\n");
  ASSERT_TRUE(config.ok()) << told(config);
  ASSERT_EQ(config.options.models.size(), 2u);
  EXPECT_FALSE(config.options.models[0].continuation) << "off by default";
  EXPECT_TRUE(config.options.models[1].continuation);
}

TEST(ConfigRouting, TimesAreSetForModelsThatAreThere) {
  const std::uint32_t line = kSampleLines + 3;
  const std::string time = "request_ms_max = 5000\n";
  expect_fault(with_catalogue("[[models]]\nid = \"deep/on\"\n" + time), kSampleFile, line,
               "models[1].id", "did you mean \"deep/one\"?");
  // By its own id, since two names could say two times.
  expect_fault(with_catalogue("[[models]]\nid = \"old/one\"\n" + time), kSampleFile, line,
               "models[1].id", "did you mean \"deep/one\"?");
  expect_fault(with_catalogue("[[models]]\nid = \"deep/one\"\nname = \"One\"\n"), kSampleFile,
               line + 1, "models[1].name", "times only");
  const std::string twice = "[[models]]\nid = \"deep/one\"\n" + time;
  expect_fault(with_catalogue(twice + twice), kSampleFile, line + 3, "models[2].id",
               "write each model once");
  // Without a catalogue there is nobody whose endpoints they could be.
  expect_fault(loaded(twice), kSampleFile, kSampleLines + 1, "models[1].endpoints", "are missing");
}

// ---- The catalogue, as `leat check` reads it ----

std::string with(std::string_view from, std::string_view to) {
  std::string text(kCatalogue);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ConfigRouting, ABadCatalogueIsRefusedWholeWithFileAndLine) {
  const struct {
    std::string catalogue;
    std::uint32_t line;
    const char* key;
    const char* words;
  } cases[] = {
      {with("completion = \"0.60\"", "completion = 0"), 7, "models[\"deep/one\"].endpoints.price",
       "`completion` at mock is 0"},
      {with("prompt = \"0.15\", ", ""), 7, "models[\"deep/one\"].endpoints.price",
       "`prompt` at mock is missing"},
      {with("[[models]]\n", "[[models]]\nid = \"deep/one\"\nendpoints = []\n[[models]]\n"), 7,
       "models[\"deep/one\"]", "stands in line 4 too"},
      {with("provider = \"acme\"", "provider = \"acmee\""), 13,
       "models[\"deep/one\"].endpoints.provider", "did you mean \"acme\"?"},
      {with("id = \"deep/one\"", "id = \"openai/gpt-4o-mini\""), 4,
       "models[\"openai/gpt-4o-mini\"]", "/etc/leat/leat.toml:24"},
  };
  for (const auto& bad : cases) {
    SCOPED_TRACE(bad.words);
    std::string catalogue = bad.catalogue;
    // Its aliases lead nowhere once the model has another id; that is another mistake.
    if (catalogue.find("id = \"deep/one\"") == std::string::npos) {
      catalogue.erase(catalogue.find("[aliases]"));
    }
    expect_fault(with_catalogue("", catalogue), "/etc/leat/cat.toml", bad.line, bad.key, bad.words);
  }
}

TEST(ConfigRouting, ACircleOfAliasesIsToldAtEachOfThem) {
  const Config config =
      with_catalogue("", with("\"old/one\" = \"deep/one\"", "\"old/one\" = \"older/one\""));
  ASSERT_EQ(config.faults.size(), 2u) << told(config);
  EXPECT_EQ(config.faults[0].to_string(),
            "/etc/leat/cat.toml:18: aliases.old/one: leads round in a circle of aliases; let one "
            "of them name a model");
  EXPECT_EQ(config.faults[1].line, 19u);
  EXPECT_EQ(config.catalogue, nullptr);
}

TEST(ConfigRouting, ACatalogueThatNobodyIsReachedByIsAMistake) {
  const std::string text =
      "catalogue = [\"cat.toml\"]\n[auth]\nmode = \"off\"\n[providers.other]\n"
      "base_url = \"https://other.example\"\n";
  const Config config = load_config(kSampleFile, with_files(text, kCatalogue));
  expect_fault(config, kSampleFile, 1, "catalogue", "none of its models is at a provider");
  std::string reached = text;
  reached.replace(reached.find("other]"), 5, "acme");
  const Config good = load_config(kSampleFile, with_files(reached, kCatalogue));
  EXPECT_TRUE(good.ok()) << told(good);
}

// Health and conversations are kept by it: it must outlive a change of anything around it.
TEST(ConfigRouting, AnEndpointIsTheSameInEveryConfigurationThatHasIt) {
  const auto identities = [](const Config& config) {
    EXPECT_TRUE(config.ok()) << told(config);
    const policy::Catalogue& catalogue = config.catalogue->catalogue;
    std::vector<std::uint64_t> found;
    for (const policy::Endpoint& endpoint :
         catalogue.endpoints_of(catalogue.model(catalogue.find_model("deep/one")))) {
      found.push_back(endpoint.identity);
    }
    return found;
  };
  const auto one = identities(with_catalogue(""));
  ASSERT_EQ(one.size(), 2u);
  EXPECT_NE(one[0], one[1]);
  EXPECT_NE(one[0], 0u);
  // Another configuration, in which other providers and models come first.
  const Config other = load_config("/srv/leat.toml", [] {
    FakeSurroundings surroundings = sample_surroundings();
    surroundings.files["/srv/leat.toml"] =
        "catalogue = [\"/srv/first.toml\", \"/etc/leat/cat.toml\"]\n[auth]\nmode = \"off\"\n"
        "[providers.zeta]\nformat = \"simulated\"\n[providers.acme]\n"
        "base_url = \"https://acme.example\"\n[[models]]\nid = \"a/a\"\n"
        "endpoints = [{ provider = \"zeta\", model = \"a\" }]\n";
    surroundings.files["/srv/first.toml"] =
        "[[models]]\nid = \"b/b\"\n[[models.endpoints]]\nprovider = \"zeta\"\n"
        "model = \"b\"\nfree = true\n";
    surroundings.files["/etc/leat/cat.toml"] = std::string(kCatalogue);
    return surroundings;
  }());
  EXPECT_EQ(identities(other), one);
}

TEST(ConfigRouting, EveryQuirkCanBeWrittenAndIsExplained) {
  const std::string reference = config_reference();
  for (std::size_t i = 0; i < policy::kQuirks; ++i) {
    const auto quirk = static_cast<policy::Quirk>(i);
    const std::string name(policy::name_of(quirk));
    SCOPED_TRACE(name);
    const Config config = with_catalogue(
        "", with("[providers.acme]\n", "[providers.acme]\nquirks = [\"" + name + "\"]\n"));
    ASSERT_TRUE(config.ok()) << told(config);
    const policy::Catalogue& catalogue = config.catalogue->catalogue;
    EXPECT_EQ(catalogue.provider(catalogue.find_provider("acme")).quirks, policy::QuirkSet{quirk});
    EXPECT_NE(reference.find("| `" + name + "` | "), std::string::npos);
  }
  const Config wrong = with_catalogue(
      "", with("[providers.acme]\n", "[providers.acme]\nquirks = [\"no_strict_tool\"]\n"));
  ASSERT_EQ(wrong.faults.size(), 1u) << told(wrong);
  EXPECT_NE(wrong.faults[0].what.find("no_strict_tools"), std::string::npos) << told(wrong);
}

// A provider at a well-known host is spoken to in its own words, whatever it is called here; what
// is written down goes before that, each field for itself, and an empty list is written down, too.
TEST(ConfigRouting, KnowsProvidersByTheirHosts) {
  const auto provider_at = [](const char* url, const char* more) {
    const Config config =
        loaded("[providers.other]\nbase_url = \"" + std::string(url) + "\"\n" + more);
    EXPECT_TRUE(config.faults.empty()) << told(config);
    const policy::Catalogue& catalogue = config.catalogue->catalogue;
    const policy::Provider found = catalogue.provider(catalogue.find_provider("other"));
    return std::tuple(found.quirks, found.rejects, std::string(found.reasoning_in),
                      std::string(found.reasoning_out));
  };
  using policy::Quirk;
  const auto [quirks, rejects, in, out] = provider_at("https://api.deepseek.com", "");
  EXPECT_TRUE(quirks.has_all({Quirk::kMustReplayReasoning, Quirk::kNoDeveloperRole}));
  EXPECT_EQ(in, "reasoning_effort");
  EXPECT_EQ(out, "reasoning_content");
  const auto [none, rejects_kept, as_sent, out_kept] =
      provider_at("https://api.mistral.ai/v1", "quirks = []\nreasoning_in = \"as_sent\"\n");
  EXPECT_TRUE(none.empty());
  EXPECT_TRUE(rejects_kept.has(policy::Parameter::kTopK));
  EXPECT_EQ(as_sent, "as_sent");
  EXPECT_EQ(out_kept, "none");
  const auto [other, other_rejects, other_in, other_out] =
      provider_at("https://api.example.com", "");
  EXPECT_TRUE(other.empty());
  EXPECT_TRUE(other_rejects.empty());
  EXPECT_EQ(other_in + other_out, "");
}

}  // namespace
}  // namespace leat::control
