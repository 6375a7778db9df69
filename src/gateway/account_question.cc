// SPDX-License-Identifier: Apache-2.0
#include "gateway/account_question.h"

#include <utility>

namespace leat::gateway {

std::uint64_t AccountQuestions::ask(AccountQuestion question, const Send& send, Then then) {
  if (!send) return 0;
  question.ticket = last_ticket_ + 1;
  auto owned = std::make_unique<AccountQuestion>(std::move(question));
  if (!send(owned)) return 0;
  waiting_.emplace(++last_ticket_, std::move(then));
  return last_ticket_;
}

void AccountQuestions::take(const AccountReply& reply) {
  if (auto waits = waiting_.extract(reply.ticket)) waits.mapped()(reply);
}

}  // namespace leat::gateway
