// SPDX-License-Identifier: Apache-2.0
// Goal: a catalogue says what its text says, or is refused whole with the file and line of every
// mistake that would cost or mislead somebody; writing it loses nothing; a configuration takes it
// in, and one without it goes on as before.
// Method: a small catalogue with one thing changed at a time; a round trip; configurations.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/catalogue_build.h"
#include "control/catalogue_diff.h"
#include "control/catalogue_reader.h"
#include "control/catalogue_writer.h"
#include "sample_config.h"

namespace leat::control {
namespace {

constexpr std::string_view kCatalogue = R"([providers.acme]
display_name = "Acme"
privacy_policy_url = "https://acme.example/privacy"
headquarters = "DE"
datacenters = ["DE", "FR"]
data = { trains = false, publishes = false, retention_days = 0 }
quirks = ["no_done"]
rejects = ["logit_bias"]
[providers.mock]
[[models]]
id = "deep/one"
name = "Deep: One"
canonical_slug = "deep/one-20250101"
family = "one"
created_unix_s = 1735689600
context_tokens = 1000
input = ["text", "image"]
parameters = ["temperature", "tools", "tool_choice", "logit_bias"]
reasoning = { efforts = ["high", "low"], default_effort = "low", mandatory = true }
[[models.endpoints]]
provider = "acme"
model = "one-large"
region = "eu"
price = { prompt = "0.15", completion = 3, input_cache_read = "0.0028", request = "0.01" }
overrides = [{ prompt_tokens_over = 200, utc_start = "2230", utc_end = "0015", utc_days = [0, 6], )"
                                        R"(price = { prompt = "0.3" } }]
completion_tokens_max = 100
quantization = "fp8"
implicit_caching = true
[[models.endpoints]]
provider = "mock"
model = "one"
context_tokens = 500
prompt_tokens_max = 400
parameters = ["seed"]
tool_choices = ["auto"]
data = { trains = false }
free = true
variant = "free"
tag = "mock/free"
tier = "flex"
disabled = true
[aliases]
"old/one" = "older/one"
"older/one" = "deep/one"
)";

struct Read {
  CatalogueDraft draft;
  std::vector<std::string> faults;
  std::optional<gateway::RoutedCatalogue> built;
};

Read read(std::string_view text) {
  Read read;
  std::vector<FaultList> lists{FaultList("cat.toml")};
  read_catalogue(text, "cat.toml", read.draft, lists.front());
  read.built = build_catalogue(read.draft, BuildFor::kAlone, lists);
  for (const Fault& fault : lists.front().take()) read.faults.push_back(fault.to_string());
  return read;
}

// The catalogue with the first line that holds `from` replaced.
std::string with(std::string_view from, std::string_view to) {
  std::string text(kCatalogue);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// Its only fault, which is at that line.
void expect_fault(const std::string& text, std::uint32_t line, std::string_view words) {
  const Read refused = read(text);
  ASSERT_EQ(refused.faults.size(), 1u) << words << ::testing::PrintToString(refused.faults);
  const std::string begin = "cat.toml:" + std::to_string(line) + ": ";
  EXPECT_TRUE(refused.faults[0].starts_with(begin)) << refused.faults[0];
  EXPECT_NE(refused.faults[0].find(words), std::string::npos) << refused.faults[0];
}

TEST(Catalogue, SaysWhatItsTextSays) {
  const Read one = read(kCatalogue);
  ASSERT_TRUE(one.built) << one.faults.front();
  const policy::Catalogue& catalogue = one.built->catalogue;
  const policy::Model& model = catalogue.model(catalogue.find_model("deep/one"));
  EXPECT_EQ(model.name, "Deep: One");
  EXPECT_EQ(model.created, 1735689600);
  EXPECT_TRUE(model.input.has(policy::Modality::kImage));
  EXPECT_TRUE(model.output.has(policy::Modality::kText));
  EXPECT_EQ(model.reasoning.efforts.size(), 2u);
  EXPECT_TRUE(model.reasoning.mandatory);
  const auto endpoints = catalogue.endpoints_of(model);
  ASSERT_EQ(endpoints.size(), 2u);
  const policy::Endpoint& acme = endpoints[0];
  EXPECT_EQ(acme.upstream_model, "one-large");
  EXPECT_EQ(acme.prices[policy::PriceClass::kPrompt], 150'000);
  EXPECT_EQ(acme.prices[policy::PriceClass::kCompletion], 3'000'000);
  EXPECT_EQ(acme.prices[policy::PriceClass::kInputCacheRead], 2'800);
  EXPECT_EQ(acme.prices[policy::PriceClass::kRequest], 10'000'000'000);  // apiece, not a million
  EXPECT_EQ(acme.context, 1000u);                                        // the model's
  EXPECT_EQ(acme.completion_max, 100u);
  EXPECT_FALSE(acme.parameters.has(policy::Parameter::kLogitBias));  // its provider rejects it
  EXPECT_EQ(acme.tool_choices.count(), 4);
  EXPECT_TRUE(acme.data.zero_retention());
  EXPECT_EQ(acme.region, "eu");
  ASSERT_EQ(catalogue.overrides_of(acme).size(), 1u);
  const policy::PriceOverride& over = catalogue.overrides_of(acme)[0];
  EXPECT_EQ(over.utc_start, 22 * 60 + 30);
  EXPECT_EQ(over.utc_end, 15);
  EXPECT_EQ(over.utc_days, 0x41);
  EXPECT_EQ(over.prompt_tokens_over, 200u);
  const policy::Endpoint& mock = endpoints[1];
  EXPECT_EQ(mock.context, 500u);
  EXPECT_EQ(mock.prompt_max, 400u);
  EXPECT_EQ(mock.parameters, policy::ParameterSet{policy::Parameter::kSeed});
  EXPECT_EQ(mock.data.retention_days, policy::DataPolicy::kRetentionUnknown);
  EXPECT_TRUE(mock.is_free);
  EXPECT_TRUE(mock.disabled);
  EXPECT_EQ(mock.variant, policy::Variant::kFree);
  EXPECT_EQ(mock.tier, policy::ServiceTier::kFlex);
  for (const char* name : {"old/one", "older/one", "deep/one-20250101", "~deep/one-latest"}) {
    EXPECT_EQ(catalogue.find_model(name), catalogue.find_model("deep/one")) << name;
  }
}

TEST(Catalogue, RefusesWhatWouldBeGivenAway) {
  expect_fault(with(R"(prompt = "0.15", )", ""), 20, "`prompt` at acme is missing");
  expect_fault(with("completion = 3,", "completion = 0,"), 20, "`completion` at acme is 0");
  expect_fault(with("\"0.0028\"", "\"0\""), 20, "`input_cache_read` at acme is 0");
  expect_fault(with("free = true\n", "free = [\"prompt\"]\n"), 29,
               "`completion` at mock is missing");
  expect_fault(with("\"0.15\"", "0.15"), 24, "write it as text");
  expect_fault(with("\"0.15\"", "\"-1\""), 24, "no price");
  expect_fault(with("\"0.15\"", "\"0.1500000001\""), 24, "digits below");
  // Said to be meant, both are allowed.
  EXPECT_TRUE(read(with("completion = 3,", "completion = 0 }\nfree = [\"completion\"]\n#")).built);
}

TEST(Catalogue, RefusesWhatContradictsItself) {
  expect_fault(with("[[models]]", "[[models]]\nid = \"deep/one\"\nendpoints = []\n[[models]]"), 13,
               "stands in line 10 too");
  expect_fault(with("provider = \"acme\"", "provider = \"acmee\""), 20, "did you mean \"acme\"?");
  expect_fault(with("completion_tokens_max = 100", "completion_tokens_max = 1001"), 20,
               "1001 is more than the context of 1000");
  expect_fault(with("prompt_tokens_max = 400", "prompt_tokens_max = 501"), 29,
               "501 is more than the context of 500");
  expect_fault(with("tag = \"mock/free\"", "tag = \"acme/free\""), 29, "a name is too long");
  expect_fault(with("\"old/one\" = \"older/one\"", "\"old/one\" = \"deep/two\""), 43,
               "there is no model");
  expect_fault(with("variant = \"free\"", "variant = \"nitro\""), 29, "no endpoints of its own");
  expect_fault(with("utc_end = \"0015\", ", ""), 20, "needs both ends");
}

TEST(Catalogue, TellsACircleOfAliasesAtEachOfThem) {
  const Read refused = read(with("\"older/one\" = \"deep/one\"", "\"older/one\" = \"old/one\""));
  ASSERT_EQ(refused.faults.size(), 2u);
  EXPECT_EQ(refused.faults[0].substr(0, 12), "cat.toml:43:");
  EXPECT_NE(refused.faults[0].find("circle"), std::string::npos);
  EXPECT_EQ(refused.faults[1].substr(0, 12), "cat.toml:44:");
}

TEST(Catalogue, TellsAllFaultsAtOnce) {
  std::string text = with("\"0.15\"", "\"x\"");
  text +=
      "[[models]]\nid = \"a/b\"\nendpoints = [{ provider = \"none\", model = \"b\" }]\nmodle = 1\n";
  const Read refused = read(text);
  EXPECT_FALSE(refused.built);
  // A price that cannot be read; then the last model's provider, its two prices and its key.
  EXPECT_EQ(refused.faults.size(), 5u);
}

TEST(Catalogue, IsWrittenAsItWasRead) {
  const Read one = read(kCatalogue);
  const std::string written = catalogue_toml(one.draft);
  const Read two = read(written);
  ASSERT_TRUE(two.built) << two.faults.front() << written;
  EXPECT_EQ(catalogue_toml(two.draft), written);
  EXPECT_EQ(catalogue_diff(one.draft, two.draft), "");
  for (const char* part :
       {"quirks = [\"no_done\"]", "rejects = [\"logit_bias\"]", "utc_start = \"2230\"",
        "utc_days = [0, 6]", "retention_days = 0", "variant = \"free\"", "tier = \"flex\"",
        "disabled = true", "request = \"0.01\"", "input = [\"text\", \"image\"]",
        "mandatory = true", "\"old/one\" = \"older/one\"", "tool_choices = [\"auto\"]"}) {
    EXPECT_NE(written.find(part), std::string::npos) << part;
  }
}

TEST(Catalogue, DiffTellsWhatCameWentAndChanged) {
  const CatalogueDraft before = read(kCatalogue).draft;
  CatalogueDraft after = read(with("\"0.15\"", "\"0.2\"")).draft;
  after.models[0].endpoints[0].completion_tokens_max = 90;
  after.models[0].endpoints.pop_back();
  after.models.push_back({.id = "new/model"});
  after.providers.erase(after.providers.begin() + 1);
  EXPECT_EQ(catalogue_diff(before, after),
            "- provider mock\n"
            "~ deep/one at acme: prompt 0.15 -> 0.2\n"
            "~ deep/one at acme: completion_tokens_max 100 -> 90\n"
            "- deep/one at mock/free :free\n"
            "+ new/model\n");
  EXPECT_EQ(catalogue_diff(before, before), "");
}

Config configured(const std::string& text, std::string_view catalogue) {
  FakeSurroundings surroundings = sample_surroundings();
  surroundings.files["/etc/leat/cat.toml"] = std::string(catalogue);
  return parse_config(text, kSampleFile, surroundings);
}

std::string sample_with_catalogue() {
  return "catalogue = [\"cat.toml\"]\n" + text_of(sample_lines());
}

TEST(Catalogue, AConfigurationTakesItIn) {
  const Config config = configured(sample_with_catalogue(), kCatalogue);
  ASSERT_TRUE(config.ok()) << config.faults.front().to_string();
  const policy::Catalogue& catalogue = config.catalogue->catalogue;
  // Nobody said how to reach acme: known, but not to be asked.
  const policy::Model& model = catalogue.model(catalogue.find_model("deep/one"));
  EXPECT_TRUE(catalogue.endpoints_of(model)[0].disabled);
  // The configuration's own model, in the short form, without prices.
  const policy::ModelId own = catalogue.find_model("openai/gpt-4o-mini");
  ASSERT_NE(own, policy::kNoId);
  const policy::Endpoint& mock = catalogue.endpoints_of(catalogue.model(own))[0];
  EXPECT_FALSE(mock.disabled);
  EXPECT_EQ(config.catalogue->connections[mock.provider], 0u);
  EXPECT_EQ(config.catalogue->connections[catalogue.find_provider("acme")],
            gateway::RoutedCatalogue::kNoConnection);
}

// Whatever their variant or tier: requests name those.
TEST(Catalogue, AConfigurationServesTheModelsOfItsFiles) {
  const Config config = configured(sample_with_catalogue(), with("disabled = true\n", ""));
  ASSERT_TRUE(config.ok()) << config.faults.front().to_string();
  EXPECT_EQ(config.options.models.size(), 1u);  // its own, of which it sets the times
  const policy::Catalogue& catalogue = config.catalogue->catalogue;
  const policy::Model& model = catalogue.model(catalogue.find_model("deep/one"));
  EXPECT_FALSE(catalogue.endpoints_of(model)[1].disabled);
}

TEST(Catalogue, FaultsOfItsFilesNameTheFile) {
  const Config config =
      configured(sample_with_catalogue(), with("completion = 3,", "completion = 0,"));
  ASSERT_EQ(config.faults.size(), 1u);
  EXPECT_EQ(config.faults[0].file, "/etc/leat/cat.toml");
  EXPECT_EQ(config.faults[0].line, 20u);
  EXPECT_EQ(config.catalogue, nullptr);
  const Config missing =
      configured("catalogue = [\"none.toml\"]\n" + text_of(sample_lines()), kCatalogue);
  ASSERT_EQ(missing.faults.size(), 1u);
  EXPECT_EQ(missing.faults[0].line, 1u);
  EXPECT_EQ(missing.faults[0].file, kSampleFile);
}

TEST(Catalogue, AModelInTwoFilesIsRefused) {
  const Config config =
      configured(sample_with_catalogue(), with("id = \"deep/one\"", "id = \"openai/gpt-4o-mini\""));
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.faults[0].file, "/etc/leat/cat.toml");
  EXPECT_NE(config.faults[0].what.find("/etc/leat/leat.toml:"), std::string::npos);
}

TEST(Catalogue, TheShortFormNeedsNoPricesUntilOneIsGiven) {
  const auto with_endpoints = [](std::string_view endpoints) {
    return changed("[[models]]", "endpoints", endpoints).text;
  };
  const Config twice = configured(
      with_endpoints(
          "[{ provider = \"mock\", model = \"a\" }, { provider = \"mock\", model = \"b\" }]"),
      "");
  ASSERT_TRUE(twice.ok()) << twice.faults.front().to_string();
  EXPECT_EQ(twice.catalogue->catalogue.endpoints().size(), 2u);
  const Config priced = configured(
      with_endpoints(
          "[{ provider = \"mock\", model = \"a\", price = { prompt = 1, completion = 2 } "
          "}, { provider = \"mock\", model = \"b\" }]"),
      "");
  EXPECT_EQ(priced.faults.size(), 2u);  // prompt and completion of the second
}

}  // namespace
}  // namespace leat::control
