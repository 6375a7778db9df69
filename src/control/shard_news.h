// SPDX-License-Identifier: Apache-2.0
// ShardNews: what shards are to be told of accounts: keys that have changed, the keys of another
// configuration, what late records settle, answers to what clients asked. A shard whose mailbox is
// full hears of it when there is room: of changes all at once, of keys in their order. Owned by
// who has the shards; on its thread. No clock: who owns it delivers again a moment later.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/account_question.h"
#include "gateway/configuration.h"
#include "gateway/key_table.h"
#include "gateway/restored_quantity.h"

namespace leat::control {

class ShardNews {
 public:
  // The mailboxes. False, and what was to be posted is left: that shard's is full.
  class Post {
   public:
    virtual std::size_t shards() const = 0;
    virtual bool post(std::size_t shard, std::unique_ptr<gateway::KeyDelta>& delta) = 0;
    virtual bool post(std::size_t shard, std::unique_ptr<gateway::DeploymentOrder>& order) = 0;
    virtual bool post(std::size_t shard, std::unique_ptr<gateway::LateSettlements>& late) = 0;
    virtual bool post(std::size_t shard, std::unique_ptr<gateway::AccountReply>& reply) = 0;

   protected:
    ~Post() = default;
  };

  explicit ShardNews(Post& post) : post_(post) {}  // which outlives it

  // Each is told by the next deliver().
  void tell(const gateway::KeyDelta& delta);
  // All shards are to serve by what they have prepared, with these keys, which are all keys: what
  // they were not told yet is in them too, but for what had been used of new limits.
  void serve(const gateway::KeyDelta& keys);
  void settle(const gateway::LateSettlements& late);
  void reply(std::size_t shard, gateway::AccountReply reply);

  // False: some could not be posted, so it wants to be asked again.
  bool deliver();
  // Forgets what was not delivered.
  void clear();

  // Whether a shard was not told yet to serve by what it has prepared.
  bool is_behind(std::size_t shard) const {
    return shard < orders_.size() && orders_[shard] != nullptr;
  }
  bool is_behind() const {
    return std::ranges::any_of(orders_, [](const auto& each) { return each != nullptr; });
  }

 private:
  template <class Owned>
  using ByShard = std::vector<std::unique_ptr<Owned>>;  // null: it has heard all
  struct Reply {
    std::size_t shard = 0;
    std::unique_ptr<gateway::AccountReply> reply;
  };
  template <class Owned>
  bool post_each(ByShard<Owned>& all);

  Post& post_;
  ByShard<gateway::DeploymentOrder> orders_;  // before untold_
  ByShard<gateway::KeyDelta> untold_;
  ByShard<gateway::LateSettlements> unsettled_;
  std::vector<Reply> unsaid_;
};

}  // namespace leat::control
