// SPDX-License-Identifier: Apache-2.0
// Goal: the legacy paths serve their clients as chat does: text completions in the shape of their
// SDKs, embeddings whole and in the encoding that was asked for, nonsense refused by name.
// Method: tables of inputs; answers in, answers out, vectors compared bit by bit.
#include <gtest/gtest.h>

#include <string>

#include "dialect/embeddings.h"
#include "dialect/openai_stream.h"
#include "dialect/prompt_input.h"

namespace leat::dialect {
namespace {

using ReadFunction = bool (*)(const proto::JsonScanner&, std::string_view, PromptInput&,
                              RoutingFault&);

struct Reading {
  bool ok;
  PromptInput input;
  RoutingFault fault;
};

Reading read(ReadFunction function, std::string_view body) {
  proto::JsonScanner scanner;
  EXPECT_EQ(scanner.scan(body, true), proto::JsonStatus::kDone) << body;
  Reading reading{};
  reading.ok = function(scanner, body, reading.input, reading.fault);
  return reading;
}

struct InputCase {
  const char* value;
  InputKind kind;
  std::uint32_t count;
  std::uint64_t text_bytes;
  std::uint64_t tokens;
};

TEST(PromptInput, ReadsEveryKind) {
  const InputCase cases[] = {
      {R"("abc")", InputKind::kText, 1, 3, 0},
      {R"(["ab","c"])", InputKind::kTexts, 2, 3, 0},
      {"[1,2,3]", InputKind::kTokens, 1, 0, 3},
      {"[[1,2],[3]]", InputKind::kTokenLists, 2, 0, 3},
  };
  for (const InputCase& each : cases) {
    for (const bool is_prompt : {true, false}) {
      const std::string body =
          std::string(is_prompt ? "{\"prompt\":" : "{\"input\":") + each.value + "}";
      const Reading reading = read(is_prompt ? read_prompt : read_embeddings_input, body);
      ASSERT_TRUE(reading.ok) << body;
      EXPECT_EQ(reading.input.kind, each.kind) << body;
      EXPECT_EQ(reading.input.count, each.count) << body;
      EXPECT_EQ(reading.input.text_bytes, each.text_bytes) << body;
      EXPECT_EQ(reading.input.token_count, each.tokens) << body;
    }
  }
  const Reading parts =
      read(read_embeddings_input, R"({"input":[{"content":[{"type":"text","text":"x"}]}]})");
  EXPECT_TRUE(parts.ok);
  EXPECT_EQ(parts.input.kind, InputKind::kParts);
  EXPECT_EQ(parts.input.count, 1u);
}

TEST(PromptInput, APromptMayBeAbsentOrEmpty) {
  for (const char* body :
       {"{}", R"({"prompt":null})", R"({"prompt":""})", R"({"prompt":[]})", R"({"prompt":[""]})"}) {
    const Reading reading = read(read_prompt, body);
    EXPECT_TRUE(reading.ok) << body;
    EXPECT_EQ(reading.input.count, 1u) << body;
  }
}

TEST(PromptInput, NamesTheElementThatIsWrong) {
  struct Case {
    ReadFunction function;
    const char* body;
    const char* param;
  };
  const Case cases[] = {
      {read_prompt, R"({"prompt":{}})", "prompt"},
      {read_prompt, R"({"prompt":true})", "prompt"},
      {read_prompt, R"({"prompt":["a",1]})", "prompt[1]"},
      {read_prompt, R"({"prompt":[1,-2]})", "prompt[1]"},
      {read_prompt, R"({"prompt":[1,2.5]})", "prompt[1]"},
      {read_prompt, R"({"prompt":[[1],["a"]]})", "prompt[1]"},
      {read_prompt, R"({"prompt":[{"content":[]}]})", "prompt[0]"},
      {read_embeddings_input, "{}", "input"},
      {read_embeddings_input, R"({"input":null})", "input"},
      {read_embeddings_input, R"({"input":""})", "input"},
      {read_embeddings_input, R"({"input":[]})", "input"},
      {read_embeddings_input, R"({"input":["a",""]})", "input[1]"},
      {read_embeddings_input, R"({"input":[[1],[]]})", "input[1]"},
      {read_embeddings_input, R"({"input":[null]})", "input[0]"},
      {read_embeddings_input, R"({"input":7})", "input"},
      {read_embeddings_input, R"({"input":"a","stream":true})", "stream"},
      {read_embeddings_input, R"({"input":"a","dimensions":0})", "dimensions"},
      {read_embeddings_input, R"({"input":"a","encoding_format":"hex"})", "encoding_format"},
      {read_embeddings_input, R"({"input":"a","encoding_format":1})", "encoding_format"},
  };
  for (const Case& each : cases) {
    const Reading reading = read(each.function, each.body);
    EXPECT_FALSE(reading.ok) << each.body;
    EXPECT_EQ(reading.fault.param(), each.param) << each.body;
  }
}

TEST(PromptInput, BoundsTheNumberOfInputs) {
  const auto body = [](std::uint32_t count) {
    std::string text = R"({"input":["a")";
    for (std::uint32_t i = 1; i < count; ++i) text += R"(,"a")";
    return text + "]}";
  };
  EXPECT_EQ(read(read_embeddings_input, body(kInputsMax)).input.count, kInputsMax);
  EXPECT_EQ(read(read_embeddings_input, body(kInputsMax + 1)).fault.param(), "input[2048]");
}

TEST(PromptInput, ReadsTheEncoding) {
  EXPECT_EQ(read(read_embeddings_input, R"({"input":"a"})").input.encoding, EncodingFormat::kUnset);
  EXPECT_EQ(
      read(read_embeddings_input, R"({"input":"a","encoding_format":"float"})").input.encoding,
      EncodingFormat::kFloat);
  EXPECT_EQ(
      read(read_embeddings_input, R"({"input":"a","encoding_format":"base64"})").input.encoding,
      EncodingFormat::kBase64);
}

constexpr ChatIdentity kIdentity = {"gen-1", "a/b", "One", 42};

std::string chunk(std::string_view data) {
  ChatNormaliser normaliser(kIdentity, AnswerForm::kText);
  std::string room(normalised_size_max(data.size()), '\0');
  proto::JsonWriter out(room);
  EXPECT_EQ(normaliser.write_chunk(data, classify(data), out), Normalised::kWritten) << data;
  return std::string(out.text());
}

TEST(TextCompletion, EventsAreClassified) {
  EXPECT_EQ(classify(R"({"choices":[{"text":"a","index":0,"finish_reason":null}]})").kind,
            ChatKind::kContent);
  EXPECT_EQ(classify(R"({"choices":[{"text":"","index":0,"finish_reason":null}]})").kind,
            ChatKind::kEmpty);
  EXPECT_EQ(classify(R"({"choices":[{"text":"","index":0,"finish_reason":"length"}]})").kind,
            ChatKind::kFinish);
  EXPECT_EQ(classify(R"({"choices":[],"usage":{"prompt_tokens":1}})").kind, ChatKind::kUsageOnly);
  EXPECT_EQ(classify(R"({"error":{"message":"x"}})").kind, ChatKind::kError);
}

TEST(TextCompletion, EventsHaveTheirOwnShape) {
  EXPECT_EQ(chunk(R"({"id":"cmpl-9","object":"text_completion","created":7,"model":"up",)"
                  R"("choices":[{"text":"a\n","index":0,"logprobs":null,"finish_reason":null}],)"
                  R"("usage":null})"),
            "data: {\"id\":\"gen-1\",\"provider\":\"One\",\"model\":\"a/b\","
            "\"object\":\"text_completion\",\"created\":7,\"choices\":[{\"index\":0,"
            R"("text":"a\n","logprobs":null,"finish_reason":null,"native_finish_reason":null}]})"
            "\n\n");
  const std::string finish =
      chunk(R"({"choices":[{"text":null,"index":1,"finish_reason":"max_tokens"}]})");
  EXPECT_NE(finish.find(R"("text":"")"), std::string::npos) << finish;
  EXPECT_NE(finish.find(R"("finish_reason":"length")"), std::string::npos) << finish;
  EXPECT_NE(finish.find(R"("native_finish_reason":"max_tokens")"), std::string::npos) << finish;
  EXPECT_EQ(finish.find("delta"), std::string::npos) << finish;
}

TEST(TextCompletion, UsageAndWholeAnswersHaveTheirOwnShape) {
  ChatNormaliser normaliser(kIdentity, AnswerForm::kText);
  std::string room(8'192, '\0');
  proto::JsonWriter usage(room);
  normaliser.write_usage_chunk({.prompt = 1}, {}, usage);
  EXPECT_NE(usage.text().find(R"("object":"text_completion")"), std::string_view::npos);
  proto::JsonWriter out(room);
  const std::string_view body =
      R"({"id":"x","object":"text_completion","choices":[{"text":"a","finish_reason":"stop"}]})";
  ASSERT_EQ(classify_completion(body).kind, ChatKind::kFinish);
  ASSERT_EQ(normaliser.write_completion(body, {}, {}, out), Normalised::kWritten);
  EXPECT_EQ(out.text(),
            R"({"id":"gen-1","provider":"One","model":"a/b","object":"text_completion",)"
            R"("choices":[{"index":0,"text":"a","finish_reason":"stop",)"
            R"("native_finish_reason":"stop"}],"created":42})");
}

std::string answer_with(const std::string& vectors) {
  return R"({"object":"list","data":[)" + vectors +
         R"(],"model":"up","usage":{"prompt_tokens":3,"total_tokens":3}})";
}

std::string entry(const std::string& vector) {
  return R"({"object":"embedding","index":0,"embedding":)" + vector + "}";
}

// 1.0 and -2.5 are 0000803f and 000020c0 in little-endian bytes.
constexpr char kFloats[] = "[1,-2.5]";
constexpr char kBase64[] = R"("AACAPwAAIMA=")";

std::string written(Face face, const std::string& body, EncodingFormat asked) {
  const EmbeddingsAnswer answer = classify_embeddings(body, 0);
  EXPECT_EQ(answer.kind, ChatKind::kContent) << body;
  std::string room(embeddings_size_max(body.size()), '\0');
  proto::JsonWriter out(room);
  EXPECT_EQ(write_embeddings(face, body, answer, asked, kIdentity, {}, out), Normalised::kWritten);
  return std::string(out.text());
}

TEST(Embeddings, ChecksTheAnswer) {
  const auto kind = [](const std::string& body, std::uint32_t expected = 0) {
    return classify_embeddings(body, expected).kind;
  };
  EXPECT_EQ(kind(answer_with(entry(kFloats))), ChatKind::kContent);
  EXPECT_EQ(kind(answer_with(entry(kBase64))), ChatKind::kContent);
  EXPECT_EQ(kind(answer_with(entry(kFloats) + "," + entry(kFloats)), 2), ChatKind::kContent);
  EXPECT_EQ(kind(answer_with(entry(kFloats)), 2), ChatKind::kEmpty) << "one is missing";
  for (const char* vector : {"[]", "null", "{}", "7", "[1,null]", R"(["1"])", R"("")", R"("AAAA")",
                             R"("AAAAA===")", R"("AA-APw==")", R"("AACAP")"}) {
    EXPECT_EQ(kind(answer_with(entry(vector))), ChatKind::kEmpty) << vector;
  }
  EXPECT_EQ(kind(answer_with(entry(kFloats) + "," + entry("[]"))), ChatKind::kEmpty);
  EXPECT_EQ(kind(answer_with("")), ChatKind::kEmpty);
  EXPECT_EQ(kind(answer_with("{}")), ChatKind::kEmpty);
  EXPECT_EQ(kind("{}"), ChatKind::kEmpty);
  EXPECT_EQ(kind(R"({"data":{}})"), ChatKind::kEmpty);
  EXPECT_EQ(kind(""), ChatKind::kInvalid);
  EXPECT_EQ(kind("<html>"), ChatKind::kInvalid);
  EXPECT_EQ(kind(answer_with(entry("[1,]"))), ChatKind::kInvalid);
  const EmbeddingsAnswer error = classify_embeddings(R"({"error":{"message":"no","code":429}})", 1);
  EXPECT_EQ(error.kind, ChatKind::kError);
  EXPECT_EQ(error.error.status, 429);
  EXPECT_EQ(classify_embeddings(answer_with(entry(kFloats)), 1).usage.prompt, 3);
  EXPECT_EQ(classify_embeddings(R"({"data":[{"embedding":[1]}],"usage":{"total_tokens":6}})", 1)
                .usage.prompt,
            6)
      << "Voyage says the total alone";
}

TEST(Embeddings, KnowsWhenTheProvidersBytesWillDo) {
  const EmbeddingsAnswer floats = classify_embeddings(answer_with(entry(kFloats)), 1);
  const EmbeddingsAnswer base64 = classify_embeddings(answer_with(entry(kBase64)), 1);
  EXPECT_TRUE(suits_encoding(floats, EncodingFormat::kUnset));
  EXPECT_TRUE(suits_encoding(floats, EncodingFormat::kFloat));
  EXPECT_FALSE(suits_encoding(floats, EncodingFormat::kBase64));
  EXPECT_TRUE(suits_encoding(base64, EncodingFormat::kBase64));
  EXPECT_FALSE(suits_encoding(base64, EncodingFormat::kUnset));
}

TEST(Embeddings, GivesTheEncodingThatWasAskedFor) {
  const std::string as_floats = answer_with(entry(kFloats));
  const std::string as_base64 = answer_with(entry(kBase64));
  EXPECT_EQ(written(Face::kOpenAi, as_floats, EncodingFormat::kBase64), as_base64);
  EXPECT_EQ(written(Face::kOpenAi, as_base64, EncodingFormat::kFloat), as_floats);
  EXPECT_EQ(written(Face::kOpenAi, as_base64, EncodingFormat::kUnset), as_floats);
  EXPECT_EQ(written(Face::kOpenAi, as_base64, EncodingFormat::kBase64), as_base64);
}

TEST(Embeddings, LosesNoBitOfAVector) {
  struct Case {
    const char* floats;
    const char* base64;
  };
  const Case cases[] = {
      {"[1]", R"("AACAPw==")"},
      {"[1,1]", R"("AACAPwAAgD8=")"},
      {"[1,1,1]", R"("AACAPwAAgD8AAIA/")"},
      {"[0.1]", R"("zczMPQ==")"},
      {"[-0.1]", R"("zczMvQ==")"},
      {"[0]", R"("AAAAAA==")"},
      {"[3.4028235e+38]", R"("//9/fw==")"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(written(Face::kOpenAi, answer_with(entry(each.floats)), EncodingFormat::kBase64),
              answer_with(entry(each.base64)))
        << each.floats;
    EXPECT_EQ(written(Face::kOpenAi, answer_with(entry(each.base64)), EncodingFormat::kFloat),
              answer_with(entry(each.floats)))
        << each.base64;
  }
}

TEST(Embeddings, CutsNumbersThat32BitsDoNotHold) {
  EXPECT_EQ(
      written(Face::kOpenAi, answer_with(entry("[1e300,-1e300,1e-300]")), EncodingFormat::kBase64),
      answer_with(entry(R"("//9/f///f/8AAAAA")")));
  // An infinity in base64 is no number of JSON.
  EXPECT_EQ(written(Face::kOpenAi, answer_with(entry(R"("AACAfw==")")), EncodingFormat::kFloat),
            answer_with(entry("[0]")));
}

TEST(Embeddings, HaveOurNamesOnTheOpenRouterFace) {
  const std::string body = R"({"object":"list","id":"theirs","model":"up","extra":1,"data":[)"
                           R"({"embedding":[1]},{"index":5,"embedding":[2]}],)"
                           R"("usage":{"prompt_tokens":3,"total_tokens":3}})";
  const std::string text = written(Face::kOpenRouter, body, EncodingFormat::kFloat);
  EXPECT_TRUE(text.starts_with(
      R"({"object":"list","id":"gen-1","provider":"One","model":"a/b","extra":1,"data":[)"
      R"({"object":"embedding","index":0,"embedding":[1]},)"
      R"({"object":"embedding","index":5,"embedding":[2]}],"usage":{"prompt_tokens":3,)"))
      << text;
  EXPECT_EQ(text.find("theirs"), std::string::npos);
}

TEST(Embeddings, SayWhenThereIsNoRoom) {
  const std::string body = answer_with(entry(kFloats));
  std::string room(40, '\0');
  proto::JsonWriter out(room);
  EXPECT_EQ(write_embeddings(Face::kOpenAi, body, classify_embeddings(body, 1),
                             EncodingFormat::kBase64, kIdentity, {}, out),
            Normalised::kNoRoom);
  EXPECT_EQ(out.size(), 0u);
}

}  // namespace
}  // namespace leat::dialect
