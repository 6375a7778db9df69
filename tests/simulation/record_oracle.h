// SPDX-License-Identifier: Apache-2.0
// RecordOracle: what must hold of a ledger, judged by what the simulated clients and providers know
// (invariants I1 to I8 of the design's fault page). While the world runs it looks into the files
// whenever a client sees the end of a good answer; afterwards it reads all of them.
//
//   durable    strict: the record was on the disk before the client saw the end
//   once       each request that a provider was asked for has one record, none that was refused
//              before has; ids are unique, over kills and restarts too
//   executed   what providers ran is what records say that they ran
//   money      integer, never negative, never more than was reserved
//   counted    usage is what the provider said, or marked as ours
//   recovered  what a kill cut off is there, as ambiguous, within a minute
//   idle       no request is open when none runs
//
// A request and its record know each other by the nonce, which is sent as X-Title.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/record.h"
#include "simulation/request_record.h"
#include "simulation/sim_keeping.h"

namespace leat::sim {

// Of a UsageRecord, what outlives the bytes that it was read from.
struct KeptRecord {
  struct Attempt {
    std::string provider;
    ledger::AttemptOutcome outcome = ledger::AttemptOutcome::kNotExecuted;
  };
  std::string generation_id;
  std::string nonce;  // empty: written at a start for a process before
  std::string error_type;
  std::vector<Attempt> attempts;
  std::uint32_t attempts_made = 0;
  std::uint16_t status = 0;
  ledger::UsageTokens tokens;
  ledger::Nanodollars cost = 0;
  ledger::Nanodollars charge = 0;
  ledger::Nanodollars reserved = 0;
  ledger::Nanodollars shortfall = 0;
  std::uint64_t price_version = 0;
  ledger::UsageFlags flags;
};

// All records that stand in the files, in the order of their shards.
std::vector<KeptRecord> read_records(SimKeeping& keeping);
// Whether one of them has this nonce.
bool has_record(SimKeeping& keeping, std::string_view nonce);

class RecordOracle {
 public:
  RecordOracle(World& world, SimKeeping& keeping) : world_(world), keeping_(keeping) {}

  // A client has the end of a good answer, now.
  void on_finished(const RequestRecord& request);
  // The world is at rest and the ledgers are finished, or dead.
  void judge(const RequestBook& book);

  // The disk has never refused anything: no record has an excuse.
  bool is_sound() const;
  std::size_t records() const { return records_.size(); }

 private:
  void take_records();
  void judge_request(const RequestRecord& request);
  void judge_missing(const RequestRecord& request);
  void judge_record(const RequestRecord& request, const KeptRecord& record);
  void judge_attempts(const RequestRecord& request, const KeptRecord& record);
  void judge_usage(const RequestRecord& request, const KeptRecord& record);
  void judge_money(const KeptRecord& record);
  void judge_recovered();
  void breach(std::string_view nonce, const std::string& what) {
    world_.violation("ledger: " + std::string(nonce) + ": " + what);
  }

  World& world_;
  SimKeeping& keeping_;
  std::vector<KeptRecord> records_;
  std::map<std::string, std::vector<const KeptRecord*>, std::less<>> by_nonce_;
  std::set<std::string, std::less<>> recovered_;  // ids of records written at a start
  std::size_t cut_off_ = 0;           // requests that a provider was asked for and a kill cut off
  std::size_t may_be_recovered_ = 0;  // requests without a record of their own
};

}  // namespace leat::sim
