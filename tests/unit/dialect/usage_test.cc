// SPDX-License-Identifier: Apache-2.0
// Goal: whatever a provider says that it counted, and wherever it says so, is read as the same
// classes of tokens, each within its whole, so that it can be charged; and what goes out is what
// clients take.
// Method: the spellings of provider-formats.md sections 1b and 4, each with the sum that is due;
// numbers that no provider should send; objects written and compared byte for byte.
#include "dialect/usage.h"

#include <gtest/gtest.h>

#include <string>

#include "dialect/openai_stream.h"
#include "proto/json_writer.h"

namespace leat::dialect {
namespace {

constexpr std::int32_t kAbsent = ChatUsage::kAbsent;

ChatUsage in_event(std::string_view members) {
  const ChatEvent event = classify("{" + std::string(members) + "}");
  EXPECT_TRUE(event.has_usage) << members;
  return event.usage;
}

std::string written(const ChatUsage& usage, const UsageCost& cost) {
  char room[kUsageBytesMax];
  proto::JsonWriter out(room);
  write_usage(usage, cost, out);
  return std::string(out.text());
}

std::string with_cost(std::string_view text, const UsageCost& cost) {
  std::string room(text.size() + kUsageBytesMax, '\0');
  proto::JsonWriter out({room.data(), room.size()});
  return write_with_cost(text, classify(text).usage, cost, out) ? std::string(out.text()) : "";
}

TEST(Usage, IsFoundWhereverItStands) {
  const std::string choice = R"("choices":[{"delta":{"content":"x"},"finish_reason":"stop"}])";
  const std::string usage = R"("usage":{"prompt_tokens":7,"completion_tokens":2})";
  EXPECT_EQ(in_event(R"("choices":[],)" + usage).prompt, 7);
  EXPECT_EQ(in_event(choice + "," + usage).prompt, 7) << "on the finish chunk";
  EXPECT_EQ(in_event(usage + "," + choice).prompt, 7) << "before the choices";
  EXPECT_EQ(in_event(R"("choices":[{"delta":{},)" + usage + "}]").prompt, 7) << "Moonshot";
  EXPECT_EQ(in_event(R"("choices":[],"usage":null,"x_groq":{"id":"r",)" + usage + "}").prompt, 7);
  EXPECT_EQ(in_event(R"("usage":{},"x_groq":{)" + usage + "}").prompt, 7);
  EXPECT_FALSE(classify(R"({"choices":[],"usage":null})").has_usage);
  EXPECT_FALSE(classify(R"({"choices":[],"usage":{}})").has_usage);
  EXPECT_FALSE(classify(R"({"choices":[],"usage":[1],"timings":7})").has_usage);
}

TEST(Usage, AtTheTopCountsBeforeAllOthers) {
  const std::string other = R"({"prompt_tokens":1,"completion_tokens":1})";
  const std::string top = R"("usage":{"prompt_tokens":7,"completion_tokens":2})";
  EXPECT_EQ(in_event(R"("x_groq":{"usage":)" + other + "}," + top).prompt, 7);
  EXPECT_EQ(in_event(top + R"(,"choices":[{"delta":{},"usage":)" + other + "}]").prompt, 7);
  EXPECT_EQ(in_event(top + R"(,"timings":{"prompt_n":1,"predicted_n":1})").prompt, 7);
}

TEST(Usage, TimingsStandInForIt) {
  const ChatUsage usage =
      in_event(R"("choices":[],"timings":{"cache_n":20,"prompt_n":5,"predicted_n":9,"x":1.5})");
  EXPECT_EQ(usage.prompt, 25) << "what came from the cache is in no other count";
  EXPECT_EQ(usage.cached, 20);
  EXPECT_EQ(usage.completion, 9);
  EXPECT_FALSE(read_timings(R"({"prompt_n":5,"predicted_n")").present());
}

TEST(Usage, ReasoningBesideTheCompletionIsAdded) {
  const auto read = [](std::string_view counts) {
    return read_usage("{" + std::string(counts) + "}");
  };
  const ChatUsage told_by_total =
      read(R"("prompt_tokens":291,"completion_tokens":26,"total_tokens":513,)"
           R"("prompt_tokens_details":{"cached_tokens":290},)"
           R"("completion_tokens_details":{"reasoning_tokens":196})");
  EXPECT_EQ(told_by_total.completion, 222);
  EXPECT_EQ(told_by_total.prompt, 291) << "the cache is within";
  EXPECT_EQ(told_by_total.total, 513);
  const ChatUsage either = read(R"("prompt_tokens":291,"completion_tokens":26,"total_tokens":513,)"
                                R"("prompt_tokens_details":{"cached_tokens":196},)"
                                R"("completion_tokens_details":{"reasoning_tokens":196})");
  EXPECT_EQ(either.completion, 222);
  EXPECT_EQ(either.prompt, 291) << "what is beside is one of them, not both";
  // No total: more reasoning than completion cannot be within it.
  EXPECT_EQ(read(R"("completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":9})")
                .completion,
            11);
  // Perplexity's research: a total that leaves it out.
  const ChatUsage left_out = read(
      R"("prompt_tokens":33,"completion_tokens":71,"total_tokens":104,"reasoning_tokens":739)");
  EXPECT_EQ(left_out.completion, 810);
  EXPECT_EQ(left_out.total, 843);
  const ChatUsage within =
      read(R"("prompt_tokens":24,"completion_tokens":1355,"total_tokens":1379,)"
           R"("completion_tokens_details":{"reasoning_tokens":1084})");
  EXPECT_EQ(within.completion, 1355);
  EXPECT_EQ(within.reasoning, 1084);
  EXPECT_EQ(read(R"("completion_tokens":9,"reasoning_tokens":9)").completion, 9)
      << "an answer may be all reasoning";
  EXPECT_EQ(read(R"("prompt_tokens":4,"completion_tokens":9,"total_tokens":13,"cached_tokens":1)")
                .reasoning,
            kAbsent);
}

TEST(Usage, ThoughtThatOnlyTheTotalTellsIsReasoning) {
  const ChatUsage usage =
      read_usage(R"({"prompt_tokens":10,"completion_tokens":5,"total_tokens":40})");
  EXPECT_EQ(usage.completion, 30);
  EXPECT_EQ(usage.reasoning, 25);
  EXPECT_EQ(usage.total, 40);
}

TEST(Usage, CacheBesideThePromptIsAdded) {
  const auto read = [](std::string_view counts) {
    return read_usage("{" + std::string(counts) + "}");
  };
  const ChatUsage more =
      read(R"("prompt_tokens":12,"completion_tokens":1,)"
           R"("prompt_tokens_details":{"cached_tokens":100,"cache_write_tokens":8})");
  EXPECT_EQ(more.prompt, 120) << "more than the prompt cannot be within it";
  EXPECT_EQ(more.cached, 100);
  EXPECT_EQ(more.cache_write, 8);
  const ChatUsage by_total =
      read(R"("prompt_tokens":120,"completion_tokens":1,"total_tokens":221,"cached_tokens":100)");
  EXPECT_EQ(by_total.prompt, 220);
  EXPECT_EQ(by_total.completion, 1);
  const ChatUsage both = read(R"("prompt_tokens":120,"completion_tokens":9,"total_tokens":236,)"
                              R"("cached_tokens":100,"reasoning_tokens":7)");
  EXPECT_EQ(both.prompt, 220);
  EXPECT_EQ(both.completion, 16);
  const ChatUsage native =
      read(R"("input_tokens":120,"output_tokens":1,"cache_read_input_tokens":10,)"
           R"("cache_creation_input_tokens":30,"cache_creation":{"ephemeral_1h_input_tokens":10})");
  EXPECT_EQ(native.prompt, 160) << "these names never include the cache";
  EXPECT_EQ(native.cache_write, 30);
  EXPECT_EQ(native.cache_write_1h, 10);
  EXPECT_EQ(read(R"("input_tokens":120,"cache_read_input_tokens":9)").prompt, 129);
  EXPECT_EQ(read(R"("prompt_tokens":120,"cache_read_input_tokens":100)").prompt, 120);
  EXPECT_EQ(read(R"("input_tokens":120,"input_tokens_details":{"cached_tokens":100})").prompt, 120);
}

TEST(Usage, WhatIsMissingFollowsFromTheTotal) {
  EXPECT_EQ(read_usage(R"({"prompt_tokens":3,"total_tokens":7})").completion, 4);
  EXPECT_EQ(read_usage(R"({"completion_tokens":3,"total_tokens":7})").prompt, 4);
  EXPECT_EQ(read_usage(R"({"completion_tokens":3,"total_tokens":2})").prompt, kAbsent);
  EXPECT_EQ(read_usage(R"({"prompt_tokens":3,"completion_tokens":4})").total, kAbsent);
  EXPECT_NE(written({.prompt = 3, .completion = 4}, {}).find(R"("total_tokens":7)"),
            std::string::npos);
  EXPECT_EQ(read_usage(R"({"prompt_tokens":3,"completion_tokens":4,"total_tokens":2})").total, 7);
  EXPECT_EQ(read_usage(R"({"prompt_tokens":0,"completion_tokens":0})").prompt, 0);
}

TEST(Usage, OtherMediaAreKeptApart) {
  const ChatUsage usage = read_usage(
      R"({"prompt_tokens":90,"completion_tokens":50,"prompt_tokens_details":{"audio_tokens":20,)"
      R"("image_tokens":30,"video_tokens":4,"cached_tokens":9,)"
      R"("cached_tokens_details":{"text_tokens":2,"audio_tokens":7}},)"
      R"("completion_tokens_details":{"audio_tokens":11,"image_tokens":12,"reasoning_tokens":3,)"
      R"("accepted_prediction_tokens":5,"rejected_prediction_tokens":6},)"
      R"("server_tool_use":{"web_search_requests":2}})");
  EXPECT_EQ(usage.prompt_audio, 20);
  EXPECT_EQ(usage.prompt_image, 30);
  EXPECT_EQ(usage.prompt_video, 4);
  EXPECT_EQ(usage.cached, 9);
  EXPECT_EQ(usage.cached_audio, 7);
  EXPECT_EQ(usage.completion_audio, 11);
  EXPECT_EQ(usage.completion_image, 12);
  EXPECT_EQ(usage.accepted_prediction, 5);
  EXPECT_EQ(usage.rejected_prediction, 6);
  EXPECT_EQ(usage.web_searches, 2);
  EXPECT_EQ(read_usage(R"({"prompt_tokens":1,"num_search_queries":18})").web_searches, 18);
}

TEST(Usage, ACostIsReadInEveryUnit) {
  const auto cost = [](std::string_view members) {
    return read_usage("{\"prompt_tokens\":1," + std::string(members) + "}").provider_cost;
  };
  EXPECT_EQ(cost(R"("cost":0.0015)"), 1'500'000);
  EXPECT_EQ(cost(R"("estimated_cost":1e-6)"), 1'000);
  EXPECT_EQ(cost(R"("cost":{"input_tokens_cost":1,"total_cost":0.006})"), 6'000'000);
  EXPECT_EQ(cost(R"("cost_in_usd_ticks":1721250)"), 172'125);
  EXPECT_EQ(cost(R"("cost":0)"), 0);
  EXPECT_EQ(cost(R"("cost":null)"), kAbsent);
  EXPECT_EQ(cost(R"("cost":-1)"), kAbsent);
  EXPECT_EQ(cost(R"("cost":1e300)"), kAbsent);
}

TEST(Usage, NonsenseIsAbsentAndPartsStayWithinTheirWhole) {
  for (const char* count : {"-1", "1e300", "99999999999999999999", "1000000001", "\"7\"", "null",
                            "true", "{}", "-0.5", "1e"}) {
    const std::string text = R"({"prompt_tokens":)" + std::string(count) + R"(,"output_tokens":1})";
    EXPECT_EQ(read_usage(text).prompt, kAbsent) << count;
  }
  EXPECT_EQ(read_usage(R"({"prompt_tokens":1000000000})").prompt, 1'000'000'000);
  EXPECT_EQ(read_usage(R"({"prompt_tokens":2.5})").prompt, 3);
  EXPECT_EQ(read_usage(R"({"prompt_tokens":4,"prompt_tokens":6})").prompt, 6) << "the last counts";
  EXPECT_EQ(read_usage(R"({"prompt_tokens":4,"prompt_tokens":-6})").prompt, 4);
  const ChatUsage usage = read_usage(
      R"({"prompt_tokens":10,"completion_tokens":10,"cached_tokens":10,"prompt_tokens_details":)"
      R"({"audio_tokens":8,"image_tokens":900,"video_tokens":5},"completion_tokens_details":)"
      R"({"reasoning_tokens":6,"audio_tokens":700,"image_tokens":1,"rejected_prediction_tokens":11}})");
  EXPECT_EQ(usage.prompt, 10);
  EXPECT_EQ(usage.prompt_image, 2);
  EXPECT_EQ(usage.prompt_video, 0);
  EXPECT_EQ(usage.completion_audio, 4);
  EXPECT_EQ(usage.completion_image, 0);
  EXPECT_EQ(usage.rejected_prediction, 10);
  const ChatUsage parts =
      read_usage(R"({"input_tokens":9,"cache_creation_input_tokens":4,"cache_creation":)"
                 R"({"ephemeral_1h_input_tokens":5},"input_tokens_details":{"cached_tokens":3,)"
                 R"("audio_tokens":2,"cached_tokens_details":{"audio_tokens":7}}})");
  EXPECT_EQ(parts.cache_write_1h, 4);
  EXPECT_EQ(parts.cached_audio, 2);
  const ChatUsage most =
      read_usage(R"({"prompt_tokens":1000000000,"completion_tokens":1000000000,"total_tokens":1,)"
                 R"("cached_tokens":1000000000,"cache_creation_input_tokens":1000000000})");
  EXPECT_EQ(most.prompt, 1'000'000'000) << "sums do not overflow";
  EXPECT_EQ(most.cache_write, 0);
  EXPECT_EQ(most.total, 1'000'000'000);
  EXPECT_FALSE(read_usage(R"({"prompt_tokens":1)").present());
}

TEST(Usage, IsFoundAtTheEndOfALongAnswer) {
  const auto at_end = [](std::string_view tail) { return usage_at_end(tail).prompt; };
  EXPECT_EQ(at_end(R"(cut words"}}],"usage":{"prompt_tokens":3},"system_fingerprint":"x"})"), 3);
  EXPECT_EQ(at_end("x\"}],\"usage\" :\n {\"prompt_tokens\":3}}"), 3);
  EXPECT_EQ(at_end(R"("usage":{"prompt_tokens":3},"x":{"usage":null},"usage":{"prompt_tok)"), 3)
      << "what is no usage does not hide one";
  EXPECT_EQ(at_end(R"(said \"usage\":{\"prompt_tokens\":9} there"}}]})"), kAbsent);
  EXPECT_EQ(at_end(R"([{"token":"usage"},{"prompt_tokens":9}])"), kAbsent);
  EXPECT_EQ(at_end(R"("usage")"), kAbsent);
  EXPECT_EQ(at_end(R"("usage":)"), kAbsent);
  EXPECT_EQ(at_end(""), kAbsent);
}

TEST(Usage, CumulativeCountsAreNotSummed) {
  ChatUsage usage;
  usage.update(read_usage(R"({"prompt_tokens":9,"completion_tokens":1,"total_tokens":10})"));
  usage.update(read_usage(R"({"prompt_tokens":9,"completion_tokens":5,"total_tokens":14})"));
  EXPECT_EQ(usage.completion, 5);
  EXPECT_EQ(usage.total, 14);
  usage.update(read_usage(R"({"completion_tokens":6,"reasoning_tokens":2})"));
  EXPECT_EQ(usage.prompt, 9) << "what a later one leaves out stands";
  EXPECT_EQ(usage.completion, 6);
  EXPECT_EQ(usage.reasoning, 2);
  EXPECT_EQ(usage.total, 15);
  usage.update(read_usage(R"({"prompt_tokens":0,"completion_tokens":0,"total_tokens":0})"));
  EXPECT_EQ(usage.prompt, 9) << "nothing does not undo what was counted";
  ChatUsage nothing;
  nothing.update(read_usage(R"({"prompt_tokens":0,"completion_tokens":0})"));
  EXPECT_EQ(nothing.prompt, 0) << "an explicit 0 is not absent";
}

TEST(Usage, OfTwoAnswersIsTheSumOfWhatWasTold) {
  ChatUsage one;
  one.prompt = 10;
  one.completion = 4;
  one.cached = 3;
  one.provider_cost = 100;
  EXPECT_EQ(sum(one, {}), one);
  EXPECT_EQ(sum({}, one), one);
  ChatUsage two;
  two.prompt = 20;
  two.completion = 5;
  two.total = 25;
  two.reasoning = 2;
  two.provider_cost = 7;
  for (const ChatUsage& both : {sum(one, two), sum(two, one)}) {
    EXPECT_EQ(both.prompt, 30);
    EXPECT_EQ(both.completion, 9);
    EXPECT_EQ(both.cached, 3);
    EXPECT_EQ(both.reasoning, 2);
    EXPECT_EQ(both.provider_cost, 107);
    EXPECT_EQ(both.cache_write, ChatUsage::kAbsent);
    EXPECT_EQ(both.total, ChatUsage::kAbsent) << "one total alone is less than its parts";
  }
  EXPECT_EQ(sum(two, two).total, 50);
  two.prompt = ChatUsage::kCountMax;
  EXPECT_EQ(sum(two, two).prompt, ChatUsage::kCountMax);
}

TEST(WriteUsage, HasAllThatClientsDemandAndNothingEmpty) {
  EXPECT_EQ(written({.prompt = 1}, {}),
            R"({"prompt_tokens":1,"completion_tokens":0,"total_tokens":1})");
  EXPECT_EQ(written({.prompt = 9,
                     .completion = 4,
                     .prompt_audio = 3,
                     .completion_image = 2,
                     .rejected_prediction = 0},
                    {}),
            R"({"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,)"
            R"("prompt_tokens_details":{"cached_tokens":0,"audio_tokens":3},)"
            R"("completion_tokens_details":{"reasoning_tokens":0,"image_tokens":2,)"
            R"("rejected_prediction_tokens":0}})");
  EXPECT_EQ(written({.prompt = 1, .completion = 1, .web_searches = 2},
                    {.total = 1'500, .upstream_prompt = 500, .upstream_completion = 1'000}),
            R"({"prompt_tokens":1,"completion_tokens":1,"total_tokens":2,)"
            R"("server_tool_use_details":{"web_search_requests":2},"cost":0.0000015,)"
            R"("is_byok":false,"cost_details":{"upstream_inference_cost":null,)"
            R"("upstream_inference_prompt_cost":0.0000005,)"
            R"("upstream_inference_completions_cost":0.000001}})");
  EXPECT_NE(written({.prompt = 1}, {.total = 0,
                                    .upstream_prompt = 1,
                                    .upstream_completion = 2,
                                    .upstream_total = 3,
                                    .is_byok = true})
                .find(R"("cost":0,"is_byok":true,"cost_details":{"upstream_inference_cost":)"
                      R"(0.000000003,)"),
            std::string::npos);
  EXPECT_EQ(written({.prompt = 1}, {.upstream_prompt = 1, .upstream_completion = 2}).find("cost"),
            std::string::npos)
      << "without a price there is no cost";
}

TEST(WriteWithCost, LeavesAllButTheCostAsItWas) {
  const UsageCost cost{.total = 1'500};
  EXPECT_EQ(with_cost(R"({"a":"usage","usage": {"prompt_tokens" : 3,"x":[1]} ,"z":1})", cost),
            R"({"a":"usage","usage": {"prompt_tokens":3,"x":[1],"cost":0.0000015,"is_byok":false})"
            R"( ,"z":1})");
  EXPECT_EQ(
      with_cost(R"({"usage":{"cost":9,"is_byok":true,"cost_details":{},"prompt_tokens":3}})", cost),
      R"({"usage":{"prompt_tokens":3,"cost":0.0000015,"is_byok":false}})")
      << "what the provider was paid is not what the client pays";
}

TEST(WriteWithCost, BringsUsageToTheTop) {
  const UsageCost cost{.total = 2};
  const std::string ours =
      R"({"prompt_tokens":3,"completion_tokens":0,"total_tokens":3,"cost":0.000000002,)"
      R"("is_byok":false})";
  EXPECT_EQ(with_cost(R"({"choices":[],"x_groq":{"usage":{"prompt_tokens":3}}})", cost),
            R"({"choices":[],"x_groq":{"usage":{"prompt_tokens":3}},"usage":)" + ours + "}");
  EXPECT_EQ(with_cost(R"({"usage":null,"x_groq":{"usage":{"prompt_tokens":3}}})", cost),
            R"({"usage":)" + ours + R"(,"x_groq":{"usage":{"prompt_tokens":3}}})");
  EXPECT_EQ(with_cost(R"({"usage":{"prompt_tokens":3})", cost), "") << "no whole object";
  EXPECT_EQ(with_cost("[]", cost), "");
}

TEST(WriteWithCost, AsksForRoomRatherThanCutting) {
  const std::string_view text = R"({"choices":[],"usage":{"prompt_tokens":3}})";
  char room[70];
  proto::JsonWriter out(room);
  out.raw("data: ");
  EXPECT_FALSE(write_with_cost(text, classify(text).usage, {.total = 1}, out));
  EXPECT_EQ(out.text(), "data: ");
}

}  // namespace
}  // namespace leat::dialect
