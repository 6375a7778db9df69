// SPDX-License-Identifier: Apache-2.0
// Goal: the router does what a request asks, each field of it; what it cannot mean is refused with
// the field's name, and never guessed at.
// Method: one table of what each field reads as, one of every malformed form and the name that the
// refusal must bear.
#include "dialect/routing_fields.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace leat::dialect {
namespace {

struct Reading {
  bool ok = false;
  std::string body;  // the fields hold views of it
  RoutingFields fields;
  RoutingFault fault;
};

std::unique_ptr<Reading> read(std::string body) {
  auto reading = std::make_unique<Reading>();
  reading->body = std::move(body);
  proto::JsonScanner scanner;
  EXPECT_EQ(scanner.scan(reading->body, true), proto::JsonStatus::kDone) << reading->body;
  reading->ok = read_routing_fields(scanner, reading->body, reading->fields, reading->fault);
  return reading;
}

std::unique_ptr<Reading> read_good(std::string body) {
  auto reading = read(std::move(body));
  EXPECT_TRUE(reading->ok) << reading->body << ": " << reading->fault.param() << " "
                           << reading->fault.message();
  return reading;
}

std::unique_ptr<Reading> provider(const std::string& members) {
  return read_good("{\"provider\":{" + members + "}}");
}

std::string long_text(std::size_t size) {
  return std::string(size, 'a');
}

TEST(RoutingFields, AsksForNothingByDefault) {
  const auto reading = read_good(R"({"messages":[]})");
  const RoutingFields& fields = reading->fields;
  EXPECT_TRUE(fields.models().empty());
  EXPECT_TRUE(fields.parameters.empty());
  EXPECT_FALSE(fields.provider.set);
  EXPECT_TRUE(fields.provider.allow_fallbacks);
  EXPECT_FALSE(fields.provider.require_parameters);
  EXPECT_TRUE(fields.provider.order().empty());
  EXPECT_EQ(fields.provider.max_price, PriceCeilings());
  EXPECT_EQ(fields.provider.min_throughput.set, 0);
  EXPECT_EQ(fields.service_tier, ServiceTier::kUnset);
  EXPECT_EQ(fields.input_modalities, 0);
  EXPECT_EQ(fields.session_id, "");
}

TEST(RoutingFields, TakesNullForAbsentEverywhere) {
  std::string body = "{";
  for (std::size_t i = 0; i < proto::kTopKeyCount; ++i) {
    if (i != 0) body += ",";
    body += "\"" + std::string(proto::top_key_name(static_cast<proto::TopKey>(i))) + "\":null";
  }
  const auto reading = read_good(body + "}");
  EXPECT_TRUE(reading->fields.parameters.empty());
  const auto inside = provider(
      R"("order":null,"only":null,"ignore":null,"allow_fallbacks":null,"require_parameters":null,)"
      R"("data_collection":null,"zdr":null,"enforce_distillable_text":null,"quantizations":null,)"
      R"("sort":null,"preferred_min_throughput":null,"preferred_max_latency":null,)"
      R"("max_price":null)");
  EXPECT_TRUE(inside->fields.provider.allow_fallbacks);
  const auto deeper = provider(R"("sort":{"by":null,"partition":null},"max_price":{"prompt":null},)"
                               R"("preferred_max_latency":{"p50":null})");
  EXPECT_EQ(deeper->fields.provider.sort, ProviderSort::kUnset);
  EXPECT_EQ(deeper->fields.provider.max_price, PriceCeilings());
  EXPECT_EQ(deeper->fields.provider.max_latency.set, 0);
}

TEST(RoutingFields, PutsModelBeforeModels) {
  const auto reading = read_good(R"({"models":["b/c:free","d\u002fe"],"model":"a/b"})");
  const auto models = reading->fields.models();
  ASSERT_EQ(models.size(), 3u);
  EXPECT_EQ(models[0].base, "a/b");
  EXPECT_EQ(models[1].base, "b/c");
  EXPECT_TRUE(models[1].has(Variant::kFree));
  EXPECT_EQ(models[2].base, "d/e");
}

TEST(RoutingFields, SplitsVariants) {
  struct Case {
    const char* name;
    const char* base;
    std::initializer_list<Variant> variants;
    const char* preset = "";
  };
  const Case cases[] = {
      {"openai/gpt-oss-20b:free:online", "openai/gpt-oss-20b", {Variant::kFree, Variant::kOnline}},
      {"a/b:extended", "a/b", {Variant::kExtended}},
      {"a/b:thinking", "a/b", {Variant::kThinking}},
      {"a/b:batch", "a/b", {Variant::kBatch}},
      {"a/b:nitro", "a/b", {Variant::kNitro}},
      {"a/b:floor", "a/b", {Variant::kFloor}},
      {"a/b:exacto", "a/b", {Variant::kExacto}},
      {"llama3:8b", "llama3:8b", {}},
      {"llama3:8b:free", "llama3:8b", {Variant::kFree}},
      {"a/b:free:8b", "a/b:free:8b", {}},
      {"a/b:", "a/b:", {}},
      {"a/b:FREE", "a/b:FREE", {}},
      {"a/b:nitro@preset/mine", "a/b", {Variant::kNitro}, "mine"},
      {"@preset/mine", "", {}, "mine"},
  };
  for (const Case& each : cases) {
    const ModelName name = split_model_name(each.name);
    EXPECT_EQ(name.full, each.name);
    EXPECT_EQ(name.base, each.base) << each.name;
    EXPECT_EQ(name.preset, each.preset) << each.name;
    std::uint8_t expected = 0;
    for (const Variant variant : each.variants) {
      expected = static_cast<std::uint8_t>(expected | 1U << static_cast<unsigned>(variant));
    }
    EXPECT_EQ(name.variants, expected) << each.name;
  }
}

TEST(RoutingFields, ReadsTheProviderListsInOrder) {
  const auto reading = provider(
      R"("ignore":["c"],"order":["deepinfra/turbo","\u0061","Moonshot AI"],"only":["a","b"])");
  const ProviderPreferences& provider = reading->fields.provider;
  EXPECT_TRUE(provider.set);
  ASSERT_EQ(provider.order().size(), 3u);
  EXPECT_EQ(provider.order()[0], "deepinfra/turbo");
  EXPECT_EQ(provider.order()[1], "a");
  EXPECT_EQ(provider.order()[2], "Moonshot AI");
  ASSERT_EQ(provider.only().size(), 2u);
  EXPECT_EQ(provider.only()[1], "b");
  ASSERT_EQ(provider.ignore().size(), 1u);
  EXPECT_EQ(provider.ignore()[0], "c");
}

TEST(RoutingFields, ReadsTheProviderFlags) {
  const auto on = provider(R"("allow_fallbacks":false,"require_parameters":true,"zdr":true,)"
                           R"("enforce_distillable_text":true,"data_collection":"deny")");
  EXPECT_FALSE(on->fields.provider.allow_fallbacks);
  EXPECT_TRUE(on->fields.provider.require_parameters);
  EXPECT_TRUE(on->fields.provider.zdr);
  EXPECT_TRUE(on->fields.provider.enforce_distillable_text);
  EXPECT_EQ(on->fields.provider.data_collection, DataCollection::kDeny);
  const auto off = provider(R"("zdr":false,"\u0064ata_collection":"allow")");
  EXPECT_FALSE(off->fields.provider.zdr);
  EXPECT_EQ(off->fields.provider.data_collection, DataCollection::kAllow);
}

TEST(RoutingFields, ReadsBothFormsOfSort) {
  EXPECT_EQ(provider(R"("sort":"price")")->fields.provider.sort, ProviderSort::kPrice);
  EXPECT_EQ(provider(R"("sort":"throughput")")->fields.provider.sort, ProviderSort::kThroughput);
  EXPECT_EQ(provider(R"("sort":"latency")")->fields.provider.sort, ProviderSort::kLatency);
  EXPECT_EQ(provider(R"("sort":"exacto")")->fields.provider.sort, ProviderSort::kExacto);
  EXPECT_EQ(provider(R"("sort":"price")")->fields.provider.partition, SortPartition::kUnset);
  const auto object = provider(R"("sort":{"partition":"none","by":"latency"})");
  EXPECT_EQ(object->fields.provider.sort, ProviderSort::kLatency);
  EXPECT_EQ(object->fields.provider.partition, SortPartition::kNone);
  const auto model = provider(R"("sort":{"partition":"model"})");
  EXPECT_EQ(model->fields.provider.sort, ProviderSort::kUnset);
  EXPECT_EQ(model->fields.provider.partition, SortPartition::kModel);
}

TEST(RoutingFields, ReadsTheOldNameOfAPartition) {
  EXPECT_EQ(read_good(R"({"route":"fallback"})")->fields.provider.partition, SortPartition::kModel);
  EXPECT_EQ(read_good(R"({"route":"sort"})")->fields.provider.partition, SortPartition::kNone);
  EXPECT_EQ(read_good(R"({"route":"sort","provider":{"sort":{"partition":"none"}}})")
                ->fields.provider.partition,
            SortPartition::kNone);
}

TEST(RoutingFields, ReadsEveryQuantization) {
  for (std::size_t i = 0; i < kQuantizationCount; ++i) {
    const auto quantization = static_cast<Quantization>(i);
    const std::string name(quantization_name(quantization));
    EXPECT_EQ(find_quantization(name), quantization);
    const auto reading = provider("\"quantizations\":[\"" + name + "\"]");
    EXPECT_EQ(reading->fields.provider.quantizations, 1U << i) << name;
  }
  EXPECT_EQ(provider(R"("quantizations":["int4","fp8"])")->fields.provider.quantizations,
            1U << static_cast<unsigned>(Quantization::kInt4) |
                1U << static_cast<unsigned>(Quantization::kFp8));
  EXPECT_FALSE(find_quantization("fp7"));
}

TEST(RoutingFields, ReadsBothFormsOfCutoffs) {
  const auto plain = provider(R"("preferred_min_throughput":50,"preferred_max_latency":1.5)");
  const ProviderPreferences& p = plain->fields.provider;
  EXPECT_EQ(p.min_throughput.set, 1U << PercentileCutoffs::kP50) << "a number is p50";
  EXPECT_EQ(p.min_throughput.values[PercentileCutoffs::kP50], 50);
  EXPECT_EQ(p.max_latency.values[PercentileCutoffs::kP50], 1.5);
  const auto object = provider(
      R"("preferred_min_throughput":{"p99":1,"p75":2},"preferred_max_latency":{"p90":3,"p50":4})");
  const ProviderPreferences& q = object->fields.provider;
  EXPECT_TRUE(q.min_throughput.has(PercentileCutoffs::kP99));
  EXPECT_FALSE(q.min_throughput.has(PercentileCutoffs::kP50));
  EXPECT_EQ(q.min_throughput.values[PercentileCutoffs::kP99], 1);
  EXPECT_EQ(q.min_throughput.values[PercentileCutoffs::kP75], 2);
  EXPECT_EQ(q.max_latency.values[PercentileCutoffs::kP90], 3);
  EXPECT_EQ(q.max_latency.values[PercentileCutoffs::kP50], 4);
}

TEST(RoutingFields, ReadsPricesAsNumbersAndAsStrings) {
  const auto reading = provider(
      R"("max_price":{"prompt":0.15,"completion":"0.6","request":0,"image":"1e-3","audio":1e30})");
  const PriceCeilings& price = reading->fields.provider.max_price;
  EXPECT_EQ(price.prompt, 150'000'000);
  EXPECT_EQ(price.completion, 600'000'000);
  EXPECT_EQ(price.request, 0);
  EXPECT_EQ(price.image, 1'000'000);
  EXPECT_EQ(price.audio, 1'000'000'000'000'000'000) << "cut, not overflown";
}

TEST(RoutingFields, ReadsTheServiceTiers) {
  struct Case {
    const char* name;
    ServiceTier tier;
  };
  const Case cases[] = {
      {"auto", ServiceTier::kAuto},     {"default", ServiceTier::kDefault},
      {"flex", ServiceTier::kFlex},     {"priority", ServiceTier::kPriority},
      {"fast", ServiceTier::kPriority}, {"scale", ServiceTier::kScale},
  };
  for (const Case& each : cases) {
    const auto reading = read_good("{\"service_tier\":\"" + std::string(each.name) + "\"}");
    EXPECT_EQ(reading->fields.service_tier, each.tier) << each.name;
  }
}

TEST(RoutingFields, ReadsToolsAndTheirChoice) {
  EXPECT_TRUE(
      read_good(R"({"tools":[{"type":"function"}]})")->fields.parameters.has(Parameter::kTools));
  EXPECT_FALSE(read_good(R"({"tools":[]})")->fields.parameters.has(Parameter::kTools))
      << "an empty list asks for nothing";
  EXPECT_FALSE(read_good(R"({"tools":[{"type":"function"}]})")->fields.has_server_tools);
  EXPECT_TRUE(
      read_good(R"({"tools":[{},{"type":"openrouter:web_search"}]})")->fields.has_server_tools);
  struct Case {
    const char* value;
    ToolChoice choice;
  };
  const Case cases[] = {
      {R"("none")", ToolChoice::kNone},
      {R"("auto")", ToolChoice::kAuto},
      {R"("required")", ToolChoice::kRequired},
      {R"("any")", ToolChoice::kOther},
      {R"({"type":"function","function":{"name":"f"}})", ToolChoice::kFunction},
      {R"({"type":"allowed_tools"})", ToolChoice::kOther},
  };
  for (const Case& each : cases) {
    const auto reading = read_good("{\"tool_choice\":" + std::string(each.value) + "}");
    EXPECT_EQ(reading->fields.tool_choice, each.choice) << each.value;
  }
}

TEST(RoutingFields, ReadsTheResponseFormat) {
  const auto format = [](const char* name) {
    return read_good("{\"response_format\":{\"type\":\"" + std::string(name) + "\"}}");
  };
  EXPECT_EQ(format("json_object")->fields.response_format, ResponseFormat::kJsonObject);
  EXPECT_EQ(format("grammar")->fields.response_format, ResponseFormat::kGrammar);
  EXPECT_EQ(format("python")->fields.response_format, ResponseFormat::kPython);
  const auto text = format("text");
  EXPECT_EQ(text->fields.response_format, ResponseFormat::kText);
  EXPECT_TRUE(text->fields.parameters.empty()) << "every endpoint gives text";
  const auto schema = format("json_schema");
  EXPECT_EQ(schema->fields.response_format, ResponseFormat::kJsonSchema);
  EXPECT_TRUE(schema->fields.parameters.has(Parameter::kResponseFormat));
  EXPECT_TRUE(schema->fields.parameters.has(Parameter::kStructuredOutputs));
  EXPECT_FALSE(format("json_object")->fields.parameters.has(Parameter::kStructuredOutputs));
}

TEST(RoutingFields, ReadsReasoningInBothSpellings) {
  const auto object = read_good(
      R"({"reasoning":{"effort":"xhigh","max_tokens":100,"enabled":false,"exclude":true,"mode":1}})");
  const ReasoningWish& wish = object->fields.reasoning;
  EXPECT_EQ(wish.effort, ReasoningEffort::kXhigh);
  EXPECT_EQ(wish.max_tokens, 100);
  EXPECT_TRUE(wish.enabled_set);
  EXPECT_FALSE(wish.enabled);
  EXPECT_TRUE(wish.exclude);
  EXPECT_EQ(read_good(R"({"reasoning_effort":"minimal"})")->fields.reasoning.effort,
            ReasoningEffort::kMinimal);
  EXPECT_EQ(read_good(R"({"reasoning_effort":"low","reasoning":{"effort":"low"}})")
                ->fields.reasoning.effort,
            ReasoningEffort::kLow);
  EXPECT_EQ(reasoning_effort_name(ReasoningEffort::kXhigh), "xhigh");
}

TEST(RoutingFields, NotesEveryParameter) {
  for (std::size_t i = 0; i < kParameterCount; ++i) {
    const auto parameter = static_cast<Parameter>(i);
    const std::string name(parameter_name(parameter));
    EXPECT_EQ(find_parameter(name), parameter);
    std::string value = "1";
    if (name == "tools") value = "[{}]";
    if (name == "tool_choice") value = R"("auto")";
    if (name == "response_format") value = R"({"type":"json_object"})";
    if (name == "reasoning") value = "{}";
    if (name == "reasoning_effort") value = R"("low")";
    if (name == "include_reasoning") value = "true";
    if (name == "service_tier") value = R"("auto")";
    if (name == "modalities") value = R"(["text"])";
    if (name == "user" || name == "prompt_cache_key") value = R"("u")";
    const auto reading = read_good("{\"" + name + "\":" + value + "}");
    EXPECT_EQ(reading->fields.parameters, ParameterSet{parameter}) << name;
  }
  EXPECT_FALSE(find_parameter("model"));
  EXPECT_FALSE(find_parameter("colour"));
  EXPECT_TRUE(kRoutingParameters.has(Parameter::kWebSearchOptions));
  EXPECT_FALSE(kRoutingParameters.has(Parameter::kServiceTier));
}

TEST(RoutingFields, SeesWhatStandsInMessages) {
  const auto modalities = [](const char* messages) {
    const auto reading = read_good("{\"messages\":" + std::string(messages) + "}");
    return reading->fields.input_modalities;
  };
  const auto bit = [](Modality modality) { return 1U << static_cast<unsigned>(modality); };
  EXPECT_EQ(modalities(R"([{"role":"user","content":"image_url"}])"), bit(Modality::kText));
  EXPECT_EQ(modalities(R"([{"content":[{"type":"image_url","image_url":{"url":"x"}}]}])"),
            bit(Modality::kImage));
  EXPECT_EQ(modalities(R"([{"content":[{"text":"input_audio","type":"text"}]},)"
                       R"({"content":[{"type":"input_audio"}]}])"),
            bit(Modality::kText) | bit(Modality::kAudio));
  EXPECT_EQ(modalities(R"([{"content":[{"type":"file"},{"type":"video_url"}]}])"),
            bit(Modality::kFile) | bit(Modality::kVideo));
  EXPECT_EQ(modalities(R"([{"cont\u0065nt":[{"typ\u0065":"im\u0061ge_url"}]}])"),
            bit(Modality::kImage))
      << "an escape hides nothing";
  EXPECT_EQ(modalities(R"([{"content":null},{"content":7},{"content":["x",1]}])"), 0)
      << "the provider's to judge";
}

TEST(RoutingFields, ReadsTheKeysOfAConversation) {
  const auto reading = read_good(
      R"({"session_id":"s\n1","user":"u","prompt_cache_key":"k","preset":"p","messages":[)"
      R"({"role":"user","content":"first"},{"content":"be brief","role":"developer"},)"
      R"({"role":"system","content":"2"},{"role":"user","content":"3"}]})");
  const RoutingFields& fields = reading->fields;
  EXPECT_EQ(fields.session_id, "s\n1");
  EXPECT_EQ(fields.user, "u");
  EXPECT_EQ(fields.prompt_cache_key, "k");
  EXPECT_EQ(fields.preset, "p");
  EXPECT_EQ(fields.first_other_message, R"({"role":"user","content":"first")");
  EXPECT_EQ(fields.first_system_message, R"({"content":"be brief","role":"developer")");
}

TEST(RoutingFields, NotesWhatOtherPartsMustAnswer) {
  const auto reading = read_good(
      R"({"plugins":[{"id":"web"}],"transforms":["middle-out"],"modalities":["text","image"],)"
      R"("messages":[{"role":"assistant","reasoning_details":[{"type":"reasoning.encrypted"}]}]})");
  EXPECT_TRUE(reading->fields.has_plugins);
  EXPECT_TRUE(reading->fields.has_transforms);
  EXPECT_TRUE(reading->fields.extras.has_reasoning);
  EXPECT_EQ(reading->fields.output_modalities, 3);
  const auto empty =
      read_good(R"({"plugins":[],"transforms":[ ],"messages":[{"content":"reasoning"}]})");
  EXPECT_FALSE(empty->fields.has_plugins);
  EXPECT_FALSE(empty->fields.has_transforms);
  EXPECT_FALSE(empty->fields.extras.has_reasoning);
}

struct Malformed {
  std::string body;
  const char* param;
};

TEST(RoutingFields, NamesTheFieldThatIsWrong) {
  const Malformed cases[] = {
      {R"({"model":7})", "model"},
      {R"({"model":""})", "model"},
      {R"({"model":":free"})", "model"},
      {R"({"model":"a:nitro:floor"})", "model"},
      {R"({"model":"a:exacto:nitro"})", "model"},
      {"{\"model\":\"" + long_text(kSlugBytesMax + 1) + "\"}", "model"},
      {R"({"models":"a"})", "models"},
      {R"({"models":{"a":1}})", "models"},
      {R"({"models":["a",1]})", "models[1]"},
      {R"({"models":["a",null]})", "models[1]"},
      {R"({"models":["a","b",""]})", "models[2]"},
      {R"({"models":["a:floor:exacto"]})", "models[0]"},
      {"{\"models\":[\"" + long_text(kSlugBytesMax + 1) + "\"]}", "models[0]"},
      {R"({"route":"fall"})", "route"},
      {R"({"route":1})", "route"},
      {R"({"route":"fallback","provider":{"sort":{"partition":"none"}}})", "route"},
      {R"({"session_id":1})", "session_id"},
      {"{\"session_id\":\"" + long_text(kSessionIdMax + 1) + "\"}", "session_id"},
      {R"({"user":{}})", "user"},
      {R"({"prompt_cache_key":[]})", "prompt_cache_key"},
      {R"({"preset":1})", "preset"},
      {R"({"service_tier":"gold"})", "service_tier"},
      {R"({"service_tier":1})", "service_tier"},
      {R"({"tools":{}})", "tools"},
      {R"({"tools":[{},"x"]})", "tools[1]"},
      {R"({"tool_choice":1})", "tool_choice"},
      {R"({"response_format":"json"})", "response_format"},
      {R"({"response_format":{}})", "response_format.type"},
      {R"({"response_format":{"type":"xml"}})", "response_format.type"},
      {R"({"reasoning":"high"})", "reasoning"},
      {R"({"reasoning":{"effort":"huge"}})", "reasoning.effort"},
      {R"({"reasoning":{"effort":""}})", "reasoning.effort"},
      {R"({"reasoning":{"max_tokens":-1}})", "reasoning.max_tokens"},
      {R"({"reasoning":{"max_tokens":1.5}})", "reasoning.max_tokens"},
      {R"({"reasoning":{"enabled":1}})", "reasoning.enabled"},
      {R"({"reasoning":{"exclude":"yes"}})", "reasoning.exclude"},
      {R"({"include_reasoning":"no"})", "include_reasoning"},
      {R"({"reasoning_effort":1})", "reasoning_effort"},
      {R"({"reasoning_effort":"low","reasoning":{"effort":"high"}})", "reasoning_effort"},
      {R"({"modalities":"text"})", "modalities"},
      {R"({"modalities":["text","smell"]})", "modalities[1]"},
      {R"({"plugins":{}})", "plugins"},
      {R"({"transforms":"x"})", "transforms"},
      {R"({"messages":{}})", "messages"},
      {R"({"messages":[{},"x"]})", "messages[1]"},
      {R"({"provider":[]})", "provider"},
      {R"({"provider":"openai"})", "provider"},
  };
  for (const Malformed& each : cases) {
    const auto reading = read(each.body);
    EXPECT_FALSE(reading->ok) << each.body;
    EXPECT_EQ(reading->fault.param(), each.param) << each.body;
    EXPECT_STRNE(reading->fault.message(), "") << each.body;
  }
}

TEST(RoutingFields, NamesTheProvidersFieldThatIsWrong) {
  const Malformed cases[] = {
      {R"("order":"a")", "provider.order"},
      {R"("order":["a","b",3])", "provider.order[2]"},
      {R"("order":[""])", "provider.order[0]"},
      {R"("only":{})", "provider.only"},
      {R"("only":[["a"]])", "provider.only[0]"},
      {R"("ignore":1)", "provider.ignore"},
      {R"("ignore":[null])", "provider.ignore[0]"},
      {"\"order\":[\"" + long_text(kSlugBytesMax + 1) + "\"]", "provider.order[0]"},
      {R"("allow_fallbacks":"no")", "provider.allow_fallbacks"},
      {R"("require_parameters":1)", "provider.require_parameters"},
      {R"("zdr":"true")", "provider.zdr"},
      {R"("enforce_distillable_text":0)", "provider.enforce_distillable_text"},
      {R"("data_collection":"maybe")", "provider.data_collection"},
      {R"("data_collection":true)", "provider.data_collection"},
      {R"("quantizations":"fp8")", "provider.quantizations"},
      {R"("quantizations":["fp8","fp9"])", "provider.quantizations[1]"},
      {R"("quantizations":[8])", "provider.quantizations[0]"},
      {R"("sort":"best")", "provider.sort"},
      {R"("sort":1)", "provider.sort"},
      {R"("sort":["price"])", "provider.sort"},
      {R"("sort":{"by":"best"})", "provider.sort.by"},
      {R"("sort":{"partition":"all"})", "provider.sort.partition"},
      {R"("sort":{"order":"asc"})", "provider.sort.order"},
      {R"("sort":{"by":"price","by":"latency"})", "provider.sort"},
      {R"("preferred_min_throughput":"50")", "provider.preferred_min_throughput"},
      {R"("preferred_min_throughput":-1)", "provider.preferred_min_throughput"},
      {R"("preferred_min_throughput":{"p95":1})", "provider.preferred_min_throughput.p95"},
      {R"("preferred_max_latency":[1])", "provider.preferred_max_latency"},
      {R"("preferred_max_latency":{"p50":"1"})", "provider.preferred_max_latency"},
      {R"("preferred_max_latency":{"p50":1,"p50":2})", "provider.preferred_max_latency"},
      {R"("max_price":1)", "provider.max_price"},
      {R"("max_price":{"prompt":-1})", "provider.max_price.prompt"},
      {R"("max_price":{"completion":"free"})", "provider.max_price.completion"},
      {R"("max_price":{"request":""})", "provider.max_price.request"},
      {R"("max_price":{"image":"inf"})", "provider.max_price.image"},
      {R"("max_price":{"audio":true})", "provider.max_price.audio"},
      {R"("max_price":{"audio":1,"audio":2})", "provider.max_price.audio"},
      {R"("max_price":{"video":1})", "provider.max_price.video"},
      {R"("orders":["a"])", "provider.orders"},
      {R"("options":{})", "provider.options"},
      {R"("order":["a"],"order":["b"])", "provider.order"},
      {R"("zdr":true,"\u007adr":false)", "provider.zdr"},
      {R"("only":["a","b"],"ignore":["c","B"])", "provider.ignore[1]"},
      {R"("ignore":["a"],"order":["a"])", "provider.ignore[0]"},
  };
  for (const Malformed& each : cases) {
    const auto reading = read("{\"provider\":{" + each.body + "}}");
    EXPECT_FALSE(reading->ok) << each.body;
    EXPECT_EQ(reading->fault.param(), each.param) << each.body;
    EXPECT_STRNE(reading->fault.message(), "") << each.body;
  }
}

// A key that got into the wrong place must not come back in an answer that is logged somewhere.
TEST(RoutingFields, NeverRepeatsAnUnknownKeyThatIsNoName) {
  EXPECT_EQ(read(R"({"provider":{"sk-or-v1-abc":1}})")->fault.param(), "provider");
  EXPECT_EQ(read("{\"provider\":{\"" + long_text(33) + "\":1}}")->fault.param(), "provider");
  EXPECT_EQ(read(R"({"provider":{"":1}})")->fault.param(), "provider");
  EXPECT_EQ(read(R"({"provider":{"a\"b":1}})")->fault.param(), "provider");
}

std::string list_of(std::size_t count) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i) {
    list += (i == 0 ? "\"p" : ",\"p") + std::to_string(i) + "\"";
  }
  return list + "]";
}

TEST(RoutingFields, TakesListsUpToTheirMaximaAndNoLonger) {
  EXPECT_EQ(read_good("{\"models\":" + list_of(kModelsMax) + "}")->fields.models().size(),
            kModelsMax);
  EXPECT_EQ(read("{\"models\":" + list_of(kModelsMax + 1) + "}")->fault.param(), "models[16]");
  EXPECT_EQ(read("{\"model\":\"m\",\"models\":" + list_of(kModelsMax) + "}")->fault.param(),
            "models[15]");
  const auto most = read_good("{\"provider\":{\"ignore\":" + list_of(kProviderSlugsMax) + "}}");
  EXPECT_EQ(most->fields.provider.ignore().size(), kProviderSlugsMax);
  EXPECT_EQ(most->fields.provider.ignore().back(), "p127");
  EXPECT_EQ(read("{\"provider\":{\"only\":[\"x\"],\"ignore\":" + list_of(kProviderSlugsMax) + "}}")
                ->fault.param(),
            "provider.ignore[127]");
}

// Escaped texts share one room: more than it holds is refused, and never mixed up.
TEST(RoutingFields, RefusesMoreEscapesThanItHasRoomFor) {
  std::string body = R"({"model":"\u0061)" + long_text(200) + R"(","models":[)";
  for (int i = 0; i < 8; ++i) body += (i == 0 ? "\"" : ",\"") + long_text(200) + R"(\u0062")";
  const auto reading = read(body + "]}");
  EXPECT_FALSE(reading->ok);
  EXPECT_EQ(reading->fields.models()[0].full, "a" + long_text(200));
  EXPECT_EQ(reading->fields.models()[1].full, long_text(200) + "b");
  EXPECT_TRUE(reading->fault.param().starts_with("models["));
}

}  // namespace
}  // namespace leat::dialect
