// SPDX-License-Identifier: Apache-2.0
// Goal: the stream a client gets is the provider's, event for event, framed right, held until the
// first content and never allocating for an event after it. Method: a Relay over a stream that
// keeps what is written; malloc counted around the events of a running stream.
#include "gateway/relay.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "base/check.h"
#include "keeping_stream.h"

namespace {

// Counted only while a test asks: the framework allocates as it likes.
bool counting = false;
int allocations = 0;

}  // namespace

#ifdef LEAT_THREADS_SANITIZED
extern "C" {
void* __real_malloc(std::size_t size);
void* __wrap_malloc(std::size_t size) {
  return __real_malloc(size);
}
void __sanitizer_malloc_hook(const volatile void*, std::size_t) {
  if (counting) ++allocations;
}
}
#else
// The linker sends every malloc of ours here (--wrap), Block's and operator new's among them.
extern "C" {
void* __real_malloc(std::size_t size);
void* __wrap_malloc(std::size_t size) {
  if (counting) ++allocations;
  return __real_malloc(size);
}
}

// Not inline: gcc would see free() of what `new` gave, and not that this is what it gives.
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new[](std::size_t size) {
  return operator new(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete[](void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

namespace leat::gateway {
namespace {

class Owner final : public RelayOwner {
 public:
  net::Stream& on_commit() override {
    ++commits;
    stream.write("HEAD;");
    return stream;
  }
  dialect::UsageCost cost_of(const dialect::ChatUsage& usage) override {
    return price == 0 ? dialect::UsageCost()
                      : dialect::UsageCost{.total = price * usage.completion};
  }
  KeepingStream stream;
  int commits = 0;
  std::int64_t price = 0;  // nano-dollars a token of the completion; 0: there is none
};

RelayOptions options(dialect::Face face, bool wants_usage, bool chunked) {
  RelayOptions result;
  result.face = face;
  result.wants_usage = wants_usage;
  result.chunked = chunked;
  return result;
}

const dialect::ChatIdentity kIdentity{"gen-1", "a/b", "P", 1700000000};
constexpr char kRole[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
constexpr char kHello[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n";
constexpr char kStop[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
constexpr char kUsage[] =
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";

std::string framed(std::string_view payload) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", payload.size());
  return size + std::string(payload) + "\r\n";
}

TEST(Relay, OnlyWordsInTheMidstOfTextMayWait) {
  constexpr char kTool[] =
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":"
      "{\"arguments\":\"{\"}}]}}]}\n\n";
  Owner owner;
  Relay relay;
  relay.start(options(dialect::Face::kOpenAi, false, true), kIdentity);
  const auto may_wait_after = [&](std::string_view event) {
    EXPECT_EQ(relay.read(event, owner), RelayStep::kGoOn);
    return relay.is_midst_text();
  };
  EXPECT_FALSE(may_wait_after(kRole));
  EXPECT_FALSE(may_wait_after(kHello)) << "the first word";
  EXPECT_TRUE(may_wait_after(kHello));
  EXPECT_FALSE(may_wait_after(kTool));
  EXPECT_TRUE(may_wait_after(kHello));
  EXPECT_FALSE(may_wait_after(kStop));
  EXPECT_FALSE(may_wait_after(kHello)) << "the stream has ended but for its usage";
}

TEST(Relay, HoldsTheHeadUntilContent) {
  Owner owner;
  Relay relay;
  relay.start(options(dialect::Face::kOpenAi, false, true), kIdentity);
  EXPECT_EQ(relay.read(kRole, owner), RelayStep::kGoOn);
  EXPECT_EQ(relay.read(": keep-alive\n\n", owner), RelayStep::kGoOn);
  EXPECT_EQ(owner.commits, 0);
  EXPECT_EQ(owner.stream.kept, "");
  EXPECT_EQ(relay.read(kHello, owner), RelayStep::kGoOn);
  EXPECT_EQ(owner.commits, 1);
  EXPECT_EQ(owner.stream.kept, "HEAD;" + framed(kRole) + framed(kHello));
}

TEST(Relay, EventsOfOneReceiveShareAChunk) {
  Owner owner;
  Relay relay;
  relay.start(options(dialect::Face::kOpenAi, false, true), kIdentity);
  relay.read(kHello, owner);
  owner.stream.kept.clear();
  relay.read(std::string(kHello) + kHello + kStop, owner);
  EXPECT_EQ(owner.stream.kept, framed(std::string(kHello) + kHello + kStop));
}

TEST(Relay, UsageGoesToWhoAskedOnTheOpenAiFace) {
  for (const bool asked : {false, true}) {
    Owner owner;
    Relay relay;
    relay.start(options(dialect::Face::kOpenAi, asked, false), kIdentity);
    EXPECT_EQ(relay.read(std::string(kHello) + kStop + kUsage + "data: [DONE]\n\n", owner),
              RelayStep::kDone);
    relay.write_end({});
    EXPECT_EQ(owner.stream.kept,
              std::string("HEAD;") + kHello + kStop + (asked ? kUsage : "") + "data: [DONE]\n\n");
    EXPECT_EQ(relay.usage().prompt, 3);
    EXPECT_EQ(relay.usage().completion, 4);
  }
}

TEST(Relay, CostStandsBesideTheProvidersUsageForWhoAsked) {
  constexpr char kEach[] =
      "data: "
      "{\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":{\"completion_tokens\":1}}\n\n";
  constexpr char kEachPriced[] =
      "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}],\"usage\":{\"completion_tokens\":1,"
      "\"cost\":0.000000005,\"is_byok\":false}}\n\n";
  constexpr char kUsagePriced[] =
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,"
      "\"cost\":0.00000002,\"is_byok\":false}}\n\n";
  for (const bool priced : {false, true}) {
    Owner owner;
    owner.price = priced ? 5 : 0;
    Relay relay;
    RelayOptions asks = options(dialect::Face::kOpenAi, true, false);
    asks.wants_cost = true;
    relay.start(asks, kIdentity);
    relay.read(std::string(kEach) + kHello + kUsage, owner);
    relay.write_end({});
    EXPECT_EQ(owner.stream.kept, std::string("HEAD;") + (priced ? kEachPriced : kEach) + kHello +
                                     (priced ? kUsagePriced : kUsage) + "data: [DONE]\n\n");
  }
}

TEST(Relay, CostOfDataInSeveralLinesStaysOneEvent) {
  Owner owner;
  owner.price = 1;
  Relay relay;
  RelayOptions asks = options(dialect::Face::kOpenAi, true, false);
  asks.wants_cost = true;
  relay.start(asks, kIdentity);
  relay.read(std::string(kHello) +
                 "data: {\"choices\":[],\ndata: \"usage\":{\"completion_tokens\":4}}\n\n",
             owner);
  EXPECT_TRUE(owner.stream.kept.ends_with(
      "data: {\"choices\":[], \"usage\":{\"completion_tokens\":4,\"cost\":0.000000004,"
      "\"is_byok\":false}}\n\n"))
      << owner.stream.kept;
}

TEST(Relay, KeepsTheProvidersNamesBeyondTheirEvents) {
  Owner owner;
  Relay relay;
  for (const std::size_t size : {5u, 128u, 129u}) {
    relay.start(options(dialect::Face::kOpenAi, false, false), kIdentity);
    {
      const std::string id(size, 'i');
      const std::string text =
          "data: {\"id\":\"" + id + "\",\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n" +
          "data: {\"id\":\"later\",\"choices\":[{\"delta\":{},\"finish_reason\":\"eos\"}]}\n\n";
      relay.read(text, owner);
    }
    EXPECT_EQ(relay.upstream_id(), size <= 128 ? std::string(size, 'i') : "");
    EXPECT_EQ(relay.native_finish(), "eos");
  }
  relay.start(options(dialect::Face::kOpenAi, false, false), kIdentity);
  EXPECT_EQ(relay.upstream_id(), "");
  EXPECT_EQ(relay.native_finish(), "");
}

TEST(Relay, CountsWhatAnEstimateNeeds) {
  Owner owner;
  Relay relay;
  relay.start(options(dialect::Face::kOpenAi, false, false), kIdentity);
  relay.read(std::string(kRole) + kHello + kHello + kHello + kStop + kUsage, owner);
  EXPECT_EQ(relay.content_events(), 3u) << "a role and an end say nothing";
  EXPECT_EQ(relay.content_bytes(), 15u);
  relay.start(options(dialect::Face::kOpenAi, false, false), kIdentity);
  EXPECT_EQ(relay.content_events() + relay.content_bytes(), 0u);
}

TEST(Relay, OpenRouterFaceEndsWithUsageAndDone) {
  Owner owner;
  Relay relay;
  relay.start(options(dialect::Face::kOpenRouter, false, false), kIdentity);
  relay.read(std::string(kHello) + kStop + kUsage, owner);
  relay.write_end({});
  const std::string& kept = owner.stream.kept;
  EXPECT_EQ(kept.find("\"usage\""), kept.rfind("\"usage\""));
  EXPECT_NE(kept.find("\"choices\":[],\"usage\":{\"prompt_tokens\":3"), std::string::npos);
  EXPECT_TRUE(kept.ends_with("}\n\ndata: [DONE]\n\n"));
  EXPECT_NE(kept.find("\"id\":\"gen-1\""), std::string::npos);
}

// ---- Carrying on -------------------------------------------------------------------------------

RelayOptions continuing(dialect::Face face) {
  RelayOptions result = options(face, true, false);
  result.continues = true;
  return result;
}

TEST(Relay, ASeamIsMarkedAndTheRoleIsNotSaidAgain) {
  Owner owner;
  Relay relay;
  relay.start(continuing(dialect::Face::kOpenAi), kIdentity);
  relay.read(std::string(kRole) + ": provider's\n\n", owner);
  EXPECT_EQ(owner.commits, 0);
  relay.read(std::string(kHello) + kRole + kStop, owner);
  EXPECT_EQ(owner.commits, 1);
  EXPECT_EQ(owner.stream.kept, std::string("HEAD;: leat-continued\n\n") + kHello + kRole + kStop)
      << "what stands behind the first content is the provider's";
  EXPECT_EQ(relay.events(), 3u);
}

TEST(Relay, TheFirstEventBehindASeamAndTheUsageNameTheBrokenProvider) {
  Owner owner;
  Relay relay;
  dialect::ChatIdentity identity = kIdentity;
  identity.continued_from = "Q\"";
  relay.start(continuing(dialect::Face::kOpenRouter), identity);
  relay.read(std::string(kRole) + kHello + kHello + kStop + kUsage, owner);
  relay.write_end({});
  std::string_view kept = owner.stream.kept;
  ASSERT_TRUE(kept.starts_with("HEAD;: leat-continued\n\ndata: "));
  const std::string_view mark = R"("continued_from":"Q\"")";
  std::string marked;
  for (kept.remove_prefix(kept.find("data: ")); !kept.starts_with("data: [DONE]");) {
    const std::size_t end = kept.find("\n\n") + 2;
    marked += kept.substr(0, end).find(mark) != std::string_view::npos ? 'x' : '-';
    if (end == kept.size()) break;
    kept.remove_prefix(end);
  }
  EXPECT_EQ(marked, "x--x");
}

TEST(Relay, AnAnswerWithoutASeamHasNoMark) {
  for (const auto face : {dialect::Face::kOpenAi, dialect::Face::kOpenRouter}) {
    Owner owner;
    Relay relay;
    relay.start(options(face, true, false), kIdentity);
    relay.read(std::string(kRole) + kHello + kStop + kUsage, owner);
    relay.write_end({});
    EXPECT_EQ(owner.stream.kept.find("continued"), std::string::npos);
  }
}

TEST(Relay, TheTextThatIsKeptIsWhatTheClientWasSent) {
  for (const auto face : {dialect::Face::kOpenAi, dialect::Face::kOpenRouter}) {
    Owner owner;
    Relay relay;
    dialect::TextSoFar so_far(1'000);
    RelayOptions keeping = options(face, false, false);
    keeping.so_far = &so_far;
    relay.start(keeping, kIdentity);
    relay.read(std::string(kRole) + kHello, owner);
    EXPECT_EQ(so_far.text(), "hello");
    // Half an event is nothing yet, and garbage never is.
    relay.read(std::string(kHello).substr(0, 50), owner);
    EXPECT_EQ(so_far.text(), "hello");
    relay.read(std::string(kHello).substr(50), owner);
    EXPECT_EQ(so_far.text(), "hellohello");
    EXPECT_EQ(so_far.tokens_max(), 10);
    // What the provider counted is better than a bound.
    relay.read(kUsage, owner);
    EXPECT_EQ(so_far.tokens_max(), 4);
    EXPECT_EQ(relay.read("data: {\"choices\":[{\"delta\":{\"content\":\"x\n\n", owner),
              RelayStep::kInvalid);
    EXPECT_EQ(so_far.text(), "hellohello");
    relay.stop_noting();
    relay.read(kHello, owner);
    EXPECT_EQ(so_far.text(), "hellohello");
  }
}

TEST(Relay, WhatIsHeardForALogIsWhatTheClientWasSent) {
  for (const auto face : {dialect::Face::kOpenAi, dialect::Face::kOpenRouter}) {
    Owner owner;
    Relay relay;
    dialect::TextSoFar so_far(1'000);
    dialect::AnswerText heard(dialect::AnswerForm::kChat, 1, 1'000);
    RelayOptions keeping = options(face, false, false);
    keeping.so_far = &so_far;
    keeping.heard = &heard;
    relay.start(keeping, kIdentity);
    relay.read(std::string(kRole) + kHello, owner);
    // Each goes on without the other.
    relay.stop_noting();
    relay.read(kHello, owner);
    EXPECT_EQ(so_far.text(), "hello");
    relay.stop_hearing();
    relay.read(kHello, owner);
    std::string json;
    heard.append_json(json);
    EXPECT_NE(json.find("\"content\":\"hellohello\""), std::string::npos) << json;
    // Another one carries it on.
    keeping.so_far = nullptr;
    keeping.continues = true;
    relay.start(keeping, kIdentity);
    relay.read(std::string(kRole) + kHello, owner);
    json.clear();
    heard.append_json(json);
    EXPECT_NE(json.find("\"content\":\"hellohellohello\""), std::string::npos) << json;
  }
}

TEST(Relay, WhatCameBeforeTheCommitIsNoNews) {
  Owner owner;
  Relay relay;
  dialect::TextSoFar so_far(1'000);
  RelayOptions keeping = options(dialect::Face::kOpenAi, false, false);
  keeping.so_far = &so_far;
  relay.start(keeping, kIdentity);
  relay.read(kUsage, owner);
  relay.read(kHello, owner);
  EXPECT_EQ(so_far.tokens_max(), 5);
}

TEST(Relay, NothingOfAFailureIsPassedOn) {
  for (const auto& [bytes, step] :
       {std::pair("data: {\"error\":{\"message\":\"x\"}}\n\n", RelayStep::kError),
        std::pair("data: nonsense\n\n", RelayStep::kInvalid)}) {
    Owner owner;
    Relay relay;
    relay.start(options(dialect::Face::kOpenAi, false, true), kIdentity);
    relay.read(kHello, owner);
    owner.stream.kept.clear();
    EXPECT_EQ(relay.read(bytes, owner), step);
    EXPECT_EQ(owner.stream.kept, "");
    Relay::write_error(owner.stream, true, dialect::ErrorKind::kUpstreamClosed, {});
    EXPECT_NE(owner.stream.kept.find("data: {\"error\":"), std::string::npos);
    EXPECT_EQ(owner.stream.kept.find("[DONE]"), std::string::npos);
    EXPECT_FALSE(owner.stream.kept.ends_with("0\r\n\r\n"));
  }
}

TEST(Relay, LimitsHold) {
  Owner owner;
  Relay relay;
  RelayOptions small = options(dialect::Face::kOpenAi, false, true);
  small.stream_bytes_max = 1000;
  relay.start(small, kIdentity);
  RelayStep step = RelayStep::kGoOn;
  for (int i = 0; i < 100 && step == RelayStep::kGoOn; ++i) step = relay.read(kHello, owner);
  EXPECT_EQ(step, RelayStep::kTooLarge);
  small.stream_bytes_max = 1 << 20;
  small.event_bytes_max = 200;
  relay.start(small, kIdentity);
  EXPECT_EQ(relay.read("data: " + std::string(400, 'x'), owner), RelayStep::kTooLarge);
}

TEST(Relay, MuchWithoutContentIsCommittedAtLast) {
  Owner owner;
  Relay relay;
  RelayOptions held = options(dialect::Face::kOpenAi, false, true);
  held.held_bytes_max = 1000;
  relay.start(held, kIdentity);
  for (int i = 0; i < 100; ++i) relay.read(kRole, owner);
  EXPECT_EQ(owner.commits, 1);
}

TEST(Relay, AllocatesNothingForTheEventsOfARunningStream) {
  for (const dialect::Face face : {dialect::Face::kOpenAi, dialect::Face::kOpenRouter}) {
    Owner owner;
    Relay relay;
    relay.start(options(face, false, true), kIdentity);
    relay.read(kHello, owner);
    const std::string_view bytes(kHello);
    relay.read(bytes.substr(0, 20), owner);  // a straddling event: its buffer stays
    relay.read(bytes.substr(20), owner);
    const std::string several = std::string(kHello) + kHello;
    allocations = 0;
    counting = true;
    for (int i = 0; i < 1000; ++i) {
      relay.read(several, owner);
      relay.read(bytes.substr(0, 30), owner);
      relay.read(bytes.substr(30), owner);
    }
    counting = false;
    EXPECT_EQ(allocations, 0);
    counting = true;
    Block::allocate(1);
    counting = false;
    EXPECT_EQ(allocations, 1) << "the count itself works";
    EXPECT_EQ(relay.events(), 3002u);
  }
}

}  // namespace
}  // namespace leat::gateway
