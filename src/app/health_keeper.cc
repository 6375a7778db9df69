// SPDX-License-Identifier: Apache-2.0
#include "app/health_keeper.h"

namespace leat::app {

HealthKeeper::HealthKeeper(shard::Shard& control, const gateway::Snapshot& snapshot,
                           std::uint32_t count,
                           const std::vector<std::unique_ptr<ShardThread>>& threads)
    : control_(control),
      desk_(snapshot, count,
            [&threads](std::uint32_t shard, std::unique_ptr<gateway::HealthUpdate>& update) {
              return threads[shard]->post(update);
            }) {}

void HealthKeeper::take(const shard::Message& message) {
  desk_.take(*gateway::news_of(message), control_.now());
}

void HealthKeeper::on_tick() {
  desk_.tick(control_.now());
  control_.wheel().set(timer_, control_.now() + gateway::kHealthInterval);
}

}  // namespace leat::app
