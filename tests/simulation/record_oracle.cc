// SPDX-License-Identifier: Apache-2.0
#include "simulation/record_oracle.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace leat::sim {

namespace {

using ledger::AttemptOutcome;
using ledger::LedgerMode;

constexpr Duration kRecoveryMax = seconds(60);
constexpr std::int64_t kPromptTokens = 11;  // as providers of these worlds count

KeptRecord kept(const ledger::UsageRecord& record) {
  KeptRecord kept;
  kept.generation_id = record.generation_id;
  kept.nonce = record.app_title;
  kept.error_type = record.error_type;
  for (const ledger::UsageAttempt& attempt : record.attempts_known()) {
    kept.attempts.push_back({std::string(attempt.provider), attempt.outcome});
  }
  kept.attempts_made = record.attempts_made;
  kept.status = record.status;
  kept.tokens = record.tokens;
  kept.cost = record.cost;
  kept.charge = record.charge;
  kept.reserved = record.reserved;
  kept.shortfall = record.shortfall;
  kept.price_version = record.price_version;
  kept.flags = record.flags;
  return kept;
}

// Whether there is a record that names it.
class Search final : public ledger::EntryVisitor {
 public:
  explicit Search(std::string_view nonce) : nonce_(nonce) {}
  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kUsage) return;
    const auto record = ledger::decode(entry.payload);
    found = found || (record && record->app_title == nonce_);
  }
  bool found = false;

 private:
  std::string_view nonce_;
};

class Reader final : public ledger::EntryVisitor {
 public:
  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kUsage) return;
    const auto record = ledger::decode(entry.payload);
    LEAT_CHECK(record.has_value());  // its frame is sound, and we wrote it
    records.push_back(kept(*record));
  }
  std::vector<KeptRecord> records;
};

}  // namespace

std::vector<KeptRecord> read_records(SimKeeping& keeping) {
  Reader reader;
  keeping.read(reader);
  return std::move(reader.records);
}

bool has_record(SimKeeping& keeping, std::string_view nonce) {
  Search search(nonce);
  keeping.read(search);
  return search.found;
}

void RecordOracle::on_finished(const RequestRecord& request) {
  if (keeping_.options().mode != LedgerMode::kStrict) return;
  if (has_record(keeping_, request.nonce)) return;
  breach(request.nonce, "its client has the end, and the disk no record");
}

void RecordOracle::take_records() {
  records_ = sim::read_records(keeping_);
  std::set<std::string_view> ids;
  for (const KeptRecord& record : records_) {
    if (!ids.insert(record.generation_id).second) breach(record.nonce, "an id stands twice");
    if (record.flags.is_recovered) {
      recovered_.insert(record.generation_id);
    } else {
      by_nonce_[record.nonce].push_back(&record);
    }
    judge_money(record);
  }
}

bool RecordOracle::is_sound() const {
  const FaultCounts& counts = world_.fault_counts();
  return keeping_.was_always_sound() && counts[static_cast<std::size_t>(Fault::kDiskError)] == 0 &&
         counts[static_cast<std::size_t>(Fault::kDiskFull)] == 0;
}

void RecordOracle::judge(const RequestBook& book) {
  take_records();
  for (const auto& [nonce, request] : book.all()) judge_request(request);
  for (const auto& [nonce, records] : by_nonce_) {
    if (!book.all().contains(nonce)) breach(nonce, "a record of nobody's request");
  }
  judge_recovered();
  if (!keeping_.is_disk_dead() && keeping_.open_count() != 0) {
    breach("", std::to_string(keeping_.open_count()) + " requests are open in a gateway at rest");
  }
}

void RecordOracle::judge_request(const RequestRecord& request) {
  const auto found = by_nonce_.find(request.nonce);
  const std::size_t count = found == by_nonce_.end() ? 0 : found->second.size();
  const bool is_refused = request.is_garbage || request.expected_status != 0;
  if (is_refused && count != 0) breach(request.nonce, "a record of what was refused before");
  if (count > 1) breach(request.nonce, std::to_string(count) + " records");
  if (is_sound() && request.body.find(kNoRecord) != std::string::npos) {
    breach(request.nonce, "refused for want of a ledger whose disk was well");
  }
  if (count == 0) {
    if (!is_refused) judge_missing(request);
    return;
  }
  const KeptRecord& record = *found->second.front();
  if (!request.generation_id.empty() && request.generation_id != record.generation_id) {
    breach(request.nonce, "the client was told another id than its record has");
  }
  judge_record(request, record);
}

void RecordOracle::judge_missing(const RequestRecord& request) {
  ++may_be_recovered_;
  if (keeping_.is_disk_dead()) {
    const bool was_promised = keeping_.options().mode == LedgerMode::kStrict;
    if (was_promised && request.is_finished) {
      breach(request.nonce, "acknowledged, and lost");
    }
    return;
  }
  const bool was_begun = !request.executions.empty() || request.is_finished;
  if (!was_begun) return;
  if (keeping_.generations() == 1) return breach(request.nonce, "no record");
  ++cut_off_;
  if (!request.generation_id.empty() && !recovered_.contains(request.generation_id)) {
    breach(request.nonce, "no record, of its own or of a start after the kill");
  }
}

void RecordOracle::judge_recovered() {
  if (keeping_.is_disk_dead()) return;
  if (recovered_.size() < cut_off_) {
    breach("", std::to_string(cut_off_) + " requests were cut off, " +
                   std::to_string(recovered_.size()) + " are recorded as such");
  }
  if (recovered_.size() > may_be_recovered_) {
    breach("", "more was recovered than was cut off");
  }
  if (keeping_.is_recovering()) breach("", "what was cut off is not recorded yet");
  if (keeping_.recovery_time_max() > kRecoveryMax) breach("", "cut off and recorded too late");
}

// ---- One record --------------------------------------------------------------------------------

void RecordOracle::judge_money(const KeptRecord& record) {
  const auto wrong = [&](const char* what) { breach(record.nonce, what); };
  if (record.cost < 0 || record.charge < 0 || record.shortfall < 0) wrong("money below zero");
  if (record.price_version == 0) wrong("prices without a version");
  if (record.reserved == 0) return;  // nothing bounds it
  if (record.charge > record.reserved) wrong("charged more than was reserved");
  if (record.shortfall > 0 && record.charge != record.reserved) {
    wrong("a shortfall below the reservation");
  }
}

void RecordOracle::judge_record(const RequestRecord& request, const KeptRecord& record) {
  judge_attempts(request, record);
  judge_usage(request, record);
  const bool is_told = request.end == RequestRecord::End::kWhole && request.status != 0;
  if (is_told && request.is_finished && record.status != request.status) {
    breach(request.nonce, "recorded with status " + std::to_string(record.status));
  }
}

// By provider: what certainly ran is not more than it ran, and what may have run not less.
void RecordOracle::judge_attempts(const RequestRecord& request, const KeptRecord& record) {
  struct Count {
    std::size_t executions = 0;
    std::size_t ran = 0;
    std::size_t may_have_run = 0;
  };
  std::map<std::string, Count> counts;
  for (const Execution& execution : request.executions) {
    ++counts["p" + std::to_string(execution.provider)].executions;
  }
  for (const KeptRecord::Attempt& attempt : record.attempts) {
    Count& count = counts[attempt.provider];
    count.ran += attempt.outcome == AttemptOutcome::kSucceeded;
    count.may_have_run += attempt.outcome != AttemptOutcome::kNotExecuted;
  }
  const bool is_complete = record.attempts_made == record.attempts.size();
  for (const auto& [provider, count] : counts) {
    if (count.ran > count.executions)
      breach(request.nonce, provider + " ran less than is recorded");
    if (is_complete && count.may_have_run < count.executions) {
      breach(request.nonce, provider + " ran " + std::to_string(count.executions) +
                                ", recorded are " + std::to_string(count.may_have_run));
    }
  }
}

// Of an answer that one provider gave, whole.
void RecordOracle::judge_usage(const RequestRecord& request, const KeptRecord& record) {
  if (!request.is_finished || request.executions.size() != 1) return;
  const Execution& execution = request.executions.front();
  if (!execution.is_sound) return;
  const bool was_told = !execution.streamed || execution.usage_event >= 0;
  const auto said = static_cast<std::int64_t>(execution.texts.size());
  if (was_told && !record.flags.is_clamped &&
      (record.tokens.prompt != kPromptTokens || record.tokens.completion != said)) {
    breach(request.nonce, "recorded with " + std::to_string(record.tokens.completion) +
                              " tokens, the provider counted " + std::to_string(said));
  }
  if (record.flags.is_estimated == was_told) {
    breach(request.nonce, was_told ? "what was counted is called an estimate"
                                   : "an estimate that is not called so");
  }
}

}  // namespace leat::sim
