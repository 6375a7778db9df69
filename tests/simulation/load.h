// SPDX-License-Identifier: Apache-2.0
// Load: an open-loop stream of chats against a simulated gateway. Requests begin when their time
// has come, whatever became of those before; each goes over an idle connection, or a new one where
// there is none. Every request is one Sample, which the providers complete.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/http_reader.h"
#include "simulation/sim_world.h"

namespace leat::sim {

// What every good answer says.
inline constexpr std::string_view kWholeText = "water wheel";

struct Sample {
  static constexpr std::uint32_t kNobody = 0xffff'ffff;

  Instant started{};
  Instant first_token = kNever;  // as the client saw it
  Instant ended = kNever;
  int status = 0;
  bool is_whole = false;              // the stream came to its own end
  std::uint32_t attempts = 0;         // providers that were asked
  std::uint32_t served_by = kNobody;  // the one whose content it got
  bool was_cut = false;               // a provider broke its answer off
  std::uint32_t seams = 0;            // how often the answer says that another carried it on
  std::string refusal;                // the body of an answer that is no success
  std::string should_retry;           // the advice in its head
  bool is_modest = false;             // with LoadOptions::modest_key

  // Nothing of an answer: what failover is there to prevent. Errors after content are another
  // thing.
  bool has_failed() const { return ended != kNever && first_token == kNever; }
};

// What the requests of a load are titled (X-Title), by their numbers.
std::string title_of(std::uint64_t number);

struct LoadOptions {
  io::Address gateway;
  std::string key;
  std::string model = "m0";
  double per_second = 500;
  // Another key, and the share of the requests that are its; empty: none.
  std::string modest_key;
  double modest_share = 0;
};

class Load {
 public:
  Load(World& world, const LoadOptions& options);
  ~Load();

  void start();
  // No request begins any more.
  void stop() { is_stopped_ = true; }
  // Requests a second, from the next one on.
  void set_rate(double per_second) { options_.per_second = per_second; }
  std::uint64_t open_requests() const { return open_; }
  // Ends all idle connections, so that the gateway can come to rest.
  void hang_up();

  const std::deque<Sample>& samples() const { return samples_; }
  // Told the title of a request whose answer is whole, at that moment. May be null.
  std::function<void(const std::string& title)> on_whole;
  // The sample that a request's body belongs to; null: none of ours.
  Sample* sample_of(std::string_view body);

 private:
  class Caller;
  void ask(std::uint64_t);
  void schedule_next();

  World& world_;
  LoadOptions options_;
  std::deque<Sample> samples_;  // they do not move
  std::vector<std::unique_ptr<Caller>> connections_;
  std::vector<Caller*> idle_;
  std::uint64_t open_ = 0;
  bool is_stopped_ = false;
};

}  // namespace leat::sim
