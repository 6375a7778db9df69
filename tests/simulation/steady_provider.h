// SPDX-License-Identifier: Apache-2.0
// SteadyProvider: a provider of a scenario, on the simulated network itself. It serves streamed
// chats at its own pace and does so until it is told to misbehave; all its requests then meet the
// same trouble until it is told to be well again. What it was asked, when and with which key, it
// keeps.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/http_reader.h"
#include "simulation/load.h"
#include "simulation/sim_world.h"

namespace leat::sim {

enum class Trouble : std::uint8_t {
  kNone,
  kDead,        // every connection is reset, and new ones are refused
  kHangs,       // accepts and never answers; what was running stands still
  kSlow,        // ten times slower
  kFails,       // 500
  kLimited,     // 429, without a word of how long
  kLimitedFor,  // 429 with Retry-After
  kGarbage,     // a 200 that is no stream of chat events
  kHalfHead,    // half a head of a 200, then nothing
  kHalfEvent,   // a whole head and half an event, then nothing
  kCuts,        // breaks some answers off behind their first words, in one of several ways
};
const char* trouble_name(Trouble trouble);

class SteadyProvider final : private PortUser {
 public:
  struct Asked {
    Instant at{};
    std::uint32_t shard_host = 0;  // which shard asked: the last byte of its address
    std::uint32_t key = 0;         // index into keys, or keys.size() if it is none of them
    bool was_limited = false;      // it was answered with 429
    Connection* connection = nullptr;
    const Sample* sample = nullptr;  // whose request it was
  };

  SteadyProvider(World& world, Load& load, std::uint32_t index, const io::Address& address);
  ~SteadyProvider();

  void set_trouble(Trouble trouble);
  // One key is answered with 429 and this Retry-After until the time has passed.
  void limit_key(std::uint32_t key, Duration retry_after);

  // Bearer texts that are known here.
  std::vector<std::string> keys;
  Duration first_token_min = milliseconds(110);
  Duration first_token_max = milliseconds(190);
  Duration rest = milliseconds(120);  // from the first token to the end
  Duration retry_after = seconds(3);  // of kLimitedFor
  bool carries_on = false;            // a text that stands last, where it is asked to

  const std::vector<Asked>& asked() const { return asked_; }

 private:
  class Visit;  // one connection
  void on_pending() override;

  World& world_;
  Load& load_;
  std::uint32_t index_;
  io::Address address_;
  Port* port_;
  Trouble trouble_ = Trouble::kNone;
  std::vector<Instant> key_limited_until_;
  std::vector<std::unique_ptr<Visit>> visits_;
  std::vector<Asked> asked_;
};

}  // namespace leat::sim
