// SPDX-License-Identifier: Apache-2.0
#include "gateway/grant_log.h"

#include <array>

namespace leat::gateway {

GrantLog::~GrantLog() {
  while (Waiting* waiting = waiting_.pop_front()) pool_.destroy(waiting);
}

void GrantLog::send(policy::ShardIndex to, const policy::LeaseGrant& grant,
                    const ledger::Grant& entry) {
  std::array<char, ledger::kGrantBytes> bytes;
  ledger::encode(entry, bytes);
  Waiting* const waiting = pool_.create(*this, to, grant);
  waiting_.push_back(*waiting);
  if (ledger_.append_grant(bytes, *waiting) != ShardLedger::Appended::kWaiting) {
    pool_.destroy(waiting);
  }
}

void GrantLog::Waiting::on_durable(bool is_durable) {
  GrantLog& log = this->log;
  if (is_durable) log.sink_.pass_on(to, grant);
  log.pool_.destroy(this);
}

}  // namespace leat::gateway
