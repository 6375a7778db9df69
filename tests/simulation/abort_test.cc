// SPDX-License-Identifier: Apache-2.0
// Goal: a client that goes away leaves nothing behind, whenever it goes: its provider is hung up on
// within 10 ms, what a provider may have run is recorded, once, and its place in the open table is
// free again. Method: a whole gateway with a ledger in a simulated world, one client that leaves in
// one of seven phases, in order or with a reset, under many seeds; then the ledger is read.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gateway/snapshot.h"
#include "simulation/http_reader.h"
#include "simulation/priced_catalogue.h"
#include "simulation/sim_gateway.h"
#include "simulation/sim_keeping.h"
#include "tls/digest.h"

namespace leat::sim {
namespace {

using ledger::AttemptOutcome;

constexpr std::uint64_t kSeeds = 25;
constexpr char kClientKey[] = "sk-leat-abort-client";
constexpr Duration kHangUpMax = milliseconds(10);
constexpr Duration kSoon = milliseconds(5);
constexpr Duration kStep = milliseconds(20);

// In which it leaves.
enum class Phase : std::uint8_t {
  kBody,        // half of the request has come
  kConnecting,  // a provider was chosen and is being connected to
  kWaiting,     // it was asked, and has not answered
  kRefused,     // it has answered with an error, of which half has come
  kHeld,        // it has answered, without content so far
  kStreaming,   // content has gone to the client
  kDurability,  // the answer is whole, and its end waits for the record
};

std::string event(const std::string& delta, const char* finish) {
  return "data: {\"id\":\"up\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\","
         "\"choices\":[{\"index\":0,\"delta\":" +
         delta + ",\"finish_reason\":" + finish + "}]}\n\n";
}

std::string chunk(const std::string& payload) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", payload.size());
  return size + payload + "\r\n";
}

// Answers one request, step by step.
class Provider final : private PortUser, private EndUser {
 public:
  Provider(World& world, const io::Address& address, bool refuses)
      : world_(world), port_(world.network().listen(address, *this, false)) {
    steps_.push_back({});  // it was asked
    if (refuses) {
      steps_.push_back(
          "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\n"
          "Content-Length: 99\r\n\r\n{\"error\":");
      return;
    }
    steps_.push_back(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n" +
        chunk(event("{\"role\":\"assistant\",\"content\":\"\"}", "null")));
    steps_.push_back(chunk(event("{\"content\":\"water\"}", "null")));
    steps_.push_back(
        chunk(event("{\"content\":\" wheel\"}", "\"stop\"") +
              "data: {\"id\":\"up\",\"object\":\"chat.completion.chunk\",\"created\":1,"
              "\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,"
              "\"completion_tokens\":2,\"total_tokens\":7}}\n\ndata: [DONE]\n\n") +
        "0\r\n\r\n");
  }

  std::function<void(std::size_t)> on_step;  // 0: asked, 1: head, 2: content, 3: the end
  int asked = 0;
  Connection* connection = nullptr;  // the last one, whose end(0) is the gateway's

 private:
  void on_pending() override {
    while (port_->has_pending()) {
      connection = &port_->accept();
      end_ = &connection->end(1);
      end_->set_user(this);
      on_readable();
    }
  }
  void on_established() override {}
  void on_connect_failed(int) override {}
  void on_room() override {}
  void on_readable() override {
    reader_.feed(end_->readable());
    end_->consume(end_->readable().size());
    if (end_->is_open() && (end_->at_end() || end_->error() != 0)) return end_->close();
    if (!reader_.is_whole()) return;
    reader_.next();
    ++asked;
    on_time(0);
  }
  void on_time(std::uint64_t step) {
    if (!end_->can_write()) return;
    if (!steps_[step].empty()) end_->write(steps_[step]);
    on_step(step);
    if (step + 1 == steps_.size()) return;
    world_.schedule(world_.now() + kStep, EventKind::kActor, event_callback<&Provider::on_time>,
                    this, step + 1);
  }

  World& world_;
  Port* port_;
  End* end_ = nullptr;
  HttpReader reader_{HttpReader::Kind::kRequest};
  std::vector<std::string> steps_;
};

class Client final : private EndUser {
 public:
  Client(World& world, const io::Address& gateway, bool sends_all, bool resets)
      : world_(world), sends_all_(sends_all), resets_(resets) {
    connection = &world.network().connect(io::Address::v4(10, 1, 0, 1, 30'000), gateway, *this);
    const std::string body =
        R"({"model":"m0","messages":[{"role":"user","content":"hello, is there water?"}],)"
        R"("stream":true})";
    request_ =
        std::string("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer ") +
        kClientKey +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    if (!sends_all_) request_.resize(request_.size() - body.size() / 2);
  }

  void leave_soon() {
    world_.schedule(world_.now() + kSoon, EventKind::kActor, event_callback<&Client::leave>, this);
  }

  std::function<void()> on_sent;
  Connection* connection;
  std::string received;

 private:
  void on_established() override {
    connection->end(0).write(request_);
    on_sent();
  }
  void on_connect_failed(int) override { ADD_FAILURE() << "not connected"; }
  void on_room() override {}
  void on_readable() override {
    received += connection->end(0).readable();
    connection->end(0).consume(connection->end(0).readable().size());
  }
  void leave(std::uint64_t) {
    if (resets_) {
      connection->end(0).reset(false);
    } else {
      connection->end(0).close();
    }
  }

  World& world_;
  bool sends_all_;
  bool resets_;
  std::string request_;
};

struct Kept {
  int records = 0;
  std::vector<AttemptOutcome> outcomes;
  bool is_cancelled = false;
  std::int64_t cost = 0;
  std::uint16_t status = 0;
};

class Reader final : public ledger::EntryVisitor {
 public:
  explicit Reader(Kept& kept) : kept_(kept) {}
  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kUsage) return;
    const auto record = ledger::decode(entry.payload);
    ASSERT_TRUE(record.has_value());
    ++kept_.records;
    for (const auto& attempt : record->attempts_known()) kept_.outcomes.push_back(attempt.outcome);
    kept_.is_cancelled = record->flags.is_cancelled;
    kept_.cost = record->cost;
    kept_.status = record->status;
  }

 private:
  Kept& kept_;
};

Options options_of(const io::Address& provider) {
  Options options;
  options.keys.push_back({.name = "abort", .sha256 = tls::sha256(kClientKey)});
  leat::Provider made;
  made.name = made.display_name = "p0";
  made.base_url = {.tls = false,
                   .host = "p0.test",
                   .port = provider.port,
                   .path_prefix = "/v1",
                   .authority = "p0.test:8000"};
  made.allow_private = true;
  options.providers.push_back(std::move(made));
  Model model;
  model.id = model.name = "m0";
  model.endpoints.push_back({0, "up"});
  options.models.push_back(std::move(model));
  return options;
}

// One client in one world, which leaves in that phase.
class Abort {
 public:
  Abort(std::uint64_t seed, Phase phase, bool resets, ledger::LedgerMode mode)
      : phase_(phase),
        world_(seed, faults_of(phase)),
        keeping_(world_, {.mode = mode}),
        options_(options_of(provider_address_)),
        provider_(world_, provider_address_, phase == Phase::kRefused),
        snapshot_(
            options_,
            std::make_shared<const gateway::RoutedCatalogue>(priced_catalogue(options_, {{3.0}})),
            std::vector<std::vector<std::string_view>>{{"sk-up"}}),
        gateway_(world_, snapshot_, std::vector{provider_address_}, &keeping_),
        client_(world_, gateway_address_, phase != Phase::kBody, resets) {
    provider_.on_step = [this](std::size_t step) {
      const bool leaves = (phase_ == Phase::kWaiting && step == 0) ||
                          ((phase_ == Phase::kRefused || phase_ == Phase::kHeld) && step == 1) ||
                          (phase_ == Phase::kStreaming && step == 2) ||
                          (phase_ == Phase::kDurability && step == 3);
      if (leaves) client_.leave_soon();
    };
    client_.on_sent = [this] {
      if (phase_ == Phase::kBody || phase_ == Phase::kConnecting) client_.leave_soon();
    };
    gateway_.listen(gateway_address_, false);
  }

  void run();
  void check();

 private:
  static FaultPlan faults_of(Phase phase) {
    FaultPlan plan;
    if (phase == Phase::kConnecting) plan.set(Fault::kDnsSlow, 1);
    if (phase == Phase::kDurability) plan.set(Fault::kDiskSlow, 1);
    return plan;
  }

  const io::Address gateway_address_ = io::Address::v4(10, 0, 0, 1, 8080);
  const io::Address provider_address_ = io::Address::v4(10, 2, 0, 1, 8000);
  Phase phase_;
  World world_;
  SimKeeping keeping_;
  const Options options_;
  Provider provider_;
  gateway::Snapshot snapshot_;
  SimGateway gateway_;
  Client client_;
};

void Abort::run() {
  world_.run_until(world_.now() + seconds(8));
  EXPECT_EQ(keeping_.open_count(), 0u) << "its place in the open table";
  EXPECT_EQ(gateway_.shards()[0]->counters.requests_open.get(), 0u);
  gateway_.tell_to_drain();
  world_.run_until(world_.now() + seconds(2));
  EXPECT_EQ(gateway_.shards()[0]->gateway->live_objects(), 0u);
  for (int i = 0; i < 100 && !gateway_.finish_ledgers(); ++i) {
    world_.run_until(world_.now() + seconds(1));
  }
  EXPECT_TRUE(gateway_.finish_ledgers());
  gateway_.shards()[0]->io.stop();
}

void Abort::check() {
  for (const std::string& violation : world_.violations()) ADD_FAILURE() << violation;
  Kept kept;
  Reader reader(kept);
  keeping_.read(reader);
  const bool was_asked = phase_ > Phase::kConnecting;
  EXPECT_EQ(provider_.asked, was_asked ? 1 : 0);
  EXPECT_EQ(kept.records, phase_ == Phase::kBody ? 0 : 1);
  EXPECT_EQ(client_.received.find("[DONE]"), std::string::npos) << "it had the end already";
  if (kept.records == 0) return;
  ASSERT_EQ(kept.outcomes.size(), 1u);
  EXPECT_EQ(kept.is_cancelled, phase_ != Phase::kDurability);
  switch (phase_) {
    case Phase::kBody:
    case Phase::kConnecting:
      EXPECT_EQ(kept.outcomes[0], AttemptOutcome::kNotExecuted);
      EXPECT_EQ(kept.cost, 0);
      break;
    case Phase::kWaiting:
      EXPECT_EQ(kept.outcomes[0], AttemptOutcome::kClientGone);
      break;
    case Phase::kRefused:
      EXPECT_EQ(kept.outcomes[0], AttemptOutcome::kClientGone) << "it may have run";
      EXPECT_EQ(kept.cost, 0);
      break;
    case Phase::kHeld:
    case Phase::kStreaming:
      EXPECT_EQ(kept.outcomes[0], AttemptOutcome::kClientGone);
      EXPECT_GT(kept.cost, 0) << "what came is asked for";
      break;
    case Phase::kDurability:
      EXPECT_EQ(kept.outcomes[0], AttemptOutcome::kSucceeded);
      EXPECT_EQ(kept.status, 200);
      EXPECT_GT(kept.cost, 0);
  }
  if (!was_asked || phase_ == Phase::kDurability) return;  // nothing is cut short
  const Instant known_at = client_.connection->end(1).peer_gone_at();
  ASSERT_NE(known_at, kNever);
  EXPECT_LE(provider_.connection->end(0).closed_at(), known_at + kHangUpMax);
}

void run_all(Phase phase) {
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const auto mode : {ledger::LedgerMode::kStrict, ledger::LedgerMode::kGrouped}) {
      // Where nothing waits for the record, the client has the end.
      if (phase == Phase::kDurability && mode == ledger::LedgerMode::kGrouped) continue;
      SCOPED_TRACE("seed " + std::to_string(seed));
      Abort abort(seed, phase, seed % 2 == 0, mode);
      abort.run();
      abort.check();
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(Abort, DuringTheBody) {
  run_all(Phase::kBody);
}

TEST(Abort, WhileConnecting) {
  run_all(Phase::kConnecting);
}

TEST(Abort, WhileAnErrorComes) {
  run_all(Phase::kRefused);
}

TEST(Abort, BeforeTheHead) {
  run_all(Phase::kWaiting);
}

TEST(Abort, BeforeContent) {
  run_all(Phase::kHeld);
}

TEST(Abort, Midway) {
  run_all(Phase::kStreaming);
}

TEST(Abort, WhileTheEndWaitsForTheRecord) {
  run_all(Phase::kDurability);
}

}  // namespace
}  // namespace leat::sim
