// SPDX-License-Identifier: Apache-2.0
// What a client asks of its own account on a data listener. No shard has the answer: control does,
// which has the store and what was spent. The question goes there by message and the answer comes
// back the same way; AccountQuestions is a shard's memory of who waits meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "gateway/key_table.h"

namespace leat::gateway {

enum class AccountTopic : std::uint8_t {
  kKey,         // GET /api/v1/key
  kCredits,     // GET /api/v1/credits
  kGeneration,  // GET /api/v1/generation?id=
};

struct AccountQuestion {
  std::uint64_t ticket = 0;
  std::uint32_t shard = 0;  // that asks
  AccountTopic topic = AccountTopic::kKey;
  KeyDigest key{};  // that was shown, and is good for inference
  std::uint32_t organisation = 0;
  std::string query;  // without the question mark
};

struct AccountReply {
  std::uint64_t ticket = 0;
  int status = 500;
  std::string body;  // JSON
};

class AccountQuestions {
 public:
  using Then = std::function<void(const AccountReply&)>;
  // Takes a question, unless it cannot now: false, and it is left. Null: nobody answers.
  using Send = std::function<bool(std::unique_ptr<AccountQuestion>&)>;

  // `then` is called once, in a later turn, unless forget() was. 0: nobody answers now.
  std::uint64_t ask(AccountQuestion question, const Send& send, Then then);
  // Nobody waits any more.
  void forget(std::uint64_t ticket) { waiting_.erase(ticket); }
  void take(const AccountReply& reply);

 private:
  std::unordered_map<std::uint64_t, Then> waiting_;
  std::uint64_t last_ticket_ = 0;
};

}  // namespace leat::gateway
