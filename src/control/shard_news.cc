// SPDX-License-Identifier: Apache-2.0
#include "control/shard_news.h"

#include <utility>

namespace leat::control {

void ShardNews::tell(const gateway::KeyDelta& delta) {
  untold_.resize(post_.shards());
  for (auto& untold : untold_) {
    if (untold != nullptr) {
      untold->append(delta);
    } else {
      untold = std::make_unique<gateway::KeyDelta>(delta);
    }
  }
}

void ShardNews::serve(const gateway::KeyDelta& keys) {
  untold_.resize(post_.shards());
  orders_.resize(post_.shards());
  for (std::size_t i = 0; i < orders_.size(); ++i) {
    auto order = std::make_unique<gateway::DeploymentOrder>();
    order->step = gateway::DeploymentOrder::Step::kServe;
    if (const auto untold = std::exchange(untold_[i], nullptr)) order->keys.used = untold->used;
    order->keys.append(keys);
    orders_[i] = std::move(order);
  }
}

void ShardNews::settle(const gateway::LateSettlements& late) {
  unsettled_.resize(post_.shards());
  for (auto& unsettled : unsettled_) {
    if (unsettled == nullptr) unsettled = std::make_unique<gateway::LateSettlements>();
    unsettled->insert(unsettled->end(), late.begin(), late.end());
  }
}

void ShardNews::reply(std::size_t shard, gateway::AccountReply reply) {
  unsaid_.push_back({shard, std::make_unique<gateway::AccountReply>(std::move(reply))});
}

// False: some could not be posted.
template <class Owned>
bool ShardNews::post_each(ByShard<Owned>& all) {
  bool is_done = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] != nullptr && !post_.post(i, all[i])) is_done = false;
  }
  return is_done;
}

// A shard hears of keys in their order: of those of another configuration with it.
bool ShardNews::deliver() {
  std::erase_if(unsaid_, [&](Reply& each) { return post_.post(each.shard, each.reply); });
  const bool is_settled = post_each(unsettled_);
  const bool is_told = post_each(orders_) && post_each(untold_);
  return unsaid_.empty() && is_settled && is_told;
}

void ShardNews::clear() {
  orders_.clear();
  untold_.clear();
  unsettled_.clear();
  unsaid_.clear();
}

}  // namespace leat::control
