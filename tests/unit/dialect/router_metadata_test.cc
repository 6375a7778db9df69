// SPDX-License-Identifier: Apache-2.0
// Goal: a client that asks what the router did reads it where its SDK looks, and one that does not
// ask gets no byte of it; an error tells why no endpoint could serve.
// Method: what was written, read back through simdjson.
#include "dialect/router_metadata.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>
#include <vector>

#include "dialect/openai_stream.h"

namespace leat::dialect {
namespace {

using simdjson::dom::element;

class RouterMetadataTest : public testing::Test {
 protected:
  element parse(std::string_view text) {
    element root;
    EXPECT_EQ(parser_.parse(text.data(), text.size()).get(root), simdjson::SUCCESS) << text;
    return root;
  }
  element write(const RouterMetadata& metadata) {
    room_.resize(kMetadataBytesMax);
    proto::JsonWriter out(room_);
    write_router_metadata(metadata, out);
    EXPECT_FALSE(out.overflowed());
    text_ = std::string(out.text());
    return parse(text_);
  }
  static std::string_view text_of(element value) { return value.get_string().value(); }

  simdjson::dom::parser parser_;
  std::string room_;
  std::string text_;
};

const RouterAttempt kAttempts[] = {
    {.model = "a/b",
     .provider = "One",
     .status = 503,
     .started_ms = 1,
     .duration_ms = 20,
     .reason = "overload"},
    {.model = "a/b", .provider = "Two", .status = 200, .started_ms = 22, .first_token_ms = 300},
};
const RouterEndpoint kEndpoints[] = {{"a/b", "One", false}, {"a/b", "Two", true}};
const Exclusion kExclusions[] = {{"three", "a/b", "max_price"}};

RouterMetadata sample() {
  RouterMetadata metadata;
  metadata.requested = "a/b";
  metadata.strategy = RoutingStrategy::kFallback;
  metadata.attempts = kAttempts;
  metadata.available = kEndpoints;
  metadata.endpoints_total = 3;
  metadata.generation_time_ms = 2'016;
  metadata.exclusions = kExclusions;
  metadata.dropped_parameters = {Parameter::kSeed, Parameter::kTopK};
  return metadata;
}

TEST_F(RouterMetadataTest, TellsWhatTheSdkDemands) {
  const element root = write(sample());
  EXPECT_EQ(text_of(root["requested"]), "a/b");
  EXPECT_EQ(text_of(root["strategy"]), "fallback");
  EXPECT_TRUE(root["region"].is_null());
  EXPECT_FALSE(root["is_byok"].get_bool().value());
  EXPECT_EQ(root["attempt"].get_int64().value(), 2);
  EXPECT_EQ(root["generation_time"].get_int64().value(), 2'016);
  EXPECT_EQ(root["endpoints"]["total"].get_int64().value(), 3);
  EXPECT_EQ(text_of(root["endpoints"]["available"].at(0)["provider"]), "One");
  EXPECT_FALSE(root["endpoints"]["available"].at(0)["selected"].get_bool().value());
  EXPECT_TRUE(root["endpoints"]["available"].at(1)["selected"].get_bool().value());
  EXPECT_EQ(text_of(root["summary"]), "available=2, selected=Two");
}

TEST_F(RouterMetadataTest, TellsAttemptsWithTimesAndReasons) {
  const element root = write(sample());
  const element failed = root["attempts"].at(0);
  EXPECT_EQ(text_of(failed["model"]), "a/b");
  EXPECT_EQ(text_of(failed["provider"]), "One");
  EXPECT_EQ(failed["status"].get_int64().value(), 503);
  EXPECT_EQ(failed["started_ms"].get_int64().value(), 1);
  EXPECT_EQ(failed["duration_ms"].get_int64().value(), 20);
  EXPECT_EQ(text_of(failed["reason"]), "overload");
  EXPECT_NE(failed["first_token_ms"].error(), simdjson::SUCCESS) << "there was none";
  const element answered = root["attempts"].at(1);
  EXPECT_EQ(answered["first_token_ms"].get_int64().value(), 300);
  EXPECT_NE(answered["reason"].error(), simdjson::SUCCESS);
  EXPECT_EQ(text_of(root["excluded"].at(0)["reason"]), "max_price");
  EXPECT_EQ(text_of(root["dropped_parameters"].at(0)), "top_k");
  EXPECT_EQ(text_of(root["dropped_parameters"].at(1)), "seed");
}

TEST_F(RouterMetadataTest, LeavesOutWhatIsUnknown) {
  RouterMetadata metadata;
  metadata.region = "eu";
  metadata.is_byok = metadata.is_sticky = true;
  const element root = write(metadata);
  EXPECT_EQ(text_of(root["region"]), "eu");
  EXPECT_TRUE(root["is_byok"].get_bool().value());
  EXPECT_EQ(text_of(root["summary"]), "available=0, sticky");
  for (const char* key : {"generation_time", "excluded", "dropped_parameters"}) {
    EXPECT_NE(root[key].error(), simdjson::SUCCESS) << key;
  }
}

TEST_F(RouterMetadataTest, KnowsEveryStrategy) {
  const char* names[] = {"direct",   "auto",   "free",        "latest", "alias",
                         "fallback", "pareto", "bodybuilder", "fusion"};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    RouterMetadata metadata;
    metadata.strategy = static_cast<RoutingStrategy>(i);
    EXPECT_EQ(text_of(write(metadata)["strategy"]), names[i]);
  }
}

TEST_F(RouterMetadataTest, FitsHoweverMuchThereIsToTell) {
  const std::string name(500, 'n');
  const std::vector<RouterAttempt> attempts(
      100, {.model = name, .provider = name, .reason = name, .continues = true});
  const std::vector<RouterEndpoint> endpoints(100, {name, name, false});
  const std::vector<Exclusion> exclusions(100, {name, name, name});
  RouterMetadata metadata;
  metadata.requested = metadata.region = name;
  metadata.attempts = attempts;
  metadata.available = endpoints;
  metadata.endpoints_total = 200;
  metadata.exclusions = exclusions;
  metadata.dropped_parameters = kRoutingParameters;
  const element root = write(metadata);
  EXPECT_EQ(root["attempt"].get_int64().value(), 100);
  EXPECT_EQ(root["attempts"].get_array().value().size(), kToldAttemptsMax);
  EXPECT_EQ(root["endpoints"]["available"].get_array().value().size(), kToldEndpointsMax);
  EXPECT_EQ(root["endpoints"]["total"].get_int64().value(), 200);
}

TEST_F(RouterMetadataTest, GoesWithTheUsageChunkOnRequestOnly) {
  const ChatNormaliser normaliser({"gen-1", "m", "P", 1});
  const RouterMetadata metadata = sample();
  std::string room(kMetadataBytesMax + 4'096, '\0');
  proto::JsonWriter asked(room);
  normaliser.write_usage_chunk({.prompt = 1}, {}, asked, &metadata);
  const std::string_view chunk = asked.text();
  ASSERT_TRUE(chunk.starts_with("data: ") && chunk.ends_with("\n\n"));
  const element root = parse(chunk.substr(6, chunk.size() - 8));
  EXPECT_EQ(text_of(root["openrouter_metadata"]["requested"]), "a/b");
  EXPECT_EQ(root["choices"].get_array().value().size(), 0u);
  proto::JsonWriter unasked(room);
  normaliser.write_usage_chunk({.prompt = 1}, {}, unasked);
  EXPECT_EQ(unasked.text().find("openrouter_metadata"), std::string_view::npos);
}

TEST_F(RouterMetadataTest, GoesWithTheWholeAnswerOnRequestOnly) {
  const RouterMetadata metadata = sample();
  // A provider that is a router too tells its own: ours stands alone.
  const std::string body =
      R"({"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}],)"
      R"("openrouter_metadata":{"requested":"theirs"}})";
  std::string room(kMetadataBytesMax + 8'192, '\0');
  proto::JsonWriter asked(room);
  ChatNormaliser normaliser({"gen-1", "m", "P", 1});
  ASSERT_EQ(normaliser.write_completion(body, {}, {}, asked, &metadata), Normalised::kWritten);
  const element root = parse(asked.text());
  EXPECT_EQ(text_of(root["openrouter_metadata"]["requested"]), "a/b");
  EXPECT_EQ(asked.text().find("theirs"), std::string_view::npos);
  proto::JsonWriter unasked(room);
  ASSERT_EQ(normaliser.write_completion(body, {}, {}, unasked), Normalised::kWritten);
  EXPECT_EQ(unasked.text().find("openrouter_metadata"), std::string_view::npos);
}

TEST_F(RouterMetadataTest, ErrorsTellWhoWasExcludedAndWhy) {
  const std::string_view models[] = {"a/b"};
  const std::string_view causes[] = {"max_price", "quantization"};
  Availability availability;
  availability.requested_models = models;
  availability.excluded_by = causes;
  availability.constraint_field = "provider.max_price";
  availability.constraint_detail = "dearer than 1";
  ErrorDetail detail;
  detail.exclusions = kExclusions;
  detail.availability = &availability;
  std::string room(kErrorBytesMax, '\0');
  proto::JsonWriter out(room);
  write_error_body(Face::kOpenRouter, ErrorKind::kConstraintFiltered, detail, out);
  const element error = parse(out.text())["error"];
  EXPECT_EQ(error["code"].get_int64().value(), 404);
  const element told = error["availability"];
  EXPECT_EQ(text_of(told["code"]), "constraint_filtered");
  EXPECT_FALSE(told["retryable"].get_bool().value());
  EXPECT_EQ(text_of(told["requested_models"].at(0)), "a/b");
  EXPECT_EQ(text_of(told["excluded_by"].at(1)), "quantization");
  EXPECT_EQ(text_of(told["constraint"]["field"]), "provider.max_price");
  EXPECT_EQ(text_of(error["metadata"]["excluded"].at(0)["provider"]), "three");
  EXPECT_EQ(text_of(error["metadata"]["excluded"].at(0)["reason"]), "max_price");
  EXPECT_EQ(error["metadata"]["excluded_total"].get_int64().value(), 1);
}

TEST_F(RouterMetadataTest, ErrorsTellWhatFailedBeforeAndWhenToComeBack) {
  const PreviousError previous[] = {{"One", "rate_limit_exceeded", 429}};
  Availability availability;
  availability.retry_after_s = 7;
  ErrorDetail detail;
  detail.previous_errors = previous;
  detail.availability = &availability;
  std::string room(kErrorBytesMax, '\0');
  proto::JsonWriter out(room);
  write_error_body(Face::kOpenRouter, ErrorKind::kCapacityExhausted, detail, out);
  const element error = parse(out.text())["error"];
  EXPECT_TRUE(error["availability"]["retryable"].get_bool().value());
  EXPECT_EQ(error["availability"]["retry_after"].get_int64().value(), 7);
  EXPECT_EQ(text_of(error["metadata"]["previous_errors"].at(0)["provider"]), "One");
  EXPECT_EQ(error["metadata"]["previous_errors"].at(0)["status"].get_int64().value(), 429);
  proto::JsonWriter openai(room);
  write_error_body(Face::kOpenAi, ErrorKind::kCapacityExhausted, detail, openai);
  EXPECT_EQ(openai.text().find("availability"), std::string_view::npos);
  EXPECT_EQ(text_of(parse(openai.text())["error"]["code"]), "rate_limit_exceeded");
}

TEST_F(RouterMetadataTest, StatusesOfAvailabilityAreTheReferences) {
  struct Case {
    ErrorKind kind;
    const char* code;
    int status;
  };
  const Case cases[] = {
      {ErrorKind::kWrongEndpoint, "wrong_endpoint", 400},
      {ErrorKind::kNoEndpoints, "no_endpoints", 404},
      {ErrorKind::kModelDeprecated, "model_deprecated", 404},
      {ErrorKind::kModelUnavailableUpstream, "model_unavailable_upstream", 404},
      {ErrorKind::kPrivacyRestricted, "privacy_restricted", 404},
      {ErrorKind::kConstraintFiltered, "constraint_filtered", 404},
      {ErrorKind::kFreeVariantEnded, "free_variant_ended", 404},
      {ErrorKind::kRegionRestricted, "region_restricted", 403},
      {ErrorKind::kCapacityExhausted, "capacity_exhausted", 429},
      {ErrorKind::kTemporarilyUnavailable, "temporarily_unavailable", 503},
  };
  for (const Case& each : cases) {
    EXPECT_STREQ(availability_code(each.kind), each.code);
    EXPECT_EQ(error_row(each.kind).status, each.status) << each.code;
  }
  EXPECT_EQ(availability_code(ErrorKind::kServer), nullptr);
}

TEST_F(RouterMetadataTest, TheLargestErrorFits) {
  const std::string name(500, 'n');
  const std::vector<std::string_view> names(100, name);
  const std::vector<Exclusion> exclusions(100, {name, name, name});
  const std::vector<PreviousError> previous(100, {name, name, 500});
  Availability availability{1, names, names, names, names, name, name, name};
  const std::string raw(4'000, '"');
  ErrorDetail detail;
  detail.provider_raw = raw;
  detail.exclusions = exclusions;
  detail.previous_errors = previous;
  detail.availability = &availability;
  std::string room(kErrorBytesMax, '\0');
  proto::JsonWriter out(room);
  write_error_body(Face::kOpenRouter, ErrorKind::kNoEndpoints, detail, out);
  EXPECT_FALSE(out.overflowed());
  EXPECT_EQ(parse(out.text())["error"]["metadata"]["excluded_total"].get_int64().value(), 100);
}

}  // namespace
}  // namespace leat::dialect
