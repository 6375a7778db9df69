// SPDX-License-Identifier: Apache-2.0
#include "app/health_keeper.h"

#include <cstdio>
#include <string>

#include "gateway/owned_message.h"

namespace leat::app {

namespace {

void say(const std::string& line) {
  if (!line.empty()) std::fprintf(stderr, "leat: %s\n", line.c_str());
}

}  // namespace

HealthKeeper::HealthKeeper(shard::Shard& control, const gateway::Snapshot& snapshot,
                           std::uint32_t count,
                           const std::vector<std::unique_ptr<ShardThread>>& threads)
    : control_(control),
      desk_(snapshot, count,
            [&threads](std::uint32_t shard, std::unique_ptr<gateway::HealthUpdate>& update) {
              return threads[shard]->post(update);
            }),
      file_(snapshot.options().routing.health_file) {}

void HealthKeeper::load(const control::Surroundings& surroundings) {
  say(file_.load(surroundings, desk_, control_.now(), control_.io().wall_now()));
}

void HealthKeeper::begin() {
  on_tick();
  control_.wheel().set(save_timer_, control_.now() + control::HealthFile::kInterval);
}

void HealthKeeper::save() {
  say(file_.save(desk_, control_.now(), control_.io().wall_now()));
}

void HealthKeeper::take(const shard::Message& message) {
  desk_.take(*gateway::owned_of<gateway::HealthNews>(message), control_.now());
}

void HealthKeeper::on_tick() {
  desk_.tick(control_.now());
  control_.wheel().set(tick_timer_, control_.now() + gateway::kHealthInterval);
}

void HealthKeeper::on_save() {
  save();
  control_.wheel().set(save_timer_, control_.now() + control::HealthFile::kInterval);
}

}  // namespace leat::app
