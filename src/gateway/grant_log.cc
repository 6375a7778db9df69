// SPDX-License-Identifier: Apache-2.0
#include "gateway/grant_log.h"

#include <array>

namespace leat::gateway {

GrantLog::GrantLog(ShardLedger& ledger, Sink& sink) : ledger_(ledger), sink_(sink) {
  ledger_.set_listener(this);
}

GrantLog::~GrantLog() {
  while (Waiting* waiting = waiting_.pop_front()) pool_.destroy(waiting);
  while (Waiting* waiting = late_.pop_front()) pool_.destroy(waiting);
}

void GrantLog::send(policy::ShardIndex to, const policy::LeaseGrant& grant,
                    const ledger::Grant& entry) {
  write(*pool_.create(*this, to, grant, entry));
}

void GrantLog::write(Waiting& waiting) {
  std::array<char, ledger::kGrantBytes> bytes;
  ledger::encode(waiting.entry, bytes);
  const std::uint64_t sequence = ledger_.next_sequence();
  const auto appended = ledger_.append_grant(bytes, waiting);
  waiting.sequence = appended == ShardLedger::Appended::kDropped ? kUnwritten : sequence;
  if (appended == ShardLedger::Appended::kWaiting) {
    waiting_.push_back(waiting);
  } else {
    late_.push_back(waiting);
  }
}

void GrantLog::pass_on(Waiting& waiting) {
  sink_.pass_on(waiting.to, waiting.grant);
  pool_.destroy(&waiting);
}

void GrantLog::Waiting::on_durable(bool is_durable) {
  if (is_durable) return log.pass_on(*this);
  ListNode<Waiting>::unlink();
  log.late_.push_back(*this);  // it is in memory, and will be written
}

void GrantLog::on_durable_until(std::uint64_t sequence) {
  IntrusiveList<Waiting, Waiting> late;
  late.take_all(late_);
  while (Waiting* waiting = late.pop_front()) {
    if (waiting->sequence < sequence) {
      pass_on(*waiting);
    } else if (waiting->sequence == kUnwritten) {
      write(*waiting);
    } else {
      late_.push_back(*waiting);
    }
  }
}

}  // namespace leat::gateway
