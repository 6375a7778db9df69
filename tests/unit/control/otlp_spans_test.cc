// SPDX-License-Identifier: Apache-2.0
// Goal: a collector finds one span of the request and one below it for each attempt, with the names
// and types that the conventions have, and tokens in one place only.
// Method: an event of two attempts, read back by a JSON parser. A strict decoder of whole exports
// is among the system tests.
#include "control/otlp_spans.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <string>

#include "../ledger/sample_record.h"

namespace leat::control {
namespace {

using gateway::RequestEvent;
using simdjson::dom::element;

RequestEvent sample_event() {
  RequestEvent event;
  event.record = ledger::sample_record();
  event.record.began = {1'700'000'000'000'000'000};
  event.attempts[0] = {.model = "some/first", .total = milliseconds(10)};
  event.attempts[1] = {.model = "some/model", .total = milliseconds(20)};
  event.method = "POST";
  event.path = "/v1/chat/completions";
  event.client = io::Address::v4(192, 0, 2, 7, 4711);
  event.total = seconds(15);
  event.trace = {.trace_id = {1}, .span_id = {2}, .flags = 1};
  event.parent = {3};
  return event;
}

class Spans : public testing::Test {
 protected:
  Spans() {
    options_.trace.service_name = "edge \"1\"";
    Provider provider;
    provider.name = "one";
    provider.base_url.host = "api.one.example";
    options_.providers.push_back(provider);
  }
  simdjson::dom::array read(const RequestEvent& event, std::size_t count) {
    const OtlpSpans spans(options_);
    text_ = spans.head();
    EXPECT_EQ(spans.append(event, text_), count);
    text_ += OtlpSpans::kTail;
    element root;
    EXPECT_EQ(parser_.parse(text_).get(root), simdjson::SUCCESS) << text_;
    resource_ = root["resourceSpans"].at(0)["resource"];
    return root["resourceSpans"].at(0)["scopeSpans"].at(0)["spans"];
  }
  // The value of an attribute, as its type has it; a null element: there is none.
  static std::string value(element of, std::string_view key) {
    std::string found;
    for (const element each : simdjson::dom::array(of["attributes"])) {
      if (std::string_view(each["key"]) != key) continue;
      EXPECT_EQ(found, "") << "twice: " << key;
      found = simdjson::minify(each["value"]);
    }
    return found;
  }

  Options options_;
  simdjson::dom::parser parser_;
  std::string text_;
  element resource_;
};

TEST_F(Spans, TheRequestIsAnHttpServersSpan) {
  const element span = read(sample_event(), 3).at(0);
  EXPECT_EQ(std::string_view(span["traceId"]), "01000000000000000000000000000000");
  EXPECT_EQ(std::string_view(span["spanId"]), "0200000000000000");
  EXPECT_EQ(std::string_view(span["parentSpanId"]), "0300000000000000");
  EXPECT_EQ(std::int64_t(span["flags"]), 0x301);
  EXPECT_EQ(std::string_view(span["name"]), "POST /v1/chat/completions");
  EXPECT_EQ(std::int64_t(span["kind"]), 2);
  EXPECT_EQ(std::string_view(span["startTimeUnixNano"]), "1700000000000000000");
  EXPECT_EQ(std::string_view(span["endTimeUnixNano"]), "1700000015000000000");
  EXPECT_EQ(value(span, "http.response.status_code"), R"({"intValue":"200"})");
  EXPECT_EQ(value(span, "client.address"), R"({"stringValue":"192.0.2.7"})");
  EXPECT_EQ(value(span, "gen_ai.usage.input_tokens"), "");
  EXPECT_EQ(value(resource_, "service.name"), R"({"stringValue":"edge \"1\""})");
}

TEST_F(Spans, AnAttemptIsAGenAiClientsSpanBelowIt) {
  const simdjson::dom::array spans = read(sample_event(), 3);
  const element first = spans.at(1);
  const element second = spans.at(2);
  for (const element each : {first, second}) {
    EXPECT_EQ(std::string_view(each["parentSpanId"]), "0200000000000000");
    EXPECT_EQ(std::int64_t(each["kind"]), 3);
    EXPECT_EQ(value(each, "gen_ai.operation.name"), R"({"stringValue":"chat"})");
  }
  EXPECT_NE(std::string_view(first["spanId"]), std::string_view(second["spanId"]));
  EXPECT_EQ(std::string_view(first["name"]), "chat some/first");
  EXPECT_EQ(std::string_view(first["startTimeUnixNano"]), "1700000000001000000");
  EXPECT_EQ(std::string_view(first["endTimeUnixNano"]), "1700000000011000000");
  EXPECT_EQ(value(first, "error.type"), R"({"stringValue":"ambiguous"})");
  EXPECT_EQ(std::int64_t(first["status"]["code"]), 2);
  EXPECT_EQ(value(first, "gen_ai.usage.input_tokens"), "");
  EXPECT_EQ(value(first, "server.address"), "");
  EXPECT_EQ(value(second, "gen_ai.provider.name"), R"({"stringValue":"one"})");
  EXPECT_EQ(value(second, "gen_ai.request.model"), R"({"stringValue":"some/model"})");
  EXPECT_EQ(value(second, "gen_ai.response.model"), R"({"stringValue":"some/model"})");
  EXPECT_EQ(value(second, "gen_ai.response.finish_reasons"),
            R"({"arrayValue":{"values":[{"stringValue":"length"}]}})");
  EXPECT_EQ(value(second, "gen_ai.usage.input_tokens"), R"({"intValue":"1000017"})");
  EXPECT_EQ(value(second, "gen_ai.usage.output_tokens"), R"({"intValue":"2400"})");
  EXPECT_EQ(value(second, "server.address"), R"({"stringValue":"api.one.example"})");
  EXPECT_EQ(value(second, "server.port"), R"({"intValue":"443"})");
  EXPECT_EQ(value(second, "error.type"), "");
}

TEST_F(Spans, WhatTheClientGotWrongIsNoErrorOfTheServer) {
  const auto is_error = [&](std::uint16_t status, std::string_view reason) {
    RequestEvent event;
    event.trace = {.trace_id = {1}, .span_id = {2}, .flags = 1};
    event.record.status = status;
    event.reason = reason;
    const element span = read(event, 1).at(0);
    EXPECT_EQ(std::string_view(span["name"]), "HTTP");
    EXPECT_EQ(value(span, "error.type").empty(), reason.empty());
    return span["status"].error() == simdjson::SUCCESS;
  };
  EXPECT_FALSE(is_error(401, "authentication"));
  EXPECT_FALSE(is_error(200, ""));
  EXPECT_TRUE(is_error(502, "provider_unavailable"));
  EXPECT_TRUE(is_error(200, "upstream_closed"));
}

}  // namespace
}  // namespace leat::control
