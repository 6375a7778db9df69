// SPDX-License-Identifier: Apache-2.0
// Goal: what a chunk says is read right whatever provider spelt it, and on the OpenRouter face
// every chunk suits the strictest client (openrouter-api.md 6.4). Method: cases by hand for each
// quirk, and every recorded stream, cut at random places, through reader, classify() and
// normaliser, compared with what simdjson reads in the recording.
#include "dialect/openai_stream.h"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "proto/sse.h"

namespace leat::dialect {
namespace {

std::string fixtures_folder;  // set by main(), from the build

ChatNormaliser normaliser() {
  return ChatNormaliser({"gen-1", "vendor/model", "Vendor", 1700000000});
}

std::string normalised(ChatNormaliser& owner, std::string_view data) {
  std::string room(normalised_size_max(data.size()), '\0');
  proto::JsonWriter out(room);
  const ChatEvent event = classify(data);
  if (owner.write_chunk(data, event, out) != Normalised::kWritten) return "";
  return std::string(out.text());
}

TEST(Classify, KindsOfEvents) {
  const std::pair<const char*, ChatKind> cases[] = {
      {"[DONE]", ChatKind::kDone},
      {R"({"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]})", ChatKind::kEmpty},
      {R"({"choices":[{"index":0,"delta":{"content":null}}]})", ChatKind::kEmpty},
      {R"({"choices":[{"delta":{"content":"x"}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"content":[{"type":"text","text":"x"}]}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"content":[]}}]})", ChatKind::kEmpty},
      {R"({"choices":[{"delta":{"content":[{"type":"text","text":""}]}}]})", ChatKind::kEmpty},
      {R"({"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":""}]}]}}]})",
       ChatKind::kEmpty},
      {R"({"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"text":"x"}]}]}}]})",
       ChatKind::kContent},
      {R"({"choices":[{"delta":{"content":[{"type":"image_url","image_url":{}}]}}]})",
       ChatKind::kContent},
      {R"({"choices":[{"delta":{"images":[{}]}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"reasoning":"","reasoning_content":"x"}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"refusal":""}}]})", ChatKind::kEmpty},
      {R"({"choices":[{"text":"x","index":0}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"reasoning_content":"x"}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"reasoning":"x"}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"reasoning_details":[{"type":"x"}]}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"tool_calls":[{"index":0}]}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"tool_calls":null}}]})", ChatKind::kEmpty},
      {R"({"choices":[{"delta":{"refusal":"no"}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"audio":{"data":"x"}}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{},"finish_reason":"stop"}]})", ChatKind::kFinish},
      {R"({"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]})", ChatKind::kFinish},
      {R"({"choices":[{"delta":{},"finish_reason":""}]})", ChatKind::kEmpty},
      {R"({"choices":[{"delta":{},"finish_reason":"error"}]})", ChatKind::kError},
      {R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}})", ChatKind::kUsageOnly},
      {R"({"choices":[],"usage":null})", ChatKind::kEmpty},
      {R"({"choices":[],"prompt_filter_results":[]})", ChatKind::kEmpty},
      {R"({"error":{"message":"boom"}})", ChatKind::kError},
      {R"({"error":"boom"})", ChatKind::kError},
      {R"({"object":"error","message":"boom","code":400})", ChatKind::kError},
      {R"({"error":{},"choices":[{"delta":{"content":"x"}}]})", ChatKind::kContent},
      {R"({"error":null,"choices":[{"delta":{"content":"x"}}]})", ChatKind::kContent},
      {R"({"choices":[{"delta":{"content":"x"})", ChatKind::kInvalid},
      {R"({"choices":[]} x)", ChatKind::kInvalid},
      {"hello", ChatKind::kInvalid},
      {"", ChatKind::kInvalid},
  };
  for (const auto& [data, kind] : cases) EXPECT_EQ(classify(data).kind, kind) << data;
}

TEST(Classify, ErrorsAreReadWithTheirStatus) {
  const ChatEvent event =
      classify(R"({"error":{"message":"too many","type":"rate_limit","code":429}})");
  EXPECT_EQ(event.error.message, "too many");
  EXPECT_EQ(event.error.type, "rate_limit");
  EXPECT_EQ(event.error.status, 429);
  EXPECT_EQ(classify(R"({"error":{"status_code":400,"code":"tool_use_failed"}})").error.status,
            400);
  const ChatEvent bare = classify(R"({"object":"error","message":"boom","type":"t","code":503})");
  EXPECT_EQ(bare.error.message, "boom");
  EXPECT_EQ(bare.error.type, "t");
  EXPECT_EQ(bare.error.status, 503);
}

TEST(Classify, MeasuresWhatIsSaid) {
  const auto bytes = [](std::string_view delta) {
    return classify(R"({"choices":[{"delta":)" + std::string(delta) + "}]}").content_bytes;
  };
  EXPECT_EQ(bytes(R"({"content":"abcd"})"), 4u);
  EXPECT_EQ(bytes(R"({"role":"assistant","content":""})"), 0u);
  EXPECT_EQ(bytes(R"({"reasoning":"abc","reasoning_content":"abc"})"), 3u) << "told twice";
  EXPECT_EQ(bytes(R"({"tool_calls":[{"index":0,"function":{"arguments":""}}]})"), 0u)
      << "what surrounds a call's piece was not said";
  EXPECT_GT(bytes(R"({"tool_calls":[{"index":0,"id":"call_1","type":"function","function":)"
                  R"({"name":"weather","arguments":"{\"city\":\"Paris\",\"days\":3}"}}]})"),
            40u);
  EXPECT_EQ(classify(R"({"choices":[{"delta":{"content":"ab"}},{"delta":{"content":"c"}}]})")
                .content_bytes,
            3u);
  EXPECT_EQ(classify(R"({"choices":[{"text":"abc"}]})").content_bytes, 3u);
  EXPECT_EQ(classify_completion(R"({"choices":[{"message":{"content":"abcde"}}]})").content_bytes,
            5u);
}

TEST(Classify, UsageInAllSpellings) {
  const auto usage = [](std::string_view text) {
    return classify("{\"choices\":[]," + std::string(text) + "}").usage;
  };
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7})").total,
            7);
  EXPECT_EQ(
      usage(R"("usage":{"prompt_tokens":3,"prompt_tokens_details":{"cached_tokens":2}})").cached,
      2);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"prompt_cache_hit_tokens":2})").cached, 2);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"num_cached_tokens":1})").cached, 1);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"cached_tokens":2})").cached, 2);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"cached_tokens":2,)"
                  R"("prompt_tokens_details":{"cached_tokens":1,"cache_write_tokens":5}})")
                .cached,
            1);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"prompt_tokens_details":{"cache_write_tokens":5}})")
                .cache_write,
            5);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":3,"reasoning_tokens":8})").reasoning, 8);
  EXPECT_EQ(usage(R"("usage":{"input_tokens":3,"output_tokens":4})").completion, 4);
  EXPECT_EQ(classify(R"({"choices":[{"delta":{},"usage":{"prompt_tokens":6}}]})").usage.prompt, 6);
  EXPECT_EQ(usage(R"("x_groq":{"usage":{"prompt_tokens":9}})").prompt, 9);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":2.5})").prompt, 3);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":-1,"total_tokens":4})").prompt, ChatUsage::kAbsent);
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":0})").prompt, 0);
  // xAI: reasoning stands beside the completion.
  EXPECT_EQ(usage(R"("usage":{"prompt_tokens":291,"completion_tokens":26,"total_tokens":513,)"
                  R"("completion_tokens_details":{"reasoning_tokens":196}})")
                .completion,
            222);
}

TEST(ClassifyCompletion, TellsAnswersFromFailures) {
  EXPECT_EQ(
      classify_completion(R"({"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})")
          .kind,
      ChatKind::kFinish);
  EXPECT_EQ(classify_completion(R"({"choices":[],"usage":{"prompt_tokens":1}})").kind,
            ChatKind::kEmpty);
  EXPECT_EQ(classify_completion(R"({"error":{"message":"x"}})").kind, ChatKind::kError);
  EXPECT_EQ(classify_completion("<html>").kind, ChatKind::kInvalid);
  EXPECT_EQ(classify_completion(R"({"choices":[{"message":{"content":"x"}}])").kind,
            ChatKind::kInvalid);
  EXPECT_EQ(classify_completion("{\"choices\":[{\"message\":{\"content\":\"\xff\"}}]}").kind,
            ChatKind::kInvalid);
}

TEST(Normalise, DropsNullsThatClientsReject) {
  ChatNormaliser owner = normaliser();
  const std::string out = normalised(
      owner, R"({"id":"x","system_fingerprint":null,"usage":null,"choices":[{"delta":)"
             R"({"role":"","content":"hi","tool_calls":null,"reasoning_details":null}}]})");
  EXPECT_EQ(out,
            R"(data: {"id":"gen-1","provider":"Vendor","model":"vendor/model",)"
            R"("object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"},)"
            R"("finish_reason":null,"native_finish_reason":null}],"created":1700000000})"
            "\n\n");
}

TEST(Normalise, ReasoningHasOneNameAndIsNotLost) {
  const auto delta_of = [](const char* delta) {
    ChatNormaliser owner = normaliser();
    const std::string out =
        normalised(owner, std::string(R"({"choices":[{"delta":)") + delta + "}]}");
    const std::size_t from = out.find("\"delta\":") + 8;
    return out.substr(from, out.find(",\"finish_reason\"") - from);
  };
  EXPECT_EQ(delta_of(R"({"reasoning_content":"a"})"), R"({"reasoning":"a"})");
  EXPECT_EQ(delta_of(R"({"reasoning":"a","reasoning_content":"a"})"), R"({"reasoning":"a"})");
  EXPECT_EQ(delta_of(R"({"reasoning":"","reasoning_content":"a"})"), R"({"reasoning":"a"})");
  EXPECT_EQ(delta_of(R"({"reasoning_content":null,"content":"c"})"), R"({"content":"c"})");
  EXPECT_EQ(delta_of(R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"a\n"},)"
                     R"({"type":"text","text":"b"}]},{"type":"text","text":"c"},)"
                     R"({"type":"text","text":"d"}]})"),
            R"({"content":"cd","reasoning":"a\nb"})");
}

TEST(Normalise, ToolCallsHaveNoPartsThatOverwrite) {
  ChatNormaliser owner = normaliser();
  const std::string out = normalised(
      owner, R"({"choices":[{"delta":{"tool_calls":[{"id":"","type":null,"function":)"
             R"({"name":"","arguments":{"a":"b"}}},{"id":"x","function":{"arguments":null}}]}}]})");
  EXPECT_NE(out.find(R"("tool_calls":[{"index":0,"function":{"arguments":"{\"a\":\"b\"}"}},)"),
            std::string::npos)
      << out;
  EXPECT_NE(out.find(R"("id":"x","function":{})"), std::string::npos) << out;
}

TEST(Normalise, ToolCallsAreNumberedInEachChoice) {
  ChatNormaliser owner = normaliser();
  const std::string out = normalised(
      owner, R"({"choices":[{"index":1,"delta":{"tool_calls":[{"index":4,"id":"a"}]}},)"
             R"({"index":0,"delta":{"tool_calls":[{"index":7,"id":"b"},{"index":8,"id":"c"}]}}]})");
  EXPECT_NE(out.find(R"({"index":0,"id":"a","type":"function"})"), std::string::npos) << out;
  EXPECT_NE(
      out.find(R"({"index":0,"id":"b","type":"function"},{"index":1,"id":"c","type":"function"})"),
      std::string::npos)
      << out;
  // Only the choice that called a tool has its finish reason mended.
  const std::string end =
      normalised(owner, R"({"choices":[{"index":2,"delta":{},"finish_reason":"stop"}]})");
  EXPECT_NE(end.find(R"("finish_reason":"stop")"), std::string::npos) << end;
}

TEST(Normalise, DataOfSeveralLinesBecomesOne) {
  ChatNormaliser owner = normaliser();
  const std::string out = normalised(
      owner, "{\n \"choices\":[\n{\"delta\":{\"content\":\"x\"},\"logprobs\":{\n\"a\":\r\n1}}]}");
  EXPECT_EQ(out.find_first_of("\r\n"), out.size() - 2) << out;
}

TEST(Normalise, MendsWhatAzureLeavesEmpty) {
  ChatNormaliser owner = normaliser();
  EXPECT_EQ(normalised(owner, R"({"choices":[],"created":0,"id":"","model":"","object":"",)"
                              R"("prompt_filter_results":[{"prompt_index":0}]})"),
            R"(data: {"id":"gen-1","provider":"Vendor","model":"vendor/model",)"
            R"("object":"chat.completion.chunk","choices":[],)"
            R"("prompt_filter_results":[{"prompt_index":0}],"created":1700000000})"
            "\n\n");
}

TEST(Normalise, UsageLeavesTheChunkAndComesOnce) {
  ChatNormaliser owner = normaliser();
  const std::string data =
      R"({"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}})";
  EXPECT_EQ(normalised(owner, data).find("usage"), std::string::npos);
  char room[1024];
  proto::JsonWriter out(room);
  owner.write_usage_chunk(classify(data).usage, {.total = 1'500, .upstream_prompt = 500}, out);
  EXPECT_EQ(out.text(), R"(data: {"id":"gen-1","provider":"Vendor","model":"vendor/model",)"
                        R"("object":"chat.completion.chunk","created":1700000000,"choices":[],)"
                        R"("usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,)"
                        R"("cost":0.0000015,"is_byok":false}})"
                        "\n\n")
      << "details that would be empty are left out, cost_details unless whole";
}

TEST(Normalise, NumbersToolCalls) {
  ChatNormaliser owner = normaliser();
  const auto index_of = [&](const char* call) {
    const std::string out = normalised(
        owner, std::string(R"({"choices":[{"index":0,"delta":{"tool_calls":[)") + call + "]}}]}");
    const auto at = out.find("\"tool_calls\":[{\"index\":");
    return at == std::string::npos ? -1 : out[at + 23] - '0';
  };
  EXPECT_EQ(index_of(R"({"index":1,"id":"a","function":{"name":"f"}})"), 0);
  EXPECT_EQ(index_of(R"({"index":1,"function":{"arguments":"{}"}})"), 0);
  EXPECT_EQ(index_of(R"({"index":1,"id":"b","function":{"name":"g"}})"), 1);  // all of one index
  EXPECT_EQ(index_of(R"({"id":"c","function":{"name":"h"}})"), 2);            // none at all
  EXPECT_EQ(index_of(R"({"index":1,"id":"a","function":{"arguments":"x"}})"), 0);
}

TEST(Normalise, FinishReasonsAreMappedAndKept) {
  ChatNormaliser owner = normaliser();
  const std::string out = normalised(owner, R"({"choices":[{"delta":{},"finish_reason":"eos"}]})");
  EXPECT_NE(out.find(R"("finish_reason":"stop","native_finish_reason":"eos")"), std::string::npos);
  // "stop" after a tool call is a tool call.
  normalised(owner, R"({"choices":[{"delta":{"tool_calls":[{"id":"a"}]}}]})");
  const std::string tools =
      normalised(owner, R"({"choices":[{"delta":{},"finish_reason":"stop"}]})");
  EXPECT_NE(tools.find(R"("finish_reason":"tool_calls")"), std::string::npos);
}

TEST(Normalise, TooLittleRoomLeavesNothingBehind) {
  ChatNormaliser owner = normaliser();
  const std::string data = R"({"choices":[{"delta":{"content":"hello"}}]})";
  char room[40];
  proto::JsonWriter out(room);
  EXPECT_EQ(owner.write_chunk(data, classify(data), out), Normalised::kNoRoom);
  EXPECT_EQ(out.size(), 0u);
}

TEST(Normalise, AChunkThatDidNotFitTeachesNothing) {
  ChatNormaliser owner = normaliser();
  const std::string lost = R"({"choices":[{"delta":{"tool_calls":[{"index":3,"id":"a"}]}}]})";
  char little[150];
  proto::JsonWriter out(little);
  ASSERT_EQ(owner.write_chunk(lost, classify(lost), out), Normalised::kNoRoom);
  const std::string other =
      normalised(owner, R"({"choices":[{"delta":{"tool_calls":[{"index":3,"id":"b"}]}}]})");
  EXPECT_NE(other.find(R"({"index":0,"id":"b","type":"function"})"), std::string::npos) << other;
}

TEST(Normalise, OutlivesMoreToolCallsThanItCounts) {
  ChatNormaliser owner = normaliser();
  for (int i = 0; i < 200; ++i) {
    const std::string number = std::to_string(i);
    const std::string out = normalised(owner, R"({"choices":[{"delta":{"tool_calls":[{"index":)" +
                                                  number + R"(,"id":"c)" + number + R"("}]}}]})");
    EXPECT_NE(out.find("[{\"index\":" + number + ","), std::string::npos) << out;
  }
}

TEST(Normalise, OnlyChunksAreWritten) {
  ChatNormaliser owner = normaliser();
  const auto result_of = [&](std::string_view data) {
    std::string room(normalised_size_max(data.size()), '\0');
    proto::JsonWriter out(room);
    const Normalised result = owner.write_chunk(data, classify(data), out);
    EXPECT_EQ(out.size() != 0, result == Normalised::kWritten) << data;
    return result;
  };
  EXPECT_EQ(result_of("[DONE]"), Normalised::kDropped);
  EXPECT_EQ(result_of(R"({"choices":[],"usage":{"prompt_tokens":1}})"), Normalised::kDropped);
  EXPECT_EQ(result_of(R"({"error":{"message":"x"}})"), Normalised::kDropped);
  EXPECT_EQ(result_of(R"({"choices":[)"), Normalised::kInvalid);
  EXPECT_EQ(result_of("{}"), Normalised::kWritten);
}

TEST(Normalise, IdentityIsEscapedAndTheProvidersIsGone) {
  ChatNormaliser owner({"gen-1", "m\"x", "Ve\\ndor", 5});
  EXPECT_EQ(
      normalised(owner, R"({"provider":"Other","id":"x","model":"y","object":"z","error":null,)"
                        R"("x_groq":{"id":"r"},"created":7,"service_tier":null})"),
      R"(data: {"id":"gen-1","provider":"Ve\\ndor","model":"m\"x",)"
      R"("object":"chat.completion.chunk","created":7,"service_tier":null,"choices":[]})"
      "\n\n");
}

TEST(MapFinishReason, KnowsProvidersWords) {
  const std::pair<const char*, const char*> words[] = {
      {"stop", "stop"},
      {"length", "length"},
      {"tool_calls", "tool_calls"},
      {"content_filter", "content_filter"},
      {"error", "error"},
      {"eos", "stop"},
      {"end_turn", "stop"},
      {"model_length", "length"},
      {"max_tokens", "length"},
      {"MAX_TOKENS", "length"},
      {"function_call", "tool_calls"},
      {"tool_use", "tool_calls"},
      {"SAFETY", "content_filter"},
      {"refusal", "content_filter"},
      {"what comes next year", "stop"},
  };
  for (const auto& [native, ours] : words) EXPECT_EQ(map_finish_reason(native), ours) << native;
}

TEST(Normalise, CompletionKeepsWhatTheProviderSaid) {
  ChatNormaliser owner = normaliser();
  const std::string body =
      R"({"created":9,"system_fingerprint":"fp","usage":null,"choices":[{"index":0,"message":)"
      R"({"role":"assistant","content":null,"reasoning_content":"r","refusal":null,"images":null,)"
      R"("tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
      R"("finish_reason":"stop","logprobs":null}]})";
  std::string room(normalised_size_max(body.size()), '\0');
  proto::JsonWriter out(room);
  ASSERT_EQ(owner.write_completion(body, {}, {}, out), Normalised::kWritten);
  EXPECT_EQ(
      out.text(),
      R"({"id":"gen-1","provider":"Vendor","model":"vendor/model","object":"chat.completion",)"
      R"("created":9,"system_fingerprint":"fp","choices":[{"index":0,"message":{"role":"assistant",)"
      R"("content":null,"reasoning":"r","refusal":null,"tool_calls":[{"index":0,"id":"a",)"
      R"("type":"function","function":{"name":"f","arguments":"{}"}}]},"logprobs":null,)"
      R"("finish_reason":"tool_calls","native_finish_reason":"stop"}]})");
}

TEST(Normalise, CompletionHasWhatTheSdkDemands) {
  ChatNormaliser owner = normaliser();
  const std::string body =
      R"({"id":"x","choices":[{"message":{"role":"assistant","content":"hi","tool_calls":null}}],)"
      R"("usage":{"prompt_tokens":1,"completion_tokens":2}})";
  std::string room(normalised_size_max(body.size()), '\0');
  proto::JsonWriter out(room);
  ASSERT_EQ(owner.write_completion(body, classify_completion(body).usage, {}, out),
            Normalised::kWritten);
  EXPECT_EQ(
      out.text(),
      R"({"id":"gen-1","provider":"Vendor","model":"vendor/model","object":"chat.completion",)"
      R"("choices":[{"index":0,"message":{"role":"assistant","content":"hi"},)"
      R"("finish_reason":null,"native_finish_reason":null}],"created":1700000000,)"
      R"("system_fingerprint":null,"usage":{"prompt_tokens":1,"completion_tokens":2,)"
      R"("total_tokens":3}})");
}

// Some send an empty list with every answer: nobody has called a tool.
TEST(Normalise, AnEmptyListOfToolCallsIsNoCall) {
  ChatNormaliser owner = normaliser();
  const std::string body =
      R"({"id":"x","choices":[{"finish_reason":"stop","message":{"role":"assistant",)"
      R"("content":"hi","tool_calls":[]}}]})";
  std::string room(normalised_size_max(body.size()), '\0');
  proto::JsonWriter out(room);
  ASSERT_EQ(owner.write_completion(body, {}, {}, out), Normalised::kWritten);
  EXPECT_NE(out.text().find(R"("finish_reason":"stop")"), std::string::npos) << out.text();
}

// ---- Recordings --------------------------------------------------------------------------------

// What a stream says, in one form for both readings.
struct Said {
  std::map<std::int64_t, std::string> text;
  std::map<std::int64_t, std::string> reasoning;
  std::string arguments;
  std::string names;
  std::string finish;                         // the last reason, in OpenRouter's words
  std::map<std::string, std::int64_t> usage;  // of the last usage
};

// The counts of the last usage as simdjson reads them, in one spelling for all providers.
void add_usage(simdjson::dom::element root, Said& said) {
  simdjson::dom::object usage;
  if (root["usage"].get(usage) != simdjson::SUCCESS) return;
  said.usage.clear();
  const auto note = [&](const char* name, auto found) {
    std::int64_t count = 0;
    if (found.get(count) == simdjson::SUCCESS) said.usage.emplace(name, count);
  };
  note("prompt", usage["prompt_tokens"]);
  note("completion", usage["completion_tokens"]);
  note("total", usage["total_tokens"]);
  note("cached", usage["prompt_tokens_details"]["cached_tokens"]);
  note("reasoning", usage["completion_tokens_details"]["reasoning_tokens"]);
  note("reasoning", usage["reasoning_tokens"]);
}

// The same of what classify() read.
std::map<std::string, std::int64_t> counts_of(const ChatUsage& usage, bool reasoning_beside) {
  std::map<std::string, std::int64_t> counts;
  const auto note = [&](const char* name, std::int64_t count) {
    if (count != ChatUsage::kAbsent) counts.emplace(name, count);
  };
  note("prompt", usage.prompt);
  note("completion", reasoning_beside ? usage.completion - usage.reasoning : usage.completion);
  note("total", usage.total);
  note("cached", usage.cached);
  note("reasoning", usage.reasoning);
  return counts;
}

void add_parts(simdjson::dom::element parts, std::string& text, std::string& reasoning) {
  for (auto part : parts.get_array()) {
    std::string_view type;
    if (part["type"].get(type) != simdjson::SUCCESS) continue;
    std::string_view value;
    if (type == "text" && part["text"].get(value) == simdjson::SUCCESS) text += value;
    if (type != "thinking") continue;
    simdjson::dom::array inner;
    if (part["thinking"].get(inner) != simdjson::SUCCESS) continue;
    for (auto piece : inner) {
      if (piece["text"].get(value) == simdjson::SUCCESS) reasoning += value;
    }
  }
}

void add_chunk(std::string_view json, Said& said) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(padded).get(root), simdjson::SUCCESS) << json;
  add_usage(root, said);
  simdjson::dom::array choices;
  if (root["choices"].get(choices) != simdjson::SUCCESS) return;
  std::int64_t ordinal = 0;
  for (auto choice : choices) {
    std::string_view reason;
    if (choice["finish_reason"].get(reason) == simdjson::SUCCESS) said.finish = reason;
    std::int64_t index = ordinal++;
    if (choice["index"].get(index) != simdjson::SUCCESS) index = ordinal - 1;
    simdjson::dom::element delta;
    if (choice["delta"].get(delta) != simdjson::SUCCESS) continue;
    std::string_view text;
    simdjson::dom::element content;
    if (delta["content"].get(content) == simdjson::SUCCESS) {
      if (content.is_array()) add_parts(content, said.text[index], said.reasoning[index]);
      if (content.get(text) == simdjson::SUCCESS) said.text[index] += text;
    }
    if (delta["reasoning_content"].get(text) == simdjson::SUCCESS ||
        delta["reasoning"].get(text) == simdjson::SUCCESS) {
      said.reasoning[index] += text;
    }
    simdjson::dom::array calls;
    if (delta["tool_calls"].get(calls) != simdjson::SUCCESS) continue;
    for (auto call : calls) {
      if (call["function"]["name"].get(text) == simdjson::SUCCESS) said.names += text;
      if (call["function"]["arguments"].get(text) == simdjson::SUCCESS) said.arguments += text;
    }
  }
}

// openrouter-api.md 6.4, as a strict client checks it.
void expect_strict(std::string_view json) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(padded).get(root), simdjson::SUCCESS) << json;
  std::string_view text;
  std::int64_t number = 0;
  EXPECT_EQ(root["id"].get(text), simdjson::SUCCESS) << json;
  EXPECT_EQ(root["model"].get(text), simdjson::SUCCESS) << json;
  EXPECT_EQ(root["created"].get(number), simdjson::SUCCESS) << json;
  ASSERT_EQ(root["object"].get(text), simdjson::SUCCESS) << json;
  EXPECT_EQ(text, "chat.completion.chunk");
  simdjson::dom::element value;
  if (root["system_fingerprint"].get(value) == simdjson::SUCCESS) {
    EXPECT_TRUE(value.is_string()) << json;
  }
  if (root["usage"].get(value) == simdjson::SUCCESS) {
    EXPECT_TRUE(value.is_object()) << json;
  }
  simdjson::dom::array choices;
  ASSERT_EQ(root["choices"].get(choices), simdjson::SUCCESS) << json;
  for (auto choice : choices) {
    EXPECT_EQ(choice["index"].get(number), simdjson::SUCCESS) << json;
    ASSERT_EQ(choice["finish_reason"].get(value), simdjson::SUCCESS) << json;
    EXPECT_TRUE(value.is_null() || value.is_string()) << json;
    simdjson::dom::element delta;
    ASSERT_EQ(choice["delta"].get(delta), simdjson::SUCCESS) << json;
    if (delta["role"].get(value) == simdjson::SUCCESS) {
      ASSERT_EQ(value.get(text), simdjson::SUCCESS) << json;
      EXPECT_FALSE(text.empty());
    }
    simdjson::dom::array calls;
    if (delta["tool_calls"].get(value) != simdjson::SUCCESS) continue;
    ASSERT_EQ(value.get(calls), simdjson::SUCCESS) << json;
    for (auto call : calls) EXPECT_EQ(call["index"].get(number), simdjson::SUCCESS) << json;
  }
}

void replay(const std::filesystem::path& file, std::uint64_t seed) {
  std::ifstream input(file);
  std::string line;
  std::string stream;
  Said expected;
  while (std::getline(input, line)) {
    if (line.empty()) continue;
    add_chunk(line, expected);
    stream += "data: " + line + "\n\n";
  }
  stream += "data: [DONE]\n\n";
  Rng rng(seed);
  proto::SseReader reader;
  ChatNormaliser owner = normaliser();
  Said plain;
  Said strict;
  bool done = false;
  ChatUsage usage;
  std::string finish;
  for (std::size_t at = 0; at < stream.size();) {
    const std::size_t size = std::min<std::size_t>(rng.below(700) + 1, stream.size() - at);
    reader.feed(std::string_view(stream).substr(at, size));
    at += size;
    proto::SseEvent event;
    while (reader.next(event) == proto::SseNext::kEvent) {
      const ChatEvent chat = classify(event.data);
      ASSERT_NE(chat.kind, ChatKind::kInvalid) << event.data;
      done = done || chat.kind == ChatKind::kDone;
      if (chat.kind == ChatKind::kDone) continue;
      add_chunk(event.data, plain);
      if (chat.has_usage) usage = chat.usage;
      if (chat.finished > 0) finish = chat.finish_reason;
      const std::string out = normalised(owner, event.data);
      if (out.empty()) continue;
      ASSERT_TRUE(out.starts_with("data: ") && out.ends_with("\n\n"));
      const std::string json = out.substr(6, out.size() - 8);
      expect_strict(json);
      add_chunk(json, strict);
    }
  }
  EXPECT_TRUE(done);
  // xAI counts reasoning beside the completion; ours is within.
  const bool beside = file.filename().string().find("xai") != std::string::npos;
  EXPECT_EQ(counts_of(usage, beside), expected.usage) << file;
  EXPECT_EQ(finish, expected.finish) << file;
  EXPECT_TRUE(strict.usage.empty()) << "usage goes out once, in a chunk of its own: " << file;
  for (const Said* said : {&plain, &strict}) {
    EXPECT_EQ(said->text, expected.text) << file;
    EXPECT_EQ(said->reasoning, expected.reasoning) << file;
    EXPECT_EQ(said->arguments, expected.arguments) << file;
    EXPECT_EQ(said->names, expected.names) << file;
    EXPECT_EQ(said->finish, expected.finish) << file;
  }
}

TEST(Recordings, BothFacesSayWhatTheProviderSaid) {
  const std::filesystem::path folder(fixtures_folder);
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no recordings beside the checkout";
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".jsonl") continue;
    for (std::uint64_t seed = 1; seed <= 3; ++seed) replay(entry.path(), seed);
    ++count;
  }
  EXPECT_GE(count, 20);
}

}  // namespace
}  // namespace leat::dialect

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) leat::dialect::fixtures_folder = argv[1];
  return RUN_ALL_TESTS();
}
